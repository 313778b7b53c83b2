"""Hidden spins against sums over all their trajectories, data in which they are seen, and the truth of simulations."""

from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising.kinetic.base import trajectories_from
from vae_mf.inverse_ising.kinetic.hidden_filter import filtered_log_likelihood
from vae_mf.inverse_ising.kinetic.hidden_spins import (
    HiddenKineticIsing,
    HiddenKineticIsingCV,
    canonical_gauge,
    maximised,
    update_posterior,
)
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood

VISIBLE, HIDDEN = 12, 2


def log_probability(paths, couplings, fields):
    """Ln P of trajectories (..., times, all spins) after a uniform start."""
    theta = paths[..., :-1, :] @ couplings.T + fields
    return (paths[..., 1:, :] * theta - np.log(2 * np.cosh(theta))).sum((-2, -1))


def completions(path, hidden):
    """A visible trajectory (times, N) with every trajectory of hidden spins, (2^(times H), times, N + H)."""
    states = np.array(list(product([-1.0, 1.0], repeat=len(path) * hidden))).reshape(-1, len(path), hidden)
    return np.concatenate([np.broadcast_to(path, (len(states), *path.shape)), states], axis=2)


@pytest.fixture(scope="module")
def small():
    """A model of two visible and two hidden spins and a short trajectory of the visible ones."""
    random = np.random.default_rng(1)
    return random.normal(size=(4, 4)), random.normal(size=4) / 2, random.choice([-1.0, 1.0], (5, 2))


@pytest.fixture(scope="module")
def partly_seen():
    """Couplings and a trajectory of all spins of a model whose last spins are to be hidden."""
    random = np.random.default_rng(2)
    sites = VISIBLE + HIDDEN
    couplings = random.normal(0, 1 / np.sqrt(sites), (sites, sites))
    couplings[:VISIBLE, VISIBLE:] *= 2.5
    start = random.choice(np.array([-1, 1], np.int8), (1, sites))
    return couplings, trajectories_from(start, couplings, np.zeros((3000, sites)), random)


def test_the_filtered_likelihood_is_the_sum_over_hidden_trajectories(small):
    couplings, fields, path = small
    every = log_probability(completions(path, 2), couplings, fields)
    exact = np.log(np.exp(every).sum()) - 2 * np.log(2)
    found = filtered_log_likelihood(path[None].astype(np.int8), np.ones(1), couplings, fields)
    assert found == pytest.approx(exact / 8, abs=1e-12)


def test_the_posterior_of_a_memoryless_hidden_spin_is_exact(small):
    couplings = small[0][:3, :3].copy()
    fields = small[1][:3]
    path = small[2]
    couplings[2, 2] = 0
    every = completions(path, 1)
    weights = np.exp(log_probability(every, couplings, fields))
    x = np.concatenate([path, np.zeros((5, 1))], axis=1)[None]
    update_posterior(x, couplings, fields, 2)
    np.testing.assert_allclose(x[0, :, 2], weights @ every[:, :, 2] / weights.sum(), atol=1e-12)


def test_posterior_means_are_close_for_weakly_coupled_hidden_spins(small):
    couplings, fields, path = 0.25 * small[0], small[1], small[2]
    every = completions(path, 2)
    weights = np.exp(log_probability(every, couplings, fields))
    exact = np.tensordot(weights / weights.sum(), every[:, :, 2:], axes=1)
    x = np.concatenate([path, np.zeros((5, 2))], axis=1)[None]
    for _ in range(30):
        update_posterior(x, couplings, fields, 2)
    assert np.abs(exact).max() > 0.2
    np.testing.assert_allclose(x[0, :, 2:], exact, atol=0.03)


def test_maximisation_with_known_spins_is_plain_maximum_likelihood(partly_seen):
    paths = partly_seen[1][:, :800]
    found = (np.zeros((14, 14)), np.zeros(14))
    for _ in range(40):
        found = maximised(paths.astype(float), np.ones(1), *found, VISIBLE, 4.0)
    plain = KineticMaximumLikelihood(standard_errors=False).fit(paths)
    np.testing.assert_allclose(found.couplings, plain.couplings_, atol=5e-4)
    np.testing.assert_allclose(found.fields, plain.fields_, atol=5e-4)


def test_maximisation_averages_over_an_unknown_spin(partly_seen):
    """A hidden spin of mean zero doubles the data: once with +1 and once with -1."""
    paths = partly_seen[1][:, :400, :4].astype(float)
    unknown = np.concatenate([paths, np.zeros((1, 400, 1))], axis=2)
    found = (np.full((5, 5), 0.3), np.zeros(5))
    for _ in range(40):
        found = maximised(unknown, np.ones(1), *found, 4, 4.0)
    before, after = paths[0, :-1], paths[0, 1:]
    gradient = np.zeros(5)
    for sign in (-1, 1):
        rows = np.c_[before, np.full(len(before), sign)]
        residual = after[:, 0] - np.tanh(rows @ found.couplings[0] + found.fields[0])
        gradient += residual @ rows / 2 - 2 * found.couplings[0]
    np.testing.assert_allclose(gradient, 0, atol=0.02)


def test_hidden_spins_are_found_and_counted(partly_seen):
    couplings, paths = partly_seen
    chosen = HiddenKineticIsingCV(candidates=(0, 1, 2, 3)).fit(paths[:, :, :VISIBLE])
    assert chosen.hidden_ == HIDDEN
    assert chosen.scores_[2] > chosen.scores_[1] + 0.01 > chosen.scores_[0] + 0.02
    found = chosen.best_estimator_
    overlaps = np.corrcoef(paths[0, :, VISIBLE:].T, found.hidden_means_[0].T)[:2, 2:]
    assert np.sort(np.abs(overlaps).max(axis=1))[0] > 0.85

    def error(estimate):
        return np.sqrt(((estimate[:VISIBLE, :VISIBLE] - couplings[:VISIBLE, :VISIBLE]) ** 2).mean())

    ignorant, informed = (KineticMaximumLikelihood().fit(part) for part in (paths[:, :, :VISIBLE], paths))
    assert error(found.couplings_) < 0.6 * error(ignorant.couplings_)
    assert error(found.couplings_) < 1.5 * error(informed.couplings_)


