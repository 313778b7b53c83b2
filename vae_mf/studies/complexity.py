"""Complexity and entropy of random K-SAT against the ratio of clauses to variables, and the zero of the complexity."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.rng import integer
from vae_mf.satisfiability.population_dynamics import (
    Density,
    Sizes,
    complexity,
    first_moment_entropy,
    replica_symmetric_entropy,
)

DEGREE = 2
"""Degree of the polynomial through the complexities near their zero."""


class Zero(NamedTuple):
    """Zero of a parabola through values of one error."""

    place: float
    error: float
    chi_square: float
    """Squared deviations in units of the error, per value beyond the coefficients."""


def complexity_tables(
    curves: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], seed: int
) -> dict[str, pd.DataFrame]:
    """Return the complexities, their zeros and the entropies of every length of clauses.

    Args:
        curves: a mapping for every length K in "length", with the ratios of the complexity in "complexity", those of
            the fit of its zero in "fit", those of the entropy in "entropy", and published thresholds by name in
            "thresholds".
        sizes: sizes of the population dynamics.
        seed: seed of all populations.
    """
    parts: dict[str, list[pd.DataFrame]] = {"complexity": [], "zero": [], "entropy": [], "thresholds": []}
    for curve in curves:
        length = curve["length"]
        ratios = sorted({*curve["complexity"], *curve["fit"]})
        table = density_table(complexity, length, ratios, Sizes(**sizes), seed)
        parts["complexity"].append(table)
        parts["zero"].append(zero_table(table[table.ratio.isin(list(curve["fit"]))]))
        entropies = density_table(replica_symmetric_entropy, length, curve["entropy"], Sizes(**sizes), seed)
        entropies["first_moment"] = [first_moment_entropy(length, ratio) for ratio in curve["entropy"]]
        parts["entropy"].append(entropies)
        known = curve["thresholds"]
        parts["thresholds"].append(pd.DataFrame({"length": length, "name": list(known), "ratio": list(known.values())}))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}


def density_table(density: Any, length: int, ratios: Iterable[float], sizes: Sizes, seed: int) -> pd.DataFrame:
    """Return a row per ratio of a density, every ratio with populations of its own."""
    rows = []
    for ratio in ratios:
        found: Density = density(length, ratio, sizes, integer(seed, density.__name__, length, str(ratio)))
        rows.append({"length": length, "ratio": ratio} | found._asdict())
    return pd.DataFrame(rows)


def zero_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the zero of the complexities of one length."""
    # The errors of single points, from a few populations each, are too noisy to weigh by.
    error = float(np.sqrt(np.square(table.error).mean()))
    zero = fitted_zero(table.ratio.to_numpy(), table.value.to_numpy(), error)
    return pd.DataFrame([{"length": table.length.iloc[0]} | zero._asdict()])


def fitted_zero(places: Float[np.ndarray, " points"], values: Float[np.ndarray, " points"], error: float) -> Zero:
    """Return the zero of a parabola through values of one error, the one within the range of the places.

    >>> places = np.linspace(0, 1, 6)
    >>> round(fitted_zero(places, 0.25 - places**2, 0.01).place, 6)
    0.5

    Raises:
        ValueError: unless there is exactly one zero within the range.
    """
    middle = places.mean()
    coefficients, covariance = np.polyfit(
        places - middle, values, DEGREE, w=np.full(len(places), 1 / error), cov="unscaled"
    )
    roots = np.roots(coefficients) + middle
    inside = roots[np.isreal(roots) & (roots.real >= places.min()) & (roots.real <= places.max())].real
    if len(inside) != 1:
        raise ValueError(f"places: expected one zero from {places.min():g} to {places.max():g}, got {len(inside)}")
    root = float(inside[0])
    powers = np.vander([root - middle], DEGREE + 1)[0]
    slope = np.polyval(np.polyder(coefficients), root - middle)
    deviations = (np.polyval(coefficients, places - middle) - values) / error
    chi_square = float(np.square(deviations).sum() / (len(places) - DEGREE - 1))
    return Zero(root, float(np.sqrt(powers @ covariance @ powers) / abs(slope)), chi_square)
