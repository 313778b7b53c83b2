"""Hidden Markov models against sums over all paths, and models that are found again from their own sequences."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from vae_mf.density_models.autoregressive import LogisticAutoregression
from vae_mf.density_models.expectation_maximisation import run
from vae_mf.density_models.hidden_chain import Chain, backwards, expected_counts, forwards, mean_law
from vae_mf.density_models.hidden_markov import HiddenMarkov, MarkovProblem
from vae_mf.density_models.hidden_states import BernoulliStates
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.sequences import sequence_starts, weighted_sequences
from vae_mf.packing import all_configurations

CHAIN = Chain(np.array([0.5, 0.2, 0.3]), np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]]))
STATES = BernoulliStates(np.array([[0.05] * 6, [0.85] * 3 + [0.1] * 3, [0.1] * 3 + [0.7] * 3]))


def model(chain: Chain = CHAIN, states: BernoulliStates = STATES) -> HiddenMarkov:
    """A model with these parameters, never fitted."""
    made = HiddenMarkov(len(chain.start))
    made.start_, made.transitions_ = chain
    made.states_ = states
    made.weights_ = stationary(chain.transitions)
    made.n_features_in_ = states.probabilities.shape[1]
    return made


def stationary(transitions: np.ndarray) -> np.ndarray:
    return np.linalg.matrix_power(transitions, 4096)[0]


def paths(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All paths of a sequence, and ln p(path, rows), written out."""
    steps, count = logs.shape
    found = np.array(list(itertools.product(range(count), repeat=steps)))
    joint = np.log(CHAIN.start)[found[:, 0]] + logs[range(steps), found].sum(axis=1)
    return found, joint + np.log(CHAIN.transitions)[found[:, :-1], found[:, 1:]].sum(axis=1)


ROWS = model().sample_sequences(2, 5, random_state=1)
LENGTHS = [5, 5]


def test_the_likelihood_is_the_sum_over_paths():
    given = model().score_samples_given_past(ROWS.reshape(10, 6), LENGTHS).reshape(2, 5)
    for rows, own in zip(ROWS, given, strict=True):
        for steps in range(1, 6):
            joint = paths(STATES.logs(rows[:steps]))[1]
            assert_allclose(own[:steps].sum(), np.logaddexp.reduce(joint), rtol=1e-12)


def test_expected_numbers_are_means_over_paths():
    weights = np.array([1.0, 2.5])
    logs = STATES.logs(ROWS.reshape(10, 6))
    seen = expected_counts(logs, np.arange(10), sequence_starts(LENGTHS, 10), weights, CHAIN)
    starts, transitions, rows = np.zeros(3), np.zeros((3, 3)), np.zeros((10, 3))
    total = 0.0
    for number, (weight, own) in enumerate(zip(weights, np.split(logs, 2), strict=True)):
        found, joint = paths(own)
        total += weight * np.logaddexp.reduce(joint)
        shares = weight * np.exp(joint - np.logaddexp.reduce(joint))
        np.add.at(starts, found[:, 0], shares)
        for t in range(5):
            np.add.at(rows[5 * number + t], found[:, t], shares)
        for t in range(4):
            np.add.at(transitions, (found[:, t], found[:, t + 1]), shares)
    assert_allclose(seen.log_likelihood, total, rtol=1e-12)
    assert_allclose(seen.starts, starts, rtol=1e-10)
    assert_allclose(seen.transitions, transitions, rtol=1e-10)
    assert_allclose(seen.rows, rows, rtol=1e-10)
    of_model = model().state_probabilities(ROWS.reshape(10, 6), LENGTHS)
    assert_allclose(of_model * np.repeat(weights, 5)[:, None], rows, rtol=1e-10)


