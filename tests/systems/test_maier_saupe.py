"""The exact theory of the nematic: against direct integration, its own derivatives, and published numbers."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import special_ortho_group

from vae_mf.systems.base import System
from vae_mf.systems.maier_saupe import (
    MaierSaupe,
    axial_order,
    log_bingham_normaliser,
    mean_field_order,
    mean_field_transition,
    nematic_branch,
    tensor_eigenvalues,
)

T_NI = mean_field_transition().temperature


def random_directors(*shape, seed=0):
    directors = np.random.default_rng(seed).normal(size=(*shape, 3)).astype(np.float32)
    return directors / np.linalg.norm(directors, axis=-1, keepdims=True)


def log_normaliser(*eigenvalues):
    return float(log_bingham_normaliser(np.array([eigenvalues], float))[0])


def pair_partition(temperature, power=0):
    """Z of two directors, or the average of E^power times it: E = -(1 + P2(u)) / 2 at J = 1."""
    energy = lambda u: -0.5 * (1 + (3 * u * u - 1) / 2)  # noqa: E731
    return (4 * np.pi) ** 2 * quad(lambda u: energy(u) ** power * np.exp(-energy(u) / temperature), 0, 1)[0]


def test_the_protocol_is_kept():
    assert isinstance(MaierSaupe(4), System)


def test_energy_is_the_sum_over_all_pairs():
    directors = random_directors(3, 2, 7)
    cosine = np.einsum("...ia,...ja->...ij", directors.astype(float), directors.astype(float))
    expected = -0.8 / 14 * (1.5 * cosine**2 - 0.5).sum((-2, -1))
    np.testing.assert_allclose(MaierSaupe(7, 0.8).energy(directors), expected, rtol=1e-6)


def test_order_parameter_of_aligned_planar_and_isotropic_directors():
    system = MaierSaupe(6)
    aligned = np.tile([0.6, 0.0, 0.8], (6, 1)) * np.array([1, -1, 1, 1, -1, -1])[:, None]
    planar = np.stack([np.cos(np.arange(6) * np.pi / 6), np.sin(np.arange(6) * np.pi / 6), np.zeros(6)], -1)
    cubic = np.concatenate([np.eye(3), -np.eye(3)])
    order = system.order_parameter(np.stack([aligned, planar, cubic]))
    np.testing.assert_allclose(order, [1, 0.25, 0], atol=1e-12)
    np.testing.assert_array_equal(system.basin(np.stack([aligned, planar])), [1, 1])


def test_energy_and_order_do_not_see_rotations_or_heads():
    system, directors = MaierSaupe(9), random_directors(2, 9).astype(float)
    turned = directors @ special_ortho_group.rvs(3, random_state=1).T * np.where(np.arange(9) % 2, 1, -1)[:, None]
    np.testing.assert_allclose(system.energy(turned), system.energy(directors))
    np.testing.assert_allclose(system.order_parameter(turned), system.order_parameter(directors))


@pytest.mark.parametrize(
    "eigenvalues", [(0, 0, 0), (1.3, -0.7, 2.1), (5, 5, 0), (-30, 10, 10), (0, -80, -81), (300, 0, -3)]
)
def test_bingham_normaliser_is_the_integral_over_the_sphere(eigenvalues):
    a, b, c = (value - max(eigenvalues) for value in eigenvalues)
    exact, _ = dblquad(
        lambda phi, t: (
            np.sin(t) * np.exp(np.sin(t) ** 2 * (a * np.cos(phi) ** 2 + b * np.sin(phi) ** 2) + c * np.cos(t) ** 2)
        ),
        *(0, np.pi / 2, 0, np.pi / 2),
        epsabs=1e-13,
        epsrel=1e-11,
    )
    expected = np.log(8 * exact) + max(eigenvalues)
    assert log_normaliser(*eigenvalues) == pytest.approx(expected, abs=1e-9)
    assert np.exp(log_normaliser(1.3, -0.7, 2.1)) == pytest.approx(39.350529084532, rel=1e-12)


@pytest.mark.parametrize("concentration", [1e3, 1e4, 1e5])
def test_extreme_concentrations_reach_their_limits(concentration):
    # Two small angles in a plane, or one across a great circle, are Gaussian; corrections are of order 1 / lambda.
    rod, disc = log_normaliser(-concentration, 0, -concentration), log_normaliser(0, 0, -concentration)
    assert rod == pytest.approx(np.log(2 * np.pi / concentration), abs=2 / concentration)
    assert disc == pytest.approx(np.log(2 * np.pi * np.sqrt(np.pi / concentration)), abs=2 / concentration)


def test_tensors_have_the_invariants_that_name_them():
    radius, node = np.meshgrid([0.0, 0.1, 0.8], np.linspace(0, 1, 9), indexing="ij")
    eigenvalues = tensor_eigenvalues(radius, node)
    assert (np.diff(eigenvalues, axis=-1) <= 1e-15).all()
    np.testing.assert_allclose(eigenvalues.sum(-1), 0, atol=1e-15)
    np.testing.assert_allclose((eigenvalues**2).sum(-1), radius**2, atol=1e-15)
    np.testing.assert_allclose(np.sqrt(6) * (eigenvalues**3).sum(-1), (1 - 2 * node**4) * radius**3, atol=1e-15)


@pytest.mark.parametrize("temperature", [0.05, T_NI, 2.0])
def test_one_director_has_no_choice(temperature):
    exact = MaierSaupe(1, 1.5).thermodynamics(temperature)
    assert exact.log_partition == pytest.approx(np.log(4 * np.pi) + 0.75 / temperature, rel=1e-9)
    assert exact.energy == pytest.approx(-0.75, rel=1e-9)
    assert exact.entropy == pytest.approx(np.log(4 * np.pi), rel=1e-6)
    assert exact.heat_capacity == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("temperature", [0.05, T_NI, 2.0])
def test_two_directors_equal_the_integral_over_their_angle(temperature):
    exact = MaierSaupe(2).thermodynamics(temperature)
    partition, first, second = (pair_partition(temperature, power) for power in range(3))
    energy = first / partition
    assert exact.log_partition == pytest.approx(np.log(partition), rel=1e-11)
    assert exact.energy == pytest.approx(energy, rel=1e-10)
    assert exact.heat_capacity == pytest.approx((second / partition - energy**2) / temperature**2, rel=1e-8)


@pytest.mark.parametrize(
    ("sites", "temperature"), [(3, 0.3), (64, 0.15), (256, 0.2255), (1024, 0.222), (1024, 0.05), (4096, T_NI)]
)
def test_energy_and_heat_capacity_are_derivatives_of_the_partition_function(sites, temperature):
    system, step = MaierSaupe(sites, 1.3), 1e-5
    temperature *= 1.3
    exact = system.thermodynamics(temperature)
    cold, hot = (system.thermodynamics(temperature * factor) for factor in (1 - step, 1 + step))
    beta = [1 / one.temperature for one in (cold, hot)]
    assert exact.energy == pytest.approx(-(hot.log_partition - cold.log_partition) / (beta[1] - beta[0]), rel=1e-5)
    assert exact.heat_capacity == pytest.approx((hot.energy - cold.energy) / (2 * step * temperature), rel=1e-4)
    assert exact.entropy == pytest.approx(exact.energy / temperature + exact.log_partition)


def test_hot_directors_are_independent():
    # <Tr Q^2> = 2N/3 for independent uniform directors, hence <E> = -J/2.
    exact = MaierSaupe(40).thermodynamics(1e4)
    assert exact.energy == pytest.approx(-0.5, rel=2e-5)
    assert exact.log_partition == pytest.approx(40 * np.log(4 * np.pi), abs=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.18, 0.25, 0.5])
def test_large_systems_follow_the_mean_field_curve(temperature):
    sites = 20000
    exact = MaierSaupe(sites).thermodynamics(temperature)
    assert exact.energy / sites == pytest.approx(-(mean_field_order(temperature) ** 2) / 2, abs=3e-4)


def test_law_of_the_tensor_is_a_law_with_two_phases_at_the_transition():
    law = MaierSaupe(1024).tensor_law(0.222)
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (np.abs(law.shape) <= 1).all()
    nematic = law.radius > 0.2
    assert 0.3 < law.probabilities[nematic].sum() < 0.8
    assert law.probabilities[(law.radius > 0.13) & (law.radius < 0.2)].sum() < 0.2
    assert law.shape[nematic] @ law.probabilities[nematic] / law.probabilities[nematic].sum() > 0.8


@pytest.mark.parametrize("temperature", [0.05, 0.15, T_NI, 0.3])
def test_the_density_grows_from_disc_to_rod(temperature):
    # The table of the direct sampler relies on it.
    radius, node = np.meshgrid(np.linspace(0, 1.2, 60), np.linspace(0, 1, 65), indexing="ij")
    density = MaierSaupe(100).log_field_density(radius, node, temperature)
    assert (np.diff(density, axis=1) <= 1e-9).all()


def test_transition_of_the_infinite_system():
    transition = mean_field_transition()
    assert transition.temperature == pytest.approx(0.220194, abs=1e-6)
    assert transition.order_parameter == pytest.approx(0.42903, abs=1e-5)
    assert transition.isotropic_spinodal == 0.2
    assert transition.nematic_spinodal == pytest.approx(0.22283, abs=1e-5)
    scaled = mean_field_transition(2.5)
    np.testing.assert_allclose(np.array(scaled) / [2.5, 1, 2.5, 2.5], transition, rtol=1e-12)


def test_phases_are_in_balance_at_the_transition_and_only_there():
    def advantage(temperature):
        """Free energy of the nematic branch over that of the isotropic phase, by quadrature."""
        order = nematic_branch(temperature)
        weight = quad(lambda u: np.exp(order / temperature * (1.5 * u * u - 0.5)), 0, 1, epsabs=1e-13)[0]
        return order**2 / 2 - temperature * np.log(weight)

    assert advantage(T_NI) == pytest.approx(0, abs=1e-10)
    assert advantage(T_NI - 1e-3) < 0 < advantage(T_NI + 1e-3)


@pytest.mark.parametrize("temperature", [0.02, 0.15, 0.2, T_NI, 0.2228])
def test_branch_is_self_consistent(temperature):
    order = nematic_branch(temperature)
    weight = lambda u: np.exp(1.5 * order / temperature * (u * u - 1))  # noqa: E731
    options = {"epsabs": 1e-14, "epsrel": 1e-12, "points": [0.9, 0.99]}
    mean = quad(lambda u: weight(u) * (1.5 * u * u - 0.5), 0, 1, **options)[0] / quad(weight, 0, 1, **options)[0]
    assert order == pytest.approx(mean, abs=1e-9)
    assert order == nematic_branch(2 * temperature, 2.0)


def test_order_jumps_at_the_transition_and_the_branch_ends_at_the_spinodal():
    assert mean_field_order(T_NI - 1e-9) == pytest.approx(0.42903, abs=1e-4)
    assert mean_field_order(T_NI + 1e-9) == 0.0
    assert nematic_branch(T_NI + 1e-9) == pytest.approx(0.42903, abs=1e-4)
    assert nematic_branch(mean_field_transition().nematic_spinodal * (1 + 1e-9)) == 0.0
    assert axial_order(0.02) == pytest.approx(0.02 / 5, rel=1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaierSaupe(0), "sites: expected an integer >= 1, got 0"),
        (lambda: MaierSaupe(4, -1.0), "coupling: expected a finite number > 0, got -1.0"),
        (lambda: MaierSaupe(4).thermodynamics(0.0), "temperature: expected a finite number > 0, got 0.0"),
        (lambda: nematic_branch(-0.1), "temperature: expected a finite number > 0, got -0.1"),
        (lambda: mean_field_transition(0.0), "coupling: expected a finite number > 0, got 0.0"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
