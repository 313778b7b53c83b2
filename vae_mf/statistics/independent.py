"""The law of independent binary variables."""

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from vae_mf.arrays import Spins

Probabilities = Float[np.ndarray, " variables"]


def probabilities_up(rows: Spins, weights: Float[np.ndarray, " rows"] | None = None) -> Probabilities:
    """Return P(s_i = +1) of every variable, with half a count of each value added (Jeffreys' prior).

    >>> probabilities_up(np.array([[1, -1], [1, 1], [1, -1]], np.int8))
    array([0.875, 0.375])
    """
    up = rows > 0
    if weights is None:
        return (up.sum(0) + 0.5) / (len(rows) + 1)
    return (weights @ up + 0.5) / (weights.sum() + 1)


def largest_total_correlation(probabilities: Probabilities) -> float:
    """Return the sum of the entropies of all variables less the largest one, in nats.

    No total correlation of such variables is above it, as no joint entropy is below that of any one variable.

    >>> largest_total_correlation(np.array([0.5, 0.5, 1.0]))
    0.6931471805599453
    """
    entropies = entr(probabilities) + entr(1 - probabilities)
    return float(entropies.sum() - entropies.max())


def independent_count_law(probabilities: Probabilities) -> Float[np.ndarray, " counts"]:
    """Return the exact P(K) of the number K of variables that are +1, the convolution of their Bernoulli laws.

    >>> independent_count_law(np.array([0.5, 0.5]))
    array([0.25, 0.5 , 0.25])
    """
    law = np.ones(1)
    for p in probabilities:
        law = np.convolve(law, [1 - p, p])
    return law


def independent_log_likelihood(rows: Spins, probabilities: Probabilities) -> Float[np.ndarray, " rows"]:
    """Return ln p(s) of each row (M, N) of independent variables, in nats; a missing entry, 0, adds nothing.

    >>> independent_log_likelihood(np.array([[1, -1]], np.int8), np.array([0.5, 0.75])).round(3)
    array([-2.079])
    """
    active = (rows > 0).astype(np.float64)
    silent = (rows < 0).astype(np.float64)
    return active @ np.log(probabilities) + silent @ np.log1p(-probabilities)
