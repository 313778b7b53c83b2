"""A store in a folder of this machine."""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from zarr.abc.store import Store
from zarr.storage import LocalStore

from vae_mf.files import require_unlinked
from vae_mf.store.schema import StoreError


class LocalFolder:
    """A folder of this machine.

    The lock file ``<path>.lock`` stays behind, since removing it could let two writers in. The folder
    ``<path>.creating`` is ours: it holds a store being created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self._path / name).read_bytes()
        return None

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the number of bytes of every file below ``under`` by name."""
        files = (file for file in (self._path / under).rglob("*") if file.is_file())
        return {file.relative_to(self._path).as_posix(): file.stat().st_size for file in files}

    def vacant(self) -> bool:
        """Return True if there is no folder or an empty one."""
        return not self._path.exists() or (self._path.is_dir() and not any(self._path.iterdir()))

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write the files into a folder beside this one and move it here."""
        building = self._path.with_name(f"{self._path.name}.creating")
        if building.exists():
            shutil.rmtree(building)
        for name, content in files.items():
            file = building / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        os.replace(building, self._path)

    def clear_leftovers(self) -> None:
        """Remove the files that Zarr had not yet renamed; ValueError if a link leads out of the folder."""
        require_unlinked(*self._path.iterdir())
        for leftover in self._path.rglob("*.partial"):
            leftover.unlink()

    def lock(self, waiting: Callable[[str], Any] = lambda _: None) -> FileLock:
        """Lock the file beside the folder, whose parents are made; there is nothing to wait for."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            held = f"got {lock.lock_file} held by another one"
            raise StoreError(f"{self}: expected to be the only writer, {held}") from error
        return lock

    def zarr_store(self, read_only: bool) -> Store:
        """Return a store of local files."""
        return LocalStore(self._path, read_only=read_only)
