"""Random words, uniforms, noise, biased and transposed bits: known vectors, laws, moments over many calls, parity."""

import numpy as np
import pytest
from helpers.parity import assert_parity
from numba import njit
from scipy.stats import chi2, chisquare, kstest, norm, poisson

from vae_mf.kernels import FAST
from vae_mf.rng import keys
from vae_mf.samplers.kernels import random_bits
from vae_mf.samplers.kernels.random_bits import (
    ALL,
    PASS,
    U64,
    fill_biased_words,
    fill_exponentials,
    fill_logistic,
    fill_normals,
    fill_random_spins,
    fill_random_words,
    four_bonds,
    random_word,
    transpose_bits,
)

SIGMAS = 4.5
CALLEES = [(random_bits, name) for name in ("random_word", "last_word_mask", "less")]
BIG_KEY = U64(2**63 + 12345)
"""A key that a signed integer cannot hold."""


@njit
def map_uniforms(words, high, low, double):
    for i in range(words.shape[0]):
        high[i] = random_bits.high_uniform(words[i])
        low[i] = random_bits.low_uniform(words[i])
        double[i] = random_bits.double_uniform(words[i])


@njit
def map_index(words, count, out):
    for i in range(words.shape[0]):
        out[i] = random_bits.random_index(words[i], count)


@njit(fastmath=FAST)
def map_up(uniforms, log_odds, out):
    for i in range(uniforms.shape[0]):
        out[i] = random_bits.is_up(uniforms[i], log_odds)


def random_words(count):
    words = np.zeros((1, count), np.uint64)
    fill_random_words(words, 64 * count, keys(1, "words", count=1), np.zeros(1, np.uint64))
    return words[0]


def test_words_are_those_of_splitmix64():
    # The first outputs for seed 1234567, from rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    counters = np.ones(1, np.uint64)
    words = np.zeros((1, 5), np.uint64)
    fill_random_words(words, 320, np.array([1234567], np.uint64), counters)
    assert words[0].tolist() == known
    assert counters.tolist() == [6]


def test_uniforms_read_the_bits_they_name():
    words = random_words(10_000)
    high, low, double = np.empty(10_000, np.float32), np.empty(10_000, np.float32), np.empty(10_000)
    map_uniforms(words, high, low, double)
    np.testing.assert_array_equal(high, (words >> U64(40)).astype(float) / 2**24)
    np.testing.assert_array_equal(low, ((words >> U64(16)) & U64(0xFFFFFF)).astype(float) / 2**24)
    np.testing.assert_array_equal(double, (words >> U64(11)).astype(float) / 2**53)


@pytest.mark.parametrize("count", [1, 2, 7, 2**32 - 1])
def test_indices_are_uniform_and_never_out_of_range(count):
    words, out = random_words(70_000), np.empty(70_000, np.uint64)
    map_index(words, U64(count), out)
    cells = min(count, 7)
    observed = np.bincount((out.astype(float) * cells / count).astype(int), minlength=cells)
    assert chisquare(observed).pvalue > 1e-4 if cells > 1 else (out == 0).all()
    map_index(np.array([0, 2**64 - 1], np.uint64), U64(count), out[:2])
    assert out[:2].tolist() == [0, count - 1]


def test_every_bit_is_fair_and_bytes_are_equidistributed():
    words = random_words(200_000)
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1)
    z = (bits.mean(0) - 0.5) * 2 * np.sqrt(len(words))
    assert np.abs(z).max() < SIGMAS
    counts = np.stack([np.bincount(column, minlength=256) for column in words.view(np.uint8).reshape(-1, 8).T])
    expected = len(words) / 256
    statistic = ((counts - expected) ** 2 / expected).sum(1)
    assert statistic.max() < chi2.isf(1e-4 / 8, 255)
    assert statistic.min() > chi2.ppf(1e-4 / 8, 255)


def test_chains_do_not_share_their_words():
    words = np.zeros((50, 400), np.uint64)
    fill_random_words(words, 25_600, keys(1, "chains", count=50), np.zeros(50, np.uint64))
    assert np.unique(words).size == words.size


@pytest.mark.parametrize(("sites", "count", "bits"), [(1, 1, 1), (63, 1, 63), (64, 1, 64), (65, 2, 1), (200, 4, 8)])
def test_words_hold_the_sites_and_bits_beyond_stay_zero(sites, count, bits):
    assert random_bits.word_count(sites) == count
    assert random_bits.last_word_mask(sites) == 2**bits - 1
    words, counters = np.zeros((500, count), np.uint64), np.zeros(500, np.uint64)
    fill_random_words(words, sites, keys(2, count=500), counters)
    drawn = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").astype(float)
    assert not drawn[:, sites:].any()
    assert np.abs(drawn[:, :sites].mean(0) - 0.5).max() < SIGMAS * 0.5 / np.sqrt(500)
    assert (counters == count).all()


