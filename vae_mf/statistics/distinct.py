"""Rows without repetitions, each with its share of the data."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from vae_mf.arrays import Rows, Spins

Weights = Float[np.ndarray, " rows"]
"""Weight of each row."""


class DistinctSpins(NamedTuple):
    """Distinct rows of spins."""

    spins: Spins
    shares: Weights
    """Share of each row in the total weight; they sum to 1."""
    samples: float
    """Total weight M."""

    @property
    def weights(self) -> Weights:
        """Weight of each row."""
        return self.samples * self.shares


def distinct_spins(spins: Spins, weights: Weights) -> DistinctSpins:
    """Return the distinct rows of spins (M, N), in the order of their bits, with their shares of the weight.

    >>> rows = np.array([[1, -1], [-1, -1], [1, -1]], np.int8)
    >>> distinct_spins(rows, np.array([1.0, 1.0, 2.0])).shares
    array([0.25, 0.75])
    """
    order, first = order_of_bits(spins)
    totals = np.add.reduceat(weights[order], np.flatnonzero(first))
    return DistinctSpins(spins[order[first]], totals / weights.sum(), float(weights.sum()))


class NumberedSpins(NamedTuple):
    """Distinct rows, and the number of the one at every place."""

    spins: Spins
    numbers: Rows


def numbered_spins(spins: Spins) -> NumberedSpins:
    """Return the distinct rows of spins (M, N), in the order of their bits, and the number of each of the M rows.

    >>> numbered_spins(np.array([[1, -1], [-1, -1], [1, -1]], np.int8)).numbers
    array([1, 0, 1])
    """
    order, first = order_of_bits(spins)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(first) - 1
    return NumberedSpins(spins[order[first]], numbers)


def order_of_bits(spins: Spins) -> tuple[Rows, Bool[np.ndarray, " rows"]]:
    """Return the order of rows by their bits, and True for the first of equal ones in it."""
    bits = np.packbits(spins > 0, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    words = words.view(np.uint64)
    order = np.lexsort(words.T)
    first = np.r_[True, (np.diff(words[order].view(np.int64), axis=0) != 0).any(axis=1)]
    return order, first
