"""Whole figures from the tables of a run: panels arranged, nothing computed."""

import pandas as pd
from matplotlib.figure import Figure

from vae_mf.plotting.panels import (
    draw_cell_profile,
    draw_divergence,
    draw_observable,
    draw_order_parameter_law,
    draw_overlaps,
    draw_pair_covariances,
    draw_spike_counts,
)
from vae_mf.plotting.style import house_style, new_figure


def draw_run(tables: dict[str, pd.DataFrame]) -> dict[str, Figure]:
    """Return the figures that the tables of a run call for, by name."""
    with house_style():
        if "spike_counts" in tables:
            return {"recording": recording_figure(tables)}
        figures = {"verdict": verdict_figure(tables)}
        if "overlaps" in tables:
            figures["patterns"] = patterns_figure(tables)
        return figures


def verdict_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw order statistics, divergence and up to two laws of the order parameter of an equilibrium run."""
    figure, axes = new_figure(2, 3)
    for ax, observable in zip(axes, ("order_parameter", "susceptibility", "binder"), strict=False):
        draw_observable(ax, tables["observables"], observable)
    draw_divergence(axes[3], tables["likelihood"])
    temperatures = tables["order_parameter"].temperature.unique()
    symbol = "leading overlap m" if "overlaps" in tables else "magnetisation m"
    chosen = dict.fromkeys(temperatures[min(place, len(temperatures) - 1)] for place in (1, len(temperatures) // 2 + 1))
    for ax, temperature in zip(axes[4:], chosen, strict=False):
        draw_order_parameter_law(ax, tables["order_parameter"], temperature, symbol)
    for ax in axes[4 + len(chosen) :]:
        ax.remove()
    return figure


def patterns_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the overlaps of recovered and stored patterns, by the decoder and by the classical route."""
    figure, axes = new_figure(1, 2)
    for ax, route in zip(axes, ("vae", "classical"), strict=True):
        draw_overlaps(ax, tables["overlaps"], route)
    return figure


def recording_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw P(K), pair covariances, and per cell the field and every pattern of a recording."""
    cells = tables["cells"]
    profiles = {"field": "field b"} | {
        column: f"pattern {column.removeprefix('pattern_')}"
        for column in cells.columns
        if column.startswith("pattern_")
    }
    figure, axes = new_figure(2, -(-(2 + len(profiles)) // 2))
    draw_spike_counts(axes[0], tables["spike_counts"])
    draw_pair_covariances(axes[1], tables["pair_covariances"])
    for ax, (column, label) in zip(axes[2:], profiles.items(), strict=False):
        draw_cell_profile(ax, cells, column, label)
    for ax in axes[2 + len(profiles) :]:
        ax.remove()
    return figure
