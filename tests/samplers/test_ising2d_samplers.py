"""Wolff and multispin Metropolis against enumeration, Kaufman, Yang and Onsager; compiled against interpreted."""

import numpy as np
import pytest
from helpers.chains import sample, started, z_scores
from helpers.parity import assert_parity
from scipy.stats import chisquare, norm

from vae_mf.packing import all_configurations, unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers import multispin, wolff
from vae_mf.samplers.base import Group, Sampler, Schedule, sample_block
from vae_mf.samplers.ising2d import Ising2DAuto
from vae_mf.samplers.kernels.random_bits import ALL, U64, fill_random_spins, fill_random_words, random_word
from vae_mf.samplers.multispin import MultispinMetropolis, acceptance_digits
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.ising2d import Ising2D, critical_temperature, spontaneous_magnetisation

CRITICAL = critical_temperature()
TEMPERATURES = np.array([1.8, CRITICAL, 3.0])
FAMILY = 1e-3
"""Probability that a whole family of scores fails although all is right."""
CALLEES = [(multispin, "random_index"), (wolff, "random_index")]
every_sampler = pytest.mark.parametrize("kind", [Wolff, MultispinMetropolis, Ising2DAuto])


def assert_family(scores):
    """No |z| is as large as would happen once in 1000 families of this size."""
    scores = np.ravel(scores)
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() < norm.isf(FAMILY / 2 / scores.size), scores


@every_sampler
@pytest.mark.parametrize("side", [2, 4])
def test_averages_equal_enumeration(kind, side):
    system = Ising2D(side, coupling=1.2)
    temperatures = 1.2 * TEMPERATURES
    spins = sample(kind(system), temperatures, 256, Schedule(100, 50, 3))
    states = all_configurations(side**2)
    weights = [enumerate_system(system, t).probabilities for t in temperatures]
    scores = []
    for values in (system.energy, lambda s: system.order_parameter(s) ** 2, system.order_parameter):
        scores.append(z_scores(values(spins), weights @ values(states)))
    assert_family(scores)


@pytest.mark.parametrize("start", ["random", "pattern"])
@pytest.mark.parametrize(("kind", "side"), [(Wolff, 3), (Wolff, 2), (MultispinMetropolis, 2)])
def test_every_state_has_its_boltzmann_probability(kind, side, start):
    system = Ising2D(side)
    spins = sample(kind(system), TEMPERATURES, 2000, Schedule(3, 30, 15), start=start)
    states = (spins.reshape(3, -1, side**2) > 0) @ 2 ** np.arange(side**2)
    p_values = []
    for observed, temperature in zip(states, TEMPERATURES, strict=True):
        exact = enumerate_system(system, temperature).probabilities
        order = np.argsort(exact)
        cells = np.empty(exact.size, int)
        cells[order] = np.floor(np.cumsum(exact[order]) * observed.size / 10)
        expected, counts = (
            np.bincount(cells, exact) * observed.size,
            np.bincount(cells[observed], minlength=cells.max() + 1),
        )
        assert (expected > 0).sum() > 10
        p_values.append(chisquare(counts[expected > 0], expected[expected > 0]).pvalue)
    assert min(p_values) > FAMILY / 6


def test_odd_sides_are_sampled_by_wolff_and_need_no_power_of_two():
    scores = []
    for side in (3, 5, 6, 12):
        system, temperatures = Ising2D(side), [1.9, CRITICAL, 2.8]
        spins = sample(Ising2DAuto(system) if side % 2 else Wolff(system), temperatures, 128, Schedule(40, 30, 3))
        scores.append(z_scores(system.energy(spins), [system.thermodynamics(t).energy for t in temperatures]))
    assert_family(scores)


@every_sampler
def test_energy_equals_kaufman_on_both_sides_of_the_transition(kind):
    system, temperatures = Ising2D(16, coupling=0.5), 0.5 * np.array([1.5, 2.0, 2.6, 4.0])
    spins = sample(kind(system), temperatures, 128, Schedule(40, 200, 8), start="pattern")
    assert_family(z_scores(system.energy(spins), [system.thermodynamics(t).energy for t in temperatures]))


