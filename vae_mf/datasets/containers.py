"""Arrays in npy, npz, mat (v5 and v7.3) and zarr: what a file holds, known before anything is loaded."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

import h5py
import numpy as np
import scipy.io
import zarr
from scipy import sparse

from vae_mf.datasets.files import DataError, parsing, require_array_memory

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


def is_number(dtype: np.dtype) -> bool:
    """Return whether an array of this type holds real numbers or booleans."""
    return dtype.kind in "biuf"


def load(container: Container, array: str | None) -> tuple[str, np.ndarray]:
    """Return name and values of the array to read, chosen as `choose` says.

    Raises:
        DataError: There is no such array of numbers, or it does not fit into memory.
    """
    name = choose(container, array)
    entry = container[name]
    if not is_number(entry.dtype):
        raise DataError(f"expected numbers, got {describe(entry.dtype)}: save the data as an array of 0 and 1")
    return name, read_entry(entry)


def read_entry(entry: Entry) -> Any:
    """Return the content of an array that fits into memory.

    Raises:
        DataError: It does not, or the file is damaged.
    """
    require_array_memory(entry.shape, entry.dtype)
    with parsing(entry.kind):
        return entry.read()


def describe(dtype: np.dtype) -> str:
    """Return in words what an array that holds no numbers holds."""
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


def open_container(path: Path, suffix: str) -> Container:
    """Return the arrays of a file or zarr folder by name, a single array without a name under ""."""
    with parsing(suffix.removeprefix(".")):
        return CONTAINERS[suffix](path)


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _open_npy(path: Path) -> Container:
    with path.open("rb") as file:
        shape, dtype = _npy_header(file)
    return {UNNAMED: Entry("npy", shape, dtype, _refuse_pickle if dtype.hasobject else partial(np.load, path))}


def _refuse_pickle() -> np.ndarray:
    raise DataError("the array holds Python objects, which could run any code: save an array of numbers per cell")


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


def _open_zarr(path: Path) -> Container:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {UNNAMED: _zarr_entry(node)}
    arrays = [(name, array) for name, array in node.members(max_depth=None) if isinstance(array, zarr.Array)]
    return {name: _zarr_entry(array) for name, array in arrays}


def _zarr_entry(array: zarr.Array) -> Entry:
    return Entry("zarr", array.shape, np.dtype(array.dtype), lambda: np.asarray(array[...]))


CONTAINERS: dict[str, Callable[[Path], Container]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".mat": _open_mat,
    ".zarr": _open_zarr,
}
