"""Exact finite-size theory: closed sums against all 2^N states, against each other, and against its own derivatives."""

import numpy as np
import pytest
from scipy.special import gamma, gammaln, logsumexp, xlogy

from vae_mf.packing import all_configurations
from vae_mf.systems import hopfield
from vae_mf.systems.base import System, order_statistics
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.k_sat import KSat
from vae_mf.systems.spin_glass import SherringtonKirkpatrick

SMALL = {
    "curie_weiss_12": CurieWeiss(12),
    "curie_weiss_13_strong": CurieWeiss(13, coupling=0.7),
    "curie_weiss_1": CurieWeiss(1),
    "hopfield_10_1": Hopfield.random(10, 1, seed=3),
    "hopfield_11_2": Hopfield.random(11, 2, seed=4, coupling=1.3),
    "hopfield_12_3": Hopfield.random(12, 3, seed=5),
    "hopfield_13_3": Hopfield.random(13, 3, seed=6),
    "hopfield_3_3": Hopfield.random(3, 3, seed=7),
}
OTHERS = {
    "ising2d_3": Ising2D(3),
    "glass": SherringtonKirkpatrick.random(8, seed=1),
    "formula": KSat.random(sites=9, length=3, seed=1, clauses_per_site=4.0),
}
TEMPERATURES = (0.15, 0.7, 1.0, 3.0)
small = pytest.mark.parametrize("system", SMALL.values(), ids=SMALL)
at_temperature = pytest.mark.parametrize("temperature", TEMPERATURES)


def assert_same_law(law, other, tolerance=1e-10):
    """Two laws agree as functions on the union of their values."""
    keys = [np.round(one.values, 9) + 0.0 for one in (law, other)]
    union = np.union1d(*keys)
    spread = [np.zeros(union.size), np.zeros(union.size)]
    for target, key, one in zip(spread, keys, (law, other), strict=True):
        np.add.at(target, np.searchsorted(union, key), one.probabilities)
    np.testing.assert_allclose(*spread, atol=tolerance)


def class_sum(system, temperature):
    """An own sum over the magnetisations of classes of equivalent sites: overlaps (states, P) and their ln weights."""
    columns, sizes = np.unique(system.patterns * system.patterns[0], axis=1, return_counts=True)
    up = np.stack(np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij"), -1).reshape(-1, len(sizes))
    log_states = (gammaln(sizes + 1) - gammaln(up + 1) - gammaln(sizes - up + 1)).sum(1)
    overlaps = (2 * up - sizes) @ columns.T / system.sites
    return overlaps, log_states + system.coupling * system.sites / (2 * temperature) * (overlaps**2).sum(1)


@small
def test_systems_keep_the_protocol(system):
    assert isinstance(system, System)


@small
@at_temperature
def test_thermodynamics_equals_enumeration(system, temperature):
    exact = enumerate_system(system, temperature).thermodynamics
    np.testing.assert_allclose(system.thermodynamics(temperature), exact, rtol=1e-10, atol=1e-10)


@small
@at_temperature
def test_order_parameter_law_equals_enumeration(system, temperature):
    exact = enumerate_system(system, temperature)
    law = system.order_parameter_law(temperature)
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert_same_law(law, law._replace(values=system.order_parameter(exact.spins), probabilities=exact.probabilities))


@pytest.mark.parametrize("temperature", [1e-30, 1e-13, 1e30])
@pytest.mark.parametrize("system", [*SMALL.values(), *OTHERS.values()], ids=[*SMALL, *OTHERS])
def test_laws_are_those_of_ground_states_or_of_free_spins_at_any_temperature(system, temperature):
    spins = all_configurations(system.sites)
    energies = system.energy(spins)
    counted = np.ones(len(spins)) if temperature > 1 else np.isclose(energies, energies.min(), rtol=1e-9)
    law = system.order_parameter_law(temperature)
    assert_same_law(law, law._replace(values=system.order_parameter(spins), probabilities=counted / counted.sum()))
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-12)
    order = system.order_parameter(spins)[counted > 0]
    statistics = order_statistics(law, system.sites, temperature)
    assert statistics.susceptibility * temperature == pytest.approx(system.sites * np.abs(order).var(), abs=1e-9)
    if not isinstance(system, Ising2D):  # which says itself where Kaufman's sum ends
        exact = system.thermodynamics(temperature)
        assert exact.entropy == pytest.approx(np.log(counted.sum()), abs=1e-9)
        assert exact.heat_capacity == pytest.approx(0, abs=1e-9)


@small
def test_law_of_the_order_parameter_weighs_what_its_moments_say(system):
    exact = enumerate_system(system, 0.9)
    m = system.order_parameter(exact.spins)
    got = order_statistics(system.order_parameter_law(0.9), system.sites, 0.9)
    first, second, fourth = (exact.mean(np.abs(m) ** power) for power in (1, 2, 4))
    expected = (first, system.sites / 0.9 * (second - first**2), 1 - fourth / (3 * second**2))
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_curie_weiss_energy_is_that_of_its_couplings():
    spins = all_configurations(7)
    system = CurieWeiss(7, coupling=0.6)
    np.testing.assert_allclose(system.energy(spins), -0.6 / 14 * spins.sum(1, dtype=float) ** 2)


