"""Figure of the solutions of formulas across the clustering transition."""

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.style import COLOURS, CYCLE, house_style, new_figure

RATIO = "clauses per variable α"
LAWS = {"mixture": "mixture of k classes", "vae": "VAE, k latent variables"}


def draw_clusters(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw overlaps of solutions, frozen variables, and the gains of fitted laws at the ends of the range."""
    gains = tables["gains"]
    with house_style():
        figure, axes = new_figure(2, 2)
        draw_overlap_laws(axes[0], tables["overlaps"])
        draw_frozen(axes[1], tables["frozen"])
        for ax, ratio in zip(axes[2:], (gains.ratio.min(), gains.ratio.max()), strict=True):
            draw_gains(ax, gains[gains.ratio == ratio])
            ax.set_title(f"α = {ratio:g}", loc="left")
        top = 1.45 * max(ax.get_ylim()[1] for ax in axes[2:])  # with room for the legend
        for ax in axes[2:]:
            ax.set_ylim(min(0, ax.get_ylim()[0]), top)
    return figure


def draw_overlap_laws(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the mean over formulas of the law of the overlap for every ratio."""
    means = table.groupby(["ratio", "overlap"], as_index=False).density.mean()
    groups = means.groupby("ratio")
    for place, (ratio, rows) in enumerate(groups):
        shade = colormaps["viridis"](0.9 * place / max(1, groups.ngroups - 1))
        ax.plot(rows.overlap, rows.density, color=shade, label=f"α = {ratio:g}")
    ax.set(xlabel="overlap of two solutions q", ylabel="density", xlim=(-0.6, 1.02), ylim=(0, None))
    ax.legend(loc="upper left")


def draw_frozen(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the share of frozen variables of each formula and their mean."""
    solved = table[table.solved]
    ax.plot(solved.ratio, solved.frozen, "o", color=COLOURS["samples"], markersize=3, alpha=0.5, label="a formula")
    means = solved.groupby("ratio").frozen.mean()
    ax.plot(means.index, means, "-", color=COLOURS["samples"], label="mean")
    ax.set(xlabel=RATIO, ylabel="frozen share of a solution", ylim=(-0.03, 1.03))
    ax.legend(loc="upper left")


def draw_gains(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what each law gains over independent variables against its size, the means over formulas."""
    for (law, label), (colour, marker) in zip(LAWS.items(), CYCLE, strict=False):
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
    ax.set_xscale("log", base=2)
    ax.set(xlabel="size k", ylabel="gain  [nats per solution]")
    ax.legend(loc="upper left")
