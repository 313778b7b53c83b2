"""Figure of walks through solutions."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.complexity import mark_thresholds
from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, looks, new_figure


@house_figure(
    "Overlap of walks through solutions with their start, along the walk and at its end, beside solutions drawn at "
    "random by belief propagation, and those of two searches. Error bars: standard error over formulas."
)
def draw_solution_walks(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the overlap with the start along the walks, and at their ends against the clauses per variable."""
    figure, (left, right) = new_figure(1, 2)
    draw_walks(left, tables["walks"])
    draw_ends(right, tables["solutions"].dropna(subset="end"), tables["thresholds"])
    return figure


def draw_walks(ax: Axes, walks: pd.DataFrame) -> None:
    """Draw the mean overlap along the walks of the largest formulas, a line per ratio."""
    largest = walks[walks.sites == walks.sites.max()]
    for (ratio, rows), (colour, _) in zip(largest.groupby("ratio"), looks(), strict=False):
        means = rows.groupby("sweeps").overlap.mean()
        ax.plot(means.index, means, color=colour, label=f"{ratio:g} clauses")
    title = f"N = {largest.sites.iloc[0]:,}"
    ax.set(xlabel="sweeps", ylabel="overlap with the start", xscale="log", ylim=(0, 1.02), title=title)
    legend_above(ax)


def draw_ends(ax: Axes, solutions: pd.DataFrame, thresholds: pd.DataFrame) -> None:
    """Draw the overlap at the end of the walks beside that of independent solutions."""
    sizes = list(solutions.groupby("sites"))
    for (sites, rows), (colour, marker) in zip(sizes, looks(), strict=False):
        ends = rows.groupby("ratio").end
        error = ends.sem().fillna(0)
        ax.errorbar(
            ends.mean().index, ends.mean(), error, color=colour, marker=marker, capsize=2, label=f"N = {sites:,}"
        )
    largest = sizes[-1][1]
    drawn = largest[largest.converged.astype(bool)].groupby("ratio").beliefs.mean()
    ax.plot(drawn.index, drawn, "_", color=COLOURS["exact"], markersize=9, label="solutions at random")
    found = largest.groupby("ratio").independent.mean()
    ax.plot(found.index, found, ":", color=COLOURS["infinite"], label="solutions of two searches")
    mark_thresholds(ax, thresholds, COLOURS["independent"])
    ax.set(xlabel="clauses per variable", ylabel="overlap", ylim=(0, 1.02), title="at the end of the walk")
    legend_above(ax)
