"""Random words, normals and spin draws: known vectors, accuracy on grids, moments over many calls, parity."""

import numpy as np
import pytest
from numba import njit
from scipy.stats import chi2, kstest, norm

from vae_mf.rng import keys
from vae_mf.samplers import curie_weiss, hopfield, random_bits
from vae_mf.samplers.random_bits import FAST, U64, exp32, fill_normals, fill_spin_words, log32, random_word

SIGMAS = 4.5


@njit(fastmath=FAST)
def map_exp(x, out):
    for i in range(x.shape[0]):
        out[i] = exp32(x[i])


@njit(fastmath=FAST)
def map_log(x, out):
    for i in range(x.shape[0]):
        out[i] = log32(x[i])


@njit(fastmath=FAST)
def map_turn(x, cosine, sine):
    for i in range(x.shape[0]):
        cosine[i], sine[i] = random_bits.cos_sin_turn(x[i])


@njit
def map_uniforms(words, high, low, double):
    for i in range(words.shape[0]):
        high[i] = random_bits.high_uniform(words[i])
        low[i] = random_bits.low_uniform(words[i])
        double[i] = random_bits.double_uniform(words[i])


def random_words(count):
    words = np.zeros((1, count), np.uint64)
    hopfield.fill_random_words(words, keys(1, "words", count=1), np.zeros(1, np.uint64), ~U64(0))
    return words[0]


def test_words_are_those_of_splitmix64():
    # The first outputs for seed 1234567, from rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    counters = np.ones(1, np.uint64)
    words = np.zeros((1, 5), np.uint64)
    hopfield.fill_random_words(words, np.array([1234567], np.uint64), counters, ~U64(0))
    assert words[0].tolist() == known
    assert counters.tolist() == [6]


def test_exponential_is_accurate():
    x = np.linspace(-87, 88, 1_000_001, dtype=np.float32)
    out = np.empty_like(x)
    map_exp(x, out)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 2e-7


def test_exponential_is_clipped_outside_its_range():
    out = np.empty(4, np.float32)
    map_exp(np.array([-1e9, -np.inf, 1e9, np.inf], np.float32), out)
    np.testing.assert_allclose(out, np.exp([-87.0, -87.0, 88.0, 88.0]), rtol=1e-6)


def test_logarithm_is_accurate():
    x = np.concatenate([np.linspace(2**-25, 4, 1_000_001), np.geomspace(1e-37, 1e38, 100_001)]).astype(np.float32)
    out = np.empty_like(x)
    map_log(x, out)
    exact = np.log(x.astype(np.float64))
    assert (np.abs(out - exact) / np.maximum(1, np.abs(exact))).max() < 2e-7


def test_sine_and_cosine_are_accurate():
    u = (np.arange(2**20) / 2**20).astype(np.float32)
    cosine, sine = np.empty_like(u), np.empty_like(u)
    map_turn(u, cosine, sine)
    angle = 2 * np.pi * u.astype(np.float64)
    assert np.abs(cosine - np.cos(angle)).max() < 3e-7
    assert np.abs(sine - np.sin(angle)).max() < 3e-7


def test_uniforms_read_the_bits_they_name():
    words = random_words(10_000)
    high, low, double = np.empty(10_000, np.float32), np.empty(10_000, np.float32), np.empty(10_000)
    map_uniforms(words, high, low, double)
    np.testing.assert_array_equal(high, (words >> U64(40)).astype(float) / 2**24)
    np.testing.assert_array_equal(low, ((words >> U64(16)) & U64(0xFFFFFF)).astype(float) / 2**24)
    np.testing.assert_array_equal(double, (words >> U64(11)).astype(float) / 2**53)


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
    hopfield.fill_random_words(words, keys(1, "chains", count=50), np.zeros(50, np.uint64), ~U64(0))
    assert np.unique(words).size == words.size


def test_normals_keep_their_moments_over_repeated_calls():
    counters, draws = np.zeros(2, np.uint64), np.empty((400, 500), np.float32)
    for row in draws:  # Counters that turned signed would spoil the second call, not the first.
        fill_normals(row, np.float32(2.0), U64(2**63 + 12345), counters, 1)
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


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_spins_follow_their_log_odds(scale):
    log_odds = np.linspace(-9, 9, 128).astype(np.float32)
    words, counters = np.empty(2, np.uint64), np.zeros(1, np.uint64)
    up, rounds = np.zeros(128), 20_000
    for _ in range(rounds):
        fill_spin_words(words, log_odds, np.float32(scale), U64(99), counters, 0)
        up += np.unpackbits(words.view(np.uint8), bitorder="little")
    assert counters[0] == rounds * 64
    p = 1 / (1 + np.exp(-scale * log_odds.astype(float)))
    common = p * (1 - p) * rounds > 9
    z = (up - rounds * p)[common] / np.sqrt(rounds * p * (1 - p))[common]
    assert common.sum() > 30
    assert np.abs(z).max() < SIGMAS
    assert z.var() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / z.size))
    rare = np.minimum(p, 1 - p) * rounds < 0.01
    assert np.abs(up - rounds * np.round(p))[rare].max(initial=0) <= 1


