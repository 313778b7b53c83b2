"""Order parameter, susceptibility and Binder cumulant of samples, of the model and of exact theory, side by side."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.checks import require_positive
from vae_mf.evaluation.chains import group_starts
from vae_mf.systems.base import OrderParameterLaw, OrderStatistics, System, order_statistics, statistics_from_moments
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.mean_field import spontaneous_magnetisation

GROUPS = 20
"""Groups of chains that the jackknife deletes in turn."""
CURVE_POINTS = 201
"""Temperatures on the mean-field curve."""

Laws = dict[float, OrderParameterLaw | None]
"""Exact law of the order parameter at each temperature, None where no exact sum is feasible."""
Orders = dict[str, dict[float, np.ndarray]]
"""Signed order parameters (rows,) of each source ("samples", "model") at each temperature."""


class Estimate(NamedTuple):
    """A value with its standard error, for each order statistic."""

    value: OrderStatistics
    error: OrderStatistics


def estimate_statistics(order: Float[np.ndarray, " rows"], sites: int, temperature: float, chains: int) -> Estimate:
    """Return order statistics of the sampled signed order parameter with delete-one-group jackknife errors.

    The groups are whole chains, so that correlation within a chain stays inside a group; the errors of a single chain
    are unknown, NaN.

    Args:
        order: m of every row, rows of one Markov chain next to each other.
        chains: number of chains, equally long; as many as rows if these are independent.

    Raises:
        ValueError: unless ``chains`` divides the number of rows.
    """
    moments = np.stack([np.abs(order), order**2, order**4], axis=1)
    value = statistics_from_moments(*(float(m) for m in moments.mean(0)), sites=sites, temperature=temperature)
    starts = group_starts(len(order), chains, GROUPS)
    if len(starts) < 2:
        return Estimate(value, OrderStatistics(np.nan, np.nan, np.nan))
    sums, sizes = np.add.reduceat(moments, starts), np.diff(starts, append=len(order))
    left_out = (sums.sum(0) - sums) / (len(order) - sizes)[:, None]
    replicas = np.array([statistics_from_moments(*row, sites=sites, temperature=temperature) for row in left_out])
    spread = np.sqrt((len(starts) - 1) * replicas.var(axis=0))
    return Estimate(value, OrderStatistics(*spread.tolist()))


def exact_laws(system: System, temperatures: Iterable[float]) -> Laws:
    """Return the exact law of the order parameter at each temperature, None where no exact sum is feasible.

    Raises:
        ValueError: unless every temperature is positive.
    """
    return {t: feasible_law(system, require_positive("temperatures", t)) for t in temperatures}


def feasible_law(system: System, temperature: float) -> OrderParameterLaw | None:
    """Return the exact law of the order parameter, or None where no exact sum is feasible."""
    try:
        return system.order_parameter_law(temperature)
    except ValueError:
        return None


def statistics_rows(
    source: str, temperature: float, value: OrderStatistics, error: OrderStatistics | None
) -> list[dict]:
    """Return one table row per statistic: source, temperature, observable, value, error (0 for exact)."""
    errors = error or OrderStatistics(0.0, 0.0, 0.0)
    return [
        {"source": source, "temperature": temperature, "observable": name, "value": v, "error": e}
        for name, v, e in zip(OrderStatistics._fields, value, errors, strict=True)
    ]


def mean_field_rows(system: System, temperatures: Iterable[float]) -> list[dict]:
    """Return <|m|> of the infinite system, m = tanh(J m / T), on a fine grid over the range of the temperatures.

    It is the limit of the Curie-Weiss model, and of the Hopfield model with its number of patterns fixed; there are no
    rows for other systems, or without a range.
    """
    levels = list(temperatures)
    if not isinstance(system, CurieWeiss | Hopfield) or len(levels) < 2:
        return []
    return [
        {
            "source": "mean field",
            "temperature": temperature,
            "observable": "order_parameter",
            "value": spontaneous_magnetisation(temperature, system.coupling),
            "error": 0.0,
        }
        for temperature in np.linspace(min(levels), max(levels), CURVE_POINTS).tolist()
    ]


def compare_observables(system: System, laws: Laws, orders: Orders, chains: dict[str, int]) -> pd.DataFrame:
    """Return a long table of order statistics per source and temperature, with exact theory and the mean-field curve.

    Args:
        laws: exact laws at the temperatures of the table.
        orders: signed order parameters, rows of one chain next to each other.
        chains: number of chains of each source at each temperature, as many as rows if these are independent.
    """
    rows = []
    for temperature, law in laws.items():
        for source, values in orders.items():
            estimate = estimate_statistics(values[temperature], system.sites, temperature, chains[source])
            rows += statistics_rows(source, temperature, *estimate)
        if law is not None:
            rows += statistics_rows("exact", temperature, order_statistics(law, system.sites, temperature), None)
    return pd.DataFrame(rows + mean_field_rows(system, laws))


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
    """Return about ``bins`` bins of the N + 1 values of the order parameter of N = ``sites`` spins."""
    values = sites + 1
    width = -(-values // bins)
    # An odd number of values has one at m = 0, and so needs an odd number of odd bins.
    width += values % 2 * (width + 1) % 2
    count = -(-values // width)
    count += (count * width - values) % 2
    return LatticeBins((values - count * width) // 2, width, count)


def order_parameter_histogram(system: System, laws: Laws, orders: Orders, bins: int = 40) -> pd.DataFrame:
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
    return pd.concat(frames, ignore_index=True)
