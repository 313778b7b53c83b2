"""Hopfield block Gibbs in torch against enumeration and quadrature, its products of exact integers, its streams."""

import numpy as np
import pytest
import torch
from helpers.chains import sample, started, z_scores
from scipy.stats import chisquare

from vae_mf.device_samplers import DeviceHopfieldGibbs, hopfield
from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers import HopfieldGibbs
from vae_mf.samplers.base import Group, Schedule
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SIGMAS = 4.5


def on_processor(system, jump_every=None):
    return DeviceHopfieldGibbs(system, jump_every, "cpu")


@pytest.mark.parametrize(("count", "jump_every"), [(1, 0), (2, 1), (3, 2)])
def test_every_state_has_its_boltzmann_probability(count, jump_every):
    system = Hopfield.random(8, count, seed=count)
    spins = sample(on_processor(system, jump_every), [0.8, 1.3], 3000, Schedule(2, 40, 16))
    states = (spins.reshape(2, -1, 8) > 0) @ 2 ** np.arange(8)
    for level, temperature in enumerate((0.8, 1.3)):
        exact = enumerate_system(system, temperature).probabilities
        order = np.argsort(exact)
        bins = np.empty(256, int)
        bins[order] = np.floor(np.cumsum(exact[order]) * states.shape[1] / 10)
        expected = np.bincount(bins, exact) * states.shape[1]
        observed = np.bincount(bins[states[level]], minlength=expected.size)
        assert (expected > 0).sum() > 100
        assert chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-3 / 6


@pytest.mark.parametrize(("sites", "count", "jump_every"), [(12, 2, 0), (13, 1, None), (16, 3, 1)])
def test_energy_and_order_parameter_equal_enumeration(sites, count, jump_every):
    system, temperatures = Hopfield.random(sites, count, seed=sites, coupling=1.2), (0.9, 1.2, 2.0)
    spins = sample(on_processor(system, jump_every), temperatures, 300, Schedule(20, 60, 3))
    for values in (system.energy, lambda s: system.order_parameter(s) ** 2, system.order_parameter):
        exact = [(e := enumerate_system(system, t)).mean(values(e.spins)) for t in temperatures]
        assert np.abs(z_scores(values(spins), exact)).max() < SIGMAS


@pytest.mark.slow
def test_many_patterns_jump_as_well():
    system, temperatures = Hopfield.random(18, 18, seed=18), (1.5, 3.0)
    spins = sample(on_processor(system, 1), temperatures, 200, Schedule(20, 60, 3))
    exact = [enumerate_system(system, t).thermodynamics.energy for t in temperatures]
    assert np.abs(z_scores(system.energy(spins), exact)).max() < SIGMAS


@pytest.mark.slow
@pytest.mark.parametrize("jump_every", [0, 1])
def test_energy_equals_quadrature_at_two_hundred_sites(jump_every):
    temperatures = (1.0, 1.3, 2.0) if jump_every == 0 else (0.5, 0.8, 1.0, 1.3, 2.0)
    system = Hopfield.random(200, 2, seed=3)
    spins = sample(on_processor(system, jump_every), temperatures, 64, Schedule(100, 300, 5, anneal=50))
    exact = [system.thermodynamics(t).energy for t in temperatures]
    assert np.abs(z_scores(system.energy(spins), exact)).max() < SIGMAS


@pytest.mark.parametrize("start", ["random", "pattern"])
def test_jumps_give_every_pattern_its_exact_weight(start):
    system, temperatures = Hopfield.random(14, 3, seed=1), (0.4, 0.7)
    basins = system.basin(sample(on_processor(system, 1), temperatures, 600, Schedule(20, 60, 4), start=start))
    weights = []
    for label in (-3, -2, -1, 1, 2, 3):
        exact = [(e := enumerate_system(system, t)).mean((system.basin(e.spins) == label) * 1.0) for t in temperatures]
        weights.append(exact)
        assert np.abs(z_scores((basins == label) * 1.0, exact)).max() < SIGMAS
    assert np.ptp(weights) > 0.05  # The patterns are not equally likely, which is what jumps must get right.