def test_compiled_loops_are_the_interpreted_ones():
    likelihoods = np.exp(STATES.logs(ROWS.reshape(10, 6)))
    places, starts = np.arange(10), sequence_starts([3, 7], 10)
    outcomes = []
    for forward, backward in ((forwards, backwards), (forwards.py_func, backwards.py_func)):
        found = [np.zeros(shape) for shape in ((10, 3), 10, 3, (3, 3), (10, 3))]
        forward(likelihoods, places, starts, *CHAIN, *found[:2])
        backward(likelihoods, places, starts, np.array([1.0, 2.0]), CHAIN.transitions.T.copy(), *found)
        outcomes.append(found)
    for one, other in zip(*outcomes, strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_the_likelihood_is_stationary_where_the_fit_ends():
    """Small changes of every parameter, within its simplex, change the objective in second order."""
    rows = model().sample_sequences(4, 50, random_state=2).reshape(200, 6)
    problem = MarkovProblem(weighted_sequences(rows, [50] * 4, None), 2, 2.0)
    law = run(problem, problem.start(np.random.default_rng(3)), 500)[-1].components
    best = problem.step(law).objective
    for size in (1e-3, -1e-3):
        p = law.states.probabilities
        moved = p[0] + size * p[0] * (1 - p[0])
        states = BernoulliStates(np.vstack([moved, p[1:]]))
        assert -1e-5 < problem.step(law._replace(states=states)).objective - best < 1e-9
        change = size * np.array([1.0, -1.0]) * law.chain.transitions[0].prod()
        chain = law.chain._replace(transitions=law.chain.transitions + np.array([change, 0 * change]))
        assert -1e-5 < problem.step(law._replace(chain=chain)).objective - best < 1e-9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("lengths", [[400] * 5, [1] * 1000 + [1000], None])
def test_the_objective_never_falls(lengths):
    rows = model().sample_sequences(5, 400, random_state=4).reshape(2000, 6)
    found = HiddenMarkov(4, tolerance=1e-8, max_iter=60).fit(rows, lengths=lengths)
    assert np.diff(found.objective_).min() > -1e-12
    assert found.objective_[-1] > found.objective_[0] + 0.01


def test_the_model_is_found_again_from_its_sequences():
    drawn = model().sample_sequences(20, 2000, random_state=5)
    lengths = [2000] * 20
    found = HiddenMarkov(3, tolerance=1e-7).fit(drawn.reshape(-1, 6), lengths=lengths)
    order = [int(np.abs(found.states_.probabilities - p).sum(axis=1).argmin()) for p in STATES.probabilities]
    assert sorted(order) == [0, 1, 2]
    assert_allclose(found.states_.probabilities[order], STATES.probabilities, atol=0.02)
    assert_allclose(found.transitions_[np.ix_(order, order)], CHAIN.transitions, atol=0.02)
    assert_allclose(found.weights_[order], stationary(CHAIN.transitions), atol=0.03)
    # The truth is likelier on new sequences, by some parameters / (2 M) alone.
    new = model().sample_sequences(20, 1000, random_state=6).reshape(-1, 6)
    truth, own = (m.score_samples_given_past(new, [1000] * 20).mean() for m in (model(), found))
    assert 0 < truth - own < 2e-3


def test_draws_have_the_memory_of_the_chain():
    drawn = model().sample_sequences(400, 200, random_state=7).astype(float)
    lag = 2
    law = stationary(CHAIN.transitions)
    means = 2 * STATES.probabilities - 1
    expected = np.einsum("k,kl,ki,lj->ij", law, np.linalg.matrix_power(CHAIN.transitions, lag), means, means)
    late = drawn[:, 100:]
    products = np.einsum("rti,rtj->rij", late[:, :-lag], late[:, lag:]) / (100 - lag)
    z = (products.mean(axis=0) - expected) / (products.std(axis=0) / np.sqrt(len(drawn)))
    assert np.abs(z).max() < 4.5


def test_the_law_of_single_rows_is_the_mean_over_their_places():
    lengths = np.array([1, 4, 4, 2])
    sequences = weighted_sequences(all_configurations(6)[:11], lengths, np.repeat([1.0, 2.0, 1.0, 3.0], lengths))
    laws = [CHAIN.start @ np.linalg.matrix_power(CHAIN.transitions, t) for t in range(4)]
    counts = [7.0, 6.0, 3.0, 3.0]
    assert_allclose(mean_law(CHAIN, sequences), np.average(laws, axis=0, weights=counts), rtol=1e-12)
    once = weighted_sequences(all_configurations(6).repeat(100, axis=0), [6400], None)
    assert_allclose(mean_law(CHAIN, once), stationary(CHAIN.transitions), atol=2e-3)


def test_rows_without_an_order_are_those_of_a_mixture():
    rows = model().sample(2000, random_state=8)
    found = HiddenMarkov(3, pseudocount=1e-6, tolerance=1e-8, n_init=8).fit(rows)
    mixture = BernoulliMixture(3, pseudocount=1e-6, tolerance=1e-8, n_init=8).fit(rows)
    assert_allclose(found.score(rows), mixture.score(rows), atol=2e-5)
    assert found.n_parameters_ == mixture.n_parameters_ == 3 * 7 - 1


def test_a_weight_of_a_sequence_is_a_number_of_repetitions():
    rows = model().sample_sequences(6, 50, random_state=9)
    weights = np.array([0, 2, 1, 3, 0, 1])
    once, repeated = (HiddenMarkov(2, tolerance=1e-9, random_state=4) for _ in range(2))
    once.fit(rows.reshape(300, 6), sample_weight=weights.repeat(50), lengths=[50] * 6)
    repeated.fit(rows.repeat(weights, axis=0).reshape(-1, 6), lengths=[50] * 7)
    assert_allclose(once.objective_[-1], repeated.objective_[-1], rtol=1e-8)
    assert_allclose(once.transitions_, repeated.transitions_, atol=1e-3)


def test_too_few_iterations_are_told():
    with pytest.warns(ConvergenceWarning, match="HiddenMarkov has not converged after 12"):
        assert not HiddenMarkov(3, tolerance=1e-12, max_iter=12).fit(ROWS.reshape(10, 6)).converged_


def test_states_may_emit_rows_of_any_density_model():
    """Pairs of variables that agree in one state and differ in the other, with equal rates in both."""
    random = np.random.default_rng(10)
    state = (random.random(4000) < 0.05).cumsum() % 2
    rows = random.choice(np.int8([-1, 1]), (4000, 4))
    rows[:, 1] = rows[:, 0] * np.where(random.random(4000) < 0.9, 1, -1) * (1 - 2 * state)
    lengths = [2000, 2000]
    plain = HiddenMarkov(2, n_init=1, tolerance=1e-4).fit(rows, lengths=lengths)
    ours = HiddenMarkov(2, LogisticAutoregression(), n_init=1, tolerance=1e-4).fit(rows, lengths=lengths)
    gain = ours.score_samples_given_past(rows, lengths).mean() - plain.score_samples_given_past(rows, lengths).mean()
    assert gain > 0.2
    assert np.diff(ours.objective_).min() > -1e-3
    assert ours.n_parameters_ == 2 * 10 + 3
    assert_allclose(np.exp(ours.score_samples(all_configurations(4))).sum(), 1)
    drawn = ours.sample_sequences(1, 4000, random_state=1)[0]
    agree = drawn[:, 0] * drawn[:, 1].astype(float)
    assert_allclose(np.mean(agree[1:] * agree[:-1]), 0.64 * 0.9, atol=0.15)


def test_independent_states_are_the_plain_ones():
    rows = model().sample_sequences(4, 300, random_state=11).reshape(-1, 6)
    found = [
        HiddenMarkov(3, emission, tolerance=1e-7, n_init=2).fit(rows, lengths=[300] * 4)
        for emission in (None, Independent())
    ]
    # Independent variables add half a count of each kind of their own.
    logs = [m.score_samples_given_past(rows, [300] * 4).mean() for m in found]
    assert_allclose(*logs, atol=2e-3)


def test_the_rows_of_many_variables_are_likely_enough():
    rows = np.repeat(np.tile(np.int8([1, -1]), 20), 5)[:, None].repeat(900, axis=1)
    found = HiddenMarkov(2, pseudocount=0.1).fit(rows, lengths=[200])
    assert np.isfinite(found.score_samples_given_past(rows, [200])).all()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"lengths": [10, 11]}, "lengths: expected whole numbers >= 1.* whose sum is 20, got"),
        ({"lengths": [20.0]}, "lengths"),
        ({"lengths": [0, 20]}, "lengths"),
        ({"lengths": [10, 10], "sample_weight": np.arange(20)}, "one weight for all rows of a sequence"),
        ({"lengths": [10, 10]}, "n_states: expected at most 4 for 20 rows with 18 transitions.*got 5"),
        ({}, None),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(arguments, told):
    rows = model().sample(20, random_state=12)
    if told is None:
        HiddenMarkov(5, tolerance=1e-2).fit(rows, **arguments)
    else:
        with pytest.raises(ValueError, match=told):
            HiddenMarkov(5).fit(rows, **arguments)


@pytest.mark.parametrize(
    "options", [{"n_states": 0}, {"pseudocount": 0.0}, {"n_init": 0}, {"tolerance": -1.0}, {"emission": 3}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        HiddenMarkov(**options).fit(model().sample(100, random_state=13))


def test_states_are_numbered_by_their_weights():
    found = HiddenMarkov(3, tolerance=1e-3).fit(model().sample(500, random_state=14))
    assert_array_equal(np.argsort(-found.weights_, kind="stable"), np.arange(3))
