"""Equilibrium samples on disk or in an object store, written block by block, resumable after a crash, then sealed.

A store that was killed, resumed and finished is the same, file by file, as one that was never interrupted.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import zarr
from jaxtyping import Float32, Shaped

from vae_mf.arrays import PackedSpins, Spins
from vae_mf.checks import is_masked, require_choice, shown
from vae_mf.files import disk_errors
from vae_mf.packing import unpack_spins
from vae_mf.store.checksums import CHECKSUMS, DIGEST, CheckedStore, header_digest, names_of_block
from vae_mf.store.files import (
    KEEP_ZEROS,
    array_bytes,
    check_arrays,
    checksums_of_committed,
    checksums_to_seal,
    elsewhere,
    empty_store,
    read_array,
    read_committed,
    read_header,
    sealed_checksums,
)
from vae_mf.store.folders import Folder, Lock, find_folder
from vae_mf.store.schema import (
    COMMITTED,
    DIRECTORS,
    SPINS,
    SYSTEM,
    StoreError,
    StoreLayout,
    column_path,
    first_difference,
    header_layout,
    make_header,
    plain_json,
    sample_specs,
    system_specs,
)

UNCHECKED = (
    "the store was written by an earlier version, without checksums of its blocks: swapped or edited files of it would "
    "not be noticed"
)


class SampleStore:
    """Committed rows of a store; arrays are read from disk at each call, whole.

    A level is the index of a temperature in ``temperatures``.

    Args:
        folder: place of the files; `open_store` finds it from a path or URL.
        header: record of the layout and of the request, as read from the store.

    Attributes:
        path: Folder of the store, or its URL.
        temperatures: Temperatures (temperatures,), k_B = 1.
        sites: Number of spins or directors.
        kind: Kind of the configurations, "spins" or "directors".
        blocks: Number of committed blocks.
        rows_per_block: Number of rows of one block at one temperature.
        rows: Number of rows at each temperature.
        scalar_names: Names of the observables.
        attrs: Record of the request, from the creation of the store.
        diagnostics: Record of the chains, from the sealing of the store; empty before.
        remarks: Peculiarities that a user should know, a sentence each.

    >>> layout = StoreLayout(sites=8, temperatures=(0.5, 1.0), blocks=1, rows_per_block=3, scalars={"energy": "f8"})
    >>> with open_writer("memory://examples/up.zarr", layout, {"seed": 1}) as writer:
    ...     writer.write_block(0, np.full((2, 3, 1), 255, np.uint8), {"energy": np.full((2, 3), -28.0)})
    ...     writer.seal({"acceptance": 1.0})
    >>> store = open_store("memory://examples/up.zarr")
    >>> store.temperatures, store.spins(level=1).sum(axis=1), store.scalar("energy", level=0)
    (array([0.5, 1. ]), array([8, 8, 8]), array([-28., -28., -28.]))
    """

    def __init__(self, folder: Folder, header: Mapping[str, Any], blocks: int) -> None:
        self._folder = folder
        self._layout = header_layout(header)
        self._system = system_specs(header)
        self.path = str(folder)
        self.temperatures = np.array(self._layout.temperatures)
        self.sites = self._layout.sites
        self.kind = self._layout.kind
        self.blocks = blocks
        self.rows_per_block = self._layout.rows_per_block
        self.rows = blocks * self.rows_per_block
        self.scalar_names = tuple(self._layout.scalars)
        self.attrs: dict[str, Any] = header["attrs"]
        self.diagnostics: dict[str, Any] = header.get("diagnostics", {})
        self._header = header
        self._checksums = sealed_checksums(header)
        self.remarks = () if self._checksums or "complete" not in header else (UNCHECKED,)

    def __repr__(self) -> str:
        """Return what the samples are of, how many, of which ensembles, and where."""
        asked = {name: self.attrs.get(name, "unknown") for name in ("system", "chains", "draws")}
        reports = self.diagnostics.get("temperatures", [])
        ensembles = ", ".join(sorted({str(report.get("ensemble")) for report in reports})) or "unknown ensemble"
        drawn = f"{asked['chains']} chains x {asked['draws']} draws at T = {shown(self.temperatures)}"
        return f"SampleStore({asked['system']}: {self.sites} {self.kind}, {drawn}, {ensembles}, {self.path!r})"

    def spins(self, level: int) -> Spins:
        """Return the spins (rows, sites) at a level; raises as `packed`."""
        return unpack_spins(self.packed(level), self.sites)

    def packed(self, level: int) -> PackedSpins:
        """Return the packed spins (rows, bytes) at a level.

        Raises:
            ValueError: If the store holds directors.
            StoreError: If the spins are damaged.
        """
        return self._configurations(level, SPINS)

    def directors(self, level: int, blocks: range | None = None) -> Float32[np.ndarray, "rows sites 3"]:
        """Return the directors (rows, sites, 3) at a level.

        Args:
            level: Index of the temperature.
            blocks: Neighbouring blocks that are read; None for all.

        Raises:
            ValueError: If the store holds spins.
            StoreError: If the directors are damaged.
        """
        return self._configurations(level, DIRECTORS, blocks)

    def scalar(self, name: str, level: int) -> Shaped[np.ndarray, " rows"]:
        """Return observable ``name`` (rows,) at a level, or raise StoreError if it is damaged."""
        return self._column(level, require_choice("name", name, self.scalar_names))

    def array(self, name: str) -> Shaped[np.ndarray, "..."]:
        """Return the constant array ``name``, or raise StoreError if it is damaged."""
        path = f"{SYSTEM}/{name}"
        if path not in self._system:
            known = ", ".join(key.removeprefix(f"{SYSTEM}/") for key in self._system) or "no array at all"
            raise ValueError(f"name: expected {known}, got {name!r}")
        return read_array(self._folder, path, self._system[path], expected=self._checksums)

    def verify(self) -> None:
        """Read every array and compare it with its checksums.

        Raises:
            StoreError: If a file is absent, damaged, or another one than was written.
        """
        check_arrays(self._folder, self._header, self.rows, self._checksums)

    def _configurations(self, level: int, kind: str, blocks: range | None = None) -> np.ndarray:
        if kind != self.kind:
            raise ValueError(f"{self.path}: expected a store of {kind}, got one of {self.kind}")
        return self._column(level, kind, blocks)

    def _column(self, level: int, name: str, blocks: range | None = None) -> np.ndarray:
        last = self.temperatures.size - 1
        if isinstance(level, bool) or not isinstance(level, int | np.integer) or not 0 <= level <= last:
            known = f"the temperatures are {shown(self.temperatures)}"
            raise ValueError(f"level: expected an index from 0 to {last}, got {shown(level)}; {known}")
        first, last = (0, self.blocks) if blocks is None else (blocks.start, blocks.stop)
        rows = slice(first * self.rows_per_block, last * self.rows_per_block)
        return read_array(self._folder, column_path(level, name), self._layout.columns()[name], rows, self._checksums)


class StoreWriter:
    """The one writer of a store, from `open_writer`; a context manager that gives up the lock at its end."""

    def __init__(
        self, folder: Folder, header: dict[str, Any], lock: Lock | None, blocks: dict[str, int] | None
    ) -> None:
        self.path = str(folder)
        self._folder = folder
        self._header = header
        self._lock = lock
        self._layout = header_layout(header)
        self._committed = read_committed(folder)
        self._blocks = blocks
        self._files = CheckedStore(folder.zarr_store(read_only=False), {})

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the lock, after which nothing more can be written."""
        if self._lock is not None:
            self._lock.release()

    @property
    def committed(self) -> int:
        """Number of finished blocks, and so the index of the next one."""
        return self._committed

    @property
    def sealed(self) -> bool:
        """True if the store is finished and nothing is left to write."""
        return "complete" in self._header

    def write_block(
        self,
        index: int,
        configurations: Shaped[np.ndarray, "temperatures rows *row"],
        scalars: Mapping[str, Shaped[np.ndarray, "temperatures rows"]],
    ) -> None:
        """Write and commit the next block.

        Args:
            index: Number of the block, equal to `committed`.
            configurations: Packed spins (temperatures, rows_per_block, bytes), uint8, or in a store of directors
                (temperatures, rows_per_block, sites, 3), float32.
            scalars: Every observable (temperatures, rows_per_block), in its declared dtype.

        Raises:
            ValueError: If the index, a name, a shape or a dtype is not the expected one.
            StoreError: If the writer was closed or has lost its lock.
            OSError: If the disk refuses, and the block then stays uncommitted.
        """
        if index != self._committed or index >= self._layout.blocks:
            raise ValueError(f"index: expected {self._committed} of {self._layout.blocks} blocks, got {index}")
        block = {**scalars, self._layout.kind: configurations}
        self._check_block(block)
        self._require_lock()
        rows = slice(index * self._layout.rows_per_block, (index + 1) * self._layout.rows_per_block)
        with disk_errors(self._folder):
            for level in range(len(self._layout.temperatures)):
                for name, values in block.items():
                    self._arrays[column_path(level, name)][rows] = values[level]
            if self._blocks is not None:
                own = {name: self._files.written[name] for name in names_of_block(self._layout, index)}
                self._arrays[CHECKSUMS][index] = np.array([index, *own.values()], np.uint32)
                self._blocks |= own
            self._require_lock()
            self._arrays[COMMITTED][...] = index + 1
        self._committed = index + 1

    def read(self) -> SampleStore:
        """Return a view of the blocks committed so far."""
        return SampleStore(self._folder, self._header, self._committed)

    def seal(self, diagnostics: Mapping[str, Any]) -> None:
        """Record ``diagnostics`` and declare the store finished, in one atomic write of the header.

        Raises:
            StoreError: If a block is missing, the store is sealed already or the writer has lost its lock.
            ValueError: If the diagnostics are not JSON.
            OSError: If the disk refuses, and the store then stays unsealed.
        """
        if self.sealed or self._committed < self._layout.blocks:
            state = "a sealed store" if self.sealed else f"{self._committed}"
            raise StoreError(f"{self.path}: expected {self._layout.blocks} blocks not yet sealed, got {state}")
        self._require_lock()
        sizes = array_bytes(self._folder, self._header)
        closing = {"diagnostics": plain_json("diagnostics", diagnostics), "array_bytes": sizes, "complete": True}
        if self._blocks is not None:
            closing[CHECKSUMS] = checksums_to_seal(self._folder, self._header, self._blocks)
            closing[DIGEST] = header_digest(self._header | closing)
        with disk_errors(self._folder):
            self._root.update_attributes(closing)
        self._header = self._header | closing

    @cached_property
    def _root(self) -> zarr.Group:
        return zarr.open_group(self._files, mode="r+", zarr_format=3)

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        with zarr.config.set(KEEP_ZEROS):
            own = (COMMITTED,) if self._blocks is None else (COMMITTED, CHECKSUMS)
            return {name: self._root[name] for name in (*own, *sample_specs(self._layout))}

    def _require_lock(self) -> None:
        if self._lock is None or not self._lock.is_locked:
            raise StoreError(f"{self.path}: expected an open writer, got one that was closed or has lost its lock")

    def _check_block(self, block: dict[str, np.ndarray]) -> None:
        columns = self._layout.columns()
        if block.keys() != columns.keys():
            got = [name for name in block if name != self._layout.kind]
            raise ValueError(f"scalars: expected {list(columns)[1:]}, got {got}")
        for name, spec in columns.items():
            if is_masked(block[name]):
                raise ValueError(f"{name}: expected values without gaps, got masked ones: leave such samples out")
            shape = (len(self._layout.temperatures), *spec.chunks)
            if block[name].shape != shape or block[name].dtype != spec.dtype:
                got = f"{block[name].dtype} {block[name].shape}"
                raise ValueError(f"{name}: expected {spec.dtype} {shape}, got {got}")


