"""Unbiased estimates of squared means from products of blocks, with their errors.

Half the squared length of the mean of features a, less that of the features b of a model's own rows,

    ½ |<a> - <b>|² = ½ (<a·a'> + <b·b'> - 2 <a·b>),

has an estimate without bias if a and a' come from different rows: from different blocks that do not touch, where
neighbouring rows resemble each other. Only products of block sums are needed, their Gram matrix. The error has two
parts, after Hoeffding: one that grows with the distance of <a> from <b>, and one that is left where they are equal.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

Gram = Float[np.ndarray, "blocks blocks"]
"""Products of the sums of features over blocks, those of the data first and then those of the model."""

Owners = Int[np.ndarray, " blocks"]
"""Sample of every block: 0 for the data, 1 for the model."""


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
        return self.value / self.null_error if self.value else 0.0

    def upper(self, errors: float, rows: float) -> float:
        """Return the true value I that comes out as low as this one only if it errs by so many errors.

        Away from zero an estimate is wider than at zero: its variance is null_error² + 2 I / rows for correlations of
        separate sets of variables.

        >>> round(Estimate(0.04, 0.01, 0.01).upper(1.645, rows=1e9), 4)
        0.0565

        Args:
            errors: number of errors.
            rows: number of independent rows behind the estimate.
        """
        spread = errors**2 / rows
        # The difference of two squares, (I + spread)² - I², is a product: no square of a large I, which may overflow.
        widths = spread * (2 * self.value + spread) + (errors * self.null_error) ** 2
        return self.value + spread + widths**0.5

    def detectable(self, threshold: float, rows: float, power: float = 0.95) -> float:
        """Return the true value that comes out above ``threshold`` null errors with probability ``power``."""
        return self._replace(value=threshold * self.null_error).upper(float(ndtri(power)), rows)


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

    With w the weights of products, K = w G and K' = w G' of centred products, the estimate is ½ Σ K. Its variance is
    the degenerate part ½ Σ K'², alone at zero, and Σ_b (Σ_c K_bc - its mean)² for the distance, less what the noise of
    the means adds to that.

    Args:
        gram: products of the sums of features.
        data: blocks of the rows of the data.
        model: blocks of the model's own rows.

    Source: Hoeffding, Annals of Mathematical Statistics 19 (1948) 293.
    """
    samples = [data] if model is None else [data, model]
    sizes = np.concatenate([blocks.sizes for blocks in samples])
    owner = np.repeat(np.arange(len(samples)), [len(blocks.sizes) for blocks in samples])
    weights = pair_weights(data, model)
    centred = centred_products(gram, weights != 0, sizes, owner)
    centred *= weights
    degenerate = float(np.vdot(centred, centred)) / 2
    projections = np.einsum("bc,bc->b", weights, gram)
    value = float(projections.sum()) / 2
    projections -= (np.bincount(owner, projections) / np.bincount(owner, sizes))[owner] * sizes
    distance = max(float(projections @ projections) - 2 * degenerate, 0.0)
    return Estimate(value, (distance + degenerate) ** 0.5, degenerate**0.5)


def centred_products(
    gram: Gram, used: Bool[np.ndarray, "blocks blocks"], sizes: Float[np.ndarray, " blocks"], owner: Owners
) -> Gram:
    """Return the products of block sums less the means of their samples.

    Means come from the products that are used alone. The square of a block, which is far larger where there are more
    features than blocks, is in none of them.

    Args:
        gram: products of block sums.
        used: true for the products that are used.
        sizes: rows of every block.
        owner: sample of every block.
    """
    members = (owner[:, None] == np.arange(owner[-1] + 1)).astype(np.float64)
    sums = np.where(used, gram, 0.0) @ members
    counts = used @ (sizes[:, None] * members)
    means = sums / counts
    grand = members.T @ sums / (members.T @ (sizes[:, None] * counts))
    sized = members * sizes[:, None]
    # Their sum has the rank of a few samples: one product makes it, in memory for one.
    along = np.hstack([means, sized]) @ np.hstack([sized, means - sized @ grand.T]).T
    return np.subtract(gram, along, out=along)
