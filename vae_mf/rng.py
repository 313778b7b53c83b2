"""Reproducible randomness: one integer seed in, independent named streams out.

A stream is addressed by a path of names, so that adding a consumer never shifts the numbers that another one draws.
"""

import zlib

import numpy as np
from jaxtyping import UInt64


def stream(seed: int, *path: str | int) -> np.random.SeedSequence:
    """Return the seed sequence of the stream called ``path`` under ``seed``.

    >>> bool((stream(1, "chains").generate_state(2) == stream(1, "chains").generate_state(2)).all())
    True
    """
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in path]
    return np.random.SeedSequence(seed, spawn_key=tuple(words))


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Return a NumPy generator on the stream called ``path``.

    >>> bool(generator(1, "a").random() == generator(1, "a").random())
    True
    """
    return np.random.default_rng(stream(seed, *path))


def integer(seed: int, *path: str | int) -> int:
    """Return one non-negative 63-bit integer from the stream called ``path``, for libraries that are seeded by one."""
    return int(stream(seed, *path).generate_state(1, np.uint64)[0] >> np.uint64(1))


def keys(seed: int, *path: str | int, count: int) -> UInt64[np.ndarray, " count"]:
    """Return ``count`` 64-bit keys from the stream called ``path``, one per Markov chain.

    >>> keys(1, "chain", count=3).shape
    (3,)
    """
    return stream(seed, *path).generate_state(count, np.uint64)
