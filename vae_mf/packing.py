"""Spins as bits: +1 is a set bit, eight spins to a byte, the first spin in the lowest bit."""

import numpy as np

from vae_mf.arrays import PackedSpins, Spins


def packed_bytes(sites: int) -> int:
    """Return the number of bytes that hold ``sites`` spins."""
    return -(-sites // 8)


def pack_spins(spins: Spins) -> PackedSpins:
    """Pack spins (..., sites) in {-1, +1} into bytes (..., ceil(sites / 8)); padding bits are zero."""
    return np.packbits(spins > 0, axis=-1, bitorder="little")


def unpack_spins(packed: PackedSpins, sites: int) -> Spins:
    """Unpack bytes (..., ceil(sites / 8)) into spins (..., sites) in {-1, +1}."""
    bits = np.unpackbits(packed, axis=-1, count=sites, bitorder="little")
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)
