"""Figures of a run, of its sampling, and of retrieval, from their tables."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.correlations import correlations_figure
from vae_mf.plotting.layout import house_figure, legend_below, panels_of
from vae_mf.plotting.observables import (
    draw_chain_diagnostic,
    draw_divergence,
    draw_load_curve,
    draw_observable,
    draw_order_parameter_law,
    draw_overlaps,
)
from vae_mf.plotting.recordings import recording_figure
from vae_mf.plotting.style import COLOURS, new_figure, new_panels, remove


def draw_run(tables: dict[str, pd.DataFrame]) -> dict[str, Figure]:
    """Return the figures that the tables of a run call for, by name.

    >>> from pathlib import Path
    >>> from vae_mf.tables import read_tables
    >>> figures = draw_run(read_tables(Path("outputs/hopfield_quick-0123456789")))  # doctest: +SKIP
    >>> sorted(figures)  # doctest: +SKIP
    ['correlations', 'observables', 'patterns']

    Args:
        tables: tables of a run by name, as `vae_mf.tables.read_tables` reads them from its folder.
    """
    if "spike_counts" in tables:
        return {"recording": recording_figure(tables)}
    figures = {"observables": observables_figure(tables), "correlations": correlations_figure(tables)}
    if "overlaps" in tables:
        figures["patterns"] = patterns_figure(tables)
    return figures


@house_figure(
    "Equilibrium samples: observables against temperature (J = k_B = 1) beside exact theory at this size above, "
    "diagnostics of the chains below, times in draws; circled: not equilibrium. Error bars: standard error, by "
    "jackknife over chains."
)
def draw_sampling(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw a sampling report: observables against exact theory above, diagnostics of the chains below.

    >>> from pathlib import Path
    >>> from vae_mf.tables import read_tables
    >>> figure = draw_sampling(read_tables(Path("outputs/sampling-0123456789")))  # doctest: +SKIP
    >>> figure.savefig("sampling.png")  # doctest: +SKIP

    Args:
        tables: tables of a sampling by name, as `vae_mf.tables.read_tables` reads them from its folder.

    Returns:
        Figure of two rows of panels.
    """
    figure, axes = new_figure(2, 4)
    for ax, observable in zip(axes, ("energy", "heat_capacity", "order_parameter", "susceptibility"), strict=False):
        draw_observable(ax, tables["observables"], observable)
    draw_chains(axes[4:], tables["chains"])
    legend_below(figure, axes[:4])
    return figure


@house_figure(
    "Overlap after recall against the load P / N for every number of spins N. Error bars: standard error over "
    "networks. Dashed: theory of the infinite network; dotted: where its retrieval state ceases."
)
def draw_retrieval(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the load curves of a network as a memory, one panel per temperature.

    >>> columns = {"temperature": 0.0, "source": "samples", "sites": 500, "load": [0.1, 0.2], "overlap": [0.98, 0.35]}
    >>> table = pd.DataFrame({**columns, "error": 0.01})
    >>> theory = pd.DataFrame({**columns, "source": "infinite", "overlap": [0.98, 0.0]})
    >>> figure = draw_retrieval({"retrieval": pd.concat([table, theory])})
    >>> len(figure.axes)
    1

    Args:
        tables: tables of a retrieval by name, as `vae_mf.tables.read_tables` reads them from its folder.

    Returns:
        Figure of a panel for each temperature.
    """
    table = tables["retrieval"]
    temperatures = table.temperature.unique()
    figure, axes = new_panels(len(temperatures), columns=3)
    for ax, temperature in zip(axes, temperatures, strict=True):
        draw_load_curve(ax, table, temperature)
    legend_below(figure, axes)
    return figure


def draw_chains(axes: list[Axes], table: pd.DataFrame) -> None:
    """Draw the mixing of chains on four panels: autocorrelation, effective size, R-hat, agreement and acceptances."""
    limits = {"color": COLOURS["exact"], "linewidth": 0.8, "linestyle": ":"}
    draw_chain_diagnostic(axes[0], table, {"autocorrelation_time": "autocorrelation time τ  [draws]"})
    axes[0].axhline(0.5, **limits)
    axes[0].set_ylim(0, max(1.0, 1.1 * table.autocorrelation_time.max()))
    draw_chain_diagnostic(axes[1], table, {"effective_size": "effective sample size"})
    axes[1].axhline(table.samples.max(), **limits)
    axes[1].set_ylim(0, 1.05 * table.samples.max())
    draw_chain_diagnostic(axes[2], table, {"split_rhat": "split R-hat of the worst observable"})
    axes[2].axhline(1.1, **limits)
    names = {"agreement": "agreement of opposite starts (p)", "swap_acceptance": "swaps", "jump_acceptance": "jumps"}
    known = {column: name for column, name in names.items() if column in table and table[column].notna().any()}
    if known:
        draw_chain_diagnostic(axes[3], table, known, "p-value or acceptance")
        axes[3].set_ylim(-0.03, 1.03)
    else:
        axes[3].remove()


@house_figure(
    "Observables against temperature (J = k_B = 1) of samples, of the model and of exact theory at this size; "
    "divergence of the model in nats per configuration; two laws of the order parameter. Error bars: standard "
    "error, by jackknife over chains. Exact theory has none."
)
def observables_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw observables of one and two points, divergence, and two laws of the order parameter."""
    figure, axes = new_figure(2, 4)
    known = set(tables["observables"].observable)  # of samples alone there is no energy
    asked = ("order_parameter", "susceptibility", "binder", "energy", "heat_capacity")
    observables = [observable for observable in asked if observable in known]
    for ax, observable in zip(axes, observables, strict=False):
        draw_observable(ax, tables["observables"], observable)
    remove(axes[len(observables) : 5])
    if tables["likelihood"].kl.notna().any():
        draw_divergence(axes[5], tables["likelihood"])
    else:
        remove([axes[5]])
    temperatures = tables["order_parameter"].temperature.unique()
    chosen = dict.fromkeys(temperatures[min(place, len(temperatures) - 1)] for place in (1, len(temperatures) // 2 + 1))
    for ax, temperature in zip(axes[6:], chosen, strict=False):
        draw_order_parameter_law(ax, tables["order_parameter"], temperature)
    remove(axes[6 + len(chosen) :])
    legend_below(figure, panels_of(figure))
    return figure


@house_figure(
    "Overlaps of recovered and stored patterns, by the decoder of the model and by PCA with FastICA on the same "
    "samples. No error bars: one run."
)
def patterns_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the overlaps of recovered and stored patterns, by the decoder and by the classical route."""
    figure, axes = new_figure(1, 2)
    for ax, route in zip(axes, ("vae", "classical"), strict=True):
        draw_overlaps(ax, tables["overlaps"], route)
    return figure
