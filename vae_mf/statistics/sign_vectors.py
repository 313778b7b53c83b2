"""Sign vectors in the column space of a matrix: FastICA, alternating projections, and a search that proves its finds.

The columns of G (N x d), such as a decoder's Jacobian, span the patterns up to an invertible mixing. The residual of a
sign vector s is the part of it outside that space, r(s) = 1 - |Pi s|^2 / N, with Pi the projector: no truth is needed.
"""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Shaped
from scipy.linalg import null_space
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from vae_mf.arrays import Patterns
from vae_mf.checks import require_fraction, require_integer
from vae_mf.rng import generator

Directions = Float[np.ndarray, "sites latents"]
"""A matrix whose columns span the patterns."""
DESCENT_STEPS, ROUNDING_STEPS = 20, 20
"""Iterations of the descent of the fourth moment, and of s <- sign(Pi s)."""
STAGES = (1 / 8, 1 / 4, 1 / 2, 1)
"""Shares of the tolerance that a search goes through: the surest patterns first, the others are easier after them."""
DOUBTFUL = 0.95
"""Share of the residual reached by chance up to which vectors fill up what the verified leave open."""
CHANCE_BATCHES = 16
"""Batches that say what residuals are reached by chance."""
KEPT = 4
"""One in so many descents, those of smallest fourth moment, are rounded to sign vectors."""
SAME = 0.9
"""Sign vectors of at least this overlap are the same pattern."""


class SignVectors(NamedTuple):
    """Sign vectors that were found in a space."""

    vectors: Patterns
    """Shape (found, N), in the order of the finds; a vector and its negative are the same."""
    residuals: Float[np.ndarray, " found"]
    """1 - |Pi s|^2 / N of each."""
    tolerance: float
    """Largest residual of a verified one."""
    starts: int
    """Random starts that were made."""

    @property
    def verified(self) -> int:
        """Number of verified vectors, which are the first."""
        return int((self.residuals < self.tolerance).sum())


@dataclass(frozen=True)
class Search:
    """Length of a search by `search_sign_vectors`, and its criterion.

    >>> from vae_mf.statistics.sign_vectors import search_sign_vectors
    >>> patterns = np.random.default_rng(0).choice([-1, 1], (2, 60))
    >>> mixed = np.stack([patterns[0] + patterns[1], patterns[0] - 2 * patterns[1]], axis=1).astype(float)
    >>> found = search_sign_vectors(mixed, seed=1, settings=Search(starts=512))
    >>> np.abs(found.vectors @ patterns.T).max(axis=1) / 60  # overlaps: both patterns recovered
    array([1., 1.])

    Args:
        starts: largest number of random starts; the search ends sooner with as many patterns as dimensions.
        batch: number of random starts that descend together.
        tolerance: largest residual of an accepted sign vector; None for ``margin`` times the smallest one that
            `CHANCE_BATCHES` batches reach in a random space of the same dimension.
        margin: number below 1, see ``tolerance``.
        fill: True to go on, after the verified, with vectors whose residual is below what chance reaches, but not
            far below: in noisy spaces most of them are patterns, but nothing proves it.

    Raises:
        ValueError: if a number is out of range.
    """

    starts: int = 50_000
    batch: int = 512
    tolerance: float | None = None
    margin: float = 0.6
    fill: bool = False

    def __post_init__(self) -> None:
        require_integer("starts", self.starts)
        require_integer("batch", self.batch)
        require_fraction("margin", self.margin)
        if self.tolerance is not None:
            require_fraction("tolerance", self.tolerance)


