"""Numbers that stand for missing entries by an attribute of an array, as netCDF has them in HDF5 and in Zarr."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

ATTRIBUTES = ("_FillValue", "missing_value")
"""Attributes whose numbers mark an entry as missing."""


def marks_of(attributes: Mapping[str, Any]) -> Float64[np.ndarray, " marks"]:
    """Return the numbers that stand for missing entries; NaN, which always does, is none of them.

    >>> marks_of({"_FillValue": np.array([-1], np.int8), "units": "spikes"}).tolist()
    [-1.0]
    """
    values = [np.ravel(attributes[name]) for name in ATTRIBUTES if name in attributes]
    numbers = [value.astype(np.float64) for value in values if value.dtype.kind in "biuf"]
    found = np.unique(np.concatenate([np.zeros(0), *numbers]))
    return found[np.isfinite(found)]


def gapped_type(dtype: np.dtype, marks: Float64[np.ndarray, " marks"]) -> np.dtype:
    """Return the type of an array once missing entries are NaN."""
    if not marks.size or dtype.kind not in "biu":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def with_gaps(values: Shaped[np.ndarray, "*shape"], marks: Float64[np.ndarray, " marks"]) -> np.ndarray:
    """Return an array with NaN for the entries that are marked as missing.

    >>> with_gaps(np.array([0, 1, -1], np.int8), np.array([-1.0])).tolist()
    [0.0, 1.0, nan]
    """
    if not marks.size or values.dtype.kind not in "biuf":
        return values
    gapped = values.astype(gapped_type(values.dtype, marks))
    gapped[np.isin(values, marks.astype(values.dtype) if values.dtype.kind == "f" else marks)] = np.nan
    return gapped
