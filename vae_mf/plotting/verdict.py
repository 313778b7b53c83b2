"""Figure of a verdict: unexplained correlations, information carried, misfit of the prior, and decoded structure."""

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.decoding import draw_coupling, draw_cumulant, draw_latent_density, draw_tensor_scores
from vae_mf.plotting.layout import house_figure, legend_above
from vae_mf.plotting.observables import draw_overlaps
from vae_mf.plotting.style import COLOURS, TEMPERATURE, new_panels
from vae_mf.plotting.total_correlation import (
    draw_capacity,
    draw_conditional_correlation,
    draw_displacement_residuals,
    draw_pair_residuals,
    draw_total_correlation,
)


@house_figure(
    "Verdict on a model: C(x|z) that it leaves unexplained, its rate beside the information of cuts, TC(x) of "
    "data and model, misfit of its prior, all in nats, and what is read off it. Error bars: standard error over "
    "chains or blocks of rows. Lines that are called exact are theory between the temperatures, too; ticks are "
    "theory at these alone."
)
def draw_verdict(tables: dict[str, pd.DataFrame]) -> Figure:
    """Return the figure of the tables of `verdict.assessment.Assessment`, a panel for each that is there.

    >>> from pathlib import Path
    >>> from vae_mf.tables import read_tables
    >>> figure = draw_verdict(read_tables(Path("outputs/hopfield_quick-0123456789/verdict")))  # doctest: +SKIP
    >>> figure.savefig("verdict.png")  # doctest: +SKIP

    Args:
        tables: tables of a verdict by name, as `vae_mf.tables.read_tables` reads them from its folder.
    """
    if len(tables["conditional_correlation"]) == 1:
        drawings: list[Callable[[Axes], None]] = [partial(draw_balance, tables=tables)]
    else:
        drawings = [partial(draw, tables=tables) for name, (draw, _) in PANELS.items() if is_known(name, tables)]
    if "residual_pairs" in tables:
        drawings.append(partial(draw_residuals, tables=tables))
    drawings += decoded_panels(tables)
    figure, axes = new_panels(len(drawings), columns=3)
    if "cells" in tables:  # names of variables and of bars need room beside their panels
        figure.set_size_inches(*(NAMED * figure.get_size_inches()))
    for ax, draw in zip(axes, drawings, strict=True):
        draw(ax)
    return figure


def is_known(name: str, tables: dict[str, pd.DataFrame]) -> bool:
    """Return True if a table is there and has a number to be drawn: without a critic and theory some have none."""
    _, columns = PANELS[name]
    return name in tables and bool(tables[name][columns].notna().to_numpy().any())


def draw_balance(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw all correlations and information at a single temperature, as of a recording, one below the other."""
    left, carried = tables["conditional_correlation"].iloc[0], tables["capacity"].iloc[0]
    bars = [("C(x|z), left unexplained", left.correlation, left.correlation_error, "model")]
    if "total_correlation" in tables:
        whole = tables["total_correlation"].set_index("source")
        for source, name in (("samples", "TC(x) of the data"), ("model", "TC(x) of the VAE")):
            bars.append((name, whole.test[source], whole.test_error[source], source))
    bars += [
        ("rate R", carried.rate, carried.rate_error, "model"),
        ("information across a cut", carried.information, carried.information_error, "samples"),
        ("misfit of the prior", carried.excess_kl, carried.excess_kl_error, "model"),
    ]
    for place, (_, value, error, source) in enumerate(bars):
        ax.barh(place, value, xerr=error, color=COLOURS[source], alpha=0.6, height=0.6, capsize=2)
    ax.plot([left.floor] * 2, [-0.4, 0.4], ":", color=COLOURS["exact"], label="critic may miss of pairs")
    ax.axvline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.set_yticks(range(len(bars)), [name for name, *_ in bars])
    ax.invert_yaxis()
    ax.set(xlabel="nats per row")
    legend_above(ax)


def draw_excess(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the divergence of the aggregated posterior from the prior, with the bracket of its estimate."""
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    low, high = table.excess_kl - table.bracket, table.excess_kl + table.bracket
    ax.fill_between(table.temperature, low, high, color=COLOURS["model"], alpha=0.2, linewidth=0, label="bracket")
    points = {"fmt": "s", "color": COLOURS["model"], "capsize": 2, "label": "KL(q(z|T) ‖ p(z|T))"}
    ax.errorbar(table.temperature, table.excess_kl, table.excess_kl_error, **points)
    ax.set(xlabel=TEMPERATURE, ylabel="misfit of the prior  [nats]")
    legend_above(ax)


def draw_residuals(ax: Axes, tables: dict[str, pd.DataFrame], inset: bool = False) -> None:
    """Draw the pairs of spins that the model misses, by displacement on a lattice; an inset has no scale."""
    several = len(tables["conditional_correlation"]) > 1
    if "residual_displacements" in tables:
        table, label = tables["residual_displacements"], "coefficient of Σ s$_i$s$_{i+δ}$"
        image = draw_displacement_residuals(ax, table)
    else:
        table, label = tables["residual_pairs"], "significance z of s$_i$s$_j$"
        names = tables["cells"].cell if "cells" in tables else tables["residual_fields"].site
        image = draw_pair_residuals(ax, table, names, "site" if several else "variable")
    where = f", T = {table.temperature.iloc[0]:g}" if several else ""
    if inset:
        ax.set(title=f"residual{where}", xlabel="", ylabel="", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        return
    ax.set_title(f"left unexplained{where}")
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label=label)


def decoded_panels(tables: dict[str, pd.DataFrame]) -> list[Callable[[Axes], None]]:
    """Return the panels of all decoded structure, the overlaps of patterns first."""
    found: list[Callable[[Axes], None]] = []
    if "overlaps" in tables:
        found.append(partial(draw_overlaps, table=tables["overlaps"], route="vae"))
    return found + [partial(draw, table=tables[name]) for name, draw in DECODED.items() if name in tables]


def draw_unexplained(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw C(x|z)."""
    draw_conditional_correlation(ax, tables["conditional_correlation"])


def draw_information(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the rate beside the information of cuts, on curves where theory has them."""
    draw_capacity(ax, tables["capacity"], tables.get("information"))


def draw_whole(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw TC(x), on a curve where theory has it."""
    draw_total_correlation(ax, tables["total_correlation"], tables.get("information"))


def draw_misfit(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the misfit of the prior."""
    draw_excess(ax, tables["surgery"])


NAMED = 1.4
"""Enlargement of figures with names."""
PANELS: dict[str, tuple[Callable[..., None], list[str]]] = {
    "conditional_correlation": (draw_unexplained, ["test", "identity"]),
    "capacity": (draw_information, ["rate"]),
    "total_correlation": (draw_whole, ["test"]),
    "surgery": (draw_misfit, ["excess_kl"]),
}
"""Tables by temperature, the drawing of each, and the columns of which one must be known."""
DECODED: dict[str, Callable[..., None]] = {
    "latent_potential": draw_coupling,
    "nematic": draw_tensor_scores,
    "latent_density": draw_latent_density,
    "cumulants": draw_cumulant,
}
