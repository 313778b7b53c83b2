"""Recordings: rows of binary variables from files and arrays, in the order of their repeats and times."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int8, Shaped

from vae_mf.checks import require_array, require_flag, require_integer, require_path, shown
from vae_mf.datasets.file_formats import read_raster
from vae_mf.datasets.files import DataError, Options, Raster, about, listed
from vae_mf.datasets.raster_checks import (
    IF_TURNED,
    TURNING,
    active_entries,
    advise,
    missing_entries,
    oriented,
    require_learnable,
    turned,
    usable,
)


@dataclass(frozen=True, repr=False)
class Recording:
    """Rows of the chosen variables, one per time bin of each repeat, ordered by repeat and then by time.

    Rows without an order in time, such as images and sequences, are a repeat each, of one bin.

    >>> from vae_mf.datasets import make_recording
    >>> recording = make_recording([[0, 1], [1, 0], [1, 1]], names=["a", "b"])
    >>> recording.rows.tolist(), recording.names, recording.time
    ([[-1, 1], [1, -1], [1, 1]], ('a', 'b'), array([0, 1, 2]))

    Attributes:
        rows: Spins (rows, variables), +1 where a variable is on, as a cell that fired in a bin, and -1 where it is off;
            0 where an entry is missing, if that was allowed.
        variables: Indices (variables,) of the chosen variables in the file.
        repeat: Repeat (rows,) that each row comes from.
        time: Bin (rows,) within the repeat, counted from 0: with a repeated stimulus, the time in the movie.
        names: One name per chosen variable, its index in the file if that names none.
        source: Origin of the rows, one sentence.
        remarks: Peculiarities of the data that a reader of the results should know, a sentence each.
    """

    rows: Int8[np.ndarray, "rows variables"]
    variables: Int[np.ndarray, " variables"]
    repeat: Int[np.ndarray, " rows"]
    time: Int[np.ndarray, " rows"]
    names: tuple[str, ...]
    source: str
    remarks: tuple[str, ...]

    def __repr__(self) -> str:
        """Return where the rows come from, and how many they are."""
        return f"Recording({self.source})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the rows, so that a recording can be given wherever an array can."""
        return np.array(self.rows, dtype=dtype, copy=copy)


def read_recording(
    path: str | os.PathLike,
    variables: Any = "all",
    array: str | None = None,
    *,
    transpose: bool = False,
    bin_width: Any = None,
    threshold: Any = None,
    drop_unusable: bool = False,
    allow_missing: bool = False,
) -> Recording:
    """Read a file of any format: an array or table of 0 and 1 or of -1 and +1, spike times, sequences or images.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "spikes.npy")
    ...     np.save(path, [[0, 1], [1, 0], [1, 1]])
    ...     recording = read_recording(path)
    >>> recording.rows.tolist(), recording.names
    ([[-1, 1], [1, -1], [1, 1]], ('0', '1'))

    Args:
        path: An npy, npz, mat (v5, v7.3), h5, nwb, csv, tsv, txt, dat, parquet, FASTA or idx file, a zarr folder, or
            a folder of NWB, Phy, Kilosort, ALF or pictures. Text, FASTA and idx may be compressed with gzip.
        variables: Variables to keep, see `make_recording`.
        array: Name of the array in an npz, mat, h5 or zarr container, if it holds several, "data.raster" for the
            field of a struct of MATLAB and "group/array" in groups of h5 or zarr; of the table of intervals in
            nwb that are repeats, such as "trials"; "spike_templates" for the cells of Kilosort before curation.
        transpose: True to swap the axes of variables and rows.
        bin_width: Width of a time bin in the unit of the file, which then holds spike times: a table with a column for
            the cell and one for the time, a vector of times per cell, or a cell array of vectors.
        threshold: Grey level above which a pixel counts as 1, "median" of each image, or "otsu" (the default).
        drop_unusable: True to leave out constant and repeated variables, and say so in the remarks, instead of refusing
            them; of images and sequences they always are.
        allow_missing: True to let missing entries of an array or a table pass, instead of refusing them.

    Returns:
        Spins (rows, variables) with the names of the variables, and repeat and time of every row.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The content cannot be used; one sentence says what to do.
        ValueError: An argument is out of range.
    """
    place = require_path("path", path, advice="; make_recording takes arrays")
    raster = read_raster(place, Options(array, bin_width, threshold))
    with about(place):
        return build_recording(raster, variables, transpose, drop_unusable, allow_missing)


