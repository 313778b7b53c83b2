"""Patterns of a linear decoder in a form that can be compared between models, and their stability.

Latent variables are known up to an invertible mixing only: models share the space that the columns of W span.
Sign vectors in that space are patterns of their own right; all else is given by its principal axes.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.linalg import null_space, orth, subspace_angles
from scipy.optimize import linear_sum_assignment

from vae_mf.analysis.latent_potential import prior_draws
from vae_mf.analysis.stored_patterns import logit_jacobian
from vae_mf.models.vae import VAE
from vae_mf.rng import integer
from vae_mf.statistics.sign_vectors import Search, search_sign_vectors

PRIOR_DRAWS = 10_000
"""Draws of z that give the covariance of the prior."""
VARIANCE_DRAWS = 4000
"""Draws of z that give the variance of every variable's mean."""
JACOBIAN_DRAWS = 64
"""Draws of z that the Jacobian is averaged over; a linear decoder has the same everywhere."""
LIKELY = 16
"""Sites of the largest part in a space, of which small sets are tried."""
STARTS = 8192
"""Random starts of the search for sign vectors."""
MARGIN = 0.3
"""Share of the residual reached by chance below which a vector is one of signs: a space of real data often holds a
direction, such as the activity of all variables, that comes half as near."""
SIGN, AXIS = "sign vector", "principal axis"
"""Kinds of pattern."""
DIRECTION = "direction"
"""Begins the names of the columns of a table that hold directions."""
PatternRows = Float[np.ndarray, "patterns sites"]


class FoundPatterns(NamedTuple):
    """Patterns of one model, sign vectors first, each kind by falling strength."""

    values: PatternRows
    """How far half the log-odds of every site move along the pattern, per standard deviation of the latents."""
    kinds: list[str]
    """`SIGN` or `AXIS` of each."""
    residuals: Float[np.ndarray, " patterns"]
    """Share of a sign vector outside the space of the model, see `vae_mf.statistics.sign_vectors`; NaN for an axis."""
    directions: Float[np.ndarray, "sites latents"]
    """W L, with L L^T the covariance of p(z): they span the space."""

    @property
    def strengths(self) -> Float[np.ndarray, " patterns"]:
        """Root mean square of the values of each pattern."""
        return np.sqrt((self.values**2).mean(axis=1))


def read_patterns(vae: VAE, seed: int) -> FoundPatterns:
    """Return the patterns of a model: verified sign vectors of its space, and the principal axes of the rest."""
    return separate(scaled_directions(vae, seed), seed)


def variables_per_latent(vae: VAE, seed: int, groups: Sequence[tuple[int, ...]] = ()) -> float:
    """Return the number of variables, on the average, that carry a latent variable of no group; 0 if there is none.

    With c_i the share of the variance of variable i that the latent variables hold, (sum c)^2 / sum c^2 variables take
    part, those of groups left out, divided by the number of the other latent variables. It is at most the number of
    these variables: more than three take four.

    Args:
        vae: model of spins.
        seed: seed of the draws of z.
        groups: sets of variables that carry a latent variable of their own.
    """
    shares = explained_variance(vae, seed).shares
    shares[list(chain.from_iterable(groups))] = 0.0
    others = vae.latents - len(groups)
    return float(shares.sum() ** 2 / (shares**2).sum() / others) if others > 0 and shares.any() else 0.0


class ExplainedVariance(NamedTuple):
    """Variance of the variables -1 and +1 under a model, and what the latent variables hold of it."""

    shares: Float[np.ndarray, " sites"]
    """Share of the variance of every variable that the latent variables hold."""
    variances: Float[np.ndarray, " sites"]


def explained_variance(vae: VAE, seed: int) -> ExplainedVariance:
    """Return the variance of every variable, and the share of it that the latent variables hold."""
    draws = torch.as_tensor(prior_draws(vae, 1.0, VARIANCE_DRAWS, integer(seed, "participation")))
    like = next(vae.parameters())
    with torch.no_grad():
        means = vae.decoder(draws.to(like.device, like.dtype)).mean.double().cpu().numpy()
    variances = np.maximum(1 - means.mean(0) ** 2, np.finfo(float).tiny)
    return ExplainedVariance(means.var(0) / variances, variances)


