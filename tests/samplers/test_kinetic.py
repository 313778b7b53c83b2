"""Kinetic Ising trajectories: the law of one and two steps, moving fields, and what results may depend on."""

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.samplers import kinetic
from vae_mf.samplers.kinetic import REPEATS, checked_fields, checked_start, column_blocks, kinetic_trajectories

SIGMAS = 4.5
RANDOM = np.random.default_rng(0)
COUPLINGS = RANDOM.normal(size=(7, 7)) / 2
FIELDS = RANDOM.normal(size=7) / 2
START = np.array([1, -1, -1, 1, 1, 1, -1], np.int8)


def transitions(couplings, fields):
    """Probability of every configuration after each configuration, by the formula."""
    spins = all_configurations(len(couplings)).astype(float)
    theta = spins @ couplings.T + fields
    return np.exp((theta @ spins.T) - np.log(2 * np.cosh(theta)).sum(1)[:, None])


def scores_of_means(means, exact, draws, second=1.0):
    """Standard scores of means of independent draws whose second moment is known."""
    return (means - exact) / np.sqrt((second - exact**2) / draws)


def start_number():
    return (START > 0) @ 2 ** np.arange(7)


def test_shape_type_and_start():
    paths = kinetic_trajectories(COUPLINGS, FIELDS, 5, 3, 1, START)
    assert paths.shape == (3, 6, 7)
    assert paths.dtype == np.int8
    assert set(np.unique(paths)) == {-1, 1}
    assert (paths[:, 0] == START).all()
    each = kinetic_trajectories(COUPLINGS, FIELDS, 0, 3, 1)
    np.testing.assert_array_equal(kinetic_trajectories(COUPLINGS, FIELDS, 2, 3, 1, each[:, 0])[:, 0], each[:, 0])
    assert kinetic_trajectories(COUPLINGS, None, 0, 4000, 1).mean() == pytest.approx(0, abs=4.5 / np.sqrt(28_000))


def test_one_step_moments_are_those_of_the_formula():
    repeats = 40_000
    after = kinetic_trajectories(COUPLINGS, FIELDS, 1, repeats, 1, START)[:, 1].astype(float)
    m = np.tanh(FIELDS + COUPLINGS @ START)
    assert np.abs(scores_of_means(after.mean(0), m, repeats)).max() < SIGMAS
    pairs = np.triu_indices(7, 1)
    products, exact = (after.T @ after / repeats)[pairs], np.outer(m, m)[pairs]
    assert np.abs(scores_of_means(products, exact, repeats)).max() < SIGMAS, (
        "spins of one step are independent given the last"
    )


def test_joint_law_of_two_steps():
    repeats = 40_000
    paths = kinetic_trajectories(COUPLINGS, FIELDS, 2, repeats, 2, START).astype(float)
    spins, step = all_configurations(7).astype(float), transitions(COUPLINGS, FIELDS)
    first = step[start_number()]
    m = first @ step @ spins
    delayed = (spins * first[:, None]).T @ step @ spins
    assert np.abs(scores_of_means(paths[:, 2].mean(0), m, repeats)).max() < SIGMAS
    measured = paths[:, 1].T @ paths[:, 2] / repeats
    assert np.abs(scores_of_means(measured, delayed, repeats)).max() < SIGMAS


def test_time_dependent_fields_act_on_their_own_step():
    repeats, fields = 40_000, np.array([[3.0] * 7, [-1.0] * 7, FIELDS])
    paths = kinetic_trajectories(COUPLINGS, fields, 3, repeats, 3, START).astype(float)
    law, spins = np.eye(128)[start_number()], all_configurations(7).astype(float)
    for time, field in enumerate(fields, 1):
        law = law @ transitions(COUPLINGS, field)
        assert np.abs(scores_of_means(paths[:, time].mean(0), law @ spins, repeats)).max() < SIGMAS


def test_symmetric_couplings_reach_the_stationary_law_of_peretto():
    """Parallel dynamics with symmetric J settles to p(s) ~ exp(h.s) prod_i 2cosh(h_i + sum_j J_ij s_j)."""
    couplings = (COUPLINGS + COUPLINGS.T) / 2
    spins = all_configurations(7).astype(float)
    log_weights = spins @ FIELDS + np.log(2 * np.cosh(FIELDS + spins @ couplings)).sum(1)
    law = np.exp(log_weights - log_weights.max())
    law /= law.sum()
    np.testing.assert_allclose(law @ transitions(couplings, FIELDS), law, atol=1e-12)
    paths = kinetic_trajectories(couplings, FIELDS, 400, 200, 4)[:, 100:].astype(float)
    for values, exact in (
        (paths, law @ spins),
        (paths[..., 1:] * paths[..., :-1], law @ (spins[:, 1:] * spins[:, :-1])),
    ):
        means = values.mean(1)
        assert np.abs((means.mean(0) - exact) / (means.std(0, ddof=1) / np.sqrt(200))).max() < SIGMAS


