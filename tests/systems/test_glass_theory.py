"""Theory of glasses in the average over disorder: against sampled disorder, limits, and a second derivation each."""

import numpy as np
import pytest
from scipy.special import logsumexp

from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.glass_theory import (
    PARISI_ENERGY,
    RANDOM_ENERGY_CRITICAL,
    almeida_thouless_field,
    finite_random_energies,
    nishimori_energy,
    nishimori_temperature,
    paramagnet_energy,
    random_energies,
    replica_symmetric,
)
from vae_mf.systems.parisi import parisi
from vae_mf.systems.spin_glass import EdwardsAnderson, SherringtonKirkpatrick


@pytest.mark.parametrize(("dimension", "side", "bonds"), [(2, 3, 18), (3, 2, 24)])
@pytest.mark.parametrize("positive", [0.6, 0.85])
def test_energies_on_the_nishimori_line_and_its_two_laws(dimension, side, bonds, positive):
    """Also E <m^2> = E <q^2>: the magnetisation has the law of the overlap."""
    temperature = nishimori_temperature(positive)
    energies, differences = [], []
    for seed in range(150):
        glass = EdwardsAnderson.random(side, dimension, "pm", seed, positive=positive)
        exact = enumerate_system(glass, temperature)
        energies.append(exact.thermodynamics.energy / bonds)
        correlations = (exact.spins.T * exact.probabilities) @ exact.spins
        differences.append(correlations.mean() - (correlations**2).mean())
    for values, expected in ((energies, nishimori_energy(positive)), (differences, 0.0)):
        assert abs(np.mean(values) - expected) < 4 * np.std(values, ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize("positive", [0.5, 0.3, 1.0, 0.0])
def test_no_nishimori_temperature_without_a_majority(positive):
    with pytest.raises(ValueError, match="positive: expected"):
        nishimori_energy(positive)


@pytest.mark.parametrize(("sites", "temperature"), [(6, 0.3), (8, 0.7), (8, 2.0)])
def test_random_energies_of_finite_size_are_averages_over_disorder(sites, temperature):
    levels = np.random.default_rng(1).normal(size=(8000, 2**sites)) * np.sqrt(sites / 2)
    log_partition = logsumexp(-levels / temperature, axis=1)
    weights = np.exp(-levels / temperature - log_partition[:, None])
    exact = finite_random_energies(sites, temperature)
    sampled = (log_partition / sites, (weights * levels).sum(1) / sites, (weights**2).sum(1))
    for values, expected in zip(sampled, (exact.log_partition, exact.energy, exact.overlap), strict=True):
        assert abs(values.mean() - expected) < 4.5 * values.std() / np.sqrt(len(values))


def test_random_energies_are_the_derivative_of_ln_z_and_approach_their_limit():
    beta, step = 2.0, 1e-3
    sides = [finite_random_energies(24, 1 / b).log_partition for b in (beta - step, beta + step)]
    assert finite_random_energies(24, 0.5).energy == pytest.approx(-(sides[1] - sides[0]) / (2 * step), abs=1e-6)
    for temperature in (0.4, 1.0):
        limit = random_energies(temperature)
        near, far = (finite_random_energies(n, temperature) for n in (60, 20))
        assert abs(near.energy - limit.energy) < abs(far.energy - limit.energy) < 0.1
        assert abs(near.overlap - limit.overlap) < abs(far.overlap - limit.overlap) + 1e-9
    above, below = (random_energies(RANDOM_ENERGY_CRITICAL + d) for d in (1e-7, -1e-7))
    np.testing.assert_allclose(above, below, atol=1e-6)


def test_the_replica_symmetric_solution_betrays_itself():
    cold = replica_symmetric(0.005)
    assert cold.energy == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-4)
    assert cold.entropy == pytest.approx(-1 / (2 * np.pi), abs=3e-3)
    assert cold.free_energy == pytest.approx(cold.energy - 0.005 * cold.entropy)
    hot = replica_symmetric(1.6)
    assert (hot.overlap, hot.energy) == (0.0, pytest.approx(-1 / 3.2))
    assert hot.entropy == pytest.approx(np.log(2) - 1 / (4 * 1.6**2))
    assert [np.sign(replica_symmetric(t).stability) for t in (0.9, 1.1)] == [-1, 1]


