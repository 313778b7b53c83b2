"""Stores in an object store, below a URL that an fsspec driver opens: s3://, gs://, abfs://, memory://.

Credentials and endpoint come from the environment, as the driver documents.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from zarr.abc.store import Store
from zarr.storage import FsspecStore

from vae_mf.store.schema import METADATA, StoreError

CREATING = ".creating"
"""The mark of a store whose creation is not finished."""
FRESH = {"use_listings_cache": False}
"""Option of every driver: a listing is asked for, never remembered."""


class RemoteFolder:
    """The objects below a URL.

    Guaranteed where a put is whole or missing and is seen at once, as in S3, Google Cloud Storage and Azure: without
    its header a store does not exist, and objects beside the mark `CREATING` are leftovers to be replaced; a block
    counts from the put of the marker, which follows its data; one put of the header seals. Not guaranteed elsewhere,
    as over SFTP, where a kill may leave half an object: its checksum then tells, and the store is refused.
    """

    def __init__(self, url: str, filesystem: Any, root: str) -> None:
        self._url, self._filesystem, self._root = url, filesystem, root

    def __str__(self) -> str:
        return self._url

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, or None where there is none."""
        with driver_errors(self._url), suppress(FileNotFoundError):
            return self._filesystem.cat_file(self._object(name))
        return None

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the number of bytes of every object below ``under`` by name, from one listing."""
        with driver_errors(self._url):
            found = self._filesystem.find(self._object(under).rstrip("/"), detail=True)
        # A name that ends in a slash stands for an empty folder.
        objects = ((name, entry["size"]) for name, entry in found.items() if not name.endswith("/"))
        return {name.removeprefix(self._object("")): size for name, size in objects}

    def vacant(self) -> bool:
        """Return True if there is no object, or no header but the mark of a creation."""
        names = self.sizes()
        return not names or (CREATING in names and METADATA not in names)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Put the mark, remove leftovers, put the files with the header last, and remove the mark."""
        leftovers = self.sizes().keys() - {CREATING}
        # One by one, because after a failed put nothing may be under way any more.
        with driver_errors(self._url):
            self._filesystem.pipe_file(self._object(CREATING), b"")
            for name in leftovers:
                self._filesystem.rm_file(self._object(name))
            for name in sorted(files, key=METADATA.__eq__):
                self._filesystem.pipe_file(self._object(name), files[name])
            self._filesystem.rm_file(self._object(CREATING))

    def clear_leftovers(self) -> None:
        """Remove the mark, if a creation was killed after its last object but one."""
        with driver_errors(self._url):
            if self._filesystem.exists(self._object(CREATING)):
                self._filesystem.rm_file(self._object(CREATING))

    def lock(self) -> "Claim":
        """Claim the store."""
        claim = Claim(f"{self._url}.lock", self._filesystem, f"{self._root}.lock")
        claim.acquire()
        return claim

    def zarr_store(self, read_only: bool) -> Store:
        """Return a store of objects."""
        return _ObjectStore.from_url(self._url, FRESH, read_only=read_only)

    def _object(self, name: str) -> str:
        return f"{self._root}/{name}"


class Claim:
    """The object ``<url>.lock``, which claims a store for one writer and says who that is.

    Guaranteed: while there is a claim no other writer gets in, and a writer whose claim was deleted or replaced starts
    no further block. Of several writers that come at the same moment one gets in if the driver creates objects
    conditionally (fsspec's mode "create", as on Amazon S3 and Google Cloud Storage); if it does not, two may, and the
    one whose claim was overwritten stops at its next block.

    Not guaranteed: a claim does not end with its writer. That of a killed writer has to be deleted by hand, since from
    afar the dead cannot be told from the slow. Deleting that of a living writer lets a second one in while the first
    finishes its block.
    """

    def __init__(self, url: str, filesystem: Any, path: str) -> None:
        self._url, self._filesystem, self._path = url, filesystem, path
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._own = f"process {os.getpid()} on {socket.gethostname()} since {now}, {uuid4()}"

    @property
    def is_locked(self) -> bool:
        """True while the claim is this writer's; it is read every time, because anyone can delete it."""
        return self._holder() == self._own

    def acquire(self) -> None:
        """Create the claim, or raise StoreError if another writer has."""
        with driver_errors(self._url):
            # Some drivers do not know the mode and would overwrite; a request sent twice refuses itself.
            if not self._filesystem.exists(self._path):
                with suppress(FileExistsError):
                    self._filesystem.pipe_file(self._path, self._own.encode(), mode="create")
        if (holder := self._holder()) != self._own:
            raise StoreError(
                f"{self._url}: expected to be the only writer, got the claim of {holder or 'one that just finished'}; "
                "if that writer is dead, delete this object and run the same command again"
            )

    def release(self) -> None:
        """Delete the claim, unless it is another's by now."""
        if self.is_locked:
            with driver_errors(self._url):
                self._filesystem.rm_file(self._path)

    def _holder(self) -> str | None:
        with driver_errors(self._url), suppress(FileNotFoundError):
            return self._filesystem.cat_file(self._path).decode(errors="replace")
        return None


class _ObjectStore(FsspecStore):
    """Zarr's view of the objects below a URL, in which a lost connection is an OSError, as a full disk is."""

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        with driver_errors(self.path):
            return await super().get(*args, **kwargs)

    async def set(self, *args: Any, **kwargs: Any) -> None:
        with driver_errors(self.path):
            await super().set(*args, **kwargs)


@contextmanager
def driver_errors(name: str) -> Iterator[None]:
    """Turn any error of a driver, such as its own for missing credentials, into an OSError that names the place."""
    try:
        yield
    except Exception as error:
        raise OSError(f"{name}: {error}") from error
