"""Arrays in npy, npz, mat (v5 and v7.3) and zarr, described before anything is loaded."""

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO
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
    HEAD_BYTES,
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
    require_memory,
)
from vae_mf.datasets.readers.fill_values import gapped_type, marks_of, with_gaps
from vae_mf.datasets.spike_times import SpikeColumns, spike_columns, spike_raster, table_of_spikes

UNNAMED = ""
TEXT = "text"
ZARRAY = ".zarray"
MOST_CHUNKS = 100_000
"""Chunks of a zarr array, of which each takes the time to open a file."""
MOST_HDF5_CHUNKS = 1_000_000
CHUNKS_AT_ONCE = 1_000
MOST_NAMED = 20
"""Arrays of a file that are listed when one has to be chosen."""
MOST_AXES = 64
"""Axes that an array has at most."""
CELLS = np.dtype(object)
"""Type of a cell array of MATLAB; pickled objects of NumPy have it too but are never loaded."""
MATLAB_TYPES = {
    "double": "f8", "single": "f4", "logical": "u1", "char": "U1", "cell": "O", "sparse": "f8",
    **{f"{sign}int{bits}": f"{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
NUMERIC = frozenset(MATLAB_TYPES) - {"char", "cell", "sparse"}
HEADER_BYTES = 2**16
"""Bytes of an npy file that its header is looked for in."""
MAT5_HEADER, MAT5_COMPRESSED = 128, 15
"""Bytes before the first variable of a MATLAB v5 file, and kind of a variable that is compressed."""
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Entry(NamedTuple):
    """An array of a container of some format, not loaded."""

    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], Any]
    chunks: Callable[[], "Chunks"] | None = None
    inner: bool = False
    """True for the field of a struct, or objects of Zarr, looked at if they are named or nothing else will do."""


class Chunks(NamedTuple):
    """Chunks that an array in pieces consists of, those that are stored, and the value of all others."""

    total: int
    stored: int
    fill: Any


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