@pytest.mark.parametrize("field", [0.0, 0.4])
def test_the_replica_symmetric_energy_is_the_derivative_of_its_free_energy(field):
    beta, step = 1.3, 1e-4
    ends = [(beta + k * step) * replica_symmetric(1 / (beta + k * step), field).free_energy for k in (-1, 1)]
    assert replica_symmetric(1 / beta, field).energy == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-6)


def test_the_line_of_de_almeida_and_thouless_starts_as_it_must():
    """h^2 = (4/3) (1 - T)^3 near T_c, and T = (4/3) phi(h) with the normal density phi for strong fields."""
    assert almeida_thouless_field(0.99) ** 2 == pytest.approx(4 / 3 * 0.01**3, rel=0.03)
    assert almeida_thouless_field(1.0) == 0.0
    field = almeida_thouless_field(0.05)
    assert 4 / 3 * np.exp(-(field**2) / 2) / np.sqrt(2 * np.pi) == pytest.approx(0.05, rel=0.1)


def test_the_paramagnet_has_its_term_of_order_one_over_n():
    """Against enumeration of small samples: the term of order 1 / N, less the limit, within its own next order."""
    temperature, sites = 2.0, 12
    energies = [
        enumerate_system(SherringtonKirkpatrick.random(sites, seed), temperature).thermodynamics.energy / sites
        for seed in range(120)
    ]
    error = np.std(energies, ddof=1) / np.sqrt(len(energies))
    assert abs(np.mean(energies) - paramagnet_energy(sites, temperature)) < 4 * error + 1 / sites**2
    with pytest.raises(ValueError, match="temperature: expected one above T_c = 1, got 1"):
        paramagnet_energy(64, 1.0)


def test_parisi_solution_lies_between_its_bounds():
    for temperature in (1.5, 0.7, 0.3):
        full, symmetric = parisi(temperature, steps=16), replica_symmetric(temperature)
        # Broken symmetry raises the free energy, and the entropy is not negative.
        assert full.free_energy >= symmetric.free_energy - 1e-5
        assert full.entropy > 0
    assert parisi(1.5, steps=16).energy == pytest.approx(-1 / 3, abs=1e-3)
    cold = parisi(0.1)
    assert cold.free_energy == pytest.approx(PARISI_ENERGY, abs=1.5e-3)
    assert cold.free_energy < PARISI_ENERGY


def test_parisi_free_energy_near_the_transition():
    """To third order in 1 - T: f_full - f_symmetric vanishes there, and q(1) = 1 - T to first order."""
    solution = parisi(0.9)
    reached = np.searchsorted(solution.order, 0.99) / len(solution.order)
    assert reached == pytest.approx(0.1, abs=0.04)
    assert solution.free_energy - replica_symmetric(0.9).free_energy < 2e-5


@pytest.mark.parametrize("call", [lambda: replica_symmetric(1e-3), lambda: almeida_thouless_field(3e-4)])
def test_temperatures_that_averages_are_not_sharp_enough_for_are_refused(call):
    with pytest.raises(ValueError, match=r"temperature: expected at least 0\.005"):
        call()


def test_the_line_of_stability_ends_at_the_transition_and_fields_are_finite():
    assert almeida_thouless_field(0.99999) == 0.0
    with pytest.raises(ValueError, match="field: expected a finite number"):
        replica_symmetric(0.5, np.inf)


def test_work_without_an_end_is_refused():
    with pytest.raises(ValueError, match=r"temperature: expected a higher one for 100 spins, got 0\.001"):
        finite_random_energies(100, 0.001)
    with pytest.raises(ValueError, match="steps: expected at most 128"):
        parisi(0.5, 100_000)


@pytest.mark.parametrize("temperature", [1.0, 1.001, 1.3])
def test_the_paramagnet_of_parisi_is_exact(temperature):
    found = parisi(temperature)
    assert found.energy == pytest.approx(-1 / (2 * temperature), abs=1e-12)
    assert found.entropy == pytest.approx(np.log(2) - 1 / (4 * temperature**2), abs=1e-12)
    assert found.free_energy == pytest.approx(found.energy - temperature * found.entropy, abs=1e-12)