def test_extreme_fields_decide_the_spin():
    log_odds = np.repeat(np.array([-1e30, -100, 100, 1e30], np.float32), 16)
    words, counters = np.empty(1, np.uint64), np.zeros(1, np.uint64)
    for _ in range(200):
        fill_spin_words(words, log_odds, np.float32(1), U64(7), counters, 0)
        assert words[0] == 0xFFFFFFFF00000000


@pytest.mark.parametrize(("sites", "count", "bits"), [(1, 1, 1), (63, 1, 63), (64, 1, 64), (65, 2, 1), (200, 4, 8)])
def test_words_hold_the_sites(sites, count, bits):
    assert random_bits.word_count(sites) == count
    assert int(random_bits.last_word_mask(sites)) == 2**bits - 1


# Kernels built on LLVM intrinsics (popcount, bit casts: exp32, log32, fill_*, correct_count) have no interpreted form;
# the ones below do.


def chain_streams(count):
    return keys(5, "parity", count=count), np.arange(count, dtype=np.uint64) + U64(10)


def compare(kernel, make_arguments):
    """Run a kernel compiled and interpreted on equal arguments: same results, same side effects."""
    compiled, interpreted = make_arguments(), make_arguments()
    result = kernel(*compiled)
    with np.errstate(over="ignore"), pytest.MonkeyPatch.context() as patch:
        # A compiled callee would hand its uint64 back as a Python int.
        for module in (hopfield, curie_weiss):
            for name in ("random_word", "double_uniform"):
                patch.setattr(module, name, getattr(random_bits, name).py_func)
        expected = kernel.py_func(*interpreted)
    np.testing.assert_array_equal(result, expected)
    for one, other in zip(compiled, interpreted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_word_compiled_equals_interpreted():
    for key, counter in zip(*chain_streams(100), strict=True):
        compare(random_word, lambda key=key, counter=counter: (key, counter))


def test_fill_random_words_compiled_equals_interpreted():
    compare(hopfield.fill_random_words, lambda: (np.zeros((5, 3), np.uint64), *chain_streams(5), U64(0xFFFF)))


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 1.0])
def test_biased_words_compiled_equals_interpreted(probability):
    key, counters = chain_streams(3)
    compare(
        curie_weiss.draw_biased_words,
        lambda: (np.ones(4, np.uint64), probability, key[1], counters.copy(), 1),
    )


def test_propose_jumps_compiled_equals_interpreted():
    phi = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    compare(hopfield.propose_jumps, lambda: (np.empty_like(phi), phi.copy(), *chain_streams(40)))


def test_accept_jumps_compiled_equals_interpreted():
    rng = np.random.default_rng(1)
    phi, proposal = rng.normal(size=(2, 60, 3)).astype(np.float32)
    fields, proposed = rng.normal(size=(2, 60, 64)).astype(np.float32)
    beta = rng.uniform(0.5, 2, 60)

    def arguments():
        return (phi.copy(), fields.copy(), proposal, proposed, beta, 50, *chain_streams(60))

    compare(hopfield.accept_jumps, arguments)
    accepted = hopfield.accept_jumps(*arguments())
    assert 0 < accepted.sum() < 60


def test_draw_spins_compiled_equals_interpreted():
    fields = np.random.default_rng(2).normal(size=(6, 128)).astype(np.float32)
    scale = np.linspace(0.1, 3, 6).astype(np.float32)
    compare(hopfield.draw_spins, lambda: (np.zeros((6, 2), np.uint64), fields, scale, U64(0xFF), *chain_streams(6)))


def test_log_cosh_sum_is_accurate_also_where_cosh_overflows():
    fields = np.random.default_rng(3).normal(size=300).astype(np.float32) * np.float32(100)
    x = 1.7 * fields[:250].astype(float)
    expected = np.logaddexp(x, -x).sum()
    assert hopfield.log_cosh_sum(fields, 1.7, 250) == pytest.approx(expected, rel=1e-6)
