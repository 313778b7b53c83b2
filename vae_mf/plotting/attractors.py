"""Figures of the Hopfield network as a memory: its phases, and its basins of attraction."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above, legend_below
from vae_mf.plotting.style import COLOURS, TEMPERATURE, looks, new_figure, new_panels

LOAD = "load α = P / N"
PHASE_LINES = {
    "freezing": ("$T_g$ freezing", "-"),
    "largest": ("$T_M$ end of retrieval", "--"),
    "coexistence": ("$T_c$ lowest free energy", "-."),
    "symmetric": ("$T_R$ replicas broken", ":"),
}
"""Names of the lines between phases, and how they are drawn."""


@house_figure(
    "Phases of the Hopfield network in the plane of load and temperature (J = k_B = 1). Lines: theory of the "
    "infinite network. Left the whole plane; right, colours: overlap that simulated networks keep with the "
    "pattern that they start at. No error bars: means over networks and starts."
)
def draw_phases(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the plane of load and temperature: lines of theory, and the overlaps that simulated networks keep."""
    figure, axes = new_figure(1, 2)
    for ax in axes:
        draw_phase_lines(ax, tables["phase_lines"])
    overlaps = tables["phase_overlaps"]
    axes[1].set(xlim=(0, 1.05 * overlaps.load.max()), ylim=(0, 1.05))
    points = axes[1].scatter(
        overlaps.load, overlaps.temperature, c=overlaps.overlap, cmap="Blues", vmin=0, vmax=1, s=22,
        edgecolors=COLOURS["samples"], linewidths=0.5,
    )  # fmt: skip
    axes[1].set_title(f"networks of N = {overlaps.sites.iloc[0]}", loc="left")
    figure.colorbar(points, ax=axes[1], label="overlap kept m")
    legend_above(axes[0])
    return figure


def draw_phase_lines(ax: Axes, lines: pd.DataFrame) -> None:
    """Draw the lines between the phases of the infinite network."""
    for name, (label, style) in PHASE_LINES.items():
        line = lines[lines.line == name].sort_values("temperature")
        ax.plot(line.load, line.temperature, style, color=COLOURS["exact"], label=label)
    ax.set(xlabel=LOAD, ylabel=TEMPERATURE, xlim=(0, None), ylim=(0, None))


@house_figure(
    "Overlap with a pattern at the end of the dynamics against that at the start, a panel per number of spins N "
    "and a line per load P / N. Error bars: standard error over networks. Dotted: no change."
)
def draw_basins(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the overlap at the end against that at the start, a panel for every size and a line for every load."""
    table = tables["basins"]
    sizes = table.sites.unique()
    figure, axes = new_panels(len(sizes), columns=3)
    for ax, sites in zip(axes, sizes, strict=True):
        draw_basin(ax, table[table.sites == sites])
        ax.set_title(f"N = {sites}", loc="left")
    legend_below(figure, axes)
    return figure


def draw_basin(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the overlaps of one size."""
    for (load, rows), (colour, marker) in zip(table.groupby("load"), looks(), strict=False):
        ax.errorbar(
            rows.start, rows.overlap, rows.error, fmt=f"{marker}-", linewidth=0.8, capsize=2, color=colour,
            label=f"α = {load:.3g}",
        )  # fmt: skip
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["infinite"], zorder=1)
    ax.set(xlabel="overlap at the start $m_0$", ylabel="overlap at the end m", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
