"""The network as a memory: dynamics that descend, recall below the critical load and not above, Glauber's law."""

import numpy as np
import pytest

from vae_mf.samplers import retrieval
from vae_mf.samplers.retrieval import corrupt, load_curve, pattern_products, recall
from vae_mf.samplers.spin_glass import flip_dense
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.hopfield_theory import retrieval_overlap

SIGMAS = 4.5


def overlaps(spins, patterns):
    return (spins.astype(float) * patterns).mean(-1)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1.0])
def test_exactly_the_stated_fraction_is_turned(fraction):
    patterns = np.where(np.random.default_rng(1).random((2000, 200)) < 0.5, -1, 1).astype(np.int8)
    turned = corrupt(patterns, fraction, 1) != patterns
    assert (turned.sum(1) == 200 * fraction).all()
    if 0 < fraction < 1:
        assert len(np.unique(turned, axis=0)) == 2000
        assert np.abs(turned.mean(0) - fraction).max() < SIGMAS * np.sqrt(fraction * (1 - fraction) / 2000)
        np.testing.assert_array_equal(turned, corrupt(patterns, fraction, 1) != patterns)
        assert (corrupt(patterns, fraction, 2) != corrupt(patterns, fraction, 1)).any()


@pytest.mark.parametrize("load", [0.05, 0.13, 0.3, 1.0])
def test_energy_never_rises_at_zero_temperature_and_ends_in_a_local_minimum(load):
    system = Hopfield.random(300, int(300 * load), seed=1, coupling=1.7)
    starts = np.concatenate([corrupt(system.patterns[:10], 0.2, 1), corrupt(system.patterns[:10], 0.5, 2)])
    result = recall(system, starts)
    assert (np.diff(result.energies, axis=1) <= 0).all()
    np.testing.assert_allclose(result.energies[:, 0], system.energy(starts))
    np.testing.assert_allclose(result.energies[:, -1], system.energy(result.spins))
    assert (result.flips[:, -1] == 0).all()
    fields = result.spins @ system.couplings
    assert (result.spins * fields >= -1e-12).all()


def test_one_stored_pattern_is_recalled_with_its_sign():
    system = Hopfield.random(101, 1, seed=1)
    starts = np.concatenate([corrupt(system.patterns, 0.3, 1), corrupt(system.patterns, 0.7, 1)])
    np.testing.assert_array_equal(overlaps(recall(system, starts).spins, system.patterns), [1, -1])