@pytest.mark.parametrize("sites", [1, 2, 23, 24, 25, 256, 515])
def test_fields_are_those_of_a_matrix_product(sites, monkeypatch):
    """Without noise, spins follow the sign of their field: every word, block and padding must be right."""
    couplings = np.random.default_rng(sites).normal(size=(sites, sites))
    fields = np.random.default_rng(1).normal(size=sites)
    paths = kinetic_trajectories(1e4 * couplings, 1e4 * fields, 1, 20, 1)
    theta = paths[:, 0].astype(float) @ couplings.T + fields
    sure = np.abs(theta) > 0.01
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(paths[:, 1][sure], np.sign(theta)[sure])


@pytest.mark.parametrize("sites", [1, 16, 17, 24, 50])
def test_blocks_hold_the_columns_of_the_couplings(sites):
    couplings = np.random.default_rng(1).normal(size=(sites, sites))
    blocks = column_blocks(couplings)
    whole = blocks.swapaxes(0, 1).reshape(blocks.shape[1], -1)
    np.testing.assert_array_equal(whole[:sites, :sites], couplings.T.astype(np.float32))
    assert blocks.shape[1] % 24 == 0
    assert blocks.shape[2] == 16
    assert np.count_nonzero(blocks) == sites**2


def test_strong_fields_never_slip_and_weak_ones_are_fair():
    held = kinetic_trajectories(np.zeros((64, 64)), np.full(64, 40.0), 500, 200, 1)
    assert (held[:, 1:] == 1).all()
    held = kinetic_trajectories(np.zeros((64, 64)), np.full(64, -1000.0), 500, 200, 1)
    assert (held[:, 1:] == -1).all()
    free = kinetic_trajectories(np.zeros((64, 64)), None, 500, 200, 1)[:, 1:]
    assert abs(free.mean()) < SIGMAS / np.sqrt(free.size)
    assert abs((free[:, 1:] * free[:, :-1]).mean()) < SIGMAS / np.sqrt(free[:, 1:].size)


def test_constant_and_repeated_fields_are_the_same():
    constant = kinetic_trajectories(COUPLINGS, FIELDS, 6, 5, 1)
    np.testing.assert_array_equal(constant, kinetic_trajectories(COUPLINGS, np.tile(FIELDS, (6, 1)), 6, 5, 1))


def test_neither_threads_nor_the_number_of_repeats_change_a_trajectory():
    count = 2 * REPEATS + 10
    one, two, three = (kinetic_trajectories(COUPLINGS, FIELDS, 4, count, 1, threads=n) for n in (1, 2, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(one[:50], kinetic_trajectories(COUPLINGS, FIELDS, 4, 50, 1))
    assert (one != kinetic_trajectories(COUPLINGS, FIELDS, 4, count, 2)).any()


def test_compiled_kernels_equal_interpreted_ones(monkeypatch):
    compiled = kinetic_trajectories(COUPLINGS, FIELDS, 6, 8, 1, START)
    for name in ("follow", "start_fields"):
        monkeypatch.setattr(kinetic, name, getattr(kinetic, name).py_func)
    np.testing.assert_array_equal(compiled, kinetic_trajectories(COUPLINGS, FIELDS, 6, 8, 1, START))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"couplings": np.full((7, 7), np.nan)}, "couplings: expected finite numbers, got 49 others"),
        (
            {"couplings": np.zeros((0, 0)), "fields": None, "start": None},
            r"couplings: expected shape \(N, N\), got \(0, 0\)",
        ),
        ({"fields": np.zeros((3, 7))}, r"fields: expected shape \(7,\) or \(4, 7\), got \(3, 7\)"),
        ({"fields": np.full(7, np.inf)}, "fields: expected finite numbers, got 7 others"),
        ({"steps": -1}, "steps: expected an integer >= 0, got -1"),
        ({"repeats": 0}, "repeats: expected an integer >= 1, got 0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        ({"start": np.zeros(7, np.int8)}, r"start: expected entries -1 and \+1, got values such as \[0\]"),
        ({"start": np.ones((3, 7), np.int8)}, r"start: expected shape \(7,\) or \(2, 7\), got \(3, 7\)"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"couplings": COUPLINGS, "fields": FIELDS, "steps": 4, "repeats": 2, "seed": 1, "start": START}
    with pytest.raises(ValueError, match=message):
        kinetic_trajectories(**arguments | change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checked_fields(np.zeros(6), 7, 4), r"fields: expected shape \(7,\) or \(4, 7\), got \(6,\)"),
        (lambda: checked_start(np.ones(6, np.int8), 2, 7, 1), r"start: expected shape \(7,\) or \(2, 7\), got \(6,\)"),
        (lambda: checked_start([1, -1, 2], 2, 3, 1), r"start: expected entries -1 and \+1, got values such as"),
    ],
)
def test_bad_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