def make_recording(
    raster: Any,
    variables: Any = "all",
    *,
    names: Sequence[str] | None = None,
    transpose: bool = False,
    drop_unusable: bool = False,
) -> Recording:
    """Return the chosen variables of a raster: 0 and 1, -1 and +1, or False and True, of any dtype.

    Args:
        raster: Array, list, table of pandas or Polars, sparse matrix or tensor (repeats, variables, bins), or (rows,
            variables) for one repeat.
        variables: ``"all"``, the number of most active ones to keep (by decreasing rate, ties by index), or a list of
            indices or names (kept in its order).
        names: Names of all variables; of a table by default those of its columns, or of its rows if they are turned.
        transpose: See `read_recording`.
        drop_unusable: See `read_recording`.

    Raises:
        DataError: The raster is empty, of another dimension or not binary, has fewer rows than chosen variables, or a
            chosen variable never changes, or is the same as another one.
        ValueError: The raster is no array of numbers, or ``variables`` or ``names`` do not fit it.

    >>> make_recording([[0, 1, 1], [0, 1, 0], [1, 0, 0]], variables=[2, 0]).rows
    array([[ 1, -1],
           [-1, -1],
           [-1,  1]], dtype=int8)
    """
    values = require_array("raster", raster)
    if names is None and hasattr(raster, "columns"):
        if not transpose:
            names = raster.columns
        elif hasattr(raster, "index"):  # tables of Polars have no names of rows
            names = raster.index
    if isinstance(names, str) or not isinstance(names, Iterable | None):
        raise ValueError(f"names: expected a list with one for each variable, got {shown(names)}")
    given = None if names is None else [str(name) for name in names]
    with about("raster"):
        held = Raster(values, f"array of shape {values.shape}", given, row_names=given)
        return build_recording(held, variables, transpose, drop_unusable)


def build_recording(
    raster: Raster,
    variables: Any = "all",
    transpose: bool = False,
    drop_unusable: bool = False,
    allow_missing: bool = False,
) -> Recording:
    """Return the chosen variables of the raster that a file held; see `make_recording`.

    >>> build_recording(Raster(np.array([[0, 1], [1, 1], [1, 0]]), "array", ["on", "off"])).source
    'array; 3 rows of 2 variables'
    """
    drop_unusable = require_flag("drop_unusable", drop_unusable) or raster.prunable
    if require_flag("transpose", transpose) and not raster.turnable:
        raise DataError(
            f"expected no `transpose`, as the file says which are its variables ({raster.source}): leave it out"
        )
    values = oriented(raster.values, transpose)
    names = variable_names(raster.row_names if transpose else raster.names, values.shape[1])
    missing = missing_entries(values) & require_flag("allow_missing", allow_missing)
    gapped = bool(missing.any())
    active = active_entries(np.where(missing, 1, values) if gapped else values, names)
    if gapped:
        active &= ~missing
    known = values.size // values.shape[1] - missing.sum(axis=(0, 2))
    chosen = _choose(active.sum(axis=(0, 2)) / np.maximum(known, 1), variables, names)
    repeats, _, bins = active.shape
    turning = "leave out `transpose`" if transpose else TURNING * raster.turnable
    hint = f", or {turning} {IF_TURNED}" if turning and turned(active.shape) else ""
    rows = chosen_spins(active, missing, chosen)
    if not drop_unusable:
        # First, as a few rows of many variables repeat each other, which would hide a probable transposition.
        require_learnable(rows, turning)
    kept, dropped = usable(rows, [names[k] for k in chosen], drop_unusable, hint)
    rows = kept_columns(rows, kept)
    chosen = chosen[kept]
    require_learnable(rows, turning)
    share = (rows == 0).mean()
    absent = (f"{share:.2%} of the entries are missing",) if share else ()
    return Recording(
        rows,
        chosen,
        np.repeat(np.arange(repeats), bins),
        np.tile(np.arange(bins), repeats),
        tuple(names[k] for k in chosen),
        f"{raster.source}; {len(rows)} rows of {len(chosen)} variables",
        (*raster.remarks, *shared_names(names), *absent, *dropped, *advise(active.shape, rows, turning)),
    )