def small_groups(vae: VAE, seed: int, largest: int, share: float) -> list[tuple[int, ...]]:
    """Return the sets of few variables that carry a latent variable of their own, see `concentrated_sets`."""
    scale = np.sqrt(explained_variance(vae, seed).variances)
    return concentrated_sets(scaled_directions(vae, seed) * scale[:, None], largest, share)


def concentrated_sets(
    directions: Float[np.ndarray, "sites latents"], largest: int, share: float
) -> list[tuple[int, ...]]:
    """Return the sets of few sites that hold nearly all of some direction of a space, a direction each.

    Whatever the mixing of the latent variables: with P the projection on the space, the largest share of a direction in
    it that a set can hold is the largest eigenvalue of the rows and columns of P that belong to the set.

    >>> broad, pair = np.ones(20), np.r_[1.0, 1.0, np.zeros(18)]
    >>> concentrated_sets(np.stack([broad + pair, broad - pair], 1), largest=3, share=0.95)
    [(0, 1)]

    Args:
        directions: directions that span the space.
        largest: number of sites in a set, from two to so many.
        share: share of the squares of a direction that a set must hold.
    """
    basis = orth(directions)
    found = []
    while basis.shape[1]:
        held, sites, within = strongest_set(basis, largest, share)
        if held < share:
            break
        found.append(sites)
        # The direction itself leaves the space.
        basis = basis @ null_space((within @ basis[list(sites)])[None])
    return found


def strongest_set(
    basis: Float[np.ndarray, "sites dimensions"], largest: int, share: float
) -> tuple[float, tuple[int, ...], Float[np.ndarray, " chosen"]]:
    """Return the smallest set that holds a share of a direction, or the one that holds most, with the direction's part.

    Args:
        basis: orthonormal columns.
        largest: number of sites in a set, from two to so many.
        share: share that is enough.
    """
    leverage = (basis**2).sum(1)
    likely = np.sort(np.argsort(-leverage, kind="stable")[:LIKELY])
    best: tuple[float, tuple[int, ...], np.ndarray] = (0.0, (), np.zeros(0))
    for size in range(2, largest + 1):
        for sites in combinations(map(int, likely), size):
            part = basis[list(sites)]
            values, vectors = np.linalg.eigh(part @ part.T)
            if values[-1] > best[0]:
                best = (float(values[-1]), sites, vectors[:, -1])
        if best[0] >= share:
            break
    return best


def scaled_directions(vae: VAE, seed: int) -> Float[np.ndarray, "sites latents"]:
    """Return W L: half the Jacobian of the log-odds in units of the standard deviation of p(z), L L^T = Cov(z)."""
    jacobian = logit_jacobian(vae, 1.0, JACOBIAN_DRAWS, integer(seed, "jacobian")) / 2
    return jacobian @ prior_scale(vae, seed)


def prior_scale(vae: VAE, seed: int) -> Float[np.ndarray, "latents latents"]:
    """Return the lower triangular L of L L^T = Cov(z) under p(z), from draws."""
    draws = prior_draws(vae, 1.0, PRIOR_DRAWS, integer(seed, "prior"))
    return np.linalg.cholesky(np.atleast_2d(np.cov(draws, rowvar=False)))


def separate(directions: Float[np.ndarray, "sites latents"], seed: int) -> FoundPatterns:
    """Return the verified sign vectors of a space, and the principal axes of its part beside them."""
    search = search_sign_vectors(directions, seed, Search(starts=STARTS, margin=MARGIN))
    signs = search.vectors.astype(np.float64)
    # The standard deviation of the field along the pattern, (1/N) sum_i s_i h_i.
    strengths = np.linalg.norm(signs @ directions, axis=1) / len(directions)
    order = np.argsort(-strengths)
    basis = orth(signs.T) if len(signs) else np.empty((len(directions), 0))
    left = directions - basis @ (basis.T @ directions)
    axes, scales, _ = np.linalg.svd(left, full_matrices=False)
    count = directions.shape[1] - len(signs)
    rest = (axes[:, :count] * scales[:count]).T
    return FoundPatterns(
        np.concatenate([(strengths[:, None] * signs)[order], upright(rest)]),
        [SIGN] * len(signs) + [AXIS] * count,
        np.concatenate([search.residuals[order], np.full(count, np.nan)]),
        directions,
    )


