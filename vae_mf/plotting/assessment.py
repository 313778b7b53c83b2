"""The figure of a verdict: what is left unexplained, what is carried, what is learned, and what can be read off."""

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.decoding import draw_coupling, draw_cumulant, draw_latent_density, draw_tensor_scores
from vae_mf.plotting.panels import draw_overlaps
from vae_mf.plotting.style import COLOURS, house_style, new_figure
from vae_mf.plotting.total_correlation import (
    TEMPERATURE,
    draw_capacity,
    draw_conditional_correlation,
    draw_displacement_residuals,
    draw_pair_residuals,
    draw_total_correlation,
)


def draw_assessment(tables: dict[str, pd.DataFrame]) -> Figure:
    """Return the figure of `evaluation.assessment.Assessment.tables`: one panel for each of what is there."""
    with house_style():
        if len(tables["conditional_correlation"]) == 1:
            drawings: list[Callable[[Axes], None]] = [partial(draw_balance, tables=tables)]
        else:
            drawings = [partial(draw, table=tables[name]) for name, draw in PANELS.items() if name in tables]
        if "residual_pairs" in tables:
            drawings.append(partial(draw_residuals, tables=tables))
        drawings += decoded_panels(tables)
        columns = min(3, len(drawings))
        figure, axes = new_figure(-(-len(drawings) // columns), columns)
        for ax, draw in zip(axes, drawings, strict=False):
            draw(ax)
        for ax in axes[len(drawings) :]:
            ax.remove()
    return figure


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
    ax.plot([left.floor] * 2, [-0.4, 0.4], ":", color=COLOURS["exact"], label="critic may miss")
    ax.axvline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.set_yticks(range(len(bars)), [name for name, *_ in bars])
    ax.invert_yaxis()
    ax.set(xlabel="nats per configuration")
    ax.legend(loc="lower right")


def draw_excess(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what the prior misses of the aggregated posterior, with the bracket of its estimate."""
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    low, high = table.excess_kl - table.bracket, table.excess_kl + table.bracket
    ax.fill_between(table.temperature, low, high, color=COLOURS["model"], alpha=0.2, linewidth=0, label="bracket")
    points = {"fmt": "s", "color": COLOURS["model"], "capsize": 2, "label": "KL(q(z|T) ‖ p(z|T))"}
    ax.errorbar(table.temperature, table.excess_kl, table.excess_kl_error, **points)
    ax.set(xlabel=TEMPERATURE, ylabel="misfit of the prior  [nats]")
    ax.legend()


def draw_residuals(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw which pairs of spins the model misses, by displacement on a lattice; directors have no such map."""
    if "residual_pairs" not in tables:
        ax.remove()
        return
    if "residual_displacements" in tables:
        table = tables["residual_displacements"]
        draw_displacement_residuals(ax, table)
    else:
        table = tables["residual_pairs"]
        draw_pair_residuals(ax, table, len(tables["residual_fields"]))
    several = len(tables["conditional_correlation"]) > 1
    where = f", T = {table.temperature.iloc[0]:g}" if several else ""
    ax.set_title(f"left unexplained{where}", fontsize=8)


def draw_decoded(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw what was read off the model that says most about its system."""
    panels = decoded_panels(tables)
    if panels:
        panels[0](ax)
    else:
        ax.remove()


def decoded_panels(tables: dict[str, pd.DataFrame]) -> list[Callable[[Axes], None]]:
    """Return the panels of all that was read off the model, the overlaps of patterns first."""
    found: list[Callable[[Axes], None]] = []
    if "overlaps" in tables:
        found.append(partial(draw_overlaps, table=tables["overlaps"], route="vae"))
    return found + [partial(draw, table=tables[name]) for name, draw in DECODED.items() if name in tables]


PANELS: dict[str, Callable[..., None]] = {
    "conditional_correlation": draw_conditional_correlation,
    "capacity": draw_capacity,
    "total_correlation": draw_total_correlation,
    "surgery": draw_excess,
}
DECODED: dict[str, Callable[..., None]] = {
    "latent_potential": draw_coupling,
    "nematic": draw_tensor_scores,
    "latent_density": draw_latent_density,
    "cumulants": draw_cumulant,
}
