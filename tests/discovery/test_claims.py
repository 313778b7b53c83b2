"""Sentences of a report are true: what they say is planted, drawn again and again, and counted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.verdict.independence import Independence, independence_of
from vae_mf.verdict.time_order import time_order

SETTINGS = discovery_settings(*discovery_config()).independence
LEVEL = 1e-3
"""Probability that a test of a true claim fails."""


def sets_that_agree(rows: int, variables: int, order: int, count: int, nats: float, seed: int) -> np.ndarray:
    """Columns of which ``count`` sets of ``order`` share ``nats`` in all, in their products alone."""
    random = np.random.default_rng(seed)
    x = random.choice(np.int8([-1, 1]), (rows, variables))
    correlation = np.sqrt(2 * nats / count)
    for number in range(count):
        *rest, last = range(number * order, (number + 1) * order)
        agree = random.random(rows) < (1 + correlation) / 2
        x[:, last] = np.where(agree, 1, -1) * x[:, rest].prod(1)
    return x


def outcome(rows: np.ndarray, **changes) -> Independence:
    settings = replace(SETTINGS, **changes)
    return independence_of(rows, time_order(rows, np.zeros(len(rows), int)), settings, seed=1)


@pytest.mark.parametrize(
    ("rows", "variables", "order", "count"),
    [
        (500, 5, 2, 1),
        pytest.param(500, 8, 2, 4, marks=pytest.mark.slow),
        pytest.param(300, 6, 3, 1, marks=pytest.mark.slow),
        pytest.param(1000, 20, 2, 1, marks=pytest.mark.slow),
        pytest.param(1000, 20, 2, 10, marks=pytest.mark.slow),
    ],
)
def test_correlations_of_so_many_nats_would_have_been_seen_95_times_in_100(rows, variables, order, count):
    """And those of two thirds as many would not."""
    draws = 100
    changes = {"orders": order, "order_rows": rows}
    stated = outcome(sets_that_agree(rows, variables, order, count, 0.0, seed=0), **changes).detectable(order)

    def seen(nats):
        planted = (sets_that_agree(rows, variables, order, count, nats, 1 + seed) for seed in range(draws))
        return sum(order in outcome(x, **changes).seen for x in planted)

    assert binom.cdf(seen(stated), draws, 0.95) > LEVEL
    assert binom.cdf(seen(stated / 1.5), draws, 0.95) < LEVEL


@pytest.mark.parametrize("nulls", [0.0, pytest.param(1.0, marks=pytest.mark.slow), 3.0])
def test_pairs_share_less_than_the_bound(nulls):
    """Over draws of true correlations of so many errors of the null the bound is above the truth: two errors."""
    rows, variables, draws = 500, 6, 100
    truth = nulls * outcome(sets_that_agree(rows, variables, 2, 1, 0.0, seed=0), orders=2).pairs.null_error
    planted = (sets_that_agree(rows, variables, 2, 1, truth, 1 + seed) for seed in range(draws))
    bounds = np.array([outcome(x, orders=2).bound for x in planted])
    assert binom.cdf((bounds >= truth).sum(), draws, 0.975) > LEVEL
    # A bound is not had for nothing: of independent columns it is about two errors.
    if not nulls:
        assert np.median(bounds) < 3 * outcome(sets_that_agree(rows, variables, 2, 1, 0.0, seed=0), orders=2).bound