def test_replicas_of_a_word_have_their_own_temperature_and_are_independent():
    system, temperatures = Ising2D(4), np.linspace(1.5, 4, 64)
    sampler = MultispinMetropolis(system)
    energies = np.empty((100, 60, 64))
    for run in range(100):
        state = started(sampler, temperatures, seed=run)
        sampler.sweep(state, 60)
        for draw in range(60):
            sampler.sweep(state, 2)
            energies[run, draw] = sampler.energies(state)
    exact = np.array([system.thermodynamics(t).energy for t in temperatures])
    scores = z_scores(energies.transpose(2, 0, 1), exact)
    assert_family(scores)
    assert scores.std() == pytest.approx(1, abs=0.3)
    pairs = np.corrcoef(energies[:, ::20].reshape(-1, 64).T)[np.triu_indices(64, 1)]
    assert np.abs(pairs).max() < norm.isf(FAMILY / 2 / pairs.size) / np.sqrt(300 - 3)


def test_costless_flips_do_not_trap_the_chessboard():
    # Every flip of f(x) f(y), f = ++--, costs nothing: were all done, the chain would never leave such states.
    stripes = np.array([1, 1, -1, -1])
    lattice = np.outer(stripes, stripes)
    sampler = MultispinMetropolis(Ising2D(4))
    state = started(sampler, np.full(64, 2.0))
    y, half = np.indices((4, 2))
    for colour in (0, 1):
        state.words[colour] = np.where(lattice[y, 2 * half + (y + colour) % 2] > 0, ALL, U64(0))
    assert (sampler.energies(state) == 0).all()
    sampler.sweep(state, 50)
    assert (sampler.energies(state) < 0).mean() > 0.9


def test_acceptance_keeps_its_relative_accuracy_in_the_cold():
    reduced = np.array([0.1, 1.0, 2.5, 3.5])
    digits = acceptance_digits(reduced)
    for power, row in zip((4, 8), digits, strict=True):
        bits = (row[:, None] >> np.arange(64, dtype=np.uint64)) & U64(1)
        got = 0.5 ** np.arange(1, 49) @ bits.astype(float)
        expected = np.exp(-power * reduced)
        np.testing.assert_allclose(got[:4], expected, atol=2.0**-49)
        np.testing.assert_allclose(got[4:], expected[0], atol=2.0**-49)


@pytest.mark.parametrize("temperature", [0.5, 1.8, 2.2, CRITICAL, 2.35, 3.0, 6.0])
def test_a_wolff_sweep_flips_about_every_spin_once(temperature):
    system = Ising2D(32, coupling=2.0)
    sampler = Wolff(system)
    state = started(sampler, np.full(8, 2 * temperature), "pattern")
    sampler.sweep(state, 100)
    before = state.flipped
    sampler.sweep(state, 100)
    assert 0.6 < (state.flipped - before) / (800 * system.sites) < 1.6


def test_the_number_of_clusters_depends_on_temperature_and_size_alone():
    assert wolff.clusters_per_sweep(Ising2D(64), 1.0) == 1
    assert wolff.clusters_per_sweep(Ising2D(128), CRITICAL) == 3
    assert wolff.clusters_per_sweep(Ising2D(10), 1e9) == 104
    assert wolff.clusters_per_sweep(Ising2D(64, coupling=3.0), 9.0) == wolff.clusters_per_sweep(Ising2D(64), 3.0)


@every_sampler
def test_signs_are_fair_in_the_cold(kind):
    spins = sample(kind(Ising2D(8)), [0.8], 100, Schedule(50, 20, 2), start="pattern")
    signs = np.sign(spins.mean(-1))[0]
    assert_family(z_scores(signs[None], 0.0))
    changes = (signs[:, 1:] != signs[:, :-1]).mean()
    assert abs(changes - 0.5) < 4.5 * 0.5 / np.sqrt(100 * 49)


@every_sampler
@pytest.mark.parametrize("side", [2, 4, 6, 10])
def test_configurations_and_energies_belong_together(kind, side):
    system = Ising2D(side, coupling=0.7)
    sampler = kind(system)
    assert isinstance(sampler, Sampler)
    assert (sampler.sites, sampler.exact) == (side**2, False)
    state = started(sampler, np.linspace(0.5, 4, 50))
    sampler.sweep(state, 3)
    packed = sampler.configurations(state)
    spins = unpack_spins(packed, side**2)
    assert len(np.unique(packed, axis=0)) > 2
    np.testing.assert_allclose(sampler.energies(state), system.energy(spins))
    np.testing.assert_array_equal(np.packbits(spins > 0, axis=-1, bitorder="little"), packed)  # padding bits are zero