def open_writer(
    path: str | Path,
    layout: StoreLayout,
    attrs: Mapping[str, Any],
    arrays: Mapping[str, Shaped[np.ndarray, "..."]] = MappingProxyType({}),
    waiting: Callable[[str], Any] = lambda _: None,
) -> StoreWriter:
    """Create a store, or resume the one at ``path`` if it was created with the same arguments.

    Committed blocks are read and checked before anything is added to them. A sealed store needs no lock, and may be
    read-only. For the guarantees of a remote store see `remote.RemoteFolder` and `claim.Claim`.

    Args:
        path: Folder of the store, or its URL; absent, empty, or a store.
        layout: Size of the store.
        attrs: JSON values that say where the samples come from: seed, sampler, versions.
        arrays: Constant arrays to keep with the samples, such as stored patterns.
        waiting: Called with a sentence before the claim of another writer on a remote store is watched for a minute.

    Raises:
        StoreError: If something else is at ``path``, another writer, a damaged store, or no driver opens the URL.
        ValueError: If ``attrs`` are not JSON or a constant array is not numeric.
        OSError: If the folder cannot be written.
    """
    folder = find_folder(path)
    header = make_header(layout, attrs, arrays)
    found = read_header(folder)
    if found is not None and "complete" in found:
        _require_same_request(folder, header, found)
        return StoreWriter(folder, found, None, None)
    lock = folder.lock(waiting)
    try:
        if (found := read_header(folder)) is None:
            known: dict[str, int] | None = {}
            with disk_errors(folder):
                folder.create(empty_store(header, arrays))
        else:
            _require_same_request(folder, header, found)
            folder.clear_leftovers()
            blocks = read_committed(folder)
            known = checksums_of_committed(folder, found, blocks)
            check_arrays(folder, found, blocks * layout.rows_per_block, known or {})
        return StoreWriter(folder, found or header, lock, known)
    except BaseException:
        lock.release()
        raise


