"""Rows that come in chains: cut into groups of whole chains, thinned chain by chain, averaged with an honest error."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Average(NamedTuple):
    """A mean with its standard error."""

    value: float
    error: float


def draws_per_chain(rows: int, chains: int) -> int:
    """Return the number of rows of each chain, or raise ValueError unless all chains can have equally many.

    >>> draws_per_chain(rows=12, chains=3)
    4
    """
    if not 1 <= chains <= rows or rows % chains:
        raise ValueError(f"chains: expected a divisor of the {rows} rows, got {chains}")
    return rows // chains


def evenly_spaced(total: int, count: int) -> Int[np.ndarray, " count"]:
    """Return ``count`` evenly spaced indices below ``total``, all of them if there are not as many.

    >>> evenly_spaced(10, 4).tolist()
    [0, 2, 5, 7]
    """
    count = min(total, count)
    return np.arange(count) * total // count


def group_starts(rows: int, chains: int, groups: int) -> Int[np.ndarray, " groups"]:
    """Return the first row of each of at most ``groups`` groups of whole chains, the groups about equally large.

    >>> group_starts(rows=12, chains=4, groups=2).tolist()
    [0, 6]
    """
    return evenly_spaced(chains, groups) * draws_per_chain(rows, chains)


def thin(
    configurations: Shaped[np.ndarray, "rows *sites"], count: int, chains: int
) -> Shaped[np.ndarray, "kept *sites"]:
    """Return at most ``count`` rows: the same evenly spaced draws of every chain, which stay next to each other.

    If there are more chains than ``count``, it is one draw of each of ``count`` evenly spaced chains.

    >>> thin(np.arange(12), count=4, chains=2).tolist()
    [0, 3, 6, 9]
    """
    draws = draws_per_chain(len(configurations), chains)
    kept = evenly_spaced(chains, count)
    rows = kept[:, None] * draws + evenly_spaced(draws, count // len(kept))
    return configurations[rows.ravel()]


def average(values: Float[np.ndarray, " rows"], groups: int) -> Average:
    """Return the mean of ``values`` and its error, the spread of the means of groups of neighbouring rows.

    With the means of G groups as independent, equally good estimates, error = sd(means) / sqrt(G); the error of a
    single group is unknown, NaN.

    >>> average(np.array([1.0, 1.0, 3.0, 3.0]), groups=2)
    Average(value=2.0, error=1.0)
    """
    groups = min(groups, len(values))
    if groups < 2:
        return Average(float(values.mean()), float("nan"))
    means = np.array([part.mean() for part in np.array_split(values, groups)])
    return Average(float(values.mean()), float(means.std(ddof=1) / np.sqrt(groups)))
