"""A store as a folder of files: how an empty one appears, and which of its files are there and sound."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import Shaped
from zarr.storage import LocalStore, MemoryStore

from vae_mf.store.schema import (
    CHUNK_KEYS,
    COMMITTED,
    COMPRESSORS,
    MARKER,
    SCHEMA,
    SCHEMA_VERSION,
    SYSTEM,
    ArraySpec,
    StoreError,
    group_path,
    header_layout,
    sample_specs,
    system_specs,
)


def create_store(path: Path, header: dict[str, Any], arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> None:
    """Build an empty store beside ``path`` and move it there, so that a crash leaves a whole store or none."""
    building = path.with_name(f"{path.name}.creating")
    if building.exists():
        shutil.rmtree(building)
    for name, content in _empty_store(header, arrays).items():
        file = building / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    os.replace(building, path)


def _empty_store(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Return the files of a store without samples.

    They are made in memory because Zarr writes parents at the same time as their children: after a failed write
    others would still be under way.
    """
    files: dict[str, Any] = {}
    root: Any = zarr.create_group(MemoryStore(files), zarr_format=3, attributes=header)
    root.create_group(SYSTEM)
    for t, temperature in enumerate(header["temperatures"]):
        root.create_group(group_path(t), attributes={"temperature": temperature})
    for name, spec in {COMMITTED: MARKER, **system_specs(header), **sample_specs(header_layout(header))}.items():
        _create_array(root, name, spec)
    for name, values in arrays.items():
        root[f"{SYSTEM}/{name}"][...] = values
    root[COMMITTED][...] = 0
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


def read_header(path: Path) -> dict[str, Any] | None:
    """Return the header of the store at ``path``, None where nothing is, or raise StoreError for anything else."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    header = _root_attributes(path)
    if header.get("schema") != SCHEMA:
        raise StoreError(f"{path}: expected a {SCHEMA} store or nothing, got something else, which is left alone")
    if header.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(f"{path}: expected schema_version {SCHEMA_VERSION}, got {header.get('schema_version')}")
    return header


def _root_attributes(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((path / "zarr.json").read_bytes())["attributes"])
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return {}


def read_committed(path: Path) -> int:
    """Return the number of finished blocks, or raise StoreError if the marker is bad."""
    return int(read_array(path, COMMITTED, MARKER))


def read_array(path: Path, name: str, spec: ArraySpec, rows: int | None = None) -> Shaped[np.ndarray, "..."]:
    """Return the first ``rows`` rows of an array, by default all of it, or raise StoreError if a file is bad."""
    _file_bytes(path, name, spec, rows)
    try:
        array: Any = zarr.open_array(LocalStore(path, read_only=True), path=name, mode="r")
        return np.asarray(array[...] if rows is None else array[:rows])
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {name} does not match its checksum ({error})") from error


def array_bytes(path: Path, header: Mapping[str, Any], rows: int) -> dict[str, int]:
    """Return the size on disk of every array up to row ``rows``, or raise StoreError if a file is missing."""
    system = {name: _file_bytes(path, name, spec) for name, spec in system_specs(header).items()}
    samples = sample_specs(header_layout(header))
    return system | {name: _file_bytes(path, name, spec, rows) for name, spec in samples.items()}


def _file_bytes(path: Path, name: str, spec: ArraySpec, rows: int | None = None) -> int:
    # Looked for one by one, because Zarr reads a missing chunk as zeros.
    try:
        return sum((path / name / file).stat().st_size for file in ["zarr.json", *spec.chunk_names(rows)])
    except FileNotFoundError as error:
        missing = Path(error.filename).relative_to(path)
        raise StoreError(f"{path} is truncated: expected the file {missing}, got none") from error
