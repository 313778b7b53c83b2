"""Naive, TAP and Bethe theories against enumeration: orders in J, exactness on trees, and no fixed point."""

from inspect import unwrap

import numpy as np
import pytest
from scipy import sparse

from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.forward_mean_field import METHODS, Iteration, response_correlations, solve_mean_field
from vae_mf.systems.k_sat import KSat
from vae_mf.systems.mean_field import mean_field_magnetisation
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick


def random_system(seed, strength, sites=7, tree=False):
    random = np.random.default_rng(seed)
    couplings = np.zeros((sites, sites))
    for site in range(1, sites):
        below = [random.integers(site)] if tree else range(site)
        for other in below:
            couplings[site, other] = couplings[other, site] = strength * random.normal()
    return Ising(couplings, random.normal(0, 0.5, sites))


def exact_moments(system, temperature=1.0):
    exact = enumerate_system(system, temperature)
    spins = exact.spins.astype(float)
    m = exact.mean(spins)
    products = exact.mean(spins[:, :, None] * spins[:, None, :])
    return exact.thermodynamics.log_partition, m, products - np.outer(m, m)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_bethe_is_exact_on_trees(seed, temperature):
    system = random_system(seed, strength=1.0, tree=True)
    log_partition, m, correlations = exact_moments(system, temperature)
    found = solve_mean_field(system, temperature, "bethe")
    assert found.converged
    assert found.log_partition == pytest.approx(log_partition, abs=1e-8)
    np.testing.assert_allclose(found.magnetisations, m, atol=1e-8)
    if temperature == 1.0:
        response = response_correlations(system, temperature, "bethe", found.magnetisations)
        np.testing.assert_allclose(response, correlations, atol=1e-7)


ORDERS = {"naive": (2, 2, 2), "tap": (3, 3, 3), "bethe": (3, 3, 3)}
"""Powers of J in the errors of ln Z, of m, and of the correlations of different sites, at least."""


def errors(method, strength):
    system = random_system(3, strength)
    log_partition, m, correlations = exact_moments(system)
    found = solve_mean_field(system, 1.0, method, iteration=Iteration(tolerance=1e-13))
    response = response_correlations(system, 1.0, method, found.magnetisations)
    off = ~np.eye(m.size, dtype=bool)
    return np.array(
        [
            abs(found.log_partition - log_partition),
            np.abs(found.magnetisations - m).max(),
            np.abs(response - correlations)[off].max(),
        ]
    )


@pytest.mark.parametrize("method", METHODS)
def test_errors_have_their_order_in_the_couplings(method):
    slopes = np.log2(errors(method, 0.02) / errors(method, 0.01))
    assert (slopes > np.array(ORDERS[method]) - 0.2).all()
    if method == "naive":
        assert slopes[0] == pytest.approx(2, abs=0.2)


def test_each_theory_is_better_than_the_one_before():
    values = np.array([errors(method, 0.1) for method in METHODS])
    assert (values[1] < 0.4 * values[0]).all()


def test_the_naive_value_is_a_lower_bound():
    for seed in range(5):
        system = random_system(seed, 0.8)
        found = solve_mean_field(system, 1.0, "naive")
        assert found.converged
        assert found.log_partition < exact_moments(system)[0]


def test_the_curie_weiss_magnet_has_its_curve():
    magnet = CurieWeiss(500)
    couplings = np.full((500, 500), 1 / 500) - np.eye(500) / 500
    found = solve_mean_field(Ising(couplings), 0.8, "naive", start=np.full(500, 0.5))
    assert found.magnetisations.mean() == pytest.approx(mean_field_magnetisation(0.8), abs=5e-3)
    law = magnet.order_parameter_law(0.8)
    assert np.abs(law.values) @ law.probabilities == pytest.approx(found.magnetisations.mean(), abs=1e-2)


def test_tap_is_exact_for_the_paramagnet_of_sherrington_and_kirkpatrick():
    """At T > 1 without fields m = 0 and ln Z = N ln 2 + N / (4 T^2) up to terms that stay finite."""
    glass = SherringtonKirkpatrick.random(400, seed=1)
    found = solve_mean_field(glass, 2.0, "tap")
    assert found.converged
    expected = 400 * np.log(2) + (np.triu(glass.couplings) ** 2).sum() / 8
    assert found.log_partition == pytest.approx(expected)


def test_dense_and_sparse_couplings_agree():
    glass = EdwardsAnderson.random(4, 2, "gaussian", seed=1)
    thin = Ising(glass.couplings, np.linspace(-1, 1, 16))
    dense = Ising(sparse.csr_array(glass.couplings).toarray(), np.linspace(-1, 1, 16))
    for method in METHODS:
        first, second = (solve_mean_field(system, 2.0, method) for system in (dense, thin))
        np.testing.assert_allclose(first.magnetisations, second.magnetisations, atol=1e-9)


@pytest.mark.parametrize("method", ["tap", "bethe"])
def test_no_fixed_point_is_told(method):
    glass = SherringtonKirkpatrick.random(100, seed=1)
    start = np.random.default_rng(1).uniform(-0.5, 0.5, 100)
    found = solve_mean_field(glass, 0.1, method, start, Iteration(sweeps=500))
    assert (found.converged, found.sweeps) == (False, 500)
    assert found.change > 1e-3


def test_bad_arguments_are_named():
    system = random_system(1, 0.1)
    with pytest.raises(ValueError, match="method: expected one of naive, tap, bethe"):
        solve_mean_field(system, 1.0, "hartree")
    with pytest.raises(ValueError, match="temperature: expected a finite number > 0"):
        solve_mean_field(system, 0.0, "tap")
    with pytest.raises(ValueError, match="start: expected 7 magnetisations from -1 to 1"):
        solve_mean_field(system, 1.0, "tap", start=np.full(7, 2.0))
    with pytest.raises(ValueError, match="damping: expected a number from 0 to below 1"):
        solve_mean_field(system, 1.0, "tap", iteration=Iteration(damping=1.0))
    with pytest.raises(ValueError, match="expected a stable solution"):
        response_correlations(CurieWeiss(50), 0.5, "naive", np.zeros(50))


def test_what_has_no_couplings_no_rules_or_no_magnetisations_is_refused():
    chain = Ising(np.eye(3, k=1) + np.eye(3, k=-1))
    with pytest.raises(ValueError, match="system: expected one with couplings and fields, such as Ising, got KSat"):
        unwrap(solve_mean_field)(KSat.from_clauses([[1, 2]], sites=2), 1.0, "tap")
    with pytest.raises(ValueError, match="iteration: expected one of class Iteration, got None"):
        unwrap(solve_mean_field)(chain, 1.0, "tap", iteration=None)
    with pytest.raises(ValueError, match="start: expected 3 magnetisations from -1 to 1, got 2"):
        unwrap(solve_mean_field)(chain, 1.0, "tap", start=[0, 2, 0])
    with pytest.raises(ValueError, match="magnetisations: expected 3 magnetisations from -1 to 1, got shape"):
        unwrap(response_correlations)(chain, 1.0, "tap", [0.0])
    with pytest.raises(ValueError, match="magnetisations: expected numbers between -1 and 1, got spins"):
        unwrap(response_correlations)(chain, 1.0, "tap", [1.0, 0.0, 0.0])
