"""Panels of total correlations C(x|z) and TC(x), of missed pairs, and of the information that a model carries."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.style import COLOURS, SHORT, TEMPERATURE, in_figure, looks, name_ticks, new_figure, remove
from vae_mf.plotting.ticks import mark_sizes

TICK: dict = {"linestyle": "", "marker": "_", "markersize": 9, "color": COLOURS["exact"], "zorder": 1}
"""Theory at the temperatures of the samples."""
CURVE: dict = {"linewidth": 0.8, "color": COLOURS["exact"], "zorder": 1}
"""Theory between them, too."""
SIGNIFICANT = 8.0
"""z at which the colours of a significance map are full."""
CUTS: dict[str, tuple[str, dict]] = {
    "half": ("cut into halves, exact", {"linestyle": "-", "marker": "_"}),
    "area_law_half": ("cut into halves, area law", {"linestyle": "-.", "marker": "_"}),
    "sublattice": ("cut into sublattices", {"marker": "d", "markerfacecolor": "none"}),
    "sampled_half": ("cut into halves, critic", {"marker": "v", "markerfacecolor": "none"}),
}
"""Label of every cut, the line of its curve where theory knows one, and its marker at single temperatures."""
STUDIED = {"scaling_ising2d": "2D Ising", "scaling_curie_weiss": "Curie-Weiss"}
"""Systems of the scaling study."""


def draw_conditional_correlation(ax: Axes, table: pd.DataFrame) -> None:
    """Draw C(x|z) against temperature, by the critic on new and on its own samples, the identity and the floor."""
    read = table[table.test.notna()]
    known = table[table.identity.notna()]
    if len(known):
        ax.errorbar(known.temperature, known.identity, known.identity_error, label="exact identity", **TICK)
    if len(read):
        draw_readings(ax, read)
    open_question = read[~read.decided.astype(bool)]
    ax.plot(open_question.temperature, open_question.test, "x", color=COLOURS["exact"], markersize=9)
    if len(open_question):
        ax.set_title("crossed: not decided")
    ax.set(xlabel=TEMPERATURE, ylabel="C(x|z)\n[nats per configuration]")
    ax.set_yscale("symlog", linthresh=0.1, linscale=0.5)
    legend_above(ax)


def draw_readings(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the readings of the critic on new and on its own samples, over the band of its floor."""
    floor: dict = {"color": COLOURS["independent"], "alpha": 0.3}
    if len(table) > 1:
        ax.fill_between(table.temperature, 0, table.floor, linewidth=0, **floor)
    else:
        ax.axhspan(0, table.floor.iloc[0], linewidth=0, **floor)
    ax.plot([], [], linewidth=6, label="below the critic's floor for pairs", **floor)
    ax.plot(table.temperature, table.train, "s", mfc="none", color=COLOURS["train"], label="critic, own samples")
    ax.errorbar(
        table.temperature, table.test, table.test_error, fmt="o", color=COLOURS["model"], capsize=2,
        label="critic, new samples",
    )  # fmt: skip


def draw_total_correlation(ax: Axes, table: pd.DataFrame, curves: pd.DataFrame | None = None) -> None:
    """Draw TC(x) against temperature, of samples, of draws from the model and exact.

    Args:
        curves: table of `analysis.exact_information.information_curves`; None to draw theory as ticks.
    """
    draw_exact(ax, table[table.source == "samples"], "exact", curve_of(curves, "total_correlation"), "exact")
    for source, marker, label in (("samples", "o", "samples"), ("model", "s", "VAE")):
        rows = table[table.source == source]
        ax.errorbar(
            rows.temperature, rows.test, rows.test_error, fmt=marker, mfc="none" if marker == "o" else None,
            color=COLOURS[source], capsize=2, label=f"{label}, critic",
        )  # fmt: skip
    ax.set(xlabel=TEMPERATURE, ylabel="TC(x)\n[nats per configuration]")
    ax.set_yscale("symlog", linthresh=0.1, linscale=0.5)
    legend_above(ax)


def curve_of(curves: pd.DataFrame | None, quantity: str) -> pd.DataFrame | None:
    """Return the curve of a quantity, None if there is none."""
    rows = None if curves is None else curves[curves.quantity == quantity]
    return rows if rows is not None and len(rows) else None


def draw_exact(ax: Axes, table: pd.DataFrame, column: str, curve: pd.DataFrame | None, label: str, **look: Any) -> None:
    """Draw theory as its curve, or as a tick with its error at every temperature where it is known."""
    known = table[table[column].notna()]
    if curve is not None:
        line: dict = {**CURVE, **look, "marker": ""}
        ax.plot(curve.temperature, curve.value, label=label, **line)
    elif len(known):
        errors = known.get(f"{column}_error")
        ticks: dict = {**TICK, **look, "linestyle": ""}
        ax.errorbar(known.temperature, known[column], errors, label=label, **ticks)


