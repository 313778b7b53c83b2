"""Residual information of any order against sums over all sets of variables, and products that no pair shows."""

from itertools import combinations

import numpy as np
import pytest
from helpers.latent_models import draw_states
from numpy.testing import assert_allclose

from vae_mf.packing import all_configurations
from vae_mf.statistics.residual_orders import SampledRows, block_products, elementary_symmetric, residual_orders
from vae_mf.statistics.row_order import row_blocks


def sampled(residuals: np.ndarray, most: int = 1000) -> SampledRows:
    return SampledRows(residuals.astype(np.float32), row_blocks(len(residuals), most=most))


def coins(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], (rows, columns))


def product_groups(rows: int, size: int, groups: int, seed: int) -> np.ndarray:
    """Groups of columns of which each last one is the product of the others, but for 10 % of the rows."""
    spins = coins(rows, size * groups, seed)
    kept = np.where(np.random.default_rng(seed + 1).random((rows, groups)) < 0.9, 1, -1)
    for group in range(groups):
        spins[:, size * group + size - 1] = kept[:, group] * spins[:, size * group : size * group + size - 1].prod(1)
    return spins


def test_symmetric_polynomials_are_sums_over_sets():
    values = np.random.default_rng(1).normal(size=7)
    powers = np.array([(values**order).sum() for order in range(6)])
    expected = [sum(np.prod(chosen) for chosen in combinations(values, order)) for order in range(6)]
    assert_allclose(elementary_symmetric(powers), expected, rtol=1e-10)


@pytest.mark.parametrize("variables", [[0, 1, 2, 3, 4], [0, 0, 1, 2, 2]], ids=["spins", "several columns"])
def test_products_of_blocks_are_sums_over_sets_of_variables(variables):
    """Columns of one variable never meet in a product: a set takes one column of each of its variables."""
    residuals = np.random.default_rng(2).normal(size=(300, 5))
    variables = np.array(variables)
    owners = row_blocks(300, most=40).labels
    found = block_products(residuals, owners, variables, 3)
    for order in (2, 3):
        sets = [s for s in combinations(range(5), order) if len(set(variables[list(s)])) == order]
        features = np.stack([residuals[:, chosen].prod(1) for chosen in map(list, sets)], axis=1)
        sums = np.add.reduceat(features, np.flatnonzero(np.diff(owners, prepend=-1)))
        assert_allclose(found[order], sums @ sums.T, atol=1e-8)


def test_orders_are_those_of_an_enumerated_law():
    """Six spins with a field, a pair, a triple and a four-point coupling: the mean of 80 samples is exact."""
    states = all_configurations(6).astype(float)
    energy = 0.4 * states[:, 0] * states[:, 1] + 0.4 * states[:, 1:4].prod(1) + 0.5 * states[:, 2:].prod(1)
    log_truth = energy + 0.3 * states.sum(1)
    truth = np.exp(log_truth) / np.exp(log_truth).sum()
    mean = truth @ states
    residuals = (states - mean) / np.sqrt(1 - mean**2)
    found = []
    for seed in range(80):
        rows = draw_states(log_truth, 200, seed) - mean
        orders = residual_orders(sampled(rows), np.arange(6), 4, rows=200)
        found.append([orders[order].value for order in (2, 3, 4)])
    values = np.array(found)
    for column, order in enumerate((2, 3, 4)):
        sets = [list(chosen) for chosen in combinations(range(6), order)]
        exact = sum((truth @ residuals[:, chosen].prod(1)) ** 2 for chosen in sets) / 2
        # The variances are those of the sample, so that each value is off by a share of about 1 / rows.
        margin = 4 * values[:, column].std() / 80**0.5 + 0.02 * exact
        assert values[:, column].mean() == pytest.approx(exact, abs=margin)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_products_are_seen_at_their_own_order_and_at_no_other(size):
    """XOR and its relatives: groups of ``size`` columns, each worth ½ .8² nats, independent at every lower order."""
    rows = product_groups(1500, size, groups=2, seed=3)
    found = residual_orders(sampled(rows), np.arange(2 * size), 5, rows=1500)
    for order, estimate in found.items():
        if order == size:
            assert estimate.significance > 20
            assert estimate.value == pytest.approx(2 * 0.8**2 / 2, abs=4 * estimate.error)
        else:
            assert abs(estimate.significance) < 4


def test_errors_of_independent_columns_are_those_of_all_sets():
    """Each of binom(N, k) sets adds 1 / 2 n² to the variance, and the stated error is their spread."""
    found = []
    for seed in range(60):
        orders = residual_orders(sampled(coins(200, 10, seed)), np.arange(10), 4, rows=200)
        found.append([(orders[order].value, orders[order].null_error) for order in (2, 3, 4)])
    values, null_errors = np.moveaxis(np.array(found), 2, 0)
    for column, sets in enumerate((45, 120, 210)):
        assert_allclose(null_errors[:, column].mean(), np.sqrt(2 * sets) / 2 / 200, rtol=0.05)
        assert_allclose(values[:, column].std(), null_errors[:, column].mean(), rtol=0.35)


def test_the_model_s_own_rows_are_the_zero():
    """Residuals with triples of their own, in data and model alike."""
    data, model = (product_groups(800, 3, groups=2, seed=seed) for seed in (4, 6))
    alone = residual_orders(sampled(data, 400), np.arange(6), 3, rows=800)[3]
    centred = residual_orders(sampled(data, 400), np.arange(6), 3, rows=800, model=sampled(model, 400))[3]
    assert alone.significance > 20
    assert abs(centred.significance) < 4


def test_residuals_that_are_small_but_in_a_few_rows_are_seen_by_the_spread_of_the_variable():
    """In a class of 3 % of the rows groups of four are free and even; in the others a variable is nearly fixed."""
    random = np.random.default_rng(5)
    spins = product_groups(4000, 4, groups=3, seed=9)
    free = random.random(4000) < 0.03
    spins = np.where(free[:, None], spins, 1.0)
    delta = spins - np.where(free, 0.0, 0.999)[:, None]
    spread = spins.std(axis=0)
    wide = residual_orders(sampled(delta), np.arange(12), 4, rows=2000, spread=spread)[4]
    assert wide.value < residual_orders(sampled(delta), np.arange(12), 4, rows=2000)[4].value
    scaled = residual_orders(sampled(delta / spread), np.arange(12), 4, rows=2000, spread=np.ones(12))[4]
    assert wide.value == pytest.approx(scaled.value, rel=1e-4)


def test_rare_variables_are_not_significant_at_any_order():
    """Rows with three and more rare variables up are seldom, and then make up all of the spread."""
    for seed in range(8):
        random = np.random.default_rng(seed)
        rates = np.exp(random.uniform(np.log(0.003), np.log(0.03), 14))
        spins = np.where(random.random((1500, 14)) < rates, 1.0, -1.0)
        spins = spins[:, (spins > 0).sum(0) >= 5]
        found = residual_orders(sampled(spins - spins.mean(0), 1500), np.arange(spins.shape[1]), 6, rows=1500)
        assert max(found[order].significance for order in (3, 4, 5, 6)) < 4


def test_few_rows_are_taken_evenly_with_their_blocks():
    rows = product_groups(3000, 3, groups=2, seed=8)
    blocks = row_blocks(3000, 20.0)
    found = residual_orders(SampledRows(rows.astype(np.float32), blocks), np.arange(6), 3, rows=600)[3]
    assert found.significance > 20
    assert found.null_error == pytest.approx(np.sqrt(2 * 20) / 2 / 600, rel=0.4)
