"""Parallel tempering: every temperature keeps its law, swaps are as frequent as they must be, ladders as promised."""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers.chains import z_scores
from scipy.special import logsumexp
from scipy.stats import chisquare

from vae_mf.packing import all_configurations, pack_spins, unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers.base import Group, RecordingSampler, Sampler, Schedule, SystemSampler, run_chains
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.multispin import MultispinMetropolis
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import (
    ParallelTempering,
    choose_ladder,
    ladder_rungs,
)
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

SIGMAS = 4.5
FAMILY = 1e-3
LADDER = np.array([0.25, 0.4, 0.6, 0.9, 1.4])


@dataclass
class HeatedState:
    """What the perfect sampler carries along."""

    temperatures: np.ndarray
    rows: np.ndarray
    random: np.random.Generator


class PerfectSampler(SystemSampler):
    """Draws every chain afresh from the exact law at its temperature, for tests of the swaps alone."""

    name, serves, exact = "perfect", System, True

    def __init__(self, system):
        super().__init__(system)
        self.spins = all_configurations(system.sites)
        self.levels = system.energy(self.spins)

    def begin(self, group, start):
        random = np.random.default_rng(int(group.keys[0]))
        return HeatedState(group.temperatures.copy(), np.zeros(len(group.keys), np.int64), random)

    def sweep(self, state, count):
        for row, temperature in enumerate(state.temperatures):
            weights = -self.levels / temperature
            state.rows[row] = state.random.choice(len(weights), p=np.exp(weights - logsumexp(weights)))

    def configurations(self, state):
        return pack_spins(self.spins[state.rows])

    def energies(self, state):
        return self.levels[state.rows]


def group(temperatures, ladders, seed=1):
    """Whole ladders one after the other, as the driver makes them for a tempered sampler."""
    levels = len(temperatures)
    every = np.array([keys(seed, t, c, count=1)[0] for c in range(ladders) for t in range(levels)])
    return Group(np.tile(temperatures, ladders).astype(float), every, np.repeat(np.arange(ladders), levels))


def started(tempering, temperatures, ladders, seed=1, start="random"):
    return tempering.initial(group(temperatures, ladders, seed), start)


def sample_ladders(system, temperatures, ladders, schedule, seed=1, swap_every=1):
    """Spins (temperatures, ladders, draws, sites)."""
    tempering = ParallelTempering(IsingMetropolis(system), swap_every)
    packed = run_chains(tempering, group(temperatures, ladders, seed), schedule, "random").configurations
    return unpack_spins(packed, system.sites).reshape(ladders, len(temperatures), schedule.draws, -1).swapaxes(0, 1)


def state_p_value(spins, exact):
    """Chi-squared p-value of nearly independent spins (draws, sites) against enumeration, rare states merged."""
    states = (spins > 0) @ 2 ** np.arange(spins.shape[-1])
    expected = exact.probabilities * len(states)
    order = np.argsort(expected)
    cells = np.empty(expected.size, int)
    cells[order] = np.floor(np.cumsum(expected[order]) / 10)
    binned = np.bincount(cells, expected)
    observed = np.bincount(cells[states], minlength=binned.size)
    return chisquare(observed[binned > 0], binned[binned > 0]).pvalue


def exact_swap(system, cold, hot):
    """Mean of min(1, exp(dbeta dE)) over independent configurations of two temperatures, by enumeration."""
    first, second = enumerate_system(system, cold), enumerate_system(system, hot)
    gain = (1 / cold - 1 / hot) * (first.energies[:, None] - second.energies)
    return float(first.probabilities @ np.exp(np.minimum(gain, 0)) @ second.probabilities)


def test_the_wrapper_is_a_sampler_of_its_own():
    tempering = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(6, 1)))
    assert isinstance(tempering, Sampler)
    assert isinstance(tempering, RecordingSampler)
    assert tempering.tempered
    assert not tempering.exact
    assert tempering.name == "tempered_ising_metropolis"


def test_sherrington_kirkpatrick_glass_equals_enumeration_at_five_temperatures():
    system = SherringtonKirkpatrick.random(14, 4)
    spins = sample_ladders(system, LADDER, 120, Schedule(100, 300, 10))
    exact = [enumerate_system(system, t) for t in LADDER]
    energy = z_scores(system.energy(spins), [e.thermodynamics.energy for e in exact])
    square = z_scores(system.order_parameter(spins) ** 2, [e.mean(system.order_parameter(e.spins) ** 2) for e in exact])
    assert np.abs(np.concatenate([energy, square])).max() < SIGMAS
    # The lowest states, each twin of its mirror image, with their own weights.
    states = (spins[0] > 0) @ 2 ** np.arange(14)
    top = np.argsort(exact[0].probabilities)[-6:]
    weights = [z_scores((states == state)[None].astype(float), exact[0].probabilities[state])[0] for state in top]
    assert exact[0].probabilities[top].sum() > 0.5
    assert np.abs(weights).max() < SIGMAS


