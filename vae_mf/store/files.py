"""Files of a store: those of an empty one, and checks that all are there and sound."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import zarr
from jaxtyping import Shaped
from zarr.core.buffer import cpu
from zarr.storage import MemoryStore

from vae_mf.store.checksums import (
    CHECKSUMS,
    DIGEST,
    CheckedStore,
    checksum_of,
    checksums_of_blocks,
    header_digest,
    table_spec,
)
from vae_mf.store.folders import Folder
from vae_mf.store.schema import (
    CHUNK_KEYS,
    COMMITTED,
    COMPRESSORS,
    MARKER,
    METADATA,
    SCHEMA,
    SCHEMA_VERSION,
    SYSTEM,
    ArraySpec,
    NoStoreError,
    StoreError,
    group_path,
    header_layout,
    sample_specs,
    system_specs,
)

KEEP_ZEROS = {"array.write_empty_chunks": True}
"""Zarr's setting without which chunks that are all zero are left out, and a lost file would read as data."""


def empty_store(header: dict[str, Any], arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> dict[str, bytes]:
    """Return the files of a store without samples.

    They are made in memory because Zarr writes parents at the same time as their children: after a failed write
    others would still be under way.
    """
    files: dict[str, Any] = {}
    root: Any = zarr.create_group(MemoryStore(files), zarr_format=3, attributes=header)
    root.create_group(SYSTEM)
    for t, temperature in enumerate(header["temperatures"]):
        root.create_group(group_path(t), attributes={"temperature": temperature})
    layout = header_layout(header)
    own = {COMMITTED: MARKER, CHECKSUMS: table_spec(layout)}
    for name, spec in {**own, **system_specs(header), **sample_specs(layout)}.items():
        _create_array(root, name, spec)
    with zarr.config.set(KEEP_ZEROS):
        for name, values in {COMMITTED: 0, **{f"{SYSTEM}/{name}": values for name, values in arrays.items()}}.items():
            root[name][...] = values
    return {name: content.to_bytes() for name, content in files.items()}


def _create_array(root: zarr.Group, name: str, spec: ArraySpec) -> None:
    root.create_array(
        name,
        shape=spec.shape,
        chunks=spec.chunks,
        dtype=spec.dtype,
        fill_value=0,
        filters=None,
        compressors=COMPRESSORS,
        chunk_key_encoding=CHUNK_KEYS,  # pyright: ignore[reportArgumentType]
    )


def read_header(folder: Folder) -> dict[str, Any] | None:
    """Return the header of the store in ``folder``, None where nothing is, or raise StoreError for anything else."""
    header = _root_attributes(folder)
    if not header and folder.vacant():
        return None
    # Another writer may have created it between the two looks.
    header = header or _root_attributes(folder)
    if header.get("schema") != SCHEMA:
        if folder.read(f"{COMMITTED}/{METADATA}") is not None:
            raise StoreError(f"{folder} is damaged: its header {METADATA} is not that of a store")
        found = f"got something else, which is left alone{elsewhere(folder)}"
        raise NoStoreError(f"{folder}: expected a {SCHEMA} store or nothing, {found}")
    if header.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(f"{folder}: expected schema_version {SCHEMA_VERSION}, got {header.get('schema_version')}")
    if {CHECKSUMS, DIGEST} & header.keys() and header.get(DIGEST) != header_digest(header):
        raise StoreError(f"{folder} is damaged: its header {METADATA} is not the one that it was sealed with")
    require_described(folder, header)
    return header


def require_described(folder: Folder, header: Mapping[str, Any]) -> None:
    """Raise StoreError unless a header says all that a store is read by; one of another program may not."""
    try:
        specs = system_specs(header) | sample_specs(header_layout(header))
        records = [header["attrs"], *([header["diagnostics"], header["array_bytes"]] if "complete" in header else [])]
        if not all(isinstance(record, dict) for record in records):
            raise ValueError("a record is no mapping of names to values")
        for name, values in header.get(CHECKSUMS, {}).items():
            if len(values) != 1 + specs[name].chunk_count() or not all(isinstance(value, int) for value in values):
                raise ValueError(f"the checksums of {name} are not those of its files")
        if "complete" in header and header["array_bytes"].keys() != specs.keys():
            raise ValueError("the sizes are not those of its arrays")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        said = f"it has no entry {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise StoreError(f"{folder} is damaged: its header {METADATA} describes no store: {said}") from error


def elsewhere(folder: Folder) -> str:
    """Return a clause on what a folder of this machine is, if it is no store, or on the store that was meant."""
    place = Path(str(folder))
    if (place / "run.json").exists():
        return ": it is a run, which vae_mf.load opens"
    inside = sorted(path.parent for path in place.glob(f"*/{METADATA}"))
    if inside:
        return f": it holds stores, such as {inside[0]}"
    near = get_close_matches(place.name, [path.parent.name for path in place.parent.glob(f"*/{METADATA}")], 1)
    return f": did you mean {place.with_name(near[0])}?" if near and near[0] != place.name else ""


def _root_attributes(folder: Folder) -> dict[str, Any]:
    try:
        return dict(json.loads(folder.read(METADATA) or "")["attributes"])
    except (ValueError, KeyError, TypeError):
        return {}


def read_committed(folder: Folder) -> int:
    """Return the number of finished blocks, or raise StoreError if the marker is bad."""
    return int(read_array(folder, COMMITTED, MARKER))


def read_array(
    folder: Folder,
    name: str,
    spec: ArraySpec,
    rows: slice | None = None,
    expected: Mapping[str, int] = MappingProxyType({}),
) -> Shaped[np.ndarray, "..."]:
    """Return an array, or neighbouring rows of it.

    Args:
        folder: files of the store.
        name: name of the array.
        spec: shape and chunks.
        rows: rows that are read; None for all.
        expected: known checksums by the names of files.

    Raises:
        StoreError: if a file is absent, damaged or another one.
    """
    _array_bytes(folder, folder.sizes(name), name, spec, None if rows is None else rows.stop)
    try:
        files = CheckedStore(folder.zarr_store(read_only=True), expected)
        array: Any = zarr.open_array(files, path=name, mode="r", zarr_format=3)
        if (array.shape, array.chunks, str(array.dtype)) != (spec.shape, spec.chunks, spec.dtype):
            raise ValueError(f"{METADATA} describes another array")
        return np.asarray(array[...] if rows is None else array[rows])
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # Zarr has no one error for what is damaged
        said = " ".join((f"no {error}" if isinstance(error, KeyError) else str(error)).split())
        raise StoreError(f"{folder} is damaged: {name} does not match its checksum ({said})") from error


def array_bytes(folder: Folder, header: Mapping[str, Any]) -> dict[str, int]:
    """Return the stored size of every array of a full store, or raise StoreError if a file is missing."""
    sizes = folder.sizes()
    specs = system_specs(header) | sample_specs(header_layout(header))
    return {name: _array_bytes(folder, sizes, name, spec) for name, spec in specs.items()}


def check_arrays(folder: Folder, header: Mapping[str, Any], rows: int, expected: Mapping[str, int]) -> None:
    """Read every array up to row ``rows``, and raise StoreError if a file is missing, damaged or another one."""
    for name, spec in system_specs(header).items():
        read_array(folder, name, spec, expected=expected)
    for name, spec in sample_specs(header_layout(header)).items():
        read_array(folder, name, spec, slice(rows), expected)


def checksums_of_committed(folder: Folder, header: Mapping[str, Any], blocks: int) -> dict[str, int] | None:
    """Return the checksums of the committed blocks by the names of files, None in a store that has no table of them.

    Raises:
        StoreError: if the table is damaged.
    """
    if folder.read(f"{CHECKSUMS}/{METADATA}") is None:
        return None
    layout = header_layout(header)
    table = read_array(folder, CHECKSUMS, table_spec(layout), slice(blocks))
    try:
        return checksums_of_blocks(layout, table)
    except ValueError as error:
        raise StoreError(f"{folder} is damaged: {error}") from error


def checksums_to_seal(folder: Folder, header: Mapping[str, Any], blocks: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the checksums of the files of every array: of its description, then of its chunks.

    Args:
        folder: files of the store.
        header: its header.
        blocks: checksums of its blocks by the names of files.
    """

    def checksum(name: str) -> int:
        return blocks[name] if name in blocks else checksum_of(name, cpu.Buffer.from_bytes(folder.read(name) or b""))

    specs = system_specs(header) | sample_specs(header_layout(header))
    return {name: [checksum(file) for file in files_of(name, spec)] for name, spec in specs.items()}


def sealed_checksums(header: Mapping[str, Any]) -> dict[str, int]:
    """Return the checksums in the header of a sealed store by the names of files; stores of version 0.1 have none."""
    specs = system_specs(header) | sample_specs(header_layout(header))
    found = header.get(CHECKSUMS, {})
    return {
        file: value
        for name, values in found.items()
        for file, value in zip(files_of(name, specs[name]), values, strict=True)
    }


def files_of(name: str, spec: ArraySpec, rows: int | None = None) -> list[str]:
    """Return the files of an array as far as its first rows, its description first."""
    return [f"{name}/{file}" for file in (METADATA, *spec.chunk_names(rows))]


def _array_bytes(folder: Folder, sizes: Mapping[str, int], name: str, spec: ArraySpec, rows: int | None = None) -> int:
    # Looked for one by one, because Zarr reads a missing chunk as zeros.
    if spec.chunk_count(rows) > len(sizes):  # a number of blocks beyond any memory
        raise StoreError(f"{folder} is truncated: expected {spec.chunk_count(rows)} chunks of {name}, got fewer")
    files = files_of(name, spec, rows)
    for file in files:
        if file not in sizes:
            raise StoreError(f"{folder} is truncated: expected the file {file}, got none")
    return sum(sizes[file] for file in files)