def test_spins_are_the_bits_of_the_words():
    words, spins = np.zeros((3, 2), np.uint64), np.zeros((3, 70), np.float32)
    counters = np.zeros(3, np.uint64)
    fill_random_words(words, 70, keys(3, count=3), np.zeros(3, np.uint64))
    fill_random_spins(spins, np.float32(-1), np.float32(1), keys(3, count=3), counters)
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :70]
    np.testing.assert_array_equal(spins, 2.0 * bits - 1)
    assert counters.tolist() == [2, 2, 2]


@pytest.mark.parametrize("log_odds", [-30.0, -17.4, -8.0, -0.3, 0.0, 1.7, 9.0, 17.4, 30.0])
def test_the_law_of_a_spin_is_kept_to_the_rounding_of_float32(log_odds):
    """All 2^24 uniforms, not a sample of them."""
    uniforms = (np.arange(2**24) / 2**24).astype(np.float32)
    out = np.empty(2**24, np.bool_)
    map_up(uniforms, np.float32(log_odds), out)
    probability = 1 / (1 + np.exp(-float(np.float32(log_odds))))
    assert out.mean() == pytest.approx(probability, abs=2e-7)
    if abs(log_odds) > 17:
        assert (out == (log_odds > 0)).all()


@pytest.mark.parametrize("log_odds", [-1e30, -np.inf, 1e30, np.inf])
def test_extreme_fields_decide_the_spin(log_odds):
    uniforms, out = np.array([0.0, 0.5, 1 - 2.0**-24], np.float32), np.empty(3, np.bool_)
    map_up(uniforms, np.float32(log_odds), out)
    assert (out == (log_odds > 0)).all()


def test_normals_keep_their_moments_over_repeated_calls():
    counters, draws = np.zeros(2, np.uint64), np.empty((400, 500), np.float32)
    for row in draws:  # Counters that turned signed would spoil the second call, not the first.
        fill_normals(row, np.float32(2.0), BIG_KEY, counters, 1)
    assert counters.dtype == np.uint64
    assert counters.tolist() == [0, 400 * 250]
    x = draws.astype(np.float64) / 2
    error = 1 / np.sqrt(x.size)
    assert abs(x.mean()) < SIGMAS * error
    assert abs(x.var() - 1) < SIGMAS * error * np.sqrt(2)
    assert abs((x**4).mean() - 3) < SIGMAS * error * np.sqrt(96)
    assert kstest(x.ravel(), "norm").pvalue > 1e-4
    assert abs((x[1:] * x[:-1]).mean()) < SIGMAS * error
    assert abs((x[:, :250] * x[:, 250:]).mean()) < SIGMAS * error * np.sqrt(2)
    assert abs((x[:, :250] ** 2 * x[:, 250:] ** 2).mean() - 1) < SIGMAS * error * np.sqrt(2 * 8)
    assert np.abs(x).max() == pytest.approx(norm.isf(0.5 / x.size), abs=1.0)


def test_logistic_noise_has_its_law():
    noise, counters = np.empty((10, 20_000), np.float32), np.zeros(1, np.uint64)
    for row in noise:
        fill_logistic(row, BIG_KEY, counters, 0)
    assert counters.tolist() == [100_000]
    assert kstest(noise.ravel().astype(float), "logistic").pvalue > 1e-3
    assert np.isfinite(noise).all()
    assert abs(np.corrcoef(noise[:, :10_000].ravel(), noise[:, 10_000:].ravel())[0, 1]) < SIGMAS / np.sqrt(100_000)


def test_noise_of_metropolis_is_exponential_with_passes_and_independent():
    noise, counters = np.empty(200_000, np.float32), np.zeros(1, np.uint64)
    fill_exponentials(noise, BIG_KEY, counters, 0)
    assert counters[0] == 100_000
    passed = noise == PASS
    assert abs(passed.sum() - noise.size / 16) < SIGMAS * np.sqrt(noise.size / 16)
    assert kstest(noise[~passed].astype(float), "expon").pvalue > 1e-3
    first, second = noise[:100_000], noise[100_000:]
    both = (first != PASS) & (second != PASS)
    assert abs(np.corrcoef(first[both], second[both])[0, 1]) < SIGMAS / np.sqrt(both.sum())
    assert abs((passed[:100_000] & passed[100_000:]).sum() - 1e5 / 256) < SIGMAS * np.sqrt(1e5 / 256)


