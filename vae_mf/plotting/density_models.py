"""Figure of a comparison of density models, the gains over independent variables on every split of the rows."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vae_mf.plotting.layout import house_figure, legend_below
from vae_mf.plotting.style import COLOURS, MIDDLE, PALETTE, in_figure, new_figure

FAMILIES = {
    "Independent": (COLOURS["independent"], "o", "independent variables"),
    "ChowLiuTree": (PALETTE["grey"], "o", "tree"),
    "TreeMixture": (PALETTE["grey"], "s", "mixture of trees"),
    "BernoulliMixture": (PALETTE["blue"], "o", "Bernoulli mixture"),
    "HiddenMarkov": (PALETTE["blue"], "s", "hidden Markov"),
    "PopulationTracking": (PALETTE["blue"], "D", "population tracking"),
    "PairwiseIsing": (PALETTE["green"], "o", "pairwise Ising"),
    "KPairwise": (PALETTE["green"], "s", "K-pairwise"),
    "SemiparametricPairwise": (PALETTE["green"], "D", "semiparametric pairwise"),
    "RandomProjections": (PALETTE["green"], "^", "random projections"),
    "LogisticAutoregression": (PALETTE["sky"], "o", "logistic autoregression"),
    "AutoregressiveNetwork": (PALETTE["sky"], "s", "autoregressive network"),
    "RestrictedBoltzmann": (PALETTE["violet"], "o", "restricted Boltzmann"),
    "SemiRestrictedBoltzmann": (PALETTE["violet"], "s", "semi-restricted Boltzmann"),
    "Choice": (PALETTE["black"], "o", "chosen in each fold"),
    "VAE": (COLOURS["vae"], "D", "VAE"),
}
"""Colour of the kind, marker and name of every family of models, by its class."""
OTHER = (PALETTE["black"], "X", "other")
SPLITS = {"random": "random bins", "repeat": "unseen repeats", "time": "unseen movie time"}
LOSS = 0.15
"""Largest loss that is drawn in its place, as a share of the largest gain; beyond it an arrow and its number."""
WIDTH, ROW, NAME_LETTER = 2.8, 0.19, 0.058
"""Width of a panel, height of a model in it, and width of a letter of its name, in inches."""


@house_figure(
    "Gain of density models over independent variables on held-out rows in nats per row, the likeliest at the "
    "top, a panel per way of splitting the rows. Error bars: standard error over blocks of time. An arrow with a "
    "number: a loss beyond the axis."
)
def draw_comparison(table: pd.DataFrame) -> Figure:
    """Draw the gain over independent variables with its error over blocks of time, a panel per split.

    Of several numbers of training rows the largest is drawn.
    """
    splits = list(dict.fromkeys(table.split))
    table = table[table.training_rows == table.groupby("split").training_rows.transform("max")]
    figure, axes = new_figure(1, len(splits))
    most = int(table.groupby("split").size().max())
    names = NAME_LETTER * max(len(in_figure(name)) for name in table.model)
    figure.set_size_inches((WIDTH + names) * len(splits), ROW * most + 1.4)
    for ax, split in zip(axes, splits, strict=True):
        draw_gains(ax, table[table.split == split])
        ax.set_title(SPLITS.get(split, in_figure(split, MIDDLE)))
    add_families(figure, table)
    return figure


@house_figure(
    "Gain of density models over independent variables on held-out rows in nats per row against the number of "
    "training rows; of every family its likeliest member on validation rows. Error bars: standard error over "
    "blocks of time."
)
def draw_learning_curves(table: pd.DataFrame) -> Figure:
    """Draw the gain over independent variables against the number of training rows, a panel per split.

    Of every family the member that has the largest likelihood on validation rows is drawn at every number.
    """
    splits = list(dict.fromkeys(table.split))
    above = table[table.family != "Independent"]
    best = above.loc[above.groupby(["split", "family", "training_rows"]).validation_log_likelihood.idxmax()]
    figure, axes = new_figure(1, len(splits))
    figure.set_size_inches(1.4 * WIDTH * len(splits), WIDTH)
    for ax, split in zip(axes, splits, strict=True):
        draw_curves(ax, best[best.split == split])
        ax.set_title(SPLITS.get(split, in_figure(split, MIDDLE)))
    add_families(figure, best)
    return figure


def draw_curves(ax: Axes, table: pd.DataFrame) -> None:
    """Draw a line with error bars per family, the floor being the axis; of large losses none is drawn."""
    edge = -LOSS * max(table.gain_over_independent.max(), 0)
    shown = table[table.gain_over_independent >= edge].sort_values("training_rows")
    for family, lines in shown.groupby("family"):
        colour, marker, _ = FAMILIES.get(str(family), OTHER)
        error = lines.gain_over_independent_error
        ax.errorbar(lines.training_rows, lines.gain_over_independent, error, fmt=f"{marker}-", color=colour, capsize=2)
    ax.axhline(0, color=COLOURS["independent"], lw=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("training rows")
    ax.set_ylabel("gain over independent variables\n[nats per row]")


def add_families(figure: Figure, table: pd.DataFrame) -> None:
    """Add the looks of the families that a table has, below the panels."""
    present = set(table.family)
    shown = [look for family, look in FAMILIES.items() if family in present]
    shown += [OTHER] * bool(present - set(FAMILIES))
    legend_below(figure, [], [Line2D([], [], color=c, marker=m, ls="", label=label) for c, m, label in shown])


def draw_gains(ax: Axes, table: pd.DataFrame) -> None:
    """Draw a point with an error bar per model, the likeliest at the top."""
    ordered = table.sort_values("gain_over_independent", ignore_index=True)
    edge = -LOSS * max(ordered.gain_over_independent.max(), 0)
    for place, row in enumerate(ordered.to_dict("records")):
        colour, marker, _ = FAMILIES.get(row["family"], OTHER)
        gain, error = row["gain_over_independent"], row["gain_over_independent_error"]
        if gain < edge:
            ax.plot(edge, place, "<", color=colour)
            ax.annotate(
                f"{gain:.2f}".replace("-", "−"),
                (edge, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
            continue
        ax.errorbar(gain, place, xerr=error, fmt=marker, color=colour, capsize=2)
    ax.set_yticks(np.arange(len(ordered)), [in_figure(name.replace("_", " ")) for name in ordered.model], fontsize=7)
    ax.axvline(0, color=COLOURS["independent"], lw=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("gain over independent variables\n[nats per row]")
    ax.set_ylim(-0.7, len(ordered) - 0.3)
