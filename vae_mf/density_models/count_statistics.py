"""The statistics that a K-pairwise model fits, s_i s_j, s_i and [K = k], and Newton's method on their moments."""

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.sparse.linalg import LinearOperator, cg

from vae_mf.arrays import Couplings, Fields
from vae_mf.density_models.count_ising import CountIsing
from vae_mf.inverse_ising.moments import Moments
from vae_mf.inverse_ising.solvers.fisher import FisherInformation, Parameters

CONJUGATE_STEPS, CONJUGATE_TOLERANCE = 100, 1e-2
OVERLAP = 0.3
"""Effective share of the model's sample that must survive reweighting to the next model; else the step is halved."""

RARE = 1e-7
"""Smallest share of words with one count in the preconditioner."""

Vector = Float[np.ndarray, " parameters"]
"""Of J_ij row by row, i < j, then h_i, then V(0) ... V(most), or of their moments."""
Words = Float32[np.ndarray, "rows sites"]
"""Spins in single precision."""


class Penalty:
    """Half of l2 sum_{i<j} J_ij^2 + l2_potential sum_K V(K)^2 + smoothness sum_K V'''(K)^2, V''' the third difference.

    The second term decides between potentials and couplings, both of which can hold what is quadratic in K.

    Args:
        sites: N.
        most: largest count with a potential of its own.
        l2: weight of the squared couplings.
        l2_potential: weight of the squared potential.
        smoothness: weight of its squared third differences.
    """

    def __init__(self, sites: int, most: int, l2: float, l2_potential: float, smoothness: float):
        third = np.diff(np.eye(most + 1), n=3, axis=0)
        self.potential = l2_potential * np.eye(most + 1) + smoothness * third.T @ third
        """Second derivative with respect to V, shape (most + 1, most + 1)."""
        self._couplings = np.concatenate([np.full(sites * (sites - 1) // 2, l2), np.zeros(sites)])

    def damped(self, extra: Float[np.ndarray, " counts"]) -> "Penalty":
        """Return a penalty with ``extra`` on the diagonal of the second derivative with respect to V."""
        other = copy(self)
        other.potential = self.potential + np.diag(extra)
        return other

    def times(self, vector: "Vector") -> "Vector":
        """Return the second derivative times a vector, which is the slope at a vector of parameters."""
        cells = len(self._couplings)
        return np.concatenate([self._couplings * vector[:cells], self.potential @ vector[cells:]])


class NewtonStep(NamedTuple):
    """A step towards the maximum of the likelihood."""

    move: Vector
    gain: float
    """Expected gain, in nats per word."""


class CountStatistics:
    """The statistics of words of N spins.

    Counts above the largest one of the data share its potential, less (K - most)^2 / 2. Left free, V would rise where
    neither data nor chains have a word, until a state of very many active cells holds weight that no chain has seen.

    Args:
        sites: N.
        most: largest count with a potential of its own.
    """

    def __init__(self, sites: int, most: int):
        self._sites = sites
        self._upper = np.triu_indices(sites, 1)
        self._cuts = len(self._upper[0]), len(self._upper[0]) + sites
        self._shared = np.minimum(np.arange(sites + 1), most)
        self._wall = (np.arange(sites + 1) - self._shared) ** 2 / 2
        self.size = self._cuts[1] + most + 1

    def vector(self, couplings: Couplings, fields: Fields, potential: Float[np.ndarray, " counts"]) -> Vector:
        """Return couplings, fields and V(0) ... V(most) in a row."""
        return np.concatenate([couplings[self._upper], fields, potential])

    def parts(self, vector: Vector) -> CountIsing:
        """Return couplings (N, N), fields (N,) and V(0) ... V(most) of a row of parameters or moments."""
        pairs, fields, potential = np.split(vector, self._cuts)
        couplings = np.zeros((self._sites, self._sites))
        couplings[self._upper] = pairs
        return CountIsing(couplings + couplings.T, fields, potential)

    def model(self, vector: Vector) -> CountIsing:
        """Return the model of a row of parameters."""
        parts = self.parts(vector)
        return parts._replace(potential=parts.potential[self._shared] - self._wall)

    def moments(self, words: Words, shares: Float[np.ndarray, " rows"]) -> Vector:
        """Return the sum of the statistics over words, each times its share."""
        light = shares.astype(np.float32)
        pairs = (words * light[:, None]).T @ words
        counts = np.bincount(self._places(words), weights=shares, minlength=self._shared[-1] + 1)
        return np.concatenate([pairs[self._upper], light @ words, counts])

    def _places(self, words: Words) -> Int[np.ndarray, " rows"]:
        """Return which potential each word has."""
        return self._shared[(words > 0).sum(axis=1)]

    def newton_step(self, words: Words, gradient: Vector, penalty: Penalty) -> NewtonStep:
        """Return (F + P)^-1 times the gradient, F the covariance of the statistics over words of the model.

        Args:
            words: of the model.
            gradient: of log-likelihood and penalty, in nats per word.
            penalty: whose second derivative is P.
        """
        shares = np.full(len(words), 1 / len(words))

        def information(direction: np.ndarray) -> np.ndarray:
            values = self._values(words, direction)
            return self.moments(words, (values - values.mean()) / len(words)) + penalty.times(direction)

        shape = (self.size, self.size)
        inverse = self._approximate_inverse(self.moments(words, shares), penalty)
        move, _ = cg(
            LinearOperator(shape, information, dtype=np.float64),  # pyright: ignore
            gradient,
            rtol=CONJUGATE_TOLERANCE,
            maxiter=CONJUGATE_STEPS,
            M=LinearOperator(shape, inverse, dtype=np.float64),  # pyright: ignore
        )
        return NewtonStep(self._shortened(words, move), float(move @ gradient) / 2)

    def _values(self, words: Words, direction: Vector) -> Float[np.ndarray, " rows"]:
        """Return the sum of the statistics of each word, times a direction."""
        couplings, fields, potential = self.parts(direction)
        local = words @ (couplings / 2).astype(np.float32) + fields.astype(np.float32)
        return np.einsum("ri,ri->r", words, local) + potential[self._places(words)]

    def _approximate_inverse(self, moments: Vector, penalty: Penalty) -> Callable[[np.ndarray], Vector]:
        """Return a function that applies F^-1 as if the cells were Gaussian, and the counts independent of them."""
        pairs, means, counts = self.parts(moments)
        np.fill_diagonal(pairs, 1)
        cells = Moments(means, pairs - np.outer(means, means), 1.0)
        information = FisherInformation(np.empty((0, self._sites), np.int8), np.empty(0), cells, 0.0)
        stiffness = np.linalg.inv(np.diag(counts + RARE) + penalty.potential)

        def inverse(gradient: np.ndarray) -> np.ndarray:
            couplings, fields, potential = self.parts(gradient)
            return self.vector(*information.gaussian_solution(Parameters(couplings, fields)), stiffness @ potential)

        return inverse

    def _shortened(self, words: Words, move: Vector) -> Vector:
        """Return a move, halved until the words, reweighted to the model after it, keep their effective share."""
        change = self._values(words, move)
        length = 1.0
        while True:
            weights = np.exp(length * (change - change.max()))
            if weights.sum() ** 2 >= OVERLAP * len(words) * np.square(weights).sum():
                return length * move
            length /= 2