def test_four_bonds_are_independent_and_exact_where_they_tie():
    count, family = 200_000, 1e-3
    outcome = np.empty((count, 4), np.int64)
    threshold = U64(0.7 * 2**47)
    for i in range(count):
        outcome[i] = four_bonds(U64(12345), U64(i), threshold)
    numbers = outcome @ [1, 2, 4, 8]
    ones = np.array([state.bit_count() for state in range(16)])
    expected = count * 0.7**ones * 0.3 ** (4 - ones)
    assert chisquare(np.bincount(numbers, minlength=16), expected).pvalue > family / 2
    # The first 15 digits of this threshold are zero: the other 32 decide, in about 24 of 800 000 bonds.
    rare = sum(sum(four_bonds(U64(9), U64(i), U64(2**32 - 1))) for i in range(count))
    assert poisson.cdf(rare, 4 * count / 2**15) > family / 4
    assert poisson.sf(rare - 1, 4 * count / 2**15) > family / 4
    assert np.all([four_bonds(U64(7), U64(i), U64(2**47 - 1)) for i in range(50_000)])
    assert not np.any([four_bonds(U64(7), U64(i), U64(0)) for i in range(50_000)])


def test_four_bonds_compare_the_digits_they_name():
    mask = 2**32 - 1
    for i in range(3000):
        word = int(random_word(U64(11), U64(i)))
        with np.errstate(over="ignore"):
            tie = [int(random_word(~U64(11), U64(2 * i + k))) for k in (0, 1)]
        lower = [tie[0] >> 32, tie[0] & mask, tie[1] >> 32, tie[1] & mask]
        uniforms = [((word >> 16 * k & 0x7FFF) << 32) + lower[k] for k in range(4)]
        # Thresholds at the first uniform and next to it: the first quarter ties, and only its last digits decide.
        for threshold in (uniforms[0] - 1, uniforms[0], uniforms[0] + 1, 0xB333 << 31):
            expected = [int(u < threshold) for u in uniforms]
            assert list(four_bonds(U64(11), U64(i), U64(max(threshold, 0)))) == expected


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_biased_bits_have_the_rounded_probability(probability):
    words, counters = np.empty(4000, np.uint64), np.zeros(2, np.uint64)
    fill_biased_words(words, probability, 10, BIG_KEY, counters, 1)
    rounded = round(probability * 1024) / 1024
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).astype(float)
    error = np.sqrt(rounded * (1 - rounded) / bits.size)
    assert abs(bits.mean() - rounded) <= SIGMAS * error
    assert np.abs(bits.mean(0) - rounded).max() <= SIGMAS * 8 * error
    assert abs((bits[:, 1:] * bits[:, :-1]).mean() - rounded**2) <= SIGMAS * error * 2
    assert counters.tolist() == [0, 0 if probability == 1 else 40_000]


def test_bits_are_transposed():
    words = random_words(64)
    block = words.copy()
    transpose_bits(block)
    bits, moved = (np.unpackbits(w.view(np.uint8), bitorder="little").reshape(64, 64) for w in (words, block))
    np.testing.assert_array_equal(moved, bits.T)


def streams(count):
    return keys(5, "parity", count=count), np.arange(count, dtype=np.uint64) + U64(10)


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (random_word, lambda: (BIG_KEY, U64(2**40))),
        (random_bits.double_uniform, lambda: (BIG_KEY,)),
        (random_bits.random_index, lambda: (BIG_KEY, U64(1000))),
        (random_bits.last_word_mask, lambda: (70,)),
        (four_bonds, lambda: (BIG_KEY, U64(77), U64(2**46 + 1))),
        (four_bonds, lambda: (U64(9), U64(77), ((random_word(U64(9), U64(77)) & 0x7FFF) << 32) + 2**31)),
        (fill_random_words, lambda: (np.zeros((5, 3), np.uint64), 150, *streams(5))),
        (fill_random_spins, lambda: (np.zeros((3, 70), np.uint8), np.uint8(0), np.uint8(1), *streams(3))),
        (fill_biased_words, lambda: (np.ones(4, np.uint64), 0.3, 10, BIG_KEY, streams(3)[1], 1)),
        (fill_biased_words, lambda: (np.ones(4, np.uint64), 1.0, 10, BIG_KEY, streams(3)[1], 1)),
        (transpose_bits, lambda: (random_words(64),)),
    ],
)
def test_compiled_kernels_equal_interpreted_ones(kernel, arguments):
    def exact_arguments():
        return tuple(U64(x) if isinstance(x, int) and x > 2**40 else x for x in arguments())

    assert_parity(kernel, exact_arguments, *CALLEES)


def test_all_bits_are_set_in_all():
    assert int(ALL) == 2**64 - 1
