"""Plefka expansions of the kinetic Ising model: orders in J, sampled moments, exact cases, bad numbers."""

from inspect import unwrap

import numpy as np
import pytest
from helpers.kinetic_enumeration import exact_moments

from vae_mf.samplers.kinetic import kinetic_trajectories
from vae_mf.systems.kinetic_plefka import EXPANSIONS, kinetic_moments, reacting_fields

ORDERS = {"naive": (2, 2, 2), "t-1,t": (3, 3, 3), "t": (3, 3, 3), "t-1": (3, 3, 2), "pairs": (3, 3, 3)}
"""Powers of J in the errors of m, C and D, at least."""


def model(seed, sites, strength, mean=0.0):
    random = np.random.default_rng(seed)
    couplings = random.normal(mean / sites, strength / np.sqrt(sites), (sites, sites))
    return couplings, random.normal(0, 0.5, sites), random.uniform(-0.8, 0.8, sites)


def largest_errors(strength, expansion, steps):
    couplings, fields, start = model(1, 6, strength)
    exact = exact_moments(couplings, fields, steps, start)
    found = kinetic_moments(couplings, fields, steps, expansion, start)[-1]
    return np.array([np.abs(a - b).max() for a, b in zip(exact, found, strict=True)])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("expansion", EXPANSIONS)
def test_errors_have_their_order_in_the_couplings(expansion, steps):
    slopes = np.log2(largest_errors(0.04, expansion, steps) / largest_errors(0.02, expansion, steps))
    assert (slopes > np.array(ORDERS[expansion]) - 0.3).all()
    if expansion == "naive":
        np.testing.assert_allclose(slopes, 2, atol=0.4)


def root_mean_square_errors(expansion):
    couplings, fields, _ = model(2, 9, 0.6, mean=0.5)
    exact = exact_moments(couplings, fields, 20, np.zeros(9))
    found = kinetic_moments(couplings, fields, 20, expansion)[-1]
    return np.array([np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(exact, found, strict=True)])


def test_strong_couplings_need_more_than_independent_spins():
    naive, tap, pairs = (root_mean_square_errors(expansion) for expansion in ("naive", "t-1,t", "pairs"))
    assert tap[0] < 0.5 * naive[0]
    assert pairs[0] < 0.5 * naive[0]
    assert (pairs[1:] < 0.6 * np.minimum(naive, tap)[1:]).all()


@pytest.mark.parametrize("expansion", ["t-1", "pairs"])
def test_moments_are_those_of_sampled_trajectories(expansion):
    couplings, fields, _ = model(3, 40, 0.5)
    found = kinetic_moments(couplings, fields, 5, expansion)[-1]
    paths = kinetic_trajectories(couplings, fields, 5, 20_000, seed=1)[:, -2:].astype(np.float64)
    before, now = paths[:, 0], paths[:, 1]
    m = now.mean(0)
    error = 1 / np.sqrt(len(now))
    assert np.abs(found.magnetisations - m).max() < 0.01 + 4 * error
    delayed = (now - m).T @ (before - before.mean(0)) / len(now)
    equal = (now - m).T @ (now - m) / len(now)
    for sampled, moments in ((delayed, found.delayed), (equal, found.covariances)):
        assert np.sqrt(np.mean((sampled - moments) ** 2)) < 1.2 * error  # of which the sampling alone makes about 1
        assert np.corrcoef(sampled.ravel(), moments.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("expansion", EXPANSIONS)
def test_spins_without_couplings_follow_their_fields(expansion):
    fields = np.array([-1.0, 0.0, 0.3])
    moments = kinetic_moments(np.zeros((3, 3)), fields, 2, expansion, start=np.array([1.0, -1.0, 0.5]))
    np.testing.assert_allclose(moments[2].magnetisations, np.tanh(fields), atol=1e-12)
    np.testing.assert_allclose(moments[2].covariances, np.diag(1 - np.tanh(fields) ** 2), atol=1e-12)
    assert not moments[2].delayed.any()
    assert len(moments) == 3


@pytest.mark.parametrize("expansion", ["pairs"])
def test_one_spin_that_drives_another_is_exact(expansion):
    """A conditional mean is linear in one spin, so that nothing is left out."""
    couplings = np.array([[0.0, 0.0], [1.3, 0.0]])
    start = np.array([0.4, 0.0])
    exact = exact_moments(couplings, np.array([0.2, -0.3]), 1, start)
    found = kinetic_moments(couplings, np.array([0.2, -0.3]), 1, expansion, start)[-1]
    np.testing.assert_allclose(found.delayed[1, 0], exact.delayed[1, 0], atol=1e-12)


def test_the_root_of_the_reaction_is_found_at_any_strength():
    means = np.linspace(-30, 30, 41)[:, None]
    variances = np.array([0.0, 0.1, 3.0, 40.0])
    theta = reacting_fields(means, variances)
    np.testing.assert_allclose(theta + variances * np.tanh(theta), np.broadcast_to(means, theta.shape), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((np.zeros((2, 3)), None, 1, "t"), r"couplings: expected shape \(N, N\), got \(2, 3\)"),
        ((np.full((2, 2), np.nan), None, 1, "t"), "couplings: expected finite numbers, got 4 others"),
        ((np.zeros((2, 2)), np.zeros(3), 1, "t"), r"fields: expected shape \(2,\), got \(3,\)"),
        ((np.zeros((2, 2)), None, -1, "t"), "steps: expected an integer >= 0"),
        ((np.zeros((2, 2)), None, 1, "t+1"), "expansion: expected one of naive, t-1,t"),
        ((np.zeros((2, 2)), None, 1, "t", np.array([2.0, 0.0])), "start: expected magnetisations from -1 to 1"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        kinetic_moments(*arguments)


def test_complex_couplings_are_refused():
    with pytest.raises(ValueError, match="couplings: expected an array of numbers, got ndarray of complex128"):
        unwrap(kinetic_moments)(np.eye(2) * 1j, None, 1, "naive")
