"""Kernels of Hopfield block Gibbs: what they draw given their random words, jumps, and independence of blocks."""

import numpy as np
import pytest
from helpers.parity import assert_parity

from vae_mf.kernels import LANES
from vae_mf.rng import keys
from vae_mf.samplers import hopfield
from vae_mf.samplers.base import Group
from vae_mf.samplers.hopfield import HopfieldGibbs, as_words
from vae_mf.samplers.kernels.random_bits import U64, fill_random_words
from vae_mf.systems.hopfield import Hopfield

SIGMAS = 4.5

CALLEES = [(hopfield, name) for name in ("random_word", "double_uniform", "random_index")]


def streams(count):
    return keys(5, "kernels", count=count), np.arange(count, dtype=np.uint64) + U64(10)


def stream_words(key, counter, count):
    words = np.empty((1, count), np.uint64)
    fill_random_words(words, 64 * count, np.array([key]), np.array([counter]))
    return words[0]


@pytest.mark.parametrize("chains", [1, 5, 16])
def test_spins_are_drawn_by_comparing_uniforms_with_their_law(chains):
    """The same as NumPy makes in float64 of the same random words, but where the two are closer than rounding."""
    sites = 200
    fields = np.random.default_rng(2).normal(size=(256, LANES)).astype(np.float32)
    scale = np.linspace(0.1, 9, chains).astype(np.float32)
    words, (seeds, counters) = np.zeros((chains, 4), np.uint64), streams(chains)
    hopfield.draw_spins(words, fields, sites, scale, seeds, counters)
    assert (counters == streams(chains)[1] + U64(128)).all()
    for b, start in enumerate(streams(chains)[1]):
        raw = stream_words(seeds[b], start, 128).reshape(4, 32)
        uniforms = np.concatenate([raw >> U64(40), (raw >> U64(16)) & U64(0xFFFFFF)], axis=1).ravel() / 2**24 + 2.0**-25
        probability = 1 / (1 + np.exp(-float(scale[b]) * fields[:, b].astype(float)))
        expected = np.unpackbits(words[b].view(np.uint8), bitorder="little")
        sure = np.abs(uniforms - probability) > 1e-6
        assert sure.mean() > 0.99
        sure[sites:] = False
        np.testing.assert_array_equal(expected[sure], (uniforms < probability)[sure])
        assert not expected[sites:].any()


def test_spins_follow_their_field_over_repeated_calls():
    fields = np.linspace(-9, 9, 128).astype(np.float32)[:, None] * np.ones(LANES, np.float32)
    words, counters, up = np.empty((16, 2), np.uint64), np.zeros(16, np.uint64), np.zeros(128)
    rounds = 2000
    for _ in range(rounds):
        hopfield.draw_spins(words, fields, 128, np.ones(16, np.float32), keys(1, count=16), counters)
        up += np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").sum(0)
    draws, p = 16 * rounds, 1 / (1 + np.exp(-fields[:, 0].astype(float)))
    common = p * (1 - p) * draws > 9
    z = (up - draws * p)[common] / np.sqrt(draws * p * (1 - p))[common]
    assert common.sum() > 60
    assert np.abs(z).max() < SIGMAS
    assert z.var() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / z.size))


@pytest.mark.parametrize(("sites", "count"), [(1, 1), (65, 3), (130, 30), (200, 100)])
def test_fields_are_products_of_patterns(sites, count):
    sampler = HopfieldGibbs(Hopfield.random(sites, count, seed=1))
    rows = hopfield.WORD * sampler._signs.shape[1]
    phi = np.zeros((rows, LANES), np.float32)
    phi[:count] = np.random.default_rng(1).normal(size=(count, LANES))
    fields = np.full((64 * sampler._pattern_words.shape[0], LANES), 3, np.float32)
    hopfield.multiply(fields, phi, sampler._signs)
    np.testing.assert_allclose(fields[:sites], sampler.system.patterns.T @ phi[:count], atol=1e-4)
    assert (fields[sites:] == 3).all()


def test_overlap_fields_have_their_mean_and_width():
    system = Hopfield.random(130, 30, seed=1)
    sampler, spins = HopfieldGibbs(system), np.random.default_rng(3).choice([-1, 1], (LANES, 130)).astype(np.int8)
    phi, counters = np.zeros((48, LANES), np.float32), np.zeros(LANES, np.uint64)
    width, total, squares, rounds = np.linspace(0.1, 2, LANES).astype(np.float32), 0.0, 0.0, 5_000
    overlaps = (system.patterns.astype(float) @ spins.T) / 130
    for _ in range(rounds):
        hopfield.draw_fields(phi, as_words(spins), sampler._pattern_words, 130, width, keys(3, count=LANES), counters)
        total = total + phi[:30]
        squares = squares + phi[:30].astype(float) ** 2
    # With a fair sign the mean vanishes and the second moment is m^2 + width^2.
    second = overlaps**2 + width.astype(float) ** 2
    assert np.abs(total / np.sqrt(rounds * second)).max() < SIGMAS
    fourth = overlaps**4 + 6 * overlaps**2 * width**2 + 3 * width.astype(float) ** 4
    assert np.abs((squares / rounds - second) / np.sqrt((fourth - second**2) / rounds)).max() < SIGMAS


