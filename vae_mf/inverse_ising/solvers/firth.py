"""Logistic regression with Firth's penalty (Jeffreys' prior), whose estimates are finite for separable data too."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit, log_expit

from vae_mf.inverse_ising.solvers.lbfgs import Stopping

Coefficients = Float[np.ndarray, " parameters"]
LARGEST_STEP = 2.0
ROUNDING = 1e-13
SHORTEST = 1e-6
"""Share of a step below which there is no better point along it."""
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

    Newton's method on the modified score, hat values q: sum_mu (w_mu (y - pi) + q_mu (1/2 - pi)) x_mu (Firth 1993), its
    steps halved until the maximum comes nearer.
    """
    tolerance, limit = stopping
    point = _point(np.zeros(features.shape[1]), features, targets, weights)
    for iteration in range(1, limit + 1):
        if np.abs(point.score).max() <= tolerance * weights.sum():
            return FirthFit(point.parameters, _inverse(point.factor), iteration, True)
        step = cho_solve(point.factor, point.score)
        length = min(1.0, LARGEST_STEP / np.abs(step).max())
        while length > SHORTEST:
            new = _point(point.parameters + length * step, features, targets, weights)
            if new.value > point.value - ROUNDING * abs(point.value):
                break
            length /= 2
        else:
            break
        point = new
    return FirthFit(point.parameters, _inverse(point.factor), iteration, False)


class _Point(NamedTuple):
    """Parameters with their penalised likelihood, its modified score, and the Cholesky factor of the information."""

    parameters: Coefficients
    value: float
    score: Coefficients
    factor: tuple[np.ndarray, bool]


def _point(parameters: Coefficients, features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> _Point:
    margins = 2 * (features @ parameters)
    chances = expit(margins)
    variances = weights * chances * (1 - chances)
    # theta carries a factor 2 to the log-odds, hence 4 to the information.
    information = 4 * (features.T * variances) @ features
    factor = cho_factor(information + RIDGE * np.trace(information) * np.eye(len(information)), lower=True)
    leverage = 4 * variances * np.square(solve_triangular(factor[0], features.T, lower=True)).sum(axis=0)
    residuals = weights * ((targets + 1) / 2 - chances) + leverage * (0.5 - chances)
    value = float(weights @ log_expit(targets * margins) + np.log(np.diag(factor[0])).sum())
    return _Point(parameters, value, 2 * residuals @ features, factor)


def _inverse(factor) -> Float[np.ndarray, "parameters parameters"]:
    return cho_solve(factor, np.eye(len(factor[0])))
