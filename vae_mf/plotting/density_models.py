"""Figure of a comparison of density models, the gains over independent variables on every split of the rows."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vae_mf.plotting.style import COLOURS, house_style, in_figure, new_figure

FAMILIES = {
    "Independent": (COLOURS["independent"], "independent variables"),
    "BernoulliMixture": ("#4477aa", "Bernoulli mixture"),
    "ChowLiuTree": ("#bbbbbb", "tree"),
    "TreeMixture": ("#332288", "mixture of trees"),
    "PopulationTracking": ("#997700", "population tracking"),
    "PairwiseIsing": ("#228833", "pairwise Ising"),
    "LogisticAutoregression": ("#66ccee", "logistic autoregression"),
    "AutoregressiveNetwork": ("#ee99aa", "autoregressive network"),
    "HiddenMarkov": ("#882255", "hidden Markov"),
    "KPairwise": ("#ccbb44", "K-pairwise"),
    "SemiparametricPairwise": ("#ee7733", "semiparametric pairwise"),
    "RandomProjections": ("#009988", "random projections"),
    "RestrictedBoltzmann": ("#aa3377", "restricted Boltzmann"),
    "SemiRestrictedBoltzmann": ("#ee3377", "semi-restricted Boltzmann"),
    "Choice": ("#222222", "chosen in each fold"),
    "VAE": (COLOURS["vae"], "VAE"),
}
"""Colour (Paul Tol's schemes) and name of every family of models, by its class."""
OTHER = ("#777777", "other")
SPLITS = {"random": "random bins", "repeat": "unseen repeats", "time": "unseen movie time"}
LOSS = 0.15
"""Largest loss that is drawn in its place, as a share of the largest gain; beyond it an arrow and its number."""
WIDTH, ROW = 4.0, 0.19
"""Width of a panel and height of a model in it, in inches."""


def draw_comparison(table: pd.DataFrame) -> Figure:
    """Draw the gain over independent variables with its error over blocks of time, a panel per split.

    Of several numbers of training rows the largest is drawn.
    """
    splits = list(dict.fromkeys(table.split))
    table = table[table.training_rows == table.groupby("split").training_rows.transform("max")]
    with house_style():
        figure, axes = new_figure(1, len(splits))
        most = int(table.groupby("split").size().max())
        figure.set_size_inches(WIDTH * len(splits) + 0.8, ROW * most + 1.4)
        for ax, split in zip(axes, splits, strict=True):
            draw_gains(ax, table[table.split == split])
            ax.set_title(SPLITS.get(split, in_figure(split)))
        add_families(figure, table, 2 * len(splits))
    return figure


def draw_learning_curves(table: pd.DataFrame) -> Figure:
    """Draw the gain over independent variables against the number of training rows, a panel per split.

    Of every family the member that has the largest likelihood on validation rows is drawn at every number.
    """
    splits = list(dict.fromkeys(table.split))
    above = table[table.family != "Independent"]
    best = above.loc[above.groupby(["split", "family", "training_rows"]).validation_log_likelihood.idxmax()]
    with house_style():
        figure, axes = new_figure(1, len(splits))
        figure.set_size_inches(1.4 * WIDTH * len(splits), WIDTH)
        for ax, split in zip(axes, splits, strict=True):
            draw_curves(ax, best[best.split == split])
            ax.set_title(SPLITS.get(split, in_figure(split)))
        add_families(figure, best, 3 * len(splits))
    return figure


def draw_curves(ax: Axes, table: pd.DataFrame) -> None:
    """Draw a line with error bars per family, the floor being the axis; of large losses none is drawn."""
    edge = -LOSS * max(table.gain_over_independent.max(), 0)
    shown = table[table.gain_over_independent >= edge].sort_values("training_rows")
    for family, lines in shown.groupby("family"):
        colour, _ = FAMILIES.get(family, OTHER)
        error = lines.gain_over_independent_error
        ax.errorbar(lines.training_rows, lines.gain_over_independent, error, fmt="o-", color=colour, capsize=2)
    ax.axhline(0, color=COLOURS["independent"], lw=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("training rows")
    ax.set_ylabel("gain over independent variables\n[nats per row]")


def add_families(figure: Figure, table: pd.DataFrame, columns: int) -> None:
    """Add the colours of the families that a table has, below the panels."""
    present = set(table.family)
    shown = [look for family, look in FAMILIES.items() if family in present]
    shown += [OTHER] * bool(present - set(FAMILIES))
    handles = [Line2D([], [], color=colour, marker="o", ls="", label=label) for colour, label in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), columns))


def draw_gains(ax: Axes, table: pd.DataFrame) -> None:
    """Draw a point with an error bar per model, the likeliest at the top."""
    ordered = table.sort_values("gain_over_independent", ignore_index=True)
    edge = -LOSS * max(ordered.gain_over_independent.max(), 0)
    for place, row in enumerate(ordered.to_dict("records")):
        colour, _ = FAMILIES.get(row["family"], OTHER)
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
        ax.errorbar(gain, place, xerr=error, fmt="o", color=colour, capsize=2)
    ax.set_yticks(np.arange(len(ordered)), [in_figure(name.replace("_", " ")) for name in ordered.model], fontsize=7)
    ax.axvline(0, color=COLOURS["independent"], lw=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("gain over independent variables\n[nats per row]")
    ax.set_ylim(-0.7, len(ordered) - 0.3)