def test_propose_jumps_compiled_equals_interpreted():
    phi = np.random.default_rng(0).normal(size=(24, LANES)).astype(np.float32)
    proposal, *_ = assert_parity(
        hopfield.propose_jumps, lambda: (np.empty_like(phi), phi.copy(), 5, *streams(LANES)), *CALLEES
    )
    np.testing.assert_allclose((proposal**2).sum(0), (phi**2).sum(0), rtol=1e-6)
    np.testing.assert_array_equal(proposal[5:], phi[5:])
    assert (proposal[:5] != phi[:5]).any(0).sum() > 8


def test_jumps_exchange_the_leading_component_with_any_other():
    phi = np.zeros((24, LANES), np.float32)
    phi[:3] = np.array([0.1, -0.9, 0.2])[:, None]
    proposal, counters, leads = np.empty_like(phi), np.zeros(LANES, np.uint64), []
    for _ in range(500):
        hopfield.propose_jumps(proposal, phi, 3, keys(1, count=LANES), counters)
        lead = np.abs(proposal).argmax(0)
        leads += [3 * (proposal[lead, np.arange(LANES)] > 0) + lead]
    observed = np.bincount(np.ravel(leads), minlength=6)
    assert ((observed - 8000 / 6) ** 2 / (8000 / 6)).sum() < 25  # chi-squared of 5 degrees: once in 7000


def test_accept_jumps_compiled_equals_interpreted():
    rng = np.random.default_rng(1)
    fields, proposed = rng.normal(size=(2, 64, LANES)).astype(np.float32)
    beta = rng.uniform(0.5, 2, LANES)

    def arguments():
        return fields.copy(), proposed, 50, beta, *streams(LANES), np.zeros(LANES)

    *_, accepted = assert_parity(hopfield.accept_jumps, arguments, *CALLEES)
    assert 0 < accepted.sum() < LANES


def test_jumps_are_accepted_with_the_ratio_of_their_weights():
    fields, proposed = np.full((64, LANES), 0.5, np.float32), np.full((64, LANES), 0.4, np.float32)
    counters, accepted, beta = np.zeros(LANES, np.uint64), np.zeros(LANES), np.linspace(0.2, 2, LANES)
    for _ in range(2000):
        hopfield.accept_jumps(fields.copy(), proposed, 50, beta, keys(1, count=LANES), counters, accepted)
    ratio = (np.cosh(0.4 * beta) / np.cosh(0.5 * beta)) ** 50
    assert np.abs((accepted - 2000 * ratio) / np.sqrt(2000 * ratio * (1 - ratio))).max() < SIGMAS


def test_log_cosh_sums_are_accurate_also_where_cosh_overflows():
    fields = np.random.default_rng(3).normal(size=(256, LANES)).astype(np.float32) * np.float32(100)
    beta, sums = np.linspace(0.3, 3, 11), np.ones(11)
    hopfield.log_cosh_sums(sums, fields, 250, beta)
    x = beta * fields[:250, :11].astype(float)
    np.testing.assert_allclose(sums, np.logaddexp(x, -x).sum(0), rtol=1e-6)


@pytest.mark.parametrize("count", [3, 40])
def test_neither_companions_nor_the_cutting_of_sweeps_change_a_chain(count):
    sampler = HopfieldGibbs(Hopfield.random(100, count, seed=1), jump_every=2)
    temperatures, seeds = np.linspace(0.5, 1.5, 37), keys(4, count=37)
    whole = sampler.initial(Group(temperatures, seeds, np.arange(37)), "random")
    sampler.sweep(whole, 7)
    for part in (slice(0, 1), slice(5, 22), slice(36, 37)):
        alone = sampler.initial(Group(temperatures[part], seeds[part], np.arange(37)[part]), "random")
        for step in (3, 1, 3):
            sampler.sweep(alone, step)
        np.testing.assert_array_equal(alone.words, whole.words[part])
        np.testing.assert_array_equal(alone.counters, whole.counters[part])
        np.testing.assert_array_equal(alone.jumps_accepted, whole.jumps_accepted[part])
        assert alone.jumps_tried == whole.jumps_tried == 3