@pytest.mark.parametrize("sites", [63, 64, 500])
def test_fields_stay_exact_integers(sites):
    system = Hopfield.random(sites, sites // 2, seed=1)
    counts = pattern_products(system)
    np.testing.assert_array_equal(counts[:, :sites], np.rint(system.couplings * sites))
    spins = np.zeros(counts.shape[1], np.float32)
    spins[:sites] = corrupt(system.patterns[0], 0.4, 1)
    fields = spins[:sites] @ counts
    for _ in range(5):
        flip_dense(counts, spins, fields, np.zeros_like(spins), np.float32(1))
    np.testing.assert_array_equal(fields[:sites], spins[:sites].astype(np.int64) @ counts[:, :sites].astype(np.int64))


def test_memory_holds_below_the_critical_load_and_breaks_above():
    curve = load_curve(1000, [0.05, 0.12, 0.2], networks=4, corruption=0.1, starts=15, seed=1)
    assert curve.loads.tolist() == [0.05, 0.12, 0.2]
    assert curve.overlaps[0] > 0.97
    assert curve.overlaps[1] > 0.9
    assert curve.overlaps[2] < 0.5
    assert curve.errors.max() < 0.05
    assert curve.settled.min() == 1


def test_errors_are_the_spread_between_networks():
    whole = load_curve(100, [0.15], networks=5, starts=6, seed=3)
    alone = [
        retrieval.recall_random_patterns(100, 15, 0.1, 0.0, 6, 200, retrieval.integer(3, 15, number))[0]
        for number in range(5)
    ]
    assert whole.overlaps[0] == pytest.approx(np.mean(alone))
    assert whole.errors[0] == pytest.approx(np.std(alone, ddof=1) / np.sqrt(5))


def test_threads_do_not_change_the_curve():
    one, two, three = (load_curve(60, [0.1, 0.3], 3, temperature=0.4, starts=4, sweeps=6, threads=n) for n in (1, 2, 3))
    for a, b, c in zip(one, two, three, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


def test_heat_reduces_the_overlap_to_that_of_the_theory():
    curve = load_curve(2000, [0.02], networks=4, corruption=0.0, temperature=0.5, starts=20, sweeps=40, seed=1)
    assert curve.overlaps[0] == pytest.approx(retrieval_overlap(0.5, 0.02), abs=0.02)
    assert curve.overlaps[0] < 0.97
    hot = load_curve(500, [0.02], networks=4, corruption=0.0, temperature=2.0, starts=10, sweeps=40, seed=1)
    assert abs(hot.overlaps[0]) < 0.1


@pytest.mark.parametrize(("temperature", "coupling"), [(0.8, 1.0), (1.5, 1.0), (2.4, 2.0)])
def test_glauber_dynamics_reach_the_boltzmann_law(temperature, coupling):
    system = Hopfield.random(9, 2, seed=1, coupling=coupling)
    result = recall(system, np.ones((20_000, 9), np.int8), 40, temperature, seed=1)
    exact = enumerate_system(system, temperature).thermodynamics
    error = np.sqrt(exact.heat_capacity) * temperature / np.sqrt(20_000)
    assert abs(result.energies[:, -1].mean() - exact.energy) < SIGMAS * error
    np.testing.assert_allclose(result.energies[:, -1], system.energy(result.spins), atol=1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_compiled_kernel_equals_interpreted_one(temperature, monkeypatch):
    system = Hopfield.random(40, 6, seed=1)
    starts = corrupt(system.patterns, 0.3, 1)
    compiled = recall(system, starts, 5, temperature, seed=2)
    monkeypatch.setattr(retrieval, "relax", retrieval.relax.py_func)
    interpreted = recall(system, starts, 5, temperature, seed=2)
    for one, other in zip(compiled, interpreted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_results_depend_on_the_seed_and_on_nothing_else():
    system = Hopfield.random(60, 5, seed=1)
    starts = corrupt(system.patterns, 0.3, 1)
    first, again, other = (recall(system, starts, 4, 1.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.spins, again.spins)
    assert (first.spins != other.spins).any()
    np.testing.assert_array_equal(recall(system, starts[:2], 4, 1.0, 1).spins, first.spins[:2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: corrupt(np.zeros((1, 4), np.int8), 0.1, 1), r"patterns: expected entries -1 and \+1"),
        (lambda s: corrupt(s.patterns, 1.5, 1), "fraction: expected a number from 0 to 1, got 1.5"),
        (lambda s: corrupt(s.patterns, float("nan"), 1), "fraction: expected a number from 0 to 1, got nan"),
        (lambda s: recall(s, np.ones((2, 9), np.int8)), r"starts: expected shape \(starts, 10\), got \(2, 9\)"),
        (lambda s: recall(s, np.ones(10, np.int8)), r"starts: expected shape \(starts, 10\), got \(10,\)"),
        (lambda s: recall(s, np.zeros((2, 10), np.int8)), r"starts: expected entries -1 and \+1"),
        (lambda s: recall(s, s.patterns, 0), "sweeps: expected an integer >= 1, got 0"),
        (lambda s: recall(s, s.patterns, 5, -0.1), "temperature: expected a finite number > 0, got -0.1"),
        (lambda s: load_curve(100, [-0.1]), "loads: expected a finite number > 0, got -0.1"),
        (lambda s: load_curve(100, [0.1], networks=1), "networks: expected an integer >= 2, got 1"),
        (lambda s: load_curve(100, [0.1], starts=0), "starts: expected an integer >= 1, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(Hopfield.random(10, 2, seed=1))


@pytest.mark.slow
def test_the_memory_breaks_near_the_load_of_amit_gutfreund_and_sompolinsky():
    loads = [0.12, 0.13, 0.16, 0.18]
    curve = load_curve(4000, loads, networks=4, corruption=0.0, starts=8, seed=1)
    for load, overlap in zip(loads[:2], curve.overlaps[:2], strict=True):
        assert overlap == pytest.approx(retrieval_overlap(0.005, load), abs=0.02)
    assert curve.overlaps[2] < 0.6
    assert curve.overlaps[3] < 0.42
