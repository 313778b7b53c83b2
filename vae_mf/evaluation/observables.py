"""Order parameter, susceptibility and Binder cumulant of samples, of the model and of exact theory, side by side."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.systems.base import OrderStatistics, System, order_statistics, statistics_from_moments

GROUPS = 20
"""Groups of rows that the jackknife deletes in turn."""


class Estimate(NamedTuple):
    """A value with its standard error, for each order statistic."""

    value: OrderStatistics
    error: OrderStatistics


def estimate_statistics(order: Float[np.ndarray, " rows"], sites: int, temperature: float) -> Estimate:
    """Return order statistics of the sampled signed order parameter with delete-one-group jackknife errors.

    Rows of one Markov chain must be neighbours: the groups are stretches of rows, so that correlation within a chain
    stays inside a group.
    """
    moments = np.stack([np.abs(order), order**2, order**4])
    groups = np.array([part.mean(1) for part in np.array_split(moments, GROUPS, axis=1)])
    sizes = np.array([len(part) for part in np.array_split(order, GROUPS)])[:, None]
    total = (groups * sizes).sum(0)
    left_out = (total - groups * sizes) / (len(order) - sizes)
    replicas = np.array([statistics_from_moments(*row, sites, temperature) for row in left_out])
    spread = np.sqrt((GROUPS - 1) * replicas.var(axis=0))
    value = statistics_from_moments(*(float(m) for m in total / len(order)), sites, temperature)
    return Estimate(value, OrderStatistics(*spread.tolist()))


def exact_statistics(system: System, temperature: float) -> OrderStatistics | None:
    """Return the exact order statistics, or None where no exact sum is feasible."""
    try:
        law = system.order_parameter_law(temperature)
    except ValueError:
        return None
    return order_statistics(law, system.sites, temperature)


def statistics_rows(
    source: str, temperature: float, value: OrderStatistics, error: OrderStatistics | None
) -> list[dict]:
    """Return one table row per statistic: source, temperature, observable, value, error (0 for exact)."""
    errors = error or OrderStatistics(0.0, 0.0, 0.0)
    return [
        {"source": source, "temperature": temperature, "observable": name, "value": v, "error": e}
        for name, v, e in zip(OrderStatistics._fields, value, errors, strict=True)
    ]


def compare_observables(
    system: System, temperatures: Float[np.ndarray, " temperatures"], orders: dict[str, list[np.ndarray]]
) -> pd.DataFrame:
    """Return a long table of order statistics per source and temperature, the exact ones included.

    Args:
        orders: for each source ("samples", "model"), the signed order parameters at every temperature.
    """
    rows = []
    for t, temperature in enumerate(temperatures.tolist()):
        for source, values in orders.items():
            estimate = estimate_statistics(values[t], system.sites, temperature)
            rows += statistics_rows(source, temperature, *estimate)
        exact = exact_statistics(system, temperature)
        if exact is not None:
            rows += statistics_rows("exact", temperature, exact, None)
    return pd.DataFrame(rows)


def largest_error(table: pd.DataFrame, observable: str, source: str = "model") -> float:
    """Return the largest distance of a source from the reference over temperatures: exact theory, else the samples."""
    chosen = table[table.observable == observable].pivot(index="temperature", columns="source", values="value")
    reference = chosen["exact"].fillna(chosen["samples"]) if "exact" in chosen else chosen["samples"]
    return float((chosen[source] - reference).abs().max())


def order_parameter_histogram(
    system: System,
    temperatures: Float[np.ndarray, " temperatures"],
    orders: dict[str, list[np.ndarray]],
    bins: int = 40,
) -> pd.DataFrame:
    """Return densities of the signed order parameter on equal bins of [-1, 1], per source and temperature."""
    edges = np.linspace(-1, 1, bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    frames = []
    for t, temperature in enumerate(temperatures.tolist()):
        laws = {source: (values[t], None) for source, values in orders.items()}
        with suppress(ValueError):
            laws["exact"] = tuple(system.order_parameter_law(temperature))
        for source, (values, weights) in laws.items():
            density = np.histogram(values, edges, weights=weights, density=True)[0]
            frames.append(
                pd.DataFrame({"source": source, "temperature": temperature, "m": centres, "density": density})
            )
    return pd.concat(frames, ignore_index=True)
