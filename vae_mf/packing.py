"""Spins as bits: +1 is a set bit, eight spins to a byte, the first spin in the lowest bit."""

import numpy as np

from vae_mf.arrays import PackedSpins, Spins

MAXIMUM_SITES = 20
"""Largest number of spins whose configurations are enumerated."""


def packed_bytes(sites: int) -> int:
    """Return the number of bytes that hold ``sites`` spins.

    >>> packed_bytes(256), packed_bytes(9)
    (32, 2)
    """
    return -(-sites // 8)


def pack_spins(spins: Spins) -> PackedSpins:
    """Pack spins (..., sites) in {-1, +1} into bytes (..., ceil(sites / 8)); padding bits are zero.

    >>> pack_spins(np.array([1, -1, 1, 1], np.int8)).tolist()
    [13]
    """
    return np.packbits(spins > 0, axis=-1, bitorder="little")


def unpack_spins(packed: PackedSpins, sites: int) -> Spins:
    """Unpack bytes (..., ceil(sites / 8)) into spins (..., sites) in {-1, +1}.

    >>> unpack_spins(np.array([13], np.uint8), 4).tolist()
    [1, -1, 1, 1]
    """
    bits = np.unpackbits(packed, axis=-1, count=sites, bitorder="little")
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


def all_configurations(sites: int) -> Spins:
    """Return the 2^N configurations of N spins, shape (2^N, N); bit i of the row number is spin i.

    >>> all_configurations(2).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]

    Raises:
        ValueError: above 20 sites.
    """
    if not 1 <= sites <= MAXIMUM_SITES:
        raise ValueError(f"enumeration: expected 1 to {MAXIMUM_SITES} sites, got {sites}")
    numbers = np.arange(2**sites, dtype="<u4")
    return unpack_spins(numbers.view(np.uint8).reshape(-1, 4), sites)
