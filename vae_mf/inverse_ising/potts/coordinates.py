"""Coordinates of Potts models in zero-sum gauge, in which an Ising model has those that it always has.

J_ij(a, b) = sum_kl B_i(a, k) K_ij(k, l) B_j(b, l) and h_i(a) = sum_k B_i(a, k) k_i(k), where the q - 1 columns of B_i
are orthogonal to each other and to 1, and have mean square 1. Hence |K_ij|^2 is the mean of J_ij(a, b)^2 over the pairs
of states. Of all such bases each site has the one in which the functions B_i(x_i, k) are not correlated.
"""

import numpy as np
from jaxtyping import Float
from scipy.linalg import helmert

from vae_mf.inverse_ising.potts.model import PottsParameters
from vae_mf.inverse_ising.potts.rows import ColumnMatrix, ColumnVector

Vector = Float[np.ndarray, " parameters"]
"""K_ij of all pairs i < j, pair by pair, then k_i of all sites."""


class Coordinates:
    """Coordinates of models of N sites, whose frequencies f_i(a) choose the bases."""

    def __init__(self, frequencies: ColumnVector, states: int):
        f = frequencies.reshape(-1, states)
        self.sites, self.states = f.shape
        plain = np.sqrt(states) * helmert(states).T
        covariances = f[:, :, None] * np.eye(states) - f[:, :, None] * f[:, None]
        self.variances, turns = np.linalg.eigh(plain.T @ covariances @ plain)
        """Variance of every coordinate of sites with these frequencies, shape (N, q - 1)."""
        self.bases = plain @ turns
        self.first, self.second = np.triu_indices(self.sites, 1)
        self.couplings = len(self.first) * (states - 1) ** 2
        """Number of coordinates of couplings, which come before those of fields."""
        self.size = self.couplings + self.sites * (states - 1)

    def model(self, vector: Vector) -> PottsParameters:
        """Return J and h."""
        degrees = self.states - 1
        shape = self.sites, self.states, self.sites, self.states
        pairs = self.bases[self.first] @ vector[: self.couplings].reshape(-1, degrees, degrees)
        pairs = pairs @ self.bases[self.second].transpose(0, 2, 1)
        couplings = np.zeros(shape)
        couplings[self.first, :, self.second] = pairs
        couplings[self.second, :, self.first] = pairs.transpose(0, 2, 1)
        fields = np.matmul(self.bases, vector[self.couplings :].reshape(-1, degrees, 1))
        return PottsParameters(couplings.reshape(fields.size, -1), fields.ravel())

    def gradient(self, pairs: ColumnMatrix, singles: ColumnVector) -> Vector:
        """Return the gradient with respect to K_ij, i < j, and k_i from those with respect to J_ij and h_i.

        For the parameters of a model in zero-sum gauge, q^2 and q times its coordinates.
        """
        blocks = pairs.reshape(self.sites, self.states, self.sites, self.states)[self.first, :, self.second]
        turned = self.bases[self.first].transpose(0, 2, 1) @ blocks @ self.bases[self.second]
        fields = np.matmul(self.bases.transpose(0, 2, 1), singles.reshape(self.sites, self.states, 1))
        return np.concatenate([turned.ravel(), fields.ravel()])

    def vector(self, model: PottsParameters) -> Vector:
        """Return the coordinates of a model in zero-sum gauge."""
        result = self.gradient(*model)
        result[: self.couplings] /= self.states**2
        result[self.couplings :] /= self.states
        return result

    def projected(self, matrix: ColumnMatrix) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return B^T A B, B the bases of all sites: the covariances of the coordinates from those of the columns."""
        for _ in range(2):
            blocks = matrix.reshape(self.sites, self.states, -1)
            matrix = (self.bases.transpose(0, 2, 1) @ blocks).reshape(-1, matrix.shape[1]).T
        return matrix

    def pair_variances(self) -> Vector:
        """Return the variance of every coordinate were the sites independent."""
        pairs = self.variances[self.first][:, :, None] * self.variances[self.second][:, None]
        return np.concatenate([pairs.ravel(), self.variances.ravel()])

    def independent(self, frequencies: ColumnVector) -> Vector:
        """Return the model of independent sites with given frequencies, all above zero."""
        logs = np.log(frequencies).reshape(self.sites, self.states, 1)
        result = np.zeros(self.size)
        result[self.couplings :] = (self.bases.transpose(0, 2, 1) @ logs).ravel() / self.states
        return result
