"""Squared means from products of blocks: unbiased, with errors that cover, at zero and away from it."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom

from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.u_statistics import Blocks, Estimate, u_statistic

REPETITIONS = 200


def block_sums(features: np.ndarray, blocks: Blocks) -> np.ndarray:
    return np.add.reduceat(features, np.flatnonzero(np.diff(blocks.labels, prepend=-1)))


def estimate(features: np.ndarray, blocks: Blocks, other: np.ndarray | None = None, others: Blocks | None = None):
    sums = block_sums(features, blocks)
    if other is not None:
        sums = np.concatenate([sums, block_sums(other, others)])
    return u_statistic(sums @ sums.T, blocks, others)


def test_it_is_the_mean_product_of_rows_whose_blocks_do_not_touch():
    features = np.random.default_rng(1).normal(size=(11, 3))
    blocks = row_blocks(11, most=5)._replace(gap=1)
    allowed = [
        features[a] @ features[b]
        for a, b in product(range(11), repeat=2)
        if abs(blocks.labels[a] - blocks.labels[b]) > 1
    ]
    assert estimate(features, blocks).value == pytest.approx(np.mean(allowed) / 2)


def test_with_a_model_it_is_the_distance_of_the_means_without_their_noise():
    random = np.random.default_rng(2)
    data, model = random.normal(size=(6, 2)), random.normal(size=(9, 2))
    own = [(s.sum(0) @ s.sum(0) - (s**2).sum()) / (len(s) * (len(s) - 1)) for s in (data, model)]
    expected = (sum(own) - 2 * data.mean(0) @ model.mean(0)) / 2
    found = estimate(data, row_blocks(6), model, row_blocks(9))
    assert found.value == pytest.approx(expected)


@pytest.mark.parametrize("distance", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("centred", [False, True])
def test_values_are_unbiased_and_errors_cover(distance, centred):
    """Features of unequal variances; the zero of the data's is that of the model's.

    At zero the error is a little too large, as the part that the distance adds is never below zero.
    """
    random = np.random.default_rng(3)
    scale = np.linspace(0.2, 1.5, 20)
    mean = random.normal(size=20)
    mean *= distance / np.linalg.norm(mean)
    zero = random.normal(size=20) if centred else np.zeros(20)
    found = []
    for _ in range(REPETITIONS):
        data = zero + mean + scale * random.normal(size=(120, 20))
        model = zero + scale * random.normal(size=(200, 20))
        found.append(estimate(data, row_blocks(120), *([model, row_blocks(200, most=100)] if centred else [])))
    values, errors, null_errors = np.array(found).T
    truth = distance**2 / 2
    assert abs(values.mean() - truth) < 4 * values.std() / REPETITIONS**0.5
    covered = (np.abs(values - truth) < 1.96 * errors).sum()
    assert binom.cdf(covered, REPETITIONS, 0.95) > 1e-3
    assert_allclose(errors.mean(), values.std(), rtol=0.17 if distance else 0.3)
    if not distance:
        assert_allclose(null_errors.mean(), values.std(), rtol=0.17)


def test_the_null_error_does_not_grow_with_the_distance():
    random = np.random.default_rng(4)
    noise = random.normal(size=(200, 10))
    near, far = (estimate(noise + shift, row_blocks(200)) for shift in (0.0, 3.0))
    assert far.null_error == pytest.approx(near.null_error, rel=0.01)
    assert far.error > 10 * near.error


def test_what_is_called_detectable_is_seen_as_often_as_promised():
    random = np.random.default_rng(5)
    null = estimate(random.normal(size=(400, 50)), row_blocks(400, most=100))
    value = null.detectable(4.0, rows=400.0)
    shift = np.sqrt(2 * value / 50)
    noise = random.normal(size=(200, 400, 50))
    blocks = row_blocks(400, most=100)
    seen = sum(estimate(shift + rows, blocks).significance > 4 for rows in noise[:100])
    assert seen >= 88
    assert sum(estimate(rows, blocks).significance > 4 for rows in noise[100:]) <= 1


def test_an_upper_limit_is_as_many_errors_above_as_it_says():
    found = Estimate(0.03, 0.02, 0.01)
    upper = found.upper(2.0, rows=500.0)
    assert upper - 2 * np.hypot(0.01, np.sqrt(2 * upper / 500)) == pytest.approx(0.03)


def test_blocks_that_all_touch_are_refused():
    with pytest.raises(ValueError, match="some that do not touch, got 2 with a gap of 1"):
        estimate(np.ones((4, 1)), row_blocks(4, most=2)._replace(gap=1))


def test_significance_is_in_errors_of_the_null():
    assert Estimate(0.3, 0.2, 0.1).significance == pytest.approx(3)
