"""Residual information of pairs against enumerated laws, with good and bad encoders, rare variables and many rows."""

import resource
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.latent_models import OneLatent, coupled_pairs, draw_states, example
from numpy.testing import assert_allclose
from scipy.stats import binom

from vae_mf.packing import all_configurations
from vae_mf.statistics.latent_model import IndependentColumns, LatentModel
from vae_mf.statistics.residual_information import (
    PairSums,
    affordable_blocks,
    column_pairs,
    pair_features,
    pair_information,
    pair_scales,
    pair_sums,
)
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.u_statistics import Estimate

SITES, ROWS = 8, 800
STATES = all_configurations(SITES)


def sums(model: LatentModel, rows: np.ndarray, seed: int, draws: int = 4) -> PairSums:
    return pair_sums(model.residuals(rows, draws, seed), row_blocks(len(rows), most=200), model.variables)


def information(model: LatentModel, rows: np.ndarray, seed: int, centred: bool) -> Estimate:
    """I_2 of rows, the zero from twice as many of the model's own."""
    zero = sums(model, model.draw_rows(2 * len(rows), seed + 10**6), seed + 10**6) if centred else None
    return pair_information(sums(model, rows, seed), zero, model.variance_products())


def without_latents(rows: np.ndarray) -> Estimate:
    model = IndependentColumns(rows)
    return pair_information(sums(model, rows, 0, 1), None, model.variance_products())


def exact_information(model: OneLatent, log_truth: np.ndarray) -> float:
    """I_2 of an enumerated law: S_ij of all states, the posterior mean over z exact."""
    truth = np.exp(log_truth) / np.exp(log_truth).sum()
    posterior = model.posterior(STATES)
    first, second = np.triu_indices(SITES, 1)
    features = [
        (posterior * (STATES[:, [i]] - model.means[:, i]) * (STATES[:, [j]] - model.means[:, j])).sum(1)
        for i, j in zip(first, second, strict=True)
    ]
    return float(((truth @ np.stack(features, 1)) ** 2 / model.variance_products()[first, second]).sum() / 2)


def test_block_sums_are_those_of_all_features_however_the_rows_come():
    random = np.random.default_rng(1)
    residuals = random.normal(size=(50, 3, 6)).astype(np.float32)
    variables = np.array([0, 0, 1, 2, 2, 2])
    blocks = row_blocks(50, most=7)
    found = pair_sums(np.split(residuals, [10, 20, 30, 40]), blocks, variables)
    pairs = column_pairs(variables)
    assert all(variables[pairs.first] < variables[pairs.second])
    assert len(pairs.first) == 15 - 1 - 3
    features = pair_features([residuals], pairs)
    assert_allclose(features, (residuals[..., pairs.first] * residuals[..., pairs.second]).mean(1))
    expected = np.stack([features[blocks.labels == block].sum(0) for block in range(7)])
    assert_allclose(found.sums, expected, rtol=1e-4, atol=1e-5)
    assert_allclose(found.mean, features.mean(0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [49, 51])
def test_residuals_of_other_rows_are_refused(rows):
    with pytest.raises(ValueError, match="residuals of 50 rows, got"):
        pair_sums([np.zeros((rows, 1, 2), np.float32)], row_blocks(50), np.arange(2))


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.5])
def test_it_is_unbiased_and_its_error_covers(strength):
    """100 samples of a law with four coupled pairs, judged by the model without them."""
    model = example(SITES)
    log_truth = coupled_pairs(model, {(2 * k, 2 * k + 1): strength for k in range(4)}, STATES)
    exact = exact_information(model, log_truth)
    found = [information(model, draw_states(log_truth, ROWS, seed), seed, True) for seed in range(100)]
    values, errors, _ = np.array(found).T
    assert abs(values.mean() - exact) < 4 * values.std() / 10
    assert (np.abs(values - exact) < 1.96 * errors).sum() >= binom.ppf(1e-3, 100, 0.95)
    assert_allclose(errors.mean(), values.std(), rtol=0.25)


def test_it_is_the_divergence_where_that_is_small():
    """A model fitted to the law is best at order 1; one given is a fifth off at most."""
    model = example(SITES)
    log_truth = coupled_pairs(model, {(0, 1): 0.12, (2, 3): 0.12}, STATES)
    truth = np.exp(log_truth)
    divergence = float(truth @ (log_truth - model.log_probability(STATES)))
    assert exact_information(model, log_truth) == pytest.approx(divergence, rel=0.25)


@pytest.mark.parametrize("proposals", [1, 8])
def test_the_model_s_own_rows_are_the_zero_of_a_bad_encoder(proposals):
    """Alarms at 5 % if the model is right: at most that with the model's rows as zero, far more without."""
    random = np.random.default_rng(1)
    weights, fields = random.normal(0, 1.2, 16), random.normal(-0.5, 0.7, 16)
    model = OneLatent(weights, fields, proposals, shift=0.5, width=0.6)
    significance = {
        centred: [information(model, model.draw_rows(1200, seed), seed, centred).significance for seed in range(40)]
        for centred in (False, True)
    }
    alarms = {centred: (np.abs(values) > 1.96).sum() for centred, values in significance.items()}
    assert alarms[True] <= binom.ppf(0.995, 40, 0.05)
    assert alarms[False] >= 2 * binom.ppf(0.995, 40, 0.05) - 2


def test_rare_variables_keep_the_level():
    model = OneLatent(np.full(12, 0.8), np.full(12, -4.0))
    significance = [information(model, model.draw_rows(800, seed), seed, True).significance for seed in range(60)]
    assert (np.array(significance) > 1.96).sum() <= binom.ppf(0.999, 60, 0.05)


def test_without_latents_it_is_half_the_squared_correlations():
    """Rows of a law of pairs; the means are those of the columns."""
    log_truth = 0.3 * (STATES[:, 0] * STATES[:, 1] + STATES[:, 2] * STATES[:, 3].astype(float))
    found = []
    for seed in range(60):
        rows = draw_states(log_truth, ROWS, seed)
        found.append(without_latents(rows))
    values, errors, _ = np.array(found).T
    # Means that are fitted to the rows add half of Σ ρ² (1 - ρ²)² / n and less.
    assert values.mean() == pytest.approx(np.tanh(0.3) ** 2, abs=4 * values.std() / 60**0.5 + 1 / ROWS)
    assert_allclose(errors.mean(), values.std(), rtol=0.3)


def test_variables_that_never_change_have_no_information():
    rows = np.ones((40, 3), np.int8)
    rows[::2, 1] = rows[::3, 2] = -1
    assert pair_scales(IndependentColumns(rows).variance_products(), column_pairs(np.arange(3)))[0] == 0
    assert without_latents(rows).value == pytest.approx(without_latents(rows[:, 1:]).value)


@pytest.mark.slow
def test_a_thousand_variables_fit_the_memory():
    """20,000 rows of 499,500 pairs, which as features of rows would be 40 GB."""
    random = np.random.default_rng(1)

    def parts() -> Iterator[np.ndarray]:
        for _ in range(10):
            yield random.choice(np.float32([-1, 1]), (2000, 2, 1000))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    blocks = row_blocks(20000, most=affordable_blocks(1000))
    data, model = (pair_sums(parts(), blocks, np.arange(1000)) for _ in range(2))
    found = pair_information(data, model, np.ones((1000, 1000)))
    assert abs(found.significance) < 4
    # Features are means of two draws: half the variance.
    assert found.null_error == pytest.approx(np.sqrt(2 * 499500) / 2 / 20000, rel=0.1)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20 < 1.5
