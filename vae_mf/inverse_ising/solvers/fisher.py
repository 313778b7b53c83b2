"""Fisher information of the Ising likelihood, applied and inverted without being formed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.energies import Weights, float_blocks
from vae_mf.inverse_ising.moments import Moments, spin_moments

ROWS = 4096
"""Number of configurations whose pair products are held at once."""


class IsingParameters(NamedTuple):
    """A model p(s) proportional to exp(s.J.s / 2 + h.s), a direction of models, or a gradient with respect to them."""

    couplings: Couplings
    """Symmetric, zero diagonal."""
    fields: Fields

    def plus(self, other: "IsingParameters", factor: float = 1.0) -> "IsingParameters":
        """Return self + factor * other."""
        return IsingParameters(self.couplings + factor * other.couplings, self.fields + factor * other.fields)

    def dot(self, other: "IsingParameters") -> float:
        """Return the scalar product, every pair counted once."""
        return float((self.couplings * other.couplings).sum() / 2 + self.fields @ other.fields)


class FisherInformation:
    """Covariance F of s_i s_j and s_i over weighted rows, about their means over these same rows.

    Means of other rows, were they ever so much better known, would leave F neither symmetric nor positive.
    """

    def __init__(self, spins: Spins, weights: Weights):
        self._spins = spins
        self._weights = weights / weights.sum()
        self.moments = spin_moments(spins, weights)
        """Moments of the rows."""

    def times(self, v: IsingParameters) -> IsingParameters:
        """Return F v."""
        mean = v.dot(IsingParameters(self.moments.pair_moments, self.moments.magnetisations))
        bonds = (v.couplings / 2).astype(np.float32)
        biases = v.fields.astype(np.float32)
        couplings = np.zeros(v.couplings.shape)
        fields = np.zeros(len(v.fields))
        first = 0
        for rows in float_blocks(self._spins, np.float32):
            values = np.einsum("ri,ri->r", rows, rows @ bonds + biases)
            values = ((values - mean) * self._weights[first : first + len(rows)]).astype(np.float32)
            couplings += (rows * values[:, None]).T @ rows
            fields += values @ rows
            first += len(rows)
        couplings = (couplings + couplings.T) / 2
        np.fill_diagonal(couplings, 0)
        return IsingParameters(couplings, fields)


class GaussianInformation:
    """Fisher information of Gaussian variables with given means and covariances, which has a closed inverse."""

    def __init__(self, moments: Moments):
        self._means = moments.magnetisations
        spectrum, modes = np.linalg.eigh(moments.covariances)
        self._inverse = modes / np.maximum(spectrum, 1e-6) @ modes.T

    def solve(self, gradient: IsingParameters) -> IsingParameters:
        """Return F^-1 times a gradient: dJ = C^-1 dC C^-1 and dh = C^-1 dm - dJ m, C the covariances.

        dC is the change of the connected correlations.
        """
        outer = np.outer(self._means, gradient.fields)
        couplings = self._inverse @ (gradient.couplings - outer - outer.T) @ self._inverse
        fields = self._inverse @ gradient.fields - couplings @ self._means
        couplings = (couplings + couplings.T) / 2
        np.fill_diagonal(couplings, 0)
        return IsingParameters(couplings, fields)


def solve_newton(
    times: Callable[[IsingParameters], IsingParameters],
    gaussian: GaussianInformation,
    gradient: IsingParameters,
    steps: int,
    tolerance: float,
) -> IsingParameters:
    """Return F^-1 times a gradient by conjugate gradients that a Gaussian information preconditions.

    Args:
        times: maps v to F v.
        steps: largest number of products F v.
        tolerance: length of the residual, relative to that of the gradient, at which the solution is good enough.
    """
    solution = IsingParameters(np.zeros_like(gradient.couplings), np.zeros_like(gradient.fields))
    residual = gradient
    move = gaussian.solve(gradient)
    length = first = residual.dot(move)
    for _ in range(steps):
        image = times(move)
        curvature = move.dot(image)
        if not curvature > 0:
            break
        solution = solution.plus(move, length / curvature)
        residual = residual.plus(image, -length / curvature)
        ahead = gaussian.solve(residual)
        old = length
        length = residual.dot(ahead)
        if length <= tolerance**2 * first:
            break
        move = ahead.plus(move, length / old)
    return solution


def information_matrix(spins: Spins, weights: Weights) -> Float[np.ndarray, "parameters parameters"]:
    """Return F as a matrix, the pairs i < j row by row before the fields; memory O(N^4)."""
    sites = spins.shape[1]
    upper = np.triu_indices(sites, 1)
    size = len(upper[0]) + sites
    second = np.zeros((size, size))
    first = np.zeros(size)
    for start in range(0, len(spins), ROWS):
        rows = spins[start : start + ROWS].astype(np.float64)
        share = weights[start : start + ROWS]
        features = np.hstack([rows[:, upper[0]] * rows[:, upper[1]], rows])
        first += share @ features
        second += (features * share[:, None]).T @ features
    return second - np.outer(first, first)
