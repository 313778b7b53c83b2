"""Figures and panels of recordings: joint statistics of rows, field and patterns of the decoder on the variables."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.correlations import draw_overlap_law
from vae_mf.plotting.decoding import draw_cumulant
from vae_mf.plotting.layout import house_figure, legend_below, panels_of
from vae_mf.plotting.style import COLOURS, LABELS, name_ticks, new_figure, remove
from vae_mf.tables import tables_of

RETINA_COLUMNS = 5
"""Panels of figure 5 in a row."""
MOMENTS = {1: "mean ⟨s$_i$⟩", 2: "pair covariance", 3: "triplet moment"}
"""Names of central moments by their order."""


@house_figure(
    "A recording and rows drawn from the model: active variables K, overlap q of two rows, states of small "
    "groups, means, pair covariances and triplet moments, and per variable the field and every pattern of the "
    "decoder. Error bars: standard error over blocks of rows."
)
def recording_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw P(K), P(q), states of small groups, moments, and per variable the field and every pattern of a recording."""
    profiles = profile_columns(tables["cells"])
    figure, axes = new_figure(2, -(-(6 + len(profiles)) // 2))
    draw_spike_counts(axes[0], tables["spike_counts"])
    draw_overlap_law(axes[1], tables["overlap_distribution"])
    draw_state_frequencies(axes[2], tables["words"])
    for ax, order in zip(axes[3:6], MOMENTS, strict=True):
        draw_moments(ax, tables["moments"], order)
    for ax, (column, label) in zip(axes[6:], profiles.items(), strict=False):
        draw_profile(ax, tables["cells"], column, label)
    remove(axes[6 + len(profiles) :])
    legend_below(figure, axes[:6])
    return figure


@house_figure(
    "The retina by a model with a linear decoder, as in figure 5 of Biroli, Welling and Vitelli (2026), two rows for "
    "every number of cells: patterns and field on the cells, frequencies of the states of ten cells, overlap of two "
    "rows, cumulant K(u) in nats beside the parabola of a Gaussian. Added: number of active cells, means, pair "
    "covariances and triplet moments of model and held-out rows. Error bars: standard error over blocks of rows."
)
def draw_retina(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 5 of Biroli, Welling and Vitelli (2026), two rows for every recording, the smallest first.

    In the paper's order two patterns and the field on the cells, the frequencies of the states of ten cells, P(q), and
    K(u) with its Gaussian baseline; added are P(K), and means, pair and triplet moments.
    """
    sizes = {name.removesuffix("_cells"): len(table) for name, table in tables.items() if name.endswith("_cells")}
    figure, axes = new_figure(2 * len(sizes), RETINA_COLUMNS)
    rows = [axes[start : start + RETINA_COLUMNS] for start in range(0, len(axes), RETINA_COLUMNS)]
    for place, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        own = tables_of(name, tables)
        above, below = rows[2 * place : 2 * place + 2]
        draw_decoder(above[:3], own)
        draw_state_frequencies(above[3], own["words"])
        draw_overlap_law(above[4], own["overlap_distribution"])
        draw_cumulant(below[0], own["cumulants"])
        draw_spike_counts(below[1], own["spike_counts"])
        for ax, order in zip(below[2:], MOMENTS, strict=True):
            draw_moments(ax, own["moments"], order)
        above[0].set_title(f"{size} cells", loc="left")
        below[1].set_title("added", loc="left")
    legend_below(figure, [ax for ax in panels_of(figure) if ax.get_legend() is None])
    return figure


def draw_decoder(axes: list[Axes], own: dict[str, pd.DataFrame]) -> None:
    """Draw at most two patterns and the field on the variables."""
    (field, *patterns) = profile_columns(own["cells"]).items()
    shown = [*patterns[: len(axes) - 1], field]
    for ax, (column, label) in zip(axes, shown, strict=False):
        draw_profile(ax, own["cells"], column, label)
    remove(axes[len(shown) :])


def profile_columns(variables: pd.DataFrame) -> dict[str, str]:
    """Return the columns of a table of variables that have a profile, with their names.

    >>> profile_columns(pd.DataFrame({"field": [0.0], "pattern_1": [1.0]}))
    {'field': 'field b', 'pattern_1': 'pattern 1'}
    """
    patterns = [str(column) for column in variables.columns if str(column).startswith("pattern_")]
    return {"field": "field b"} | {column: f"pattern {column.removeprefix('pattern_')}" for column in patterns}


def draw_spike_counts(ax: Axes, table: pd.DataFrame) -> None:
    """Draw P(K) of held-out rows, model and independent variables on a logarithmic scale."""
    styles = {"test": "o", "model": "-", "independent": "--"}
    for source, style in styles.items():
        rows = table[(table.source == source) & (table.probability > 0)]
        ax.plot(
            rows["count"], rows.probability, style, color=COLOURS[source], label=LABELS[source],
            mfc="none", zorder=1 if style == "o" else 2,
        )  # fmt: skip
    seen = table[(table.source == "test") & (table.probability > 0)]
    ax.set(
        yscale="log", xlim=(-0.5, seen["count"].max() + 2), ylim=(seen.probability.min() / 3, 1),
        xlabel="active variables K", ylabel="P(K)",
    )  # fmt: skip


def draw_profile(ax: Axes, table: pd.DataFrame, column: str, label: str) -> None:
    """Draw one value per variable as bars, in the order of the table (by decreasing rate if chosen so)."""
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.bar(np.arange(len(table)), table[column], color=COLOURS["model"], width=0.8)
    name_ticks(ax.xaxis, table.cell, most=24)
    ax.set(xlabel="variable", ylabel=label)


def draw_moments(ax: Axes, table: pd.DataFrame, order: int) -> None:
    """Scatter the moments of one order of the model, and of independent variables, against those of held-out rows."""
    chosen = table[table.order == order]
    limits = [chosen.test.min(), chosen.test.max()]
    for source in ("independent", "model"):
        ax.plot(
            chosen.test, chosen[source], ".", color=COLOURS[source], markersize=3, alpha=0.5, rasterized=True,
            label=LABELS[source],
        )  # fmt: skip
    ax.plot(limits, limits, "-", color=COLOURS["exact"], linewidth=0.8)
    slope = np.polyfit(chosen.test, chosen.model, 1)[0]
    ax.set(
        xlabel=f"{MOMENTS[order]}, held-out rows", ylabel=f"{MOMENTS[order]}, model",
        title=f"correlation {np.corrcoef(chosen.test, chosen.model)[0, 1]:.2f}, slope {slope:.2f}",
    )  # fmt: skip


def draw_state_frequencies(ax: Axes, table: pd.DataFrame) -> None:
    """Scatter the frequencies of the states of small groups of variables, of the model against held-out rows."""
    for source in ("independent", "model"):
        seen = table[(table.test > 0) & (table[source] > 0)]
        ax.plot(
            seen.test, seen[source], ".", color=COLOURS[source], markersize=3, alpha=0.5, rasterized=True,
            label=LABELS[source],
        )  # fmt: skip
    least = table.test[table.test > 0].min()
    ax.plot([least, 1], [least, 1], "-", color=COLOURS["exact"], linewidth=0.8)
    size = int(table["word"].max()).bit_length()
    ax.set(
        xscale="log", yscale="log", xlim=(least / 2, 1.5), ylim=(least / 10, 1.5),
        xlabel=f"frequency of a state of {size} variables, held out", ylabel="frequency, model",
    )  # fmt: skip
