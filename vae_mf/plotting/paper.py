"""Figures 3 and 4 of Biroli, Welling and Vitelli (2026) from saved tables, with exact theory drawn in."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.assessment import draw_decoded, draw_residuals
from vae_mf.plotting.panels import draw_observable, draw_overlaps
from vae_mf.plotting.style import house_style, new_figure
from vae_mf.plotting.total_correlation import draw_conditional_correlation

SYSTEMS = {
    "ising2d": "2D Ising",
    "curie_weiss": "Curie-Weiss",
    "hopfield": "Hopfield",
    "maier_saupe": "Maier-Saupe",
}
"""Rows of figure 3, by the name of the run."""


def draw_systems(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw per system a one-point and a two-point observable, C(x|z), and the structure of what is left (figure 3).

    Args:
        tables: of `evaluation.tables.read_runs`, names beginning with those of `SYSTEMS`.
    """
    with house_style():
        figure, axes = new_figure(len(SYSTEMS), 4)
        for row, (name, title) in enumerate(SYSTEMS.items()):
            own = tables_of(name, tables)
            first, second, third, last = axes[4 * row : 4 * row + 4]
            draw_observable(first, own["observables"], "order_parameter")
            draw_observable(second, own["observables"], "energy")
            draw_conditional_correlation(third, own["conditional_correlation"])
            draw_residuals(last, own)
            mark(first, title, 4 * row)
            for column, ax in enumerate((second, third, last), 1):
                mark(ax, "", 4 * row + column)
    return figure


def draw_decodings(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw what is read off the models: patterns by decoder and classical route, beta J and the tensor (figure 4)."""
    with house_style():
        figure, axes = new_figure(1, 4)
        overlaps = tables["hopfield_overlaps"]
        draw_overlaps(axes[0], overlaps, "vae")
        draw_overlaps(axes[1], overlaps, "classical")
        draw_decoded(axes[2], tables_of("curie_weiss", tables))
        draw_decoded(axes[3], tables_of("maier_saupe", tables))
    return figure


def tables_of(name: str, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables of one run by their own names."""
    return {key.removeprefix(f"{name}_"): table for key, table in tables.items() if key.startswith(f"{name}_")}


def mark(ax: Axes, title: str, number: int) -> None:
    """Put a letter, and a title if there is one, above the left end of a panel."""
    if ax.figure is not None:
        ax.set_title(f"{chr(ord('a') + number)}   {title}".rstrip(), loc="left")
