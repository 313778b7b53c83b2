"""Figures of satisfiability: probability of a solution, its scaling, effort, and time of local searches."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above, legend_below
from vae_mf.plotting.style import COLOURS, TEMPERATURE, looks, new_figure, new_panels

RATIO = "clauses per variable α"
COLDER = 0.8
"""Left edge of an axis of temperatures, as a share of the lowest."""
EXACT_NU = {2: 3.0}
"""Exponents that theory knows, by clause length."""


@house_figure(
    "Probability of a solution against clauses per variable for every number of variables N, the same with scaled"
    " axes, and decisions of the solver (median and quartiles), a column per clause length K. Error bars: "
    "standard error over formulas. Dashed: known threshold."
)
def draw_threshold(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw for each clause length, from the top, the curves, the same with scaled axes, and the effort."""
    curves, crossings, limits, halves = (tables[name] for name in ("threshold", "crossings", "limits", "halves"))
    lengths = curves.length.unique()
    figure, axes = new_figure(3, len(lengths))
    rows = np.array(axes).reshape(3, -1)
    for (top, middle, bottom), length in zip(rows.T, lengths, strict=True):
        own, crossed = curves[curves.length == length], crossings[crossings.length == length]
        draw_curves(top, own, *(part[part.length == length] for part in (limits, halves)))
        draw_scaled(middle, own, crossed)
        draw_effort(bottom, own)
    for row, label in zip(rows, ("P(satisfiable)", "P(satisfiable)", "decisions of the solver"), strict=True):
        for ax in row:
            ax.set_ylabel(label)
    return figure


def sizes_of(curves: pd.DataFrame) -> list[tuple[pd.DataFrame, str, str]]:
    """Return the curve of every size with its colour and marker."""
    parts = [part for _, part in curves.groupby("sites")]
    return [(part, *look) for part, look in zip(parts, looks(), strict=False)]


def draw_curves(ax: Axes, curves: pd.DataFrame, limits: pd.DataFrame, halves: pd.DataFrame) -> None:
    """Draw the probability of a solution for each size, the known threshold, and what crossings and halves say."""
    for part, colour, marker in sizes_of(curves):
        name = f"N = {part.sites.iloc[0]:,}"
        ax.errorbar(part.ratio, part.probability, part.error, fmt=f"{marker}-", color=colour, label=name)
    threshold = curves.threshold.iloc[0]
    ax.axvline(threshold, color=COLOURS["infinite"], linestyle="--", linewidth=0.8, label=f"N → ∞: {threshold:g}")
    found = [f"crossings → {row.ratio:.3f} ± {row.error:.3f}" for row in limits.itertuples() if np.isfinite(row.ratio)]
    known = halves[np.isfinite(halves.ratio)]
    found += [f"half at N = {row.sites:,}: {row.ratio:.3f} ± {row.error:.3f}" for row in known.tail(1).itertuples()]
    ax.set_title("\n".join([f"K = {curves.length.iloc[0]}", *found]))
    ax.set(xlabel=RATIO, ylim=(-0.03, 1.03))
    legend_above(ax)


def draw_scaled(ax: Axes, curves: pd.DataFrame, crossings: pd.DataFrame) -> None:
    """Draw the curves against the distance from the threshold in units of N^(-1/nu)."""
    length = int(curves.length.iloc[0])
    last = crossings.iloc[-1]
    nu = EXACT_NU[length] if length in EXACT_NU else float(last.nu)
    for part, colour, marker in sizes_of(curves):
        scaled = (part.ratio - part.threshold) * part.sites ** (1 / nu)
        ax.errorbar(scaled, part.probability, part.error, fmt=marker, color=colour)
    effective = f"effective ν = {last.nu:.1f} ± {last.nu_error:.1f}; theory: ν ≥ 2"
    ax.set_title(f"ν = {nu:g} by theory" if length in EXACT_NU else effective)
    ax.set(xlabel="(α − α$_s$) N$^{1/ν}$", ylim=(-0.03, 1.03))