def test_hopfield_energy_is_that_of_its_couplings_up_to_the_diagonal():
    system = Hopfield.random(9, 4, seed=1, coupling=0.8)
    spins = all_configurations(9).astype(float)
    pairs = -0.5 * np.einsum("bi,ij,bj->b", spins, system.couplings, spins)
    np.testing.assert_allclose(system.energy(all_configurations(9)), pairs - 0.8 * 4 / 2, atol=1e-12)
    np.testing.assert_array_equal(system.couplings, hebbian_couplings(system.patterns, 0.8))


def test_energies_do_not_overflow_int8_spins():
    ones = np.ones((1, 500), np.int8)
    assert CurieWeiss(500).energy(ones)[0] == pytest.approx(-250)
    assert CurieWeiss(500).order_parameter(ones)[0] == 1
    assert Hopfield(ones).energy(ones)[0] == pytest.approx(-250)


@at_temperature
@pytest.mark.parametrize("sites", [40, 41])
def test_one_pattern_is_curie_weiss(sites, temperature):
    single, ferromagnet = Hopfield.random(sites, 1, seed=8, coupling=1.2), CurieWeiss(sites, coupling=1.2)
    got, expected = single.thermodynamics(temperature), ferromagnet.thermodynamics(temperature)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert_same_law(single.order_parameter_law(temperature), ferromagnet.order_parameter_law(temperature))


@at_temperature
@pytest.mark.parametrize(("sites", "count"), [(40, 3), (41, 2), (60, 3)])
def test_quadrature_equals_the_sum_over_classes_of_sites(sites, count, temperature):
    system = Hopfield.random(sites, count, seed=9, coupling=1.1)
    overlaps, log_weights = class_sum(system, temperature)
    weights = np.exp(log_weights - logsumexp(log_weights))
    energies = -0.5 * 1.1 * sites * (overlaps**2).sum(1)
    energy = weights @ energies
    got = system.thermodynamics(temperature)
    assert got.log_partition == pytest.approx(logsumexp(log_weights), rel=1e-11)
    assert got.energy == pytest.approx(energy, rel=1e-10)
    assert got.heat_capacity == pytest.approx(weights @ (energies - energy) ** 2 / temperature**2, rel=1e-7, abs=1e-9)
    leading = np.take_along_axis(overlaps, np.abs(overlaps).argmax(1)[:, None], 1)[:, 0]
    law = system.order_parameter_law(temperature)
    second = law.probabilities @ law.values**2
    assert second == pytest.approx(weights @ leading**2, rel=1e-10)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("system", [CurieWeiss(64), Hopfield.random(100, 3, seed=1), Hopfield.random(65, 2, seed=2)])
def test_energy_and_heat_capacity_are_derivatives(system, temperature):
    beta, step = 1 / temperature, 1e-4
    below, above = (system.thermodynamics(1 / (beta + shift)) for shift in (-step, step))
    here = system.thermodynamics(temperature)
    assert here.energy == pytest.approx(-(above.log_partition - below.log_partition) / (2 * step), rel=1e-6)
    cold, hot = (system.thermodynamics(temperature + shift).energy for shift in (-step, step))
    assert here.heat_capacity == pytest.approx((hot - cold) / (2 * step), rel=1e-5)
    assert here.entropy == pytest.approx(here.energy / temperature + here.log_partition)


@pytest.mark.parametrize("system", [CurieWeiss(30), Hopfield.random(30, 3, seed=2)])
def test_entropy_has_its_limits(system):
    assert system.thermodynamics(1e4).entropy == pytest.approx(30 * np.log(2), abs=1e-5)
    assert system.thermodynamics(0.05).entropy == pytest.approx(np.log(2), abs=1e-3)


def test_binder_cumulant_at_the_transition_tends_to_its_universal_value():
    sizes = np.array([2500, 10_000, 40_000])
    cumulants = [order_statistics(CurieWeiss(n).order_parameter_law(1.0), n, 1.0).binder for n in sizes.tolist()]
    limit = np.linalg.solve(sizes[:, None] ** np.array([0, -0.5, -1.0]), cumulants)[0]
    assert limit == pytest.approx(1 - (gamma(0.25) / gamma(0.75)) ** 2 / 12, abs=1e-5)
    assert limit == pytest.approx(0.270520, abs=1e-5)  # the Gamma formula, evaluated once