@pytest.mark.filterwarnings("ignore:HiddenKineticIsing has not converged")
def test_order_and_signs_of_hidden_spins_are_fixed(partly_seen):
    found = HiddenKineticIsing(hidden=2, max_iter=40).fit(partly_seen[1][:, :2000, :VISIBLE])
    effects = found.couplings_[:VISIBLE, VISIBLE:]
    assert (effects.sum(axis=0) > 0).all()
    assert (effects[:, 0] ** 2).sum() > (effects[:, 1] ** 2).sum()
    order, signs = canonical_gauge(found.couplings_, VISIBLE)
    np.testing.assert_array_equal(order, np.arange(VISIBLE + 2))
    assert (signs == 1).all()


def test_no_hidden_spins_are_plain_maximum_likelihood(partly_seen):
    paths = partly_seen[1][:, :1000, :VISIBLE]
    found = HiddenKineticIsing(hidden=0).fit(paths)
    plain = KineticMaximumLikelihood().fit(paths)
    np.testing.assert_array_equal(found.couplings_, plain.couplings_)
    assert found.score(paths) == pytest.approx(plain.score(paths), abs=1e-6)
    assert found.hidden_means_.shape == (1, 1000, 0)


@pytest.mark.filterwarnings("ignore:HiddenKineticIsing has not converged")
def test_contract(partly_seen):
    paths = partly_seen[1][:, :600, :VISIBLE].reshape(2, 300, VISIBLE)
    model = HiddenKineticIsing(hidden=1, max_iter=60)
    found = clone(model).fit(paths)
    assert found.couplings_.shape == (VISIBLE + 1, VISIBLE + 1)
    assert found.fields_.shape == (VISIBLE + 1,)
    assert found.hidden_means_.shape == (2, 300, 1)
    assert found.n_features_in_ == VISIBLE
    binary = clone(model).set_params(encoding="01").fit((paths > 0).astype(int))
    np.testing.assert_array_equal(binary.couplings_, found.couplings_)
    assert found.simulate(5, 3, random_state=1).shape == (3, 6, VISIBLE)
    assert found.n_features_in_ == VISIBLE


@pytest.mark.filterwarnings("ignore:HiddenKineticIsing has not converged")
def test_a_weight_is_a_number_of_trajectories(partly_seen):
    paths = partly_seen[1][:, :1000, :VISIBLE].reshape(5, 200, VISIBLE)
    weights = np.array([2, 0, 1, 3, 1])
    repeated = np.repeat(paths, weights, axis=0)
    model = HiddenKineticIsing(max_iter=20)
    found = clone(model).fit(paths, sample_weight=weights)
    plain = clone(model).fit(repeated)
    np.testing.assert_allclose(found.couplings_, plain.couplings_, atol=1e-4)
    np.testing.assert_allclose(found.fields_, plain.fields_, atol=1e-4)
    assert found.score(paths, sample_weight=weights) == pytest.approx(found.score(repeated), abs=1e-9)
    chosen = HiddenKineticIsingCV(model, candidates=(0, 1))
    scores = [
        clone(chosen).fit(paths, sample_weight=weights),
        clone(chosen).fit(repeated),
    ]
    np.testing.assert_allclose(scores[0].scores_, scores[1].scores_, atol=1e-6)
    assert scores[0].score(paths, sample_weight=weights) == pytest.approx(scores[1].score(repeated), abs=1e-6)
    with pytest.raises(ValueError, match=r"each of 5 trajectories, got shape \(5, 199\); a transition has none"):
        clone(model).fit(paths, sample_weight=np.ones((5, 199)))


def test_refusals(partly_seen):
    paths = partly_seen[1][:, :200, :VISIBLE]
    with pytest.raises(ValueError, match="hidden: expected at most the number of visible spins 12, got 13"):
        HiddenKineticIsing(hidden=13).fit(paths)
    with pytest.raises(ValueError, match="hidden: expected an integer >= 0"):
        HiddenKineticIsing(hidden=-1).fit(paths)
    with pytest.warns(ConvergenceWarning, match="has not converged after 1 iterations"):
        found = HiddenKineticIsing(hidden=9, max_iter=1).fit(paths)
    with pytest.raises(ValueError, match="at most 8 hidden spins"):
        found.score(paths)
    with pytest.raises(ValueError, match="X has 11 features, but HiddenKineticIsing is expecting 12"):
        found.score(paths[:, :, 1:])
    with pytest.raises(ValueError, match="start: expected None"):
        found.simulate(3, start=paths[0, 0])
    with pytest.raises(ValueError, match="held_out: expected a number between 0 and 1"):
        HiddenKineticIsingCV(held_out=1.5).fit(paths)
    for options, message in (
        ({"held_out": 0.01}, "held_out: expected a share that leaves two times on either side, got 0.01 of 9"),
        ({"candidates": ()}, r"candidates: expected one or more numbers up to 8, got \(\)"),
        ({"candidates": (0, 9)}, "candidates: expected one or more numbers up to 8"),
        ({"estimator": KineticMaximumLikelihood()}, "estimator: expected a HiddenKineticIsing, got"),
    ):
        with pytest.raises(ValueError, match=message):
            HiddenKineticIsingCV(**options).fit(np.random.default_rng(0).choice([-1, 1], (20, 9, 3)))
