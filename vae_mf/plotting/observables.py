"""Panels of observables, divergences, order parameters, overlaps and chains."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from vae_mf.plotting.layout import legend_above
from vae_mf.plotting.style import COLOURS, LABELS, TEMPERATURE, name_ticks

LINES = {
    "exact": {"linestyle": "-", "linewidth": 0.8},
    "infinite": {"linestyle": "--", "linewidth": 0.8},
}
"""Sources of theory, drawn as a line without errors."""
TICKS = {
    "exact": {"linestyle": "", "marker": "_", "markersize": 9},
    "infinite": {"linestyle": "", "marker": "x", "markersize": 4},
}
"""Theory where it is known at the places of the samples only: a line between them would not be theory."""
SYMBOLS = {
    "energy": "energy per site ⟨E⟩ / N",
    "heat_capacity": "heat capacity per site C / N",
    "order_parameter": "order parameter ⟨|{}|⟩",
    "susceptibility": "susceptibility χ",
    "binder": "Binder cumulant U₄",
    "correlation_length": "correlation length ξ  [sites]",
}


def draw_observable(ax: Axes, table: pd.DataFrame, observable: str) -> None:
    """Draw one order statistic against temperature: theory as lines, samples and model with error bars."""
    chosen = table[table.observable == observable]
    draw_sources(ax, chosen, "temperature")
    if observable == "susceptibility":
        ax.set_yscale("log")
    symbol = str(chosen.order_name.iloc[0]).split()[-1]
    ax.set(xlabel=TEMPERATURE, ylabel=SYMBOLS[observable].format(symbol))


def draw_sources(ax: Axes, table: pd.DataFrame, column: str) -> None:
    """Draw the values of every source against a column: theory as lines, samples and model with error bars."""
    places = table[~table.source.isin(list(LINES))][column].nunique()
    for source, rows in table.groupby("source", sort=False):
        if source in LINES:
            draw_theory(ax, rows[column], rows.value, str(source), places)
        else:
            marker = "o" if source == "samples" else "s"
            ax.errorbar(
                rows[column], rows.value, rows.error, fmt=marker, mfc="none" if marker == "o" else None,
                color=COLOURS[source], label=LABELS[source], capsize=2,
            )  # fmt: skip


def draw_theory(ax: Axes, abscissae: pd.Series, values: pd.Series, source: str, places: int) -> None:
    """Draw theory as a line if it is known between the places of the samples, and else a tick at each of these.

    Args:
        source: "exact" or "infinite".
        places: number of places of the samples.
    """
    look = LINES if abscissae.nunique() > places else TICKS
    ax.plot(abscissae, values, zorder=1, color=COLOURS[source], label=LABELS[source], **look[source])


def draw_chain_diagnostic(ax: Axes, table: pd.DataFrame, columns: dict[str, str], label: str = "") -> None:
    """Draw chain diagnostics (column: name in the legend) against temperature; circle what is not equilibrium."""
    styles = zip(("samples", "classical", "infinite"), "osD", strict=True)
    for (column, name), (colour, marker) in zip(columns.items(), styles, strict=False):
        name = name if len(columns) > 1 else ""
        ax.plot(table.temperature, table[column], f"{marker}-", color=COLOURS[colour], label=name, linewidth=0.8)
        adrift = table[table.ensemble != "equilibrium"]
        ax.plot(adrift.temperature, adrift[column], "o", mfc="none", color=COLOURS["model"], markersize=9)
    if (table.ensemble != "equilibrium").any():
        ax.set_title("circled: not equilibrium")
    if len(columns) > 1:
        legend_above(ax)
    ax.set(xlabel=TEMPERATURE, ylabel=label if len(columns) > 1 else next(iter(columns.values())))


def draw_divergence(ax: Axes, table: pd.DataFrame) -> None:
    """Draw KL(p || p_model) against temperature; circle where it exceeds the tolerable and say if p(z|T) factorises."""
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.errorbar(table.temperature, table.kl, table.kl_error, fmt="s-", color=COLOURS["model"], capsize=2)
    short = table[table.kl > table.tolerable_kl]
    if len(short):
        ax.plot(short.temperature, short.kl, "o", mfc="none", color=COLOURS["exact"], markersize=9)
        prior = " (factorised prior)" if short.factorised_prior.all() else ""
        ax.set_title(f"circled: KL > {short.tolerable_kl.iloc[0]:g} nat{prior}")
    ax.set(xlabel=TEMPERATURE, ylabel="KL(p ‖ p_VAE)\n[nats per configuration]")


def draw_order_parameter_law(ax: Axes, table: pd.DataFrame, temperature: float) -> None:
    """Draw the distribution of the order parameter at one temperature, over its range: [-1, 1] if it has a sign."""
    chosen = table[table.temperature == temperature]
    for source, rows in chosen.groupby("source", sort=False):
        ax.step(rows.m, rows.density, where="mid", color=COLOURS[source], label=LABELS[source])
    signed = bool((table.density[table.m < -0.1] > 0).any())
    ax.set(
        xlabel=table.order_name.iloc[0], ylabel="probability density", title=f"T = {temperature:g}",
        xlim=(-1.03 if signed else -0.02, 1.03),
    )  # fmt: skip
    ax.set_ylim(0, 1.05 * chosen.density.max())


def draw_overlaps(ax: Axes, table: pd.DataFrame, route: str) -> None:
    """Draw the overlaps of recovered and true patterns as a matrix."""
    chosen = table[table.route == route].pivot(index="recovered", columns="true", values="overlap")
    image = ax.imshow(chosen, vmin=-1, vmax=1, cmap="RdBu_r")
    if len(chosen) <= 8:
        for (row, column), overlap in np.ndenumerate(chosen.to_numpy()):
            ax.text(
                column, row, f"{overlap:.2f}", ha="center", va="center", color="white" if abs(overlap) > 0.6 else "k"
            )
    ax.set(xlabel="stored pattern μ", ylabel="recovered pattern", title=LABELS[route])
    for axis in (ax.xaxis, ax.yaxis):
        name_ticks(axis, range(1, len(chosen) + 1), most=12)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="overlap")


def draw_load_curve(ax: Axes, table: pd.DataFrame, temperature: float) -> None:
    """Draw the overlap after recall against the load P / N for every size, and where the retrieval state ceases."""
    chosen = table[table.temperature == temperature]
    theory, samples = chosen[chosen.source == "infinite"], chosen[chosen.source == "samples"]
    line = {"color": COLOURS["infinite"], "label": LABELS["infinite"], **LINES["infinite"]}
    ax.plot(theory.load, theory.overlap, zorder=1, **line)
    critical = theory.load[theory.overlap > 0].max()
    ax.axvline(critical, color=COLOURS["infinite"], linewidth=0.8, linestyle=":", zorder=1)
    ax.annotate(f"α$_c$ = {critical:.3f}", (critical, 1.04), ha="center", va="bottom", annotation_clip=False)
    sizes = samples.groupby("sites")
    for (sites, rows), shade in zip(sizes, np.linspace(0.35, 1, sizes.ngroups), strict=True):
        ax.errorbar(
            rows.load, rows.overlap, rows.error, fmt="o-", linewidth=0.8, markersize=3, capsize=2,
            color=colormaps["Blues"](shade), label=f"N = {int(sites)}",
        )  # fmt: skip
    ax.set(xlabel="load α = P / N", ylabel="overlap with the pattern m", ylim=(-0.03, 1.03))
    ax.set_title(f"T = {temperature:g}", loc="left")