@pytest.mark.parametrize(("dimension", "side"), [(2, 4), (3, 2)])
@pytest.mark.parametrize("disorder", ["pm", "gaussian"])
def test_edwards_anderson_glass_equals_enumeration_in_the_cold(dimension, side, disorder):
    system = EdwardsAnderson.random(side, dimension, disorder, 7)
    ladder = np.array([0.4, 0.7, 1.1, 1.7, 2.6])
    spins = sample_ladders(system, ladder, 100, Schedule(80, 300, 8))
    exact = [enumerate_system(system, t) for t in ladder]
    energy = z_scores(system.energy(spins), [e.thermodynamics.energy for e in exact])
    square = z_scores(system.order_parameter(spins) ** 2, [e.mean(system.order_parameter(e.spins) ** 2) for e in exact])
    assert np.abs(np.concatenate([energy, square])).max() < SIGMAS


@pytest.mark.parametrize("ladder", [[0.5, 1.0, 2.0, 4.0], [2.0, 0.5, 4.0, 1.0]], ids=["sorted", "shuffled"])
@pytest.mark.parametrize("swap_every", [1, 3])
def test_every_temperature_keeps_the_law_of_all_states_in_the_order_asked_for(ladder, swap_every):
    system = Ising(SherringtonKirkpatrick.random(6, 2).couplings, np.linspace(-0.4, 0.6, 6))
    spins = sample_ladders(system, np.array(ladder), 1500, Schedule(4, 60, 30), swap_every=swap_every)
    p_values = [
        state_p_value(one.reshape(-1, 6), enumerate_system(system, t)) for one, t in zip(spins, ladder, strict=True)
    ]
    assert min(p_values) > FAMILY / 16


def test_swap_acceptance_of_two_temperatures_is_the_exact_one():
    system = SherringtonKirkpatrick.random(8, 1)
    for sampler, sweeps in ((PerfectSampler(system), 150), (IsingMetropolis(system), 4000)):
        tempering = ParallelTempering(sampler)
        state = started(tempering, [0.5, 1.5], 30)
        tempering.sweep(state, 100)
        tempering.records(state)
        tempering.sweep(state, sweeps)
        cold, hot = tempering.records(state)["swap_acceptance"].reshape(30, 2).T
        error = cold.std(ddof=1) / np.sqrt(30)
        assert error < 0.01
        assert abs(cold.mean() - exact_swap(system, 0.5, 1.5)) < SIGMAS * error
        assert np.isnan(hot).all()


def test_swaps_alone_keep_exact_draws_exact():
    """Between exact draws a round of swaps must leave the joint law of the ladder unchanged."""
    system = Ising(SherringtonKirkpatrick.random(4, 1).couplings, np.array([0.3, -0.2, 0.1, 0.5]))
    ladder = [0.6, 1.0, 2.0]
    spins = []
    tempering = ParallelTempering(PerfectSampler(system))
    state = started(tempering, ladder, 50)
    for _ in range(100):
        tempering.sweep(state, 1)
        spins.append(unpack_spins(tempering.configurations(state), 4).reshape(50, 3, 4))
    spins = np.array(spins)
    for level, temperature in enumerate(ladder):
        assert state_p_value(spins[:, :, level].reshape(-1, 4), enumerate_system(system, temperature)) > FAMILY / 3


def test_energies_and_configurations_belong_to_the_slots():
    system = SherringtonKirkpatrick.random(60, 1)
    tempering = ParallelTempering(IsingMetropolis(system))
    state = started(tempering, LADDER, 4)
    tempering.sweep(state, 101)
    spins = unpack_spins(tempering.configurations(state), 60)
    np.testing.assert_allclose(tempering.energies(state), system.energy(spins), atol=1e-3)
    assert sorted(state.holder.reshape(4, 5).ravel()) == list(range(20))
    assert (state.holder.reshape(4, 5) // 5 == np.arange(4)[:, None]).all(), "replicas never leave their ladder"
    assert (state.holder != np.arange(20)).any()
    np.testing.assert_array_equal(state.temperatures, np.tile(LADDER, 4))


def test_even_and_odd_pairs_take_turns():
    tempering = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(10, 1)), swap_every=2)
    state = started(tempering, LADDER, 2)
    assert np.isnan(tempering.records(state)["swap_acceptance"]).all()
    for sweeps, tried in ((1, [0, 0, 0, 0]), (1, [1, 0, 1, 0]), (2, [0, 1, 0, 1]), (4, [1, 1, 1, 1])):
        tempering.sweep(state, sweeps)
        acceptance = tempering.records(state)["swap_acceptance"].reshape(2, 5)
        assert np.isfinite(acceptance[:, :4]).tolist() == [list(map(bool, tried))] * 2


