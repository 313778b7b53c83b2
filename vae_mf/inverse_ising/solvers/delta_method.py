"""Standard errors of closed formulas for couplings, by the delta method.

A configuration with deviations d = s - m from the means moves C_ij by d_i d_j - C_ij and, with y = C^-1 d, the inverse
B_ij by B_ij - y_i y_j. A formula J_ij = g(m_i, m_j, C_ij, B_ij) moves by these times its derivatives; the mean square
of this influence over the configurations, divided by M, is the variance of J_ij. The model need not be true.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vae_mf.arrays import Couplings, Spins
from vae_mf.inverse_ising.energies import BLOCK, Weights
from vae_mf.inverse_ising.moments import Moments, inverse_covariances

STEP = 1e-5
"""Step of central differences, whose relative error is its square."""


class PairValues(NamedTuple):
    """Arguments of closed formulas for a pair of spins, arrays (N, N); the last two have zero diagonals."""

    first: Couplings
    """m_i."""
    second: Couplings
    """m_j."""
    covariances: Couplings
    """C_ij."""
    inverse: Couplings
    """B_ij = (C^-1)_ij."""


Formula = Callable[[PairValues], Couplings]


def pair_values(data: Moments) -> PairValues:
    """Return the arguments of closed formulas from moments."""
    matrices = data.covariances.copy(), inverse_covariances(data)
    for matrix in matrices:
        np.fill_diagonal(matrix, 0)
    first = np.repeat(data.magnetisations[:, None], len(matrices[0]), axis=1)
    return PairValues(first, first.T.copy(), *matrices)


def delta_errors(spins: Spins, weights: Weights, data: Moments, formula: Formula, shrinkage: float = 0.0) -> Couplings:
    """Return the standard errors of the couplings that a formula symmetric in i and j gives; time O(M N^2).

    Each of the four states of a pair counts half a time more than it was seen, with the other spins at their means:
    states that were never seen would else carry no variance.

    Args:
        data: moments that the formula is given; with a pseudocount each configuration has the less weight.
        shrinkage: share by which covariances, and a configuration's part in them, are reduced. The part of variances,
            which are not, is left out; it is small unless fields are strong.
    """
    values = pair_values(data)
    inverse = inverse_covariances(data)
    of_mean, of_covariance, of_inverse = (
        derivative(formula, values, name) for name in ("first", "covariances", "inverse")
    )
    of_covariance *= 1 - shrinkage
    of_inverse *= 1 - shrinkage
    squares = np.zeros_like(inverse)
    sums = np.zeros_like(inverse)
    for first in range(0, len(spins), BLOCK):
        d, w = spins[first : first + BLOCK] - data.magnetisations, weights[first : first + BLOCK, None]
        y = d @ inverse
        linear = of_mean * (w * d).sum(axis=0)[:, None]
        sums += linear + linear.T + of_covariance * ((w * d).T @ d) - of_inverse * ((w * y).T @ y)
        fourth = of_covariance**2 * ((w * d**2).T @ d**2) + of_inverse**2 * ((w * y**2).T @ y**2)
        fourth -= 2 * of_covariance * of_inverse * ((w * d * y).T @ (d * y))
        third = of_mean * (of_covariance * ((w * d**2).T @ d) - of_inverse * ((w * d * y).T @ y))
        second = of_mean**2 * (w * d**2).sum(axis=0)[:, None] + of_mean * of_mean.T * ((w * d).T @ d)
        half = fourth / 2 + 2 * third + second
        squares += half + half.T
    means = sums / weights.sum()
    squares -= means * sums
    scale = np.diag(inverse)
    for a, b in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        d = a - data.magnetisations[:, None]
        e = b - data.magnetisations
        responses = (scale[:, None] * d + values.inverse * e) * (scale * e + values.inverse * d)
        influence = of_mean * d + of_mean.T * e + of_covariance * d * e - of_inverse * responses
        squares += (influence - means) ** 2 / 2
    # Residuals of regressions on N spins are smaller than errors by this factor, as those of a Gaussian are.
    freedom = data.samples / max(data.samples - len(inverse), 1.0)
    variances = freedom * np.maximum(squares, 0) / data.samples**2
    np.fill_diagonal(variances, 0)
    return np.sqrt(variances)


def derivative(formula: Formula, values: PairValues, name: str) -> Couplings:
    """Return the derivative of a formula with respect to one of its values, pair by pair."""
    value = getattr(values, name)
    ahead, behind = (formula(values._replace(**{name: value + sign * STEP})) for sign in (1, -1))
    return (ahead - behind) / (2 * STEP)
