"""Residual information at order 2: what pairs of variables share once the latent variables are known.

With residuals δ_i = x_i - <x_i|z> at draws of z from p(z|x), the feature of a pair is a_ij(x) = E[δ_i δ_j | x]. Its
zero is the mean over the model's own rows, treated by the same encoder, whatever the faults of that. A coupling J_ij
that does not depend on z would gain S_ij² / 2 <v_i v_j> nats, S_ij = <a_ij>, v the conditional variances:

    I_2 = ½ Σ_{i<j} S_ij² / <v_i v_j>.

Residuals come in parts of consecutive rows, and of the features only sums over blocks of rows are kept. A variable may
have several columns, as the five components of a director: columns of one variable are no pair.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.statistics.latent_model import Products, Residuals, Variables
from vae_mf.statistics.u_statistics import Blocks, Estimate, Gram, u_statistic

SUMS = 50_000_000
"""Sums of features that are kept of a sample: 200 MB."""
PAIRS = 2**12
"""Pairs at a time."""


class ColumnPairs(NamedTuple):
    """Pairs of columns of different variables."""

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]


class PairSums(NamedTuple):
    """Features of all pairs, summed over blocks of rows."""

    sums: Float[np.ndarray, "blocks pairs"]
    pairs: ColumnPairs
    blocks: Blocks

    @property
    def mean(self) -> Float[np.ndarray, " pairs"]:
        """Mean feature of every pair."""
        return self.sums.sum(0, dtype=np.float64) / len(self.blocks.labels)


def column_pairs(variables: Variables) -> ColumnPairs:
    """Return all pairs of columns of different variables, in the order of the upper triangle.

    >>> column_pairs(np.array([0, 0, 1]))
    ColumnPairs(first=array([0, 1]), second=array([2, 2]))
    """
    first, second = np.triu_indices(len(variables), 1)
    different = variables[first] != variables[second]
    return ColumnPairs(first[different], second[different])


def affordable_blocks(columns: int) -> int:
    """Return the number of blocks whose sums fit the memory, from 50 to 1000.

    >>> affordable_blocks(24), affordable_blocks(1000)
    (1000, 100)
    """
    return int(np.clip(SUMS / (columns * (columns - 1) / 2 + 1), 50, 1000))


def pair_sums(parts: Iterable[Residuals], blocks: Blocks, variables: Variables) -> PairSums:
    """Return the features of all pairs, summed over the blocks.

    Args:
        parts: residuals of consecutive rows.
        blocks: blocks of all the rows.
        variables: variable of every column.

    Raises:
        ValueError: unless there are as many rows of residuals as in the blocks.
    """
    pairs = column_pairs(variables)
    places = pairs.first * len(variables) + pairs.second
    sums = np.zeros((len(blocks.sizes), len(places)), np.float32)
    start = 0
    for part in parts:
        labels = blocks.labels[start : start + len(part)]
        start += len(part)
        if start > len(blocks.labels):
            break
        for piece in np.split(np.arange(len(part)), np.flatnonzero(np.diff(labels)) + 1):
            residuals = part[piece[0] : piece[-1] + 1].reshape(-1, len(variables))
            sums[labels[piece[0]]] += (residuals.T @ residuals).ravel()[places] / part.shape[1]
    if start != len(blocks.labels):
        raise ValueError(f"parts: expected residuals of {len(blocks.labels)} rows, got at least {start}")
    return PairSums(sums, pairs, blocks)


def pair_features(parts: Iterable[Residuals], pairs: ColumnPairs) -> Float[np.ndarray, "rows pairs"]:
    """Return the features of some pairs for every row.

    >>> pair_features([np.array([[[1.0, 2.0], [3.0, 4.0]]])], ColumnPairs(np.array([0]), np.array([1]))).tolist()
    [[7.0]]
    """
    return np.concatenate([(part[..., pairs.first] * part[..., pairs.second]).mean(1) for part in parts])


def pair_information(data: PairSums, model: PairSums | None, products: Products) -> Estimate:
    """Return I_2 in nats.

    Args:
        data: features of the rows of the data.
        model: features of the model's own rows, whose means are the zero; None if zero is known.
        products: <v_i v_j> under the model.
    """
    samples = [data] if model is None else [data, model]
    gram = scaled_gram([sample.sums for sample in samples], pair_scales(products, data.pairs))
    return u_statistic(gram, *(sample.blocks for sample in samples))


def pair_scales(products: Products, pairs: ColumnPairs) -> Float[np.ndarray, " pairs"]:
    """Return 1 / <v_i v_j> of every pair, 0 where a variable is constant."""
    values = products[pairs.first, pairs.second]
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def scaled_gram(sums: list[Float[np.ndarray, "_ pairs"]], scales: Float[np.ndarray, " pairs"]) -> Gram:
    """Return Σ_ij a_ij a'_ij / <v_i v_j> for all pairs of block sums, from some pairs of variables at a time."""
    roots = np.sqrt(scales).astype(np.float32)
    count = sum(len(part) for part in sums)
    gram = np.zeros((count, count))
    for start in range(0, len(roots), PAIRS):
        chosen = slice(start, start + PAIRS)
        scaled = np.concatenate([part[:, chosen] for part in sums]) * roots[chosen]
        gram += scaled @ scaled.T
    return gram
