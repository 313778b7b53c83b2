"""Rows as columns of numbers with their residuals from the reference: one column a sign, five a director."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.reference import reference
from vae_mf.models.directors.symmetric_tensors import director_components


class Columns(NamedTuple):
    """Residuals of all rows, and the variance that the reference gives them."""

    residuals: Float[np.ndarray, "rows columns"]
    variances: Float[np.ndarray, "rows columns"]
    variables: Int[np.ndarray, " columns"]
    """Variable that every column belongs to."""


def columns_of(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None
) -> Columns:
    """Return the residuals of rows given z, of directors those of the components of n nᵀ.

    Raises:
        ValueError: if directors come with latent variables, or rows or z are not as they should be.
    """
    require_question(rows, given)
    if rows.ndim == 2:
        means = np.tanh(reference(rows, given).log_odds / 2).astype(np.float32)
        return Columns(rows - means, 1 - means**2, np.arange(rows.shape[1]))
    if given is not None:
        raise ValueError("given: expected none with directors, whose law given z is not fitted, got some")
    tensors = numpy_components(rows)
    residuals = (tensors - tensors.mean(0)).reshape(len(rows), -1)
    variances = np.broadcast_to((residuals**2).mean(0), residuals.shape)
    return Columns(residuals, variances, np.repeat(np.arange(rows.shape[1]), tensors.shape[2]))


def numpy_components(directors: Float[np.ndarray, "rows variables 3"]) -> Float[np.ndarray, "rows variables 5"]:
    """Return the five components of n nᵀ - I/3 of every director."""
    import torch

    return director_components(torch.from_numpy(np.ascontiguousarray(directors, np.float32))).numpy()
