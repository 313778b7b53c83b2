"""Panels of inferred couplings: a heat map, their distribution, and their scatter about the truth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from vae_mf.arrays import Couplings
from vae_mf.plotting.style import COLOURS, house_style, new_figure


def couplings_figure(couplings: Couplings, table: pd.DataFrame, name: str) -> Figure:
    """Draw the couplings (N, N) of one estimator and its table of pairs, with the truth where the table has it."""
    with house_style():
        known = "truth" in table
        figure, axes = new_figure(1, 2 + known)
        draw_coupling_matrix(axes[0], couplings, name)
        draw_coupling_histogram(axes[1], table)
        if known:
            draw_truth_scatter(axes[2], table)
    return figure


def comparison_figure(estimators: pd.DataFrame, correlations: pd.DataFrame) -> Figure:
    """Draw what several estimators make of one data set: their quality, their time, and how far they agree."""
    with house_style():
        figure, axes = new_figure(1, 3)
        if "rmse" in estimators:
            draw_values(axes[0], estimators, estimators.rmse, "RMSE of couplings  [$k_B T$]")
        else:
            draw_values(axes[0], estimators, -estimators.log_pseudo_likelihood, "− log pseudo-likelihood  [nats]")
        draw_values(axes[1], estimators, estimators.seconds, "time  [s]")
        axes[1].set_yticklabels([])
        draw_correlations(axes[2], correlations)
    return figure


def draw_values(ax: Axes, table: pd.DataFrame, values: pd.Series, label: str) -> None:
    """Draw one number per estimator, hollow where it has not converged; the first estimator is on top."""
    places = np.arange(len(table))
    for converged, fill in ((True, COLOURS["model"]), (False, "white")):
        rows = table.converged == converged
        ax.plot(values[rows], places[rows], "o", color=COLOURS["model"], mfc=fill)
    ax.set(xlabel=label, xscale="log", ylim=(len(table) - 0.5, -0.5))
    ax.set_yticks(places, [f"{name.replace('_', ' ')}  {place + 1}" for place, name in enumerate(table.estimator)])
    ax.grid(axis="y", linewidth=0.4)
    decades = values.max() / values.min() > 50
    ax.xaxis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def draw_correlations(ax: Axes, table: pd.DataFrame) -> None:
    """Draw Pearson's correlation between the couplings of every two estimators as a heat map of numbers."""
    matrix = table.pivot(index="first", columns="second", values="correlation")
    names = list(dict.fromkeys(table["first"]))
    values = matrix.loc[names, names].to_numpy()
    image = ax.imshow(values, vmin=min(0.0, values.min()), vmax=1, cmap="viridis")
    numbers = [str(place + 1) for place in range(len(names))]
    ax.set_xticks(range(len(names)), numbers)
    ax.set_yticks(range(len(names)), numbers)
    ax.figure.colorbar(image, ax=ax, label="correlation of couplings", shrink=0.8)


def draw_coupling_matrix(ax: Axes, couplings: Couplings, name: str) -> None:
    """Draw J as a heat map, white at zero."""
    limit = np.quantile(np.abs(couplings), 0.998) or 1.0
    image = ax.imshow(couplings, vmin=-limit, vmax=limit, cmap="RdBu_r", interpolation="nearest")
    ax.set(xlabel="spin j", ylabel="spin i", title=name.replace("_", " "))
    ax.locator_params(integer=True)
    ax.figure.colorbar(image, ax=ax, label="coupling $J_{ij}$  [$k_B T$]", shrink=0.8, extend="both")


def draw_coupling_histogram(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the distribution of the couplings on a logarithmic scale, and their median standard error as a bar."""
    ax.hist(
        table.coupling,
        bins=int(np.clip(np.sqrt(len(table)), 10, 60)),
        histtype="stepfilled",
        color=COLOURS["model"],
        alpha=0.4,
    )
    if "error" in table:
        middle = table.error.median()
        ax.axvspan(-middle, middle, color=COLOURS["independent"], alpha=0.5)
        ax.set_title(f"grey: median error ±{middle:.2g}")
    ax.set(xlabel="coupling $J_{ij}$  [$k_B T$]", ylabel="number of pairs", yscale="log")


def draw_truth_scatter(ax: Axes, table: pd.DataFrame) -> None:
    """Scatter inferred against true couplings, with their errors where known."""
    limits = [table.truth.min(), table.truth.max()]
    ax.plot(limits, limits, "-", color=COLOURS["exact"], linewidth=0.8, zorder=3)
    errors = table.error if "error" in table and len(table) <= 500 else None
    ax.errorbar(
        table.truth, table.coupling, errors, fmt=".", color=COLOURS["model"], markersize=3, alpha=0.5,
        elinewidth=0.6, rasterized=True,
    )  # fmt: skip
    residual = float(np.sqrt(np.mean((table.coupling - table.truth) ** 2)))
    ax.set(xlabel="true coupling  [$k_B T$]", ylabel="inferred coupling  [$k_B T$]", title=f"RMSE {residual:.3g}")