def search_sign_vectors(directions: Directions, seed: int, settings: Search | None = None) -> SignVectors:
    """Return the sign vectors of the column space, verified by s = sign(Pi s) and r(s) within tolerance.

    From random w on the sphere, y = sqrt(N) Q w with Q an orthonormal basis has mean square 1, and its fourth moment is
    at least 1, which sign vectors alone attain. It descends by the fixed point of FastICA, w <- 3 w - Q^T y^3 / sqrt(N)
    normalised; then s <- sign(Pi s) until it stays. Every second batch starts in the complement of what has been found:
    other patterns are nearly orthogonal to these, and every find makes the next one easier. The others start in the
    whole space, for a pattern whose part in a noisy space depends on those of the others.

    >>> patterns = np.random.default_rng(1).choice([-1.0, 1.0], (64, 2))
    >>> search_sign_vectors(patterns @ [[1, 2], [1, -1]], seed=1).verified
    2

    Raises:
        ValueError: if the directions vanish or there are more of them than sites.
    """
    settings = settings or Search()
    basis = orthonormal_basis(directions)
    random = generator(seed, "sign vectors")
    sites, rank = basis.shape
    chance = chance_residual(sites, rank, seed, settings.batch)
    limit = settings.tolerance or settings.margin * chance
    stages = [limit * share for share in STAGES] + [DOUBTFUL * chance] * settings.fill
    found = np.empty((0, sites), np.float32)
    residuals = np.empty(0)
    free = basis
    starts = 0
    for tolerance in np.repeat(stages, -(-settings.starts // (settings.batch * len(stages)))):
        whole = starts // settings.batch % 2 or not free.shape[1]
        candidates, distances = rounded(descend(basis if whole else free, found, settings.batch, random), basis)
        starts += settings.batch
        new = distinct(candidates[distances < tolerance], found)[: rank - len(found)]
        if len(new):
            found = np.concatenate((found, new))
            residuals = np.append(residuals, residual(basis, new))
            free = complement(basis, found)
        if len(found) == rank:
            break
    return SignVectors(found.astype(np.int8), residuals, float(limit), starts)


def orthonormal_basis(directions: Directions) -> Float[np.ndarray, "sites rank"]:
    """Return an orthonormal basis of the column space in float32, without directions of vanishing singular value."""
    if directions.shape[1] > directions.shape[0]:
        raise ValueError(f"directions: expected at most as many as sites, got shape {directions.shape}")
    left, scales, _ = np.linalg.svd(directions, full_matrices=False)
    rank = int((scales > 1e-6 * scales[0]).sum())
    if not rank:
        raise ValueError("directions: expected at least one that does not vanish, got none")
    return np.ascontiguousarray(left[:, :rank], np.float32)


def chance_residual(sites: int, dimension: int, seed: int, batch: int = 512) -> float:
    """Return the smallest residual that `CHANCE_BATCHES` batches reach in a random space, which holds no pattern."""
    random = generator(seed, "chance residual")
    basis = orthonormal_basis(random.standard_normal((sites, dimension)))
    nothing = np.empty((0, sites), np.float32)
    return float(min(rounded(descend(basis, nothing, batch, random), basis)[1][0] for _ in range(CHANCE_BATCHES)))


def descend(
    basis: Float[np.ndarray, "sites rank"],
    known: Float[np.ndarray, "known sites"],
    batch: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "kept sites"]:
    """Return the points y of the space, from ``batch`` random starts, whose fourth moments descended furthest.

    Those that came to a known sign vector are the last: a pattern of slightly larger moment would never be kept.
    """
    scaled = basis * np.float32(np.sqrt(len(basis)))
    weights = random.standard_normal((basis.shape[1], batch), dtype=np.float32)
    weights /= np.linalg.norm(weights, axis=0)
    for _ in range(DESCENT_STEPS):
        points = scaled @ weights
        weights = 3 * weights - scaled.T @ (points * points * points) / len(basis)
        weights /= np.linalg.norm(weights, axis=0)
    points = scaled @ weights
    squares = points * points
    moments = (squares * squares).mean(0)
    moments[(np.abs(known @ points) >= SAME * len(basis)).any(0)] = np.inf
    return points[:, np.argsort(moments)[: -(-batch // KEPT)]].T


def rounded(
    points: Float[np.ndarray, "rows sites"], basis: Float[np.ndarray, "sites rank"]
) -> tuple[Float[np.ndarray, "kept sites"], Float[np.ndarray, " kept"]]:
    """Return the fixed points of s <- sign(Pi s) that the given points lead to, smallest residual first, with these."""
    signs = signs_of(points)
    for _ in range(ROUNDING_STEPS):
        previous = signs
        signs = signs_of((signs @ basis) @ basis.T)
        if np.array_equal(signs, previous):
            break
    settled = signs[(signs_of((signs @ basis) @ basis.T) == signs).all(1)]
    # A batch that leads nowhere still has to say how near it came.
    signs = settled if len(settled) else signs
    distances = residual(basis, signs)
    order = np.argsort(distances, kind="stable")
    return signs[order], distances[order]


def signs_of(values: Float[np.ndarray, "rows sites"]) -> Float[np.ndarray, "rows sites"]:
    """Return the signs as float32, +1 at zero."""
    return np.where(values >= 0, np.float32(1), np.float32(-1))


def residual(basis: Float[np.ndarray, "sites rank"], signs: Float[np.ndarray, "rows sites"]) -> np.ndarray:
    """Return r(s) = 1 - |Pi s|^2 / N of every row, in [0, 1]."""
    shares = ((signs @ basis).astype(np.float64) ** 2).sum(1) / len(basis)
    return np.clip(1 - shares, 0, 1)


def distinct(
    candidates: Float[np.ndarray, "rows sites"], known: Float[np.ndarray, "known sites"]
) -> Float[np.ndarray, "new sites"]:
    """Return the candidates, in their order, that are neither among the known nor repeat one before them."""
    chosen = list(known)
    for candidate in candidates:
        if not chosen or np.abs(np.stack(chosen) @ candidate).max() < SAME * len(candidate):
            chosen.append(candidate)
    return np.array(chosen[len(known) :], np.float32).reshape(-1, candidates.shape[1])


def unmix(directions: Directions, restarts: int, seed: int) -> Patterns:
    """Return +-1 patterns (d, N) that span the given directions, by FastICA with the sites as samples (paper, IX.4).

    Of the restarts the one whose unit-variance sources lie closest to +-1 is kept: the truth has no say in it. A
    restart that does not converge is simply a worse candidate.

    >>> patterns = np.random.default_rng(1).choice([-1.0, 1.0], (64, 2))
    >>> found = unmix(patterns @ [[1, 2], [1, -1]], restarts=2, seed=1)
    >>> np.abs(found @ patterns / 64).max(0).tolist()
    [1.0, 1.0]
    """
    restarted = [ica_sources(directions, seed + restart) for restart in range(restarts)]
    return as_patterns(min(restarted, key=lambda sources: np.mean((np.abs(sources) - 1) ** 2)))


def recover(directions: Directions, restarts: int, seed: int, settings: Search | None = None) -> Patterns:
    """Return the patterns (rank, N) of a column space: those of the search, then FastICA of what is left."""
    found = search_sign_vectors(directions, seed, settings or Search(fill=True)).vectors
    left = complement(orthonormal_basis(directions), found)
    rest = unmix(left, restarts, seed) if left.shape[1] else found[:0]
    return np.concatenate((found, rest))


def complement(
    basis: Float[np.ndarray, "sites rank"], signs: Shaped[np.ndarray, "found sites"]
) -> Float[np.ndarray, "sites left"]:
    """Return an orthonormal basis of what is left of a space without the projections of sign vectors onto it."""
    return basis @ null_space(signs.astype(np.float64) @ basis).astype(np.float32)


def ica_sources(directions: Directions, seed: int) -> Float[np.ndarray, "sites latents"]:
    """Return the sources of one run of FastICA, each of unit variance over the sites."""
    ica = FastICA(directions.shape[1], whiten="unit-variance", random_state=seed, max_iter=1000, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ica.fit_transform(directions)


def sign_procrustes(directions: Directions, restarts: int, seed: int, iterations: int = 200) -> Patterns:
    """Return +-1 patterns (d, N) by alternating S = sign(sqrt(N) Q R) and the rotation R nearest to it.

    Minimises |sqrt(N) Q R - S|^2 over rotations R and sign matrices S, from the patterns of FastICA and from random
    rotations; the smallest minimum is kept. R = U V^T from the singular vectors of Q^T S (orthogonal Procrustes).
    """
    basis = orthonormal_basis(directions).astype(np.float64)
    random = generator(seed, "sign procrustes")
    rank = basis.shape[1]
    starts = [unmix(basis, 1, seed % 2**31).T.astype(np.float64)]
    starts += [basis @ np.linalg.qr(random.standard_normal((rank, rank)))[0] for _ in range(restarts)]
    minima = [alternate(basis, start, iterations) for start in starts]
    return as_patterns(min(minima, key=lambda sources: np.mean((np.abs(sources) - 1) ** 2)))


def alternate(
    basis: Float[np.ndarray, "sites rank"], start: Float[np.ndarray, "sites rank"], iterations: int
) -> Float[np.ndarray, "sites rank"]:
    """Return the sources sqrt(N) Q R where the alternation of signs and rotations ends."""
    sources = start
    signs = np.zeros_like(start)
    for _ in range(iterations):
        previous = signs
        signs = np.where(sources >= 0, 1.0, -1.0)
        if np.array_equal(previous, signs):
            break
        left, _, right = np.linalg.svd(basis.T @ signs)
        sources = np.sqrt(len(basis)) * basis @ (left @ right)
    return sources


def as_patterns(sources: Float[np.ndarray, "sites latents"]) -> Int8[np.ndarray, "latents sites"]:
    """Return the signs of the sources, one pattern per row."""
    return np.where(sources >= 0, 1, -1).astype(np.int8).T
