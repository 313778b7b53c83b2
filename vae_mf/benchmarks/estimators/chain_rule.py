"""Chain rule: TC = sum_i <ln p(x_i | x_<i) / p(x_i)>, one logistic regression a variable on those before it.

The log-odds of a variable are those of its reference and a sum of inputs, chosen on the fitted rows alone:

- summaries, principal components of the variables before it that stand out of chance, with z where it is given and
  random units that are functions of them: they hold what an order parameter says, exactly so for mean-field laws;
- neighbours, variables that a linear regression still wants beside the summaries;
- products of two and three variables before it that the residuals of the fit show, among all sets where these are few,
  else among those of the first neighbours.

Of the sum a row of the fit says too much by k / 2n nats, k effective inputs and n rows, and a row held out says too
little by as much: their mean is right to first order. Correlations of order five and more that nothing of lower order
shows, and functions of more than a few summaries, are not seen.
"""

from collections.abc import Iterable
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vae_mf.arrays import Spins
from vae_mf.benchmarks.estimators.director_chain import director_ratios
from vae_mf.benchmarks.estimators.reference import Reference, Summaries, functions_of, reference, training_rows
from vae_mf.benchmarks.estimators.regression import Ups, fitted, log_likelihoods, predicted
from vae_mf.statistics.averages import Average

SUMMARIES = 8
"""Principal components at most."""
EDGE = 1.05
"""Factor by which the eigenvalue of a component that counts lies beyond those of independent variables."""
UNITS = 16
"""Random units without a summary, to which each adds `UNITS_OF_SUMMARY`, up to `MOST_UNITS`."""
UNITS_OF_SUMMARY, MOST_UNITS = 8, 40
NEIGHBOURS, AT_ONCE = 40, 8
"""Variables that are chosen at most, and between two looks."""
BEYOND_CHANCE = 4.0
"""Excess of a squared score over 2 ln(candidates) that makes it count."""
COLLINEAR = 1e-3
"""Share of a variable's variance that the chosen ones must leave."""
CANDIDATES, PRODUCTS, PRODUCT_NEIGHBOURS = 5000, 24, 10
"""Sets of one size that are looked at, products that are chosen, and the neighbours that they come from beyond."""
CHUNK = 256
"""Products at a time."""
Covariance = Float[np.ndarray, "variables variables"]
Centred = Float32[np.ndarray, "rows before"]
"""Signs less their means, which are nearly products of signs where means are small."""


class Ratios(NamedTuple):
    """ln p(x_i | x_<i) / p(x_i) of every variable of every row."""

    values: Float32[np.ndarray, "rows variables"]
    training: int
    """Number of the first rows, which were fitted to."""

    def mean(self, sums: Float[np.ndarray, " rows"]) -> Average:
        """Return the mean of the averages over fitted and held-out rows of some sums of ratios, with its error."""
        parts = np.split(sums, [self.training])
        errors = [part.std(ddof=1) / np.sqrt(len(part)) for part in parts]
        return Average(float(sum(part.mean() for part in parts) / 2), float(np.hypot(*errors) / 2))


def chain_rule(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    cut: Bool[np.ndarray, " variables"] | None = None,
) -> Average:
    """Return TC(x), C(x|z) given z, or the information I(A; B) of a cut, in nats.

    The information of a cut is the total correlation of B with A before it in the chain, less that of B alone.

    Raises:
        ValueError: if directors come with latent variables or a cut.
    """
    if rows.ndim > 2:
        if given is not None or cut is not None:
            raise ValueError("rows: expected signs with latent variables and cuts, got directors")
        found = Ratios(director_ratios(rows), training_rows(rows))
        return found.mean(found.values.sum(1, dtype=np.float64))
    if cut is None:
        ratios = chain(rows, given)
        return ratios.mean(ratios.values.sum(1, dtype=np.float64))
    order = np.argsort(~cut, kind="stable")
    later = slice(int(cut.sum()), None)
    together = chain(rows[:, order], given, first=int(cut.sum()))
    alone = chain(rows[:, ~cut], given)
    return together.mean((together.values[:, later] - alone.values).sum(1, dtype=np.float64))


def chain(rows: Spins, given: Float[np.ndarray, "rows latents"] | None, first: int = 0) -> Ratios:
    """Return the log-ratios of all variables from number ``first`` on, and zeros before."""
    base = reference(rows, given)
    count = base.training
    residuals = (rows - np.tanh(base.log_odds / 2)).astype(np.float32)
    centred = rows - rows[:count].mean(0, dtype=np.float32)
    ups = rows > 0
    covariance = (residuals[:count].T @ residuals[:count]).astype(np.float64) / count
    loadings = principal_loadings(covariance, count)
    sums = np.zeros((len(rows), loadings.shape[1]), np.float32)
    values = np.zeros(rows.shape, np.float32)
    latents = np.zeros((len(rows), 0), np.float32) if given is None else given.astype(np.float32)
    for i in range(1, rows.shape[1]):
        sums += residuals[:, i - 1 : i] * loadings[i - 1].astype(np.float32)
        if i >= first:
            chosen = neighbours(covariance[: i + 1, : i + 1], loadings[:i], count)
            known = summary_inputs(np.hstack([sums, latents]), count)
            inputs = np.hstack([known, centred[:, chosen]])
            values[:, i] = site_ratios(inputs, centred[:, :i], chosen, base, ups[:, i])
    return Ratios(values, count)