def chunk_remarks(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return a remark for each array of which chunks are absent, as after a writer that was interrupted."""
    found = [entry.chunks() for entry in entries if entry.chunks]
    return tuple(
        f"{total - stored} of {total} chunks are absent and were taken as {fill}"
        for total, stored, fill in found
        if stored < total
    )


def describe(dtype: np.dtype) -> str:
    """Return a description of the entries of an array that are no numbers."""
    kinds = {"c": "complex numbers", "O": "Python objects or a MATLAB cell array", "M": "dates", "m": "durations"}
    return kinds.get(dtype.kind, TEXT if dtype.kind in "SU" else f"an array of {dtype}")


def choose(container: Container, array: str | None) -> str:
    """Return ``array``, or the name of the only array of numbers with two or more axes longer than one.

    MATLAB's scalars and vectors have two axes and do not count.
    """
    if list(container) == [UNNAMED]:
        if array is not None:
            raise DataError(f"expected no `array`, as the file holds one array without a name, got {array!r}")
        return UNNAMED
    numeric = {name: entry.shape for name, entry in container.items() if is_number(entry.dtype)}
    held = listed([f"{name} {shape}" for name, shape in numeric.items()], MOST_NAMED) or "no array of numbers"
    if array is not None:
        if array not in container:
            raise DataError(
                f"expected `array` among those that the file holds ({held}), got {array!r}: give one of these"
            )
        return array
    tables = [name for name, shape in numeric.items() if sum(length > 1 for length in shape) >= 2]
    tables = [name for name in tables if not container[name].inner] or tables
    if len(tables) != 1:
        advice = "name the right one by `array`" if tables else "save an array (rows, variables)"
        raise DataError(
            f"expected exactly one array of two or more dimensions, got {held}: {advice}, or give "
            "`bin_width` if these are spike times"
        )
    return tables[0]


def name_in(container: Container, array: str | None) -> str | None:
    """Return the name of an array as the container has it: HDF5 knows paths with a slash in front as well."""
    return array if array is None or array in container else array.strip("/")


def register_container(
    kind: str, *suffixes: str, starts: tuple[bytes, ...] = (), markers: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], Container]], Callable[[Path], Container]]:
    """Register the decorated function, which returns the arrays of a file, as a reader of arrays and spike times."""

    def register(open_file: Callable[[Path], Container]) -> Callable[[Path], Container]:
        def opened(path: Path) -> Container:
            with parsing(kind):
                return open_file(path)

        def read(path: Path, options: Options) -> Raster:
            container = opened(path)
            named = options._replace(array=name_in(container, options.array))
            return container_raster(container, named, f"{kind} file")

        def read_array(path: Path, options: Options) -> np.ndarray:
            container = opened(path)
            return load(container, name_in(container, options.array))[1]

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
    remarks = chunk_remarks([container[name]])
    return Raster(values, f"{source}{named} of shape {values.shape}", remarks=remarks)


def _npy_header(content: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array; a header may claim to be of any length, but is short."""
    file = BytesIO(content.read(HEADER_BYTES))
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def read_npy(path: Path) -> np.ndarray:
    """Return the array of an npy file that fits into memory."""
    with parsing("npy"):
        container = _open_npy(path)
    return load(container, None)[1]


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
    if {"data", "format", "shape"} <= entries.keys():  # a sparse matrix of SciPy
        return {UNNAMED: _sparse_entry(path, entries)}
    return entries


def _sparse_entry(path: Path, parts: Container) -> Entry:
    """Return the sparse matrix of SciPy that an npz file holds in parts, each of which has to fit into memory too."""

    def read_dense() -> np.ndarray:
        require_memory(sum(map(size_of, parts.values())), "save fewer entries")
        return dense(sparse.load_npz(path))

    shape = tuple(map(int, read_entry(parts["shape"])))
    return Entry("npz", shape, parts["data"].dtype, read_dense)


def size_of(entry: Entry) -> int:
    """Return the number of bytes of an array."""
    return int(np.prod(entry.shape, dtype=object)) * entry.dtype.itemsize


def _is_hdf5(file: BinaryIO) -> bool:
    # MATLAB writes a 512-byte block of its own before the HDF5 part; other writers of v7.3 files may not.
    head = file.read(520)
    return _HDF5_SIGNATURE in (head[:8], head[512:])


@register_container("mat", ".mat", starts=(HDF5, MATLAB))
def _open_mat(path: Path) -> Container:
    with path.open("rb") as file:
        if _is_hdf5(file):
            return _open_mat73(path)

    found = scipy.io.whosmat(path)
    sizes = dict(zip((name for name, *_ in found), _mat5_sizes(path), strict=False))

    def loaded(*names: str) -> dict[str, Any]:
        # Cell arrays and structs do not say how large they are.
        require_memory(sum(sizes.get(name, 0) for name in names), "save each variable in a file of its own")
        return scipy.io.loadmat(path, variable_names=list(names))

    def read(name: str) -> np.ndarray:
        array = loaded(name)[name]
        return dense(array) if sparse.issparse(array) else array

    entries = {
        name: Entry("mat", shape, np.dtype(MATLAB_TYPES.get(kind, "V")), partial(read, name))
        for name, shape, kind in found
        if kind != "struct"
    }
    structs = [name for name, _, kind in found if kind == "struct"]
    if structs:
        # Their fields have no header of their own.
        for name, value in loaded(*structs).items():
            entries |= _struct_entries(name, value) if name in structs else {}
    return entries


def _mat5_sizes(path: Path) -> Iterator[int]:
    """Yield the number of bytes of each variable of a MATLAB v5 file, once it is unpacked."""
    with path.open("rb") as file:
        if 0 in file.read(4):  # version 4, which compresses nothing
            return
        file.seek(MAT5_HEADER - 2)
        order = "<" if file.read(2) == b"IM" else ">"
        place = MAT5_HEADER
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            place += 8 + size
            if kind == MAT5_COMPRESSED:
                # The content begins with a tag of its own, which says its size.
                tag = zlib.decompressobj().decompress(file.read(min(size, HEAD_BYTES)), 8)
            yield struct.unpack(f"{order}II", tag)[1]
            file.seek(place)


def _struct_entries(name: str, value: Any) -> dict[str, Entry]:
    """Return the arrays in a struct of MATLAB by their paths, such as data.raster, of a struct array as cell arrays."""
    if sparse.issparse(value):
        return {name: Entry("mat", value.shape, value.dtype, partial(dense, value), inner=True)}
    if type(value) is not np.ndarray or value.dtype.names is None:
        return {name: Entry("mat", value.shape, value.dtype, lambda: value, inner=True)}
    entries = {}
    for field in value.dtype.names:
        parts = value[field]
        if parts.size == 1:
            entries |= _struct_entries(f"{name}.{field}", parts.item())
        else:
            entries[f"{name}.{field}"] = Entry("mat", parts.shape, CELLS, partial(np.asarray, parts), inner=True)
    return entries


def dense(matrix: Any) -> np.ndarray:
    """Return a sparse matrix as an array, after checking its indices, which may lie outside in a damaged file."""
    if hasattr(matrix, "check_format"):  # of other formats the indices are checked where it is made
        matrix.check_format(full_check=True)
    return matrix.toarray()


def _open_mat73(path: Path) -> Container:
    with h5py.File(path) as file:
        # MATLAB keeps the contents of cells and objects in groups whose names begin with #.
        nodes = {name: node for name, node in file.items() if not name.startswith("#")}
        entries = [_mat73_entries(path, name, node) for name, node in nodes.items()]
    return {name: entry for part in entries for name, entry in part.items()}


def _mat73_entries(path: Path, name: str, node: h5py.Dataset | h5py.Group) -> dict[str, Entry]:
    """Return an array of MATLAB v7.3 by its name, or those in a struct by their paths, such as data.raster."""
    if isinstance(node, h5py.Dataset) or "MATLAB_sparse" in node.attrs:
        return {name: _mat73_entry(path, node)._replace(inner="." in name)}
    parts = [_mat73_entries(path, f"{name}.{field}", child) for field, child in node.items()]
    return {path_in: entry for part in parts for path_in, entry in part.items()}


def _mat73_entry(path: Path, node: h5py.Dataset | h5py.Group) -> Entry:
    """Return an array of MATLAB v7.3 by its attributes; its axes come reversed."""

    def read() -> Any:
        with h5py.File(path) as file:
            return _mat73_values(file, file[node_name])

    node_name = node.name
    kind = _matlab_class(node)
    if "MATLAB_sparse" in node.attrs:
        shape = int(node.attrs["MATLAB_sparse"]), len(node["jc"]) - 1
        return Entry("mat", shape, np.dtype("u1" if kind == "logical" else "f8"), read)
    # A file of another writer has no classes.
    dtype = node.dtype if kind is None else np.dtype(MATLAB_TYPES.get(kind, "V"))
    if "MATLAB_empty" in node.attrs:
        return Entry("mat", _empty_shape(node), dtype, read)
    return Entry("mat", node.shape[::-1], dtype, read, partial(hdf5_chunks, path, node_name))


def _empty_shape(node: h5py.Dataset) -> tuple[int, ...]:
    """Return the shape of an array of MATLAB v7.3 without entries, which stands in the place of its values."""
    lengths = tuple(map(int, node[:MOST_AXES]))
    if node.size > MOST_AXES or np.prod(lengths, dtype=object) != 0:
        raise DataError(f"expected the axes of an empty array, got {node.size} numbers: save the variables again")
    return lengths


def _matlab_class(node: h5py.Dataset | h5py.Group) -> str | None:
    """Return the class that MATLAB v7.3 gives to an array, None if it is of another writer."""
    kind = node.attrs.get("MATLAB_class")
    return kind.decode("ascii", "replace") if isinstance(kind, bytes) else kind


def _mat73_values(file: h5py.File, node: Any) -> Any:
    """Return the values of an array of MATLAB v7.3, of a cell array a vector of those of its cells."""
    kind = _matlab_class(node)
    if "MATLAB_sparse" in node.attrs:
        shape = int(node.attrs["MATLAB_sparse"]), len(node["jc"]) - 1
        # Without any entry there are no "ir" and "data".
        parts = [hdf5_values(node[name]) if name in node else np.zeros(0, np.uint8) for name in ("data", "ir")]
        return dense(sparse.csc_matrix((*parts, hdf5_values(node["jc"])), shape))
    if "MATLAB_empty" in node.attrs:
        return np.empty(_empty_shape(node), MATLAB_TYPES.get(str(kind), "V"))
    if kind is not None and kind not in NUMERIC | {"cell"}:
        return np.array(kind)  # text, whose letters are stored as numbers
    values = hdf5_values(node).T
    if values.dtype != CELLS:
        return values
    cells = np.empty(values.shape, object)
    cells.ravel()[:] = [_mat73_values(file, file[reference]) for reference in values.flat]
    return cells


def hdf5_values(array: h5py.Dataset) -> np.ndarray:
    """Return the values of an array of HDF5 that fits into memory.

    Raises:
        DataError: It does not, or is in too many pieces.
    """
    require_array_memory(array.shape or (), array.dtype)
    if array.chunks is None:
        return array[()]
    require_memory(int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize, "save it in smaller chunks")
    grid = chunk_grid(array)
    require_few_chunks(int(np.prod(grid, dtype=object)), MOST_HDF5_CHUNKS)
    values = np.empty(array.shape, array.dtype)
    # HDF5 takes kilobytes of memory for each chunk that it reads at once.
    step = array.chunks[0] * max(1, CHUNKS_AT_ONCE // max(1, int(np.prod(grid[1:]))))
    for start in range(0, len(values), step):
        values[start : start + step] = array[start : start + step]
    return values


def taken_as(fill: Any, attributes: Mapping[str, Any]) -> Any:
    """Return the value of absent chunks, as a remark has it."""
    return "missing entries" if fill in marks_of(attributes) else fill


def chunk_grid(array: h5py.Dataset) -> list[int]:
    """Return the number of chunks along each axis of an array in chunks."""
    return [-(-length // piece) for length, piece in zip(array.shape, array.chunks, strict=True)]


def require_few_chunks(count: int, limit: int) -> None:
    """Raise DataError if an array is in more chunks than can be read in a few seconds."""
    if count > limit:
        raise DataError(f"expected at most {limit} chunks, got {count}: save it in larger ones")


def hdf5_chunks(path: Path, name: str) -> Chunks:
    """Return the chunks of an array of HDF5; one without chunks is one."""
    with h5py.File(path) as file:
        array = file[name]
        if array.chunks is None:
            unwritten = array.size > 0 and array.id.get_space_status() == h5py.h5d.SPACE_STATUS_NOT_ALLOCATED
            return Chunks(1, 1 - unwritten, taken_as(array.fillvalue, array.attrs))
        return Chunks(
            int(np.prod(chunk_grid(array))), array.id.get_num_chunks(), taken_as(array.fillvalue, array.attrs)
        )


@register_container("zarr", markers=("zarr.json", ".zarray", ".zgroup"))
def zarr_entries(path: Path) -> Container:
    """Return the array of a folder of Zarr, or those of a group by their paths."""
    zarr.open(path, mode="r")  # of a damaged folder this raises
    places = _zarr_arrays(path)
    return {UNNAMED if place == path else str(place.relative_to(path)): _zarr_entry(place) for place in places}


def _zarr_arrays(path: Path) -> Iterator[Path]:
    """Return the folders of all arrays, of version 2 or 3, without their chunks."""
    for folder, inner, names in os.walk(path):
        place = Path(folder)
        inner.sort()
        if ZARRAY in names or ("zarr.json" in names and _described(place / "zarr.json")["node_type"] == "array"):
            inner.clear()
            yield place


def _described(place: Path) -> dict[str, Any]:
    return json.loads(place.read_text("utf-8"))


def _zarr_entry(place: Path) -> Entry:
    held = _described(place / ZARRAY) if (place / ZARRAY).exists() else {}
    if "|O" in str(held.get("dtype")):  # text, or references between arrays of NWB, which Zarr cannot open
        return Entry("zarr", tuple(held["shape"]), CELLS, _refuse_pickle, inner=True)
    array = zarr.open_array(place, mode="r")

    def chunks() -> Chunks:
        return Chunks(array.nchunks, array.nchunks_initialized, taken_as(array.fill_value, attributes))

    def read() -> np.ndarray:
        require_few_chunks(array.nchunks, MOST_CHUNKS)
        require_memory(int(np.prod(array.chunks, dtype=object)) * dtype.itemsize, "save it in smaller chunks")
        return with_gaps(np.asarray(array[...]), marks_of(attributes))

    attributes = array.attrs.asdict()
    dtype = gapped_type(np.dtype(array.dtype), marks_of(attributes))
    return Entry("zarr", array.shape, dtype, _refuse_pickle if dtype.hasobject else read, chunks)


def container_spikes(container: Container, array: str | None, bin_width: float, source: str) -> Raster:
    """Return the raster of the spike times of a container.

    These are one vector of times for each cell, a cell array of vectors, an array (spikes, 2), vectors of cells and
    times with an entry for each spike, or the times of all cells in a row with a vector of where each cell ends, its
    name that of the times followed by ``_index``.

    Raises:
        DataError: The container holds none of these, or it is not clear what is meant.
    """
    outer = {name: entry for name, entry in container.items() if not entry.inner}
    if array is None and any(np.prod(entry.shape) > 1 and describe(entry.dtype) != TEXT for entry in outer.values()):
        container = outer
    cell_arrays = [name for name, entry in container.items() if entry.dtype == CELLS]
    vectors = {name: entry for name, entry in container.items() if is_number(entry.dtype) and _long_axes(entry) <= 1}
    chosen = array if array is not None else UNNAMED if UNNAMED in container else None
    indexed = [name for name in vectors if f"{name}_index" in vectors and chosen in (None, name)]
    if len(indexed) == 1:
        return _indexed_spikes(vectors, indexed[0], bin_width, source)
    if len(cell_arrays) + len(vectors) > 1:
        cell_arrays = [name for name in cell_arrays if not _holds_text(container[name])]
    if chosen is None and len(cell_arrays) == 1:
        chosen = cell_arrays[0]
    if chosen is None and len(vectors) < 2:
        raise DataError(
            "expected a vector of spike times for each cell, found none: leave out `bin_width` if the rows are "
            "binned, or save the times of each cell as an array of its own, without padding"
        )
    if chosen is None and (columns := spike_columns(list(vectors))):
        return _listed_spikes(vectors, columns, bin_width, source)
    if chosen is None:
        return _vector_spikes(vectors, bin_width, source)
    if chosen not in container:
        raise DataError(f"expected `array` among {listed(list(container))}, got {array!r}: give one of these")
    return _array_spikes(container[chosen], bin_width, f"{source}, array {chosen}" if chosen else source)


def _long_axes(entry: Entry) -> int:
    """Return the number of axes longer than one; [] of MATLAB, of shape (0, 0), is a vector without entries."""
    return sum(length != 1 for length in entry.shape) if np.prod(entry.shape) else 1


def _holds_text(entry: Entry) -> bool:
    """Return whether a cell array holds words, such as the names of cells."""
    return any(np.asarray(part).dtype.kind in "SU" for part in read_entry(entry).ravel())


def _indexed_spikes(vectors: Mapping[str, Entry], times: str, bin_width: float, source: str) -> Raster:
    """Return the raster of the times of all cells in a row, as in NWB, the cells named by a vector ``id`` beside it."""
    names = [times, f"{times}_index", f"{times.rpartition('/')[0]}/id".lstrip("/")]
    entries = [vectors[name] for name in names if name in vectors]
    spikes, ends, *ids = (read_entry(entry).ravel() for entry in entries)
    ends = ends.astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    if not len(ends) or (starts > ends).any() or ends[-1] != len(spikes):
        raise DataError(
            f"expected {names[1]} to hold where each cell ends in {times}, {len(spikes)} at the end, got "
            f"{listed(ends.tolist())}: save both again"
        )
    if ids and (len(ids[0]) != len(ends) or len(np.unique(ids[0])) < len(ends)):
        raise DataError(
            f"expected an {names[2]} of its own for each of {len(ends)} cells, got {listed(ids[0].tolist())}: mend it"
        )
    cells = map(str, ids[0] if ids else range(len(ends)))
    parts = {cell: spikes[start:end] for cell, start, end in zip(cells, starts, ends, strict=True)}
    return spike_raster(parts, bin_width, f"{source}, {times} by {names[1]}", chunk_remarks(entries))


def _listed_spikes(vectors: Mapping[str, Entry], columns: SpikeColumns, bin_width: float, source: str) -> Raster:
    """Return the raster of vectors with an entry for each spike."""
    names = list(vectors)
    cell, time = names[columns.cell], names[columns.time]
    shapes = [int(np.prod(vectors[name].shape)) for name in (cell, time)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"expected a cell for every spike time, got {shapes[0]} in {cell} and {shapes[1]} in {time}: save them "
            "again, or rename vectors that hold the times of one cell each"
        )
    alike = {name: entry for name, entry in vectors.items() if np.prod(entry.shape) == shapes[1]}
    frame = pd.DataFrame({name: read_entry(entry).ravel() for name, entry in alike.items()})
    found = spike_columns(list(frame.columns)) or columns
    raster = table_of_spikes(frame, frame[time].to_numpy(), found, bin_width, f"{source}, {time} by {cell}")
    return raster._replace(remarks=chunk_remarks(alike.values()) + raster.remarks)


def _vector_spikes(vectors: Mapping[str, Entry], bin_width: float, source: str) -> Raster:
    """Return the raster of one array of a container per cell; single numbers, such as a sampling rate, are no cells."""
    numbers_alone = [name for name, entry in vectors.items() if np.prod(entry.shape) == 1]
    remarks = (f"arrays of one number were not taken for cells: {listed(numbers_alone)}",) if numbers_alone else ()
    cells = {name: entry for name, entry in vectors.items() if name not in numbers_alone}
    times = {name: read_entry(entry).ravel() for name, entry in cells.items()}
    remarks += chunk_remarks(cells.values())
    return spike_raster(times, bin_width, f"{source}, one vector for each cell", remarks)


def _array_spikes(entry: Entry, bin_width: float, source: str) -> Raster:
    """Return the raster of a cell array of vectors, or of an array (spikes, 2) of cell and time."""
    if entry.dtype == CELLS:
        cells = [np.asarray(part) for part in read_entry(entry).ravel()]
        if _long_axes(entry) > 1 or any(part.dtype == CELLS for part in cells):
            raise DataError(
                f"expected a vector of spike times for each cell, got a cell array of shape {entry.shape} with an axis "
                "of trials: save a table with columns neuron, trial and time, whose trials are read as repeats"
            )
        if words := [k for k, part in enumerate(cells, start=1) if not is_number(part.dtype)]:
            raise DataError(
                f"expected numbers in each cell, got others in {listed(words)}: name spike times by `array`"
            )
        times = {str(k): part.ravel() for k, part in enumerate(cells, start=1)}
        return spike_raster(times, bin_width, source)
    if not is_number(entry.dtype) or len(entry.shape) != 2 or entry.shape[1] != 2:
        raise DataError(
            f"expected spike times as (spikes, 2), cell and time, got an array of shape {entry.shape}: "
            "leave out `bin_width` if the rows are binned"
        )
    values = np.asarray(read_entry(entry))
    frame = pd.DataFrame({"cell": values[:, 0], "time": values[:, 1]})
    raster = table_of_spikes(frame, values[:, 1], SpikeColumns(0, 1, None), bin_width, source)
    return raster._replace(remarks=chunk_remarks([entry]) + raster.remarks)
