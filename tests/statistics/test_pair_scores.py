"""Single pairs: the family-wise error where a pair's own spread fails, and planted pairs by name."""

import numpy as np
import pytest
from helpers.latent_models import OneLatent, coupled_pairs, draw_states, example
from helpers.memory import peak_bytes
from scipy.stats import binom, norm

from vae_mf.packing import all_configurations
from vae_mf.statistics.latent_model import IndependentColumns, LatentModel
from vae_mf.statistics.pair_scores import pair_scores, significant_pairs
from vae_mf.statistics.residual_information import PairSums, column_pairs, pair_information, pair_sums
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.tilt import squared_errors

RUNS = 60


def samples(model: LatentModel, rows: np.ndarray, seed: int, time: float = 1.0) -> tuple[PairSums, PairSums]:
    own = model.draw_rows(2 * len(rows), seed + 10**6)
    data = pair_sums(model.residuals(rows, 2, seed), row_blocks(len(rows), time, 300), model.variables)
    blocks = row_blocks(len(own), time, 2 * len(data.blocks.sizes))
    return data, pair_sums(model.residuals(own, 2, seed + 10**6), blocks, model.variables)


def test_rare_variables_keep_the_family_wise_error_that_their_own_spread_breaks():
    """Twelve variables that are up in 2 % of the rows, the model exact."""
    model = OneLatent(np.full(12, 0.8), np.full(12, -4.0))
    alarms, naive = 0, 0
    for seed in range(RUNS):
        data, own = samples(model, model.draw_rows(600, seed), seed)
        alarms += pair_scores(data, own, 99, seed).p_values.min() <= 0.05
        scores = np.abs(data.mean) / np.sqrt(squared_errors(data))
        naive += 2 * norm.sf(scores.max()) * len(scores) < 0.05
    assert alarms <= binom.ppf(0.999, RUNS, 0.05)
    assert naive > RUNS / 2


def test_the_family_wise_error_is_not_far_below_its_level():
    """Two variables, one pair: the p-value is uniform."""
    model = example(2)
    p_values = []
    for seed in range(RUNS):
        rows = model.draw_rows(300, seed)
        p_values.append(pair_scores(*samples(model, rows, seed), 99, seed).p_values[0])
    assert binom.ppf(1e-3, RUNS, 0.5) <= (np.array(p_values) <= 0.5).sum() <= binom.ppf(0.999, RUNS, 0.5)


def test_planted_pairs_are_listed_by_name_with_their_nats():
    model = example(8)
    log_truth = coupled_pairs(model, {(0, 1): 0.5, (4, 5): 0.5}, all_configurations(8))
    data, own = samples(model, draw_states(log_truth, 2000, 1), 1)
    scores = pair_scores(data, own, 199, 1)
    products = model.variance_products()
    table = significant_pairs(scores, data, products, model.variables, 0.05)
    assert {(0, 1), (4, 5)} <= set(zip(table["first"], table["second"], strict=True))
    assert (table.score.abs().diff().dropna() <= 0).all()
    first = table.iloc[0]
    place = np.flatnonzero((data.pairs.first == first["first"]) & (data.pairs.second == first["second"]))[0]
    assert first.difference == pytest.approx(data.mean[place] - own.mean[place])
    assert first.nats == pytest.approx(first.difference**2 / 2 / products[int(first["first"]), int(first["second"])])
    assert (scores.p_values[np.abs(scores.scores) > scores.critical] <= 0.05).all()


def test_of_variables_with_several_columns_the_strongest_pair_is_listed():
    random = np.random.default_rng(2)
    residuals = random.normal(size=(2, 500, 1, 6)).astype(np.float32)
    residuals[0, ..., 4] += 2 * residuals[0, ..., 0]
    residuals[0, ..., 5] += residuals[0, ..., 1]
    variables = np.repeat([0, 1, 2], 2)
    data, own = (pair_sums([part], row_blocks(500), variables) for part in residuals)
    table = significant_pairs(pair_scores(data, own, 199, 3), data, np.ones((6, 6)), variables, 0.05)
    assert table[["first", "second"]].to_numpy().tolist() == [[0, 2]]
    assert table.difference[0] == pytest.approx(data.mean[list(column_pairs(variables).second).index(4)], abs=0.2)


def test_columns_with_a_memory_keep_the_level():
    """Independent columns that keep their value for 10 rows, against those shifted in time."""
    alarms = 0
    for seed in range(RUNS):
        random = np.random.default_rng(seed)
        rows = np.repeat(random.choice(np.int8([-1, 1]), (400, 6)), 10, axis=0)
        rows = np.stack([np.roll(column, random.integers(10)) for column in rows.T], axis=1)
        scores = pair_scores(*samples(IndependentColumns(rows), rows, seed, 10.0), 99, seed)
        alarms += scores.p_values.min() <= 0.05
    assert alarms <= binom.ppf(0.999, RUNS, 0.05)


def test_correlated_data_have_wider_errors_than_the_model_s_independent_rows():
    """The data come in runs of ten equal rows, the model's rows do not."""
    alarms = 0
    for seed in range(RUNS):
        random = np.random.default_rng(seed)
        data = np.repeat(random.choice(np.float32([-1, 1]), (200, 1, 6)), 10, axis=0)
        own = random.choice(np.float32([-1, 1]), (4000, 1, 6))
        blocks = row_blocks(2000, 10.0)
        sums = pair_sums([data], blocks, np.arange(6))
        zero = pair_sums([own], row_blocks(4000, most=2 * len(blocks.sizes)), np.arange(6))
        alarms += pair_scores(sums, zero, 99, seed).p_values.min() <= 0.05
    assert alarms <= binom.ppf(0.999, RUNS, 0.05)


def test_scores_of_many_pairs_take_less_memory_than_their_sums():
    sums = np.random.default_rng(4).normal(size=(100, 44850)).astype(np.float32)
    features = PairSums(sums, column_pairs(np.arange(300)), row_blocks(100))
    assert peak_bytes(lambda: pair_scores(features, features, 19, 1)) < 2 * sums.nbytes
    assert peak_bytes(lambda: pair_information(features, features, np.ones((300, 300)))) < sums.nbytes
