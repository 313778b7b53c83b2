"""Regressions of every spin on all others, the objectives behind pseudo-likelihood and interaction screening.

For spin i with theta_i = h_i + sum_j J_ij s_j the objective is <loss(s_i theta_i)> + lambda / (2 M) sum_j J_ij^2, over
the M samples. All spins share their matrix products; memory is O(M N) bytes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.coupling_prior import FLAT, Curvatures, Posterior
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points
from vae_mf.statistics.distinct import DistinctSpins

ROWS = 1024
"""Number of rows in a block, whose arrays stay in the cache."""
RIDGE = 1e-8
"""Added to second moments before their inversion, for spins that are copies of each other."""


LocalPoints = Float[np.ndarray, "features sites"]
"""J above h."""


class Loss(NamedTuple):
    """A convex decreasing function of the margin s_i theta_i."""

    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    """Return the loss and its derivative; may overwrite the margins."""
    curvature: Callable[[np.ndarray], np.ndarray]
    """Return the second derivative from the first."""
    expected: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    """Return the means of squared first and of second derivative over s_i at given theta_i."""
    logarithm: bool = False
    """True if the objective is the logarithm of the mean loss, that of one row of margin 0 added to its sum."""


def logistic(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ln(1 + exp(-2 z)), minus the log conditional likelihood, and its derivative."""
    margins *= -2
    np.minimum(margins, 80, out=margins)
    odds = np.exp(margins, out=margins)
    total = 1 + odds
    odds /= total
    odds *= -2
    # Faster than log1p, and no less accurate in a sum of many.
    return np.log(total, out=total), odds


