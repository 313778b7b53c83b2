"""Figure of the complexity and the entropy of random K-SAT."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, new_figure

RATIO = "clauses per variable"


@house_figure(
    "Complexity of the clusters of solutions by survey propagation, with its zero, and entropy per variable in "
    "nats by belief propagation beside the bound of the first moment, against clauses per variable. Error bars: "
    "standard error over populations. Dashed and dotted verticals: published thresholds."
)
def draw_complexity(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the complexity of every length above, with its zero, and the entropy below."""
    lengths = tables["complexity"].length.unique()
    figure, axes = new_figure(2, len(lengths))
    for ax, below, length in zip(axes, axes[len(lengths) :], lengths, strict=False):
        chosen = {name: table[table.length == length] for name, table in tables.items()}
        draw_clusters(ax, chosen)
        draw_entropy(below, chosen)
        ax.set_title(f"K = {length}", loc="left")
    return figure


def draw_clusters(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the complexity with its errors, and its zero."""
    table, zero = tables["complexity"], tables["zero"].iloc[0]
    colour, marker = COLOURS["samples"], "o"
    ax.errorbar(table.ratio, table.value, table.error, fmt=marker, color=colour, capsize=2, label="survey propagation")
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    label = f"zero: {zero.place:.4f} ± {zero.error:.4f}"
    ax.axvline(zero.place, color=COLOURS["model"], linewidth=0.8, linestyle="--", label=label)
    ax.set(xlabel=RATIO, ylabel="complexity Σ per variable  [nats]")
    legend_above(ax)


def draw_entropy(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the replica-symmetric entropy beside the bound of the first moment, and the published thresholds."""
    table = tables["entropy"]
    colour, marker = COLOURS["classical"], "D"
    ax.plot(table.ratio, table.first_moment, "--", color=COLOURS["infinite"], linewidth=0.8, label="first moment")
    ax.errorbar(table.ratio, table.value, table.error, fmt=marker, color=colour, capsize=2, label="belief propagation")
    mark_thresholds(ax, tables["thresholds"], COLOURS["model"])
    ax.set(xlabel=RATIO, ylabel="entropy per variable  [nats]", ylim=(0, None))
    legend_above(ax)


def mark_thresholds(ax: Axes, thresholds: pd.DataFrame, colour: str) -> None:
    """Mark the known thresholds with their names, each by a dashing of its own."""
    for (_, row), style in zip(thresholds.iterrows(), cycle(((0, (4, 2)), ":", "-.", (0, (1, 2)))), strict=False):
        ax.axvline(row.ratio, color=colour, linewidth=0.8, linestyle=style, label=f"{row['name']}: {row.ratio:g}")
