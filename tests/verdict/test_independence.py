"""Variables that are independent are called so, whatever the order of their rows, and dependent ones are not."""

from dataclasses import replace

import numpy as np
import pytest

from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.verdict.independence import independence_of
from vae_mf.verdict.time_order import TimeOrder, time_order

SETTINGS = discovery_settings(
    *discovery_config(independence={"shifts": 29, "orders": 4, "order_rows": 800})
).independence
PAIRS_ALONE = replace(SETTINGS, orders=2)


def up(random: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    return np.where(random.random(probabilities.shape) < probabilities, 1, -1).astype(np.int8)


def outcome(rows: np.ndarray, settings=SETTINGS):
    return independence_of(rows, time_order(rows, np.arange(len(rows))), settings, seed=1)


def rare(random, rows=6000, variables=10):
    return up(random, np.broadcast_to(random.uniform(0.004, 0.03, variables), (rows, variables)))


def heterogeneous(random, rows=4000, variables=10):
    return up(random, np.broadcast_to(random.uniform(0.05, 0.95, variables), (rows, variables)))


def drifting(random, rows=8000, variables=10):
    slope = random.normal(0, 0.6, variables) * np.linspace(-1, 1, rows)[:, None]
    return up(random, 1 / (1 + np.exp(-slope)))


def sticky(random, rows=12_000, variables=10, time=20):
    """Two-state chains that keep their state for some rows."""
    fresh = random.random((rows, variables)) < 1 / time
    fresh[0] = True
    last = np.maximum.accumulate(np.where(fresh, np.arange(rows)[:, None], 0), axis=0)
    return np.take_along_axis(up(random, np.full((rows, variables), 0.4)), last, axis=0)


def slow(random, rows=12_000, variables=20, dwell=600):
    """Columns on at rates of .2 and .4, each with a state of its own that lasts for so many rows."""
    state = (np.cumsum(random.random((rows, variables)) < 1 / dwell, axis=0) + random.integers(0, 2, variables)) % 2
    return up(random, np.where(state, 0.4, 0.2))


@pytest.mark.parametrize("make", [rare, heterogeneous, sticky, slow])
@pytest.mark.parametrize("seed", range(4))
def test_independent_variables_are_not_seen_to_depend_on_each_other(make, seed):
    found = outcome(make(np.random.default_rng(seed)))
    assert found.seen == []
    assert not found.drift_alone


@pytest.mark.parametrize("seed", range(4))
def test_rates_that_drift_are_called_drift_and_nothing_else(seed):
    found = outcome(drifting(np.random.default_rng(seed)))
    assert found.drifts
    assert found.drift_alone


def test_the_memory_of_rows_is_measured_and_counts():
    found = outcome(sticky(np.random.default_rng(1)))
    # Each chain is renewed with probability 1 / 20: tau = 2 * 20 - 1 rows, the largest of eleven estimates is larger.
    assert 30 < found.correlation_time < 90
    assert found.effective == pytest.approx(12_000 / found.correlation_time)
    assert found.few is (found.effective < 200)
    assert outcome(heterogeneous(np.random.default_rng(1))).correlation_time == 1


@pytest.mark.parametrize("dwell", [100, 300, 1000])
def test_weak_memory_that_lasts_is_measured_and_sets_the_null_law(dwell):
    """By the law of independent rows pairs stand out by 4 to 19 errors."""
    found = outcome(slow(np.random.default_rng(dwell), dwell=dwell), PAIRS_ALONE)
    assert found.correlation_time > 3
    assert found.shifted
    assert abs(found.pairs.significance) < 4


def test_shifted_columns_of_rows_that_change_set_the_null_law():
    """A drift that no cosine test sees, too fast for that, too slow for memory: fifteen waves over all rows."""
    random = np.random.default_rng(1)
    phases = np.pi * (30 * np.linspace(0, 1, 8000)[:, None] + 2 * random.random(12))
    found = outcome(up(random, 0.3 + 0.1 * np.sin(phases)), PAIRS_ALONE)
    assert found.shifted
    assert not outcome(heterogeneous(random), PAIRS_ALONE).shifted
    # The order of rows that have none says nothing.
    rows = np.sort(up(random, np.full((2000, 8), 0.4)), axis=0)
    assert not independence_of(rows, time_order(rows, np.zeros(2000, int)), PAIRS_ALONE, seed=1).shifted


def switching(random, rows=6000, variables=10, switch=True):
    """A latent variable that acts on other variables from the middle of the rows on; rates stay."""
    first, second = random.normal(0, 1.1, (2, variables))
    early = np.arange(rows)[:, None] < rows // 2
    weights = np.where(early, first, second if switch else first)
    return up(random, 1 / (1 + np.exp(-weights * random.normal(size=(rows, 1)))))


@pytest.mark.parametrize("seed", range(3))
def test_correlations_that_change_over_the_rows_are_seen(seed):
    assert outcome(switching(np.random.default_rng(seed)), PAIRS_ALONE).changes
    assert not outcome(switching(np.random.default_rng(seed), switch=False), PAIRS_ALONE).changes
    assert not outcome(slow(np.random.default_rng(seed)), PAIRS_ALONE).changes


def test_times_of_a_stimulus_that_is_repeated_are_no_change_of_the_recording():
    rows = switching(np.random.default_rng(1))
    repeated = independence_of(rows, time_order(rows, np.tile(np.arange(3000), 2)), PAIRS_ALONE, seed=1)
    assert repeated.change is None
    assert not repeated.changes


def test_drift_is_kept_apart_from_memory():
    assert outcome(drifting(np.random.default_rng(1))).correlation_time < 5


def pairs(random, rows):
    x = up(random, np.full((rows, 10), 0.5))
    x[:, 1] = np.where(random.random(rows) < 0.56, x[:, 0], -x[:, 0])
    return x


def triples(random, rows):
    x = up(random, np.full((rows, 10), 0.5))
    x[:, 2] = np.where(random.random(rows) < 0.9, x[:, 0] * x[:, 1], -x[:, 0] * x[:, 1])
    return x


@pytest.mark.parametrize("members", [(3, 7, 11), (0, 5, 9, 23)])
def test_a_single_set_is_seen_that_the_sum_over_all_sets_hides(members):
    """One product among 24 independent variables, .08 nats."""
    random = np.random.default_rng(1)
    x = up(random, np.full((4000, 24), 0.5))
    *rest, last = members
    x[:, last] = x[:, rest].prod(1) * np.where(random.random(4000) < 0.7, 1, -1)
    found = outcome(x)
    assert found.seen == [len(members)]
    assert found.orders[len(members)].significance < SETTINGS.orders_seen
    (single,) = found.sets_seen
    assert single.members == list(members)
    assert single.alone
    assert single.nats == pytest.approx(0.08, abs=0.03)


@pytest.mark.parametrize(("make", "order"), [(pairs, 2), (triples, 3)])
def test_the_order_at_which_variables_depend_is_seen(make, order):
    assert outcome(make(np.random.default_rng(1), 4000)).seen == [order]


def test_repeats_of_one_time_stand_together():
    time = np.tile(np.arange(50), 3)
    rows = up(np.random.default_rng(1), np.full((150, 4), 0.5))
    order = time_order(rows, time)
    assert time[order.order].tolist() == sorted(time.tolist())
    assert order.times.tolist() == np.repeat(np.arange(50), 3).tolist()
    blocks = order.blocks(4)
    assert all(len(set(blocks.labels[order.times == t])) == 1 for t in range(50))


def test_a_short_piece_of_time_has_blocks_that_do_not_touch():
    """Of 200 times that resemble each other over 20 the last 20 are held out, in each of 3 repeats."""
    times = np.repeat(np.arange(200), 3)
    blocks = TimeOrder(np.arange(600), times, correlation_time=20.0).blocks(4, chosen=times >= 180)
    assert len(np.unique(blocks.labels)) >= 5
    assert np.ptp(blocks.labels) > blocks.gap


def test_rows_without_an_order_have_a_time_each():
    rows = up(np.random.default_rng(1), np.full((20, 4), 0.5))
    order = time_order(rows, np.zeros(20, int))
    assert (order.correlation_time, order.effective) == (1, 20)
    assert order.times.tolist() == list(range(20))
