"""Figure of a sweep: one metric against one option that was varied."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from vae_mf.plotting.layout import house_figure, legend_beside
from vae_mf.plotting.style import LETTER, MIDDLE, PANEL, TEMPERATURE, in_figure, looks, new_figure

METRIC_LABELS = {
    "pattern_overlap_min": "smallest overlap of a\nrecovered with its stored pattern",
    "kl": "KL(p ‖ p_VAE)\n[nats per configuration]",
    "test_elbo": "ELBO, held-out configurations\n[nats per configuration]",
    "test_elbo_per_word": "ELBO, held-out rows\n[nats per row]",
}
OPTION_LABELS = {"temperature": TEMPERATURE}
GAP = 0.07
"""Inches between lines at the same value."""
LINE = 0.2
"""Height of a line of the legend in inches."""
ABREAST = 60
"""Letters of all ticks that have room side by side."""
FEW = 8
"""Up to so many numbers, each gets a tick of its own."""
WIDE = 50
"""Ratio of the largest to the smallest number above which the axis is logarithmic."""


@house_figure(
    "A metric of runs against an option that was varied. Points: mean over seeds; error bars: standard error over"
    " seeds; faint: single runs."
)
def draw_collection(runs: pd.DataFrame, averages: pd.DataFrame, metric: str, against: str) -> Figure:
    """Draw a metric against a varied option; the tables are those of `runs.collection`.

    >>> runs = pd.DataFrame({"line": "linear", "temperature": [0.5, 1.0], "kl": [0.1, 0.3]})
    >>> averages = runs.rename(columns={"kl": "mean"}).assign(error=0.02, runs=3)
    >>> figure = draw_collection(runs, averages, metric="kl", against="temperature")
    >>> len(figure.axes)
    1

    Args:
        runs: a line per run.
        averages: a line per setting: mean, error and number of runs.
        metric: name of the metric, a column of ``runs``.
        against: name of the option that was varied.

    Returns:
        Figure of one panel.
    """
    figure, (ax,) = new_figure(1, 1)
    lines = averages.line.unique()
    # Beside the panel the legend has a line of its own for every line, and below it long texts stand upright.
    below = LETTER * max(len(in_figure(str(value), MIDDLE)) for value in averages[against])
    height = max(1.2 * PANEL[1], LINE * len(lines))
    figure.set_size_inches(2 * PANEL[0], height + below)
    draw_sweep(ax, runs, averages, metric, against)
    return figure


def draw_sweep(ax: Axes, runs: pd.DataFrame, averages: pd.DataFrame, metric: str, against: str) -> None:
    """Draw per line the mean over seeds with its standard error, and behind it every run as a faint point."""
    numbers = pd.api.types.is_numeric_dtype(averages[against])
    places = {value: float(value if numbers else place) for place, value in enumerate(averages[against].unique())}
    lines = averages.line.unique()
    for number, (line, (colour, marker)) in enumerate(zip(lines, looks(), strict=False)):
        single = runs[runs.line == line]
        means = averages[averages.line == line].sort_values(against)
        faint = ax.plot(single[against].map(places), single[metric], marker, color=colour, alpha=0.4, markeredgewidth=0)
        bars = ax.errorbar(
            means[against].map(places), means["mean"], means.error, fmt=f"{marker}-" if numbers else marker,
            color=colour, label=in_figure(line) if len(lines) > 1 else "", capsize=2, mfc="white",
        )  # fmt: skip
        # Few points stand side by side, so that equal values do not hide each other; the limits are found without that.
        gap = GAP * (number - (len(lines) - 1) / 2) if len(places) <= FEW else 0.0
        beside = ScaledTranslation(gap, 0, ax.figure.dpi_scale_trans)
        for artist in (*faint, *bars.get_children()):
            artist.set_transform(ax.transData + beside)
    mark_abscissae(ax, places, numbers)
    fewest = averages.runs.min()
    most = averages.runs.max()
    if most > 1:
        seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
        ax.set_title(f"mean ± standard error over {seeds} seeds; faint: single runs")
    ax.set(xlabel=OPTION_LABELS.get(against, in_figure(against)), ylabel=METRIC_LABELS.get(metric, in_figure(metric)))
    if len(lines) > 1:
        legend_beside(ax)


def mark_abscissae(ax: Axes, places: dict[Any, float], numbers: bool) -> None:
    """Put a tick at every text or at each of a few numbers; numbers over decades get a logarithmic axis."""
    if numbers and min(places) > 0 and max(places) > WIDE * min(places):
        ax.set_xscale("log")
    if not numbers or len(places) <= FEW:
        names = [in_figure(str(value), MIDDLE) for value in places]
        upright = sum(map(len, names)) > ABREAST
        ax.set_xticks(list(places.values()), names, rotation=90 if upright else 0)
        ax.set_xticks([], minor=True)
    if not numbers:
        ax.set_xlim(-0.5, len(places) - 0.5)