def exponential(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return exp(-z) and its derivative."""
    np.clip(margins, -80, 80, out=margins)
    np.negative(margins, out=margins)
    losses = np.exp(margins, out=margins)
    return losses, -losses


def expected_logistic(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 / cosh^2 theta twice, for a likelihood's slope has the variance of its curvature."""
    squares = 1 / np.cosh(np.clip(theta, -40, 40)) ** 2
    return squares, squares


def expected_exponential(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 and 1 / cosh theta."""
    return np.ones_like(theta), 1 / np.cosh(np.clip(theta, -40, 40))


LOGISTIC = Loss(logistic, lambda slopes: -slopes * (2 + slopes), expected_logistic)
EXPONENTIAL = Loss(exponential, np.negative, expected_exponential)
LOG_EXPONENTIAL = Loss(exponential, np.negative, expected_exponential, logarithm=True)


class SeenCurvatures(NamedTuple):
    """Curvature and noise of every spin's objective on the rows themselves."""

    means: Float[np.ndarray, " sites"]
    """Mean second derivative with respect to theta."""
    slopes: Float[np.ndarray, " sites"]
    """Root of the mean square of the first derivative."""


class LocalRegression:
    """Independent objectives, one per spin, of parameters (N + 1, N): column i holds J_i1 ... J_iN, h_i, with J_ii = 0.

    Args:
        strength: lambda of the l2 penalty on couplings, as for a Gaussian prior of variance 1 / lambda.
    """

    def __init__(self, data: DistinctSpins, loss: Loss, strength: float = 0.0):
        self.data, self.loss = data, loss
        self.second_moments = second_moments(data)
        """Second moments of (s_1, ..., s_N, 1), the Hessian at J = h = 0 without penalty."""
        self.penalise(strength)

    def penalise(
        self, strength: float | Couplings, curvatures: Curvatures = FLAT, doubts: float | Couplings = 0.0
    ) -> None:
        """Set the strength lambda of the penalty, one for all couplings or one for each.

        Args:
            curvatures: those near the minimum; the penalty of a spin grows with the dispersion of its loss.
            doubts: variance of the strengths' own uncertainty, in units of J^2, which `posterior_errors` adds.
        """
        self.ridge = np.full((self.sites, self.sites), strength / self.data.samples) * curvatures.dispersions
        self.doubts = doubts
        self.strength = strength
        """lambda, the precision of a Gaussian prior of the couplings."""
        self._shared = np.ndim(strength) == 0
        self._bends = np.broadcast_to(curvatures.means, self.sites)
        diagonal = np.full(self.sites + 1, float(self.ridge[0].mean()) + RIDGE)
        diagonal[-1] = RIDGE
        self.metric = self.second_moments + np.diag(diagonal)
        """Hessian at J = h = 0 under one strength."""
        self._inverse = np.linalg.inv(self.metric)

    @property
    def sites(self) -> int:
        """Number of spins N."""
        return self.data.spins.shape[1]

    @property
    def local(self) -> "LocalRegression":
        """The regressions themselves."""
        return self

    def start(self) -> Points:
        """Return zero couplings and fields."""
        return np.zeros((self.sites + 1, self.sites))

    def model(self, points: Points) -> tuple[Couplings, Fields]:
        """Return (J + J^T) / 2 and h."""
        return (points[:-1] + points[:-1].T) / 2, points[-1].copy()

    def local_points(self, points: Points) -> LocalPoints:
        """Return the parameters as they are."""
        return points

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return objectives and gradients of the spins ``columns``."""
        values, gradients = self.loss_and_slope(points, columns, dtype)
        couplings = points[:-1]
        pulls = self.ridge[:, columns] * couplings
        values += (pulls * couplings).sum(axis=0) / 2
        gradients[:-1] += pulls
        gradients[columns, np.arange(len(columns))] = 0
        return Evaluation(values, gradients)

    def loss_and_slope(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return mean loss and gradient without penalty; the entries of J_ii are meaningless."""
        weights = points.astype(dtype)
        chosen = slice(None) if len(columns) == self.sites else columns
        values = np.zeros(len(columns))
        gradients = np.zeros(points.shape)
        for first in range(0, len(self.data.spins), ROWS):
            rows = self.data.spins[first : first + ROWS].astype(dtype)
            shares = self.data.shares[first : first + ROWS].astype(dtype)
            targets = rows[:, chosen]
            margins = rows @ weights[:-1]
            margins += weights[-1]
            margins *= targets
            losses, slopes = self.loss.evaluate(margins)
            values += shares @ losses
            slopes *= targets
            slopes *= shares[:, None]
            gradients[:-1] += rows.T @ slopes
            gradients[-1] += slopes.sum(axis=0)
        if self.loss.logarithm:
            # One more row of margin 0: without it the logarithm of rows that are separated has no bound below.
            values += 1 / self.data.samples
            return Evaluation(np.log(values), gradients / values)
        return Evaluation(values, gradients)

    def posterior(self, points: Points) -> Posterior:
        """Return couplings and variances in a Gaussian approximation around the minimum under one strength.

        The Hessian of spin i is taken as M c_i C, with C the covariances of the other spins and c_i the mean curvature
        of the loss; the row and column of the spin itself are taken out of the inverse over all spins. The variances
        are kappa_i times its inverse.
        """
        curvatures = self.curvatures(points)
        means, dispersions = curvatures
        m = self.second_moments[:-1, -1]
        spectrum, modes = np.linalg.eigh(self.second_moments[:-1, :-1] - np.outer(m, m))
        ridge = self.strength * dispersions / self.data.samples + RIDGE
        along = np.outer(np.maximum(spectrum, 0), means) + ridge
        everything = modes**2 @ (1 / along)
        own = modes @ (modes.T / along)
        # Copies of a spin leave a difference of rounding errors.
        variances = np.maximum(everything - own**2 / np.diag(own), 1 / along.max())
        return Posterior(points[:-1], variances * dispersions / self.data.samples, curvatures)

    def determined(self, couplings: Couplings) -> float:
        """Return the number of couplings, zeros apart, that the data determine better than the prior does.

        It is sum_ij (1 - lambda v_ij), with v_ij the variance of J_ij in its regression were all others known.
        """
        known = np.outer(1 - self.second_moments[:-1, -1] ** 2, self._bends)
        return float((known / np.maximum(known + self.ridge, RIDGE))[couplings != 0].sum() / 2)

    def curvatures(self, points: Points) -> Curvatures:
        """Return the mean curvatures and dispersions of the objectives, as the model expects them."""
        weights = points.astype(np.float32)
        sums = np.zeros((2, self.sites))
        for first in range(0, len(self.data.spins), ROWS):
            rows = self.data.spins[first : first + ROWS].astype(np.float32)
            shares = self.data.shares[first : first + ROWS].astype(np.float32)
            sums += [shares @ values for values in self.loss.expected(rows @ weights[:-1] + weights[-1])]
        squares, means = sums
        if self.loss.logarithm:
            return Curvatures(np.ones(self.sites), squares / means**2)
        return Curvatures(means, squares / means)

    def seen_curvatures(self, points: Points) -> SeenCurvatures:
        """Return the mean curvatures of the objectives and the scatter of their slopes, as the rows show them."""
        weights = points.astype(np.float32)
        sums = np.zeros((3, self.sites))
        for first in range(0, len(self.data.spins), ROWS):
            rows = self.data.spins[first : first + ROWS].astype(np.float32)
            shares = self.data.shares[first : first + ROWS].astype(np.float32)
            losses, slopes = self.loss.evaluate(rows * (rows @ weights[:-1] + weights[-1]))
            sums += [shares @ losses, shares @ self.loss.curvature(slopes), shares @ slopes**2]
        losses, curvatures, squares = sums
        scale = losses if self.loss.logarithm else 1.0
        return SeenCurvatures(curvatures / scale, np.sqrt(squares) / scale)

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return an inverse Hessian at J = h = 0, without the row and column of the spin itself, times gradients.

        Under one strength it is exact, under many the diagonal's with the curvature near the minimum.
        """
        here = columns, np.arange(len(columns))
        if self._shared:
            result = self._inverse @ gradients
            result -= self._inverse[:, columns] * (result[here] / self._inverse[columns, columns])
        else:
            result = gradients.copy()
            result[:-1] /= self._bends[columns] + self.ridge[:, columns]
            result[-1] /= self._bends[columns]
        result[here] = 0
        return result


def second_moments(data: DistinctSpins) -> Float[np.ndarray, "features features"]:
    """Return the second moments of (s_1, ..., s_N, 1), shape (N + 1, N + 1)."""
    m = spin_moments(data.spins, data.shares)
    sites = data.spins.shape[1]
    second = np.ones((sites + 1, sites + 1))
    second[:sites, :sites] = m.pair_moments
    second[:sites, sites] = second[sites, :sites] = m.magnetisations
    return second
