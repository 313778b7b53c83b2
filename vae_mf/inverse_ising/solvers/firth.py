"""Logistic regression with Firth's penalty (Jeffreys' prior), whose estimates are finite for separable data too."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

from vae_mf.inverse_ising.solvers.lbfgs import Stopping

Coefficients = Float[np.ndarray, " parameters"]
LARGEST_STEP = 2.0
RIDGE = 1e-12
"""Relative addition to the information, for spins that are copies of each other."""


class FirthFit(NamedTuple):
    """Estimate of one regression."""

    parameters: Coefficients
    covariance: Float[np.ndarray, "parameters parameters"]
    """Inverse Fisher information."""
    n_iter: int
    converged: bool


def firth_regression(
    features: Float[np.ndarray, "samples parameters"],
    targets: Float[np.ndarray, " samples"],
    weights: Float[np.ndarray, " samples"],
    stopping: Stopping,
) -> FirthFit:
    """Maximise sum_mu w_mu ln p(t_mu | theta_mu) + 1/2 ln det I, p = 1 / (1 + exp(-2 t theta)), theta = features . w.

    Newton's method on the modified score, hat values q: sum_mu (w_mu (y - pi) + q_mu (1/2 - pi)) x_mu (Firth 1993).
    """
    tolerance, limit = stopping
    parameters = np.zeros(features.shape[1])
    successes = (targets + 1) / 2
    for iteration in range(1, limit + 1):
        chances = expit(2 * (features @ parameters))
        variances = weights * chances * (1 - chances)
        # theta carries a factor 2 to the log-odds, hence 4 to the information.
        information = 4 * (features.T * variances) @ features
        factor = cho_factor(information + RIDGE * np.trace(information) * np.eye(len(information)), lower=True)
        leverage = 4 * variances * np.square(solve_triangular(factor[0], features.T, lower=True)).sum(axis=0)
        residuals = weights * (successes - chances) + leverage * (0.5 - chances)
        score = 2 * residuals @ features
        if np.abs(score).max() <= tolerance * weights.sum():
            return FirthFit(parameters, _inverse(factor), iteration, True)
        step = cho_solve(factor, score)
        parameters = parameters + step * min(1.0, LARGEST_STEP / np.abs(step).max())
    return FirthFit(parameters, _inverse(factor), limit, False)


def _inverse(factor) -> Float[np.ndarray, "parameters parameters"]:
    return cho_solve(factor, np.eye(len(factor[0])))
