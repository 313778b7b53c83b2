"""Named random streams: reproducible, independent, and unmoved by new consumers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_mf.rng import generator, integer, keys, stream

names = st.text(max_size=10)
parts = st.lists(st.one_of(names, st.integers(0, 2**31)), min_size=1, max_size=4)


@settings(max_examples=30)
@given(st.integers(0, 2**64), parts)
def test_a_stream_is_a_function_of_seed_and_path(seed, path):
    np.testing.assert_array_equal(keys(seed, *path, count=3), keys(seed, *path, count=3))
    assert integer(seed, *path) == integer(seed, *path)
    assert generator(seed, *path).integers(2**62) == generator(seed, *path).integers(2**62)


@given(st.integers(0, 2**32), parts, parts)
def test_different_paths_and_seeds_are_different_streams(seed, path, other):
    first = keys(seed, *path, count=2)
    assert (first != keys(seed + 1, *path, count=2)).any()
    assert (first != keys(seed, *path, 0, count=2)).any()
    if path != other:
        assert (first != keys(seed, *other, count=2)).any()


def test_no_two_of_many_chains_share_a_key():
    numbers = np.concatenate(
        [keys(1, "chain", start, t, c, count=1) for start in "ab" for t in range(20) for c in range(50)]
    )
    assert np.unique(numbers).size == 2000


def test_more_keys_leave_the_first_ones_as_they_are():
    np.testing.assert_array_equal(keys(1, "a", count=10)[:4], keys(1, "a", count=4))


def test_keys_cover_all_bits():
    bits = np.unpackbits(keys(1, "bits", count=20_000).view(np.uint8).reshape(-1, 8), axis=1)
    assert np.abs(bits.mean(0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(20_000)


@given(st.integers(0, 2**40))
def test_integers_fit_signed_64_bits(seed):
    assert 0 <= integer(seed, "torch") < 2**63


def test_streams_are_those_of_numpy_s_seed_sequence():
    # The CRC-32 of the name bit by bit, polynomial 0xEDB88320, so that no library can move the streams.
    crc = 0xFFFFFFFF
    for byte in b"chains":
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 * (crc & 1))
    expected = np.random.SeedSequence(7, spawn_key=(crc ^ 0xFFFFFFFF, 3)).generate_state(4)
    np.testing.assert_array_equal(stream(7, "chains", 3).generate_state(4), expected)


def test_negative_seeds_are_refused():
    with pytest.raises(ValueError, match="non-negative"):
        stream(-1, "a")
