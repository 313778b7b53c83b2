"""Total correlation of the normal law with the same correlations, -½ ln det R."""

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import digamma

from vae_mf.benchmarks.estimators.columns import columns_of
from vae_mf.statistics.averages import Average

MOST_ALIKE = 1e10
"""Ratio of the largest variance of a combination of columns to the smallest from which on this one is rounding."""


def gaussian(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None = None
) -> Average:
    """Return -½ ln det of the correlations of residuals between variables, in nats.

    The bias of the determinant for normal rows is taken off; the error is that of the influence of every row.

    Raises:
        ValueError: unless there are more rows than columns, and no column is a combination of others.
    """
    columns = columns_of(rows, given)
    count, width = columns.residuals.shape
    if count <= width + 1:
        raise ValueError(f"rows: expected more than {width + 1} for the determinant of correlations, got {count}")
    scaled = columns.residuals / np.sqrt(columns.variances.clip(min=np.finfo(np.float32).tiny))
    scaled = scaled.astype(np.float64)
    covariance = scaled.T @ scaled / count
    own = np.where(columns.variables[:, None] == columns.variables, covariance, 0.0)
    lowest, highest = np.linalg.eigvalsh(covariance)[[0, -1]]
    if highest > MOST_ALIKE * lowest:
        raise ValueError("rows: expected no copies or combinations of other variables, got a determinant of zero")
    value = (np.linalg.slogdet(own)[1] - np.linalg.slogdet(covariance)[1]) / 2
    influence = (quadratic(scaled, own) - quadratic(scaled, covariance)) / 2
    sizes = np.bincount(columns.variables)
    bias = log_determinant_bias(count, width) - sum(log_determinant_bias(count, int(size)) for size in sizes)
    return Average(float(value + bias / 2), float(influence.std() / np.sqrt(count)))


def quadratic(
    rows: Float[np.ndarray, "rows columns"], matrix: Float[np.ndarray, "columns columns"]
) -> Float[np.ndarray, " rows"]:
    """Return x R⁻¹ x of every row."""
    return np.einsum("rc,cr->r", rows, np.linalg.solve(matrix, rows.T))


def log_determinant_bias(rows: int, width: int) -> float:
    """Return the mean of ln det S - ln det Σ of the covariance S of normal rows.

    >>> log_determinant_bias(100, 2) < 0
    True
    """
    return float((digamma((rows - np.arange(width)) / 2) - np.log(rows / 2)).sum())