@at_temperature
@pytest.mark.parametrize("sites", [2, 8, 12])
def test_half_information_equals_brute_force(sites, temperature):
    system = CurieWeiss(sites, coupling=1.1)
    joint = enumerate_system(system, temperature).probabilities.reshape(2 ** (sites // 2), -1)
    expected = xlogy(joint, joint / np.outer(joint.sum(1), joint.sum(0))).sum()
    assert system.half_information(temperature) == pytest.approx(expected, abs=1e-10)


def test_hopfield_physics_ignores_gauge_and_order_of_patterns():
    system = Hopfield.random(60, 3, seed=11)
    gauge = np.random.default_rng(0).choice([-1, 1], 60).astype(np.int8)
    spins = np.random.default_rng(1).choice([-1, 1], (50, 60)).astype(np.int8)
    gauged, permuted = Hopfield(system.patterns * gauge), Hopfield(system.patterns[[2, 0, 1]])
    np.testing.assert_array_equal(gauged.overlaps(spins * gauge), system.overlaps(spins))
    np.testing.assert_allclose(permuted.energy(spins), system.energy(spins))
    for other in (gauged, permuted):
        np.testing.assert_allclose(other.thermodynamics(0.8), system.thermodynamics(0.8), rtol=1e-9)
    assert_same_law(gauged.order_parameter_law(0.8), system.order_parameter_law(0.8))
    law, other = system.order_parameter_law(0.8), permuted.order_parameter_law(0.8)
    assert_same_law(law._replace(values=abs(law.values)), other._replace(values=abs(other.values)))


def test_basins_are_named_after_the_patterns():
    system = Hopfield.random(50, 3, seed=2)
    np.testing.assert_array_equal(system.basin(system.patterns), [1, 2, 3])
    np.testing.assert_array_equal(system.basin(-system.patterns), [-1, -2, -3])
    np.testing.assert_array_equal(system.order_parameter(-system.patterns), [-1, -1, -1])
    np.testing.assert_array_equal(CurieWeiss(2).basin(np.array([[1, 1], [1, -1], [-1, -1]], np.int8)), [1, 1, -1])


def test_random_patterns_are_reproducible_and_unbiased():
    system = Hopfield.random(1000, 50, seed=1)
    np.testing.assert_array_equal(system.patterns, Hopfield.random(1000, 50, seed=1).patterns)
    assert (system.patterns != Hopfield.random(1000, 50, seed=2).patterns).any()
    assert abs(system.patterns.mean(dtype=float)) < 4.5 / np.sqrt(50_000)
    assert set(np.unique(system.patterns)) == {-1, 1}


def test_configurations_are_all_there_and_numbered_by_their_bits():
    spins = all_configurations(9)
    assert spins.shape == (512, 9)
    np.testing.assert_array_equal((spins > 0) @ 2 ** np.arange(9), np.arange(512))


def test_enumeration_mean_keeps_the_shape_of_what_it_averages():
    exact = enumerate_system(CurieWeiss(6), 1.0)
    np.testing.assert_allclose(exact.mean(exact.spins.astype(float)), np.zeros(6), atol=1e-12)
    assert exact.mean(exact.energies) == pytest.approx(exact.thermodynamics.energy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CurieWeiss(0), "sites: expected an integer >= 1, got 0"),
        (lambda: CurieWeiss(5, coupling=-1.0), "coupling: expected a finite number > 0, got -1.0"),
        (lambda: CurieWeiss(5).thermodynamics(0.0), "temperature: expected a finite number > 0, got 0.0"),
        (lambda: CurieWeiss(5).half_information(1.0), "expected an even number of sites, got 5"),
        (lambda: CurieWeiss(4).half_information(-1.0), "temperature: expected a finite number > 0"),
        (lambda: Hopfield.random(5, 6, seed=0), "patterns: expected at most as many as sites = 5, got 6"),
        (lambda: Hopfield.random(5, 0, seed=0), "patterns: expected an integer >= 1, got 0"),
        (lambda: Hopfield.random(5, 2, seed=-1), "seed: expected an integer >= 0, got -1"),
        (lambda: Hopfield(np.ones((6, 5), np.int8)), r"1 <= P <= N, got \(6, 5\)"),
        (
            lambda: Hopfield(np.zeros((1, 5), np.int8)),
            r"patterns: expected entries -1 and \+1, got values such as \[0\]",
        ),
        (
            lambda: Hopfield.random(5, 1, seed=0, coupling=float("nan")),
            "coupling: expected a finite number > 0, got nan",
        ),
        (lambda: Hopfield.random(5, 2, seed=0).thermodynamics(-1.0), "temperature: expected a finite number > 0"),
        (lambda: Hopfield.random(5, 2, seed=0).order_parameter_law(0.0), "temperature: expected a finite number > 0"),
        (
            lambda: Hopfield.random(9, 4, seed=0).thermodynamics(1.0),
            "thermodynamics: expected at most 3 patterns, got 4",
        ),
        (lambda: Hopfield.random(900, 3, seed=0).order_parameter_law(1.0), "expected a sum of at most 4e"),
        (lambda: enumerate_system(CurieWeiss(21), 1.0), "enumeration: expected 1 to 20 sites, got 21"),
        (lambda: enumerate_system(CurieWeiss(4), 0.0), "temperature: expected a finite number > 0"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_largest_class_sum_is_within_reach_of_the_promised_size():
    assert np.prod(Hopfield.random(300, 3, seed=0)._site_classes[1] + 1.0) <= hopfield.CLASS_STATES
