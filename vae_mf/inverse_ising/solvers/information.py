"""Inverses of information matrices, which may leave some directions untold."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

SINGULAR = 1e-13
"""Information per parameter, in units of the largest possible, that is a rounding error."""
PART = 1e-6
"""Smallest squared share of untold directions in a combination of parameters that leaves it untold."""
Matrix = Float[np.ndarray, "parameters parameters"]
Parameters = Float[np.ndarray, " parameters"]


class Inverse(NamedTuple):
    """Inverse of an information matrix in the directions that it tells, and those that it does not."""

    roots: Float[np.ndarray, "parameters told"]
    """R, with R R^T the inverse."""
    untold: Float[np.ndarray, "parameters untold"]
    """Orthonormal directions of no information."""

    @property
    def matrix(self) -> Matrix:
        """R R^T."""
        return self.roots @ self.roots.T

    @property
    def known(self) -> Bool[np.ndarray, " parameters"]:
        """True for parameters without a part in untold directions."""
        return (self.untold**2).sum(axis=1) <= PART

    @property
    def projection(self) -> Matrix:
        """Projection on the untold directions."""
        return self.untold @ self.untold.T

    def part(self, chosen: Int[np.ndarray, " chosen"]) -> "Inverse":
        """Return the rows of some parameters."""
        return Inverse(self.roots[chosen], self.untold[chosen])

    def marginal(self, chosen: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen chosen"]:
        """Return the information about some parameters where the others are not known."""
        part = self.part(chosen)
        if not self.untold.size:
            return np.linalg.pinv(part.matrix, hermitian=True)
        shares, directions = np.linalg.eigh(part.projection)
        kept = directions[:, shares <= PART]
        return kept @ np.linalg.pinv(kept.T @ part.matrix @ kept, hermitian=True) @ kept.T

    def variances(self) -> Parameters:
        """Return the variance of every parameter, infinite where it has a part in untold directions."""
        return np.where(self.known, (self.roots**2).sum(axis=1), np.inf)


def inverted(information: Matrix, unit: float) -> Inverse:
    """Return the inverse of a symmetric matrix without negative eigenvalues but for rounding errors.

    >>> inverted(np.diag([4.0, 0.0]), 4.0).variances(), inverted(np.ones((2, 2)), 1.0).variances()
    (array([0.25,  inf]), array([inf, inf]))

    Args:
        unit: information about a parameter at most, as of rows that each tell 1.
    """
    spectrum, modes = np.linalg.eigh(information)
    above = spectrum > SINGULAR * len(spectrum) * unit
    return Inverse(modes[:, above] / np.sqrt(spectrum[above]), modes[:, ~above])
