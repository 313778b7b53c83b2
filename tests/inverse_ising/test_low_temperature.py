"""Reconstruction from thermodynamic states: the ferromagnet, planted states, and the equations themselves."""

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose
from scipy.stats import binom

from vae_mf.inverse_ising import LowTemperature, NaiveMeanField
from vae_mf.inverse_ising.base import new_generator
from vae_mf.inverse_ising.low_temperature import PureStates, naive_couplings, tap_couplings, tap_violation
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.clustering import cluster_moments, spherical_clusters
from vae_mf.inverse_ising.solvers.lbfgs import Stopping

SITES = 60


def curie_weiss(beta: float, samples: int, seed: int) -> np.ndarray:
    """Exact samples of the Curie-Weiss model: first the number of up spins, then which ones."""
    up = np.arange(SITES + 1)
    logarithms = binom.logpmf(up, SITES, 0.5) + beta * (2 * up - SITES) ** 2 / (2 * SITES)
    probabilities = np.exp(logarithms - logarithms.max())
    random = np.random.default_rng(seed)
    counts = random.choice(up, samples, p=probabilities / probabilities.sum())
    ranks = random.random((samples, SITES)).argsort(axis=1)
    return np.where(ranks < counts[:, None], 1, -1).astype(np.int8)


def error(estimator, beta: float, samples: int) -> float:
    """Root mean square error of J in the units of figure 1, J_ij / beta against 1 / N."""
    fit = estimator.fit(curie_weiss(beta, samples, seed=1))
    return float(np.sqrt(np.mean((fit.couplings_[np.triu_indices(SITES, 1)] / beta - 1 / SITES) ** 2)))


def test_two_states_mend_the_ferromagnet_below_its_transition():
    """Figure 1: one state fails at beta = 1.4 however many samples there are, two states do not."""
    one = NaiveMeanField()
    two = LowTemperature(clusters="magnetisation")
    one_error = error(one, 1.4, 40_000)
    two_error = error(two, 1.4, 40_000)
    assert two_error < 0.6 * error(two, 1.4, 8000)
    assert one_error > max(1.5 * two_error, 0.6 * error(one, 1.4, 8000))
    assert two.n_clusters_ == 2
    assert abs(two.fields_).max() < 0.1


def test_clusters_find_the_two_states_of_the_ferromagnet():
    spins = curie_weiss(1.6, 5000, seed=2)
    labels = spherical_clusters(spins, np.ones(5000), 2, new_generator(1), restarts=2, max_iter=50)
    up = spins.sum(axis=1) > 0
    assert max((labels == up).mean(), (labels != up).mean()) > 0.99
    by_sign = LowTemperature(clusters="magnetisation").fit(spins)
    by_overlap = LowTemperature(clusters=2).fit(spins)
    assert_allclose(by_overlap.couplings_, by_sign.couplings_, atol=0.02)


def test_clusters_find_planted_states():
    random = np.random.default_rng(3)
    centres = random.choice([-1, 1], (5, 40))
    truth = random.integers(0, 5, 2000)
    spins = (centres[truth] * np.where(random.random((2000, 40)) < 0.1, -1, 1)).astype(np.int8)
    labels = spherical_clusters(spins, np.ones(2000), 5, random, restarts=3, max_iter=50)
    pairs = {(int(a), int(b)) for a, b in zip(truth, labels, strict=True)}
    assert len(pairs) == 5
    assert len(cluster_moments(spins, np.ones(2000), labels, smallest=1.0)) == 5
    assert cluster_moments(spins, np.ones(2000), labels, smallest=1e4) == []


def test_one_cluster_is_naive_mean_field():
    spins = dense(8, 0.7, seed=2).draw(3000, seed=1)
    one = LowTemperature(clusters=1, pseudocount=0.0).fit(spins)
    naive = NaiveMeanField().fit(spins)
    assert_allclose(one.couplings_, naive.couplings_, atol=1e-8)
    assert_allclose(one.fields_, naive.fields_, atol=1e-8)


def test_the_automatic_choice_takes_one_cluster_where_there_is_one_state():
    assert LowTemperature().fit(curie_weiss(0.4, 8000, seed=3)).n_clusters_ == 1
    assert LowTemperature().fit(curie_weiss(1.5, 8000, seed=3)).n_clusters_ == 2


@pytest.fixture
def states() -> PureStates:
    random = np.random.default_rng(5)
    halves = [random.choice(np.array([-1, 1], np.int8), (400, 6), p=[1 - p, p]) for p in (0.35, 0.7)]
    found = [spin_moments(half) for half in halves]
    return PureStates(np.array([f.magnetisations for f in found]), np.array([f.covariances for f in found]))


