"""Order parameter, energy and their fluctuations, of samples, of the model and of exact theory, side by side."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.statistics.averages import group_starts
from vae_mf.statistics.exact_curves import exact_curve
from vae_mf.systems.base import (
    HasInfiniteLimit,
    HasOrderParameter,
    OrderParameterLaw,
    OrderStatistics,
    System,
    order_statistics,
    statistics_from_moments,
)
from vae_mf.systems.enumeration import feasible_law, feasible_thermodynamics

GROUPS = 20
"""Groups of chains that the jackknife deletes in turn."""
CURVE_POINTS = 201
"""Temperatures on the curve of the infinite system."""
Chains = dict[str, int]
"""Number of chains of each source at each temperature, as many as rows if these are independent."""
Laws = dict[float, OrderParameterLaw | None]
"""Exact law of the order parameter at each temperature, None where no exact sum is feasible."""
BySource = dict[str, dict[float, np.ndarray]]
"""A number for every configuration (rows,) of each source ("samples", "model") at each temperature.

Rows of one Markov chain lie next to each other.
"""


class Estimate(NamedTuple):
    """Values with their standard errors, for each of several statistics."""

    value: Any
    error: Any


class EnergyStatistics(NamedTuple):
    """Energy and its fluctuations per site (J = k_B = 1)."""

    energy: float
    """<E> / N."""
    heat_capacity: float
    """(<E^2> - <E>^2) / (N T^2)."""


def jackknife(
    moments: Float[np.ndarray, "rows moments"], statistics: Callable[..., tuple[float, ...]], chains: int
) -> Estimate:
    """Return statistics of the mean moments, with delete-one-group jackknife errors.

    The groups are whole chains, so that correlation within a chain stays inside a group; the errors of a single chain
    are unknown, NaN.

    Args:
        chains: number of chains, equally long; as many as rows if these are independent.

    Raises:
        ValueError: unless ``chains`` divides the number of rows.
    """
    value = statistics(*moments.mean(0).tolist())
    kind = cast(Callable[..., Any], type(value))
    starts = group_starts(len(moments), chains, GROUPS)
    if len(starts) < 2:
        return Estimate(value, kind(*[np.nan] * len(value)))
    sums = np.add.reduceat(moments, starts)
    sizes = np.diff(starts, append=len(moments))
    left_out = (sums.sum(0) - sums) / (len(moments) - sizes)[:, None]
    replicas = np.array([statistics(*row) for row in left_out.tolist()])
    return Estimate(value, kind(*np.sqrt((len(starts) - 1) * replicas.var(axis=0)).tolist()))


def estimate_statistics(order: Float[np.ndarray, " rows"], sites: int, temperature: float, chains: int) -> Estimate:
    """Return order statistics of the sampled signed order parameter with their errors, see `jackknife`."""
    moments = np.stack([np.abs(order), order**2, order**4], axis=1)
    return jackknife(moments, partial(statistics_from_moments, sites=sites, temperature=temperature), chains)


def estimate_energy(energy: Float[np.ndarray, " rows"], sites: int, temperature: float, chains: int) -> Estimate:
    """Return energy statistics of the sampled energies with their errors, see `jackknife`.

    >>> estimate_energy(np.array([-1.0, -1.0, 1.0, 1.0]), sites=2, temperature=1.0, chains=4).value
    EnergyStatistics(energy=0.0, heat_capacity=0.5)
    """
    # Shifted, or the variance would be a small difference of large squares.
    shift = float(energy.mean())

    def statistics(mean: float, square: float) -> EnergyStatistics:
        return EnergyStatistics((shift + mean) / sites, (square - mean**2) / (sites * temperature**2))

    return jackknife(np.stack([energy - shift, (energy - shift) ** 2], axis=1), statistics, chains)


def exact_laws(system: HasOrderParameter, temperatures: Iterable[float]) -> Laws:
    """Return the exact law of the order parameter at each temperature, None where no exact sum is feasible."""
    return {t: feasible_law(system, t) for t in temperatures}


def statistics_rows(source: str, temperature: float, value: Any, error: Any = None) -> list[dict]:
    """Return one table row per statistic: source, temperature, observable, value, error (0 for exact)."""
    errors = [0.0] * len(value) if error is None else error
    return [
        {"source": source, "temperature": temperature, "observable": name, "value": v, "error": e}
        for name, v, e in zip(value._fields, value, errors, strict=True)
    ]


def infinite_order_parameter(system: HasOrderParameter, temperature: float) -> float | None:
    """Return <|m|> of the infinite system (the Hopfield model with its number of patterns fixed), None if not known.

    >>> from vae_mf.systems import CurieWeiss
    >>> round(infinite_order_parameter(CurieWeiss(10), 0.5), 4)
    0.9575
    """
    return system.infinite_order_parameter(temperature) if isinstance(system, HasInfiniteLimit) else None


def infinite_rows(system: HasOrderParameter, temperatures: Iterable[float]) -> list[dict]:
    """Return <|m|> of the infinite system on a fine grid over the range of the temperatures.

    There are no rows for systems where it is not known, or without a range.
    """
    levels = list(temperatures)
    if len(levels) < 2:
        return []
    grid = np.linspace(min(levels), max(levels), CURVE_POINTS).tolist()
    curve = [(t, infinite_order_parameter(system, t)) for t in grid]
    return [
        {"source": "infinite", "temperature": t, "observable": "order_parameter", "value": value, "error": 0.0}
        for t, value in curve
        if value is not None
    ]


def compare_observables(system: HasOrderParameter, laws: Laws, orders: BySource, chains: Chains) -> pd.DataFrame:
    """Return a long table of order statistics per source and temperature, with exact theory and the infinite system.

    Exact theory has temperatures between those of the samples, see `exact_curve`.
    """

    def theory(temperature: float) -> OrderStatistics | None:
        law = laws[temperature] if temperature in laws else feasible_law(system, temperature)
        return None if law is None else order_statistics(law, system.sites, temperature)

    rows = []
    for temperature in laws:
        for source, values in orders.items():
            estimate = estimate_statistics(values[temperature], system.sites, temperature, chains[source])
            rows += statistics_rows(source, temperature, *estimate)
    rows += exact_rows(laws, theory)
    return pd.DataFrame(rows + infinite_rows(system, laws)).assign(order_name=system.order_name)


def exact_rows(temperatures: Iterable[float], theory: Callable[[float], Any]) -> list[dict]:
    """Return the table rows of exact theory at the temperatures and between them."""
    curve = exact_curve(temperatures, theory)
    return [row for temperature, values in curve.items() for row in statistics_rows("exact", temperature, values)]


def compare_energies(system: System, energies: BySource, chains: Chains) -> pd.DataFrame:
    """Return energy and heat capacity per site of every source, with exact theory where a sum is feasible.

    Exact theory has temperatures between those of the samples, see `exact_curve`.
    """

    def theory(temperature: float) -> EnergyStatistics | None:
        exact = feasible_thermodynamics(system, temperature)
        return exact and EnergyStatistics(exact.energy / system.sites, exact.heat_capacity / system.sites)

    temperatures = list(next(iter(energies.values())))
    rows = []
    for temperature in temperatures:
        for source, values in energies.items():
            estimate = estimate_energy(values[temperature], system.sites, temperature, chains[source])
            rows += statistics_rows(source, temperature, *estimate)
    return pd.DataFrame(rows + exact_rows(temperatures, theory))


def largest_error(table: pd.DataFrame, observable: str, source: str = "model") -> float:
    """Return the largest distance of a source from the reference over temperatures: exact theory, else the samples."""
    chosen = table[table.observable == observable].pivot(index="temperature", columns="source", values="value")
    reference = chosen["exact"].fillna(chosen["samples"]) if "exact" in chosen else chosen["samples"]
    return float((chosen[source] - reference).abs().max())


class LatticeBins(NamedTuple):
    """Equal bins of the values m = -1 + 2 k / N, k = 0 ... N: no value on an edge, the bins symmetric about m = 0."""

    first: int
    """Lowest k covered, 0 or below."""
    width: int
    """Values of m in each bin."""
    count: int


def lattice_bins(sites: int, bins: int) -> LatticeBins:
    """Return about ``bins`` bins of the N + 1 values of the order parameter of N = ``sites`` spins.

    >>> lattice_bins(sites=100, bins=20)
    LatticeBins(first=-2, width=7, count=15)
    """
    values = sites + 1
    width = -(-values // bins)
    # An odd number of values has one at m = 0, and so needs an odd number of odd bins.
    width += values % 2 * (width + 1) % 2
    count = -(-values // width)
    count += (count * width - values) % 2
    return LatticeBins((values - count * width) // 2, width, count)


def order_parameter_histogram(system: HasOrderParameter, laws: Laws, orders: BySource, bins: int = 40) -> pd.DataFrame:
    """Return densities of the signed order parameter on about ``bins`` equal bins, per source and temperature.

    The bins hold whole numbers of the values that m can take (`LatticeBins`), so that sampled and exact laws are
    binned alike, and a symmetric law stays symmetric.
    """
    first, width, count = lattice_bins(system.sites, bins)
    spacing = 2 / system.sites
    centres = spacing * (first + width * np.arange(count) + (width - 1) / 2) - 1
    frames = []
    for temperature, law in laws.items():
        weighted = [(source, values[temperature], None) for source, values in orders.items()]
        exact = [] if law is None else [("exact", *law)]
        for source, values, weights in weighted + exact:
            index = np.rint((values + 1) / spacing).astype(np.int64)
            mass = np.bincount((index - first) // width, weights, minlength=count)
            density = mass / (mass.sum() * width * spacing)
            frames.append(
                pd.DataFrame({"source": source, "temperature": temperature, "m": centres, "density": density})
            )
    return pd.concat(frames, ignore_index=True).assign(order_name=system.order_name)
