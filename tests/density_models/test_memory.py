"""Information of rows in their past against the exact one, of hidden Markov and of kinetic Ising models."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from scipy.stats import binom

from vae_mf.datasets import make_recording, split_rows
from vae_mf.density_models.hidden_chain import Chain
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.hidden_states import BernoulliStates
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.lagged_autoregression import LaggedAutoregression
from vae_mf.density_models.memory import block_average, entropy_rate, memory_of, state_time, time_blocks
from vae_mf.inverse_ising import KineticMaximumLikelihood
from vae_mf.packing import all_configurations

RATES = np.array([[0.1] * 6, [0.85] * 3 + [0.15] * 3, [0.15] * 3 + [0.7] * 3])
PERSISTENT = np.full((3, 3), 0.05) + 0.85 * np.eye(3)


def hidden(rates: np.ndarray = RATES, transitions: np.ndarray = PERSISTENT) -> HiddenMarkov:
    """A stationary model with these parameters, never fitted."""
    made = HiddenMarkov(len(rates))
    law = np.linalg.matrix_power(transitions, 4096)[0]
    made.start_, made.transitions_ = Chain(law, transitions)
    made.states_ = BernoulliStates(rates)
    made.weights_ = law
    made.n_features_in_ = rates.shape[1]
    return made


def recorded(sequences: np.ndarray):
    """A recording of sequences (repeats, times, variables)."""
    return make_recording(sequences.transpose(0, 2, 1))


def information(model, sequences: np.ndarray) -> np.ndarray:
    """Ln p(s_t | past) - ln p(s_t) of every row, shape (repeats, times)."""
    repeats, times, variables = sequences.shape
    rows = sequences.reshape(-1, variables)
    given = model.score_samples_given_past(rows, [times] * repeats)
    return (given - model.score_samples(rows)).reshape(repeats, times)


TRUTH = hidden()
EXACT = information(TRUTH, TRUTH.sample_sequences(100, 2000, random_state=1))[:, 100:].mean()
"""Exact but for .001 nats: 190,000 rows whose law is known."""


@pytest.mark.parametrize("repeats", [pytest.param(1, marks=pytest.mark.slow), 8])
def test_hidden_states_hold_the_information_of_their_own_past(repeats):
    sequences = TRUTH.sample_sequences(repeats, 16_000 // repeats, random_state=2)
    recording = recorded(sequences)
    split = split_rows(recording, "time", 0.3, 0.1)
    found = memory_of(HiddenMarkov(3), recording, split)
    same_rows = information(TRUTH, sequences).ravel()[split.test].mean()
    # Each of its 26 parameters costs 1 / (2 M) nats.
    assert_allclose(found.information.value, same_rows, atol=0.004)
    assert abs(found.information.value - EXACT) < 3.5 * found.information.error + 0.004
    assert found.information.error < 0.05
    assert found.rows == len(split.test)
    assert found.blocks >= 10


def kinetic(sites: int = 5) -> KineticMaximumLikelihood:
    """A kinetic Ising model of strong couplings, never fitted."""
    random = np.random.default_rng(3)
    made = KineticMaximumLikelihood()
    made.couplings_ = random.normal(0, 1 / np.sqrt(sites), (sites, sites))
    made.fields_ = random.normal(0, 0.3, sites)
    made.n_features_in_ = sites
    return made


def exact_information(model: KineticMaximumLikelihood) -> float:
    """H(s) - H(s_t | s_t-1) by the matrix of transitions between all states."""
    states = all_configurations(len(model.fields_)).astype(float)
    up = expit(2 * (model.fields_ + states @ model.couplings_.T))
    steps = np.where(states > 0, up[:, None], 1 - up[:, None]).prod(axis=2)
    law = np.linalg.matrix_power(steps, 2**14)[0]
    return float(-law @ np.log(law) + law @ (steps * np.log(steps)).sum(axis=1))


def test_autoregression_holds_the_information_of_a_kinetic_ising_model():
    model = kinetic()
    exact = exact_information(model)
    recording = recorded(model.simulate(4000, repeats=4, random_state=4)[:, 100:])
    split = split_rows(recording, "time", 0.4, 0.1)
    found = memory_of(LaggedAutoregression(strength=10.0), recording, split)
    assert exact > 0.2
    # One law of single rows is that of a pairwise model nearly.
    assert abs(found.information.value - exact) < 3 * found.information.error + 0.005
    assert found.information.error < 0.03
    assert found.parameters == 15 + 25


def test_more_lags_hold_what_one_does_not():
    """A variable that follows itself two rows before."""
    random = np.random.default_rng(5)
    rows = random.choice(np.int8([-1, 1]), (6000, 3))
    for t in range(2, 6000):
        rows[t, 0] = rows[t - 2, 0] * (1 if random.random() < 0.9 else -1)
    recording = recorded(rows[None])
    split = split_rows(recording, "time", 0.4, 0.1)
    one, two = (memory_of(LaggedAutoregression(lags), recording, split).information for lags in (1, 2))
    exact = np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert abs(one.value) < 4 * one.error + 2e-3
    assert abs(two.value - exact) < 4 * two.error
    assert_allclose(LaggedAutoregression(2).fit(rows, lengths=[6000]).past_weights_[1, 0, 0], np.log(9), atol=0.3)


@pytest.mark.parametrize("model", [HiddenMarkov(3, n_init=1), LaggedAutoregression(2)])
def test_shuffled_rows_have_no_memory(model):
    sequences = TRUTH.sample_sequences(1, 8000, random_state=6)
    shuffled = np.random.default_rng(7).permutation(sequences, axis=1)
    recording = recorded(shuffled)
    found = memory_of(model, recording, split_rows(recording, "time", 0.4, 0.1)).information
    # What is fitted to no memory costs some nats of the held-out rows.
    assert -0.02 < found.value < 3 * found.error + 1e-3


@pytest.mark.parametrize("repeats", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_errors_are_as_large_as_the_scatter(repeats):
    """Of means over test rows about the exact one, in 200 recordings."""
    draws = 200
    times = 500
    sequences = TRUTH.sample_sequences(draws * repeats, times + 100, random_state=8)
    values = information(TRUTH, sequences)[:, 100:].reshape(draws, repeats, times)
    places = np.tile(np.arange(times), repeats)
    order = np.argsort(places, kind="stable")
    repeat = np.repeat(np.arange(repeats), times)[order]
    z = []
    drawn = sequences[:, 100:].reshape(draws, repeats * times, -1)
    for own, rows in zip(values.reshape(draws, -1)[:, order], drawn, strict=True):
        recording = recorded(rows.reshape(repeats, times, -1))
        found = block_average(own, repeat, time_blocks(own, places[order], 20, state_time(recording, order)).count)
        z.append((found.value - EXACT) / found.error)
    # Blocks are few: Student's law of 19 degrees of freedom has 67 and 94 in 100 within one and two errors.
    inside = [int((np.abs(z) < limit).sum()) for limit in (1, 2)]
    assert binom.cdf(inside[1], draws, 0.95) > 1e-3
    assert 0.62 < inside[0] / draws < 0.82


def test_repeats_that_differ_as_a_whole_widen_the_error():
    random = np.random.default_rng(9)
    values = np.repeat(random.normal(size=50), 200) + random.normal(size=10_000)
    places = np.tile(np.arange(200), 50)
    order = np.argsort(places, kind="stable")
    repeat = np.repeat(np.arange(50), 200)[order]
    assert block_average(values[order], repeat, 20).error > 0.1
    assert block_average(values[order], np.zeros(10_000, int), 20).error < 0.02


def test_the_entropy_rate_lies_between_its_bounds():
    """H(s_n | s_1 ... s_n-1), with and without the first state told (Cover and Thomas, theorem 4.5.1)."""
    model = hidden(np.array([[0.1, 0.2], [0.7, 0.9]]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    rows = all_configurations(2)
    logs = model.states_.logs(rows)
    # p(state, rows) after every sequence of n rows, the first state told or not.
    entropies = {}
    for n in (5, 6):
        told = np.diag(model.start_)
        untold = model.start_[None]
        for _ in range(n):
            told, untold = ((law[:, None] * np.exp(logs)).reshape(-1, 2) for law in (told, untold))
            last = told, untold
            told, untold = told @ model.transitions_, untold @ model.transitions_
        starts = [-np.sum(p * np.log(p)) for p in (law.sum(axis=1) for law in last)]
        entropies[n] = np.array(starts)
    lower, upper = entropies[6] - entropies[5]
    found = entropy_rate(model, 400_000, random_state=1)
    assert upper - lower < 0.01
    assert lower - 4 * found.error < found.value < upper + 4 * found.error
    assert found.error < 0.005


def test_rows_without_an_order_are_refused():
    rows = TRUTH.sample(100, random_state=10)
    recording = recorded(rows[:, None])
    split = split_rows(recording, "random", 0.2, 0.2)
    with pytest.raises(ValueError, match=r"expected rows in the order of their time, .* memory needs an order"):
        memory_of(HiddenMarkov(2), recording, split)


def test_one_repeat_is_not_held_out():
    recording = recorded(TRUTH.sample_sequences(1, 100, random_state=11))
    with pytest.raises(ValueError, match="split: expected random or time, got repeat with too few repeats"):
        split_rows(recording, "repeat", 0.2, 0.2)


def test_blocks_shorter_than_the_correlation_time_are_refused():
    """Rows that are frozen in every other hundred are predictable there, and the test rows are two hundred."""
    rows = np.random.default_rng(12).choice(np.int8([-1, 1]), (1000, 3))
    for start in range(0, 1000, 200):
        rows[start : start + 100] = np.repeat(rows[start : start + 20], 5, axis=0)
    recording = recorded(rows[None])
    with pytest.raises(ValueError, match=r"expected 5 blocks of .* correlation time of \d+.*hold out"):
        memory_of(LaggedAutoregression(), recording, split_rows(recording, "time", 0.2, 0.2))
    with pytest.raises(ValueError, match="blocks: expected an integer >= 5, got 4"):
        time_blocks(np.zeros(600), np.arange(600), 4)


@pytest.mark.parametrize(
    ("model", "told"),
    [(HiddenMarkov(20), "n_states: expected at most 8"), (LaggedAutoregression(12), "lags: expected at most")],
)
def test_models_too_large_for_the_rows_are_refused(model, told):
    recording = recorded(TRUTH.sample_sequences(1, 100, random_state=13))
    with pytest.raises(ValueError, match=told):
        memory_of(model, recording, split_rows(recording, "time", 0.2, 0.1))


def rare_switches(seed: int):
    """Rows of three variables in two states that switch once in 200 rows, and their split in time."""
    random = np.random.default_rng(seed)
    state = (random.random(3000) < 0.005).cumsum() % 2
    recording = make_recording(random.random((3000, 3)) < np.where(state, 0.8, 0.2)[:, None])
    return recording, split_rows(recording, "time", test=0.4)


def test_blocks_are_longer_than_rows_stay_in_a_state():
    """Errors from blocks of 60 rows were too small by a factor of two to seven; .380 nats are exact."""
    found = [
        memory_of(HiddenMarkov(2, n_init=1, tolerance=1e-3), *rare_switches(seed)) for seed in (101, 102, 104, 105)
    ]
    z = [(each.information.value - 0.380) / each.information.error for each in found]
    assert np.abs(z).max() < 2.5
    assert all(each.blocks < 20 for each in found)
    with pytest.raises(ValueError, match="expected 5 blocks of 263 held-out times, for a correlation time of 105"):
        memory_of(HiddenMarkov(2, n_init=1, tolerance=1e-3), *rare_switches(100))


def test_a_model_without_time_has_no_memory():
    with pytest.raises(ValueError, match="model: expected one of rows in time, such as HiddenMarkov, got Independent"):
        memory_of(Independent(), *rare_switches(100))
