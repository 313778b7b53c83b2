"""Joint objective of all local regressions under J = J^T, for symmetric pseudo-likelihood and probability flow."""

import numpy as np
from jaxtyping import Bool

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.coupling_prior import FLAT, Curvatures, Posterior
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points
from vae_mf.inverse_ising.solvers.local_regression import LocalPoints, LocalRegression, Loss
from vae_mf.statistics.distinct import DistinctSpins


class SymmetricRegression:
    """Sum over spins of <loss(s_i theta_i)> + lambda / (2 M) sum_ij J_ij^2, as one problem of N (N + 1) parameters.

    The parameters are J, row by row, and h' = h + J m, which decouples fields from couplings near J = 0.

    Args:
        bonds: True where a coupling may differ from zero, symmetric (N, N); all for None.
    """

    def __init__(
        self,
        data: DistinctSpins,
        loss: Loss,
        strength: float = 0.0,
        bonds: Bool[np.ndarray, "sites sites"] | None = None,
    ):
        self.local = LocalRegression(data, loss)
        sites = data.spins.shape[1]
        self._bonds = ~np.eye(sites, dtype=bool) if bonds is None else bonds & ~np.eye(sites, dtype=bool)
        first = spin_moments(data.spins, data.shares)
        self._means = first.magnetisations
        self._spectrum, self._modes = np.linalg.eigh(first.covariances)
        self.penalise(strength)

    def penalise(
        self, strength: float | Couplings, curvatures: Curvatures = FLAT, doubts: float | Couplings = 0.0
    ) -> None:
        """Set the strength lambda of the penalty as in separate regressions; dispersions are means of two spins."""
        bends, own = curvatures
        self.local.penalise(strength, Curvatures(bends, (own + own[:, None]) / 2), doubts)
        self.ridge = self.local.ridge
        self._shared = np.ndim(strength) == 0
        self._bends = np.broadcast_to(bends, len(self._means))
        self._scales = np.sqrt(np.outer(self._bends, self._bends))
        spectrum = np.maximum(self._spectrum, 1e-8) + self.ridge[0].mean() / bends.mean()
        self._curvatures = (spectrum[:, None] + spectrum) / 2

    def start(self) -> Points:
        """Return the parameters of independent spins."""
        sites = len(self._means)
        fields = np.arctanh(np.clip(self._means, -0.999, 0.999))
        return np.concatenate([np.zeros(sites**2), fields])[:, None]

    def model(self, points: Points) -> tuple[Couplings, Fields]:
        """Return J and h."""
        couplings, fields = self._split(points)
        couplings = (couplings + couplings.T) / 2
        return couplings, fields - couplings @ self._means

    def parameters(self, couplings: Couplings, fields: Fields) -> Points:
        """Return the parameters of J and h, with the forbidden couplings set to zero."""
        kept = couplings * self._bonds
        return np.concatenate([kept.ravel(), fields + couplings @ self._means])[:, None]

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return the objective and its gradient in the space of symmetric matrices."""
        couplings, fields = self.model(points)
        everything = np.arange(len(fields))
        values, slopes = self.local.loss_and_slope(np.vstack([couplings, fields]), everything, dtype)
        value = values.sum() + (self.ridge * couplings**2).sum() / 2
        gradient = slopes[:-1] - np.outer(self._means, slopes[-1]) + self.ridge * couplings
        return Evaluation(np.array([value]), self._join(gradient, slopes[-1]))

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return an inverse Hessian at J = 0 times the gradient.

        With c_i the curvatures near the minimum, under one strength (C X + X C) / 2 = G is solved in C's eigenbasis
        between factors (c_i c_j)^(-1/4), under many by C's diagonal.
        """
        couplings, fields = self._split(gradients)
        if not self._shared:
            return self._join(couplings / (self._scales + self.ridge), fields / self._bends)
        roots = np.sqrt(self._scales)
        turned = self._modes.T @ (couplings / roots) @ self._modes / self._curvatures
        return self._join(self._modes @ turned @ self._modes.T / roots, fields / self._bends)

    def local_points(self, points: Points) -> LocalPoints:
        """Return J above h, the parameters of the separate regressions."""
        return np.vstack(self.model(points))

    def posterior(self, points: Points) -> Posterior:
        """Return couplings, and their variances as in separate regressions, which count no pair twice."""
        return self.local.posterior(self.local_points(points))

    def _split(self, points: Points) -> tuple[Couplings, Fields]:
        sites = len(self._means)
        return points[: sites**2, 0].reshape(sites, sites), points[sites**2 :, 0]

    def _join(self, couplings: Couplings, fields: Fields) -> Points:
        allowed = (couplings + couplings.T) / 2 * self._bonds
        return np.concatenate([allowed.ravel(), fields])[:, None]
