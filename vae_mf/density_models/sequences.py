"""Rows of several sequences in time, which follow each other in one table."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import shown
from vae_mf.inverse_ising.base import weighted_rows
from vae_mf.statistics.distinct import numbered_spins

Places = Int[np.ndarray, " places"]
"""Number of the distinct row at every place."""
Starts = Int[np.ndarray, " starts"]
"""Place of the first row of every sequence, and behind the last row."""


class Sequences(NamedTuple):
    """Distinct rows, and where they stand in sequences."""

    spins: Spins
    """Distinct rows."""
    numbers: Places
    starts: Starts
    weights: Float[np.ndarray, " sequences"]
    """How often each sequence counts."""

    @property
    def lengths(self) -> Int[np.ndarray, " sequences"]:
        """Number of rows of every sequence."""
        return np.diff(self.starts)

    @property
    def transitions(self) -> int:
        """Number of pairs of rows that follow each other."""
        return len(self.numbers) - len(self.weights)

    @property
    def counts(self) -> Float[np.ndarray, " distinct"]:
        """Number of times that each distinct row counts."""
        return np.bincount(self.numbers, np.repeat(self.weights, self.lengths))


def sequence_starts(lengths: Any, rows: int) -> Starts:
    """Return the place of the first row of every sequence, and behind the last row; a row each for None.

    >>> sequence_starts([2, 3], 5)
    array([0, 2, 5])

    Raises:
        ValueError: unless lengths are whole numbers above zero whose sum is the number of rows.
    """
    if lengths is None:
        return np.arange(rows + 1)
    values = np.asarray(lengths)
    if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size or values.min() < 1 or values.sum() != rows:
        raise ValueError(
            f"lengths: expected whole numbers >= 1, those of the rows of each sequence, whose sum is {rows}, got "
            f"{shown(lengths)}"
        )
    return np.concatenate([[0], np.cumsum(values)])


def run_lengths(repeat: Rows, time: Rows) -> Int[np.ndarray, " runs"]:
    """Return the lengths of the runs of rows that follow each other within their repeats, for some rows of a recording.

    >>> run_lengths(np.array([0, 0, 0, 1]), np.array([0, 1, 3, 4])).tolist()
    [2, 1, 1]

    Args:
        repeat: repeat of every row.
        time: time of every row within its repeat.
    """
    breaks = np.flatnonzero((np.diff(repeat) != 0) | (np.diff(time) != 1)) + 1
    return np.diff(np.concatenate([[0], breaks, [len(time)]]))


def weighted_sequences(spins: Spins, lengths: Any, sample_weight: Any) -> Sequences:
    """Return sequences with weights above zero.

    Args:
        spins: rows of the sequences, one sequence after the other.
        lengths: number of rows of each; None for a row each.
        sample_weight: how often each row counts, one number for all rows of a sequence; None for once.

    Raises:
        ValueError: if lengths or weights do not fit the rows.
    """
    starts = sequence_starts(lengths, len(spins))
    if sample_weight is None:
        return Sequences(*numbered_spins(spins), starts, np.ones(len(starts) - 1))
    kept = weighted_rows(spins, sample_weight)[0]
    own = np.asarray(sample_weight, dtype=np.float64)
    lengths = np.diff(starts)
    weights = own[starts[:-1]]
    if not np.array_equal(np.repeat(weights, lengths), own):
        raise ValueError("sample_weight: expected one weight for all rows of a sequence, got several")
    places = np.concatenate([[0], np.cumsum(lengths[weights > 0])])
    return Sequences(*numbered_spins(kept), places, weights[weights > 0])