def summary_inputs(summaries: Summaries, training: int) -> Float32[np.ndarray, "rows inputs"]:
    """Return the summaries and units that are functions of them; nothing without a summary."""
    count = summaries.shape[1]
    if not count:
        return summaries
    return functions_of(summaries, training, min(UNITS + UNITS_OF_SUMMARY * count, MOST_UNITS), seed=0)


def site_ratios(
    inputs: Float32[np.ndarray, "rows inputs"],
    before: Centred,
    chosen: Int[np.ndarray, " chosen"],
    base: Reference,
    ups: Ups,
) -> Float32[np.ndarray, " rows"]:
    """Return ln p(x_i | x_<i) / p(x_i) of every row, with products of variables that the rest of the fit shows."""
    count = base.training
    offset = np.ascontiguousarray(base.log_odds[:, before.shape[1]])
    up = np.ascontiguousarray(ups)
    log_odds = fit_to_training(inputs, up, offset, count)
    left = up[:count] - (1 + np.tanh(log_odds[:count] / 2)) / 2
    sets = significant_products(before[:count], left, candidates(before.shape[1], chosen))
    if sets:
        inputs = np.hstack([inputs, products_of(before, sets)])
        log_odds = fit_to_training(inputs, up, offset, count)
    return log_likelihoods(up, log_odds) - log_likelihoods(up, offset)


def candidates(variables: int, chosen: Int[np.ndarray, " chosen"]) -> list[tuple[int, ...]]:
    """Return the sets of two and three variables whose products are looked at.

    >>> candidates(3, np.array([2, 0]))
    [(0, 1), (0, 2), (1, 2), (0, 1, 2)]
    """
    near = sorted(chosen[:PRODUCT_NEIGHBOURS].tolist())
    pools = {order: range(variables) if comb(variables, order) <= CANDIDATES else near for order in (2, 3)}
    return [each for order, pool in pools.items() for each in combinations(pool, order)]


def fit_to_training(
    inputs: Float32[np.ndarray, "rows inputs"], up: Ups, offset: Float32[np.ndarray, " rows"], training: int
) -> Float32[np.ndarray, " rows"]:
    """Return the log-odds of all rows by a regression on the first ones."""
    if not inputs.shape[1]:
        return offset
    return offset + predicted(inputs, fitted(inputs[:training], up[:training], offset[:training]))


def principal_loadings(covariance: Covariance, rows: int) -> Float[np.ndarray, "variables summaries"]:
    """Return the loadings of the principal components that stand out most of those of independent variables.

    The eigenvalues of correlations of independent variables lie between (1 -+ sqrt(N / rows))². A small one tells as
    much as a large one: a sum that hardly varies.
    """
    spread = np.sqrt(covariance.diagonal()).clip(min=np.finfo(float).tiny)
    values, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
    ratio = np.sqrt(len(covariance) / rows)
    upper = EDGE * (1 + ratio) ** 2
    lower = max(1 - ratio, 0) ** 2 / EDGE
    out = np.flatnonzero((values > upper) | (values < lower))
    strongest = out[np.argsort(-np.abs(np.log(values[out].clip(min=np.finfo(float).tiny))))]
    return vectors[:, strongest[:SUMMARIES]] / spread[:, None]


def neighbours(
    covariance: Covariance, loadings: Float[np.ndarray, "before summaries"], rows: int
) -> Int[np.ndarray, " chosen"]:
    """Return variables before the last one that a linear regression of it wants beside the summaries, best first."""
    before, last, variance = covariance[:-1, :-1], covariance[:-1, -1], covariance[-1, -1]
    own = before.diagonal()
    chosen = np.zeros(0, np.int64)
    least = (2 * np.log(max(len(last), 2)) + BEYOND_CHANCE) / rows
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
    gram += 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    found = np.linalg.solve(gram, np.hstack([(basis.T @ last)[:, None], shared.T]))
    left = before.diagonal() - np.einsum("ij,ji->i", shared, found[:, 1:])
    return last - shared @ found[:, 0], left, float(variance - (basis.T @ last) @ found[:, 0])


def significant_products(
    before: Centred, left: Float32[np.ndarray, " rows"], sets: list[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the sets of variables whose products resemble what is left of another one beyond chance, best first."""
    if not sets:
        return []
    least = 2 * np.log(len(sets)) + BEYOND_CHANCE
    squares = left**2
    scores = []
    for start in range(0, len(sets), CHUNK):
        products = products_of(before, sets[start : start + CHUNK])
        noise = squares @ products**2
        scores.append((left @ products) ** 2 / np.where(noise > 0, noise, 1))
    scores = np.concatenate(scores)
    best = np.argsort(-scores, kind="stable")[:PRODUCTS]
    return [sets[number] for number in best if scores[number] > least]


def products_of(before: Centred, sets: Iterable[tuple[int, ...]]) -> Float32[np.ndarray, "rows sets"]:
    """Return the products of the variables of every set."""
    return np.stack([before[:, list(each)].prod(1) for each in sets], axis=1)
