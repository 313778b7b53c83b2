"""Population annealing: ln Z and energies against enumeration and determinants, its bias, its families."""

import numpy as np
import pytest
from scipy.special import logsumexp

from vae_mf.packing import unpack_spins
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.population_annealing import family_sizes, population_annealing, systematic_parents
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

LEVELS = 1 / np.linspace(0.15, 2.0, 12)
SYSTEMS = {
    "sk": SherringtonKirkpatrick.random(10, 1),
    "fields": Ising(SherringtonKirkpatrick.random(9, 2).couplings, np.linspace(-1, 1, 9)),
    "square": EdwardsAnderson.random(4, 2, "gaussian", 1),
}


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_ln_z_energies_and_configurations_equal_enumeration(system):
    runs = [population_annealing(IsingMetropolis(system), LEVELS, 300, 3, seed) for seed in range(20)]
    exact = [enumerate_system(system, t).thermodynamics for t in LEVELS]
    energies = np.array([run.energy for run in runs])
    scores = (energies.mean(0) - [e.energy for e in exact]) / (energies.std(0, ddof=1) / np.sqrt(20))
    assert np.abs(scores).max() < 4.5
    # Z, and not ln Z, has no bias.
    logs = np.array([run.log_partition for run in runs])
    ratios = np.exp(logs - [e.log_partition for e in exact])
    assert np.abs((ratios.mean(0) - 1) / (ratios.std(0, ddof=1) / np.sqrt(20))).max() < 4.5
    assert logs.std(0).max() < 0.2
    spins = unpack_spins(np.concatenate([run.configurations for run in runs]), system.sites)
    assert system.energy(spins).mean() == pytest.approx(energies[:, -1].mean(), abs=1e-4)


def test_a_large_open_square_has_the_ln_z_of_its_determinant():
    glass = EdwardsAnderson.random(8, 2, "pm", 1, boundary="free")
    levels = 1 / np.linspace(0.1, 2.0, 20)
    logs = [population_annealing(IsingMetropolis(glass), levels, 500, 4, seed).log_partition[-1] for seed in range(12)]
    combined = logsumexp(logs) - np.log(12)
    assert abs(combined - glass.thermodynamics(0.5).log_partition) < 4 * np.std(logs) / np.sqrt(12)


def test_families_die_out_and_are_counted():
    run = population_annealing(IsingMetropolis(SYSTEMS["sk"]), LEVELS, 300, 2, 1)
    assert (np.diff(run.families) <= 0).all()
    assert (run.family_size >= run.entropic_family_size - 1e-9).all()
    assert (run.family_size * run.families >= 300 - 1e-9).all()
    np.testing.assert_allclose(family_sizes(np.arange(7)), (7, 1, 1))
    np.testing.assert_allclose(family_sizes(np.zeros(7, int)), (1, 7, 7))


@pytest.mark.parametrize(("levels", "step"), [([0.2], "infinity and T = 0.2"), ([5.0, 2.0, 0.2], "T = 2 and T = 0.2")])
def test_a_step_at_which_families_collapse_is_told(levels, step):
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(12, 1))
    with pytest.warns(UserWarning, match=f"families are left, .* between {step}, or a larger population"):
        population_annealing(sampler, levels, 200, 1, 1)


def test_the_number_of_children_is_the_expected_one_up_or_down():
    log_weights = np.random.default_rng(1).normal(size=50)
    expected = 50 * np.exp(log_weights - logsumexp(log_weights))
    counts = np.array(
        [np.bincount(systematic_parents(log_weights, u), minlength=50) for u in np.linspace(0, 0.999, 400)]
    )
    assert ((counts == np.floor(expected)) | (counts == np.ceil(expected))).all()
    np.testing.assert_allclose(counts.mean(0), expected, atol=0.02)


def test_the_order_of_temperatures_and_the_seed():
    sampler = IsingMetropolis(SYSTEMS["sk"])
    first, other_order, other_seed = (
        population_annealing(sampler, levels, 50, 2, seed)
        for levels, seed in ((LEVELS, 1), (LEVELS[::-1], 1), (LEVELS, 2))
    )
    np.testing.assert_array_equal(first.configurations, other_order.configurations)
    assert (first.log_partition != other_seed.log_partition).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperatures": [1.0, 1.0]}, "temperatures: expected at least one and no duplicates"),
        ({"population": 1}, "population: expected an integer >= 2, got 1"),
        ({"sweeps": 0}, "sweeps: expected an integer >= 1, got 0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        (
            {"sampler": MultispinGlass(EdwardsAnderson.random(4, 2, "pm", 1))},
            "sampler: expected one that copies chains, such as IsingMetropolis, got multispin_glass",
        ),
    ],
)
def test_bad_requests_are_named(changed, message, without_type_checks):
    usual = {"sampler": IsingMetropolis(SYSTEMS["sk"]), "temperatures": LEVELS, "population": 9, "sweeps": 1, "seed": 1}
    with pytest.raises(ValueError, match=message):
        population_annealing(**usual | changed)


def test_a_population_beyond_memory_is_refused():
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(sites=12, seed=1))
    with pytest.raises(ValueError, match="population: expected arrays that fit into memory"):
        population_annealing(sampler, [1.0], population=10**12, sweeps=1, seed=1)