def is_sealed(path: str | Path) -> bool:
    """Return True if a finished store is at a path or URL, or raise StoreError if something else is there.

    >>> is_sealed("memory://examples/nothing.zarr")
    False

    Args:
        path: folder or URL to look at.

    Raises:
        StoreError: if something else is at the path.
    """
    header = read_header(find_folder(path))
    return header is not None and "complete" in header


def open_store(path: str | Path) -> SampleStore:
    """Return the sealed store at a path or URL.

    Every file is checked for presence and the arrays for their size; contents are checked when they are read.

    >>> from vae_mf.store import from_arrays
    >>> spins = np.random.default_rng(1).choice(np.int8([-1, 1]), (400, 9))
    >>> _ = from_arrays({0.5: spins, 1.0: spins[::-1]}, folder="memory://examples/opened.zarr")
    >>> store = open_store("memory://examples/opened.zarr")
    >>> store.temperatures, store.spins(level=0).shape
    (array([0.5, 1. ]), (400, 9))

    Args:
        path: folder of the store, or its URL.

    Raises:
        StoreError: If the store is absent, unfinished, truncated, of another schema version or something else, or no
            driver opens the URL.
    """
    folder = find_folder(path)
    header = read_header(folder)
    if header is None:
        raise StoreError(f"{folder}: expected a sample store, got nothing there{elsewhere(folder)}")
    if "complete" not in header:
        done = f"{read_committed(folder)} of {header['blocks']} blocks"
        raise StoreError(f"{folder} is not finished: {done}; run the same command again to resume")
    for name, size in array_bytes(folder, header).items():
        if size != header["array_bytes"][name]:
            raise StoreError(f"{folder} is truncated: {name}: expected {header['array_bytes'][name]} bytes, got {size}")
    return SampleStore(folder, header, header["blocks"])


def _require_same_request(folder: Folder, header: dict[str, Any], found: dict[str, Any]) -> None:
    if difference := first_difference({key: found.get(key) for key in header}, header):
        raise StoreError(f"{folder} holds other samples: {difference}")
