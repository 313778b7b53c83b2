"""Panels of inferred couplings: a heat map, their distribution, and their scatter about the truth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
