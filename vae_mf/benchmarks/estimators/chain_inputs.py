"""Inputs of the regression of a variable on those before it: summaries, functions of them, and neighbours."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.reference import Reference, Summaries, functions_of

SUMMARIES = 8
"""Principal components at most."""
EDGE = 1.05
"""Factor by which the eigenvalue of a component that counts lies beyond those of independent variables."""
FLAT = 1e-4
"""Eigenvalue of correlations below which a sum does not vary, as that of a variable and its copy."""
LEAST_DISTANCE = 0.2
"""Share of the distance of the component that stands out most, on a logarithmic scale, by which others must."""
UNITS = 16
"""Random units without a summary, to which each adds `UNITS_OF_SUMMARY`, up to `MOST_UNITS`."""
UNITS_OF_SUMMARY, MOST_UNITS = 8, 40
NEIGHBOURS, AT_ONCE = 40, 8
"""Variables that are chosen at most, and between two looks."""
BEYOND_CHANCE = 4.0
"""Excess of a squared score over 2 ln(candidates) that makes it count."""
COLLINEAR = 1e-3
"""Share of a variable's variance that the chosen ones must leave."""
Covariance = Float[np.ndarray, "variables variables"]


class Inputs(NamedTuple):
    """Inputs of one regression."""

    columns: Float32[np.ndarray, "rows inputs"]
    neighbours: Int[np.ndarray, " chosen"]
    """Variables among them, best first."""


class Chain:
    """All that the inputs of every regression are made of.

    Args:
        rows: signs.
        latents: latent variables of every row, with no column where there are none.
        base: law of independent variables.
    """

    def __init__(self, rows: Spins, latents: Summaries, base: Reference):
        self.base = base
        self.latents = latents
        self.ups = rows > 0
        self.signs = rows.astype(np.float32)
        self.centred = rows - rows[: base.training].mean(0, dtype=np.float32)
        self.residuals = (rows - np.tanh(base.log_odds / 2)).astype(np.float32)
        fitted = self.residuals[: base.training]
        self.covariance = (fitted.T @ fitted).astype(np.float64) / base.training
        self.loadings = principal_loadings(self.covariance, base.training)

    def inputs(self, variable: int) -> Inputs:
        """Return the inputs of the regression of a variable, chosen on the fitted rows."""
        count = self.base.training
        loadings = self.loadings[:variable]
        chosen = neighbours(self.covariance[: variable + 1, : variable + 1], loadings, count)
        sums = self.residuals[:, :variable] @ loadings.astype(np.float32)
        known = summary_inputs(np.hstack([sums, self.latents]), count)
        return Inputs(np.hstack([known, self.centred[:, chosen]]), chosen)


def summary_inputs(summaries: Summaries, training: int) -> Float32[np.ndarray, "rows inputs"]:
    """Return the summaries and units that are functions of them; nothing without a summary."""
    count = summaries.shape[1]
    if not count:
        return summaries
    return functions_of(summaries, training, min(UNITS + UNITS_OF_SUMMARY * count, MOST_UNITS), seed=0)


def principal_loadings(covariance: Covariance, rows: int) -> Float[np.ndarray, "variables summaries"]:
    """Return the loadings of the principal components that stand out most of those of independent variables.

    The eigenvalues of correlations of independent variables lie between σ² (1 -+ sqrt(N / rows))², σ² being the mean of
    those that do not stand out. A small one tells as much as a large one: a sum that hardly varies. Those of sums that
    do not vary at all come last, as copies make as many of them as there are copies.
    """
    spread = np.sqrt(covariance.diagonal()).clip(min=np.finfo(float).tiny)
    values, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
    ratio = np.sqrt(len(covariance) / rows)
    flat = (values < FLAT) & (ratio < 1)
    level = float(values[~flat].mean())
    for _ in range(SUMMARIES):
        level = max(float(values[~flat & (values <= level * EDGE * (1 + ratio) ** 2)].mean()), FLAT)
    lower = level * max(1 - ratio, 0) ** 2 / EDGE
    upper = level * EDGE * (1 + ratio) ** 2
    distance = np.where(flat, 0, np.abs(np.log(values.clip(min=FLAT) / level)))
    # Where rows differ in their variances the others spread wider.
    out = flat | ((values > upper) | (values < lower)) & (distance > LEAST_DISTANCE * distance.max())
    strongest = np.flatnonzero(out)[np.argsort(-distance[out], kind="stable")]
    return vectors[:, strongest[:SUMMARIES]] / spread[:, None]


def neighbours(
    covariance: Covariance, loadings: Float[np.ndarray, "before summaries"], rows: int
) -> Int[np.ndarray, " chosen"]:
    """Return variables before the last one that a linear regression of it wants beside the summaries, best first."""
    before, last, variance = covariance[:-1, :-1], covariance[:-1, -1], covariance[-1, -1]
    own = before.diagonal()
    chosen = np.zeros(0, np.int64)
    least = least_score(len(last)) / rows
    while len(chosen) < NEIGHBOURS:
        basis = np.hstack([loadings, np.eye(len(last))[:, chosen]])
        slope, left, rest = residual_moments(before, last, variance, basis)
        free = left > COLLINEAR * own
        scores = np.where(free, slope**2 / np.where(free, left, 1.0) / max(rest, np.finfo(float).tiny), 0.0)
        scores[chosen] = 0
        best = np.argsort(-scores, kind="stable")[:AT_ONCE]
        best = best[scores[best] > least]
        if not len(best):
            break
        chosen = np.concatenate([chosen, best])
    return chosen


def least_score(candidates: int) -> float:
    """Return the squared score from which on the largest of some counts."""
    return float(2 * np.log(max(candidates, 2)) + BEYOND_CHANCE)


def residual_moments(
    before: Covariance,
    last: Float[np.ndarray, " before"],
    variance: float,
    basis: Float[np.ndarray, "before inputs"],
) -> tuple[Float[np.ndarray, " before"], Float[np.ndarray, " before"], float]:
    """Return covariances with the last variable, variances, and its variance, that a linear regression leaves."""
    if not basis.shape[1]:
        return last, before.diagonal(), variance
    shared = before @ basis
    gram = basis.T @ shared
    gram += (1e-6 * np.trace(gram) / len(gram) + 1e-12) * np.eye(len(gram))
    found = np.linalg.solve(gram, np.hstack([(basis.T @ last)[:, None], shared.T]))
    left = before.diagonal() - np.einsum("ij,ji->i", shared, found[:, 1:])
    return last - shared @ found[:, 0], left, float(variance - (basis.T @ last) @ found[:, 0])
