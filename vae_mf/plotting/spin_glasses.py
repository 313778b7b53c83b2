"""Figures of spin glasses: crossings of correlation lengths, Binder parameters, approach to Parisi's energy."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, TEMPERATURE, looks, new_figure, new_panels

DISORDER_LABELS = {
    "energy": "energy per site",
    "q2": r"$\langle q^2 \rangle$ of two replicas",
    "binder": "Binder parameter g of q",
    "length": r"correlation length $\xi / L$",
}
CROSSINGS = 4
"""Pairs of sides whose crossings are written out."""
JANUS = 1.1019
"""Critical temperature of cubes with bonds +-1 by Baity-Jesi et al. (2013), from sides up to 40."""


@house_figure(
    "Correlation length and Binder parameter of three-dimensional glasses with couplings +-1 against temperature "
    "for every side L, and energies of Sherrington-Kirkpatrick glasses against N^(-2/3) beside Parisi's. Error "
    "bars: standard error over the disorder."
)
def draw_transition(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw xi / L and the Binder parameter of cubes, and energies of full couplings against N^(-2/3)."""
    figure, axes = new_figure(1, 3)
    for ax, name, label in zip(axes, ("length", "binder"), (r"$\xi / L$", "Binder parameter g"), strict=False):
        draw_sides(ax, tables["transition"], name)
        ax.axvline(JANUS, color=COLOURS["infinite"], ls=":", lw=1)
        ax.set(xlabel=TEMPERATURE, ylabel=label)
    axes[0].set(yscale="log", title=f"±J cubes; dotted: T_c = {JANUS:g}, from L ≤ 40")
    axes[0].set_xlabel(f"{TEMPERATURE}\n{crossing_text(tables['crossings'])}")
    axes[1].set_title("overlap of two replicas")
    draw_approach(axes[2], tables["approach"])
    for ax in axes[:2]:
        legend_above(ax)
    return figure


@house_figure(
    "Averages of a spin glass over its disorder against temperature (J = k_B = 1). Error bars: standard error "
    "over the disorder."
)
def draw_disorder(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the averages of one glass over its disorder against temperature, with errors over the disorder."""
    table = tables["disorder"]
    panels = [name for name in DISORDER_LABELS if name in table]
    figure, axes = new_panels(len(panels), columns=4)
    for ax, name in zip(axes, panels, strict=True):
        ax.errorbar(
            table.temperature, table[name], table[f"{name}_error"], fmt="o-", color=COLOURS["samples"], capsize=2
        )
        ax.set(xlabel=TEMPERATURE, ylabel=DISORDER_LABELS[name])
    axes[0].set_title(f"mean ± error over {table.samples.max()} samples of the disorder", fontsize=8)
    return figure


def draw_sides(ax: Axes, table: pd.DataFrame, name: str) -> None:
    """Draw one average against temperature, a line per side."""
    for (side, part), (colour, marker) in zip(table.groupby("side"), looks(), strict=False):
        ax.errorbar(
            part.temperature,
            part[name],
            part[f"{name}_error"],
            color=colour,
            marker=marker,
            capsize=2,
            label=f"L = {side}",
        )


def crossing_text(crossings: pd.DataFrame) -> str:
    """Return the temperatures at which the largest pairs of sides cross, with their errors, a line each."""
    lines = ["sides that cross at T"]
    for row in crossings.tail(CROSSINGS).itertuples():
        found = f"{row.temperature:.2f} ± {row.error:.2f}" if row.temperature > 0 else "none here"
        lines.append(f"{row.smaller:g}, {row.larger:g}: {found}")
    return "\n".join(lines)


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
    legend_above(ax)