@every_sampler
def test_starts(kind):
    sampler = kind(Ising2D(10))
    cold = unpack_spins(sampler.configurations(started(sampler, np.linspace(1, 4, 30), "pattern")), 100)
    assert (cold == 1).all()
    hot = unpack_spins(sampler.configurations(started(sampler, np.linspace(1, 4, 64))), 100).astype(float)
    assert np.abs(hot.mean(0)).max() < 4.5 / 8
    assert np.abs(hot.mean(1)).max() < 0.45
    with pytest.raises(ValueError, match="start: expected one of random, pattern, got 'warm'"):
        started(sampler, [1.0], "warm")


@every_sampler
def test_temperatures_are_honoured_as_they_are_at_the_call(kind):
    system = Ising2D(16)
    sampler = kind(system)
    state = started(sampler, np.full(64, 1.5))
    sampler.sweep(state, 200)
    state.temperatures[:32] = 8.0
    sampler.sweep(state, 50)
    energies = sampler.energies(state) / 256
    assert energies[:32].mean() == pytest.approx(system.thermodynamics(8.0).energy / 256, abs=0.05)
    assert energies[32:].mean() < -1.5


@every_sampler
def test_sweeps_add_up_and_none_changes_nothing(kind):
    sampler = kind(Ising2D(8))
    whole, parts = (started(sampler, np.linspace(1, 4, 20)) for _ in range(2))
    sampler.sweep(whole, 5)
    for count in (2, 0, 3):
        sampler.sweep(parts, count)
    np.testing.assert_array_equal(sampler.configurations(whole), sampler.configurations(parts))


@every_sampler
def test_bytes_do_not_depend_on_the_number_of_threads(kind):
    sampler, schedule = kind(Ising2D(8)), Schedule(3, 4, 2, anneal=3)
    one, two, three = (
        sample_block(sampler, TEMPERATURES, range(70), schedule, 1, threads=count).configurations.tobytes()
        for count in (1, 2, 3)
    )
    assert one == two == three
    assert one != sample_block(sampler, TEMPERATURES, range(70), schedule, 2).configurations.tobytes()


def test_wolff_chains_depend_on_their_own_key_alone():
    sampler = Wolff(Ising2D(9))
    together = started(sampler, np.linspace(1, 4, 10))
    alone = sampler.initial(Group(together.temperatures[3:4], together.keys[3:4], np.arange(3, 4)), "random")
    for state in (together, alone):
        sampler.sweep(state, 4)
    np.testing.assert_array_equal(together.spins[3], alone.spins[0])


def test_multispin_groups_depend_on_all_their_keys():
    sampler = MultispinMetropolis(Ising2D(4))
    chains = np.arange(3)
    base = sampler.initial(Group(np.ones(3), np.array([1, 2, 3], np.uint64), chains), "random").key
    for other in ([1, 2, 4], [0, 2, 3], [2, 1, 3]):
        assert sampler.initial(Group(np.ones(3), np.array(other, np.uint64), chains), "random").key != base
    assert sampler.initial(Group(np.zeros(3) + 2, np.array([1, 2, 3], np.uint64), chains), "random").key == base


def test_the_algorithm_is_chosen_by_temperature_and_side():
    even, odd = Ising2DAuto(Ising2D(8, coupling=2.0)), Ising2DAuto(Ising2D(9))
    names = [even.algorithm(2 * t) for t in (1.0, 2.09, 2.1, CRITICAL, 2.5, 2.51, 9.0)]
    assert names == ["multispin_metropolis"] * 2 + ["wolff"] * 3 + ["multispin_metropolis"] * 2
    assert {odd.algorithm(t) for t in (1.0, 2.3, 9.0)} == {"wolff"}
    assert Ising2DAuto(Ising2D(8), 0.5, 1.5).algorithm(1.0) == "wolff"
    state = started(even, [2.0, 4.6, 8.0, 4.4])
    assert [(part.sampler.name, part.rows.tolist()) for part in state.parts] == [
        ("wolff", [1, 3]),
        ("multispin_metropolis", [0, 2]),
    ]


def test_bad_values_are_named():
    with pytest.raises(ValueError, match="side: expected an even number for the multispin sampler, got 5"):
        MultispinMetropolis(Ising2D(5))
    with pytest.raises(ValueError, match="chains: expected at most 64 in a group, got 65"):
        started(MultispinMetropolis(Ising2D(4)), np.ones(65))
    with pytest.raises(ValueError, match=r"wolff_to: expected more than wolff_from = 2\.0, got 2\.0"):
        Ising2DAuto(Ising2D(4), 2.0, 2.0)
    with pytest.raises(ValueError, match=r"wolff_from: expected a finite number > 0, got 0\.0"):
        Ising2DAuto(Ising2D(4), 0.0)


