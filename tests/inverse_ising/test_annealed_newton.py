"""Boltzmann learning where a likelihood has valleys and phases that chains from the data do not see."""

import warnings
from functools import cache

import numpy as np
import pytest
from helpers.ising_oracle import dense
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import BoltzmannLearning, PseudoLikelihood
from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.moments import missing_states, spin_moments
from vae_mf.inverse_ising.solvers.annealed_newton import AnnealedNewton, PenalisedLikelihood
from vae_mf.inverse_ising.solvers.fisher import FisherInformation, IsingParameters, information_matrix
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.inverse_ising.solvers.log_partition import log_partition
from vae_mf.inverse_ising.solvers.model_samples import AnnealedPopulations, Enumerated, mean_square


def glass_in_one_valley(rows: int) -> np.ndarray:
    """Spins of a glass at low temperature that have not left the valley in which all of them started."""
    random = np.random.default_rng(4)
    upper = np.triu(random.normal(0, 2 / np.sqrt(40), (40, 40)), 1)
    couplings = upper + upper.T
    single = GibbsChains(random.choice(np.array([-1, 1], np.int8), (1, 40)), random)
    for strength in np.linspace(0.1, 2, 40):
        single.sweep(strength * couplings, np.zeros(40), 5)
    chains = GibbsChains(np.repeat(single.spins, rows, axis=0), random)
    chains.sweep(couplings, np.zeros(40), 10)
    spins = chains.spins
    return spins[:, np.abs(spins[: rows // 2].mean(axis=0)) < 1]


def bursts(cells: int, rows: int, seed: int) -> np.ndarray:
    """Cells that are silent or fire together, as in a recording: their rates have a common factor."""
    random = np.random.default_rng(seed)
    rates = random.gamma(0.5, 0.14, size=(rows, 1)) * np.exp(random.normal(0, 0.5, cells))
    return np.where(random.random((rows, cells)) < 1 - np.exp(-rates), 1, -1).astype(np.int8)


@cache
def recorded() -> tuple[np.ndarray, np.ndarray, BoltzmannLearning]:
    spins = bursts(50, 6000, seed=3)
    return spins[:4000], spins[4000:], BoltzmannLearning(precision=0.6, chains=1024).fit(spins[:4000])


def independent_log_likelihood(train: np.ndarray, test: np.ndarray) -> float:
    fields = np.arctanh(train.mean(axis=0))
    return float((test @ fields).mean() - np.logaddexp(fields, -fields).sum())


@pytest.mark.slow
def test_a_lost_valley_is_found_again():
    """Newton's step has no bound where the model has no row of a valley of the data."""
    spins = glass_in_one_valley(600)
    train, test = spins[:300], spins[300:]
    start = PseudoLikelihood(symmetric=True).fit(train)
    found = BoltzmannLearning(precision=0.6, chains=1024).fit(train)
    assert found.converged_
    assert np.abs(found.couplings_).max() < 4
    assert found.score(test) > start.score(test) - 0.2
    assert found.log_likelihood(train) > start.log_likelihood(train) + 0.1


@pytest.mark.slow
def test_a_phase_of_the_start_that_data_do_not_have_is_left():
    train, test, found = recorded()
    start = PseudoLikelihood(symmetric=True).fit(train)
    assert start.predictive_check(train).runaway
    independent = independent_log_likelihood(train, test)
    assert start.log_likelihood(test) < independent - 1
    assert found.converged_
    assert found.log_likelihood(test) > independent + 0.8
    check = found.predictive_check(train)
    assert not check.runaway
    assert max(check.means, check.pairs) < 2


def test_what_is_called_converged_has_the_moments_of_the_data():
    """Judged on a fresh population that the fit has not seen, in the mean and along the sum of the spins."""
    train, _, found = recorded()
    data = spin_moments(train)
    source = AnnealedPopulations(8192, 3, 4000.0, np.random.default_rng(99))
    model = IsingParameters(found.couplings_, found.fields_)
    sample = source.extended(source.sample(model), 2.0**18)
    ridge = PseudoLikelihood(symmetric=True).fit(train).l2_ / 4000
    seen = PenalisedLikelihood(data, ridge, source).iterate(model, sample)
    limit = 0.6**2
    assert mean_square(seen.gradient, data) < 2 * limit
    total = train.sum(axis=1)
    assert seen.gradient.fields.sum() ** 2 / (total.var() / 4000) < 6 * limit


def test_chains_find_what_enumeration_finds_on_a_recording():
    spins = bursts(12, 10_000, seed=5)
    exact = BoltzmannLearning(standard_errors=True).fit(spins)
    sampled = BoltzmannLearning(method="chains").fit(spins)
    assert exact.converged_
    assert sampled.converged_
    upper = np.triu_indices(12, 1)
    scores = (sampled.couplings_ - exact.couplings_)[upper] / exact.couplings_error_[upper]
    assert np.sqrt(np.mean(scores**2)) < 2 * 0.3
    assert abs(sampled.log_likelihood(spins) - exact.log_likelihood(spins)) < 0.002


@pytest.mark.parametrize("method", ["enumeration", "chains"])
def test_pairs_that_never_meet_are_named_before_a_fit_without_penalty(method):
    spins = np.where(np.random.default_rng(0).random((2000, 12)) < 0.02, 1, -1).astype(np.int8)
    expected = [pair for pair in zip(*np.triu_indices(12, 1), strict=True) if not (spins[:, pair] > 0).all(1).any()]
    assert missing_states(spin_moments(spins)).tolist() == [list(pair) for pair in expected]
    with pytest.warns(ConvergenceWarning, match=rf"pairs of spins \[\[{expected[0][0]}, {expected[0][1]}\]"):
        found = BoltzmannLearning(l2=0.0, method=method, max_iter=6).fit(spins)
    assert not found.converged_
    assert found.log_likelihood(spins) > independent_log_likelihood(spins, spins)


def test_fewer_rows_than_parameters_are_named_before_a_fit_without_penalty():
    spins = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (60, 10))
    with pytest.warns(ConvergenceWarning, match="rows cannot tell 55 parameters"):
        found = BoltzmannLearning(l2=0.0, max_iter=3).fit(np.repeat(spins[:50], 5, axis=0))
    assert not found.converged_
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*cannot tell", ConvergenceWarning)
        BoltzmannLearning().fit(spins[:50])


def newton(model, samples: int, source) -> AnnealedNewton:
    spins = model.draw(samples, seed=3)
    likelihood = PenalisedLikelihood(spin_moments(spins), np.full((6, 6), 1e-3), source)
    return AnnealedNewton(likelihood, spins, np.ones(len(spins)), 0.3, np.random.default_rng(1))


@pytest.mark.parametrize("source", [Enumerated(6), AnnealedPopulations(512, 3, 2000.0, np.random.default_rng(2))])
def test_an_ascent_never_ends_below_its_start_nor_below_independent_spins(source):
    model = dense(6, 1.0, seed=1)
    ascent = newton(model, 2000, source)
    wild = IsingParameters(20 * model.couplings, -9 * model.fields)
    start = ascent.start(wild)
    spins = model.draw(2000, seed=3)
    assert start.value > independent_log_likelihood(spins, spins) - 3 * start.error - 1e-9
    end = ascent.ascent(start, 30)
    assert end.converged
    assert end.last.value > start.value - 3 * end.last.error
    assert not ascent.ascent(start, 0).converged


def test_products_are_symmetric_for_more_rows_than_a_block():
    """Each with the mean over the rows that it uses, 70,000 here: those of a longer record would not do."""
    spins = bursts(8, 70_000, seed=1)
    random = np.random.default_rng(1)
    weights = random.random(len(spins))
    information = FisherInformation(spins, weights)
    x, y = (direction(random, 8) for _ in range(2))
    assert_allclose(x.dot(information.times(y)), y.dot(information.times(x)), rtol=1e-5)
    matrix = information_matrix(spins, weights / weights.sum())
    upper = np.triu_indices(8, 1)
    flat = [np.r_[each.couplings[upper], each.fields] for each in (x, y)]
    assert_allclose(x.dot(information.times(y)), flat[0] @ matrix @ flat[1], rtol=1e-3)


def direction(random: np.random.Generator, sites: int) -> IsingParameters:
    couplings = random.normal(size=(sites, sites)) * (1 - np.eye(sites))
    return IsingParameters(couplings + couplings.T, random.normal(size=sites))


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_errors_of_a_population_are_its_scatter(strength):
    """Moments and ln Z against enumeration, in units of their claimed errors."""
    model = dense(10, strength, seed=2)
    parameters = IsingParameters(model.couplings, model.fields)
    exact = Enumerated(10).sample(parameters).islands
    upper = np.triu_indices(10, 1)
    scores = []
    for seed in range(40):
        source = AnnealedPopulations(256, 3, 0.0, np.random.default_rng(seed))
        islands = source.extended(source.sample(parameters), 2.0**14).islands
        moments, errors = islands.moments, islands.errors
        pairs = (moments.pair_moments - exact.moments.pair_moments)[upper] / errors.couplings[upper]
        single = (moments.magnetisations - exact.moments.magnetisations) / errors.fields
        mean = islands.log_partition - exact.log_partition
        scores.append([mean / islands.log_partition_error, np.sqrt(np.mean(np.r_[pairs, single] ** 2))])
    logs, moments = np.array(scores).T
    assert abs(np.sqrt(np.mean(logs**2)) - 1) < 0.5
    assert abs(np.sqrt(np.mean(moments**2)) - 1) < 0.25


def test_a_second_population_is_pooled_by_its_own_weight():
    model = dense(8, 1.0, seed=3)
    parameters = IsingParameters(model.couplings, model.fields)
    source = AnnealedPopulations(256, 3, 0.0, np.random.default_rng(1))
    first, second = source.sample(parameters), source.sample(parameters)
    both = first.pooled(second)
    assert_allclose(both.weights.sum(), 1)
    assert both.islands.rows == first.islands.rows + second.islands.rows
    z = np.exp([first.islands.log_partition, second.islands.log_partition])
    means = [each.islands.moments.magnetisations for each in (first, second)]
    assert_allclose(both.islands.moments.magnetisations, z @ means / z.sum(), atol=1e-12)
    # The rows that are kept are a part of the record, at least of that of a first look.
    assert_allclose(both.weights @ both.spins, both.islands.moments.magnetisations, atol=0.05)


@pytest.mark.parametrize("sites", [2, 10, 18])
def test_log_partition_is_the_sum_over_configurations(sites):
    model = dense(sites, 1.0, seed=sites)
    found = log_partition(model.couplings, model.fields)
    assert found.error == 0
    assert_allclose(found.value, np.logaddexp.reduce(exponents(model.states, model.couplings, model.fields)))


def test_log_partition_of_many_spins_is_annealed():
    """Three blocks of ten spins, whose Z is the product of three."""
    block = dense(10, 1.5, seed=6)
    couplings = np.kron(np.eye(3), block.couplings)
    found = log_partition(couplings, np.tile(block.fields, 3))
    exact = 3 * log_partition(block.couplings, block.fields).value
    assert 0 < found.error < 0.03
    assert abs(found.value - exact) < 4 * found.error


def test_an_estimator_knows_its_log_likelihood():
    model = dense(8, 1.0, seed=5)
    spins = model.draw(2000, seed=1)
    found = PseudoLikelihood().fit(spins)
    exact = np.logaddexp.reduce(-found.energy(model.states))
    assert_allclose(found.log_partition_, exact)
    weights = np.arange(1, 2001)
    assert_allclose(
        found.log_likelihood(spins, sample_weight=weights), np.average(-found.energy(spins), weights=weights) - exact
    )
    assert found.log_partition_error_ == 0
    again = found.fit(spins[:100])
    assert_allclose(again.log_partition_, np.logaddexp.reduce(-again.energy(model.states)))


def test_a_check_of_the_true_model_shows_errors_of_one():
    model = dense(8, 1.0, seed=5)
    found = PseudoLikelihood().fit(model.draw(1_000_000, seed=2))
    check = found.predictive_check(model.draw(3000, seed=7))
    assert 0.5 < check.means < 1.6
    assert 0.6 < check.pairs < 1.4
    assert 0.6 < check.triplets < 1.4
    assert check.count_distance < 0.05
    assert not check.runaway
    assert_allclose(check.data_counts.sum(), 1)
    assert_allclose(check.model_counts.sum(), 1)


def test_a_phase_across_all_that_the_data_vary_along_is_named():
    """A memory of two patterns, neither of them uniform, in data near the first alone."""
    patterns = np.sign(np.array([np.sin(np.arange(16) * np.pi / period + 0.1) for period in (1, 2)]))
    assert (patterns @ patterns.T == 16 * np.eye(2)).all()
    assert (patterns.sum(axis=1) == 0).all()
    found = PseudoLikelihood(l2=100.0).fit(np.random.default_rng(0).choice([-1, 1], (500, 16)))
    found.couplings_ = 2.5 * (patterns.T @ patterns / 16 - np.eye(16) / 8)
    found.fields_ = np.zeros(16)
    drawn = found.sample(4000, random_state=1)
    near = np.abs(drawn @ patterns.T)
    # Chains from random starts end near either.
    assert 0.2 < (near[:, 1] > near[:, 0]).mean() < 0.8
    check = found.predictive_check(drawn[near[:, 0] > near[:, 1] + 4])
    assert check.runaway
    assert not found.predictive_check(drawn).runaway


def test_a_check_shows_a_law_that_no_pair_has():
    """Triplets whose product is mostly +1, all pairs independent."""
    random = np.random.default_rng(1)
    spins = random.choice(np.array([-1, 1], np.int8), (4000, 9))
    odd = random.random((4000, 3)) < 0.2
    spins[:, 2::3] = spins[:, ::3] * spins[:, 1::3] * np.where(odd, -1, 1)
    found = BoltzmannLearning().fit(spins)
    check = found.predictive_check(spins)
    assert check.pairs < 1.5
    assert check.triplets > 5
    assert "triplets" in str(check)
