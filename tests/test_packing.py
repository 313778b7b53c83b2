"""Spins as bits: nothing is lost, and the layout is the promised one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vae_mf.packing import pack_spins, packed_bytes, unpack_spins

spins = arrays(np.int8, array_shapes(max_dims=4, max_side=20), elements=st.sampled_from([-1, 1]))


@given(spins)
def test_round_trip(values):
    packed = pack_spins(values)
    assert packed.dtype == np.uint8
    assert packed.shape == (*values.shape[:-1], packed_bytes(values.shape[-1]))
    unpacked = unpack_spins(packed, values.shape[-1])
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, values)


@given(arrays(np.int8, st.integers(1, 70), elements=st.sampled_from([-1, 1])))
def test_spin_i_is_bit_i_and_padding_is_zero(values):
    number = int.from_bytes(pack_spins(values).tobytes(), "little")
    assert number == sum(1 << i for i, spin in enumerate(values.tolist()) if spin == 1)


@pytest.mark.parametrize(("sites", "count"), [(1, 1), (7, 1), (8, 1), (9, 2), (64, 8), (65, 9)])
def test_bytes_that_hold_the_sites(sites, count):
    assert packed_bytes(sites) == count


def test_no_rows():
    assert unpack_spins(pack_spins(np.empty((0, 12), np.int8)), 12).shape == (0, 12)
