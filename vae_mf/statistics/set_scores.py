"""Single sets of three and of four variables whose residuals are correlated, with the law of the largest score.

The feature of a set is the product of the residuals of its variables at one draw of z, and its zero the mean over the
model's own rows. A single set shows here that a sum over all sets (`residual_orders`) drowns in their noise. Blocks of
both samples are dealt out at random as those of pairs are (`pair_scores`): the largest scores of random deals follow
the law of a maximum, of rare variables and of correlated rows too.

With i < j < k < l the sums of all sets over a block are products of matrices, (δ_i δ_j) times (δ_k δ_l). A constant in
the place of δ_l makes a set of three.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from vae_mf.checks import require_fraction, require_integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.latent_model import Variables
from vae_mf.statistics.pair_scores import (
    Deals,
    block_variance,
    deals_of,
    random_deals,
    variance_inflation,
    within_samples,
)
from vae_mf.statistics.residual_information import PAIRS
from vae_mf.statistics.residual_orders import SampledRows
from vae_mf.statistics.tilt import Features, Halves, cross_fitted_gain, half_blocks
from vae_mf.statistics.u_statistics import Blocks

ORDERS = (4, 3)
"""Numbers of variables in a set, the larger one first."""
BLOCKS = 100
"""Blocks of the data, at most; those of the model are about as long."""
SETS_AT_ONCE = 2**16
MEMBERS = ("first", "second", "third", "fourth")
"""Columns of a table of sets that hold their variables."""
SET_COLUMNS = (*MEMBERS, "difference", "score", "p_value", "nats")
"""Columns of a table of sets."""
NONE = -1
"""Member of a set of three in the place of a fourth."""

Members = Int[np.ndarray, "sets 4"]
"""Columns of every set in rising order, `NONE` after a third."""
Transposed = Float[np.ndarray, "columns_and_one rows"]
"""Residuals of every column, and a last column of ones."""


class LargestScore(NamedTuple):
    """Law of the largest of many scores where nothing is left: Gumbel's, that of maxima."""

    location: float
    scale: float

    def p_value(self, scores: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the probability that the largest score is beyond these.

        >>> law = LargestScore(4.5, 0.25)
        >>> law.p_value(np.array([law.critical(0.05), 9.0])).round(6).tolist()
        [0.05, 0.0]
        """
        return -np.expm1(-np.exp(-(scores - self.location) / self.scale))

    def critical(self, level: float) -> float:
        """Return the score that the largest one exceeds with a probability."""
        return float(self.location - self.scale * np.log(-np.log1p(-require_fraction("level", level))))


class SetScores(NamedTuple):
    """Differences between data and model of the mean products of all sets."""

    members: Members
    scores: Float[np.ndarray, " sets"]
    """Differences in standard errors; 0 where two columns are of one variable."""
    half_scores: Float[np.ndarray, "2 sets"]
    """The same of the first half of the rows, and of the second."""
    largest: LargestScore
    """Law of the largest score of all sets."""
    error: float
    """Standard error of the correlation of a set, in units of the spread of its product."""

    @property
    def p_values(self) -> Float[np.ndarray, " sets"]:
        """Probability that any set would have as large a score if the model were right."""
        return self.largest.p_value(np.abs(self.scores))

    def apart_from(self, pairs: Bool[np.ndarray, "columns columns"]) -> Bool[np.ndarray, " sets"]:
        """Return True for the sets that hold none of these pairs: what pairs share shows in sets that hold them."""
        # The last member of a set of three has the number -1: a row and a column that hold no pair.
        padded = np.pad(pairs | pairs.T, (0, 1))
        first, second = np.triu_indices(4, 1)
        return ~np.any(padded[self.members[:, first], self.members[:, second]], axis=1)

    def detectable(self, level: float, errors: float = 1.645) -> float:
        """Return the nats of a single set that would come out as significant, 95 times in 100 for 1.645 errors.

        >>> none = np.zeros((2, 0))
        >>> scores = SetScores(np.zeros((0, 4), int), none[0], none, LargestScore(4.5, 0.25), 0.01)
        >>> round(scores.detectable(1e-3), 5)
        0.0031
        """
        return ((self.largest.critical(level) + errors) * self.error) ** 2 / 2


def affordable_order(columns: int, most: int) -> int:
    """Return the largest number of variables in sets of which there are at most so many; 0 if there is none.

    >>> affordable_order(60, 500_000), affordable_order(100, 500_000), affordable_order(200, 500_000)
    (4, 3, 0)
    >>> affordable_order(2, 500_000)
    0
    """
    return next((order for order in ORDERS if columns >= order and comb(columns, order) <= most), 0)


class Group(NamedTuple):
    """Sets (i, j, k, l) whose second member j is one of some neighbouring columns."""

    middles: range
    third: Int[np.ndarray, " ends"]
    """Third member of all pairs (k, l), never falling."""
    fourth: Int[np.ndarray, " ends"]
    """Fourth members; the number of columns where there is none."""

    def ends(self, middle: int) -> slice:
        """Return the pairs (k, l) beyond a column."""
        return slice(int(np.searchsorted(self.third, middle, "right")), len(self.third))

    @property
    def members(self) -> Members:
        """All members, in the order of `set_sums`."""
        parts = []
        for middle in self.middles:
            ends = self.ends(middle)
            first, place = np.divmod(np.arange(middle * (ends.stop - ends.start)), ends.stop - ends.start)
            middles = np.full_like(first, middle)
            parts.append(np.stack([first, middles, self.third[ends][place], self.fourth[ends][place]], 1))
        return np.concatenate(parts)


def set_groups(columns: int, order: int) -> Iterator[Group]:
    """Yield all sets of columns, in groups of about equally many.

    >>> [group.members.tolist() for group in set_groups(3, 4)]
    [[[0, 1, 2, 3]]]
    >>> sum(len(group.members) for group in set_groups(9, 4)) == comb(9, 4) + comb(9, 3)
    True
    """
    third, fourth = np.triu_indices(columns + 1, 1)
    if order == 3:
        third, fourth = third[fourth == columns], fourth[fourth == columns]
    beyond = len(third) - np.searchsorted(third, np.arange(columns - 1), "right")
    total = np.cumsum(np.arange(columns - 1) * beyond)
    ends = 1 + np.searchsorted(total, np.arange(SETS_AT_ONCE, total[-1] + SETS_AT_ONCE, SETS_AT_ONCE))
    start = 1
    for end in ends.clip(max=columns - 1):
        if end > start:
            yield Group(range(start, int(end)), third, fourth)
        start = int(end)


def set_sums(residuals: Transposed, blocks: Blocks, group: Group) -> Float[np.ndarray, "blocks sets"]:
    """Return the products of the residuals of all sets of a group, summed over the blocks.

    Args:
        residuals: residuals of all rows, with a last column of ones.
        blocks: blocks of the rows.
        group: some sets.
    """
    start = group.ends(group.middles[0]).start
    third, fourth = group.third[start:], group.fourth[start:]
    sets = sum(middle * (len(group.third) - group.ends(middle).start) for middle in group.middles)
    sums = np.empty((len(blocks.sizes), sets), np.float32)
    bounds = np.cumsum(np.append(0, blocks.sizes)).astype(int)
    for block, (first, last) in enumerate(pairwise(bounds)):
        x = np.ascontiguousarray(residuals[:, first:last])
        later = x[third]
        later *= x[fourth]
        place = 0
        for middle in group.middles:
            beyond = later[group.ends(middle).start - start :]
            products = sums[block, place : place + middle * len(beyond)].reshape(middle, -1)
            np.matmul(x[:middle] * x[middle], beyond.T, out=products)
            place += products.size
    return sums


def with_ones(residuals: Float[np.ndarray, "rows columns"]) -> Transposed:
    """Return the columns one after the other, and a last one of ones."""
    return np.concatenate([residuals.T, np.ones((1, len(residuals)))]).astype(np.float32)


def coarse(sample: SampledRows, most: int) -> SampledRows:
    """Return the same rows in at most so many blocks, neighbours joined."""
    labels = np.unique(sample.blocks.labels, return_inverse=True)[1]
    count = int(labels[-1]) + 1
    return sample._replace(blocks=Blocks(labels * min(most, count) // count, sample.blocks.gap))


def set_scores(
    data: SampledRows, model: SampledRows, variables: Variables, order: int, permutations: int, seed: int
) -> SetScores:
    """Return the scores of all sets of three, and of four, with the law of the largest.

    Args:
        data: residuals of the rows of the data, one draw of z each.
        model: residuals of the model's own rows.
        variables: variable of every column, never falling; columns of one variable are in no set together.
        order: 3 for sets of three alone, 4 for those of four too.
        permutations: number of random deals.
        seed: seed of the deals.

    Source: Winkler, Ridgway, Douaud, Nichols and Smith, NeuroImage 141 (2016) 502 (tail of the law of permutations).
    """
    ratio = len(model.residuals) / len(data.residuals)
    samples = [coarse(data, BLOCKS), coarse(model, max(2, round(BLOCKS * ratio)))]
    columns = [with_ones(each.residuals) for each in samples]
    deals = set_deals([each.blocks for each in samples], permutations, seed)
    sizes = [each.blocks.sizes for each in samples]
    owner = np.append(variables, variables[-1] + 1)
    largest = np.zeros(len(deals.weights))
    variances = np.zeros(2)
    found = []
    for group in set_groups(len(variables), require_integer("order", order, minimum=3)):
        members = group.members
        parts = [set_sums(x, each.blocks, group) for x, each in zip(columns, samples, strict=True)]
        if data.blocks.gap:
            variances += [block_variance(part, size) for part, size in zip(parts, sizes, strict=True)]
        sums = np.concatenate(parts)
        # Columns of one variable have no score.
        sums[:, (np.diff(owner[members]) == 0).any(1)] = 0
        for start in range(0, len(members), PAIRS):
            scores = deals.scores(sums[:, start : start + PAIRS])
            largest = np.maximum(largest, np.maximum(scores.max(1), -scores.min(1)))
            found.append((members[start : start + PAIRS], scores[:3].T))
    members, scores = (np.concatenate(each) for each in zip(*found, strict=True))
    members[members == len(variables)] = NONE
    rows = np.array([size.sum() for size in sizes])
    widening = variance_inflation(variances, rows) ** 0.5 if data.blocks.gap else 1.0
    scores = within_samples(scores.T, deals.sizes) / widening
    law = law_of_largest(within_samples(largest[3:], deals.sizes))
    return SetScores(members, scores[0], scores[1:], law, float(widening * (1 / rows).sum() ** 0.5))


def set_deals(blocks: list[Blocks], permutations: int, seed: int) -> Deals:
    """Return the real deal of the blocks of data and model, the same of either half of both, and random ones."""
    counts = [len(each.sizes) for each in blocks]
    dealt = random_deals(sum(counts), counts[0], require_integer("permutations", permutations, minimum=2), seed)
    halves = np.full((2, sum(counts)), np.nan)
    for half in (0, 1):
        for own, place, each in zip((1, 0), (0, counts[0]), blocks, strict=True):
            numbers = half_blocks(each, half).numbers
            halves[half, place + numbers.start : place + numbers.stop] = own
    return deals_of(np.concatenate([dealt[:1], halves, dealt[1:]]), np.concatenate([each.sizes for each in blocks]))


def law_of_largest(largest: Float[np.ndarray, " deals"]) -> LargestScore:
    """Return the law of the largest scores of random deals, by their first two moments."""
    scale = float(largest.std(ddof=1)) * 6**0.5 / np.pi
    return LargestScore(float(largest.mean()) - np.euler_gamma * scale, scale)


def set_features(residuals: Transposed, members: Members) -> Features:
    """Return the products of the residuals of some sets for every row.

    >>> x = with_ones(np.array([[2.0, 3.0, 5.0, 7.0]]))
    >>> set_features(x, np.array([[0, 1, 2, 3], [0, 1, 3, NONE]])).tolist()
    [[210.0, 42.0]]
    """
    return np.prod([residuals[member] for member in members.T], axis=0).T


def set_bound(
    scores: SetScores,
    data: SampledRows,
    model: SampledRows,
    allowed: Bool[np.ndarray, " sets"],
    level: float,
    most: int,
) -> Average:
    """Return a cross-fitted lower bound of KL(p || model) by a tilt in the products of sets, 0 if none stands out.

    Args:
        scores: scores of all sets.
        data: residuals of the rows of p.
        model: residuals of the model's own rows.
        allowed: sets that may be chosen.
        level: family-wise error at which they are, on one half of the rows.
        most: largest number of sets, those of the largest scores.
    """
    choices = [
        strongest(np.where(allowed, half, 0.0), scores.largest.critical(level), most) for half in scores.half_scores
    ]
    union = np.union1d(*choices)
    features, own_features = (
        Halves(set_features(with_ones(each.residuals), scores.members[union]), each.blocks) for each in (data, model)
    )
    return cross_fitted_gain(features, own_features, [np.searchsorted(union, choice) for choice in choices])


def strongest(scores: Float[np.ndarray, " sets"], critical: float, most: int) -> Int[np.ndarray, " chosen"]:
    """Return the sets whose scores are beyond a critical one, at most so many, the strongest first.

    >>> strongest(np.array([1.0, -7.0, 6.0]), 5.0, 400).tolist()
    [1, 2]
    """
    chosen = np.flatnonzero(np.abs(scores) > critical)
    return chosen[np.argsort(-np.abs(scores[chosen]), kind="stable")][: require_integer("most", most)]


class SetWorth(NamedTuple):
    """Differences of the mean products of some sets, and what these are worth."""

    differences: Float[np.ndarray, " sets"]
    """S, the mean of the data less that of the model."""
    nats: Float[np.ndarray, " sets"]
    """S² / 2 <v_i v_j v_k v_l>, v the conditional variances."""


def set_worth(data: SampledRows, model: SampledRows, members: Members) -> SetWorth:
    """Return what some sets are worth, from residuals of the rows of the data and of the model's own."""
    of_data, of_model = (set_features(with_ones(each.residuals), members) for each in (data, model))
    differences = of_data.mean(0, dtype=np.float64) - of_model.mean(0, dtype=np.float64)
    squares = (of_model**2).mean(0, dtype=np.float64)
    return SetWorth(differences, np.divide(differences**2, 2 * squares, out=np.zeros_like(squares), where=squares > 0))


def significant_sets(
    scores: SetScores,
    data: SampledRows,
    model: SampledRows,
    variables: Variables,
    allowed: Bool[np.ndarray, " sets"],
    level: float,
    most: int,
) -> pd.DataFrame:
    """Return the sets that are significant as a family, the most significant first.

    Columns: first, second, third, fourth (variables, NaN for the fourth of three), difference (S, the mean product of
    the data less that of the model), score, p_value (family-wise), nats (S² / 2 <v_i v_j v_k v_l>).

    Args:
        scores: scores of all sets.
        data: residuals of the rows of the data.
        model: residuals of the model's own rows.
        variables: variable of every column; of the sets of the same variables the strongest is shown.
        allowed: sets that may be listed.
        level: family-wise error, the probability that a single set is listed if the model is right.
        most: largest number of sets that are listed.
    """
    chosen = strongest(np.where(allowed, scores.scores, 0.0), scores.largest.critical(level), most)
    members = scores.members[chosen]
    worth = set_worth(data, model, members)
    named = np.where(members == NONE, np.nan, variables[members])
    table = {
        **dict(zip(MEMBERS, named.T, strict=True)),
        "difference": worth.differences,
        "score": scores.scores[chosen],
        "p_value": scores.p_values[chosen],
        "nats": worth.nats,
    }
    return smallest(pd.DataFrame(table).drop_duplicates(list(MEMBERS), ignore_index=True))


def smallest(sets: pd.DataFrame) -> pd.DataFrame:
    """Return the sets of a table that hold no other set of it: a fourth, rare variable hardly changes a product.

    >>> smallest(pd.DataFrame([[0, 1, 2, np.nan], [0, 1, 2, 3], [0, 1, 3, 4]], columns=MEMBERS))[["third", "fourth"]]
       third  fourth
    0      2     NaN
    1      3     4.0
    """
    members = [frozenset(line[np.isfinite(line)].tolist()) for line in sets[list(MEMBERS)].to_numpy(dtype=float)]
    threes = [each for each in members if len(each) == 3]
    kept = [not any(three < each for three in threes) for each in members]
    return sets[kept].reset_index(drop=True)
