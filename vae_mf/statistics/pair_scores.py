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
from vae_mf.statistics.u_statistics import Blocks


class PairScores(NamedTuple):
    """Differences between data and model of the mean features of all pairs."""

    differences: Float[np.ndarray, " pairs"]
    """S_ij = <a_ij> of the data less that of the model."""
    scores: Float[np.ndarray, " pairs"]
    """Differences in standard errors of the pooled rows."""
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
    sizes = np.concatenate([data.blocks.sizes, model.blocks.sizes])
    deals = random_deals(len(sizes), len(data.blocks.sizes), require_integer("permutations", permutations), seed)
    counts = deals @ sizes
    # Sums are centred on the pooled mean: those of the other sample are the same with the opposite sign.
    factors = np.sqrt(1 / counts + 1 / (sizes.sum() - counts))
    largest = np.zeros(len(deals))
    scores = np.zeros(data.sums.shape[1])
    for start in range(0, len(scores), PAIRS):
        chosen = slice(start, start + PAIRS)
        sums = np.concatenate([data.sums[:, chosen], model.sums[:, chosen]])
        sums -= np.outer(sizes, sums.sum(0, dtype=np.float64) / sizes.sum()).astype(np.float32)
        deviation = np.sqrt((sums**2).sum(0, dtype=np.float64) / sizes.sum())
        inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        dealt = (deals.astype(np.float32) @ sums) * inverse * factors[:, None]
        largest = np.maximum(largest, np.abs(dealt).max(1))
        scores[chosen] = dealt[0]
    widening = np.sqrt(variance_inflation(data, model))
    scores /= widening
    ranked = np.sort(np.concatenate([largest[1:], [largest[0] / widening]]))
    p_values = (len(ranked) - np.searchsorted(ranked, np.abs(scores) * (1 - 1e-6))).clip(1) / len(ranked)
    return PairScores(data.mean - model.mean, scores, p_values, float(np.quantile(ranked, 0.95, method="higher")))


def random_deals(blocks: int, data: int, count: int, seed: int) -> Float[np.ndarray, "deals blocks"]:
    """Return 1 for the blocks of the first sample and 0 for the others: the real ones first, then random ones.

    >>> random_deals(3, 2, 1, seed=1)[0].tolist()
    [1.0, 1.0, 0.0]
    """
    deals = np.tile(np.arange(blocks) < data, (count + 1, 1)).astype(np.float64)
    deals[1:] = generator(seed, "deals").permuted(deals[1:], axis=1)
    return deals


def variance_inflation(data: PairSums, model: PairSums) -> float:
    """Return the factor, at least 1, by which correlated rows raise the variance of a difference of means."""
    if not data.blocks.gap:
        return 1.0
    rows = np.array([len(data.blocks.labels), len(model.blocks.labels)])
    ratio = max(1.0, float(block_variance(data) / block_variance(model)))
    return float(((ratio, 1.0) / rows).sum() / (1 / rows).sum())


def block_variance(features: PairSums) -> float:
    """Return the variance of a row's features as the sums over blocks show it, added up over all pairs."""
    sizes: Blocks = features.blocks
    mean = features.mean
    squares = sum(
        float(((sums - size * mean) ** 2).sum()) for sums, size in zip(features.sums, sizes.sizes, strict=True)
    )
    return squares / len(sizes.labels)


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
