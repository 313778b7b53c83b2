"""Exponents and conditional log-likelihoods of rows of spins under given couplings and fields."""

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Spins

Weights = Float[np.ndarray, " samples"]
BLOCK = 2**16
"""Number of rows that are converted to floating point at once, which bounds the memory beyond the spins themselves."""
CACHED = 2**10
"""Number of rows whose arrays stay in the cache."""


def float_blocks(spins: Spins, dtype: type = np.float64, rows: int = BLOCK):
    """Yield the rows of spins in floating point, so many at a time."""
    for first in range(0, len(spins), rows):
        yield spins[first : first + rows].astype(dtype)


def exponents(spins: Spins, couplings: Couplings, fields: Fields) -> Float[np.ndarray, " samples"]:
    """Return ln p(s) + ln Z = sum_{i<j} J_ij s_i s_j + sum_i h_i s_i of each row.

    >>> exponents(np.array([[1, 1], [1, -1]], np.int8), np.array([[0.0, 0.5], [0.5, 0.0]]), np.array([0.1, 0.0]))
    array([ 0.6, -0.4])
    """
    return np.concatenate([np.einsum("ri,ri->r", x, x @ (couplings / 2) + fields) for x in float_blocks(spins)])


def log_pseudo_likelihood(spins: Spins, couplings: Couplings, fields: Fields) -> Float[np.ndarray, " samples"]:
    """Return sum_i ln p(s_i | all other spins) = -sum_i ln(1 + exp(-2 s_i (sum_j J_ij s_j + h_i))) of each row."""
    parts = []
    for rows in float_blocks(spins, rows=CACHED):
        margins = 2 * rows * (rows @ couplings.T + fields)
        # Vectorised, unlike logaddexp, and as accurate in a sum of many.
        losses = np.log(1 + np.exp(-np.abs(margins))) - np.minimum(margins, 0)
        parts.append(-losses.sum(axis=1))
    return np.concatenate(parts)
