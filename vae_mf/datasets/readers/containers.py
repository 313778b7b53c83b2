"""Arrays in npy, npz, mat (v5 and v7.3) and zarr, described before anything is loaded."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

import h5py
import numpy as np
import pandas as pd
import scipy.io
import zarr
from scipy import sparse

from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import (
    HDF5,
    MATLAB,
    NUMPY,
    ZIP,
    DataError,
    Options,
    Raster,
    is_number,
    listed,
    parsing,
    require_array_memory,
)
from vae_mf.datasets.spike_times import group_by_cell, spike_raster

UNNAMED = ""
CELLS = np.dtype(object)
"""Type of a cell array of MATLAB; pickled objects of NumPy have it too but are never loaded."""
MATLAB_TYPES = {
    "double": "f8", "single": "f4", "logical": "u1", "char": "U1", "cell": "O", "sparse": "f8",
    **{f"{sign}int{bits}": f"{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Entry(NamedTuple):
    """An array of a container of some format, not loaded."""

    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], Any]


Container = Mapping[str, Entry]


def load(container: Container, array: str | None) -> tuple[str, np.ndarray]:
    """Return name and values of the array to read, see `choose`."""
    name = choose(container, array)
    entry = container[name]
    if not is_number(entry.dtype):
        raise DataError(f"expected numbers, got {describe(entry.dtype)}: save the data as an array of 0 and 1")
    return name, read_entry(entry)


def read_entry(entry: Entry) -> Any:
    """Return the content of an array that fits into memory."""
    require_array_memory(entry.shape, entry.dtype)
    with parsing(entry.kind):
        return entry.read()


def describe(dtype: np.dtype) -> str:
    """Return a description of the entries of an array that are no numbers."""
    kinds = {"c": "complex numbers", "O": "Python objects or a MATLAB cell array", "M": "dates", "m": "durations"}
    return kinds.get(dtype.kind, "text" if dtype.kind in "SU" else f"an array of {dtype}")


def choose(container: Container, array: str | None) -> str:
    """Return ``array``, or the name of the only array of numbers with two or more axes longer than one.

    MATLAB's scalars and vectors have two axes and do not count.
    """
    if list(container) == [UNNAMED]:
        if array is not None:
            raise DataError(f"expected no `array`, as the file holds one array without a name, got {array!r}")
        return UNNAMED
    numeric = {name: entry.shape for name, entry in container.items() if is_number(entry.dtype)}
    held = ", ".join(f"{name} {shape}" for name, shape in numeric.items()) or "no array of numbers"
    if array is not None:
        if array not in container:
            raise DataError(
                f"expected `array` among those that the file holds ({held}), got {array!r}: give one of these"
            )
        return array
    tables = [name for name, shape in numeric.items() if sum(length > 1 for length in shape) >= 2]
    if len(tables) != 1:
        advice = "name the right one by `array`" if tables else "save an array (rows, variables)"
        raise DataError(
            f"expected exactly one array of two or more dimensions, got {held}: {advice}, or give "
            "`bin_width` if these are spike times"
        )
    return tables[0]


def register_container(
    kind: str, *suffixes: str, starts: tuple[bytes, ...] = (), markers: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], Container]], Callable[[Path], Container]]:
    """Register the decorated function, which returns the arrays of a file, as a reader of arrays and spike times."""

    def register(open_file: Callable[[Path], Container]) -> Callable[[Path], Container]:
        def opened(path: Path) -> Container:
            with parsing(kind):
                return open_file(path)

        def read(path: Path, options: Options) -> Raster:
            return container_raster(opened(path), options, f"{kind} file")

        def read_array(path: Path, options: Options) -> np.ndarray:
            return load(opened(path), options.array)[1]

        used = ("array", "bin_width")
        register_reader(*suffixes, markers=markers, starts=starts, options=used, read_array=read_array)(read)
        return open_file

    return register


def container_raster(container: Container, options: Options, source: str) -> Raster:
    """Return an array of a container as it is, or its spike times in bins if their width is given."""
    if options.bin_width is not None:
        return container_spikes(container, options.array, options.bin_width, source)
    name, values = load(container, options.array)
    named = f", array {name}" if name else ""
    return Raster(values, f"{source}{named} of shape {values.shape}")


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


@register_container("npy", ".npy", starts=(NUMPY,))
def _open_npy(path: Path) -> Container:
    with path.open("rb") as file:
        shape, dtype = _npy_header(file)
    return {UNNAMED: Entry("npy", shape, dtype, _refuse_pickle if dtype.hasobject else partial(np.load, path))}


def _refuse_pickle() -> np.ndarray:
    raise DataError("the array holds Python objects, which could run any code: save an array of numbers per cell")


@register_container("npz", ".npz", starts=(ZIP,))
def _open_npz(path: Path) -> Container:
    def read(name: str) -> np.ndarray:
        with np.load(path) as archive:
            return archive[name]

    # Headers alone: the other arrays of an archive may be large, or pickled and so not to be loaded.
    entries = {}
    with ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                name = member.removesuffix(".npy")
                shape, dtype = _npy_header(file)
                entries[name] = Entry("npz", shape, dtype, _refuse_pickle if dtype.hasobject else partial(read, name))
    return entries


def _is_hdf5(file: BinaryIO) -> bool:
    # MATLAB writes a 512-byte block of its own before the HDF5 part; other writers of v7.3 files may not.
    head = file.read(520)
    return _HDF5_SIGNATURE in (head[:8], head[512:])


@register_container("mat", ".mat", starts=(HDF5, MATLAB))
def _open_mat(path: Path) -> Container:
    with path.open("rb") as file:
        if _is_hdf5(file):
            return _open_mat73(path)

    def read(name: str) -> np.ndarray:
        array = scipy.io.loadmat(path, variable_names=[name])[name]
        return array.toarray() if sparse.issparse(array) else array

    found = scipy.io.whosmat(path)
    return {
        name: Entry("mat", shape, np.dtype(MATLAB_TYPES.get(kind, "V")), partial(read, name))
        for name, shape, kind in found
    }


def _open_mat73(path: Path) -> Container:
    def read(name: str) -> np.ndarray:
        with h5py.File(path) as file:
            values = file[name][()].T  # pyright: ignore[reportIndexIssue]
            if values.dtype != CELLS:
                return values
            cells = np.empty(values.size, object)
            cells[:] = [np.asarray(file[reference]) for reference in values.flat]
            return cells

    with h5py.File(path) as file:
        arrays = {name: array for name, array in file.items() if isinstance(array, h5py.Dataset)}
        # MATLAB's axes come reversed.
        return {
            name: Entry("mat", array.shape[::-1], array.dtype, partial(read, name)) for name, array in arrays.items()
        }


@register_container("zarr", markers=("zarr.json", ".zarray", ".zgroup"))
def _open_zarr(path: Path) -> Container:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {UNNAMED: _zarr_entry(node)}
    arrays = [(name, array) for name, array in node.members(max_depth=None) if isinstance(array, zarr.Array)]
    return {name: _zarr_entry(array) for name, array in arrays}


def _zarr_entry(array: zarr.Array) -> Entry:
    return Entry("zarr", array.shape, np.dtype(array.dtype), lambda: np.asarray(array[...]))


def container_spikes(container: Container, array: str | None, bin_width: float, source: str) -> Raster:
    """Return the raster of one vector of times per cell, of a cell array of vectors, or of an array (spikes, 2).

    Raises:
        DataError: The container holds none of these.
    """
    cell_arrays = [name for name, entry in container.items() if entry.dtype == CELLS]
    vectors = {name: entry for name, entry in container.items() if is_number(entry.dtype) and _long_axes(entry) <= 1}
    chosen = array if array is not None else UNNAMED if UNNAMED in container else None
    if chosen is None and len(cell_arrays) == 1:
        chosen = cell_arrays[0]
    if chosen is None and len(vectors) < 2:
        raise DataError(
            "expected a vector of spike times for each cell, found none: leave out `bin_width` if the rows are binned"
        )
    if chosen is None:
        return _vector_spikes(vectors, bin_width, source)
    if chosen not in container:
        raise DataError(f"expected `array` among {listed(list(container))}, got {array!r}: give one of these")
    return _array_spikes(container[chosen], bin_width, f"{source}, array {chosen}" if chosen else source)


def _long_axes(entry: Entry) -> int:
    return sum(length != 1 for length in entry.shape)


def _vector_spikes(vectors: Mapping[str, Entry], bin_width: float, source: str) -> Raster:
    """Return the raster of one array of a container per cell; single numbers, such as a sampling rate, are no cells."""
    numbers_alone = [name for name, entry in vectors.items() if np.prod(entry.shape) == 1]
    remarks = (f"arrays of one number were not taken for cells: {listed(numbers_alone)}",) if numbers_alone else ()
    times = {name: read_entry(entry).ravel() for name, entry in vectors.items() if name not in numbers_alone}
    return spike_raster(times, bin_width, f"{source}, one vector for each cell", remarks)


def _array_spikes(entry: Entry, bin_width: float, source: str) -> Raster:
    """Return the raster of a cell array of vectors, or of an array (spikes, 2) of cell and time."""
    if entry.dtype == CELLS:
        cells = [np.asarray(part).ravel() for part in read_entry(entry).ravel()]
        return spike_raster({str(k): times for k, times in enumerate(cells, start=1)}, bin_width, source)
    if not is_number(entry.dtype) or len(entry.shape) != 2 or entry.shape[1] != 2:
        raise DataError(
            f"expected spike times as (spikes, 2), cell and time, got an array of shape {entry.shape}: "
            "leave out `bin_width` if the rows are binned"
        )
    values = np.asarray(read_entry(entry))
    return spike_raster(group_by_cell(pd.Series(values[:, 0]), values[:, 1]), bin_width, source)
