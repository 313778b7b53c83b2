"""Population tracking against its definition by enumeration, and in its limits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from vae_mf.density_models import PopulationTracking
from vae_mf.density_models.population_tracking import draw_active, log_symmetric_sums
from vae_mf.packing import all_configurations
from vae_mf.statistics.independent import independent_count_law, probabilities_up

STATES = all_configurations(6)
COUNTS = (STATES > 0).sum(axis=1)
RANDOM = np.random.default_rng(1)
ROWS = RANDOM.choice(STATES, 500, p=RANDOM.dirichlet(np.full(64, 0.4)))


def test_the_density_is_that_of_the_rates_of_every_number():
    pseudocount = 1e-6
    found = PopulationTracking(pseudocount).fit(ROWS)
    total = (np.bincount((ROWS > 0).sum(axis=1), minlength=7) + 0.5) / 503.5
    for active in range(1, 6):
        own = STATES[active == COUNTS] > 0
        rates = (ROWS[(ROWS > 0).sum(axis=1) == active] > 0).mean(axis=0)
        weights = np.where(own, rates, 1 - rates).prod(axis=1)
        expected = total[active] * weights / weights.sum()
        assert_allclose(np.exp(found.score_samples(STATES[active == COUNTS])), expected, atol=1e-5)
    assert_allclose(found.score_samples(STATES[[0, -1]]), np.log(total[[0, -1]]))
    assert found.n_parameters_ == 6 + 25


def test_many_added_rows_leave_independent_variables_given_their_number():
    found = PopulationTracking(1e12).fit(ROWS)
    p = probabilities_up(ROWS)
    independent = np.where(STATES > 0, p, 1 - p).prod(axis=1) / independent_count_law(p)[COUNTS]
    assert_allclose(np.exp(found.score_samples(STATES)), found.count_law_[COUNTS] * independent, rtol=1e-6)


def test_the_normalisation_is_the_poisson_binomial_law():
    log_odds = RANDOM.normal(0, 2, (3, 40))
    for odds, sums in zip(log_odds, log_symmetric_sums(log_odds), strict=True):
        law = independent_count_law(expit(odds))
        assert_allclose(sums + np.log1p(-expit(odds)).sum(), np.log(law), rtol=1e-9)


@pytest.mark.parametrize("active", [0, 1, 3, 6])
def test_draws_have_their_number_and_law(active):
    log_odds = RANDOM.normal(0, 1.5, 6)
    rows = draw_active(log_odds, active, 20_000, np.random.default_rng(2))
    assert_array_equal((rows > 0).sum(axis=1), np.full(20_000, active))
    own = STATES[active == COUNTS]
    weights = np.exp((own > 0) @ log_odds)
    expected = weights / weights.sum()
    shares = (rows[:, None] == own).all(axis=2).mean(axis=0)
    assert np.abs((shares - expected) / np.sqrt(expected / 20_000)).max() < 4.5


def test_a_number_that_never_came_has_a_probability():
    found = PopulationTracking().fit(-np.ones((50, 4), np.int8))
    assert np.isfinite(found.score_samples(all_configurations(4))).all()
    with pytest.raises(ValueError, match="pseudocount"):
        PopulationTracking(0.0).fit(ROWS)
