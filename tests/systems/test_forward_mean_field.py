"""Naive mean-field and TAP equations: against exact magnetisations, in the right order, and as stationary points."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime

from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.forward_mean_field import (
    mean_field_solutions,
    naive_free_energy,
    naive_mean_field,
    tap,
    tap_free_energy,
    tap_stability,
)
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.mean_field import spontaneous_magnetisation
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

COUPLINGS = SherringtonKirkpatrick.random(12, 3).couplings
FIELDS = 0.4 * np.random.default_rng(1).normal(size=12)


def ferromagnet(sites):
    return (np.ones((sites, sites)) - np.eye(sites)) / (sites - 1)


def errors(scale):
    """Largest errors of the naive and TAP magnetisations, and both free-energy errors, at couplings times ``scale``."""
    exact = enumerate_system(Ising(scale * COUPLINGS, FIELDS), 1.0)
    m = exact.mean(exact.spins.astype(float))
    free = -exact.thermodynamics.log_partition
    naive, reaction = (solve(scale * COUPLINGS, FIELDS, 1.0) for solve in (naive_mean_field, tap))
    assert naive.converged
    assert reaction.converged
    return np.array(
        [
            np.abs(naive.magnetisations - m).max(),
            np.abs(reaction.magnetisations - m).max(),
            abs(naive_free_energy(scale * COUPLINGS, FIELDS, 1.0, naive.magnetisations) - free),
            abs(tap_free_energy(scale * COUPLINGS, FIELDS, 1.0, reaction.magnetisations) - free),
        ]
    )


def test_errors_shrink_with_the_power_of_the_first_neglected_term():
    coarse, fine = errors(0.1), errors(0.05)
    assert coarse[1] < coarse[0] / 8
    assert coarse[3] < coarse[2] / 8
    # Halving the couplings: naive errs at second order, TAP at third.
    order = np.log2(coarse / fine)
    np.testing.assert_allclose(order, [2, 3, 2, 3], atol=0.35)


def test_tap_is_the_better_of_the_two_over_many_samples():
    for seed in range(10):
        couplings, fields = 0.4 * SherringtonKirkpatrick.random(10, seed).couplings, FIELDS[:10]
        exact = enumerate_system(Ising(couplings, fields), 1.0)
        m = exact.mean(exact.spins.astype(float))
        first, second = (
            np.abs(solve(couplings, fields, 1.0).magnetisations - m).max() for solve in (naive_mean_field, tap)
        )
        assert second < first / 2
        assert second < 0.05


def test_free_spins_are_exact():
    for solve in (naive_mean_field, tap):
        np.testing.assert_allclose(
            solve(np.zeros((12, 12)), FIELDS, 0.7).magnetisations, np.tanh(FIELDS / 0.7), atol=1e-9
        )
    exact = enumerate_system(Ising(np.zeros((12, 12)), FIELDS), 0.7).thermodynamics
    for free_energy in (naive_free_energy, tap_free_energy):
        value = free_energy(np.zeros((12, 12)), FIELDS, 0.7, np.tanh(FIELDS / 0.7))
        assert value == pytest.approx(-0.7 * exact.log_partition)


@pytest.mark.parametrize("temperature", [0.3, 0.7, 0.95, 1.2])
def test_uniform_ferromagnet_follows_the_curie_weiss_curve(temperature):
    solution = naive_mean_field(ferromagnet(50), None, temperature)
    assert solution.converged
    np.testing.assert_allclose(solution.magnetisations, spontaneous_magnetisation(temperature), atol=1e-7)
    large = tap(ferromagnet(400), None, temperature)
    np.testing.assert_allclose(large.magnetisations, spontaneous_magnetisation(temperature), atol=0.05)


@pytest.mark.parametrize("solve", [naive_mean_field, tap])
def test_solutions_solve_their_equations(solve):
    solution = solve(COUPLINGS, FIELDS, 1.5)
    m = solution.magnetisations
    reaction = m / 1.5 * (COUPLINGS**2 @ (1 - m**2)) if solve is tap else 0
    assert solution.converged
    np.testing.assert_allclose(m, np.tanh((COUPLINGS @ m + FIELDS - reaction) / 1.5), atol=1e-9)
    assert solution.residual <= 1e-10
    assert 1 < solution.iterations < 3000


@pytest.mark.parametrize(("solve", "free_energy"), [(naive_mean_field, naive_free_energy), (tap, tap_free_energy)])
def test_solutions_are_stationary_points_of_their_free_energy(solve, free_energy):
    m = solve(COUPLINGS, FIELDS, 1.5).magnetisations
    gradient = approx_fprime(m, lambda x: free_energy(COUPLINGS, FIELDS, 1.5, x), 1e-6)
    elsewhere = approx_fprime(0.5 * m, lambda x: free_energy(COUPLINGS, FIELDS, 1.5, x), 1e-6)
    assert np.abs(gradient).max() < 1e-4
    assert np.abs(elsewhere).max() > 0.05


def test_naive_free_energy_bounds_the_exact_one():
    for scale in (0.2, 1.0, 3.0):
        exact = -enumerate_system(Ising(scale * COUPLINGS, FIELDS), 1.0).thermodynamics.log_partition
        for m in (np.zeros(12), FIELDS / 2, naive_mean_field(scale * COUPLINGS, FIELDS, 1.0).magnetisations):
            assert naive_free_energy(scale * COUPLINGS, FIELDS, 1.0, m) >= exact


def test_all_solutions_of_a_ferromagnet_are_its_two_phases():
    found = mean_field_solutions(ferromagnet(30), None, 0.6, starts=60)
    assert len(found.free_energies) == 2
    np.testing.assert_allclose(sorted(found.magnetisations[:, 0]), [-1, 1] * np.array(spontaneous_magnetisation(0.6)))
    assert found.free_energies[0] == pytest.approx(found.free_energies[1])
    assert found.starts.sum() == 60
    assert found.failed == 0
    assert found.starts.min() > 10
    tilted = mean_field_solutions(ferromagnet(30), np.full(30, 0.02), 0.6, starts=60)
    assert tilted.magnetisations[0, 0] > 0, "the lowest free energy comes first"
    assert (np.diff(tilted.free_energies) > 0).all()


def test_solutions_of_a_memory_are_its_patterns():
    system = Hopfield.random(200, 3, seed=1)
    found = mean_field_solutions(system.couplings, None, 0.6, starts=60)
    overlaps = np.abs(found.magnetisations @ system.patterns.T) / 200
    expected = spontaneous_magnetisation(0.6)
    assert all(np.isclose(overlaps.max(0), expected, atol=0.06))
    assert len(found.free_energies) >= 6


def test_a_glass_has_many_naive_solutions_in_mirror_pairs():
    couplings = SherringtonKirkpatrick.random(60, 1).couplings
    found = mean_field_solutions(couplings, None, 0.3, starts=300, seed=1)
    assert len(found.free_energies) > 10
    assert found.free_energies[0] == pytest.approx(found.free_energies[1], abs=1e-6)
    np.testing.assert_allclose(found.magnetisations[0], -found.magnetisations[1], atol=1e-4)
    assert (np.diff(found.free_energies) >= 0).all()
    assert found.free_energies[0] == pytest.approx(
        naive_free_energy(couplings, None, 0.3, found.magnetisations[0]), abs=1e-9
    )
    assert len(mean_field_solutions(couplings, None, 2.5, starts=20).free_energies) == 1


def test_tap_stability_is_the_line_of_de_almeida_and_thouless():
    couplings = SherringtonKirkpatrick.random(200, 1).couplings
    for temperature in (0.5, 0.9, 1.1, 2.0):
        assert tap_stability(couplings, temperature, np.zeros(200)) == pytest.approx(
            1 - temperature**-2, abs=0.1 / temperature**2
        )
    lattice = EdwardsAnderson.random(6, 2, "pm", 1).couplings
    assert tap_stability(lattice, 2.5, np.zeros(36)) == pytest.approx(1 - 4 / 2.5**2)
    assert tap_stability(lattice, 1.5, np.full(36, 0.9)) > 0 > tap_stability(lattice, 1.5, np.zeros(36))


def test_sparse_couplings_give_the_same_solutions():
    lattice = EdwardsAnderson.random(4, 2, "gaussian", 1).couplings
    for solve in (naive_mean_field, tap):
        same = [solve(form, FIELDS.repeat(2)[:16], 2.0).magnetisations for form in (lattice, lattice.toarray())]
        np.testing.assert_allclose(*same, atol=1e-9)
    many = [mean_field_solutions(form, None, 1.0, "naive", 40).free_energies for form in (lattice, lattice.toarray())]
    np.testing.assert_allclose(*many, atol=1e-8)
    assert tap_free_energy(lattice, None, 2.0, np.full(16, 0.3)) == pytest.approx(
        tap_free_energy(lattice.toarray(), None, 2.0, np.full(16, 0.3))
    )


def test_failure_to_converge_is_reported():
    antiferromagnet = -4 * ferromagnet(10)
    wild = naive_mean_field(antiferromagnet, None, 0.2, np.full(10, 0.5), damping=0.0, iterations=500)
    assert not wild.converged
    assert wild.iterations == 500
    assert wild.residual > 0.1
    m = wild.magnetisations
    assert wild.residual == pytest.approx(np.abs(m - np.tanh(antiferromagnet @ m / 0.2)).max())
    tame = naive_mean_field(antiferromagnet, None, 0.2, np.full(10, 0.5), damping=0.95)
    assert tame.converged
    short = mean_field_solutions(COUPLINGS, FIELDS, 0.9, starts=5, iterations=1)
    assert short.failed == 5
    assert short.magnetisations.shape == (0, 12)


def test_damping_changes_the_way_and_not_the_end():
    ends = [naive_mean_field(COUPLINGS, FIELDS, 2.0, damping=d) for d in (0.0, 0.5, 0.9)]
    for end in ends[1:]:
        np.testing.assert_allclose(end.magnetisations, ends[0].magnetisations, atol=1e-8)
    assert ends[0].iterations < ends[1].iterations < ends[2].iterations


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: naive_mean_field(COUPLINGS, FIELDS, 0.0), "temperature: expected a finite number > 0"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, damping=1.0), "damping: expected a number between 0 and 1, got 1.0"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, damping=-0.5), "damping: expected a number between 0 and 1, got -0.5"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, tolerance=0.0), "tolerance: expected a finite number > 0"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, iterations=0), "iterations: expected an integer >= 1, got 0"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, np.full(12, 1.5)), "start: expected magnetisations from -1 to 1, got"),
        (lambda: tap(COUPLINGS, FIELDS, 1.0, np.full(12, np.nan)), "start: expected magnetisations from -1 to 1"),
        (lambda: tap(np.triu(COUPLINGS), FIELDS, 1.0), "couplings: expected a symmetric matrix"),
        (lambda: tap(np.eye(12), FIELDS, 1.0), "couplings: expected a zero diagonal"),
        (lambda: tap(sparse.csr_array(np.eye(12)), FIELDS, 1.0), "couplings: expected a zero diagonal"),
        (lambda: tap(COUPLINGS, np.full(12, np.nan), 1.0), "fields: expected finite numbers"),
        (
            lambda: mean_field_solutions(COUPLINGS, FIELDS, 1.0, "bethe"),
            "method: expected one of naive, tap, got 'bethe'",
        ),
        (lambda: mean_field_solutions(COUPLINGS, FIELDS, 1.0, starts=0), "starts: expected an integer >= 1, got 0"),
        (lambda: tap_free_energy(COUPLINGS, FIELDS, 1.0, np.full(12, -2.0)), "magnetisations: expected magnetisations"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
