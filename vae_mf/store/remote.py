"""Stores in an object store, below a URL that an fsspec driver opens: s3://, gs://, abfs://, memory://.

Credentials and endpoint come from the environment, as the driver documents.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import FsspecStore

from vae_mf.store.claim import Claim, driver_errors
from vae_mf.store.schema import COMMITTED, METADATA

CREATING = ".creating"
"""The mark of a store whose creation is not finished."""
FRESH = {"use_listings_cache": False}
"""Option of every driver: a listing is asked for, never remembered."""
FENCED = frozenset({METADATA, f"{COMMITTED}/c"})
"""Header and marker, which alone would undo what another writer has done; all else is the same from every writer."""


class RemoteFolder:
    """The objects below a URL.

    Guaranteed where a put is whole or missing and is seen at once, as in S3, Google Cloud Storage and Azure: without
    its header a store does not exist, and objects beside the mark `CREATING` are leftovers to be replaced; a block
    counts from the put of the marker, which follows its data; one put of the header seals. Not guaranteed elsewhere,
    as over SFTP, where a kill may leave half an object: its checksum then tells, and the store is refused.

    No put or deletion starts once another writer may have taken over. One that was under way just then brings what the
    other one writes too, byte by byte, or the header or the marker. Those are replaced only as they were when the
    claim was still held, which S3 guarantees (If-Match); other drivers cannot say so, and there it takes a request
    that is on its way for longer than a third of a lease (`Claim`) to undo a commit.
    """

    def __init__(self, url: str, filesystem: Any, root: str) -> None:
        self._url, self._filesystem, self._root = url, filesystem, root
        self._claim: Claim | None = None

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
        # A name that ends in a slash stands for an empty folder; s3fs tells of the folder itself where the first object
        # is put while it looks.
        folders = {name for name, entry in found.items() if name.endswith("/") or entry["type"] == "directory"}
        objects = ((name, entry["size"]) for name, entry in found.items() if name not in folders)
        return {name.removeprefix(self._object("")): size for name, size in objects}

    def vacant(self) -> bool:
        """Return True if there is no object, or no header but the mark of a creation."""
        names = self.sizes()
        return not names or (CREATING in names and METADATA not in names)

    def create(self, files: Mapping[str, bytes]) -> None:
        """Put the mark, remove leftovers, put the files with the header last, and remove the mark."""
        leftovers = self.sizes().keys() - {CREATING, *files}
        # One by one, because after a failed put nothing may be under way any more.
        self._put(CREATING, b"")
        for name in leftovers:
            self._remove(name)
        for name in sorted(files, key=METADATA.__eq__):
            self._put(name, files[name])
        self._remove(CREATING)

    def clear_leftovers(self) -> None:
        """Remove the mark, if a creation was killed after its last object but one."""
        with driver_errors(self._url):
            left = self._filesystem.exists(self._object(CREATING))
        if left:
            self._remove(CREATING)

    def lock(self, waiting: Callable[[str], Any]) -> Claim:
        """Claim the store, which takes over from a dead writer."""
        claim = Claim(f"{self._url}.lock", self._filesystem, f"{self._root}.lock")
        claim.acquire(waiting)
        self._claim = claim
        return claim

    def zarr_store(self, read_only: bool) -> Store:
        """Return a store of objects."""
        store: Any = _ObjectStore.from_url(self._url, FRESH, read_only=read_only)
        store.put = self._put
        return store

    def _put(self, name: str, content: bytes) -> None:
        with driver_errors(self._url):
            options = self._as_found(name) if name in FENCED else {}
        self._check()
        try:
            with driver_errors(self._url):
                self._filesystem.pipe_file(self._object(name), content, **options)
        except OSError:
            # A conditional put that the driver sent twice refuses itself.
            if not options or self.read(name) != content:
                self._check()
                raise

    def _as_found(self, name: str) -> dict[str, str]:
        """Return the options of a put that replaces an object only as it is now, as far as the driver has them."""
        try:
            found = self._filesystem.info(self._object(name))
        except FileNotFoundError:
            return {"mode": "create"}
        return {"IfMatch": found["ETag"]} if "s3" in self._filesystem.protocol else {}

    def _remove(self, name: str) -> None:
        self._check()
        with driver_errors(self._url):
            self._filesystem.rm_file(self._object(name))

    def _check(self) -> None:
        if self._claim is not None:
            self._claim.check()

    def _object(self, name: str) -> str:
        return f"{self._root}/{name}"


class _ObjectStore(FsspecStore):
    """Zarr's view of the objects below a URL, in which a lost connection is an OSError, as a full disk is."""

    put: Callable[[str, bytes], None]

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        with driver_errors(self.path):
            return await super().get(*args, **kwargs)

    async def set(self, key: str, value: Buffer, byte_range: tuple[int, int] | None = None) -> None:
        self._check_writable()
        await asyncio.to_thread(self.put, key, value.to_bytes())
