"""Exact Curie-Weiss draws: the law of M is the exact one, and given M all arrangements are equally likely."""

import numpy as np
import pytest
from scipy.stats import chisquare

from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers.base import BatchSampler, Group, Schedule, sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect, correct_count
from vae_mf.systems.curie_weiss import CurieWeiss

FAMILY = 1e-3
TEMPERATURES = np.array([0.7, 1.0, 1.5])


def draw(sites, temperatures=TEMPERATURES, chains=20, draws=1000, seed=1):
    packed = sample_block(
        CurieWeissDirect(CurieWeiss(sites)), temperatures, range(chains), Schedule(draws, 0, 1), seed
    ).configurations
    return unpack_spins(packed.reshape(len(temperatures), chains * draws, -1), sites)


def merged_chi2(counts, probabilities):
    """p-value of counts against a law, neighbouring cells merged until each expects ten."""
    expected = probabilities * counts.sum()
    cells = np.floor(np.cumsum(expected) / 10).astype(int)
    observed, expected = np.bincount(cells, counts), np.bincount(cells, expected)
    keep = expected > 0
    assert keep.sum() > 3
    return chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue


@pytest.mark.parametrize("sites", [37, 256])
def test_magnetisation_follows_its_exact_law(sites):
    spins = draw(sites)
    p_values = []
    for values, temperature in zip(spins, TEMPERATURES, strict=True):
        up = (values > 0).sum(1)
        law = CurieWeiss(sites).order_parameter_law(float(temperature))
        p_values.append(merged_chi2(np.bincount(up, minlength=sites + 1), law.probabilities))
    assert min(p_values) > FAMILY / (2 * len(TEMPERATURES))


@pytest.mark.parametrize("sites", [37, 70])
def test_sites_are_exchangeable_given_the_magnetisation(sites):
    spins = draw(sites)[1].astype(np.float64)
    total = spins.sum(1, keepdims=True)
    m = total / sites
    site = (spins - m).sum(0) / np.sqrt((1 - m**2).sum())
    assert np.abs(site).max() < 4.5
    pair = (total**2 - sites) / (sites * (sites - 1))  # <s_i s_j> at fixed M
    z = (spins.T @ spins - pair.sum()) / np.sqrt((1 - pair**2).sum())
    z = z[np.triu_indices(sites, 1)]
    assert np.abs(z).max() < 5
    assert z.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("filled", [False, True])
def test_correction_leaves_all_arrangements_equally_likely(filled):
    # From none or all of 7 bits set, to exactly 3: C(7, 3) = 35 arrangements.
    counters, counts = np.zeros(1, np.uint64), np.zeros(128)
    for _ in range(20_000):
        words = np.array([0x7F if filled else 0], np.uint64)
        correct_count(words, 3, 7, np.uint64(2**63 + 5), counters, 0)
        counts[int(words[0])] += 1
    reached = np.flatnonzero(counts)
    assert [int(state).bit_count() for state in reached] == [3] * 35
    assert chisquare(counts[reached]).pvalue > FAMILY


@pytest.mark.parametrize("temperature", [0.01, 1e6])
def test_extreme_temperatures(temperature):
    m = draw(50, np.array([temperature]), chains=2).mean(-1)
    if temperature < 1:
        assert set(np.unique(m)) == {-1, 1}
        assert abs(m.mean()) < 4.5 / np.sqrt(m.size)
    else:
        assert m.var() == pytest.approx(1 / 50, rel=0.15)


def test_the_coupling_sets_the_temperature_scale():
    schedule, chains = Schedule(50, 0, 1), range(3)
    weak = sample_block(CurieWeissDirect(CurieWeiss(40, 0.5)), np.array([0.5]), chains, schedule, 1).configurations
    unit = sample_block(CurieWeissDirect(CurieWeiss(40)), np.array([1.0]), chains, schedule, 1).configurations
    np.testing.assert_array_equal(weak, unit)


def test_successive_draws_are_independent():
    m = draw(64, np.array([0.8]), chains=50, draws=400).mean(-1).reshape(50, 400)
    correlation = (m[:, 1:] * m[:, :-1]).mean() / (m**2).mean()
    assert abs(correlation) < 4.5 / np.sqrt(50 * 399)


def test_thinning_and_burn_in_change_nothing_and_no_sweep_draws_nothing():
    sampler = CurieWeissDirect(CurieWeiss(30))
    plain, thinned = (
        sample_block(sampler, TEMPERATURES, range(4), schedule, 1).configurations
        for schedule in (Schedule(5, 0, 1), Schedule(5, 100, 7, anneal=10))
    )
    np.testing.assert_array_equal(plain, thinned)
    state = sampler.initial(Group(TEMPERATURES, np.arange(3, dtype=np.uint64), np.arange(3)), "random")
    before = state.words.copy()
    sampler.sweep(state, 0)
    np.testing.assert_array_equal(state.words, before)
    assert state.counters.tolist() == [0, 0, 0]


def test_only_random_starts_exist():
    with pytest.raises(ValueError, match="start: expected one of random, got 'pattern'"):
        sample_block(CurieWeissDirect(CurieWeiss(5)), TEMPERATURES, range(2), Schedule(1, 0, 1), 1, start="pattern")


def test_draws_in_one_call_are_those_of_as_many_sweeps():
    sampler = CurieWeissDirect(CurieWeiss(70))
    assert isinstance(sampler, BatchSampler)
    first, second = (
        sampler.initial(Group(TEMPERATURES, keys(1, count=len(TEMPERATURES)), np.arange(len(TEMPERATURES))), "random")
        for _ in range(2)
    )
    together = sampler.draw(first, 5)
    for draw in range(5):
        sampler.sweep(second, 1)
        np.testing.assert_array_equal(together[:, draw], sampler.configurations(second))
