"""Weighted first and second moments of spins, exact where the weights are equal, in memory O(N^2) beyond the spins."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.arrays import Spins
from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.energies import BLOCK, Weights

UNSEEN = 1e-10
"""Largest probability that is a rounding error."""


class Moments(NamedTuple):
    """Magnetisations and connected correlations of N spins."""

    magnetisations: Float[np.ndarray, " sites"]
    """m_i = <s_i>."""
    covariances: Float[np.ndarray, "sites sites"]
    """C_ij = <s_i s_j> - m_i m_j; the diagonal is 1 - m_i^2."""
    samples: float
    """Total weight M."""

    @property
    def pair_moments(self) -> Float[np.ndarray, "sites sites"]:
        """<s_i s_j>."""
        return self.covariances + np.outer(self.magnetisations, self.magnetisations)


def spin_moments(spins: Spins, weights: Weights | None = None) -> Moments:
    """Return the moments of spins (M, N), each row counting ``weights`` times (once for None).

    Integer sums of at most 2^16 spins are exact in float32, which makes the equal-weight case twice as fast.

    >>> spin_moments(np.array([[1, 1], [1, -1], [-1, -1], [-1, -1]], np.int8)).magnetisations
    array([ 0. , -0.5])
    """
    blocks = (spins[first : first + BLOCK] for first in range(0, len(spins), BLOCK))
    if weights is None or (weights == weights[0]).all():
        return _normalised(map(_equal_sums, blocks), float(len(spins)), 1.0 if weights is None else float(weights[0]))
    parts = (weights[first : first + BLOCK] for first in range(0, len(spins), BLOCK))
    return _normalised(map(_weighted_sums, blocks, parts), float(weights.sum()), 1.0)


def regularised(raw: Moments, pseudocount: Any = 0.0, shrinkage: Any = 0.0) -> Moments:
    """Return moments pulled towards independent spins."""
    kept = raw.samples / (raw.samples + require_non_negative("pseudocount", pseudocount))
    if not 0 <= require_non_negative("shrinkage", shrinkage) <= 1:
        raise ValueError(f"shrinkage: expected a number from 0 to 1, got {shrinkage!r}")
    magnetisations = kept * raw.magnetisations
    covariances = (1 - shrinkage) * (kept * raw.pair_moments - np.outer(magnetisations, magnetisations))
    np.fill_diagonal(covariances, 1 - magnetisations**2)
    return Moments(magnetisations, covariances, raw.samples + pseudocount)


def refuse_copies(data: Moments) -> None:
    """Raise ValueError if two spins are equal, or opposite, in all samples: their coupling is then infinite."""
    scale = np.sqrt(np.diag(data.covariances))
    # A constant spin has no correlations; it is refused elsewhere.
    limit = (1 - 1e-12) * np.outer(scale, scale)
    pairs = np.argwhere(np.triu((np.abs(data.covariances) >= limit) & (limit > 0), 1))
    if len(pairs):
        raise ValueError(
            f"spins: expected different spins, got copies (equal or opposite in all samples) {pairs[:5].tolist()}"
            f"{' and more' if len(pairs) > 5 else ''}; leave one of each out, or set pseudocount or shrinkage > 0"
        )


def missing_states(data: Moments) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs i < j of spins that were never seen in one of their four states.

    >>> missing_states(spin_moments(np.array([[1, 1], [1, -1], [-1, -1]], np.int8))).tolist()
    [[0, 1]]
    """
    m, second = data.magnetisations, data.pair_moments
    shares = [1 + a * m[:, None] + b * m + a * b * second for a in (-1, 1) for b in (-1, 1)]
    return np.argwhere(np.triu(np.min(shares, axis=0) < UNSEEN, 1))


def inverse_covariances(data: Moments) -> Float[np.ndarray, "sites sites"]:
    """Return C^-1.

    >>> inverse_covariances(Moments(np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]]), 100.0)).round(3)
    array([[ 1.333, -0.667],
           [-0.667,  1.333]])

    Raises:
        ValueError: if C is singular, as with fewer samples than spins.
    """
    spectrum = np.linalg.eigvalsh(data.covariances)
    if spectrum[0] <= 1e-12 * spectrum[-1]:
        raise ValueError(
            f"spins: expected an invertible covariance matrix, got eigenvalues from {spectrum[0]:.1e} to "
            f"{spectrum[-1]:.1e} ({data.samples:g} samples of {len(spectrum)} spins); set pseudocount or "
            "shrinkage > 0, or use an estimator that does not invert it"
        )
    inverse = np.linalg.inv(data.covariances)
    return (inverse + inverse.T) / 2


def _equal_sums(spins: Spins) -> tuple[np.ndarray, np.ndarray]:
    rows = spins.astype(np.float32)
    return rows.sum(axis=0), rows.T @ rows


def _weighted_sums(spins: Spins, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    rows = spins.astype(np.float64)
    weighted = rows * weights[:, None]
    return weighted.sum(axis=0), rows.T @ weighted


def _normalised(sums, count: float, weight: float) -> Moments:
    """Return moments from the sums over blocks of rows, ``count`` rows in all, each of the given weight."""
    first = np.zeros(1)
    second = np.zeros((1, 1))
    for single, pair in sums:
        first, second = first + single, second + pair
    magnetisations = first / count
    covariances = second / count - np.outer(magnetisations, magnetisations)
    covariances = (covariances + covariances.T) / 2
    np.fill_diagonal(covariances, 1 - magnetisations**2)
    return Moments(magnetisations, covariances, count * weight)