def test_products_are_exact_in_whatever_order_they_are_summed():
    count, random = hopfield.MOST_PATTERNS, np.random.default_rng(0)
    patterns = random.choice([-1, 1], (count, 50))
    phi = random.integers(-hopfield.STEPS, hopfield.STEPS, (3, count), endpoint=True)
    phi[0] = (hopfield.STEPS - hopfield.PIECE // 2) * patterns[:, 0]  # the largest sums of both pieces
    one = torch.ones(3, 1, dtype=torch.float64)
    chains = hopfield.Chains(torch.zeros(3, 1, dtype=torch.int64), one, one, one)
    found = hopfield.fields(torch.from_numpy(phi).double(), torch.from_numpy(patterns).float(), chains)
    np.testing.assert_array_equal(found, phi @ patterns)
    assert abs(found[0, 0]) > 2**34


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_phi_stays_within_its_range(temperature):
    sampler = on_processor(Hopfield.random(5, 3, seed=0), 0)
    state, found = started(sampler, [temperature] * 2000, "pattern"), []
    sampler._sweep = lambda spins, patterns, chains, number: found.append(
        hopfield.draw_phi(spins, patterns, chains, hopfield.first_word(patterns, number))
    )
    sampler.sweep(state, 1)
    assert hopfield.STEPS / 4 < found[0].abs().max() <= hopfield.STEPS
    assert (found[0] == found[0].round()).all()


def test_a_chain_depends_on_no_other():
    sampler, temperatures = on_processor(Hopfield.random(40, 4, seed=1), 2), np.linspace(0.3, 2, 30)
    streams, numbers = keys(1, count=30), np.arange(30)
    whole = sampler.initial(Group(temperatures, streams, numbers), "random")
    sampler.sweep(whole, 7)
    parts = []
    for chosen in np.array_split(numbers, 4):
        state = sampler.initial(Group(temperatures[chosen], streams[chosen], chosen), "random")
        sampler.sweep(state, 3)
        sampler.sweep(state, 4)
        parts.append(sampler.configurations(state))
    np.testing.assert_array_equal(np.concatenate(parts), sampler.configurations(whole))


@pytest.mark.parametrize("sites", [1, 40, 64, 130])
def test_energies_are_those_of_the_system_and_padding_bits_stay_zero(sites):
    system = Hopfield.random(sites, min(sites, 5), seed=1, coupling=0.7)
    sampler = on_processor(system)
    state = started(sampler, np.ones(9))
    sampler.sweep(state, 3)
    packed = sampler.configurations(state)
    np.testing.assert_allclose(sampler.energies(state), system.energy(unpack_spins(packed, sites)))
    assert not np.unpackbits(packed, axis=1, bitorder="little")[:, sites:].any()


def test_starts_are_the_patterns_or_fair():
    system = Hopfield.random(70, 3, seed=4)
    sampler = on_processor(system)
    state = sampler.initial(Group(np.ones(7), keys(1, count=7), np.arange(5, 12)), "pattern")
    expected = system.patterns[np.arange(5, 12) % 3]
    np.testing.assert_array_equal(unpack_spins(sampler.configurations(state), 70), expected)
    fair = unpack_spins(sampler.configurations(started(sampler, np.ones(2000))), 70).astype(float)
    assert np.abs(fair.mean(0)).max() < SIGMAS / np.sqrt(2000)
    assert np.abs(fair.mean(1)).max() < SIGMAS / np.sqrt(70)


def test_jumps_are_counted_as_on_the_processor():
    system = Hopfield.random(40, 2, seed=0)
    for count in (1, 2, 16, 17):
        few = Hopfield.random(40, count, seed=0)
        assert on_processor(few).jump_every == HopfieldGibbs(few).jump_every
    sampler = on_processor(system, 3)
    state = started(sampler, np.ones(10))
    assert np.isnan(sampler.records(state)["jump_acceptance"]).all()
    sampler.sweep(state, 9)
    (accepted,) = sampler.records(state).values()
    assert set((3 * accepted).round(9)) <= {0, 1, 2, 3}
    assert accepted.max() == 1  # the exchange of two patterns is an exact symmetry
    sampler.sweep(state, 2)
    assert np.isnan(sampler.records(state)["jump_acceptance"]).all(), "the next jump comes with the third sweep"
    assert on_processor(Hopfield.random(40, 20, seed=0)).record_names == ()


def test_bad_values_are_named(monkeypatch):
    system = Hopfield.random(10, 2, seed=0)
    with pytest.raises(ValueError, match="jump_every: expected an integer >= 0, got -1"):
        on_processor(system, -1)
    with pytest.raises(ValueError, match="start: expected one of random, pattern, got 'cold'"):
        started(on_processor(system), [1.0], "cold")
    with pytest.raises(ValueError, match='device: expected "auto", "cpu", "cuda" or "cuda:1" and so on, got'):
        DeviceHopfieldGibbs(system, device="gpu")
    monkeypatch.setattr(hopfield, "MOST_PATTERNS", 1)
    with pytest.raises(ValueError, match="patterns: expected at most 1 for hopfield_gibbs_device, got 2"):
        on_processor(system)
