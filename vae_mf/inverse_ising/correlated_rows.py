"""Weights of rows that depend on their neighbours, as in a recording."""

from typing import Any

import numpy as np
from jaxtyping import Float

from vae_mf.checks import require_integer
from vae_mf.inverse_ising.moments import spin_moments


def effective_weights(spins: Any, block: Any) -> Float[np.ndarray, " samples"]:
    """Return equal weights whose sum is the number of independent rows with as much scatter of <s_i s_j>.

    Given as ``sample_weight``, they let priors, penalties and errors count what the rows are worth. With x_ij the
    products of deviations from the means, the scatter of their sums over blocks, in units of that of as many
    independent rows, is averaged over all pairs of spins, each in units of its variances; it is at least 1.

    Args:
        spins: rows in order, shape (M, N), of two values.
        block: number of successive rows in a block, several correlation times and at most M / 10.

    Raises:
        ValueError: if the block leaves fewer than ten blocks.
    """
    rows = np.where(np.asarray(spins) > 0, 1, -1).astype(np.int8)
    length = require_integer("block", block)
    count = len(rows) // length
    if count < 10:
        raise ValueError(f"block: expected at most a tenth of the {len(rows)} rows, got {block!r}")
    data = spin_moments(rows)
    scale = np.sqrt(np.maximum(np.diag(data.covariances), 1e-12))
    deviations = (rows - data.magnetisations) / scale
    means = data.covariances / np.outer(scale, scale)
    squares = ((deviations**2).T @ deviations**2) / len(rows) - means**2
    blocks = deviations[: count * length].reshape(count, length, -1)
    squared = sum(((part.T @ part - length * means) ** 2 for part in blocks), start=np.zeros_like(means))
    spread = squared / (count - 1) / length
    upper = np.triu_indices(rows.shape[1], 1)
    return np.full(len(rows), 1 / max(float(spread[upper].sum() / squares[upper].sum()), 1.0))
