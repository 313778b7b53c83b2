"""Metropolis with any couplings: against enumeration, dense against sparse, compiled against interpreted."""

from pathlib import Path

import numpy as np
import pytest
from helpers.chains import sample, z_scores
from scipy import sparse
from scipy.stats import chisquare

from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers import spin_glass
from vae_mf.samplers.base import Group, Sampler, Schedule, sample_block
from vae_mf.samplers.spin_glass import REBUILD, IsingMetropolis, flip_dense, flip_sparse
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

SIGMAS = 4.5
RANDOM = np.random.default_rng(0)
SYSTEMS = {
    "sk": SherringtonKirkpatrick.random(12, 1),
    "sk_ferromagnetic": SherringtonKirkpatrick.random(11, 2, mean=2.0),
    "fields": Ising(SherringtonKirkpatrick.random(12, 3).couplings, RANDOM.normal(size=12)),
    "sparse_fields": Ising(EdwardsAnderson.random(3, 2, "gaussian", 4).couplings, RANDOM.normal(size=9)),
    "ea_2d_pm": EdwardsAnderson.random(3, 2, "pm", 1),
    "ea_2d_gaussian": EdwardsAnderson.random(4, 2, "gaussian", 2),
    "ea_3d_pm": EdwardsAnderson.random(2, 3, "pm", 3),
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def new_state(sampler, temperatures, seed=1, start="random"):
    numbers = np.arange(len(temperatures))
    return sampler.initial(Group(np.array(temperatures, float), keys(seed, "test", count=len(numbers)), numbers), start)


def torus_of_eighteen():
    """A 2 x 3 x 3 torus, the smallest lattice of three dimensions whose neighbours are not all doubled."""
    lattice = np.arange(18).reshape(2, 3, 3)
    couplings, random = np.zeros((18, 18)), np.random.default_rng(5)
    for axis in range(3):
        for i, j in zip(lattice.ravel(), np.roll(lattice, -1, axis).ravel(), strict=True):
            couplings[i, j] = couplings[j, i] = couplings[i, j] + random.choice([-1.0, 1.0])
    return Ising(sparse.csr_array(couplings))


def test_samplers_keep_the_protocol():
    assert isinstance(IsingMetropolis(SYSTEMS["sk"]), Sampler)


@every_system
def test_energy_and_moments_equal_enumeration(system):
    temperatures = (0.9, 1.3, 2.0, 5.0)
    spins = sample(IsingMetropolis(system), temperatures, 150, Schedule(60, 60, 3, anneal=60))
    exact = [enumerate_system(system, t) for t in temperatures]
    observables = (
        system.energy,
        lambda s: system.order_parameter(s) ** 2,
        lambda s: s.astype(float),
        lambda s: (s[..., 1:] * s[..., :-1]).astype(float),
    )
    scores = [[]]
    for observable in observables:
        means = np.array([e.mean(observable(e.spins)) for e in exact])
        spread = np.array([e.mean(observable(e.spins) ** 2) for e in exact]) - means**2
        # Two spins that hardly ever differ give no normal average.
        scores.append(z_scores(observable(spins), means)[spread > 0.02 * (np.ndim(spread) > 1)])
    scores = np.concatenate(scores)
    assert np.abs(scores).max() < SIGMAS
    assert scores.std() < 1.4


def test_every_state_has_its_boltzmann_probability():
    system = Ising(SherringtonKirkpatrick.random(8, 3).couplings, np.linspace(-0.5, 0.5, 8))
    spins = sample(IsingMetropolis(system), [1.0, 2.5], 3000, Schedule(4, 60, 30))
    states = (spins.reshape(2, -1, 8) > 0) @ 2 ** np.arange(8)
    for level, temperature in enumerate((1.0, 2.5)):
        expected = enumerate_system(system, temperature).probabilities * states.shape[1]
        order = np.argsort(expected)
        cells = np.empty(256, int)
        cells[order] = np.floor(np.cumsum(expected[order]) / 10)
        binned = np.bincount(cells, expected)
        observed = np.bincount(cells[states[level]], minlength=binned.size)
        assert chisquare(observed[binned > 0], binned[binned > 0]).pvalue > 1e-3 / 2


def test_lattice_of_three_dimensions_equals_enumeration():
    system, temperatures = torus_of_eighteen(), (1.2, 2.0, 3.0)
    spins = sample(IsingMetropolis(system), temperatures, 150, Schedule(40, 60, 3, anneal=60))
    exact = [enumerate_system(system, t).thermodynamics.energy for t in temperatures]
    assert np.abs(z_scores(system.energy(spins), exact)).max() < SIGMAS


def test_energy_of_a_large_ferromagnet_is_that_of_curie_weiss():
    sites, temperatures = 200, (0.8, 1.0, 1.5)
    system = Ising((np.ones((sites, sites)) - np.eye(sites)) / sites)
    spins = sample(IsingMetropolis(system), temperatures, 60, Schedule(100, 200, 4))
    exact = [CurieWeiss(sites).thermodynamics(t).energy + 0.5 for t in temperatures]
    assert np.abs(z_scores(system.energy(spins), exact)).max() < SIGMAS
    assert np.abs(z_scores(system.order_parameter(spins), 0.0)).max() < SIGMAS


@pytest.mark.parametrize("sites", [2, 5, 17])
def test_spins_that_nothing_acts_on_are_free_and_independent(sites):
    """Visited in order and always accepted, they would all flip in every sweep if none were passed over."""
    spins = sample(IsingMetropolis(Ising(np.zeros((sites, sites)))), [1.0], 400, Schedule(100, 40, 20))[0].astype(float)
    pairs = spins[..., 1:] * spins[..., :1]
    for values in (spins, pairs):
        means = values.mean(1)
        assert np.abs(means.mean(0) / (means.std(0, ddof=1) / 20)).max() < SIGMAS
        assert means.std(0).max() < 0.2, "every chain averages over them by itself"


def test_energies_are_those_of_the_configurations_at_all_times():
    for system in (*SYSTEMS.values(), SherringtonKirkpatrick.random(100, 1), EdwardsAnderson.random(6, 3, "pm", 1)):
        sampler = IsingMetropolis(system)
        for start in ("random", "pattern"):
            state = new_state(sampler, [0.3, 1.0, 3.0], start=start)
            for sweeps in (0, 1, REBUILD - 2, 2 * REBUILD, 150):
                sampler.sweep(state, sweeps)
                spins = unpack_spins(sampler.configurations(state), sampler.sites)
                np.testing.assert_allclose(sampler.energies(state), system.energy(spins), atol=1e-3, rtol=1e-5)


def test_local_fields_stay_right_between_rebuilds():
    system = SherringtonKirkpatrick.random(300, 1)
    sampler = IsingMetropolis(system)
    state = new_state(sampler, [0.5, 1.0, 2.0])
    sampler.sweep(state, REBUILD - 1)
    exact = state.spins[:, :300].astype(float) @ system.couplings
    drift = np.abs(state.local_fields[:, :300] - exact).max()
    assert 0 < drift < 2e-4
    sampler.sweep(state, 1)
    exact = state.spins[:, :300].astype(float) @ system.couplings
    assert np.abs(state.local_fields[:, :300] - exact).max() < 5e-6


@pytest.mark.parametrize("name", ["sk", "fields", "ea_2d_pm"])
def test_dense_and_sparse_kernels_walk_the_same_chain(name):
    system = SYSTEMS[name]
    dense = system.couplings if isinstance(system.couplings, np.ndarray) else system.couplings.toarray()
    both = [
        sample(IsingMetropolis(Ising(form(dense), system.fields)), [0.7, 1.5], 5, Schedule(30, 10, 1))
        for form in (np.asarray, sparse.csr_array)
    ]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("name", ["sk", "sparse_fields"])
def test_compiled_kernels_equal_interpreted_ones(name, monkeypatch):
    system = SYSTEMS[name]
    sampler = IsingMetropolis(system)
    compiled, interpreted = new_state(sampler, [0.6, 1.4]), new_state(sampler, [0.6, 1.4])
    sampler.sweep(compiled, 6)
    for kernel in ("flip_dense", "flip_sparse", "reverse", "add_row"):
        monkeypatch.setattr(spin_glass, kernel, getattr(spin_glass, kernel).py_func)
    sampler._advance = sampler._advance.py_func
    sampler.sweep(interpreted, 6)
    np.testing.assert_array_equal(compiled.spins, interpreted.spins)
    np.testing.assert_array_equal(compiled.counters, interpreted.counters)
    np.testing.assert_allclose(compiled.local_fields, interpreted.local_fields, atol=1e-5)


def test_no_noise_means_descent():
    couplings = SherringtonKirkpatrick.random(32, 1).couplings.astype(np.float32)
    spins = np.ones(32, np.float32)
    fields, noise = couplings @ spins, np.zeros(32, np.float32)
    energies = [-spins @ fields]
    while flip_dense(couplings, spins, fields, noise, np.float32(1)):
        energies.append(-spins @ fields)
    assert (np.diff(energies) < 0).all()
    assert (spins * fields >= 0).all()
    rows = sparse.csr_array(couplings)
    bonds = rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data
    assert flip_sparse(*bonds, spins, fields, noise, np.float32(1)) == 0


def test_threads_blocks_and_steps_change_nothing():
    system, schedule = SherringtonKirkpatrick.random(40, 1), Schedule(4, 5, 3, anneal=3)
    one, two, three = (sample(IsingMetropolis(system), [0.5, 1.0], 100, schedule, threads=n) for n in (1, 2, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    packed = [
        sample_block(IsingMetropolis(system), np.array([0.5, 1.0]), chains, schedule, 1).configurations
        for chains in (range(30), range(30, 100))
    ]
    np.testing.assert_array_equal(one, unpack_spins(np.concatenate(packed, 1), 40))
    every = sample(IsingMetropolis(system), [1.0], 3, Schedule(260, 0, 1))
    np.testing.assert_array_equal(every[:, :, 129::130], sample(IsingMetropolis(system), [1.0], 3, Schedule(2, 0, 130)))


def test_temperatures_may_change_between_sweeps():
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(200, 1))
    state = new_state(sampler, np.full(20, 3.0))
    sampler.sweep(state, 50)
    hot = sampler.energies(state).mean()
    state.temperatures[:] = 0.3
    sampler.sweep(state, 200)
    assert sampler.energies(state).mean() < hot - 50


def test_cold_start_lies_below_equilibrium_and_hot_start_above():
    system = SherringtonKirkpatrick.random(200, 1)
    sampler = IsingMetropolis(system)
    cold, hot = (new_state(sampler, np.full(30, 0.7), start=start) for start in ("pattern", "random"))
    assert cold.temperatures.tolist() == [0.7] * 30
    before = sampler.energies(cold).mean(), sampler.energies(hot).mean()
    for state in (cold, hot):
        sampler.sweep(state, 1000)
    after = sampler.energies(cold).mean(), sampler.energies(hot).mean()
    assert before[0] < after[0] - 10
    assert before[1] > after[1] + 10
    assert after[0] == pytest.approx(after[1], abs=3)


def test_unknown_starts_are_named():
    with pytest.raises(ValueError, match="start: expected one of random, pattern, got 'up'"):
        new_state(IsingMetropolis(SYSTEMS["sk"]), [1.0], start="up")


@pytest.mark.parametrize("name", ["sherrington_kirkpatrick", "edwards_anderson", "ising"])
def test_configurations_compose_and_sample(name, tmp_path):
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    np.save(tmp_path / "J.npy", SYSTEMS["sk"].couplings)
    files = [f"system.couplings.file={tmp_path / 'J.npy'}"] if name == "ising" else []
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        config = compose("sample", [f"system={name}", *files])
    system = instantiate(config.system)
    sampler = instantiate(config.sampler)(system)
    assert system.name == name
    sampler.sweep(new_state(sampler, [1.0, 2.0]), 2)
