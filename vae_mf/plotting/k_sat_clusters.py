"""Figure of the solutions of formulas across the clustering transition."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, looks, new_figure
from vae_mf.plotting.ticks import mark_sizes

RATIO = "clauses per variable α"
LAWS = {"mixture": "mixture of k classes", "vae": "VAE, k latent variables"}


@house_figure(
    "Solutions of random formulas on both sides of the clustering transition: overlap of two solutions, share of "
    "frozen variables, and gain of fitted laws over independent variables in nats per solution at the ends of the"
    " range. Error bars: standard error over formulas."
)
def draw_clusters(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw overlaps of solutions, frozen variables, and the gains of fitted laws at the ends of the range."""
    gains = tables["gains"]
    figure, axes = new_figure(2, 2)
    draw_overlap_laws(axes[0], tables["overlaps"])
    draw_frozen(axes[1], tables["frozen"])
    for ax, ratio in zip(axes[2:], (gains.ratio.min(), gains.ratio.max()), strict=True):
        draw_gains(ax, gains[gains.ratio == ratio])
        ax.set_title(f"α = {ratio:g}", loc="left")
    top = max(ax.get_ylim()[1] for ax in axes[2:])
    for ax in axes[2:]:
        ax.set_ylim(min(0, ax.get_ylim()[0]), top)
    return figure


def draw_overlap_laws(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the mean over formulas of the law of the overlap for every ratio."""
    means = table.groupby(["ratio", "overlap"], as_index=False).density.mean()
    for (ratio, rows), (colour, marker) in zip(means.groupby("ratio"), looks(), strict=False):
        ax.plot(rows.overlap, rows.density, f"{marker}-", color=colour, markevery=0.1, label=f"α = {ratio:g}")
    ax.set(xlabel="overlap of two solutions q", ylabel="density", xlim=(-0.6, 1.02), ylim=(0, None))
    legend_above(ax)


def draw_frozen(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the share of frozen variables of each formula and their mean."""
    solved = table[table.solved]
    ax.plot(solved.ratio, solved.frozen, "o", color=COLOURS["samples"], markersize=3, alpha=0.5, label="a formula")
    shares = solved.groupby("ratio").frozen
    means = shares.mean()
    ax.errorbar(means.index, means, shares.sem().fillna(0), capsize=2, color=COLOURS["samples"], label="mean")
    ax.set(xlabel=RATIO, ylabel="frozen share of a solution", ylim=(-0.03, 1.03))
    legend_above(ax)


def draw_gains(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what each law gains over independent variables against its size, the means over formulas."""
    for (law, label), (colour, marker) in zip(LAWS.items(), looks(), strict=False):
        found = table[table.law == law].groupby("size").gain
        if len(found):
            errors = found.sem().fillna(0)
            ax.errorbar(
                found.mean().index, found.mean(), errors, fmt=f"{marker}-", color=colour, capsize=2, linewidth=0.8,
                label=label,
            )  # fmt: skip
    ax.axhline(
        table[table.law == "tree"].gain.mean(), color=COLOURS["classical"], linestyle="--", label="Chow-Liu tree"
    )
    ax.set(xlabel="size k", ylabel="gain  [nats per solution]", xscale="log")
    mark_sizes(ax.xaxis, table["size"][table.law.isin(list(LAWS))])
    legend_above(ax)