def upright(rows: PatternRows) -> PatternRows:
    """Return the rows with the sign, which is arbitrary, that makes their sum positive.

    >>> upright(np.array([[1.0, -3.0], [2.0, 1.0]]))
    array([[-1.,  3.],
           [ 2.,  1.]])
    """
    return np.where(rows.sum(axis=1, keepdims=True) < 0, -rows, rows)


def partners(reference: PatternRows, other: Float[np.ndarray, "others sites"]) -> PatternRows:
    """Return the partner of every reference pattern, with its sign, by the assignment of the largest total |cosine|.

    A pattern for which no partner is left has zeros.
    """
    cosines = unit(reference) @ unit(other).T
    rows, columns = linear_sum_assignment(-np.abs(cosines))
    found = np.zeros_like(reference)
    found[rows] = np.where(cosines[rows, columns] < 0, -1, 1)[:, None] * other[columns]
    return found


def matched_overlaps(
    reference: PatternRows, other: Float[np.ndarray, "others sites"]
) -> Float[np.ndarray, " patterns"]:
    """Return the cosine of every reference pattern and its partner (`partners`), 0 if none is left.

    >>> matched_overlaps(np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[-2.0, 2.0]])).round(9) + 0.0
    array([0., 1.])
    """
    return (unit(reference) * unit(partners(reference, other))).sum(axis=1)


def captured_shares(
    reference: PatternRows, directions: Float[np.ndarray, "sites latents"]
) -> Float[np.ndarray, " patterns"]:
    """Return the share of every pattern inside the space of some directions, beyond that inside a random one.

    |Pi v|^2 / |v|^2 is d / N on average in a random space of d dimensions; a share of 1 stays 1, of d / N becomes 0.
    """
    basis = orth(directions)
    chance = basis.shape[1] / basis.shape[0]
    shares = ((unit(reference) @ basis) ** 2).sum(axis=1)
    return (shares - chance) / (1 - chance) if chance < 1 else np.zeros(len(reference))


def unit(rows: PatternRows) -> PatternRows:
    """Return the rows at length 1.

    >>> unit(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)


def stability_table(reference: FoundPatterns, repetitions: Mapping[str, FoundPatterns]) -> pd.DataFrame:
    """Return per repetition and pattern the part of it that was recovered.

    Columns repetition, pattern (counted from 1), ``overlap`` with its partner (`matched_overlaps`), ``share`` inside
    the space of the repetition, whatever the mixing of its latents (`captured_shares`), and ``angle``, the largest
    principal angle of both spaces in degrees.
    """
    frames = [
        pd.DataFrame(
            {
                "repetition": name,
                "pattern": np.arange(1, len(reference.values) + 1),
                "overlap": matched_overlaps(reference.values, other.values),
                "share": captured_shares(reference.values, other.directions),
                "angle": np.degrees(subspace_angles(reference.directions, other.directions)[0]),
            }
        )
        for name, other in repetitions.items()
    ]
    columns = ["repetition", "pattern", "overlap", "share", "angle"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def pattern_table(found: FoundPatterns, stability: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return a row per pattern: kind, residual, strength, median and least share, and ``recovered``.

    A pattern is recovered if its share is at least ``threshold`` in more than half of the repetitions; without
    repetitions that is not known, None.
    """
    shares = stability.groupby("pattern").share
    table = pd.DataFrame(
        {
            "pattern": np.arange(1, len(found.values) + 1),
            "kind": found.kinds,
            "residual": found.residuals,
            "strength": found.strengths,
        }
    ).set_index("pattern")
    table["median_share"] = shares.median()
    table["least_share"] = shares.min()
    counted = stability.assign(recovered=stability.share >= threshold).groupby("pattern").recovered.mean() > 0.5
    table["recovered"] = [bool(counted[k]) if k in counted.index else None for k in table.index]
    return table.reset_index()
