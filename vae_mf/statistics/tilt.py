"""Lower bounds of KL(p || model) in nats, from functions of a row and rows of both laws.

For every function T, KL(p || q) >= <T>_p - ln <exp T>_q (Donsker and Varadhan), with equality for T = ln p / q. A tilt
T = λ·a is fitted to the features of significant pairs on one half of the rows and judged on the other, both ways: a
bound that fitting does not inflate. A critic is a T as any other.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, ndtr

from vae_mf.checks import require_fraction, require_integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.latent_model import Residuals
from vae_mf.statistics.residual_information import ColumnPairs, PairSums, pair_features
from vae_mf.statistics.u_statistics import Blocks

RIDGES = (0.3, 1.0, 3.0, 10.0)
"""Candidates of the ridge, in units of the variances times features over rows."""
STEPS = (0.5, 1.0)
"""Candidates of the length of the Newton step."""

Features = Float[np.ndarray, "_ features"]
FeatureChoice = Int[np.ndarray, " _"]


def donsker_varadhan(
    data: Float[np.ndarray, " rows"], model: Float[np.ndarray, " model_rows"], blocks: Blocks | None = None
) -> Average:
    """Return <T>_p - ln <exp T>_q in nats, a lower bound of KL(p || q) for a T that these rows have not chosen.

    The logarithm of a sample mean is low on the average, by half the square of its error, which is added to it. The
    error is unknown if the rows of p make up a single block.

    Args:
        data: T of rows of p.
        model: T of independent rows of q.
        blocks: blocks of the rows of p; every row a block for None.

    >>> donsker_varadhan(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    Average(value=0.0, error=0.0)
    """
    deviations = data - data.mean()
    if blocks is not None:
        deviations = np.bincount(blocks.labels, deviations)
    log_mean = float(logsumexp(model)) - np.log(len(model))
    relative = float(np.exp(model - log_mean).std()) / len(model) ** 0.5
    spread = np.sqrt(np.vdot(deviations, deviations)) if len(deviations) > 1 else np.nan
    error = np.hypot(spread / len(data), relative)
    return Average(float(data.mean() - log_mean - relative**2 / 2), float(error))


def tilt_bound(
    data: PairSums,
    model: PairSums,
    data_parts: Iterable[Residuals],
    model_parts: Iterable[Residuals],
    level: float = 0.01,
    most: int = 400,
) -> Average:
    """Return a cross-fitted lower bound of KL(p || model), 0 where no pair is significant.

    Args:
        data: features of the rows of p.
        model: features of the model's own rows.
        data_parts: residuals behind ``data``, a second time.
        model_parts: residuals behind ``model``, a second time.
        level: false discovery rate at which pairs are chosen.
        most: largest number of pairs, the most significant ones.
    """
    parts = zip(halves(data), halves(model), strict=True)
    choices = [significant_features(own, zero, level, most) for own, zero in parts]
    union = np.union1d(*choices)
    pairs = ColumnPairs(*(columns[union] for columns in data.pairs))
    rows = Halves(pair_features(data_parts, pairs), data.blocks)
    model_rows = Halves(pair_features(model_parts, pairs), model.blocks)
    return cross_fitted_gain(rows, model_rows, [np.searchsorted(union, choice) for choice in choices])


class Halves(NamedTuple):
    """Features of rows in blocks, the first half of which is one part and the second the other."""

    features: Features
    blocks: Blocks

    def part(self, half: int) -> "Halves":
        """Return the rows of one half; blocks that touch the other are left out of the second."""
        chosen = half_blocks(self.blocks, half)
        return Halves(self.features[chosen.rows], chosen.blocks)


class Half(NamedTuple):
    """Half of some blocks."""

    numbers: slice
    """Numbers of its blocks among all."""
    rows: slice
    """Rows of these blocks."""
    blocks: Blocks


def half_blocks(blocks: Blocks, half: int) -> Half:
    """Return the blocks of one half; of the second those that touch the first are left out.

    >>> half_blocks(Blocks(np.array([0, 1, 1, 2, 3]), 1), 1)
    Half(numbers=slice(3, 4, None), rows=slice(4, 5, None), blocks=Blocks(labels=array([0]), gap=1))
    """
    count = len(blocks.sizes)
    first, stop = (0, count // 2) if half == 0 else (count // 2 + blocks.gap, count)
    rows = slice(*np.searchsorted(blocks.labels, [first, stop]).tolist())
    return Half(slice(first, stop), rows, Blocks(blocks.labels[rows] - first, blocks.gap))


def halves(features: PairSums) -> list[PairSums]:
    """Return the sums over the blocks of each half."""
    parts = [half_blocks(features.blocks, half) for half in (0, 1)]
    return [PairSums(features.sums[part.numbers], features.pairs, part.blocks) for part in parts]


def significant_features(data: PairSums, model: PairSums, level: float, most: int) -> FeatureChoice:
    """Return the pairs that differ between data and model, at most ``most``, at a false discovery rate.

    Source: Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289.
    """
    errors = np.sqrt(squared_errors(data) + squared_errors(model))
    differences = np.abs(data.mean - model.mean)
    scores = np.divide(differences, errors, out=np.zeros_like(errors), where=errors > 0)
    order = np.argsort(-scores, kind="stable")
    bounds = require_fraction("level", level) * np.arange(1, len(scores) + 1) / len(scores)
    below = np.flatnonzero(2 * ndtr(-scores[order]) <= bounds)
    return order[: min(below[-1] + 1, require_integer("most", most))] if len(below) else order[:0]


def squared_errors(features: PairSums) -> Float[np.ndarray, " pairs"]:
    """Return the squared standard error of every mean feature, from the spread of the blocks."""
    total = np.zeros(features.sums.shape[1])
    mean = features.mean
    for sums, size in zip(features.sums, features.blocks.sizes, strict=True):
        total += (sums - size * mean) ** 2
    return total / len(features.blocks.labels) ** 2


def cross_fitted_gain(data: Halves, model: Halves, choices: Sequence[FeatureChoice]) -> Average:
    """Return the mean bound of the tilts that are fitted on either half, by the features chosen there."""
    first, second = (held_out_gain(data, model, half, chosen) for half, chosen in enumerate(choices))
    return Average((first.value + second.value) / 2, float(np.hypot(first.error, second.error)) / 2)


def held_out_gain(data: Halves, model: Halves, half: int, choice: FeatureChoice) -> Average:
    """Return the bound of the tilt that is fitted on one half, from the rows of the other; without a feature, 0."""
    if not len(choice):
        return Average(0.0, 0.0)
    fitting = data.part(half).features[:, choice]
    weights = fit_tilt(fitting, model.part(half).features[:, choice])
    rest = data.part(1 - half)
    return donsker_varadhan(
        rest.features[:, choice] @ weights, model.part(1 - half).features[:, choice] @ weights, rest.blocks
    )


def fit_tilt(data: Features, model: Features) -> Float[np.ndarray, " features"]:
    """Return λ of a tilt, a ridge-Newton step from λ = 0 whose ridge and length are chosen within these rows.

    λ = t (C + r diag C F / n)⁻¹ (<a>_p - <a>_q), with C the mean of both covariances, F features and n rows: r
    and t are those of the largest gain of the last half of the rows if fitted to the first.
    """
    middle = len(data) // 2
    model_middle = len(model) // 2
    trials = {
        (ridge, step): donsker_varadhan(data[middle:] @ weights, model[model_middle:] @ weights).value
        for ridge, step in product(RIDGES, STEPS)
        for weights in [newton_step(data[:middle], model[:model_middle], ridge, step)]
    }
    return newton_step(data, model, *max(trials, key=trials.__getitem__))


def newton_step(data: Features, model: Features, ridge: float, step: float) -> Float[np.ndarray, " features"]:
    """Return the weights of one ridge-Newton step."""
    metric = (np.cov(data.T, ddof=0) + np.cov(model.T, ddof=0)).reshape(data.shape[1], -1) / 2
    diagonal = metric.diagonal()
    metric = metric + np.diag(ridge * diagonal * len(diagonal) / len(data) + 1e-9)
    return step * np.linalg.solve(metric, data.mean(0, dtype=np.float64) - model.mean(0, dtype=np.float64))
