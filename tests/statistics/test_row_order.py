"""Correlation times, drift and shifted columns, on rows whose memory is known."""

import numpy as np
import pytest
from helpers.memory import peak_bytes
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import binom

from vae_mf.statistics.latent_model import IndependentColumns
from vae_mf.statistics.residual_information import pair_information, pair_sums
from vae_mf.statistics.row_order import (
    block_time,
    chunks,
    correlation_time,
    covariance,
    drift,
    local_residuals,
    row_blocks,
    shift_test,
    shifted_columns,
    without_drift,
)
from vae_mf.statistics.u_statistics import Blocks


def renewals(rows: int, columns: int, time: float, seed: int) -> np.ndarray:
    """Independent columns that keep their value for ``time`` rows on the average: τ = 2 time - 1."""
    random = np.random.default_rng(seed)
    renewed = random.random((rows, columns)) < 1 / time
    renewed[0] = True
    fresh = random.random((rows, columns)) < expit(random.normal(0, 0.7, columns))
    last = np.maximum.accumulate(np.where(renewed, np.arange(rows)[:, None], 0), 0)
    return np.where(np.take_along_axis(fresh, last, 0), 1, -1).astype(np.int8)


def coins(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.int8([-1, 1]), (rows, columns))


def test_the_correlation_time_is_that_of_the_slowest_column():
    rows = np.concatenate([coins(40000, 3, 1), renewals(40000, 1, 20, 2)], axis=1)
    assert correlation_time(rows) == pytest.approx(39, rel=0.15)


def test_a_memory_that_no_column_shows_is_seen_in_the_first_component():
    """Many noisy copies of one slow variable."""
    slow = renewals(4000, 1, 20, 3)
    noisy = np.where(np.random.default_rng(4).random((4000, 40)) < 0.42, -slow, slow).astype(np.int8)
    columns = max(correlation_time(noisy[:, [i]]) for i in range(40))
    assert correlation_time(noisy) > 3 * columns


@pytest.mark.parametrize("shape", [(2000, 5), (4000, 20)])
def test_independent_rows_have_time_one(shape):
    assert [correlation_time(coins(*shape, seed)) for seed in range(20)] == [1.0] * 20


def test_blocks_are_longer_than_two_and_a_half_times_and_equally_many():
    blocks = row_blocks(1000, time=7.3)
    assert blocks.gap == 1
    assert len(blocks.sizes) == 54
    assert blocks.sizes.min() >= 2.5 * 7.3 - 1
    assert_array_equal(np.unique(np.diff(blocks.labels)), [0, 1])
    assert np.ptp(row_blocks(1003, most=10).sizes) == 1
    assert_array_equal(row_blocks(3).labels, range(3))
    assert_array_equal(row_blocks(3, time=100.0).labels, [0, 0, 0])


def telegraph(rows: int, columns: int, dwell: int, seed: int) -> np.ndarray:
    """Columns on at rates of .2 and .4, each with a state of its own that lasts for so many rows."""
    random = np.random.default_rng(seed)
    state = (np.cumsum(random.random((rows, columns)) < 1 / dwell, axis=0) + random.integers(0, 2, columns)) % 2
    return np.where(random.random((rows, columns)) < np.where(state, 0.4, 0.2), 1, -1).astype(np.int8)


def test_weak_memory_that_lasts_is_seen_in_means_over_blocks():
    """Of a share .048 of the variance, over 50 rows: τ = 1 + .048 · 2 · 50, of which few lags show hardly anything."""
    rows = telegraph(20_000, 10, 100, 1)
    assert correlation_time(rows) < 2
    # The slowest of several estimates is larger.
    assert 5 < block_time(rows) < 11
    assert [block_time(coins(3000, 12, seed)) for seed in range(40)] == [1.0] * 40


def test_drift_that_is_taken_out_leaves_memory():
    line = np.linspace(-2, 2, 8000)[:, None]
    random = np.random.default_rng(2)
    drifts = np.where(random.random((8000, 6)) < expit(line * np.ones(6)), 1, -1).astype(np.int8)
    assert correlation_time(drifts) > 100
    assert correlation_time(without_drift(drifts)) == 1
    slow = renewals(20_000, 5, 20, 3)
    assert correlation_time(without_drift(slow)) == pytest.approx(correlation_time(slow), rel=0.1)
    assert_allclose(without_drift(drifts).mean(0), 0, atol=1e-5)


def test_the_drift_test_keeps_its_size():
    """300 sets of 12 columns, independent or with a short memory."""
    alarms = sum(drift(coins(800, 12, seed)) < 0.05 for seed in range(200))
    alarms += sum(drift(renewals(4000, 12, 3, seed)) < 0.05 for seed in range(100))
    assert binom.sf(alarms - 1, 300, 0.05) > 1e-3
    assert binom.cdf(alarms, 300, 0.05) > 1e-3


def test_drift_is_seen_and_taken_out():
    random = np.random.default_rng(5)
    time = np.linspace(-1, 1, 6000)[:, None]
    fields = random.normal(-0.5, 0.7, 12) + random.normal(0, 0.5, 12) * time
    rows = np.where(random.random((6000, 12)) < expit(fields), 1, -1).astype(np.int8)
    assert drift(rows) < 1e-6
    assert drift(np.random.default_rng(1).permutation(rows)) > 1e-3
    model = IndependentColumns(rows)
    blocks = row_blocks(6000)
    seen = pair_sums(model.residuals(rows, 1, 0), blocks, model.variables)
    assert pair_information(seen, None, model.variance_products()).significance > 5
    windows = pair_sums([local_residuals(rows, 40)[:, None]], blocks, model.variables)
    assert abs(pair_information(windows, None, model.variance_products()).significance) < 3


