"""Rows of states as picks of one-hot columns, with their frequencies."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8, Int32

from vae_mf.checks import require_integer
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.kernels import add_pairs

States = Int8[np.ndarray, "rows sites"]
"""Rows of states 0 ... q - 1."""
Picks = Int32[np.ndarray, "rows sites"]
"""Columns j q + x_j that the states of rows pick among the N q one-hot columns."""
ColumnMatrix = Float[np.ndarray, "columns columns"]
"""Matrix over the one-hot columns, J_ij(a, b) at row i q + a and column j q + b."""
ColumnVector = Float[np.ndarray, " columns"]
MOST_STATES = 127


class PottsRows(NamedTuple):
    """Distinct rows of sites with q states each."""

    picks: Picks
    shares: Weights
    """Share of each row in the total weight; they sum to 1."""
    samples: float
    """Total weight M."""
    states: int
    """q."""

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.picks.shape[1]

    @property
    def frequencies(self) -> ColumnVector:
        """f_i(a)."""
        shares = np.repeat(self.shares, self.sites)
        return np.bincount(self.picks.ravel(), shares, self.sites * self.states)

    @property
    def pair_frequencies(self) -> ColumnMatrix:
        """f_ij(a, b), and f_i(a) on the diagonal."""
        return pair_frequencies(self.picks, self.shares, self.states)


def potts_rows(rows: States, weights: Weights, states: int) -> PottsRows:
    """Return the distinct rows with their shares of the weight.

    >>> potts_rows(np.array([[0, 2], [1, 1], [0, 2]], np.int8), np.ones(3), 3).shares.round(3)
    array([0.667, 0.333])
    """
    distinct, which = np.unique(rows, axis=0, return_inverse=True)
    totals = np.bincount(which.ravel(), weights)
    return PottsRows(picked(distinct, states), totals / weights.sum(), float(weights.sum()), states)


def picked(rows: States, states: int) -> Picks:
    """Return the one-hot columns that rows pick.

    >>> picked(np.array([[0, 2]], np.int8), 3)
    array([[0, 5]], dtype=int32)
    """
    return rows + states * np.arange(rows.shape[1], dtype=np.int32)


def pair_frequencies(picks: Picks, shares: Weights, states: int) -> ColumnMatrix:
    """Return the weighted frequencies of pairs of states, shape (N q, N q), those of single states on the diagonal.

    >>> pair_frequencies(picked(np.array([[0, 1]], np.int8), 2), np.ones(1), 2)[0]
    array([1., 0., 0., 1.])
    """
    columns = picks.shape[1] * states
    pairs = np.zeros((columns, columns))
    add_pairs(picks, shares, pairs)
    pairs += pairs.T
    np.fill_diagonal(pairs, np.bincount(picks.ravel(), np.repeat(shares, picks.shape[1]), columns))
    return pairs


def all_rows(sites: int, states: int) -> States:
    """Return all q^N rows, the last site changing fastest.

    >>> all_rows(2, 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return np.indices((states,) * sites, np.int8).reshape(sites, -1).T.copy()


def checked_states(values: np.ndarray, states: Any) -> States:
    """Return values as int8 states.

    >>> checked_states(np.array([[0.0, 2.0]]), 3)
    array([[0, 2]], dtype=int8)

    Args:
        states: number q of states, or None for any up to 127.

    Raises:
        ValueError: if an entry is no integer from 0 to q - 1.
    """
    limit = MOST_STATES if states is None else require_integer("states", states, minimum=2)
    if limit > MOST_STATES:
        raise ValueError(f"states: expected at most {MOST_STATES}, got {limit}; lump rare ones together")
    wrong = (values < 0) | (values >= limit) | (values != np.floor(values))
    if wrong.any():
        found = np.unique(values[wrong])[:5].tolist()
        raise ValueError(f"rows: expected integers from 0 to {limit - 1}, got values such as {found}")
    return values.astype(np.int8)


def unseen_pairs(data: PottsRows) -> Int[np.ndarray, "pairs 4"]:
    """Return sites i < j and their states, both seen or neither, that were never seen together, as rows i, a, j, b.

    Couplings of a state that was never seen with one that was are bounded, as long as fields are.

    >>> unseen_pairs(potts_rows(np.array([[0, 0], [0, 1], [1, 1]], np.int8), np.ones(3), 2)).tolist()
    [[0, 1, 1, 0]]
    """
    seen = data.frequencies > 0
    sites = np.arange(len(seen)) // data.states
    never = (data.pair_frequencies == 0) & (seen[:, None] == seen) & (sites[:, None] < sites)
    first, second = np.nonzero(never)
    columns = first // data.states, first % data.states, second // data.states, second % data.states
    return np.column_stack(columns)