def test_neighbours_are_neighbours_in_temperature():
    assert ladder_rungs(np.array([2.0, 0.5, 4.0, 1.0] * 2)).tolist() == [[1, 3, 0, 2], [5, 7, 4, 6]]


def test_round_trips_are_counted():
    tempering = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(8, 1)))
    state = started(tempering, [0.8, 1.0, 1.2], 3)
    path, trips, seen = [], np.zeros(3, int), {}
    for _ in range(300):
        tempering.sweep(state, 1)
        path.append(state.holder.reshape(3, 3).copy())
    for holder in path:
        for ladder in range(3):
            cold, hot = holder[ladder, 0], holder[ladder, 2]
            trips[ladder] += seen.get(cold) == "hot"
            seen[cold] = "cold"
            if seen.get(hot) == "cold":
                seen[hot] = "hot"
    assert trips.min() > 5
    rate = tempering.records(state)["round_trip_rate"].reshape(3, 3)
    np.testing.assert_allclose(rate, np.repeat(trips[:, None], 3, 1) / 300)
    tempering.sweep(state, 1)
    assert tempering.records(state)["round_trip_rate"].max() <= 1
    assert np.isnan(tempering.records(state)["round_trip_rate"]).all(), "no sweep since the last record"


def test_ladders_do_not_depend_on_their_company_or_on_the_stride():
    system = SherringtonKirkpatrick.random(30, 1)
    whole = sample_ladders(system, LADDER, 6, Schedule(5, 10, 3))
    np.testing.assert_array_equal(whole[:, :2], sample_ladders(system, LADDER, 2, Schedule(5, 10, 3)))
    np.testing.assert_array_equal(whole[:, :, 1::2], sample_ladders(system, LADDER, 6, Schedule(2, 10, 6)))
    assert (whole != sample_ladders(system, LADDER, 6, Schedule(5, 10, 3), seed=2)).any()


def test_records_come_with_the_draws_and_leave_out_the_burn_in():
    tempering = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(12, 1)))
    slots, schedule = group(LADDER, 2), Schedule(3, 7, 4)
    draws = run_chains(tempering, slots, schedule, "random")
    state = tempering.initial(slots, "random")
    tempering.sweep(state, 7)
    tempering.records(state)
    for draw in range(3):
        tempering.sweep(state, 4)
        for name, values in tempering.records(state).items():
            np.testing.assert_array_equal(draws.records[name][:, draw], values)
    assert draws.records.keys() == set(tempering.record_names)


def test_tempered_hopfield_equals_enumeration():
    system = Hopfield.random(10, 3, seed=2)
    ladder = np.array([0.2, 0.35, 0.6, 1.0])
    tempering = ParallelTempering(HopfieldGibbs(system, 0))
    packed = run_chains(tempering, group(ladder, 100), Schedule(60, 100, 5), "random").configurations
    spins = unpack_spins(packed, 10).reshape(100, 4, 60, 10).swapaxes(0, 1)
    exact = [enumerate_system(system, t) for t in ladder]
    energy = z_scores(system.energy(spins), [e.thermodynamics.energy for e in exact])
    basins = [
        z_scores((system.basin(spins) == label) * 1.0, [e.mean((system.basin(e.spins) == label) * 1.0) for e in exact])
        for label in (1, -2, 3)
    ]
    assert np.abs(np.concatenate([energy, *basins])).max() < SIGMAS


def test_annealing_moves_the_temperatures_of_the_slots():
    system = SherringtonKirkpatrick.random(10, 3)
    spins = sample_ladders(system, LADDER, 100, Schedule(40, 100, 10, anneal=30))
    exact = [enumerate_system(system, t).thermodynamics.energy for t in LADDER]
    assert np.abs(z_scores(system.energy(spins), exact)).max() < SIGMAS


def test_starts_are_those_of_the_wrapped_sampler():
    system = SherringtonKirkpatrick.random(100, 1)
    tempering = ParallelTempering(IsingMetropolis(system))
    cold, hot = (started(tempering, LADDER, 4, start=start) for start in ("pattern", "random"))
    assert tempering.energies(cold).max() < tempering.energies(hot).min() - 20


