"""Arrays from users' files: npy, npz, mat (v5 and v7.3), csv, tsv and zarr."""

import os
import warnings
import zlib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import numpy as np
import scipy.io
import zarr
from jaxtyping import Shaped
from scipy import sparse
from scipy.io.matlab import MatReadError

Shapes = dict[str, tuple[int, ...]]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOT_NUMBERS = ("char", "cell", "struct", "object", "function", "opaque", "unknown")
_UNREADABLE = (ValueError, OSError, EOFError, BadZipFile, MatReadError, zlib.error)


def read_array(path: str | os.PathLike, variable: str | None = None) -> Shaped[np.ndarray, "..."]:
    """Return one numeric or boolean array of any shape from a file, whose suffix names its format.

    Args:
        path: An npy, npz, mat, csv or tsv file, or a zarr folder. One header row of a csv or tsv file is skipped: a
            first row in which no field is a number. Axes come in the order in which MATLAB shows them for every mat
            file: v7.3 stores them reversed, which is undone here.
        variable: Name of the array in an npz, mat or zarr container; a path such as ``"group/array"`` in zarr. It may
            be omitted if exactly one array has two or more axes longer than one (MATLAB's scalars and vectors do not
            count).

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        ValueError: The suffix, the variable or the content is not as described.
        ImportError: The file is a MATLAB v7.3 file and h5py is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a file or zarr folder, found nothing")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected a name ending in {', '.join(_READERS)}, got {path.suffix!r}")
    try:
        array = reader(path, variable)
        if not _is_number(array.dtype):
            raise ValueError(f"expected numbers, got an array of {array.dtype}")
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from error
    return array


def _is_number(dtype: Any) -> bool:
    return np.dtype(dtype).kind in "biuf"


def _choose(shapes: Shapes, variable: str | None) -> str:
    """Return the name of the array to read among those that a container holds."""
    held = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no array of numbers"
    if variable is not None:
        if variable not in shapes:
            raise ValueError(f"expected a variable among those that the file holds ({held}), got {variable!r}")
        return variable
    tables = [name for name, shape in shapes.items() if sum(length > 1 for length in shape) >= 2]
    if len(tables) != 1:
        raise ValueError(f"expected `variable` or exactly one array of two or more dimensions, the file holds: {held}")
    return tables[0]


def _require_unnamed(variable: str | None) -> None:
    """Raise ValueError if a variable is asked from a file that holds one array without a name."""
    if variable is not None:
        raise ValueError(f"expected no variable, as the file holds a single array without a name, got {variable!r}")


def _read_npy(path: Path, variable: str | None) -> np.ndarray:
    _require_unnamed(variable)
    return np.load(path, allow_pickle=False)


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _npz_shapes(path: Path) -> Shapes:
    # Headers alone: the other arrays of an archive may be large, or pickled and so not to be loaded.
    shapes = {}
    with ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                shape, dtype = _npy_header(member)
            if _is_number(dtype):
                shapes[name.removesuffix(".npy")] = shape
    return shapes


def _read_npz(path: Path, variable: str | None) -> np.ndarray:
    name = _choose(_npz_shapes(path), variable)
    with np.load(path, allow_pickle=False) as archive:
        return archive[name]


def _is_hdf5(file: BinaryIO) -> bool:
    # MATLAB writes a 512-byte block of its own before the HDF5 part; other writers of v7.3 files may not.
    head = file.read(520)
    return _HDF5_SIGNATURE in (head[:8], head[512:])


def _read_mat(path: Path, variable: str | None) -> np.ndarray:
    with path.open("rb") as file:
        if _is_hdf5(file):
            return _read_mat73(path, variable)
    shapes = {name: shape for name, shape, kind in scipy.io.whosmat(path) if kind not in _NOT_NUMBERS}
    name = _choose(shapes, variable)
    array = scipy.io.loadmat(path, variable_names=[name])[name]
    return array.toarray() if sparse.issparse(array) else array


def _read_mat73(path: Path, variable: str | None) -> np.ndarray:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path}: reading a MATLAB v7.3 file needs h5py (pip install h5py)") from error
    with h5py.File(path) as file:
        arrays = {name: array for name, array in file.items() if isinstance(array, h5py.Dataset)}
        shapes = {name: array.shape[::-1] for name, array in arrays.items() if _is_number(array.dtype)}
        return arrays[_choose(shapes, variable)][()].T


def _read_zarr(path: Path, variable: str | None) -> np.ndarray:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        _require_unnamed(variable)
        return np.asarray(node[...])
    arrays = {name: array for name, array in node.members(max_depth=None) if isinstance(array, zarr.Array)}
    shapes = {name: array.shape for name, array in arrays.items() if _is_number(array.dtype)}
    return np.asarray(arrays[_choose(shapes, variable)][...])


def _is_header(line: str, delimiter: str) -> bool:
    """Tell whether no field of a line is a number: one stray word among numbers is an error, not a header."""
    for field in line.split(delimiter):
        try:
            float(field.strip().strip('"'))
        except ValueError:
            continue
        return False
    return True


def _read_text(path: Path, variable: str | None, delimiter: str) -> np.ndarray:
    _require_unnamed(variable)
    with path.open(encoding="utf-8-sig") as lines, warnings.catch_warnings():
        # loadtxt only warns about a file without data.
        warnings.simplefilter("error", UserWarning)
        first = next(lines, "")
        rows = lines if _is_header(first, delimiter) else chain([first], lines)
        try:
            return np.loadtxt(rows, delimiter=delimiter, quotechar='"', ndmin=2)
        except UserWarning as warning:
            raise ValueError("expected rows of numbers, found none") from warning
        except ValueError as error:
            problem, *_ = str(error).split(";")
            raise ValueError(f"expected rows of numbers, all of one length: {problem}") from error


def _read_csv(path: Path, variable: str | None) -> np.ndarray:
    return _read_text(path, variable, ",")


def _read_tsv(path: Path, variable: str | None) -> np.ndarray:
    return _read_text(path, variable, "\t")


_READERS: dict[str, Callable[[Path, str | None], np.ndarray]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".zarr": _read_zarr,
}
