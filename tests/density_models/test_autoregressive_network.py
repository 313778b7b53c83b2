"""Masked networks: their gradient and order, rows that are held out, and what a linear autoregression cannot learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from vae_mf.density_models import AutoregressiveNetwork, Independent, LogisticAutoregression
from vae_mf.density_models.autoregressive_network import Network, first_network, held_out_weights, masks
from vae_mf.packing import all_configurations

QUICK = {"steps": 40, "batch_size": 64, "learning_rate": 0.03}
ORDER = np.array([3, 0, 4, 1, 2])


def random_network(order: np.ndarray, hidden: int, seed: int) -> Network:
    """Network of large weights, in double precision."""
    random = np.random.default_rng(seed)
    start = first_network(np.full(len(order), 0.3), order, hidden, random)
    linear = start.masks.linear * random.normal(0, 1, start.network.linear.shape)
    network = start.network._replace(linear=linear, outer=20 * start.network.outer)
    return Network(*(part.astype(np.float64) for part in network))


def parities(count: int, seed: int) -> np.ndarray:
    """Rows of which every third variable is the product of the two before, but for one row in ten."""
    random = np.random.default_rng(seed)
    rows = random.choice(np.array([-1, 1], np.int8), (count, 6))
    for i in (2, 5):
        rows[:, i] = rows[:, i - 2] * rows[:, i - 1] * np.where(random.random(count) < 0.1, -1, 1)
    return rows


def test_no_variable_depends_on_one_after_it():
    network = random_network(ORDER, 20, 1)
    states = (all_configurations(5) > 0).astype(np.float64)
    log_odds = network._log_odds(states, network._hidden(states))
    for position, i in enumerate(ORDER):
        for j in range(5):
            moved = states.copy()
            moved[:, j] = 1 - moved[:, j]
            change = network._log_odds(moved, network._hidden(moved))[:, i] - log_odds[:, i]
            # Hidden units see one to four variables, so that each depends on all before it.
            assert np.abs(change).max() > 1e-3 if j in ORDER[:position] else not change.any()


def test_the_gradient_is_that_of_finite_differences():
    network = random_network(ORDER, 6, 2)
    rows = (np.random.default_rng(3).random((40, 5)) < 0.4).astype(np.float64)
    random = np.random.default_rng(4)
    allowed = masks(ORDER, 6)
    for name, slope in network.gradient(rows)._asdict().items():
        move = random.normal(size=slope.shape) * getattr(allowed, name, 1.0)
        ahead, behind = (
            network._replace(**{name: getattr(network, name) + step * move}).log_densities(rows).mean()
            for step in (1e-6, -1e-6)
        )
        assert_allclose((slope * move).sum(), (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-8)


def test_draws_are_those_of_the_density():
    network = random_network(ORDER, 10, 5)
    states = (all_configurations(5) > 0).astype(np.float64)
    p = np.exp(network.log_densities(states))
    assert_allclose(p.sum(), 1)
    drawn = network.draw(20_000, ORDER, np.random.default_rng(6))
    shares = (drawn[:, None] == states).all(axis=2).mean(axis=0)
    assert np.abs((shares - p) / np.sqrt(p / 20_000)).max() < 4.5


def test_hidden_units_learn_what_no_linear_autoregression_can():
    training, new = parities(4000, 7), parities(4000, 8)
    network = AutoregressiveNetwork(24, n_orders=1, **QUICK).fit(training)
    # Four free variables, and two of which one value has a probability of 9/10.
    truth = -4 * np.log(2) - 2 * (0.9 * -np.log(0.9) + 0.1 * -np.log(0.1))
    assert LogisticAutoregression().fit(training).score(new) < truth - 0.7
    assert_allclose(network.score(new), truth, atol=0.06)
    assert network.converged_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_density_is_the_mean_over_orders():
    rows = parities(500, 9)
    found = AutoregressiveNetwork(8, n_orders=3, max_iter=2, **QUICK).fit(rows)
    single = AutoregressiveNetwork(1, n_orders=1, max_iter=1, steps=1).fit(rows)
    logs = []
    for number in range(3):
        single.networks_ = [found.networks_[number]]
        logs.append(single.score_samples(rows))
    assert_allclose(found.score_samples(rows), np.log(np.exp(logs).mean(axis=0)))


def test_rows_that_are_held_out_keep_the_fit_from_learning_by_heart():
    random = np.random.default_rng(10)
    training, new = np.where(random.random((2, 300, 8)) < 0.3, 1, -1).astype(np.int8)
    found = AutoregressiveNetwork(32, n_orders=1, **QUICK).fit(training)
    assert found.score(new) > Independent().fit(training).score(new) - 0.1


def test_a_large_penalty_leaves_independent_variables():
    rows = parities(1000, 14)
    free, bound = (AutoregressiveNetwork(16, n_orders=1, l2=l2, **QUICK).fit(rows).score(rows) for l2 in (0.0, 10.0))
    assert_allclose(bound, Independent().fit(rows).score(rows), atol=0.02)
    assert free > bound + 0.5


def test_counts_are_held_out_one_by_one():
    weights = np.random.default_rng(11).integers(1, 50, 400).astype(float)
    held = np.stack([held_out_weights(weights, 0.2, np.random.default_rng(seed)) for seed in range(300)])
    assert_allclose(held.sum(axis=1), 0.2 * weights.sum(), atol=1)
    assert ((held >= 0) & (held <= weights)).all()
    assert_array_equal(held, np.floor(held))
    assert_allclose(held.mean(axis=0), 0.2 * weights, atol=0.15)


def test_too_few_rows_and_bad_options_are_named():
    with pytest.raises(ValueError, match=r"share of 0\.1 of them"):
        AutoregressiveNetwork(held_out=0.1).fit([[1, 1], [1, -1]])
    for options in ({"n_hidden": 0}, {"n_orders": 0}, {"l2": -1.0}, {"held_out": 1.0}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            AutoregressiveNetwork(**options).fit(parities(50, 12))
    with pytest.warns(ConvergenceWarning, match="after 1 looks"):
        AutoregressiveNetwork(4, n_orders=1, max_iter=1, **QUICK).fit(parities(500, 13))
