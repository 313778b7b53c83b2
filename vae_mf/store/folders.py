"""Places of a store: a folder of this machine (local.py), or the objects below a URL (remote.py).

A store demands of its place:

    demand                        of a local folder              of an object store
    a write is whole or missing   written beside, then renamed   one put
    a new store appears whole     built beside, then renamed     its header is put last
    one writer                    a lock, which ends with it     a claim, which it renews (claim.py)
    what is written is seen       always                         read and list at once, as S3, GCS and Azure do
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from zarr.abc.store import Store

from vae_mf.checks import require_path
from vae_mf.store.local import LocalFolder
from vae_mf.store.remote import FRESH, RemoteFolder
from vae_mf.store.schema import StoreError

CHAIN = "::"
"""Between the drivers of a URL of fsspec, of which some read in one file where the others are."""


@runtime_checkable
class Lock(Protocol):
    """The right of one writer to a store."""

    @property
    def is_locked(self) -> bool:
        """True until the release; StoreError if another writer has taken the right, or may have."""
        ...

    def release(self) -> Any:
        """Give the right up."""
        ...


@runtime_checkable
class Folder(Protocol):
    """The files of one store, by names such as "T000/energy/c.0"; as a string, its path or URL."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        ...

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the number of bytes of every file, or of those in the subfolder ``under``, by name."""
        ...

    def vacant(self) -> bool:
        """Return True if nothing is here, or nothing but the leftovers of a creation that was killed."""
        ...

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write these files, the header among them, so that a crash leaves all of them or a vacant place."""
        ...

    def clear_leftovers(self) -> None:
        """Remove what a killed writer left half done."""
        ...

    def lock(self, waiting: Callable[[str], Any]) -> Lock:
        """Take the right to write, or raise StoreError if another writer holds it.

        Args:
            waiting: called with a sentence if it takes a while to see that the last writer is dead.
        """
        ...

    def zarr_store(self, read_only: bool) -> Store:
        """Return the folder as Zarr sees it."""
        ...


def find_folder(path: str | Path) -> Folder:
    """Return the folder that a path or a URL names, or raise StoreError for a URL that cannot be opened."""
    require_path("path", path)
    url = str(path).rstrip("/")
    if "://" not in url:
        return LocalFolder(Path(path).absolute())
    if CHAIN in url:
        raise StoreError(f"{url}: expected the URL of one driver, got a chain of them")
    try:
        filesystem, root = url_to_fs(url, **FRESH)
    except Exception as error:  # each driver has its own
        said = " ".join(str(error).split())
        raise StoreError(f"{url}: expected a URL with a driver that is installed: {said}") from error
    if isinstance(filesystem, LocalFileSystem):
        return LocalFolder(Path(root))
    if "/" not in root:
        raise StoreError(f"{url}: expected a URL of a folder, such as s3://bucket/samples.zarr")
    return RemoteFolder(url, filesystem, root)
