"""Single sets of three and of four: all of them, the law of the largest, planted sets by name and in nats."""

from itertools import combinations

import numpy as np
import pytest
from helpers.latent_models import OneLatent
from scipy.stats import binom

from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.packing import all_configurations
from vae_mf.statistics.latent_model import IndependentColumns
from vae_mf.statistics.residual_orders import SampledRows
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.set_scores import (
    NONE,
    set_bound,
    set_groups,
    set_scores,
    set_sums,
    significant_sets,
    with_ones,
)

RUNS = 60
THRESHOLDS = discovery_settings(*discovery_config()).assessment.thresholds


def sampled(model, rows: np.ndarray, seed: int, time: float = 1.0) -> SampledRows:
    residuals = np.concatenate([part[:, 0] for part in model.residuals(rows, 1, seed)])
    return SampledRows(residuals, row_blocks(len(rows), time))


def samples(model, rows: np.ndarray, seed: int, time: float = 1.0, times: int = 2) -> tuple[SampledRows, SampledRows]:
    own = model.draw_rows(times * len(rows), seed + 10**6)
    return sampled(model, rows, seed, time), sampled(model, own, seed + 10**6, time)


def independent(random: np.random.Generator, rates: np.ndarray, rows: int) -> np.ndarray:
    return np.where(random.random((rows, len(rates))) < rates, 1, -1).astype(np.int8)


@pytest.mark.parametrize("order", [3, 4])
def test_every_set_is_summed_once(order, monkeypatch):
    """Also where the sets are taken a few at a time."""
    monkeypatch.setattr("vae_mf.statistics.set_scores.SETS_AT_ONCE", 20)
    residuals = np.random.default_rng(1).normal(size=(30, 7))
    blocks = row_blocks(30, most=4)
    found = {}
    for group in set_groups(7, order):
        sums = set_sums(with_ones(residuals), blocks, group)
        found |= {tuple(sorted(set(m) - {7})): own for m, own in zip(group.members.tolist(), sums.T, strict=True)}
    expected = [each for size in range(3, order + 1) for each in combinations(range(7), size)]
    assert sorted(found) == sorted(expected)
    for each in expected:
        products = residuals[:, each].prod(1)
        np.testing.assert_allclose(found[each], np.bincount(blocks.labels, products), rtol=1e-4, atol=1e-4)


def alarms(samples_of) -> int:
    count = 0
    for seed in range(RUNS):
        data, model = samples_of(seed)
        scores = set_scores(data, model, np.arange(data.residuals.shape[1]), 4, 60, seed)
        count += scores.p_values.min() <= 0.05
    return count


def rare(seed: int):
    random = np.random.default_rng(seed)
    rows = independent(random, np.exp(random.uniform(np.log(0.002), np.log(0.05), 12)), 3000)
    return samples(IndependentColumns(rows), rows, seed, times=1)


def beside_a_latent(seed: int):
    model = OneLatent(np.full(12, 0.9), np.linspace(-5, 0, 12))
    return samples(model, model.draw_rows(1500, seed), seed)


def lasting(seed: int):
    """Columns that keep their value for 10 rows, against those shifted in time."""
    random = np.random.default_rng(seed)
    rows = np.repeat(random.choice(np.int8([-1, 1]), (400, 10)), 10, axis=0)
    rows = np.stack([np.roll(column, random.integers(10)) for column in rows.T], axis=1)
    return samples(IndependentColumns(rows), rows, seed, 10.0, times=1)


@pytest.mark.parametrize("samples_of", [rare, beside_a_latent, lasting])
def test_the_family_wise_error_is_kept(samples_of):
    assert alarms(samples_of) <= binom.ppf(0.999, RUNS, 0.05)


def test_the_family_wise_error_is_not_far_below_its_level():
    def fair(seed: int):
        rows = np.random.default_rng(seed).choice(np.int8([-1, 1]), (1000, 8))
        return samples(IndependentColumns(rows), rows, seed, times=1)

    p_values = []
    for seed in range(RUNS):
        p_values.append(set_scores(*fair(seed), np.arange(8), 4, 60, seed).p_values.min())
    assert binom.ppf(1e-3, RUNS, 0.5) <= (np.array(p_values) <= 0.5).sum() <= binom.ppf(0.999, RUNS, 0.5)


def tilted(model: OneLatent, members: tuple[int, ...], strength: float) -> np.ndarray:
    """Ln p of all states, that of the model and an interaction of all members."""
    states = all_configurations(len(model.weights))
    logs = model.log_probability(states) + strength * states[:, members].prod(1)
    return logs - np.log(np.exp(logs).sum())


