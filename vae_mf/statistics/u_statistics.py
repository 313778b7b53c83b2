"""Unbiased estimates of squared means from products of blocks, with their errors.

Half the squared length of the mean of features a, less that of the features b of a model's own rows,

    ½ |<a> - <b>|² = ½ (<a·a'> + <b·b'> - 2 <a·b>),

has an estimate without bias if a and a' come from different rows: from different blocks that do not touch, where
neighbouring rows resemble each other. Only products of block sums are needed, their Gram matrix. The error has two
parts, after Hoeffding: one that grows with the distance of <a> from <b>, and one that is left where they are equal.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

Gram = Float[np.ndarray, "blocks blocks"]
"""Products of the sums of features over blocks, those of the data first and then those of the model."""


class Blocks(NamedTuple):
    """Blocks of neighbouring rows, numbered in the order of the rows."""

    labels: Int[np.ndarray, " rows"]
    """Block of every row, from 0 on and never falling."""
    gap: int
    """Number of neighbours on either side whose rows a block's rows may resemble, and with which it is not paired."""

    @property
    def sizes(self) -> Float[np.ndarray, " blocks"]:
        """Number of rows of every block."""
        return np.bincount(self.labels).astype(np.float64)


class Estimate(NamedTuple):
    """Residual information in nats."""

    value: float
    error: float
    """Standard error."""
    null_error: float
    """Standard error if the true value is zero."""

    @property
    def significance(self) -> float:
        """Distance from zero in errors of the null."""
        return self.value / self.null_error

    def detectable(self, threshold: float, power: float = 0.95) -> float:
        """Return the true value that comes out above ``threshold`` null errors with probability ``power``.

        >>> round(Estimate(0.0, 0.01, 0.01).detectable(4.0), 4)
        0.0564
        """
        return (threshold + float(norm.ppf(power))) * self.null_error


def pair_weights(data: Blocks, model: Blocks | None) -> Gram:
    """Return the weight of every product of two blocks in ½ Σ, zero for a block with itself and those it touches."""
    weights = own_weights(data)
    if model is None:
        return weights
    shape = (len(weights), len(model.sizes))
    cross = np.full(shape, -1 / (len(data.labels) * len(model.labels)))
    return np.block([[weights, cross], [cross.T, own_weights(model)]])


def own_weights(blocks: Blocks) -> Gram:
    """Return the weights of products of two blocks of the same rows.

    Raises:
        ValueError: if all blocks touch each other.
    """
    number = np.arange(len(blocks.sizes))
    apart = np.abs(number[:, None] - number) > blocks.gap
    pairs = blocks.sizes @ apart @ blocks.sizes
    if not pairs:
        raise ValueError(f"blocks: expected some that do not touch, got {len(number)} with a gap of {blocks.gap}")
    return apart / pairs


def u_statistic(gram: Gram, data: Blocks, model: Blocks | None = None) -> Estimate:
    """Return ½ |<a> - <b>|² from products of block sums, ½ |<a>|² without a model.

    With w the weights of products, K = w G and K' = w G' of centred sums, the estimate is ½ Σ K. Its variance is the
    degenerate part ½ Σ K'², alone at zero, and Σ_b (Σ_c K_bc - its mean)² for the distance, less what the noise of the
    means adds to that.

    Args:
        gram: products of the sums of features.
        data: blocks of the rows that are judged.
        model: blocks of the model's own rows.

    Source: Hoeffding, Annals of Mathematical Statistics 19 (1948) 293.
    """
    weights = pair_weights(data, model)
    samples = [data.sizes] if model is None else [data.sizes, model.sizes]
    shares = membership([sizes / sizes.sum() for sizes in samples])
    members = membership([np.ones(len(sizes)) for sizes in samples])
    totals = shares @ (members.T @ gram)
    centred = gram - totals - totals.T + shares @ (members.T @ gram @ members) @ shares.T
    centred *= weights
    degenerate = float(np.vdot(centred, centred)) / 2
    projections = (weights * gram).sum(1)
    value = float(projections.sum()) / 2
    projections -= shares @ (members.T @ projections)
    distance = max(float(projections @ projections) - 2 * degenerate, 0.0)
    return Estimate(value, (distance + degenerate) ** 0.5, degenerate**0.5)


def membership(values: list[Float[np.ndarray, " _"]]) -> Float[np.ndarray, "blocks samples"]:
    """Return a column for every sample that holds its values in the rows of its blocks, and zeros elsewhere.

    >>> membership([np.ones(1), np.full(2, 0.5)]).tolist()
    [[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]
    """
    owner = np.repeat(np.arange(len(values)), [len(part) for part in values])
    return (owner[:, None] == np.arange(len(values))) * np.concatenate(values)[:, None]