def test_covariances_of_local_residuals_are_unbiased():
    """Windows of five rows: without the factor a fifth would be missing."""
    random = np.random.default_rng(6)
    shared = random.normal(size=(40000, 1))
    rows = shared + random.normal(size=(40000, 2))
    residuals = local_residuals(rows, 8000)
    assert_allclose(covariance(residuals), [[2, 1], [1, 2]], atol=0.06)
    with pytest.raises(ValueError, match="at most 2, half the number of rows, got 3"):
        local_residuals(rows[:5], 3)


def test_many_rows_are_held_once_in_single_precision_at_the_most():
    rows = np.random.default_rng(7).choice(np.int8([-1, 1]), (200_000, 10))
    assert peak_bytes(lambda: local_residuals(rows, 40)) < 1.2 * 4 * rows.size
    assert peak_bytes(IndependentColumns(rows).variance_products) < 0.5 * 4 * rows.size
    assert_allclose(IndependentColumns(rows).variance_products().diagonal(), rows.var(0) ** 2, rtol=1e-6)


def test_rows_in_another_order_are_copied_chunk_by_chunk():
    rows = np.random.default_rng(7).choice(np.int8([-1, 1]), (60_000, 10))
    order = np.random.default_rng(8).permutation(len(rows))
    assert_array_equal(np.concatenate(list(chunks(rows, order))), rows[order])
    assert peak_bytes(lambda: sum(part.sum() for part in chunks(rows, order))) < 2 * rows.size


def test_surrogates_shift_every_column_round_the_ends():
    rows = np.arange(30).reshape(10, 3)
    first, second = shifted_columns(rows, 2, seed=1)
    assert not (first == second).all()
    for surrogate in (first, second):
        for column in range(3):
            start = int(np.flatnonzero(surrogate[:, column] == rows[0, column])[0])
            assert_array_equal(np.roll(surrogate[:, column], -start), rows[:, column])
    assert_array_equal(first, next(shifted_columns(rows, 1, seed=1)))


def test_correlations_are_seen_among_columns_with_memory():
    """One pair of ten columns is coupled; without the coupling the same test is silent."""
    rows = renewals(6000, 10, 5, 7)
    assert shift_test(rows, 39, seed=1).information.p_value > 0.05
    coupled = rows.copy()
    coupled[:, 1] = np.where(np.random.default_rng(8).random(6000) < 0.3, rows[:, 0], rows[:, 1])
    found = shift_test(coupled, 39, seed=1)
    assert found.information.significance > 4
    assert found.information.p_value == pytest.approx(1 / 40)
    expected = np.corrcoef(coupled.T)[np.triu_indices(10, 1)]
    assert found.information.value == pytest.approx((expected**2).sum() / 2)
    assert found.eigenvalue.value == pytest.approx(np.linalg.eigvalsh(np.corrcoef(coupled.T))[-1])
    assert found.information.excess == pytest.approx(np.corrcoef(coupled.T)[0, 1] ** 2 / 2, rel=0.2)


def test_columns_of_one_variable_are_no_pair():
    rows = coins(400, 1, 9)
    doubled = np.concatenate([rows, rows, coins(400, 1, 10)], axis=1)
    variables = np.array([0, 0, 1])
    alone = shift_test(doubled, 5, seed=1, variables=variables).information.value
    assert alone == pytest.approx((np.corrcoef(doubled.T)[:2, 2] ** 2).sum() / 2)


def test_constant_columns_have_no_correlations():
    rows = np.concatenate([np.ones((50, 1), np.int8), coins(50, 2, 1)], axis=1)
    found = shift_test(rows, 5, seed=1)
    assert found.information.value == pytest.approx(np.corrcoef(rows[:, 1:].T)[0, 1] ** 2 / 2)
    assert drift(rows) > 0.01


@pytest.mark.slow
def test_information_of_autocorrelated_columns_needs_blocks_that_do_not_touch():
    """Independent columns of τ = 99 rows: single rows always raise an alarm, blocks with a gap keep the level."""
    single, blocked, shifted = [], [], []
    for seed in range(40):
        rows = renewals(10000, 24, 50, seed)
        model = IndependentColumns(rows)
        products = model.variance_products()
        blocks = row_blocks(10000, correlation_time(rows))
        naive = pair_sums(model.residuals(rows, 1, 0), Blocks(np.arange(10000) // 10, 0), model.variables)
        single.append(pair_information(naive, None, products).significance)
        sums = pair_sums(model.residuals(rows, 1, 0), blocks, model.variables)
        blocked.append(pair_information(sums, None, products).significance)
        shifted.append(shift_test(rows, 19, seed).information.p_value)
    assert min(single) > 5
    assert (np.array(blocked) > 1.645).sum() <= binom.ppf(0.999, 40, 0.05)
    assert (np.array(shifted) <= 0.05).sum() <= binom.ppf(0.999, 40, 0.05)