def draw_capacity(ax: Axes, table: pd.DataFrame, curves: pd.DataFrame | None = None) -> None:
    """Draw the rate against temperature, beside the information that cuts demand and that the decoupling field has.

    Args:
        curves: table of `analysis.exact_information.information_curves`; None to draw theory as ticks.
    """
    field: dict = {"color": COLOURS["infinite"], "linestyle": "--", "marker": "x", "markersize": 4}
    draw_exact(ax, table, "field", curve_of(curves, "field"), "Hubbard-Stratonovich field", **field)
    for name, (label, look) in CUTS.items():
        draw_exact(ax, table, name, curve_of(curves, name), label, **look)
    ax.errorbar(
        table.temperature, table.rate, table.rate_error, fmt="s", color=COLOURS["model"], capsize=2, label="rate R"
    )
    short = table[table.satisfied.eq(False)]
    ax.plot(short.temperature, short.rate, "o", mfc="none", color=COLOURS["exact"], markersize=9)
    if len(short):
        ax.set_title("circled: R too small for a cut")
    ax.set(xlabel=TEMPERATURE, ylabel="information  [nats]", yscale="log")
    legend_above(ax)


def draw_pair_residuals(ax: Axes, table: pd.DataFrame, names: Iterable[object], unit: str = "site") -> AxesImage:
    """Draw the significance z of every pair s_i s_j in ln r as a symmetric map over sites or variables by name."""
    texts = list(names)
    significance = np.zeros((len(texts), len(texts)))
    significance[table["first"], table["second"]] = significance[table["second"], table["first"]] = table.significance
    image = ax.imshow(significance, vmin=-SIGNIFICANT, vmax=SIGNIFICANT, cmap="RdBu_r", interpolation="nearest")
    if not significance.any():
        ax.text(0.5, 0.5, "no pairs found", transform=ax.transAxes, ha="center", va="center")
    for axis in (ax.xaxis, ax.yaxis):
        name_ticks(axis, texts, most=8)
    ax.set(xlabel=f"{unit} i", ylabel=f"{unit} j")
    return image


def draw_displacement_residuals(ax: Axes, table: pd.DataFrame) -> AxesImage:
    """Draw the coefficient of sum_i s_i s_{i+δ} in ln r on the plane of displacements δ."""
    low = table[["dy", "dx"]].min()
    plane = np.full((table.dy.max() - low.dy + 1, table.dx.max() - low.dx + 1), np.nan)
    plane[table.dy - low.dy, table.dx - low.dx] = table.coefficient
    largest = table.coefficient.abs().max() or 1.0
    extent = (low.dx - 0.5, table.dx.max() + 0.5, table.dy.max() + 0.5, low.dy - 0.5)
    image = ax.imshow(plane, vmin=-largest, vmax=largest, cmap="RdBu_r", extent=extent)
    ax.set(xlabel="displacement δ$_x$", ylabel="displacement δ$_y$")
    return image


def draw_scaling(ax: Axes, table: pd.DataFrame, temperature: float) -> None:
    """Draw rate and demanded information against the number of sites at one temperature, per number of latents."""
    chosen = table[table.temperature == temperature]
    demanded = chosen.drop_duplicates("sites").sort_values("sites")
    ax.plot(demanded.sites, demanded.information, label="information of a cut", **TICK)
    for (latents, rows), (colour, marker) in zip(chosen.groupby("latents"), looks(), strict=False):
        ax.errorbar(
            rows.sites, rows.rate, rows.rate_error, fmt=f"{marker}-", color=colour, linewidth=0.8, capsize=2,
            label=f"rate, d = {latents}",
        )  # fmt: skip
    ax.set(ylabel="information  [nats]", yscale="log", title=f"T = {temperature:.4g}")
    ax.set(xlabel="sites N", xscale="log")
    mark_sizes(ax.xaxis, demanded.sites)
    legend_above(ax)


def draw_unexplained_scaling(ax: Axes, table: pd.DataFrame, temperature: float) -> None:
    """Draw C(x|z) per site against the number of sites at one temperature, per number of latents, by the identity."""
    chosen = table[table.temperature == temperature]
    for (latents, rows), (colour, marker) in zip(chosen.groupby("latents"), looks(), strict=False):
        errors = np.hypot(rows.identity_error, rows.bracket) / rows.sites
        ax.errorbar(
            rows.sites, rows.identity_per_site, errors, fmt=f"{marker}-", color=colour, linewidth=0.8, capsize=2,
            label=f"d = {latents}",
        )  # fmt: skip
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.set(ylabel="C(x|z) / N  [nats per site]", title=f"T = {temperature:.4g}")
    ax.set(xlabel="sites N", xscale="log")
    mark_sizes(ax.xaxis, chosen.sites)
    legend_above(ax)


@house_figure(
    "Rate of models and information that a cut demands in nats against the number of sites, by the number d of "
    "latent variables, and C(x|z) per site at the middle temperature. Error bars: standard error over chains."
)
def draw_scaling_study(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw a row per system: rates and information at every temperature, and C(x|z) per site at the middle one."""
    columns = 1 + max(table.temperature.nunique() for table in tables.values())
    figure, axes = new_figure(len(tables), columns)
    for row, (name, table) in enumerate(sorted(tables.items(), reverse=True)):
        own = axes[row * columns : (row + 1) * columns]
        temperatures = table.temperature.unique()
        for ax, temperature in zip(own, temperatures, strict=False):
            draw_scaling(ax, table, temperature)
        remove(own[len(temperatures) : -1])
        draw_unexplained_scaling(own[-1], table, temperatures[len(temperatures) // 2])
        for ax in own:
            ax.set_title(f"{STUDIED.get(name, in_figure(name, SHORT))}, {ax.get_title()}", loc="left")
            ax.set_title("")
    return figure
