"""Metropolis for formulas: bookkeeping, laws against exact counts, tempering and its ladder, both starts."""

import numpy as np
import pytest
from helpers.chains import sample, z_scores

from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers import KSatMetropolis, ParallelTempering
from vae_mf.samplers.base import Group, Schedule
from vae_mf.samplers.tempering import EnergySampler, choose_ladder
from vae_mf.systems import KSat

MIXED = KSat.from_clauses([[1, -2, 3], [-1], [2, 4, -3, -5], [-4, 5], [-4, 5]], sites=7)
FORMULAS = {"mixed": MIXED, "k3": KSat.random(14, 3, seed=1, clauses=70), "k5": KSat.random(12, 5, 1, clauses=200)}
SIGMAS = 4.5


def new_state(sampler, temperatures, start="random"):
    numbers = np.arange(len(temperatures))
    return sampler.initial(Group(np.array(temperatures), keys(3, "test", count=len(numbers)), numbers), start)


@pytest.mark.parametrize("start", ["random", "pattern"])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_energies_are_those_of_the_configurations(formula, start):
    sampler = KSatMetropolis(formula)
    assert isinstance(sampler, EnergySampler)
    state = new_state(sampler, [0.3, 1.0, 5.0], start)
    for _ in range(5):
        spins = unpack_spins(sampler.configurations(state), formula.sites)
        np.testing.assert_array_equal(sampler.energies(state), formula.energy(spins))
        sampler.sweep(state, 7)
    np.testing.assert_array_equal(state.temperatures, [0.3, 1.0, 5.0])


def test_the_cold_start_is_low_and_the_other_is_not():
    formula = KSat.random(200, 3, seed=1, clauses_per_site=4.0)
    sampler = KSatMetropolis(formula)
    low, high = (sampler.energies(new_state(sampler, [1.0] * 8, start)).mean() for start in ("pattern", "random"))
    assert low < 20
    assert abs(high - 100) < 4 * np.sqrt(800 * 7 / 64 / 8)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_energy_and_magnetisation_equal_exact_counts(formula):
    temperatures = (0.4, 0.8, 2.0)
    spins = sample(KSatMetropolis(formula), temperatures, 100, Schedule(60, 100, 4, anneal=60))
    exact = [formula.thermodynamics(t) for t in temperatures]
    laws = [formula.order_parameter_law(t) for t in temperatures]
    energies = z_scores(formula.energy(spins), [state.energy for state in exact])
    orders = z_scores(formula.order_parameter(spins), [law.values @ law.probabilities for law in laws])
    assert np.abs([energies, orders]).max() < SIGMAS


def test_tempering_equals_exact_counts_where_single_chains_are_slow():
    formula = KSat.random(16, 3, seed=4, clauses=75)
    sampler = ParallelTempering(KSatMetropolis(formula))
    temperatures = (0.15, 0.25, 0.4, 0.7, 1.2)
    spins = sample(sampler, temperatures, 60, Schedule(60, 200, 5))
    exact = [formula.thermodynamics(t).energy for t in temperatures]
    assert np.abs(z_scores(formula.energy(spins), exact)).max() < SIGMAS


def test_a_ladder_is_chosen_for_a_formula():
    ladder = choose_ladder(KSatMetropolis(KSat.random(60, 3, 1, clauses=240)), 0.2, 2.0, sweeps=200, ladders=4)
    assert ladder.acceptance.min() >= 0.3
    assert ladder.temperatures[[0, -1]] == pytest.approx([0.2, 2.0])


def test_a_formula_without_clauses_is_not_sampled():
    with pytest.raises(ValueError, match="system: expected a formula with clauses, got none"):
        KSatMetropolis(KSat.from_clauses([], sites=5))
