"""Expectation-maximisation against sums written out, and mixtures that are found again."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from vae_mf.density_models.independent import Independent
from vae_mf.density_models.mixture import BernoulliComponents, BernoulliMixture, MixtureProblem
from vae_mf.packing import all_configurations
from vae_mf.statistics.distinct import distinct_spins

WEIGHTS = np.array([0.5, 0.3, 0.2])
PLANTED = np.array([[0.05] * 8, [0.8] * 4 + [0.1] * 4, [0.1] * 4 + [0.7] * 4])


def words(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    chosen = random.choice(3, count, p=WEIGHTS)
    return np.where(random.random((count, 8)) < PLANTED[chosen], 1, -1).astype(np.int8)


def density(active: np.ndarray, weights: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """p(s) of every word, as a product over cells and a sum over components."""
    return (weights * np.where(active[:, None], probabilities, 1 - probabilities).prod(axis=2)).sum(axis=1)


def test_the_density_is_the_sum_over_components():
    model = BernoulliMixture(3).fit(words(2000, 1))
    states = all_configurations(8)
    expected = density(states > 0, model.weights_, model.probabilities_)
    assert_allclose(np.exp(model.score_samples(states)), expected, rtol=1e-10)
    assert_allclose(expected.sum(), 1)


def test_an_iteration_is_that_of_the_formulas():
    data = words(500, 2)
    pseudocount = 3.0
    problem = MixtureProblem(distinct_spins(data, np.ones(500)), pseudocount)
    old = BernoulliComponents(np.array([0.7, 0.3]), np.random.default_rng(3).uniform(0.1, 0.9, (2, 8)))
    active = data > 0
    rates = ((data > 0).sum(axis=0) + 0.5) / 501
    joint = old.weights * np.where(active[:, None], old.probabilities, 1 - old.probabilities).prod(axis=2)
    responsibility = joint / joint.sum(axis=1, keepdims=True)
    grown = responsibility.sum(axis=0) + pseudocount
    step = problem.step(old)
    assert_allclose(step.components.weights, grown / grown.sum(), rtol=1e-6)
    assert_allclose(
        step.components.probabilities, (responsibility.T @ active + pseudocount * rates) / grown[:, None], rtol=1e-5
    )
    prior = (
        np.log(old.weights).sum()
        + (rates * np.log(old.probabilities) + (1 - rates) * np.log1p(-old.probabilities)).sum()
    )
    assert_allclose(step.objective, np.log(joint.sum(axis=1)).mean() + pseudocount * prior / 500, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("components", [2, 5, 12])
def test_the_objective_never_falls(components):
    found = BernoulliMixture(components, tolerance=1e-7, random_state=4).fit(words(3000, 4))
    # Single precision rounds the mean over 3000 words to some 1e-7.
    assert np.diff(found.objective_).min() > -1e-6
    assert found.objective_[-1] > found.objective_[0] + 0.01


def test_the_planted_components_are_found():
    found = BernoulliMixture(3, tolerance=1e-7).fit(words(40_000, 5))
    order = [int(np.abs(found.probabilities_ - row).sum(axis=1).argmin()) for row in PLANTED]
    assert sorted(order) == [0, 1, 2]
    assert_allclose(found.weights_[order], WEIGHTS, atol=0.02)
    assert_allclose(found.probabilities_[order], PLANTED, atol=0.03)


def test_one_component_is_the_independent_model_but_for_the_prior():
    data = words(300, 6)
    one = BernoulliMixture(1, pseudocount=2.0).fit(data)
    floor = Independent().fit(data)
    assert_allclose(one.probabilities_[0], ((data > 0).sum(axis=0) + 2 * floor.probabilities_) / 302, rtol=1e-6)
    assert one.n_parameters_ == floor.n_parameters_ == 8


def test_of_many_starts_the_best_goes_on():
    data = words(2000, 7)
    one, many = (BernoulliMixture(3, n_init=n, random_state=1).fit(data).objective_[9] for n in (1, 8))
    assert many >= one


def test_words_that_no_other_component_explains():
    data = np.repeat(np.array([[1], [-1]], np.int8), 200, axis=1).repeat(50, axis=0)
    found = BernoulliMixture(2, pseudocount=0.1, random_state=2).fit(data)
    assert np.isfinite(found.score_samples(data)).all()
    assert_allclose(found.score(data), -np.log(2), atol=0.2)


def test_too_few_iterations_are_told():
    with pytest.warns(ConvergenceWarning, match="BernoulliMixture has not converged after 12"):
        found = BernoulliMixture(3, max_iter=12, tolerance=1e-9).fit(words(1000, 8))
    assert not found.converged_


@pytest.mark.parametrize("options", [{"n_components": 0}, {"pseudocount": 0.0}, {"n_init": 0}, {"tolerance": -1.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        BernoulliMixture(**options).fit(words(100, 9))


def test_weights_fall():
    assert_array_equal(np.argsort(-BernoulliMixture(4).fit(words(1000, 1)).weights_, kind="stable"), np.arange(4))


@pytest.mark.parametrize("seed", range(3))
def test_variables_that_never_change_keep_probabilities_within_their_range(seed):
    random = np.random.default_rng(seed)
    constant = np.tile([1, -1, 1, -1, 1, -1, 1, -1], (3000, 1))
    rows = np.concatenate([random.choice([-1, 1], (3000, 8)), constant], axis=1).astype(np.int8)
    rows = rows[random.integers(0, 60, 3000)]
    model = BernoulliMixture(2, random_state=0).fit(rows)
    assert 0 < model.probabilities_.min() <= model.probabilities_.max() < 1
    assert np.isfinite(model.score_samples(rows)).all()
    assert np.isfinite(model.objective_).all()
