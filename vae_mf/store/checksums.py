"""Checksums of the files of a store, by which one that was swapped, replaced or edited is noticed when it is read.

Every chunk ends in the checksum of its own content, which tells a flipped bit but not a whole file in a wrong place. A
table beside the arrays holds those of every committed block; the header of a sealed store holds all and a digest of
itself.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt32
from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import WrapperStore

from vae_mf.store.schema import METADATA, ArraySpec, StoreLayout, sample_specs

CHECKSUMS = "checksums"
"""Array (blocks, 1 + columns), number of each block and checksums of its chunks; in a header, those of all files."""
DIGEST = "sha256"
"""Digest of a header, in that header."""
TAIL = 4


class CheckedStore(WrapperStore[Store]):
    """A store of Zarr that compares what is read with known checksums, and remembers those of what is written.

    Args:
        store: files of a store.
        expected: known checksums by the names of files.
        written: checksums of what was written, to be added to.
    """

    def __init__(self, store: Store, expected: Mapping[str, int], written: dict[str, int] | None = None) -> None:
        super().__init__(store)
        self.expected = expected
        self.written = {} if written is None else written

    def _with_store(self, store: Store) -> "CheckedStore":
        return CheckedStore(store, self.expected, self.written)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        """Return the content of a file; ValueError if its checksum is not the one that is known."""
        content = await super().get(key, *args, **kwargs)
        if content is not None and key in self.expected and checksum_of(key, content) != self.expected[key]:
            raise ValueError(f"{key} is not the file that was written")
        return content

    async def set(self, key: str, value: Any) -> None:
        """Write a file and remember its checksum."""
        await super().set(key, value)
        self.written[key] = checksum_of(key, value)


def checksum_of(name: str, content: Buffer) -> int:
    """Return the checksum of a file: the one that a chunk ends in, or one of the whole description of an array."""
    if name.rpartition("/")[2] == METADATA:
        return zlib.crc32(content.to_bytes())
    return int.from_bytes(content[-TAIL:].to_bytes(), "little")  # the rest is not copied


def table_spec(layout: StoreLayout) -> ArraySpec:
    """Return the table of the checksums of blocks, a chunk for each."""
    columns = 1 + len(sample_specs(layout))
    return ArraySpec((layout.blocks, columns), (1, columns), "uint32")


def names_of_block(layout: StoreLayout, index: int) -> list[str]:
    """Return the files of a block, in the order of the table."""
    return [f"{name}/{spec.chunk_names()[index]}" for name, spec in sample_specs(layout).items()]


def checksums_of_blocks(layout: StoreLayout, table: UInt32[np.ndarray, "blocks columns"]) -> dict[str, int]:
    """Return the checksums of committed blocks by the names of files.

    Raises:
        ValueError: if the rows of the table are not those of blocks 0, 1, ...
    """
    if not np.array_equal(table[:, 0], np.arange(len(table))):
        raise ValueError(f"{CHECKSUMS} holds the rows of blocks {table[:, 0].tolist()[:5]} in this order")
    specs = sample_specs(layout)
    return {
        f"{name}/{chunk}": int(table[index, column])
        for column, (name, spec) in enumerate(specs.items(), start=1)
        for index, chunk in enumerate(spec.chunk_names()[: len(table)])
    }


def header_digest(header: Mapping[str, Any]) -> str:
    """Return the digest of a header without the digest in it.

    >>> header_digest({"sites": 8, "sha256": "x"}) == header_digest({"sites": 8})
    True
    """
    rest = {key: value for key, value in header.items() if key != DIGEST}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
