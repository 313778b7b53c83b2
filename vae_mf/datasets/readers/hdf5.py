"""Arrays in HDF5 files, by their paths."""

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vae_mf.datasets.files import HDF5, DataError
from vae_mf.datasets.readers.containers import Container, Entry, hdf5_chunks, hdf5_values, register_container
from vae_mf.datasets.readers.fill_values import gapped_type, marks_of, with_gaps

VERSION_OF_NWB = "nwb_version"
"""Attribute of a file or a folder of NWB."""


@register_container("HDF5", ".h5", ".hdf5", starts=(HDF5,))
def _open_hdf5(path: Path) -> Container:
    with h5py.File(path) as file:
        if VERSION_OF_NWB in file.attrs:
            raise DataError("the content is an NWB file: rename it to end in .nwb")
    return hdf5_entries(path)


def hdf5_entries(path: Path) -> Container:
    """Return the arrays of a file by their paths."""

    def read(name: str) -> np.ndarray:
        with h5py.File(path) as file:
            node = file[name]
            return with_gaps(hdf5_values(node), marks_of(node.attrs))

    entries = {}

    def note(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            text = h5py.check_string_dtype(node.dtype)
            dtype = np.dtype("U1") if text else gapped_type(node.dtype, marks_of(node.attrs))
            entries[name] = Entry(
                "HDF5", node.shape or (), dtype, partial(read, name), partial(hdf5_chunks, path, name)
            )

    with h5py.File(path) as file:
        # Links to other files are not followed.
        file.visititems(note)
    return entries
