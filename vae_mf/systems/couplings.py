"""Couplings of pairs of spins, checked where they come in."""

from typing import Any

import numpy as np
from scipy import sparse

from vae_mf.arrays import Couplings
from vae_mf.checks import plain_array, require_array

SYMMETRY_TOLERANCE = 1e-10
"""Largest |J_ij - J_ji| that passes for rounding, in units of the largest |J_ij|."""


def checked_couplings(couplings: Any) -> Couplings | sparse.csr_array:
    """Return couplings as a float64 array, or a CSR one if they came sparse.

    Raises:
        ValueError: unless they are a finite symmetric (N, N) matrix with zero diagonal.
    """
    if sparse.issparse(couplings):
        if np.dtype(couplings.dtype).kind not in "biuf":
            raise ValueError(f"couplings: expected real numbers, got {couplings.dtype}")
        matrix = sparse.csr_array(couplings, dtype=np.float64, copy=True)
        matrix.sum_duplicates()
        values = matrix.data
    else:
        matrix = values = require_array("couplings", plain_array(couplings)).astype(np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"couplings: expected shape (N, N), got {matrix.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"couplings: expected finite numbers, got {np.count_nonzero(~np.isfinite(values))} others")
    largest = np.abs(values).max(initial=0.0)
    asymmetry = abs(matrix - matrix.T).max() if values.size else 0.0
    if asymmetry > SYMMETRY_TOLERANCE * largest:
        raise ValueError(f"couplings: expected a symmetric matrix, got |J_ij - J_ji| up to {asymmetry:g}")
    if matrix.diagonal().any():
        raise ValueError(
            f"couplings: expected a zero diagonal, got entries such as {np.abs(matrix.diagonal()).max():g}"
        )
    return matrix
