"""Markov chains of hidden states: what rows say of them, forwards and backwards in time, and the likeliest chain.

Rows come in through ln p(s|k) alone, whatever law of rows the states have.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.density_models.hidden_states import StateCounts, StateLogs
from vae_mf.density_models.sequences import Places, Sequences, Starts
from vae_mf.kernels import FAST, kernel

SETTLED = 1e-13
"""Change of the law of states in a step below which it counts as stationary."""


class Chain(NamedTuple):
    """Law of hidden states in time."""

    start: Float[np.ndarray, " states"]
    """π, the law of the first state."""
    transitions: Float[np.ndarray, "states states"]
    """A, from the state of the line to that of the column."""


class Expected(NamedTuple):
    """Log-likelihood of sequences, and numbers that are expected given all their rows."""

    log_likelihood: float
    starts: Float[np.ndarray, " states"]
    """Sequences that begin in each state."""
    transitions: Float[np.ndarray, "states states"]
    """Transitions from each state to each."""
    rows: StateCounts
    """Times that each distinct row comes from each state."""


def expected_counts(
    logs: StateLogs, numbers: Places, starts: Starts, weights: Float[np.ndarray, " sequences"], chain: Chain
) -> Expected:
    """Return the log-likelihood of sequences and the numbers that are expected given them.

    Args:
        logs: ln p(s|k) of distinct rows.
        numbers: number of the distinct row at every place.
        starts: place of the first row of every sequence, and behind the last row.
        weights: how often each sequence counts.
        chain: law of the states.
    """
    likelihoods, top = scaled(logs)
    alpha, norms = forward_pass(likelihoods, numbers, starts, chain)
    first = np.zeros(len(chain.start))
    pairs = np.zeros(chain.transitions.shape)
    rows = np.zeros(logs.shape)
    backwards(likelihoods, numbers, starts, weights, chain.transitions.T.copy(), alpha, norms, first, pairs, rows)
    likelihood = np.repeat(weights, np.diff(starts)) @ (np.log(norms) + top[numbers])
    return Expected(float(likelihood), first, pairs * chain.transitions, rows)


def filtered(logs: StateLogs, numbers: Places, starts: Starts, chain: Chain) -> Float[np.ndarray, " places"]:
    """Return ln p(s_t | s_1 ... s_t-1) at every place of sequences.

    Args:
        logs: ln p(s|k) of distinct rows.
        numbers: number of the distinct row at every place.
        starts: place of the first row of every sequence, and behind the last row.
        chain: law of the states.
    """
    likelihoods, top = scaled(logs)
    return np.log(forward_pass(likelihoods, numbers, starts, chain).norms) + top[numbers]


def scaled(logs: StateLogs) -> tuple[StateLogs, Float[np.ndarray, " rows"]]:
    """Return p(s|k) in units of the largest of each row, and its logarithm."""
    top = logs.max(axis=1)
    return np.exp(logs - top[:, None]), top


class Forward(NamedTuple):
    """Law of the state at every place given all rows up to it."""

    alpha: Float[np.ndarray, "places states"]
    norms: Float[np.ndarray, " places"]
    """p(s_t | s_1 ... s_t-1) in units of the largest p(s_t|k)."""


def forward_pass(likelihoods: StateLogs, numbers: Places, starts: Starts, chain: Chain) -> Forward:
    """Return the law of the state at every place given all rows up to it."""
    found = Forward(np.zeros((len(numbers), len(chain.start))), np.zeros(len(numbers)))
    forwards(likelihoods, numbers, starts, *chain, *found)
    return found


@kernel(fastmath=FAST)
def forwards(likelihoods, numbers, starts, start, transitions, alpha, norms):  # pragma: no cover
    """Fill ``alpha``, zero before, and ``norms``."""
    states = len(start)
    for sequence in range(len(starts) - 1):
        begin = starts[sequence]
        for t in range(begin, starts[sequence + 1]):
            for k in range(states):
                if t == begin:
                    alpha[t, k] = start[k]
                else:
                    share = alpha[t - 1, k]
                    for j in range(states):
                        alpha[t, j] += share * transitions[k, j]
            norm = 0.0
            for k in range(states):
                alpha[t, k] *= likelihoods[numbers[t], k]
                norm += alpha[t, k]
            for k in range(states):
                alpha[t, k] /= norm
            norms[t] = norm


@kernel(fastmath=FAST)
def backwards(likelihoods, numbers, starts, weights, into, alpha, norms, first, pairs, rows):  # pragma: no cover
    """Add expected numbers to ``first``, ``pairs`` (in units of A) and ``rows``; ``into`` is A transposed."""
    states = len(first)
    beta = np.empty(states)
    behind = np.empty(states)
    for sequence in range(len(weights)):
        begin = starts[sequence]
        for k in range(states):
            beta[k] = weights[sequence]
        for t in range(starts[sequence + 1] - 1, begin - 1, -1):
            for k in range(states):
                rows[numbers[t], k] += alpha[t, k] * beta[k]
                behind[k] = beta[k] * likelihoods[numbers[t], k] / norms[t]
            if t == begin:
                break
            for k in range(states):
                beta[k] = 0.0
            for j in range(states):
                share = behind[j]
                for k in range(states):
                    beta[k] += share * into[j, k]
            for k in range(states):
                share = alpha[t - 1, k]
                for j in range(states):
                    pairs[k, j] += share * behind[j]
        for k in range(states):
            first[k] += alpha[begin, k] * beta[k]


def likeliest_chain(seen: Expected, pseudocount: float) -> Chain:
    """Return the likeliest chain, with ``pseudocount`` starts and transitions of each state spread over the states.

    >>> counts = Expected(0.0, np.array([1.0, 0.0]), np.array([[3.0, 1.0], [0.0, 0.0]]), np.zeros((1, 2)))
    >>> likeliest_chain(counts, 4.0).transitions.tolist()
    [[0.625, 0.375], [0.5, 0.5]]
    """
    share = pseudocount / len(seen.starts)
    starts, transitions = seen.starts + share, seen.transitions + share
    return Chain(starts / starts.sum(), transitions / transitions.sum(axis=1, keepdims=True))


def log_prior(chain: Chain) -> float:
    """Return the log-prior of a chain for one start and transition of each state, without its normalisation."""
    return float((np.log(chain.start).sum() + np.log(chain.transitions).sum()) / len(chain.start))


def mean_law(chain: Chain, sequences: Sequences) -> Float[np.ndarray, " states"]:
    """Return the law of the state at a random place of sequences of these lengths."""
    lengths = sequences.lengths
    alive = np.bincount(lengths, sequences.weights)[::-1].cumsum()[::-1][1:]
    law = chain.start
    total = np.zeros(len(law))
    for t, count in enumerate(alive):
        total += count * law
        after = law @ chain.transitions
        if np.abs(after - law).max() < SETTLED:
            total += alive[t + 1 :].sum() * after
            break
        law = after
    return total / total.sum()


def drawn_states(chain: Chain, uniform: Float[np.ndarray, "sequences length"]) -> Int[np.ndarray, "sequences length"]:
    """Return states of sequences from uniform random numbers.

    >>> drawn_states(Chain(np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])), np.full((1, 4), 0.5))
    array([[0, 1, 0, 1]])
    """
    # The last limit is 1 but for rounding.
    first = chain.start.cumsum()[:-1]
    limits = chain.transitions.cumsum(axis=1)[:, :-1]
    states = np.empty(uniform.shape, np.int64)
    states[:, 0] = (uniform[:, :1] > first).sum(axis=1)
    for t in range(1, uniform.shape[1]):
        states[:, t] = (uniform[:, t, None] > limits[states[:, t - 1]]).sum(axis=1)
    return states
