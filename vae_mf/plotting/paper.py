"""Figures 2, 3 and 4 of Biroli, Welling and Vitelli (2026) from saved tables, with exact theory drawn in."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.decoding import LATENT_LAWS, draw_coupling, draw_tensor_scores
from vae_mf.plotting.layout import house_figure, legend_below
from vae_mf.plotting.observables import draw_observable, draw_overlaps
from vae_mf.plotting.style import COLOURS, LABELS, PANEL, TEMPERATURE, empty_figure, name_ticks, new_figure
from vae_mf.plotting.total_correlation import draw_capacity, draw_conditional_correlation
from vae_mf.plotting.verdict import draw_residuals
from vae_mf.tables import tables_of

SYSTEMS = {"ising2d": "2D Ising", "curie_weiss": "Curie-Weiss", "hopfield": "Hopfield", "maier_saupe": "Maier-Saupe"}
"""Rows of figure 3, by the name of the run."""
ADDED = "added: "
"""Beginning of the title of a panel that the paper does not have."""
INSET = (1.12, 0.25, 0.75, 0.75)
"""Place of the map of what is left, beside its panel and not over its data, in units of that panel."""


@house_figure(
    "Four systems, a row each: order parameter and susceptibility against temperature (J = k_B = 1), and C(x|z) in "
    "nats, beside it the residual structure at the temperature that leaves most, as in figure 3 of Biroli, Welling "
    "and Vitelli (2026). Added in the last column: the rate beside the information of cuts, in nats. Lines are "
    "theory at this size at all temperatures; ticks are theory at those of the samples alone. Error bars: standard "
    "error over chains."
)
def draw_systems(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw per system order parameter, susceptibility and C(x|z) with what is left (figure 3), and added the rate."""
    figure = empty_figure(PANEL[0] * 5, PANEL[1] * len(SYSTEMS))
    grid = figure.add_gridspec(len(SYSTEMS), 4, width_ratios=(1, 1, 1.8, 1.2))
    rows = [[figure.add_subplot(grid[row, column]) for column in range(3)] for row in range(len(SYSTEMS))]
    added = [figure.add_subplot(grid[row, 3]) for row in range(len(SYSTEMS))]
    for (name, title), (first, second, third), last in zip(SYSTEMS.items(), rows, added, strict=True):
        own = tables_of(name, tables)
        draw_observable(first, own["observables"], "order_parameter")
        draw_observable(second, own["observables"], "susceptibility")
        draw_conditional_correlation(third, own["conditional_correlation"])
        if "residual_pairs" in own:
            draw_residuals(third.inset_axes(INSET), own, inset=True)
        draw_capacity(last, own["capacity"], own.get("information"))
        first.set_title(title, loc="left")
        last.set_title("\n".join(filter(None, (f"{ADDED}{title}", last.get_title()))), loc="left")
        last.set_title("")
    legend_below(figure, [ax for row in rows for ax in row[:2]])
    return figure


