"""Diagnostics on chains whose answer is known."""

import numpy as np
import pytest
from emcee.autocorr import integrated_time
from scipy.signal import lfilter
from scipy.stats import binom

from vae_mf.samplers.diagnostics import (
    AGREEMENT_LEVEL,
    basin_indicators,
    chain_agreement,
    diagnose,
    effective_size,
    split_rhat,
    start_ensemble,
)
from vae_mf.statistics.row_order import autocorrelation_time


def autoregressive(memory, chains=50, draws=2000, seed=0):
    """Stationary chains x_t = memory x_{t-1} + noise, of integrated time (1 + memory) / (1 - memory) / 2."""
    noise = np.random.default_rng(seed).normal(size=(chains, draws))
    noise[:, 0] /= np.sqrt(1 - memory**2)
    return lfilter([1], [1, -memory], noise, axis=1)


def noise(chains=20, draws=100, seed=0):
    return np.random.default_rng(seed).normal(size=(chains, draws))


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_time_of_autoregressive_chains(memory):
    chains = autoregressive(memory)
    exact = 0.5 * (1 + memory) / (1 - memory)
    assert autocorrelation_time(chains) == pytest.approx(exact, rel=0.08)
    assert effective_size(chains) == pytest.approx(chains.size / (2 * exact), rel=0.08)


@pytest.mark.parametrize("memory", [0.3, 0.8])
def test_time_agrees_with_emcee(memory):
    chains = autoregressive(memory, seed=1)
    peer = integrated_time(chains.T[:, :, None], c=6, tol=0)[0] / 2
    assert autocorrelation_time(chains) == pytest.approx(peer, rel=0.05)


def test_anticorrelated_and_constant_chains_count_as_independent():
    assert autocorrelation_time(autoregressive(-0.5)) == 0.5
    assert autocorrelation_time(noise(10, 1)) == 0.5


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1 / 3])
def test_constant_observables_raise_no_alarm(value):
    constant, fewer = np.full((12, 101), value), np.full((8, 101), value)
    assert autocorrelation_time(constant) == 0.5
    assert split_rhat(constant) == 1.0
    assert chain_agreement({"x": constant}, {"x": fewer}) == 1.0
    assert chain_agreement({"x": constant}, {"x": fewer + 0.5}) < AGREEMENT_LEVEL


def test_chains_frozen_apart_are_one_long_memory():
    frozen = np.repeat([[0.1], [1.1]], 100, axis=1)
    assert split_rhat(frozen) == np.inf
    assert effective_size(frozen) < 5
    separated = noise() + 10 * (np.arange(20) % 2)[:, None]
    assert split_rhat(separated) > 1.1
    assert effective_size(separated) < 50


def test_rhat_of_independent_draws_is_one():
    assert split_rhat(noise(draws=1000)) == pytest.approx(1, abs=0.01)


def test_rhat_sees_a_drift_within_chains():
    assert split_rhat(noise(4, 200) + np.linspace(0, 3, 200)) > 1.1


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_rhat_needs_four_draws(draws):
    assert np.isnan(split_rhat(noise(5, draws)))


def test_mixed_chains_that_agree_are_in_equilibrium():
    report = diagnose({"x": noise(seed=1)}, {"x": noise(8, seed=2)}, "random_start", exact=False)
    assert report.ensemble == "equilibrium"
    assert report.split_rhat < 1.1
    assert report.effective_size == pytest.approx(2000, rel=0.2)
    assert report.agreement > AGREEMENT_LEVEL


def test_chains_that_remember_their_start_are_named_after_it():
    basins = np.array([[1, 1, -1], [2, 2, 2]])
    assert start_ensemble("random", basins) == "random_start"
    assert start_ensemble("pattern", basins) == "basin:1,2"
    assert start_ensemble("pattern", basins[1:]) == "basin:2"
    assert start_ensemble("pattern", np.arange(1, 5)[:, None]) == "basin:several"


@pytest.mark.parametrize("tag", ["random_start", "basin:1"])
def test_chains_in_different_valleys_are_not(tag):
    valleys = np.arange(20)[:, None] % 2
    stuck = {"x": noise(), "basin": np.repeat(valleys * 1.0, 100, axis=1)}
    report = diagnose(stuck, stuck, tag, exact=False)
    assert report.ensemble == tag
    assert report.split_rhat == np.inf


@pytest.mark.parametrize("tag", ["random_start", "basin:1"])
def test_mixing_within_one_valley_is_told_by_the_opposite_starts(tag):
    report = diagnose({"x": noise(seed=1)}, {"x": noise(seed=2) + 1}, tag, exact=False)
    assert report.split_rhat < 1.1
    assert report.ensemble == tag


def test_without_opposite_starts_or_with_too_few_draws_nothing_is_claimed():
    alone = diagnose({"x": noise()}, None, "random_start", exact=False)
    assert np.isnan(alone.agreement)
    assert alone.ensemble == "random_start"
    assert diagnose({"x": noise(draws=3)}, {"x": noise(draws=3)}, "basin:1", exact=False).ensemble == "basin:1"


@pytest.mark.parametrize(("chains", "opposite_starts"), [(20, 1), (1, 20), (500, 1), (20, 2)])
def test_too_few_chains_prove_no_agreement(chains, opposite_starts):
    drawn, opposite = {"x": noise(chains)}, {"x": noise(opposite_starts, seed=1) + 100}
    assert np.isnan(chain_agreement(drawn, opposite))
    assert diagnose(drawn, opposite, "random_start", exact=False).ensemble == "random_start"


def test_exact_draws_need_no_proof():
    assert diagnose({"x": noise(draws=1)}, None, "random_start", exact=True).ensemble == "equilibrium"


def test_false_alarms_stay_at_their_level_with_few_opposite_starts_and_rare_basins():
    rng, alarms, cases, level = np.random.default_rng(0), 0, 120, 0.05
    for _ in range(cases):
        x, other = (autoregressive(0.8, n, 50, seed=rng.integers(2**32)) for n in (40, 4))
        sets = ({"x": v, "|x|": np.abs(v), "x > 0": (v > 0) * 1.0, "basin": (v > 3) * 1.0} for v in (x, other))
        alarms += chain_agreement(*sets) < level
    assert 0 < alarms < binom.isf(1e-3, cases, level)


def test_real_differences_are_found():
    assert chain_agreement({"x": noise(50)}, {"x": noise(20, seed=1) + 0.5}) < AGREEMENT_LEVEL


def test_basin_indicators_are_named_and_complete():
    labels = np.array([[1, -2, 1], [2, 2, -1]])
    indicators = basin_indicators(labels, np.unique(labels))
    assert list(indicators) == ["basin -2", "basin -1", "basin +1", "basin +2"]
    np.testing.assert_array_equal(sum(indicators.values()), np.ones((2, 3)))
    np.testing.assert_array_equal(indicators["basin +1"], [[1, 0, 1], [0, 0, 0]])
