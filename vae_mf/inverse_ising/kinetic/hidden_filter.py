"""Exact likelihood of the visible spins of a kinetic Ising model with few hidden ones, by the forward filter.

p(s(0..T)) is a product over t of p(s(t+1) | s(0..t)), the mean of the transition probability over the filtered law
p(sigma(t) | s(0..t)), which starts uniform.
"""

import numpy as np
from jaxtyping import Float

from vae_mf.inverse_ising.kinetic.base import Trajectories

AllCouplings = Float[np.ndarray, "spins spins"]
"""J of visible and hidden spins, hidden ones last."""
AllFields = Float[np.ndarray, " spins"]
MOST_HIDDEN = 8


def filtered_log_likelihood(
    paths: Trajectories, weights: Float[np.ndarray, " repeats"], couplings: AllCouplings, fields: AllFields
) -> float:
    """Return the mean of ln p(s_i(t+1) | all earlier visible spins) over spins, steps and weighted repeats, in nats."""
    visible = paths.shape[2]
    hidden = len(fields) - visible
    if hidden > MOST_HIDDEN:
        raise ValueError(f"hidden: expected at most {MOST_HIDDEN} hidden spins for an exact likelihood, got {hidden}")
    states = hidden_states(hidden)
    law = np.full((len(paths), len(states)), 1 / len(states))
    total = 0.0
    for step in range(paths.shape[1] - 1):
        theta = (paths[:, step] @ couplings[:, :visible].T + fields)[:, None] + states @ couplings[:, visible:].T
        seen = theta[:, :, :visible]
        logs = (paths[:, None, step + 1] * seen).sum(axis=2) - np.logaddexp(seen, -seen).sum(axis=2)
        joint = law * np.exp(logs - logs.max(axis=1, keepdims=True))
        evidence = joint.sum(axis=1)
        total += float(weights @ (np.log(evidence) + logs.max(axis=1)))
        law = np.einsum("rs,rst->rt", joint / evidence[:, None], hidden_transitions(theta[:, :, visible:], states))
    return total / (weights.sum() * paths[0, 1:].size)


def hidden_states(hidden: int) -> Float[np.ndarray, "states hidden"]:
    """Return the 2^H states of the hidden spins.

    >>> hidden_states(1)
    array([[-1.],
           [ 1.]])
    """
    return 2.0 * ((np.arange(2**hidden)[:, None] >> np.arange(hidden)) & 1) - 1


def hidden_transitions(
    theta: Float[np.ndarray, "repeats states hidden"], states: Float[np.ndarray, "states hidden"]
) -> Float[np.ndarray, "repeats states states"]:
    """Return the probability of every hidden state after each, given the local fields of the hidden spins."""
    return np.exp(theta @ states.T - np.logaddexp(theta, -theta).sum(axis=2)[:, :, None])
