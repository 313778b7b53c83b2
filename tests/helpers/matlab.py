"""Files of MATLAB v7.3, with the attributes that MATLAB writes."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

CLASSES = {"bool": "logical", "float32": "single", "float64": "double"}


def write_mat73(path: Path, chunked: bool = False, **values: Any) -> None:
    """Write arrays, texts, lists as cell arrays, and sparse matrices."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            add(file, name, value, chunked)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def add(group: h5py.Group, name: str, value: Any, chunked: bool = False) -> Any:
    """Write a value as MATLAB does: its axes reversed, [] as its lengths, text as numbers, a list as references."""
    if isinstance(value, str):
        return classed(
            group.create_dataset(name, data=np.array([[ord(letter)] for letter in value], np.uint16)), "char"
        )
    if isinstance(value, list):
        references = [add(group, f"#refs#/{name}{k}", part).ref for k, part in enumerate(value)]
        cells = np.array(references, h5py.ref_dtype)[:, None]
        return classed(group.create_dataset(name, data=cells, dtype=h5py.ref_dtype), "cell")
    kind = CLASSES.get(value.dtype.newbyteorder("=").name, value.dtype.newbyteorder("=").name)
    if sparse.issparse(value):
        held = group.create_group(name)
        held.attrs["MATLAB_sparse"] = np.uint64(value.shape[0])
        for part, numbers in (("data", value.data), ("ir", value.indices), ("jc", value.indptr)):
            if len(numbers):
                held[part] = numbers.astype(np.uint8 if numbers.dtype == bool else numbers.dtype)
        return classed(held, kind)
    if not value.size:
        held = classed(group.create_dataset(name, data=np.array(value.shape, np.uint64)), kind)
        held.attrs["MATLAB_empty"] = np.uint8(1)
        return held
    stored = value.astype(np.uint8) if kind == "logical" else value
    # A vector has two axes there.
    stored = stored[:, None] if stored.ndim == 1 else stored
    return classed(group.create_dataset(name, data=stored.T, chunks=True if chunked else None), kind)


def classed(node: Any, kind: str) -> Any:
    node.attrs["MATLAB_class"] = np.bytes_(kind)
    return node
