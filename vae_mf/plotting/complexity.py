"""Figure of the complexity and the entropy of random K-SAT."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.style import COLOURS, CYCLE, house_style, new_figure

RATIO = "clauses per variable"


def draw_complexity(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the complexity of every length above, with its zero, and the entropy below."""
    lengths = tables["complexity"].length.unique()
    with house_style():
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
    colour, marker = CYCLE[0]
    ax.errorbar(table.ratio, table.value, table.error, fmt=marker, color=colour, capsize=2, label="survey propagation")
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    label = f"zero: {zero.place:.4f} ± {zero.error:.4f}"
    ax.axvline(zero.place, color=CYCLE[1][0], linewidth=0.8, linestyle="--", label=label)
    ax.set(xlabel=RATIO, ylabel="complexity Σ")
    ax.legend()


def draw_entropy(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the replica-symmetric entropy beside the bound of the first moment, and the published thresholds."""
    table = tables["entropy"]
    colour, marker = CYCLE[2]
    ax.plot(table.ratio, table.first_moment, "--", color=COLOURS["infinite"], linewidth=0.8, label="first moment")
    ax.errorbar(table.ratio, table.value, table.error, fmt=marker, color=colour, capsize=2, label="belief propagation")
    for (_, row), style in zip(tables["thresholds"].iterrows(), ((0, (4, 2)), ":", "-."), strict=False):
        ax.axvline(row.ratio, color=CYCLE[1][0], linewidth=0.8, linestyle=style, label=f"{row['name']}: {row.ratio:g}")
    ax.set(xlabel=RATIO, ylabel="entropy per variable  [nats]", ylim=(0, None))
    ax.legend()
