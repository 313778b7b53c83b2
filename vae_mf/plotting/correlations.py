"""Panels of correlations: between the sites of a lattice, and between independent configurations."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_below, panels_of
from vae_mf.plotting.observables import LINES, draw_observable, draw_sources
from vae_mf.plotting.style import COLOURS, LABELS, new_figure, remove

SHOWN = 3
"""Number of temperatures that are drawn."""


@house_figure(
    "Distribution P(q) of the overlap of two independent configurations at some temperatures; on a lattice below "
    "it the correlation along rows against the distance, and the second-moment correlation length in lattice "
    "constants. Error bars: standard error over chains. Exact theory has none."
)
def correlations_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw P(q) at some temperatures, and on a lattice C(r) with its length."""
    lattice = "correlation_function" in tables
    chosen = spread(list(tables["overlap_distribution"].temperature.unique()))
    figure, axes = new_figure(2 if lattice else 1, SHOWN + lattice)
    for ax, temperature in zip(axes, chosen, strict=False):
        draw_overlap_law(ax, tables["overlap_distribution"], temperature)
    drawn = len(chosen)
    if lattice:
        axes[SHOWN].remove()
        for ax, temperature in zip(axes[SHOWN + 1 :], chosen, strict=False):
            draw_correlation_function(ax, tables["correlation_function"], temperature)
        remove(axes[SHOWN + 1 + drawn : -1])
        draw_observable(axes[-1], tables["observables"], "correlation_length")
        axes[-1].set_yscale("log")
    remove(axes[drawn:SHOWN])
    legend_below(figure, panels_of(figure))
    return figure


def spread(values: list[float]) -> list[float]:
    """Return the second, the middle and the last but one of the values, all of a short list.

    >>> spread([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    [0.4, 0.8, 1.0]
    """
    return values if len(values) <= SHOWN else [values[place] for place in (1, len(values) // 2, -2)]


def draw_overlap_law(ax: Axes, table: pd.DataFrame, temperature: float | None = None) -> None:
    """Draw P(q) of two independent configurations at a temperature, of rows without one, per source, with errors."""
    chosen = table if temperature is None else table[table.temperature == temperature]
    for source, rows in chosen.groupby("source", sort=False):
        if source in LINES:
            ax.step(rows.q, rows.density, where="mid", color=COLOURS[source], label=LABELS[source], linewidth=0.8)
        else:
            ax.errorbar(
                rows.q, rows.density, rows.error, fmt="o" if source in ("samples", "test") else "s", markersize=3,
                mfc="none" if source in ("samples", "test") else None, color=COLOURS[source], label=LABELS[source],
                capsize=1.5, linewidth=0.8,
            )  # fmt: skip
    seen = chosen[chosen.density > 0].q
    pair = "rows" if temperature is None else "configurations"
    ax.set(xlabel=f"overlap q of two {pair}", ylabel="probability density P(q)")
    ax.set_xlim(seen.min() - 0.05, seen.max() + 0.05)
    ax.set_ylim(0, 1.05 * (chosen.density + chosen.error.fillna(0)).max())
    if temperature is not None:
        ax.set_title(f"T = {temperature:g}")


def draw_correlation_function(ax: Axes, table: pd.DataFrame, temperature: float) -> None:
    """Draw <s_0 s_r> along the axes of a lattice at one temperature."""
    chosen = table[(table.temperature == temperature) & (table.distance > 0)]
    draw_sources(ax, chosen, "distance")
    ax.set(xlabel="distance r  [sites]", ylabel="correlation ⟨s$_0$s$_r$⟩", title=f"T = {temperature:g}")
    ax.set_ylim(min(0.0, 1.1 * chosen.value.min()), 1.05)
