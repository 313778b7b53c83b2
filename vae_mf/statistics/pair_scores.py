"""Single pairs of variables whose residuals are correlated, with the law of the largest score.

Rows of the data and rows of the model, treated alike, are exchangeable if the model is right. Blocks of both are dealt
out to the two samples at random, again and again: the largest score of a family of pairs then has its exact law, for
rare variables too, whose coincidences are few and far from normal. Against its own spread a pair of rare variables has
no significance that one could trust.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.checks import require_fraction, require_integer
from vae_mf.rng import generator
from vae_mf.statistics.latent_model import Products, Variables
from vae_mf.statistics.residual_information import PAIRS, PairSums, pair_scales


class PairScores(NamedTuple):
    """Differences between data and model of the mean features of all pairs."""

    differences: Float[np.ndarray, " pairs"]
    """S_ij = <a_ij> of the data less that of the model."""
    scores: Float[np.ndarray, " pairs"]
    """Differences in standard errors."""
    p_values: Float[np.ndarray, " pairs"]
    """Probability that any pair would have as large a score if the model were right."""
    critical: float
    """Score that one pair of all exceeds in 5 % of the cases if the model is right."""


def pair_scores(data: PairSums, model: PairSums, permutations: int, seed: int) -> PairScores:
    """Return the scores of all pairs and their family-wise significance.

    In autocorrelated data the means of n rows spread more than those of as many rows of the model. That ratio, of the
    variances of all pairs together, widens the errors.

    Args:
        data: features of the rows of the data.
        model: features of the model's own rows, in blocks of about as many rows.
        permutations: number of random deals.
        seed: seed of the deals.

    Source: Westfall and Young, Resampling-Based Multiple Testing, 1993 (single step).
    """
    sizes = [data.blocks.sizes, model.blocks.sizes]
    count = require_integer("permutations", permutations)
    deals = deals_of(random_deals(sum(map(len, sizes)), len(sizes[0]), count, seed), np.concatenate(sizes))
    largest = np.zeros(len(deals.weights))
    scores = np.zeros(data.sums.shape[1])
    variances = np.zeros(2)
    for start in range(0, len(scores), PAIRS):
        chosen = slice(start, start + PAIRS)
        parts = [data.sums[:, chosen], model.sums[:, chosen]]
        if data.blocks.gap:
            variances += [block_variance(part, size) for part, size in zip(parts, sizes, strict=True)]
        dealt = deals.scores(np.concatenate(parts))
        largest = np.maximum(largest, np.abs(dealt).max(1))
        scores[chosen] = dealt[0]
    rows = np.array([size.sum() for size in sizes])
    widening = np.sqrt(variance_inflation(variances, rows)) if data.blocks.gap else 1.0
    scores, largest = (within_samples(each, deals.sizes) for each in (scores, largest))
    scores = scores / widening
    ranked = np.sort(np.concatenate([largest[1:], [largest[0] / widening]]))
    p_values = (len(ranked) - np.searchsorted(ranked, np.abs(scores) * (1 - 1e-6))).clip(1) / len(ranked)
    return PairScores(data.mean - model.mean, scores, p_values, float(np.quantile(ranked, 0.95, method="higher")))


class Deals(NamedTuple):
    """Deals of blocks to two samples, the real one first."""

    weights: Float[np.ndarray, "deals blocks"]
    """Weights of sums over blocks in the difference of both means, in units of its spread for variance 1."""
    sizes: Float[np.ndarray, " blocks"]
    """Number of rows of every block."""

    def scores(self, sums: Float[np.ndarray, "blocks features"]) -> Float[np.ndarray, "deals features"]:
        """Return the differences of the mean features of the samples, in standard errors of the pooled rows.

        >>> deals_of(np.eye(2), np.ones(2)).scores(np.float32([[1.0], [-1.0]])).round(4).tolist()
        [[1.4142], [-1.4142]]

        Args:
            sums: features summed over the blocks.
        """
        rows = self.sizes.sum()
        found = np.concatenate([self.weights, [self.sizes, np.ones_like(self.sizes)]]).astype(np.float32) @ sums
        mean = found[-1] / rows
        squares = np.einsum("bf,bf->f", sums, sums) - 2 * mean * found[-2] + mean**2 * (self.sizes @ self.sizes)
        deviation = np.sqrt(squares.clip(min=0) / rows)
        inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        return found[:-2] * inverse


def within_samples(
    scores: Float[np.ndarray, "*shape"], sizes: Float[np.ndarray, " blocks"]
) -> Float[np.ndarray, "*shape"]:
    """Return scores in errors of the rows within either sample, of scores in those of the pooled rows.

    A large difference widens the pooled error: t = r / √(1 - r² / B) for B blocks of equal size.

    >>> within_samples(np.array([0.1, 6.0]), np.full(40, 5.0)).round(2).tolist()
    [0.1, 18.97]
    """
    blocks = sizes.sum() ** 2 / (sizes @ sizes)
    return scores / np.sqrt((1 - scores**2 / blocks).clip(min=1e-6))


def deals_of(chosen: Float[np.ndarray, "deals blocks"], sizes: Float[np.ndarray, " blocks"]) -> Deals:
    """Return deals by which blocks are in the first sample, 1, and which in the second, 0; the others have NaN."""
    first = np.where(np.isnan(chosen), 0.0, chosen)
    second = np.where(np.isnan(chosen), 0.0, 1 - chosen)
    counts = (first @ sizes)[:, None]
    others = (second @ sizes)[:, None]
    return Deals((first / counts - second / others) / np.sqrt(1 / counts + 1 / others), sizes)


def random_deals(blocks: int, data: int, count: int, seed: int) -> Float[np.ndarray, "deals blocks"]:
    """Return 1 for the blocks of the first sample and 0 for the others: the real ones first, then random ones.

    >>> random_deals(3, 2, 1, seed=1)[0].tolist()
    [1.0, 1.0, 0.0]
    """
    deals = np.tile(np.arange(blocks) < data, (count + 1, 1)).astype(np.float64)
    deals[1:] = generator(seed, "deals").permuted(deals[1:], axis=1)
    return deals


def variance_inflation(variances: Float[np.ndarray, "2"], rows: Float[np.ndarray, "2"]) -> float:
    """Return the factor, at least 1, by which correlated rows raise the variance of a difference of means.

    >>> variance_inflation(np.array([3.0, 1.0]), np.array([100.0, 100.0]))
    2.0

    Args:
        variances: variance of the rows of the data and that of the model, as sums over blocks show them.
        rows: numbers of these rows.
    """
    ratio = max(1.0, float(variances[0] / variances[1]))
    return float(((ratio, 1.0) / rows).sum() / (1 / rows).sum())


def block_variance(sums: Float[np.ndarray, "blocks features"], sizes: Float[np.ndarray, " blocks"]) -> float:
    """Return the variance of a row's features as the sums over blocks show it, added up over all features."""
    mean = sums.sum(0, dtype=np.float64) / sizes.sum()
    squares = sum(float(((each - size * mean) ** 2).sum()) for each, size in zip(sums, sizes, strict=True))
    return squares / sizes.sum()


def significant_pairs(
    scores: PairScores, features: PairSums, products: Products, variables: Variables, level: float
) -> pd.DataFrame:
    """Return the pairs that are significant as a family, the most significant first.

    Columns: first, second (variables), difference (S_ij), score, p_value (family-wise), nats (S_ij² / 2 <v_i v_j>).

    Args:
        scores: scores of all pairs of columns.
        features: features of the data.
        products: <v_i v_j> under the model.
        variables: variable of every column; of two variables with several pairs of columns the strongest is shown.
        level: family-wise error, the probability that a single pair is listed if the model is right.
    """
    chosen = np.flatnonzero(scores.p_values <= require_fraction("level", level))
    chosen = chosen[np.argsort(-np.abs(scores.scores[chosen]), kind="stable")]
    nats = scores.differences**2 * pair_scales(products, features.pairs) / 2
    table = {
        "first": variables[features.pairs.first[chosen]],
        "second": variables[features.pairs.second[chosen]],
        "difference": scores.differences[chosen],
        "score": scores.scores[chosen],
        "p_value": scores.p_values[chosen],
        "nats": nats[chosen],
    }
    return pd.DataFrame(table).drop_duplicates(["first", "second"], ignore_index=True)
