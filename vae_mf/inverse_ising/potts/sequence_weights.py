"""Weights of aligned sequences that are relatives: many copies of one ancestor count as few."""

from typing import Any

import numpy as np
from sklearn.utils import check_array

from vae_mf.checks import plain_array, require_positive
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.kernels import count_relatives
from vae_mf.inverse_ising.potts.rows import checked_states, potts_rows


def identity_weights(rows: Any, identity: Any = 0.8) -> Weights:
    """Return 1 / the number of rows, itself among them, that agree with a row at so large a share of the sites.

    >>> identity_weights([[0, 1, 2], [0, 1, 2], [1, 0, 0]])
    array([0.5, 0.5, 1. ])

    Args:
        rows: states, shape (M, N); time O(M^2 N).
        identity: share of equal sites, above 0 and at most 1, from which rows are relatives (.8: Morcos et al. 2011).

    Raises:
        ValueError: if rows are no states or the identity is out of range.
    """
    states = checked_states(check_array(plain_array(rows), dtype="numeric"), None)
    if require_positive("identity", identity) > 1:
        raise ValueError(f"identity: expected a number above 0 and at most 1, got {identity!r}")
    # A share like .8 of 5 sites is no rounding error above 4.
    fewest = int(np.ceil(identity * states.shape[1] - 1e-9))
    return 1 / count_relatives(np.ascontiguousarray(states), fewest)


def position_weights(rows: Any) -> Weights:
    """Return position-based weights: at every site each state has an equal part, shared by its rows.

    w_m is the mean over sites of 1 / (k_i n_i(x_mi)), k_i the number of states seen at site i and n_i(a) the number of
    rows in state a (Henikoff and Henikoff 1994). The weights sum to the number of distinct rows.

    >>> position_weights([[0, 1], [0, 1], [1, 0]])
    array([0.5, 0.5, 1. ])

    Args:
        rows: states, shape (M, N).
    """
    states = checked_states(check_array(plain_array(rows), dtype="numeric"), None)
    data = potts_rows(states, np.ones(len(states)), int(states.max()) + 1)
    counts = (data.samples * data.frequencies).reshape(data.sites, -1)
    seen = (counts > 0.5).sum(axis=1)
    parts = 1 / (seen * counts[np.arange(data.sites), states])
    return parts.mean(axis=1) * len(data.picks)