def test_naive_couplings_solve_the_weighted_least_squares(states):
    """Equations whitened by the Cholesky factor of C^a and scaled by the root of their weight, one row at a time."""
    m, c = states
    found = np.zeros((6, 6))
    fields = np.arctanh(m)
    for i in range(6):
        weights = (1 - m[:, i] ** 2) ** 2
        left, right = [], []
        for a in range(len(m)):
            whiten = np.sqrt(weights[a]) * np.linalg.inv(np.linalg.cholesky(c[a]))
            left += [whiten @ c[a], np.sqrt(weights[a]) * (m[a] - np.average(m, axis=0, weights=weights))[None]]
            field = fields[a, i] - np.average(fields[:, i], weights=weights)
            right += [whiten @ (c[a, i] / (1 - m[a, i] ** 2) - np.eye(6)[i]), np.sqrt(weights[a]) * np.array([field])]
        found[i] = np.linalg.lstsq(np.concatenate(left), np.concatenate(right), rcond=None)[0]
    assert_allclose(naive_couplings(states), (found + found.T) / 2, atol=1e-10)


def test_the_tap_violation_is_that_of_its_definition(states):
    """Loops over states and spins instead of arrays."""
    m, c = states
    random = np.random.default_rng(7)
    couplings = random.normal(0, 0.2, (6, 6))
    couplings = couplings + couplings.T
    squares = couplings**2 * (1 - np.eye(6))
    fields = np.arctanh(m) - m @ couplings + m * ((1 - m**2) @ squares)
    weights, value = (1 - m**2) ** 2, 0.0
    for a in range(len(m)):
        for i in range(6):
            row = couplings[i] @ c[a] - c[a, i] / (1 - m[a, i] ** 2) + np.eye(6)[i]
            row -= c[a, i] * (squares[i] @ (1 - m[a] ** 2)) - 2 * m[a, i] * ((squares[i] * m[a]) @ c[a])
            mean = np.average(fields[:, i], weights=weights[:, i])
            value += weights[a, i] * (row @ np.linalg.inv(c[a]) @ row + (fields[a, i] - mean) ** 2)
    assert tap_violation(states, couplings)[0] == pytest.approx(value, rel=1e-10)


def test_the_tap_gradient_is_that_of_the_tap_violation(states):
    random = np.random.default_rng(6)
    couplings, direction = random.normal(0, 0.3, (2, 6, 6))
    couplings, direction = couplings + couplings.T, direction + direction.T
    ahead, behind = (tap_violation(states, couplings + step * direction)[0] for step in (1e-5, -1e-5))
    assert_allclose((ahead - behind) / 2e-5, (tap_violation(states, couplings)[1] * direction).sum(), rtol=1e-7)


def test_tap_ends_at_a_minimum_of_the_violations(states):
    start = naive_couplings(states)
    best = tap_couplings(states, start, Stopping(1e-12, 1000))
    assert best.converged
    assert tap_violation(states, best.couplings)[0] < tap_violation(states, start)[0]
    slope = tap_violation(states, best.couplings)[1]
    assert abs(slope + slope.T).max() < 1e-4


def test_tap_beats_naive_at_moderate_coupling():
    model = dense(10, 0.7, seed=9)
    errors = {}
    for method in ("naive", "tap"):
        fit = LowTemperature(clusters=1, method=method, pseudocount=0.0)
        fit.fit(model.states, sample_weight=model.weights)
        errors[method] = abs(fit.couplings_ - model.couplings).max()
    assert errors["tap"] < errors["naive"]


@pytest.mark.parametrize("method", ["naive", pytest.param("tap", marks=pytest.mark.slow)])
def test_standard_errors_are_the_scatter_of_repeated_fits(method):
    """The two states of a ferromagnet with a random part, told apart by the sign of the magnetisation."""
    base = dense(6, 0.5, seed=5)
    model = oracle(base.couplings + 0.25 * (1 - np.eye(6)), 0.1 * base.fields)
    repeats = 300
    estimator = LowTemperature(clusters="magnetisation", method=method)
    upper = np.triu_indices(6, 1)

    def values(seed: int, *names: str) -> np.ndarray:
        fit = estimator.fit(model.draw(2000, seed))
        return np.r_[getattr(fit, names[0])[upper], getattr(fit, names[1])]

    scatter = np.std([values(seed, "couplings_", "fields_") for seed in range(repeats)], axis=0)
    estimator.set_params(standard_errors=True)
    claimed = [values(seed, "couplings_error_", "fields_error_") for seed in range(1000, 1006)]
    # 4 % from the repeats, 13 % / sqrt(6) from the jackknife; 21 numbers.
    assert_allclose(np.sqrt(np.mean(np.square(claimed), axis=0)) / scatter, 1, atol=4 * 0.067)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"method": "guess"}, "method"), ({"clusters": 0}, "clusters"), ({"restarts": 0}, "restarts")],
)
def test_options_are_checked(options, named):
    with pytest.raises(ValueError, match=named):
        LowTemperature(**options).fit(curie_weiss(1.0, 100, seed=1))
