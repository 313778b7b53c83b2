"""Boltzmann learning with a free potential of the count: its moments, its steps, and the model it comes from."""

import numpy as np
import pytest
from helpers.word_models import enumerated, word_model
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from vae_mf.density_models import energy_model
from vae_mf.density_models.count_statistics import CountStatistics, Penalty
from vae_mf.density_models.k_pairwise import KPairwise
from vae_mf.statistics.distinct import DistinctSpins

SITES = 9
TRUTH = word_model(SITES, 0.8, seed=3, potential=0.7)
STATISTICS = CountStatistics(SITES, SITES)
SETTINGS = {"samples": 2**15, "chains": 2048, "resolution": 0.05}


def dense_statistics(words: np.ndarray) -> np.ndarray:
    """One column per statistic."""
    upper = np.triu_indices(words.shape[1], 1)
    counts = (words > 0).sum(axis=1)[:, None] == np.arange(words.shape[1] + 1)
    return np.hstack([words[:, upper[0]] * words[:, upper[1]], words, counts]).astype(float)


def dense_penalty(penalty: Penalty) -> np.ndarray:
    return np.column_stack([penalty.times(row) for row in np.eye(STATISTICS.size)])


def test_parameters_and_model_are_the_same_numbers():
    vector = np.random.default_rng(1).normal(size=STATISTICS.size)
    model = STATISTICS.model(vector)
    assert_allclose(STATISTICS.vector(*model), vector)
    words = TRUTH.words
    assert_allclose(model.exponents(words), dense_statistics(words) @ vector, atol=1e-10)


def test_moments_are_weighted_sums():
    words, shares = TRUTH.words, TRUTH.probabilities
    found = STATISTICS.moments(words.astype(np.float32), shares)
    assert_allclose(found, shares @ dense_statistics(words), atol=1e-6)


def test_the_penalty_is_what_it_says():
    random = np.random.default_rng(2)
    couplings = np.triu(random.normal(size=(SITES, SITES)), 1)
    potential = random.normal(size=SITES + 1)
    vector = STATISTICS.vector(couplings + couplings.T, random.normal(size=SITES), potential)
    expected = 2 * (couplings**2).sum() + 3 * (potential**2).sum() + 5 * (np.diff(potential, n=3) ** 2).sum()
    assert_allclose(vector @ Penalty(SITES, SITES, 2.0, 3.0, 5.0).times(vector), expected)
    damped = Penalty(SITES, SITES, 2.0, 3.0, 5.0).damped(np.full(SITES + 1, 0.5))
    assert_allclose(vector @ damped.times(vector), expected + 0.5 * (potential**2).sum())


def test_counts_that_the_data_never_reach_share_a_potential_that_falls():
    statistics = CountStatistics(SITES, 5)
    words = TRUTH.words
    vector = np.random.default_rng(4).normal(size=statistics.size)
    model = statistics.model(vector)
    assert_allclose(model.potential[5:], model.potential[5] - np.arange(SITES - 4.0) ** 2 / 2)
    found = statistics.moments(words.astype(np.float32), TRUTH.probabilities)[-6:]
    law = np.bincount((words > 0).sum(axis=1), weights=TRUTH.probabilities)
    assert_allclose(found, [*law[:5], law[5:].sum()])


def test_a_newton_step_solves_the_dense_equations():
    words = TRUTH.draw(5000, seed=2)
    penalty = Penalty(SITES, SITES, 0.01, 0.03, 0.02)
    features = dense_statistics(words)
    information = np.cov(features.T, bias=True) + dense_penalty(penalty)
    # A small gradient in the range of the matrix, so that no step is shortened and the solution unique.
    gradient = information @ (0.01 * np.random.default_rng(3).normal(size=STATISTICS.size))
    step = STATISTICS.newton_step(words.astype(np.float32), gradient, penalty)
    assert_allclose(information @ step.move, gradient, atol=0.03 * np.abs(gradient).max())
    assert_allclose(step.gain, gradient @ np.linalg.pinv(information) @ gradient / 2, rtol=1e-2)


def test_a_step_that_would_leave_the_sample_is_shortened():
    words = TRUTH.draw(5000, seed=2).astype(np.float32)
    target = np.zeros(STATISTICS.size)
    step = STATISTICS.newton_step(
        words, target - STATISTICS.moments(words, np.full(5000, 1 / 5000)), Penalty(SITES, SITES, 1e-4, 1e-4, 1e-4)
    )
    change = dense_statistics(words) @ step.move
    weights = np.exp(change - change.max())
    assert weights.sum() ** 2 / np.square(weights).sum() >= 0.3 * 5000


def test_exact_moments_give_back_the_model(monkeypatch):
    """From the whole distribution as data, weighing so much that no penalty is left."""
    monkeypatch.setattr(energy_model, "MOST_ENUMERATED", 0)
    data = DistinctSpins(TRUTH.words, TRUTH.probabilities, 1e9)
    found = KPairwise(averaged=20, **SETTINGS).fit(data.spins, sample_weight=data.samples * data.shares)
    assert found.converged_
    fitted = enumerated(found.model_).probabilities
    divergence = TRUTH.probabilities @ np.log(TRUTH.probabilities / fitted)
    # Noise costs parameters / (2 n) nats with n independent words; those of the averaged steps are correlated.
    assert 0 <= divergence < 10 * STATISTICS.size / (2 * 20 * 2**15)
    law = np.bincount((TRUTH.words > 0).sum(axis=1), weights=TRUTH.probabilities, minlength=SITES + 1)
    expected = TRUTH.model.canonical(law)
    assert_allclose(found.model_.couplings, expected.couplings, atol=0.03)
    assert_allclose(found.model_.potential[:6], expected.potential[:6], atol=0.05)
    assert abs(found.log_partition_ - enumerated(found.model_).log_partition) < 4 * found.log_partition_error_


def test_without_a_potential_in_the_data_it_is_pairwise():
    truth = word_model(SITES, 0.8, seed=5)
    found = KPairwise(averaged=20, **SETTINGS).fit(truth.words, sample_weight=1e6 * truth.probabilities)
    assert_allclose(found.model_.couplings, truth.model.couplings, atol=0.05)
    assert np.abs(found.model_.potential[:6]).max() < 0.05
    assert found.n_parameters_ == SITES * (SITES + 1) // 2 + SITES - 2


def test_too_few_steps_are_told():
    with pytest.warns(ConvergenceWarning, match="KPairwise has not converged after 1"):
        KPairwise(max_iter=1, averaged=0, **SETTINGS).fit(TRUTH.draw(2000, seed=6))


@pytest.mark.parametrize(
    "options",
    [{"l2": -1.0}, {"l2_potential": -1.0}, {"smoothness": -1.0}, {"samples": 0}, {"sweeps": 0}, {"averaged": -1}],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        KPairwise(**options).fit(TRUTH.draw(100, seed=7))


def test_a_constant_variable_is_refused():
    """Its field has no finite value: the fit left for -1e14 nats and said that it had converged."""
    rows = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (50, 4))
    rows[:, 2] = 1
    with pytest.raises(ValueError, match=r"got constant spins \[2\]"):
        KPairwise().fit(rows)
