"""Products with signs: equal to those of NumPy, to the bit where all sums are whole numbers."""

import numpy as np
import pytest

from vae_mf.kernels import LANES
from vae_mf.samplers.kernels.sign_products import (
    WORD,
    add_sign_products,
    aligned_rows,
    pack_signs,
    row_stride,
    sign_words,
)

SIZES = [(1, 1), (2, 23), (7, 24), (64, 25), (100, 143), (333, 600)]


def packed(spins):
    """Signs (items, K), filled up with +1, and the words they make."""
    full = np.ones((len(spins), WORD * sign_words(spins.shape[1])), np.int8)
    full[:, : spins.shape[1]] = spins
    words = np.empty((len(spins), sign_words(spins.shape[1])), np.uint32)
    pack_signs(words, full)
    return words


def random_signs(items, count):
    return np.random.default_rng(items + count).choice(np.array([-1, 1], np.int8), (items, count))


def product(spins, rows, out, first=0):
    full = np.zeros((WORD * sign_words(spins.shape[1]), LANES), np.float32)
    full[: len(rows)] = rows
    add_sign_products(out, first, full, packed(spins))


@pytest.mark.parametrize(("items", "count"), SIZES)
def test_packed_signs_are_the_signs(items, count):
    spins = random_signs(items, count)
    words = packed(spins)
    assert words.shape == (items, sign_words(count))
    bits = (words[:, :, None] >> np.arange(WORD, dtype=np.uint32)) & 1
    np.testing.assert_array_equal(2 * bits.reshape(items, -1)[:, :count].astype(int) - 1, spins)
    assert (bits.reshape(items, -1)[:, count:] == 1).all()
    assert not (words >> np.uint32(WORD)).any()


@pytest.mark.parametrize(("items", "count"), SIZES)
def test_whole_numbers_are_summed_exactly(items, count):
    spins = random_signs(items, count)
    rows = np.random.default_rng(1).integers(-999, 1000, (count, LANES))
    out = np.full((items, LANES), 7, np.float32)
    product(spins, rows, out)
    np.testing.assert_array_equal(out, 7 + spins.astype(np.int64) @ rows)


def test_reals_are_summed_to_the_rounding_of_float32():
    spins, rows = random_signs(200, 600), np.random.default_rng(1).normal(size=(600, LANES))
    out = np.zeros((200, LANES), np.float32)
    product(spins, rows, out)
    np.testing.assert_allclose(out, spins @ rows, atol=600 * 2.0**-24 * np.abs(rows).max())


def test_other_columns_and_rows_are_left_alone_and_change_nothing():
    spins, rows = random_signs(40, 100), np.random.default_rng(1).normal(size=(100, LANES)).astype(np.float32)
    wide = np.full((40, row_stride(3 * LANES)), 2, np.float32)
    product(spins, rows, wide, first=LANES)
    assert (wide[:, :LANES] == 2).all()
    assert (wide[:, 2 * LANES :] == 2).all()
    alone = np.full((1, LANES), 2, np.float32)
    for item in (0, 17, 39):
        alone[:] = 2
        product(spins[item : item + 1], rows, alone)
        np.testing.assert_array_equal(alone[0], wide[item, LANES : 2 * LANES])


@pytest.mark.parametrize(("width", "stride"), [(1, 16), (16, 16), (17, 48), (48, 48), (64, 80), (1024, 1040)])
def test_rows_are_an_odd_number_of_registers(width, stride):
    assert row_stride(width) == stride


def test_matrices_start_at_a_line_of_the_cache():
    for rows, width in [(1, 16), (3, 48), (64, 16)]:
        matrix = aligned_rows(rows, width)
        assert matrix.shape == (rows, width)
        assert matrix.dtype == np.float32
        assert matrix.ctypes.data % 64 == 0
