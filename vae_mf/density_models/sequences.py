"""Contract of a density model that knows the law of a row given the rows before it, too.

Sequences are told as hmmlearn's are, by the lengths of pieces of the rows: rows stay one table, as of every density
model. Rows without lengths have no order: each is a sequence of its own.

A model of one's own answers ``_fit_sequences(sequences)``, ``_log_density_given_past(rows, starts)`` and all that a
`DensityModel` does of single rows but ``_fit``; validation is here.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import plain_array, shown
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.inverse_ising.base import checked_spins, weighted_rows
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
    """Number of times that each sequence counts."""

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


class SequenceModel(DensityModel):
    """Base of density models of rows in the order of time."""

    def fit(self, rows: Any, y: Any = None, sample_weight: Any = None, lengths: Any = None) -> "SequenceModel":
        """Fit the model to sequences of rows.

        Args:
            rows: shape (M, N), entries -1 and +1, the sequences one after the other.
            sample_weight: shape (M,), how often each row counts; the rows of a sequence have one weight.
            lengths: numbers of rows of the sequences, whose sum is M; None for rows without an order.

        Raises:
            ValueError: if values, shapes or options are wrong, or the model is too large for the rows.
        """
        checked = checked_spins(validate_data(self, plain_array(rows), dtype="numeric", ensure_min_samples=2), "spin")
        self._fit_sequences(weighted_sequences(checked, lengths, sample_weight))
        return self

    def _fit_sequences(self, sequences: Sequences) -> None:
        """Set the fitted attributes from sequences."""
        raise NotImplementedError

    def _log_density_given_past(self, rows: Spins, starts: Starts) -> LogLikelihoods:
        """Return ln p(s_t | s_1 ... s_t-1) of validated rows (M, N)."""
        raise NotImplementedError

    def score_samples_given_past(self, rows: Any, lengths: Any) -> LogLikelihoods:
        """Return ln p(s_t | s_1 ... s_t-1) of each row (M, N), in nats; the sum over a sequence is its ln p.

        Args:
            lengths: numbers of rows of the sequences, whose sum is M.
        """
        return self._log_density_given_past(*self._placed(rows, lengths))

    def _placed(self, rows: Any, lengths: Any) -> tuple[Spins, Starts]:
        """Return validated rows and the starts of their sequences."""
        check_is_fitted(self)
        checked = checked_spins(validate_data(self, plain_array(rows), dtype="numeric", reset=False), "spin")
        return checked, sequence_starts(lengths, len(checked))


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