@pytest.mark.parametrize("wanted", [0.2, 0.5])
def test_chosen_ladders_swap_as_often_as_promised(wanted):
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(100, 1))
    ladder = choose_ladder(sampler, 0.3, 1.5, wanted, seed=1)
    assert ladder.temperatures[[0, -1]].tolist() == [0.3, 1.5]
    assert (np.diff(ladder.temperatures) > 0).all()
    assert ladder.acceptance.min() >= wanted
    tempering = ParallelTempering(sampler)
    state = started(tempering, ladder.temperatures, 10, seed=9)
    tempering.sweep(state, 500)
    tempering.records(state)
    tempering.sweep(state, 2000)
    fresh = tempering.records(state)["swap_acceptance"].reshape(10, -1)[:, :-1].mean(0)
    assert fresh.min() > 0.85 * wanted
    assert fresh.max() < wanted + 0.25, "no more temperatures than needed"


def test_ladders_grow_with_the_system_and_with_the_acceptance():
    sizes = [
        len(choose_ladder(IsingMetropolis(SherringtonKirkpatrick.random(n, 1)), 0.3, 1.5, a, sweeps=200).temperatures)
        for n, a in ((50, 0.3), (200, 0.3), (200, 0.6))
    ]
    assert sizes[0] < sizes[1] < sizes[2]


class Mute(SystemSampler):
    """A sampler that does not know its energies."""

    name, serves = "mute", System
    begin = sweep = configurations = staticmethod(lambda *arguments: None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: ParallelTempering(Mute(s.system)), "sampler: expected one with a method energies"),
        (lambda s: ParallelTempering(s, 0), "swap_every: expected an integer >= 1, got 0"),
        (lambda s: started(ParallelTempering(s), [1.0], 4), "expected whole ladders, .* got 4 of which 1 distinct"),
        (lambda s: choose_ladder(s, 1.0, 1.0), "hottest: expected a temperature above coldest = 1, got 1"),
        (lambda s: choose_ladder(s, 0.0, 1.0), "coldest: expected a finite number > 0"),
        (lambda s: choose_ladder(s, 0.5, 1.0, 1.5), "acceptance: expected a number between 0 and 1, got 1.5"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(IsingMetropolis(SherringtonKirkpatrick.random(6, 1)))


def test_broken_ladders_are_named():
    tempering = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(6, 1)))
    for temperatures in ([1.0, 2.0, 1.0], [1.0, 1.0, 2.0, 2.0], [1.0, 2.0, 2.0, 1.0]):
        numbers = np.arange(len(temperatures))
        with pytest.raises(ValueError, match="temperatures: expected whole ladders"):
            tempering.initial(Group(np.array(temperatures), keys(1, count=len(numbers)), numbers), "random")


def test_impossible_ladders_are_given_up():
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(6, 1))
    with pytest.raises(RuntimeError, match=r"no ladder with swap acceptance 0\.9999"):
        choose_ladder(sampler, 0.05, 50.0, 0.9999, sweeps=4)


@pytest.mark.slow
def test_a_large_glass_forgets_its_start_through_round_trips():
    system = SherringtonKirkpatrick.random(256, 3)
    sampler = IsingMetropolis(system)
    ladder = choose_ladder(sampler, 0.3, 1.5, 0.3, seed=1)
    tempering = ParallelTempering(sampler)
    means = []
    for start in ("random", "pattern"):
        state = started(tempering, ladder.temperatures, 12, start=start)
        energies = []
        for _ in range(6000):
            tempering.sweep(state, 2)
            energies.append(tempering.energies(state).reshape(12, -1))
        energies = np.array(energies)[:, :, 0].T
        assert state.trips.sum() > 50
        means.append(energies[:, 3000:].mean(1))
    difference = means[0].mean() - means[1].mean()
    error = np.sqrt(sum(m.var(ddof=1) / 12 for m in means))
    assert abs(difference) < SIGMAS * error


@pytest.mark.parametrize("sampler", [MultispinGlass, MultispinMetropolis])
def test_ladders_are_chosen_for_samplers_of_64_chains_at_most(sampler):
    """Trials of eight ladders are more than a word holds."""
    system = {MultispinGlass: EdwardsAnderson.random(14, 2, "pm", 1), MultispinMetropolis: Ising2D(16)}[sampler]
    chosen = choose_ladder(sampler(system), 0.9, 4.0, 0.4, seed=1, sweeps=60)
    assert chosen.acceptance.min() >= 0.4
    assert len(chosen.temperatures) > 8


def test_chosen_ladders_do_not_depend_on_how_chains_are_grouped(monkeypatch):
    sampler = IsingMetropolis(EdwardsAnderson.random(4, 3, "pm", 1))
    whole = choose_ladder(sampler, 0.5, 2.0, 0.3, seed=1, sweeps=100)
    monkeypatch.setattr(IsingMetropolis, "group", 2)
    for found, expected in zip(choose_ladder(sampler, 0.5, 2.0, 0.3, seed=1, sweeps=100), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