@pytest.mark.parametrize("members", [(1, 4, 6), (0, 2, 3, 7)])
def test_planted_sets_are_named_and_bounded_by_what_they_are_worth(members):
    """Beside a latent variable whose model is exact, against a sum over all states."""
    model = OneLatent(np.full(8, 0.7), np.zeros(8))
    states = all_configurations(8)
    log_truth = tilted(model, members, 0.4)
    exact = float(np.exp(log_truth) @ (log_truth - model.log_probability(states)))
    drawn = np.random.default_rng(1).choice(len(states), 8000, p=np.exp(log_truth))
    data, own = samples(model, states[drawn], 1)
    scores = set_scores(data, own, model.variables, 4, 60, 1)
    everything = np.ones(len(scores.scores), bool)
    table = significant_sets(scores, data, own, model.variables, everything, 0.05, 400)
    first = table.iloc[0][["first", "second", "third", "fourth"]].dropna()
    assert tuple(first.astype(int)) == members
    found = set_bound(scores, data, own, everything, 0.05, 400)
    assert 0.3 * exact < found.value - 2 * found.error
    assert found.value - 2 * found.error < exact < THRESHOLDS.sets_under * found.value + 2 * found.error


def test_a_set_of_rare_variables_is_seen():
    """Three that are on in 3 % of the rows, all at once in .5 % of them."""
    random = np.random.default_rng(2)
    rows = independent(random, np.full(12, 0.03), 6000)
    rows[np.ix_(random.random(6000) < 0.005, [2, 5, 9])] = 1
    data, own = samples(IndependentColumns(rows), rows, 2, times=1)
    scores = set_scores(data, own, np.arange(12), 4, 60, 2)
    everything = np.ones(len(scores.scores), bool)
    table = significant_sets(scores, data, own, np.arange(12), everything, 1e-3, 400)
    assert [2, 5, 9] in table[table.fourth.isna()][["first", "second", "third"]].to_numpy().tolist()
    # Another rare variable hardly changes the product: sets of four with these three are no news.
    fours = table[table.fourth.notna()][["first", "second", "third", "fourth"]]
    assert (fours.isin([2, 5, 9]).sum(axis=1) < 3).all()


def test_what_is_detectable_is_detected_95_times_in_100():
    seen = 0
    for seed in range(RUNS):
        random = np.random.default_rng(seed)
        rows = random.choice(np.int8([-1, 1]), (4000, 10))
        null = set_scores(*samples(IndependentColumns(rows), rows, seed, times=1), np.arange(10), 4, 60, seed)
        agree = random.random(4000) < (1 + np.sqrt(2 * null.detectable(0.01))) / 2
        rows[:, 3] = rows[:, :3].prod(1) * np.where(agree, 1, -1)
        scores = set_scores(*samples(IndependentColumns(rows), rows, seed, times=1), np.arange(10), 4, 60, seed)
        planted = (scores.members == [0, 1, 2, 3]).all(1)
        seen += scores.p_values[planted][0] < 0.01
    assert binom.ppf(1e-3, RUNS, 0.95) <= seen


def test_sets_that_hold_a_correlated_pair_are_told_apart():
    """Two correlated pairs make a set of four, which is no news."""
    random = np.random.default_rng(3)
    rows = random.choice(np.int8([-1, 1]), (5000, 8))
    for first in (0, 2):
        rows[:, first + 1] = np.where(random.random(5000) < 0.9, rows[:, first], rows[:, first + 1])
    data, own = samples(IndependentColumns(rows), rows, 3, times=1)
    scores = set_scores(data, own, np.arange(8), 4, 60, 3)
    pairs = np.zeros((8, 8), bool)
    pairs[0, 1] = pairs[2, 3] = True
    apart = scores.apart_from(pairs)
    assert scores.members[np.abs(scores.scores).argmax()].tolist() == [0, 1, 2, 3]
    expected = [not ({0, 1} <= set(each) or {2, 3} <= set(each)) for each in scores.members.tolist()]
    assert apart.tolist() == expected
    assert significant_sets(scores, data, own, np.arange(8), apart, 0.01, 400).empty


def test_columns_of_one_variable_are_in_no_set_together():
    random = np.random.default_rng(4)
    data, own = (SampledRows(random.normal(size=(600, 6)), row_blocks(600)) for _ in range(2))
    data.residuals[:, 1] = data.residuals[:, 0] * data.residuals[:, 2]
    variables = np.array([0, 0, 1, 2, 2, 3])
    scores = set_scores(data, own, variables, 4, 60, 5)
    names = np.append(variables, NONE)[scores.members]
    together = [len(set(each)) < 4 for each in names.tolist()]
    assert (scores.scores[together] == 0).all()
    assert (scores.scores[~np.array(together)] != 0).all()