@house_figure(
    "A variational autoencoder of the Curie-Weiss ferromagnet (J = k_B = 1), as in figure 2 of Biroli, Welling and "
    "Vitelli (2026): configurations of data and model, the parts of the model, its prior p(z|T) over temperature, and "
    "the Binder cumulant of the magnetisation. Added: densities of the latent variable below, at and above the "
    "transition beside exact theory, and the decoded mean field. Error bars: standard error over chains."
)
def draw_latent_variable(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw samples, the parts of a VAE, p(z|T) and Binder cumulants (figure 2), and added laws of z and the decoder."""
    own = tables_of("curie_weiss", tables)
    table = own["latent_density"]
    temperatures = table.temperature.unique()
    critical = temperatures[np.abs(temperatures - 1).argmin()]
    figure, axes = new_figure(2, 4)
    draw_configurations(axes[0], own["configurations"])
    draw_architecture(axes[1])
    draw_prior_map(axes[2], table)
    draw_observable(axes[3], own["observables"], "binder")
    for ax, temperature in zip(axes[4:], (temperatures[0], critical, temperatures[-1]), strict=False):
        draw_latent_law(ax, table[table.temperature == temperature])
    draw_decoder(axes[7], table)
    legend_below(figure, axes)
    return figure


def draw_configurations(ax: Axes, table: pd.DataFrame) -> None:
    """Draw configurations of the data above those of the model, a column per temperature, as squares of spins."""
    temperatures = table.temperature.unique()
    side = math.isqrt(int(table.site.max()) + 1)
    step = side + 2
    plane = np.full((2 * step - 2, step * len(temperatures) - 2), np.nan)
    for (source, temperature), rows in table.groupby(["source", "temperature"]):
        top = step * (source == "model")
        left = step * int(np.flatnonzero(temperatures == temperature)[0])
        plane[top : top + side, left : left + side] = rows.value.to_numpy()[: side * side].reshape(side, side)
    ax.imshow(plane, cmap="Greys", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_xticks(step * np.arange(len(temperatures)) + side / 2, [f"{t:g}" for t in temperatures])
    ax.set_yticks([side / 2, step + side / 2], [LABELS["samples"], LABELS["model"]], rotation=90, va="center")
    ax.set(xlabel=TEMPERATURE, title="black: up")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)


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
    ax.set(xlabel="latent variable z", ylabel="decoded ⟨s$_i$⟩ given z", ylim=(-1.05, 1.05))
    ax.set_title(f"{ADDED}mean field", loc="left")


def draw_prior_map(ax: Axes, table: pd.DataFrame) -> None:
    """Draw p(z|T) as a map over z and T, every temperature scaled to its maximum."""
    plane = table.pivot(index="temperature", columns="z", values="prior")
    plane = plane.div(plane.max(axis=1), axis=0)
    levels = np.arange(len(plane))
    image = ax.pcolormesh(plane.columns, levels, plane, cmap="magma_r", rasterized=True)
    name_ticks(ax.yaxis, [f"{t:g}" for t in plane.index], most=10)
    ax.set(xlabel="latent variable z", ylabel=TEMPERATURE)
    ax.figure.colorbar(image, ax=ax, label="prior p(z|T) / maximum")


def draw_latent_law(ax: Axes, table: pd.DataFrame) -> None:
    """Draw prior, encoded data and exact law of the latent at one temperature."""
    for name, (label, style, colour) in LATENT_LAWS.items():
        if table[name].notna().any():
            ax.plot(table.z, table[name], style, color=colour, label=label)
    ax.set(xlabel="latent variable z", ylabel="probability density", ylim=(0, 1.1 * table.prior.max()))
    ax.set_title(f"{ADDED}T = {table.temperature.iloc[0]:g}", loc="left")


@house_figure(
    "What is read off trained models, as in figure 4 of Biroli, Welling and Vitelli (2026): overlaps of the patterns "
    "decoded from a model of the Hopfield network with the stored ones, and 1 - R^2 of the components of the nematic "
    "tensor regressed on the latent variables (dotted: R^2 = 0.99). Added: overlaps by PCA and FastICA on the same "
    "samples, and beta J of Curie-Weiss from the latent potential. Error bars: least error that so many rows allow."
)
def draw_decodings(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw recovered patterns and R² of the nematic tensor (figure 4), and added the classical route and beta J."""
    figure, axes = new_figure(1, 4)
    overlaps = tables["hopfield_overlaps"]
    draw_overlaps(axes[0], overlaps, "vae")
    draw_tensor_scores(axes[1], tables["maier_saupe_nematic"])
    draw_overlaps(axes[2], overlaps, "classical")
    axes[2].set_title(f"{ADDED}{LABELS['classical']}", loc="left")
    axes[2].set_title("")
    draw_coupling(axes[3], tables["curie_weiss_latent_potential"])
    axes[3].set_title(f"{ADDED}Curie-Weiss", loc="left")
    return figure
