"""Lower bounds in nats: tight for the exact log-ratio, hardly ever above the truth, blind where nothing is seen."""

import numpy as np
import pytest
from helpers.latent_models import coupled_pairs, draw_states, example
from scipy.stats import binom

from vae_mf.packing import all_configurations
from vae_mf.statistics.averages import Average
from vae_mf.statistics.residual_information import pair_features, pair_sums
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.tilt import donsker_varadhan, halves, newton_step, significant_features, tilt_bound
from vae_mf.statistics.u_statistics import Blocks

SITES, ROWS = 8, 1000
STATES = all_configurations(SITES)
MODEL = example(SITES)


def truth(strength: float) -> np.ndarray:
    log_truth = coupled_pairs(MODEL, {(2 * k, 2 * k + 1): strength for k in range(4)}, STATES)
    return log_truth - np.log(np.exp(log_truth).sum())


def divergence(log_truth: np.ndarray) -> float:
    return float(np.exp(log_truth) @ (log_truth - MODEL.log_probability(STATES)))


def bound(log_truth: np.ndarray, seed: int) -> Average:
    rows, own = draw_states(log_truth, ROWS, seed), MODEL.draw_rows(2 * ROWS, seed + 10**6)

    def parts() -> tuple:
        return MODEL.residuals(rows, 2, seed), MODEL.residuals(own, 2, seed + 10**6)

    first, second = parts()
    data = pair_sums(first, row_blocks(ROWS, most=250), MODEL.variables)
    zero = pair_sums(second, row_blocks(2 * ROWS, most=500), MODEL.variables)
    return tilt_bound(data, zero, *parts())


def test_the_exact_log_ratio_gives_the_divergence_with_an_error_that_covers():
    log_truth = truth(0.4)
    ratio = dict(zip(map(bytes, STATES), log_truth - MODEL.log_probability(STATES), strict=True))
    found = []
    for seed in range(100):
        values = [
            np.array([ratio[bytes(row)] for row in rows])
            for rows in (draw_states(log_truth, 300, seed), MODEL.draw_rows(300, seed))
        ]
        found.append(donsker_varadhan(*values))
    values, errors = np.array(found).T
    assert abs(values.mean() - divergence(log_truth)) < 4 * values.std() / 10
    covered = (np.abs(values - divergence(log_truth)) < 1.96 * errors).sum()
    assert covered >= binom.ppf(1e-3, 100, 0.95)


def test_any_other_function_gives_less():
    log_truth = truth(0.4)
    rows, own = draw_states(log_truth, 20000, 1), MODEL.draw_rows(20000, 2)
    for critic in (lambda x: 0.3 * (x[:, 0] * x[:, 1]), lambda x: x.sum(1) / 5.0, lambda x: np.zeros(len(x))):
        found = donsker_varadhan(critic(rows).astype(float), critic(own).astype(float))
        assert found.value < divergence(log_truth) + 3 * found.error


def test_errors_of_correlated_rows_come_from_blocks():
    values = np.repeat(np.random.default_rng(1).normal(size=100), 10)
    model = np.zeros(1000)
    blocks = Blocks(np.arange(1000) // 10, 1)
    ratio = donsker_varadhan(values, model, blocks).error / donsker_varadhan(values, model).error
    assert ratio == pytest.approx(10**0.5, rel=1e-6)
    assert np.isnan(donsker_varadhan(values, model, Blocks(np.zeros(1000, int), 0)).error)


@pytest.mark.parametrize(("strength", "runs"), [(0.0, 40), (0.15, 40), (0.5, 40)])
def test_bounds_lie_above_the_divergence_no_more_often_than_they_may(strength, runs):
    log_truth = truth(strength)
    exact = max(divergence(log_truth), 0.0)
    found = np.array([bound(log_truth, seed) for seed in range(runs)])
    above = (found[:, 0] - 1.645 * found[:, 1] > exact + 1e-12).sum()
    assert above <= binom.ppf(0.999, runs, 0.05)
    if strength == 0.5:
        assert found[:, 0].mean() > 0.6 * exact
        assert ((found[:, 0] > 2 * found[:, 1]).sum()) == runs


def test_pairs_are_chosen_at_a_false_discovery_rate():
    random = np.random.default_rng(2)
    residuals = random.choice(np.float32([-1, 1]), (2, 2000, 1, 30))
    residuals[0, :, 0, 1] *= np.where(random.random(2000) < 0.9, residuals[0, :, 0, 0] * residuals[0, :, 0, 1], 1)
    data, own = (pair_sums([part], row_blocks(2000), np.arange(30)) for part in residuals)
    assert significant_features(data, own, 0.01, 400)[0] == 0
    assert len(significant_features(data, own, 0.01, 400)) <= 3
    assert len(significant_features(own, own, 0.01, 400)) == 0
    assert len(significant_features(data, own, 0.5, 1)) == 1


def test_the_newton_step_is_the_regression_of_the_difference():
    random = np.random.default_rng(3)
    model = random.normal(size=(4000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 2.0]])
    data = model + np.array([0.1, 0.0, 0.2])
    expected = np.linalg.solve(np.cov(model.T), [0.1, 0.0, 0.2])
    np.testing.assert_allclose(newton_step(data, model, 0.0, 1.0), expected, rtol=1e-3)
    np.testing.assert_allclose(newton_step(data, model, 0.0, 0.5), expected / 2, rtol=1e-3)
    assert np.linalg.norm(newton_step(data, model, 1000.0, 1.0)) < 0.6 * np.linalg.norm(expected)


def test_features_of_rows_are_means_over_the_draws():
    residuals = np.random.default_rng(4).normal(size=(7, 3, 4)).astype(np.float32)
    sums = pair_sums([residuals], row_blocks(7), np.arange(4))
    np.testing.assert_allclose(pair_features([residuals], sums.pairs), sums.sums, rtol=1e-5, atol=1e-6)


def test_halves_are_views_and_leave_out_what_touches():
    sums = pair_sums([np.ones((7, 1, 4), np.float32)], Blocks(np.array([0, 1, 1, 2, 3, 3, 4]), 1), np.arange(4))
    first, second = halves(sums)
    assert np.shares_memory(first.sums, sums.sums)
    np.testing.assert_array_equal(first.sums, sums.sums[:2])
    np.testing.assert_array_equal(second.sums, sums.sums[3:])
    assert first.blocks.labels.tolist() == [0, 1, 1]
    assert second.blocks.labels.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(second.mean, 1.0)
