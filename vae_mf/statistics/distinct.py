"""Rows without repetitions, each with its share of the data."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins

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
    bits = np.packbits(spins > 0, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    words = words.view(np.uint64)
    order = np.lexsort(words.T)
    first = np.r_[True, (np.diff(words[order].view(np.int64), axis=0) != 0).any(axis=1)]
    totals = np.add.reduceat(weights[order], np.flatnonzero(first))
    return DistinctSpins(spins[order[first]], totals / weights.sum(), float(weights.sum()))
