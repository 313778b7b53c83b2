"""The figure of a verdict: what is left unexplained, what is carried, what is learned, and what can be read off."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.decoding import draw_coupling, draw_tensor_scores
from vae_mf.plotting.panels import draw_overlaps
from vae_mf.plotting.style import COLOURS, house_style, new_figure
from vae_mf.plotting.total_correlation import (
    TEMPERATURE,
    draw_capacity,
    draw_conditional_correlation,
    draw_displacement_residuals,
    draw_pair_residuals,
    draw_total_correlation,
)


def draw_assessment(tables: dict[str, pd.DataFrame]) -> Figure:
    """Return the figure of `evaluation.assessment.Assessment.tables`."""
    with house_style():
        figure, axes = new_figure(2, 3)
        draw_conditional_correlation(axes[0], tables["conditional_correlation"])
        draw_capacity(axes[1], tables["capacity"])
        draw_total_correlation(axes[2], tables["total_correlation"])
        draw_excess(axes[3], tables["surgery"])
        draw_residuals(axes[4], tables)
        draw_decoded(axes[5], tables)
    return figure


def draw_excess(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what the prior misses of the aggregated posterior, with the bracket of its estimate."""
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    low, high = table.excess_kl - table.bracket, table.excess_kl + table.bracket
    ax.fill_between(table.temperature, low, high, color=COLOURS["model"], alpha=0.2, linewidth=0, label="bracket")
    points = {"fmt": "s", "color": COLOURS["model"], "capsize": 2, "label": "KL(q(z|T) ‖ p(z|T))"}
    ax.errorbar(table.temperature, table.excess_kl, table.excess_kl_error, **points)
    ax.set(xlabel=TEMPERATURE, ylabel="misfit of the prior  [nats]")
    ax.legend()


def draw_residuals(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw which pairs of spins the model misses, by displacement on a lattice; directors have no such map."""
    if "residual_pairs" not in tables:
        ax.remove()
        return
    if "residual_displacements" in tables:
        table = tables["residual_displacements"]
        draw_displacement_residuals(ax, table)
    else:
        table = tables["residual_pairs"]
        draw_pair_residuals(ax, table, len(tables["residual_fields"]))
    ax.set_title(f"left unexplained, T = {table.temperature.iloc[0]:g}", fontsize=8)


def draw_decoded(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw what was read off the model: beta J, the R^2 of the nematic tensor, or the overlaps of patterns."""
    if "latent_potential" in tables:
        draw_coupling(ax, tables["latent_potential"])
    elif "nematic" in tables:
        draw_tensor_scores(ax, tables["nematic"])
    elif "overlaps" in tables:
        draw_overlaps(ax, tables["overlaps"], "vae")
    else:
        ax.remove()
