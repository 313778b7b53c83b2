"""Figures of spin glasses: crossings of correlation lengths, Binder parameters, approach to Parisi's energy."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.style import COLOURS, CYCLE, TEMPERATURE, house_style, new_figure

JANUS = 1.1019
"""Critical temperature of cubes with bonds +-1 by Baity-Jesi et al. (2013), from sides up to 40."""


def draw_transition(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw xi / L and the Binder parameter of cubes, and energies of full couplings against N^(-2/3)."""
    with house_style():
        figure, axes = new_figure(1, 3)
        for ax, name, label in zip(axes, ("length", "binder"), (r"$\xi / L$", "Binder parameter g"), strict=False):
            draw_sides(ax, tables["transition"], name)
            ax.axvline(JANUS, color=COLOURS["infinite"], ls=":", lw=1)
            ax.set(xlabel=TEMPERATURE, ylabel=label)
        axes[0].set(yscale="log", title=f"cubes, dotted: T_c = {JANUS:g}, from L ≤ 40")
        axes[1].set_title(crossing_title(tables["crossings"]), fontsize=7)
        axes[0].legend()
        draw_approach(axes[2], tables["approach"])
    return figure


def draw_sides(ax: Axes, table: pd.DataFrame, name: str) -> None:
    """Draw one average against temperature, a line per side."""
    for (side, part), (colour, marker) in zip(table.groupby("side"), CYCLE, strict=False):
        ax.errorbar(
            part.temperature,
            part[name],
            part[f"{name}_error"],
            color=colour,
            marker=marker,
            capsize=2,
            label=f"L = {side}",
        )


def crossing_title(crossings: pd.DataFrame) -> str:
    """Return the temperatures at which neighbouring sides cross, with their errors."""
    return "crossings: " + ", ".join(
        f"{row.temperature:.2f} ± {row.error:.2f} (L = {row.smaller:g}, {row.larger:g})"
        if row.temperature > 0
        else f"none (L = {row.smaller:g}, {row.larger:g})"
        for row in crossings.itertuples()
    )


def draw_approach(ax: Axes, table: pd.DataFrame) -> None:
    """Draw energies against N^(-2/3), the line through them, and theory at N to infinity."""
    samples = table[table.source == "samples"]
    theory = table.set_index("source").energy
    places = samples.sites ** (-2 / 3)
    ax.errorbar(places, samples.energy, samples.error, fmt="o", color=COLOURS["samples"], capsize=2, label="samples")
    line = table[table.source == "line"].iloc[0]
    along = np.array([0.0, 1.05 * places.max()])
    ax.plot(along, line.energy + line.slope * along, color=COLOURS["samples"], lw=1)
    ax.plot(0, theory["parisi"], "D", color=COLOURS["exact"], label="Parisi", clip_on=False, zorder=3)
    ax.plot(0, theory["replica symmetric"], "x", color=COLOURS["infinite"], label="replica symmetric", clip_on=False)
    ax.set(xlabel=r"$N^{-2/3}$", ylabel="energy per spin", xlim=(0, None))
    ax.set_title(f"Sherrington-Kirkpatrick, T = {line.temperature:g}")
    ax.legend()
