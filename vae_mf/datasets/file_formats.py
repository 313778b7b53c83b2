"""One entry to every format of file: npy, npz, mat (v5, v7.3), csv, tsv, txt, parquet, zarr, FASTA, idx, pictures."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from vae_mf.checks import require_positive
from vae_mf.datasets.alignments import read_alignment
from vae_mf.datasets.containers import CONTAINERS, load, open_container
from vae_mf.datasets.files import FASTA, IDX, TEXT, DataError, Options, Raster, about, check_file, suffix_of
from vae_mf.datasets.images import folder_raster, idx_raster, require_threshold
from vae_mf.datasets.spike_times import container_spikes, table_spikes
from vae_mf.datasets.tables import numbers, read_parquet, read_text, table_raster

PARQUET = ".parquet"
ZARR = ".zarr"
ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")
SUFFIXES = (".npy", ".npz", ".mat", *TEXT, PARQUET, *FASTA, IDX)
"""Formats of single files."""
USES = {
    "array": "arrays in npz, mat and zarr",
    "bin_width": "spike times in tables and arrays",
    "threshold": "images",
}
"""What each option is for."""


def read_array(path: str | os.PathLike, array: str | None = None) -> Shaped[np.ndarray, "..."]:
    """Return one array of real numbers or booleans, of any shape, from a container or a table.

    Args:
        path: An npy, npz, mat, csv, tsv, txt or parquet file, or a zarr folder. Axes come in the order in which MATLAB
            shows them for every mat file: v7.3 stores them reversed, which is undone here.
        array: Name of the array in an npz, mat or zarr container; a path such as ``"group/array"`` in zarr. It may
            be omitted if exactly one array has two or more axes longer than one (MATLAB's scalars and vectors do not
            count).

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The suffix, the variable or the content is not as described.
    """
    path = Path(path)
    with reading(path):
        return _array(path, format_of(path), Options(array))


def read_raster(path: str | os.PathLike, options: Options) -> Raster:
    """Return what a file of any known format holds, before it is checked to be binary.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The suffix or the content is not as described, or an option is not for this format.
        ValueError: An option is out of range.
    """
    path = Path(path)
    if options.bin_width is not None:
        options = options._replace(bin_width=require_positive("bin_width", options.bin_width))
    if options.threshold is not None:
        require_threshold(options.threshold)
    with reading(path):
        return _raster(path, format_of(path), options)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into one sentence that begins with its path."""
    try:
        with about(path):
            yield
    except PermissionError as error:
        raise PermissionError(
            f"{path}: expected a file that may be read, got no permission: change its mode"
        ) from error
    except FileNotFoundError:
        raise
    except MemoryError as error:
        raise DataError(f"{path}: it does not fit into memory: give a part of it") from error
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, got {error.strerror}: copy it to another place") from error


def format_of(path: Path) -> str:
    """Return the suffix of a file after looking at its first bytes, .zarr for a zarr folder, "" for another folder."""
    if path.is_dir():
        return ZARR if any((path / name).exists() for name in ZARR_FILES) else ""
    check_file(path, SUFFIXES)
    return suffix_of(path)


def _array(path: Path, suffix: str, options: Options) -> np.ndarray:
    if suffix in CONTAINERS:
        return load(open_container(path, suffix), options.array)[1]
    _require_unused(options, "array")
    if suffix in TEXT:
        return numbers(read_text(path).frame)
    if suffix == PARQUET:
        return numbers(read_parquet(path).frame)
    raise DataError("expected an array or a table of numbers, got another format: save it as npy or csv")


def _raster(path: Path, suffix: str, options: Options) -> Raster:
    if suffix in CONTAINERS:
        _require_unused(options, "threshold")
        return _container_raster(path, suffix, options)
    _require_unused(options, "array")
    if suffix in (*TEXT, PARQUET):
        _require_unused(options, "threshold")
        table = read_parquet(path) if suffix == PARQUET else read_text(path)
        return table_raster(table) if options.bin_width is None else table_spikes(table, options.bin_width)
    _require_unused(options, "bin_width")
    if suffix in FASTA:
        _require_unused(options, "threshold")
        return read_alignment(path)
    return (idx_raster if suffix == IDX else folder_raster)(path, options.threshold)


def _container_raster(path: Path, suffix: str, options: Options) -> Raster:
    container, source = open_container(path, suffix), f"{suffix.removeprefix('.')} file"
    if options.bin_width is not None:
        return container_spikes(container, options.array, options.bin_width, source)
    name, values = load(container, options.array)
    named = f", array {name}" if name else ""
    return Raster(values, f"{source}{named} of shape {values.shape}")


def _require_unused(options: Options, name: str) -> None:
    """Raise DataError if an option is given that is for other formats."""
    if getattr(options, name) is not None:
        value = getattr(options, name)
        raise DataError(f"expected no `{name}`, which is for {USES[name]}, got {value!r}: leave it out")
