"""Prior of the couplings of pairs of sites, learnt from their estimates: few pairs touch, and most do not.

The coordinates K_ij of a pair are normal with mean zero and a variance of the pair's own, drawn from a mixture of fixed
variances, whose shares the estimates of all pairs make likely: empirical Bayes with a mixture of scales (Stephens
2017). The (q - 1)^2 coordinates of a pair tell its variance together.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Strengths = Float[np.ndarray, " pairs"]
"""Weight l2 of each pair i < j."""
SCALES = np.geomspace(1e-3, 1e3, 37)
"""Variances of the mixture, in units of the one that fits all pairs best."""
MOST_STEPS = 300
SETTLED = 1e-3
"""Largest change of a share at which the shares have settled."""


class PairEstimates(NamedTuple):
    """Coordinates of the couplings of all pairs as the data alone tell them."""

    squares: Float[np.ndarray, "pairs coordinates"]
    variances: Float[np.ndarray, "pairs coordinates"]
    """Squared standard errors."""


class PairStrengths(NamedTuple):
    """Prior of every pair."""

    strengths: Strengths
    """Weight l2, 1 / the mean of the pair's variance given its estimates."""
    doubts: Strengths
    """Mean square deviation of the coupling under other variances of the pair, in units of its square."""


def likely_strengths(estimates: PairEstimates, strength: float) -> PairStrengths:
    """Return the weight of every pair, and its doubt.

    Each variance leaves a share g_k of an estimate and has the probability r_k; the mean variance leaves g. The doubt
    is sum_k r_k (g_k / g - 1)^2.

    >>> squares = np.full((9, 50), 0.1)
    >>> squares[:2] = 1.1
    >>> likely_strengths(PairEstimates(squares, np.full((9, 50), 0.1)), 10.0).strengths[[0, 8]].round(-2)
    array([  0., 800.])

    Args:
        strength: weight that is likely if all pairs have the same.
    """
    scales = SCALES / strength
    logs = np.empty((len(estimates.squares), len(scales)))
    for k, scale in enumerate(scales):
        total = scale + estimates.variances
        logs[:, k] = -(np.log(total) + estimates.squares / total).sum(axis=1) / 2
    likelihoods = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares = np.full(len(scales), 1 / len(scales))
    for _ in range(MOST_STEPS):
        old = shares
        shares = assigned(likelihoods, old).mean(axis=0)
        if np.abs(shares - old).max() < SETTLED:
            break
    parts = assigned(likelihoods, shares)
    mean = parts @ scales
    noise = estimates.variances.mean(axis=1)[:, None]
    ratios = scales / (scales + noise) * (mean[:, None] + noise) / mean[:, None]
    return PairStrengths(1 / mean, (parts * (ratios - 1) ** 2).sum(axis=1))


def assigned(
    likelihoods: Float[np.ndarray, "pairs scales"], shares: Float[np.ndarray, " scales"]
) -> Float[np.ndarray, "pairs scales"]:
    """Return the probabilities of the scales of every pair."""
    joint = likelihoods * shares
    return joint / joint.sum(axis=1, keepdims=True)
