"""Figures 2, 3 and 4 of Biroli, Welling and Vitelli (2026) from saved tables, with exact theory drawn in."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.decoding import LATENT_LAWS
from vae_mf.plotting.observables import draw_observable, draw_overlaps
from vae_mf.plotting.style import COLOURS, TEMPERATURE, house_style, new_figure
from vae_mf.plotting.total_correlation import draw_conditional_correlation
from vae_mf.plotting.verdict import draw_decoded, draw_residuals
from vae_mf.tables import tables_of

SYSTEMS = {"ising2d": "2D Ising", "curie_weiss": "Curie-Weiss", "hopfield": "Hopfield", "maier_saupe": "Maier-Saupe"}
"""Rows of figure 3, by the name of the run."""


def draw_systems(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw per system a one-point and a two-point observable, C(x|z), and the structure of what is left (figure 3)."""
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


def draw_latent_variable(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the parts of a VAE, the latent law of Curie-Weiss below, at and above T_c, and the decoder (figure 2)."""
    table = tables["curie_weiss_latent_density"]
    temperatures = table.temperature.unique()
    critical = temperatures[np.abs(temperatures - 1).argmin()]
    with house_style():
        figure, axes = new_figure(2, 3)
        draw_architecture(axes[0])
        draw_decoder(axes[1], table)
        draw_prior_map(axes[2], table)
        for ax, temperature in zip(axes[3:], (temperatures[0], critical, temperatures[-1]), strict=True):
            draw_latent_law(ax, table[table.temperature == temperature])
        for number, ax in enumerate(axes):
            mark(ax, ax.get_title(), number)
            ax.set_title("")
    return figure


def draw_architecture(ax: Axes) -> None:
    """Draw the parts of a temperature-conditioned VAE."""
    boxes = {
        "samples x\nat temperature T": (0.16, 0.78, "samples"),
        "encoder\nq(z|x,T)": (0.16, 0.30, "infinite"),
        "latent z": (0.5, 0.30, "exact"),
        "prior\np(z|T)": (0.5, 0.78, "infinite"),
        "decoder\nΠᵢ p(xᵢ|z)": (0.84, 0.30, "model"),
        "drawn\nconfigurations": (0.84, 0.78, "model"),
    }
    places = list(boxes.values())
    for text, (x, y, colour) in boxes.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": COLOURS[colour]}
        ax.text(x, y, text, ha="center", va="center", fontsize=7, bbox=box)
    for start, end in ((0, 1), (1, 2), (3, 2), (2, 4), (4, 5)):
        arrow = {"arrowstyle": "->", "color": COLOURS["exact"], "shrinkA": 22, "shrinkB": 22}
        ax.annotate("", places[end][:2], places[start][:2], arrowprops=arrow)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()


def draw_decoder(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the mean of a site given the latent: the mean field of a decoder without temperature."""
    rows = table[table.temperature == table.temperature.iloc[0]]
    ax.plot(rows.z, rows.mean_field, color=COLOURS["model"])
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.5)
    ax.set(xlabel="latent z", ylabel="decoded ⟨s$_i$⟩ given z", ylim=(-1.05, 1.05))


def draw_prior_map(ax: Axes, table: pd.DataFrame) -> None:
    """Draw p(z|T) as a map over z and T, every temperature scaled to its maximum."""
    plane = table.pivot(index="temperature", columns="z", values="prior")
    plane = plane.div(plane.max(axis=1), axis=0)
    levels = np.arange(len(plane))
    image = ax.pcolormesh(plane.columns, levels, plane, cmap="magma_r", rasterized=True)
    ax.set_yticks(levels[::2], [f"{t:g}" for t in plane.index[::2]])
    ax.set(xlabel="latent z", ylabel=TEMPERATURE)
    ax.figure.colorbar(image, ax=ax, label="prior p(z|T) / maximum")


def draw_latent_law(ax: Axes, table: pd.DataFrame) -> None:
    """Draw prior, encoded data and exact law of the latent at one temperature."""
    for name, (label, style, colour) in LATENT_LAWS.items():
        if table[name].notna().any():
            ax.plot(table.z, table[name], style, color=colour, label=label)
    ax.set(xlabel="latent z", ylabel="probability density", title=f"T = {table.temperature.iloc[0]:g}")
    ax.set_ylim(0, 1.45 * table.prior.max())
    ax.legend(loc="upper center", ncols=2, fontsize=7)


def draw_decodings(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the structure decoded from the models: patterns by two routes, beta J and the tensor (figure 4)."""
    with house_style():
        figure, axes = new_figure(1, 4)
        overlaps = tables["hopfield_overlaps"]
        draw_overlaps(axes[0], overlaps, "vae")
        draw_overlaps(axes[1], overlaps, "classical")
        draw_decoded(axes[2], tables_of("curie_weiss", tables))
        draw_decoded(axes[3], tables_of("maier_saupe", tables))
    return figure


def mark(ax: Axes, title: str, number: int) -> None:
    """Put a letter, and a title if there is one, above the left end of a panel."""
    if ax.figure is not None:
        ax.set_title(f"{chr(ord('a') + number)}   {title}".rstrip(), loc="left")