def chosen_spins(
    active: Bool[np.ndarray, "repeats variables bins"],
    missing: Bool[np.ndarray, "repeats variables bins"],
    chosen: Int[np.ndarray, " chosen"],
) -> Int8[np.ndarray, "rows chosen"]:
    """Return spins of the chosen variables, 0 where missing, made in the memory of the marks, which are used up."""
    marks, gaps = (
        kept_columns(each.transpose(0, 2, 1).reshape(-1, each.shape[1]), chosen) for each in (active, missing)
    )
    spins = np.ascontiguousarray(marks).view(np.int8)
    spins *= 2
    spins -= 1
    spins[gaps] = 0
    return spins


def kept_columns(rows: Shaped[np.ndarray, "rows variables"], kept: Int[np.ndarray, " kept"]) -> np.ndarray:
    """Return some columns of an array, the array itself if those are all in their order.

    >>> kept_columns(np.array([[1, 2, 3]]), np.array([2, 0])).tolist()
    [[3, 1]]
    """
    return rows if np.array_equal(kept, np.arange(rows.shape[1])) else rows[:, kept]


def variable_names(given: Sequence[str] | None, count: int) -> list[str]:
    """Return the names of the variables, which are their numbers where none are given, or blank ones.

    >>> variable_names(None, 2), variable_names(["on", ""], 2)
    (['0', '1'], ['on', '1'])
    """
    names = [""] * count if given is None else list(given)
    if len(names) != count:
        raise ValueError(f"names: expected one for each of {count} variables, got {len(names)}")
    return [name if name.strip() else str(k) for k, name in enumerate(names)]


def shared_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return a remark on names that several variables have.

    >>> shared_names(["a", "b", "a"])
    ('names that several variables have: a',)
    """
    shared = [name for name, count in Counter(names).items() if count > 1]
    return (f"names that several variables have: {listed(shared)}",) if shared else ()


def _choose(rates: Float[np.ndarray, " variables"], variables: Any, names: list[str]) -> np.ndarray:
    """Return the indices of the chosen variables, out of all with given rates of activity."""
    total = len(rates)
    if isinstance(variables, str):
        if variables != "all":
            raise ValueError(f'variables: expected "all", a number or a list of indices or names, got {variables!r}')
        return np.arange(total)
    if isinstance(variables, Iterable):
        return _listed([_index(each, names) for each in variables], total)
    if require_integer("variables", variables) > total:
        raise ValueError(f"variables: expected at most the {total} variables of the recording, got {variables}")
    return np.argsort(-rates, kind="stable")[:variables]


def _index(variable: Any, names: list[str]) -> Any:
    """Return the index of a variable that is given by its name; anything else as it is."""
    if not isinstance(variable, str):
        return variable
    if names.count(variable) != 1:
        near = get_close_matches(variable, names, n=1) or names
        raise ValueError(f"variables: expected names that the file has once, such as {near[0]!r}, got {variable!r}")
    return names.index(variable)


def _listed(indices: Iterable, total: int) -> np.ndarray:
    listed = np.array([require_integer("variables", index, minimum=0) for index in indices], dtype=np.intp)
    if listed.size == 0 or listed.max() >= total or np.unique(listed).size != listed.size:
        raise ValueError(f"variables: expected different indices from 0 to {total - 1}, got {listed.tolist()}")
    return listed
