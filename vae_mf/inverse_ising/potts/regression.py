"""Joint objective of the multinomial regressions of all sites on the others, under J_ij(a, b) = J_ji(b, a)."""

from functools import cached_property

import numpy as np
from jaxtyping import Float

from vae_mf.inverse_ising.potts.coordinates import Coordinates
from vae_mf.inverse_ising.potts.kernels import add_to_picked
from vae_mf.inverse_ising.potts.model import PottsParameters, conditionals, local_fields, whole_lanes
from vae_mf.inverse_ising.potts.pair_prior import PairEstimates, Strengths
from vae_mf.inverse_ising.potts.rows import ColumnVector, PottsRows
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points

FLOOR = 1e-6
"""Added to variances of which the inverse is taken."""


class PottsRegression:
    """Minus sum_i <ln p(x_i | all others)> plus the penalties of all sites, as one problem.

    The penalty of site i is l2 / (2 M) sum_j <J_ij(a, b)^2> + fields_l2 / (2 M) <h_i(a)^2>, means over states. The
    parameters are the coordinates of J and of h + J f, which decouples fields from couplings near J = 0.
    """

    def __init__(self, data: PottsRows, fields_l2: float):
        self.data = data
        self.frequencies = data.frequencies
        self.coordinates = Coordinates(self.frequencies, data.states)
        self._fields_ridge = fields_l2 / data.samples
        self._variances = self.coordinates.pair_variances()
        self.penalise(0.0)

    def penalise(self, strength: float | Strengths, doubts: float | Strengths = 0.0) -> None:
        """Set the weight l2, one for all pairs or one for each.

        Args:
            doubts: variance of the weights' own uncertainty, in units of J^2, which standard errors contain.
        """
        self.doubts = np.zeros(len(self.coordinates.first)) + doubts
        """Doubt of every pair i < j."""
        couplings = self.coordinates.couplings
        self.strengths = np.zeros(len(self.coordinates.first)) + strength
        """Weight of every pair i < j."""
        self.ridges = np.full(self.coordinates.size, self._fields_ridge)
        """Second derivatives of the penalty of one site by the coordinates."""
        self.ridges[:couplings] = np.repeat(self.strengths / self.data.samples, (self.data.states - 1) ** 2)
        self._curvatures = self._variances + self.ridges + FLOOR
        self._curvatures[:couplings] *= 2

    def start(self) -> Points:
        """Return the parameters of independent sites."""
        return self.coordinates.independent(smoothed(self.frequencies, self.data))[:, None]

    def model(self, points: Points) -> PottsParameters:
        """Return J and h."""
        couplings, fields = self.coordinates.model(points[:, 0])
        return PottsParameters(couplings, fields - couplings @ self.frequencies)

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return the objective and its gradient."""
        model = self.model(points)
        value, pairs, singles = self._loss_and_slopes(model, dtype)
        pull = self._fields_ridge / self.data.states
        value += pull * (model.fields @ model.fields) / 2
        singles += pull * model.fields
        pairs -= np.outer(self.frequencies, singles)
        gradient = self.coordinates.gradient(pairs + pairs.T, singles)
        couplings = points[: self.coordinates.couplings, 0]
        pulls = self.ridges[: self.coordinates.couplings] * couplings
        value += pulls @ couplings
        gradient[: self.coordinates.couplings] += 2 * pulls
        return Evaluation(np.array([value]), gradient[:, None])

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return the gradient over the curvatures at independent sites, which is their inverse Hessian but for C_ij."""
        return gradients / self._curvatures[:, None]

    def determined(self, points: Points) -> float:
        """Return the number of couplings that the data determine better than the penalty does, all pairs having one.

        gamma = sum (1 - l2 s^2), s^2 the variances of K_i of separate regressions, whose Hessian is taken as M D_i x C:
        C are the covariances of the other sites' coordinates, D_i is the mean curvature of the site's own.
        """
        spectrum, modes = self._modes
        degrees = self.data.states - 1
        ridge = float(self.ridges[0])
        total = 0.0
        for site, curvature in enumerate(self._mean_curvatures(points)):
            own = modes[site * degrees : (site + 1) * degrees]
            for bend in np.maximum(np.linalg.eigvalsh(curvature), 0):
                variances = 1 / (bend * np.maximum(spectrum, 0) + ridge + FLOOR)
                # Without the site itself: the trace of the inverse of a part is that of the whole less this.
                itself = np.linalg.solve(own * variances @ own.T, own * variances**2 @ own.T)
                others = len(spectrum) - degrees
                total += others - ridge * max(variances.sum() - np.trace(itself), 0.0)
        return total

    def squares(self, points: Points) -> float:
        """Return sum_ij <J_ij(a, b)^2>, every pair counted in both orders."""
        couplings = points[: self.coordinates.couplings, 0]
        return float(2 * couplings @ couplings)

    @cached_property
    def _modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors of the covariances of all coordinates."""
        second = self.data.pair_frequencies - np.outer(self.frequencies, self.frequencies)
        return np.linalg.eigh(self.coordinates.projected(second))

    def estimates(self, points: Points) -> PairEstimates:
        """Return the coordinates of the couplings without the penalty, in a Gaussian approximation without C_ij.

        The information on K_ij(k, l) is M times the mean of D_i(k, k) C_jj(l, l) and C_ii(k, k) D_j(l, l).
        """
        coordinates = self.coordinates
        own = np.einsum("ikk->ik", self._mean_curvatures(points))[:, :, None]
        other = coordinates.variances[:, None]
        both = own[coordinates.first] * other[coordinates.second]
        both += other[coordinates.first].transpose(0, 2, 1) * own[coordinates.second].transpose(0, 2, 1)
        information = np.maximum(self.data.samples * both / 2, FLOOR).reshape(len(both), -1)
        found = points[: coordinates.couplings, 0].reshape(information.shape)
        return PairEstimates((found * (1 + self.strengths[:, None] / information)) ** 2, 1 / information)

    @property
    def l2(self) -> Float[np.ndarray, "sites sites"]:
        """Weights of all pairs of sites."""
        matrix = np.zeros((self.data.sites, self.data.sites))
        matrix[self.coordinates.first, self.coordinates.second] = self.strengths
        return matrix + matrix.T

    def _loss_and_slopes(self, model: PottsParameters, dtype: type) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the mean loss without penalty, and its derivatives by J_ij(b, a), j picking, and by h_i(a)."""
        data = self.data
        value = 0.0
        pairs = np.zeros(model.couplings.shape)
        singles = np.zeros(len(model.fields))
        slopes = np.zeros((0, 0), dtype)
        for tile in local_fields(data.picks, model, data.states, dtype):
            shares = data.shares[tile.rows].astype(dtype)
            found = conditionals(tile, data.picks)
            value += float(shares @ found.losses.sum(axis=1))
            found.probabilities[found.own] -= 1
            width = tile.columns.stop - tile.columns.start
            if tile.rows.start == 0:
                slopes = np.zeros((len(model.fields), whole_lanes(width)), dtype)
            flat = np.zeros((len(shares), slopes.shape[1]), dtype)
            np.multiply(found.probabilities.reshape(-1, width), shares[:, None], out=flat[:, :width])
            add_to_picked(data.picks[tile.rows], flat, slopes)
            singles[tile.columns] += flat[:, :width].sum(axis=0)
            if tile.rows.stop == len(data.picks):
                pairs[:, tile.columns] = slopes[:, :width]
        return value, pairs, singles

    def _mean_curvatures(self, points: Points) -> Float[np.ndarray, "sites coordinates coordinates"]:
        """Return D_i = <diag(p) - p p^T> of the conditional probabilities of every site, in its coordinates."""
        data = self.data
        singles = np.zeros((data.sites, data.states))
        seconds = np.zeros((data.sites, data.states, data.states))
        for tile in local_fields(data.picks, self.model(points), data.states, np.float32):
            p = conditionals(tile, data.picks).probabilities.transpose(1, 0, 2)
            weighted = p * data.shares[tile.rows, None].astype(np.float32)
            singles[tile.sites] += weighted.sum(axis=1)
            seconds[tile.sites] += weighted.transpose(0, 2, 1) @ p
        bases = self.coordinates.bases
        return bases.transpose(0, 2, 1) @ (singles[:, :, None] * np.eye(data.states) - seconds) @ bases


def smoothed(frequencies: ColumnVector, data: PottsRows) -> ColumnVector:
    """Return frequencies with one more row, all of whose states are equally likely."""
    return (data.samples * frequencies + 1 / data.states) / (data.samples + 1)