def test_clusters_compiled_equal_interpreted():
    def arguments():
        spins, counters = np.ones((3, 25), np.uint8), np.zeros(3, np.uint64)
        fill_random_spins(spins, np.uint8(0), np.uint8(1), keys(1, count=3), counters)
        thresholds = np.array([2**46, 2**45, 2**47 - 1], np.uint64)
        return spins, wolff.neighbour_table(5), thresholds, np.array([3, 4, 2]), 2, keys(1, count=3), counters

    assert_parity(wolff.flip_clusters, arguments, *CALLEES)


def multispin_arguments(side=6):
    key, counter = keys(2, count=1), np.zeros(1, np.uint64)
    words = np.zeros((2, side, side // 2), np.uint64)
    fill_random_words(words.reshape(1, -1), 64 * words.size, key, counter)
    return words, acceptance_digits(1 / np.linspace(1, 3, 40)), 2, key, counter


def test_multispin_kernels_compiled_equal_interpreted():
    assert_parity(multispin.metropolis_sweeps, multispin_arguments, *CALLEES)
    assert_parity(multispin.unsatisfied_bonds, lambda: multispin_arguments()[:1])
    words = multispin_arguments()[0]
    np.testing.assert_array_equal(multispin.gather_replicas(words), multispin.gather_replicas.py_func(words))


def test_early_exit_changes_no_draw():
    count, thresholds = 30, acceptance_digits(1 / np.linspace(0.5, 3, 64))
    single, words = np.zeros((2, count), np.uint64)
    fill_random_words(single[None], 64 * count, keys(4, count=1), np.zeros(1, np.uint64))
    multispin.accept(words, single, np.empty(count, np.uint64), thresholds, keys(5, count=1)[0], np.zeros(1, np.uint64))
    uniforms = np.zeros((count, 64))
    for digit in range(48):
        for i in range(count):
            step = digit // 2 * 2 * count + digit % 2 * count + i
            with np.errstate(over="ignore"):
                fair = int(random_word(keys(5, count=1)[0], U64(step)))
            uniforms[i] += np.array([(fair >> r) & 1 for r in range(64)]) * 0.5 ** (digit + 1)
    chosen = (single[:, None] >> np.arange(64, dtype=np.uint64)) & U64(1)
    probability = np.exp(-np.where(chosen, 4, 8) / np.linspace(0.5, 3, 64))
    expected = ((uniforms < probability) << np.arange(64, dtype=np.uint64)).sum(1).astype(np.uint64)
    np.testing.assert_array_equal(words, expected)


@pytest.mark.parametrize("side", [2, 6, 8])
def test_bits_are_transposed(side):
    words = np.random.default_rng(side).integers(0, 2**64, (2, side, side // 2), dtype=np.uint64)
    spins = unpack_spins(multispin.packed_replicas(words), side**2).reshape(64, side, side)
    for y in range(side):
        for x in range(side):
            bits = (int(words[(x + y) % 2, y, x // 2]) >> np.arange(64, dtype=object)) & 1
            np.testing.assert_array_equal(spins[:, y, x], 2 * bits.astype(int) - 1)


@pytest.mark.slow
@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize(
    ("kind", "schedule"),
    # Single flips slow down at T_c: they remember a few hundred sweeps at L = 32.
    [(Wolff, Schedule(2500, 400, 4)), (MultispinMetropolis, Schedule(5000, 4000, 10))],
)
def test_critical_energy_equals_kaufman_to_four_digits(kind, schedule, side):
    system = Ising2D(side)
    energies = system.energy(sample(kind(system), [CRITICAL], 256, schedule, start="pattern")) / side**2
    exact = system.thermodynamics(CRITICAL).energy / side**2
    assert energies.mean() == pytest.approx(exact, abs=5e-4)
    assert energies.mean(-1).std(ddof=1) / 16 < 2.5e-4
    assert_family(z_scores(energies, exact))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Wolff, Ising2DAuto])
def test_cold_magnetisation_equals_yang_and_energy_onsager(kind):
    system = Ising2D(128)
    spins = sample(kind(system), [2.0], 64, Schedule(300, 400, 4), start="pattern")
    magnetisation = np.abs(system.order_parameter(spins))
    assert magnetisation.mean() == pytest.approx(spontaneous_magnetisation(2.0), abs=3e-4)
    energy = system.thermodynamics(2.0).energy
    assert_family([z_scores(magnetisation, spontaneous_magnetisation(2.0)), z_scores(system.energy(spins), energy)])
