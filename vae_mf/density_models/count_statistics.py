"""Statistics of a K-pairwise model, s_i s_j, s_i and [K = k], and Newton's method on their moments."""

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.sparse.linalg import LinearOperator, cg

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.moments import Moments
from vae_mf.inverse_ising.solvers.count_ising import CountIsing
from vae_mf.inverse_ising.solvers.fisher import GaussianInformation, IsingParameters

CONJUGATE_STEPS, CONJUGATE_TOLERANCE = 100, 1e-2
OVERLAP = 0.3
"""Effective share of the model's sample that must survive reweighting to the next model; else the step is halved."""
RARE = 1e-7
"""Smallest share of rows with one count in the preconditioner."""
Vector = Float[np.ndarray, " parameters"]
"""J_ij row by row, i < j, then h_i, then V(0) ... V(most), or moments in the same order."""
FloatRows = Float32[np.ndarray, "rows variables"]
"""Spins in single precision."""


class Penalty:
    """Half of l2 sum_{i<j} J_ij^2 + l2_potential sum_K V(K)^2 + smoothness sum_K V'''(K)^2, V''' the third difference.

    The second term decides between potentials and couplings, both of which can hold what is quadratic in K.
    """

    def __init__(self, variables: int, most: int, l2: float, l2_potential: float, smoothness: float):
        third = np.diff(np.eye(most + 1), n=3, axis=0)
        self.potential = l2_potential * np.eye(most + 1) + smoothness * third.T @ third
        """Second derivative with respect to V, shape (most + 1, most + 1)."""
        self._couplings = np.concatenate([np.full(variables * (variables - 1) // 2, l2), np.zeros(variables)])

    def damped(self, extra: Float[np.ndarray, " counts"]) -> "Penalty":
        """Return a penalty with ``extra`` on the diagonal of the second derivative with respect to V."""
        other = copy(self)
        other.potential = self.potential + np.diag(extra)
        return other

    def times(self, vector: "Vector") -> "Vector":
        """Return the second derivative times a vector, which is the slope at a vector of parameters."""
        cut = len(self._couplings)
        return np.concatenate([self._couplings * vector[:cut], self.potential @ vector[cut:]])


class NewtonStep(NamedTuple):
    """A step towards the maximum of the likelihood."""

    move: Vector
    gain: float
    """Expected gain, in nats per row."""


class CountStatistics:
    """The statistics of rows of N spins.

    Counts above the largest one of the data share its potential, less (K - most)^2 / 2. Left free, V would rise where
    neither data nor chains have a row, until rows of very many +1 hold weight that no chain has seen.
    """

    def __init__(self, variables: int, most: int):
        self._variables = variables
        self._upper = np.triu_indices(variables, 1)
        self._cuts = len(self._upper[0]), len(self._upper[0]) + variables
        self._shared = np.minimum(np.arange(variables + 1), most)
        self._wall = (np.arange(variables + 1) - self._shared) ** 2 / 2
        self.size = self._cuts[1] + most + 1

    def vector(self, couplings: Couplings, fields: Fields, potential: Float[np.ndarray, " counts"]) -> Vector:
        """Return couplings, fields and V(0) ... V(most) in a row."""
        return np.concatenate([couplings[self._upper], fields, potential])

    def parts(self, vector: Vector) -> CountIsing:
        """Return couplings (N, N), fields (N,) and V(0) ... V(most) of a row of parameters or moments."""
        pairs, fields, potential = np.split(vector, self._cuts)
        couplings = np.zeros((self._variables, self._variables))
        couplings[self._upper] = pairs
        return CountIsing(couplings + couplings.T, fields, potential)

    def model(self, vector: Vector) -> CountIsing:
        """Return the model of a row of parameters."""
        parts = self.parts(vector)
        return parts._replace(potential=parts.potential[self._shared] - self._wall)

    def moments(self, rows: FloatRows, shares: Float[np.ndarray, " rows"]) -> Vector:
        """Return the sum of the statistics over rows, each times its share."""
        light = shares.astype(np.float32)
        pairs = (rows * light[:, None]).T @ rows
        counts = np.bincount(self._places(rows), weights=shares, minlength=self._shared[-1] + 1)
        return np.concatenate([pairs[self._upper], light @ rows, counts])

    def _places(self, rows: FloatRows) -> Int[np.ndarray, " rows"]:
        """Return the place of the potential of each row."""
        return self._shared[(rows > 0).sum(axis=1)]

    def newton_step(self, rows: FloatRows, gradient: Vector, penalty: Penalty) -> NewtonStep:
        """Return (F + P)^-1 times the gradient, F the covariance of the statistics over rows of the model."""
        shares = np.full(len(rows), 1 / len(rows))

        def information(direction: np.ndarray) -> np.ndarray:
            values = self._values(rows, direction)
            return self.moments(rows, (values - values.mean()) / len(rows)) + penalty.times(direction)

        shape = (self.size, self.size)
        inverse = self._approximate_inverse(self.moments(rows, shares), penalty)
        move, _ = cg(
            LinearOperator(shape, information, dtype=np.float64),  # pyright: ignore
            gradient,
            rtol=CONJUGATE_TOLERANCE,
            maxiter=CONJUGATE_STEPS,
            M=LinearOperator(shape, inverse, dtype=np.float64),  # pyright: ignore
        )
        return NewtonStep(self._shortened(rows, move), float(move @ gradient) / 2)

    def _values(self, rows: FloatRows, direction: Vector) -> Float[np.ndarray, " rows"]:
        """Return the sum of the statistics of each row, times a direction."""
        couplings, fields, potential = self.parts(direction)
        local = rows @ (couplings / 2).astype(np.float32) + fields.astype(np.float32)
        return np.einsum("ri,ri->r", rows, local) + potential[self._places(rows)]

    def _approximate_inverse(self, moments: Vector, penalty: Penalty) -> Callable[[np.ndarray], Vector]:
        """Return a function that applies F^-1 as if the variables were Gaussian, and the counts independent of them."""
        pairs, means, counts = self.parts(moments)
        np.fill_diagonal(pairs, 1)
        gaussian = GaussianInformation(Moments(means, pairs - np.outer(means, means), 1.0))
        stiffness = np.linalg.inv(np.diag(counts + RARE) + penalty.potential)

        def inverse(gradient: np.ndarray) -> np.ndarray:
            couplings, fields, potential = self.parts(gradient)
            return self.vector(*gaussian.solve(IsingParameters(couplings, fields)), stiffness @ potential)

        return inverse

    def _shortened(self, rows: FloatRows, move: Vector) -> Vector:
        """Return a move, halved until the rows, reweighted to the model after it, keep their effective share."""
        change = self._values(rows, move)
        length = 1.0
        while True:
            weights = np.exp(length * (change - change.max()))
            if weights.sum() ** 2 >= OVERLAP * len(rows) * np.square(weights).sum():
                return length * move
            length /= 2
