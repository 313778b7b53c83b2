"""Contact maps of sequences, from a table of pairs."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, empty_figure


@house_figure(
    "Contacts of a protein family: planted ones above the diagonal and those that were found below it, and the "
    "scores of all pairs in their order. No error bars: one alignment."
)
def draw_contacts(table: pd.DataFrame) -> Figure:
    """Draw known contacts above the diagonal and those found below it, and the scores of both.

    Args:
        table: pairs of sites ``first`` < ``second`` with their ``score``, each ``planted``, ``found`` or both.
    """
    figure = empty_figure(7.4, 3.6)
    left, right = figure.subplots(1, 2)
    draw_map(left, table)
    draw_scores(right, table)
    return figure


def draw_map(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the map: of the pairs found, those that are no contacts stand out."""
    known = table[table.planted]
    right = table[table.found & table.planted]
    wrong = table[table.found & ~table.planted]
    ax.plot(known.second, known["first"], "s", color=COLOURS["exact"], markersize=2.5, label="planted")
    ax.plot(right["first"], right.second, "s", color=COLOURS["samples"], markersize=2.5, label="found, right")
    ax.plot(wrong["first"], wrong.second, "X", color=COLOURS["model"], markersize=4, label="found, wrong")
    last = table.second.max() + 0.5
    ax.plot([-0.5, last], [-0.5, last], color=COLOURS["independent"], linewidth=0.6)
    ax.set(xlabel="site i", ylabel="site j", xlim=(-0.5, last), ylim=(last, -0.5), aspect="equal")
    legend_above(ax)


def draw_scores(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the scores in their order."""
    ordered = table.sort_values("score", ascending=False)
    ranks = np.arange(1, len(ordered) + 1)
    for planted, colour, label in ((True, COLOURS["samples"], "contact"), (False, COLOURS["model"], "no contact")):
        chosen = (ordered.planted == planted).to_numpy()
        ax.plot(ranks[chosen], ordered.score[chosen], "o", color=colour, markersize=2.5, label=label)
    ax.set(xlabel="rank of the pair", ylabel="corrected norm of couplings", ylim=(0, None))
    legend_above(ax)