def draw_effort(ax: Axes, curves: pd.DataFrame) -> None:
    """Draw the median decisions of the solver with their quartiles."""
    for part, colour, marker in sizes_of(curves):
        ax.plot(part.ratio, part.decisions, f"{marker}-", color=colour)
        ax.fill_between(part.ratio, part.decisions_low, part.decisions_high, color=colour, alpha=0.2, linewidth=0)
    ax.axvline(curves.threshold.iloc[0], color=COLOURS["infinite"], linestyle="--", linewidth=0.8)
    ax.set(xlabel=RATIO, yscale="log")
    ax.set_title("median and quartiles")


@house_figure(
    "Processor time per variable in seconds of every search against clauses per variable, a panel per number of "
    "variables N. Open: the budget ended before a solution."
)
def draw_search(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw for each size the time per variable of every search that ended at a solution, against the ratio."""
    table = tables["search"]
    sizes = table.sites.unique()
    figure, axes = new_panels(len(sizes), columns=3)
    for ax, sites in zip(axes, sizes, strict=True):
        draw_times(ax, table[table.sites == sites])
        ax.set_ylim(table.seconds_per_variable.min() / 2, 2 * table.seconds_per_variable.max())
        ax.set_xlim(table.ratio.min() - 0.05, table.threshold.iloc[0] + 0.03)
    legend_below(figure, axes)
    return figure


def draw_times(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the time per variable of every algorithm at one size, open where the budget ended before a solution."""
    for (name, part), (colour, marker) in zip(table.groupby("algorithm", sort=False), looks(), strict=False):
        ax.plot(part.ratio, part.seconds_per_variable, "-", color=colour, linewidth=0.8)
        solved = part[part.solved == part.formulas]
        ax.plot(solved.ratio, solved.seconds_per_variable, marker, color=colour, label=name)
        ended = part[part.solved < part.formulas]
        ax.plot(ended.ratio, ended.seconds_per_variable, marker, color=colour, mfc="none")
    ax.plot([], [], "D", color=COLOURS["exact"], mfc="none", label="budget ended first")
    threshold = table.threshold.iloc[0]
    ax.axvline(threshold, color=COLOURS["infinite"], linestyle="--", linewidth=0.8, label=f"threshold {threshold:g}")
    ax.set(xlabel=RATIO, yscale="log", title=f"N = {table.sites.iloc[0]:,}")
    ax.set_ylabel("processor time per variable  [s]")


@house_figure(
    "Violated clauses and entropy in nats per variable against temperature, for each number of clauses per variable. "
    "Error bars: standard error over formulas. Lines: annealed averages, at all temperatures. Open, at the left edge: "
    "entropy of the solutions of infinite formulas by belief propagation, for T = 0."
)
def draw_energy(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw energy and entropy per variable against temperature for each ratio, beside annealed averages."""
    table, solutions = tables["energy"], tables["solutions"]
    figure, (left, right) = new_figure(1, 2)
    edge = COLDER * table.temperature.min()
    for (ratio, part), (colour, marker) in zip(table.groupby("ratio"), looks(), strict=False):
        annealed = tables["annealed"][tables["annealed"].ratio == ratio]
        for ax, name in ((left, "energy"), (right, "entropy")):
            values, errors = part[name], part[f"{name}_error"]
            ax.errorbar(part.temperature, values, errors, fmt=marker, color=colour, label=f"α = {ratio:g}")
            ax.plot(annealed.temperature, annealed[name], "-", color=colour, linewidth=0.8)
        for value in solutions[solutions.ratio == ratio].value:
            right.plot([edge], [value], marker, color=colour, mfc="none", markersize=7, clip_on=False)
    left.plot([], [], "-", color=COLOURS["exact"], linewidth=0.8, label="annealed")
    right.plot([], [], "o", color=COLOURS["exact"], mfc="none", label="T = 0: solutions, by beliefs")
    left.set(ylabel="violated clauses per variable", ylim=(-0.01, None))
    right.set_ylabel("entropy per variable  [nats]")
    for ax in (left, right):
        ax.set(xlabel=TEMPERATURE, xscale="log", xlim=(edge, 1.1 * table.temperature.max()))
    legend_below(figure, (left, right))
    return figure
