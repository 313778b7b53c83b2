"""Figures of repeated trainings: patterns over their variables, shares recovered and verdicts per repetition."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, PANEL, TINY, empty_figure, in_figure, name_ticks, ticks_of

REPETITIONS = {
    "seed": ("o", "other seed"),
    "half": ("s", "half of the data"),
    "resampling": ("^", "resampling"),
    "bootstrap": ("^", "bootstrap over repeats"),
    "": ("D", "other"),
}
"""Marker and name of every kind of repetition, by a part of the names of such repetitions."""
ANSWERS = {"not found": "full", "not decided": "left", "found": "none"}
"""Filling of the marker of a repetition, by the answer of its verdict."""
NAMED = 60
"""Largest number of names along a wide axis."""
FEW = 20
"""Up to so many repetitions have names of the usual size."""
PROFILE_HEIGHT = 1.5
"""Height of the panel of a pattern in inches."""


@house_figure(
    "Patterns of a recording with their spread over repeated trainings, those that are not recovered in grey; per"
    " repetition the share recovered, C(x|z) and the gain over independent variables in nats per row. Error bars:"
    " standard error over blocks of rows."
)
def draw_stability_study(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw patterns, those that are not recovered in grey, and per repetition shares, C(x|z) and gains."""
    patterns, summary = tables["patterns"], tables["pattern_summary"]
    verdicts = pd.concat([rows for rows, *_ in kinds(tables["verdicts"])])
    verdicts["repetition"] = verdicts.repetition.str.replace("_", " ").map(in_figure)
    figure, axes, (first, second, third) = empty_panels(len(summary), len(verdicts))
    draw_patterns(axes, patterns, summary, draw_bars)
    for ax, number in zip(axes, summary.pattern, strict=True):
        draw_spread(ax, patterns[f"pattern_{number}"], patterns[f"spread_{number}"])
    label_variables(axes[-1], patterns.cell, "variable")
    draw_shares(first, tables["stability"], summary.threshold.iloc[0])
    draw_unexplained(second, verdicts)
    draw_repeated(third, verdicts, "gain")
    third.set(ylabel="gain over independent variables\n[nats per row]")
    return figure


def empty_panels(patterns: int, repetitions: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """Return a figure, one flat panel per pattern over its whole width, and three panels below these."""
    heights = [PROFILE_HEIGHT] * patterns + [PANEL[1] + 0.8]
    width = max(3.5 * PANEL[0], 3 * (1 + 0.1 * repetitions))
    figure = empty_figure(width, sum(heights))
    grid = figure.add_gridspec(patterns + 1, 3, height_ratios=heights)
    wide = [figure.add_subplot(grid[row, :]) for row in range(patterns)]
    return figure, wide, [figure.add_subplot(grid[-1, column]) for column in range(3)]


def draw_patterns(
    axes: Iterable[Axes], patterns: pd.DataFrame, summary: pd.DataFrame, draw: Callable[[Axes, pd.Series, bool], None]
) -> None:
    """Draw a pattern in each panel, in grey if it is not recovered."""
    for ax, row in zip(axes, summary.to_dict("records"), strict=False):
        number, grey = row["pattern"], row["recovered"] is False
        draw(ax, patterns[f"pattern_{number}"], grey)
        ax.set_title(f"pattern {number}{', not recovered' if grey else ''}", loc="left")


def draw_bars(ax: Axes, values: pd.Series, grey: bool) -> None:
    """Draw a pattern as bars, one per variable."""
    colours = [COLOURS["independent"] if grey else COLOURS["vae" if value > 0 else "samples"] for value in values]
    ax.bar(np.arange(len(values)), values, color=colours, width=0.8)
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.set_xlim(-0.7, len(values) - 0.3)
    ax.set_xticks([])
    ax.set_ylabel("Δh")


def draw_spread(ax: Axes, values: pd.Series, spread: pd.Series) -> None:
    """Draw the spread of the values of a pattern over the repetitions as error bars."""
    ax.errorbar(np.arange(len(values)), values, spread, fmt="none", elinewidth=0.8, ecolor=COLOURS["exact"])
    ax.set_title("error bars: spread over repetitions", loc="right")


def label_variables(ax: Axes, names: pd.Series, what: str) -> None:
    """Name the variables below a panel of bars."""
    name_ticks(ax.xaxis, names, NAMED)
    ax.set_xlabel(what)


def room_for(names: pd.Series) -> float:
    """Return the height in inches of the names below a panel."""
    return 0.055 * max(map(len, ticks_of(names)))


def draw_shares(ax: Axes, table: pd.DataFrame, threshold: float) -> None:
    """Draw the share of every pattern that lies in the space of each repetition."""
    ordered = pd.concat([rows.repetition for rows, *_ in kinds(table)]).unique()
    shifts = dict(zip(ordered, np.linspace(-0.3, 0.3, len(ordered) + 2)[1:-1], strict=True))
    for rows, marker, name in kinds(table):
        places = rows.pattern + rows.repetition.map(shifts)
        ax.plot(places, rows.share, marker, color=COLOURS["model"], mfc="none", label=name)
    ax.axhline(threshold, color=COLOURS["infinite"], linewidth=0.8, linestyle="--", label="recovered")
    ax.set(xlabel="pattern", ylabel="share recovered", ylim=(min(-0.03, table.share.min() - 0.03), 1.05))
    ax.set_xticks(table.pattern.unique())
    ax.set_xlim(0.4, table.pattern.max() + 0.6)
    legend_above(ax)


def kinds(table: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    """Yield the rows of every kind of repetition that a table has, with its marker and name."""
    own = table.repetition.map(lambda name: next(kind for kind in REPETITIONS if kind in name))
    for kind, (marker, name) in REPETITIONS.items():
        if (own == kind).any():
            yield table[own == kind], marker, name


def draw_unexplained(ax: Axes, table: pd.DataFrame) -> None:
    """Draw C(x|z) of every repetition, the tolerated value, and the critic's floor for pairs."""
    draw_repeated(ax, table, "correlation")
    ax.plot(
        table.repetition, table.floor, "_", color=COLOURS["samples"], markersize=8, label="critic may miss of pairs"
    )
    ax.plot(table.repetition, table.bound, "--", color=COLOURS["infinite"], linewidth=0.8, label="tolerated")
    for answer in filter(set(table.answer).__contains__, ANSWERS):
        point: dict = {"color": COLOURS["model"], "fillstyle": ANSWERS[answer], "linestyle": ""}
        ax.plot([], [], marker="o", label=f"mean field {answer}", **point)
    ax.set(ylabel="left unexplained, C(x|z)\n[nats per row]")
    legend_above(ax)


def draw_repeated(ax: Axes, table: pd.DataFrame, column: str) -> None:
    """Draw a number of every repetition with its error, filled by the answer of the verdict."""
    for rows, marker, _ in kinds(table):
        for row in rows.to_dict("records"):
            point: dict = {"fmt": marker, "fillstyle": ANSWERS[row["answer"]], "color": COLOURS["model"], "capsize": 2}
            ax.errorbar([row["repetition"]], [row[column]], [row[f"{column}_error"]], **point)
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.tick_params(axis="x", rotation=90, labelsize=TINY if len(table) > FEW else None)
    ax.margins(x=0.1)
