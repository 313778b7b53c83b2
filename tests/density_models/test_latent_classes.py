"""A mixture as a latent model: its posterior is exact, its own rows leave nothing, other rows do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.packing import all_configurations
from vae_mf.statistics.latent_model import LatentModel
from vae_mf.statistics.residual_information import pair_information, pair_sums
from vae_mf.statistics.row_order import row_blocks


@pytest.fixture(scope="module")
def model() -> LatentClasses:
    random = np.random.default_rng(1)
    mixture = BernoulliMixture(3)
    mixture.n_features_in_ = 6
    mixture.weights_, mixture.probabilities_ = np.array([0.5, 0.3, 0.2]), random.uniform(0.1, 0.9, (3, 6))
    return LatentClasses(mixture)


def test_it_keeps_the_contract(model):
    assert isinstance(model, LatentModel)


def test_classes_follow_bayes(model):
    states = all_configurations(6)
    probabilities = model.mixture.probabilities_
    joint = model.mixture.weights_ * np.where(states[:, None] > 0, probabilities, 1 - probabilities).prod(2)
    assert_allclose(model.class_probabilities(states), joint / joint.sum(1, keepdims=True), rtol=1e-10)


def test_classes_of_many_rows_are_those_of_each(model):
    rows = model.draw_rows(20_000, 5)
    whole = model.class_probabilities(rows)
    assert_allclose(whole[-3:], model.class_probabilities(rows[-3:]), rtol=1e-12)
    assert_allclose(whole.mean(0), model.mixture.weights_, atol=0.02)


def test_shifts_of_the_log_odds_are_those_against_all_rows(model):
    rates = model.mixture.weights_ @ model.mixture.probabilities_
    odds = model.mixture.probabilities_ / (1 - model.mixture.probabilities_)
    assert_allclose(np.exp(2 * model.shifts()) * rates / (1 - rates), odds)


def test_draws_of_the_class_follow_its_probabilities(model):
    row = np.int8([[1, -1, 1, 1, -1, 1]])
    (residuals,) = model.residuals(row, 20000, 1)
    shares = model.class_probabilities(row)[0]
    means = 2 * model.mixture.probabilities_ - 1
    spread = np.sqrt(shares @ means**2 - (shares @ means) ** 2)
    assert (np.abs(residuals[0].mean(0) - (row[0] - shares @ means)) < 4 * spread / 20000**0.5 + 1e-6).all()
    np.testing.assert_array_equal(residuals, next(model.residuals(row, 20000, 1)))


def test_products_of_variances_are_averages_over_the_classes(model):
    expected = sum(
        weight * np.outer(1 - (2 * p - 1) ** 2, 1 - (2 * p - 1) ** 2)
        for weight, p in zip(model.mixture.weights_, model.mixture.probabilities_, strict=True)
    )
    assert_allclose(model.variance_products(), expected)


def test_its_own_rows_leave_nothing_and_a_copied_variable_does(model):
    rows = model.draw_rows(4000, 2)
    copied = rows.copy()
    copied[:, 1] = np.where(np.random.default_rng(3).random(4000) < 0.2, rows[:, 0], rows[:, 1])
    blocks = row_blocks(4000, most=500)
    null, seen = (
        pair_information(pair_sums(model.residuals(x, 4, 4), blocks, model.variables), None, model.variance_products())
        for x in (rows, copied)
    )
    assert abs(null.significance) < 3
    assert seen.significance > 5
