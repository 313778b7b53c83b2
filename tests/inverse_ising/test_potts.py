"""Potts models: against Ising models, enumeration, finite differences, and alignments whose contacts are known."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.ising_oracle import dense
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from vae_mf import checks
from vae_mf.datasets import DataError, read_sequences
from vae_mf.inverse_ising import (
    BoltzmannLearning,
    Estimator,
    PottsBoltzmannLearning,
    PottsPseudoLikelihood,
    PseudoLikelihood,
    contact_scores,
    identity_weights,
    position_weights,
    strongest_contacts,
)
from vae_mf.inverse_ising.potts import base
from vae_mf.inverse_ising.potts.ascent import conjugate_gradients, information
from vae_mf.inverse_ising.potts.chains import PottsChains, annealed_population
from vae_mf.inverse_ising.potts.coordinates import Coordinates
from vae_mf.inverse_ising.potts.likelihood import EnumeratedLikelihood, Penalised
from vae_mf.inverse_ising.potts.model import log_pseudo_likelihood, over_columns, over_sites, zero_sum_gauge
from vae_mf.inverse_ising.potts.pair_prior import PairEstimates, likely_strengths
from vae_mf.inverse_ising.potts.pseudolikelihood import with_likely_weight
from vae_mf.inverse_ising.potts.regression import PottsRegression
from vae_mf.inverse_ising.potts.rows import all_rows, picked, potts_rows
from vae_mf.inverse_ising.solvers.information import inverted
from vae_mf.inverse_ising.solvers.lbfgs import Stopping

SPINS = dense(7, 0.8, seed=3).draw(800, seed=4)
INFINITE = 1e12
ESTIMATORS = [PottsPseudoLikelihood(tolerance=1e-8), PottsBoltzmannLearning()]


def coupled(sites: int, states: int, strength: float, seed: int, share: float = 1.0):
    """Couplings and fields in zero-sum gauge, a share of the pairs being coupled."""
    random = np.random.default_rng(seed)
    J = np.zeros((sites, sites, states, states))
    for i, j in itertools.combinations(range(sites), 2):
        if random.random() < share:
            J[i, j] = random.normal(0, strength, (states, states))
            J[j, i] = J[i, j].T
    return zero_sum_gauge(J, random.normal(0, 0.5, (sites, states)))


def energies(rows, J, h):
    """Energies by the definition."""
    sites = range(rows.shape[1])
    return np.array(
        [
            -sum(J[i, j, x[i], x[j]] for i, j in itertools.combinations(sites, 2)) - sum(h[i, x[i]] for i in sites)
            for x in rows
        ]
    )


def probabilities(J, h):
    """All rows and their probabilities."""
    rows = all_rows(*h.shape)
    logs = -energies(rows, J, h)
    return rows, np.exp(logs - np.logaddexp.reduce(logs))


J3, H3 = coupled(5, 3, 0.5, seed=1)
ROWS3, EXACT3 = probabilities(J3, H3)
DRAWN3 = ROWS3[np.random.default_rng(2).choice(len(ROWS3), 700, p=EXACT3)]


@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_two_states_are_an_ising_model(l2):
    values = (SPINS + 1) // 2
    for ising, potts in (
        (PseudoLikelihood(symmetric=True, tolerance=1e-10, l2=l2), PottsPseudoLikelihood(tolerance=1e-10)),
        (BoltzmannLearning(l2=l2), PottsBoltzmannLearning()),
    ):
        theirs = ising.fit(SPINS)
        ours = potts.set_params(l2=l2, fields_l2=0.0).fit(values)
        signs = np.outer([-1, 1], [-1, 1])
        assert_allclose(ours.couplings_, theirs.couplings_[:, :, None, None] * signs, atol=1e-8)
        assert_allclose(ours.fields_, np.outer(theirs.fields_, [-1, 1]), atol=1e-8)
        assert_allclose(ours.score(values), theirs.score(SPINS), atol=1e-8)
        assert_allclose(ours.log_likelihood(values), theirs.log_likelihood(SPINS), atol=1e-8)


@pytest.mark.parametrize("l2", [0.0, 0.5, 20.0])
def test_errors_of_two_states_are_those_of_an_ising_model(l2):
    values = (SPINS + 1) // 2
    for ising, potts in (
        (PseudoLikelihood(symmetric=True, tolerance=1e-10), PottsPseudoLikelihood(tolerance=1e-10)),
        (BoltzmannLearning(), PottsBoltzmannLearning()),
    ):
        theirs = ising.set_params(l2=l2, standard_errors=True).fit(SPINS)
        ours = potts.set_params(l2=l2, fields_l2=0.0, standard_errors=True).fit(values)
        off = ~np.eye(7, dtype=bool)
        both = np.ones((2, 2))
        # Ising models sum their curvatures in single precision.
        assert_allclose(ours.couplings_error_[off], theirs.couplings_error_[off][:, None, None] * both, 1e-5)
        assert_allclose(ours.fields_error_, theirs.fields_error_[:, None] * both[0], 1e-5)
        low, high = ours.couplings_interval(0.9)
        assert_allclose([low[..., 1, 1], high[..., 1, 1]], theirs.couplings_interval(0.9), atol=1e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_exact_frequencies_give_back_the_model(estimator):
    found = clone(estimator).set_params(l2=0.0, fields_l2=0.0).fit(ROWS3, sample_weight=INFINITE * EXACT3)
    assert found.converged_
    assert_allclose(found.couplings_, J3, atol=1e-5)
    assert_allclose(found.fields_, H3, atol=1e-5)
    assert_allclose(found.log_likelihood(ROWS3, sample_weight=EXACT3), EXACT3 @ np.log(EXACT3), atol=1e-8)


@pytest.mark.parametrize("l2", [0.0, 30.0])
def test_enumeration_reaches_the_exact_maximum(l2):
    found = PottsBoltzmannLearning(l2=l2, fields_l2=2.0).fit(DRAWN3)
    _, law = probabilities(found.couplings_, found.fields_)
    hot = np.eye(3)[ROWS3]
    data = np.eye(3)[DRAWN3]
    model = np.einsum("r,ria,rjb->ijab", law, hot, hot)
    difference = np.einsum("ria,rjb->ijab", data, data) / len(data) - model
    # The mean square over q^2 pairs of states pulls every coupling by l2 J / (q^2 M).
    pull = l2 * found.couplings_ / (9 * len(data))
    off = ~np.eye(5, dtype=bool)
    projected = zero_sum_gauge(difference, np.zeros((5, 3)))[0]
    assert_allclose(projected[off], pull[off], atol=2e-9)
    singles = data.mean(axis=0) - np.einsum("r,ria->ia", law, hot)
    assert_allclose(singles, 2.0 * found.fields_ / (3 * len(data)), atol=2e-9)


def test_errors_are_those_of_the_dense_information_matrix():
    """Hessians by finite differences of gradients, in the coordinates of the states themselves."""
    found = PottsBoltzmannLearning(l2=5.0, fields_l2=2.0, standard_errors=True).fit(DRAWN3)
    data = potts_rows(DRAWN3, np.ones(700), 3)
    coordinates = Coordinates(np.full(15, 1 / 3), 3)
    ridges = np.repeat([5.0 / 700, 2.0 / 700], [coordinates.couplings, 10])
    objective = EnumeratedLikelihood(Penalised(data, coordinates, ridges))
    point = coordinates.vector(over_columns(found.couplings_, found.fields_))
    steps = 1e-5 * np.eye(len(point))
    ends = [
        [objective.evaluate((point + s * step)[:, None], np.arange(1), np.float64).gradients[:, 0] for step in steps]
        for s in (1, -1)
    ]
    covariance = np.linalg.inv((np.array(ends[0]) - np.array(ends[1])) / 2e-5) / 700
    jacobian = np.array([np.r_[tuple(each.ravel() for each in over_sites(coordinates.model(e), 3))] for e in steps]).T
    variances = np.diag(jacobian @ covariance @ jacobian.T) / 1e-10
    assert_allclose(found.couplings_error_.ravel() ** 2, variances[:225], rtol=1e-5, atol=1e-9)
    assert_allclose(found.fields_error_.ravel() ** 2, variances[225:], rtol=1e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize("l2", [0.0, "auto"])
def test_errors_have_the_size_of_the_deviations(estimator, l2):
    random = np.random.default_rng(0)
    squares = []
    for _ in range(12):
        rows = ROWS3[random.choice(len(ROWS3), 1500, p=EXACT3)]
        fit = clone(estimator).set_params(l2=l2, standard_errors=True, states=3).fit(rows)
        off = ~np.eye(5, dtype=bool)
        squares.append(np.mean(((fit.couplings_ - J3)[off] / fit.couplings_error_[off]) ** 2))
    # 40 independent coordinates in each fit, 12 fits.
    assert_allclose(np.mean(squares), 1, atol=4 * np.sqrt(2 / 480))


def test_errors_by_chains_are_those_by_enumeration():
    exact = PottsBoltzmannLearning(l2=5.0, standard_errors=True).fit(DRAWN3)
    chains = PottsBoltzmannLearning(l2=5.0, standard_errors=True, method="chains", chains=2048).fit(DRAWN3)
    off = ~np.eye(5, dtype=bool)
    assert_allclose(chains.couplings_error_[off], exact.couplings_error_[off], rtol=0.1)


def test_states_that_never_meet_have_infinite_errors_without_a_prior():
    rows = DRAWN3[(DRAWN3[:, 0] != 1) | (DRAWN3[:, 3] != 2)]
    for estimator in ESTIMATORS:
        with pytest.warns(ConvergenceWarning, match="never came together"):
            found = clone(estimator).set_params(l2=0.0, standard_errors=True).fit(rows)
        unknown = np.zeros((5, 5), dtype=bool)
        unknown[0, 3] = unknown[3, 0] = True
        assert_array_equal(np.isinf(found.couplings_error_).all(axis=(2, 3)), unknown)
        assert_array_equal(np.isfinite(found.couplings_error_).all(axis=(2, 3)), ~unknown)
        assert_array_equal(np.isinf(found.fields_error_).all(axis=1), [True, False, False, True, False])
        found.set_params(standard_errors=False, l2=1.0).fit(rows)
        with pytest.raises(ValueError, match="got none; fit with standard_errors=True"):
            found.couplings_interval()


def test_states_of_two_sites_that_were_never_seen_have_infinite_errors_without_a_prior():
    """A pseudo-inverse left out their directions: errors of 0 to 900, and converged."""
    for estimator, rows in itertools.product(ESTIMATORS, (DRAWN3[:, :3], np.zeros((60, 3), int))):
        limits = {"max_iter": 50} if isinstance(estimator, PottsPseudoLikelihood) else {}
        with pytest.warns(ConvergenceWarning, match="never came together"):
            found = clone(estimator).set_params(l2=0.0, states=4, standard_errors=True, **limits).fit(rows)
        assert not found.converged_
        assert np.isinf(found.couplings_error_[~np.eye(3, dtype=bool)]).all()


def test_information_of_parameters_where_others_are_not_known_is_the_limit_of_a_weak_prior():
    random = np.random.default_rng(0)
    factors = random.normal(size=(6, 4))
    for chosen in (np.array([0, 1]), np.array([2, 3, 4])):
        exact = np.linalg.inv(np.linalg.inv(factors @ factors.T + 1e-7 * np.eye(6))[np.ix_(chosen, chosen)])
        assert_allclose(inverted(factors @ factors.T, 10.0).marginal(chosen), exact, atol=1e-5)


def test_a_model_that_predicts_worse_than_independent_sites_has_not_converged():
    """A penalty of next to nothing: one to ten nats a row worse on new rows, and converged."""
    for seed in range(3):
        rows = ROWS3[np.random.default_rng(seed).choice(len(ROWS3), 60, p=EXACT3)]
        with pytest.warns(ConvergenceWarning, match="no better than independent sites do"):
            weak = PottsPseudoLikelihood(states=3, l2=0.01).fit(rows)
        assert not weak.converged_
        alone = (np.eye(3)[rows].sum(axis=0) + 0.5) / 61.5
        assert weak.score(ROWS3, sample_weight=EXACT3) < EXACT3 @ np.log(alone[np.arange(5), ROWS3]).sum(axis=1)
    assert PottsPseudoLikelihood().fit(DRAWN3).converged_


def test_errors_contain_the_doubt_of_a_pairs_width():
    """Pairs of which their two coordinates do not say what width they have; without it the ratio is 1.4."""
    random = np.random.default_rng(0)
    widths = np.where(np.arange(20_000) < 4000, 0.4, 0.02)[:, None]
    truth = random.normal(0, widths, (20_000, 2))
    estimates = truth + random.normal(0, 0.1, truth.shape)
    found = likely_strengths(PairEstimates(estimates**2, np.full(truth.shape, 0.01)), 30.0)
    width = 1 / (1 / 0.01 + found.strengths[:, None])
    means = estimates * width / 0.01
    unclear = np.abs(np.sqrt((estimates**2).mean(axis=1)) - 0.2) < 0.05
    squares = ((means - truth) ** 2)[unclear].mean()
    assert squares > 1.2 * width[unclear].mean()
    assert_allclose((width + found.doubts[:, None] * means**2)[unclear].mean(), squares, rtol=0.25)


@pytest.mark.parametrize("estimator", [*ESTIMATORS, PottsPseudoLikelihood(l2=0.0)], ids=repr)
def test_memory_of_errors_is_asked_for_before_the_fit(estimator, monkeypatch):
    monkeypatch.setattr(checks, "available_memory", lambda: 200_000)
    clone(estimator).fit(DRAWN3)
    with pytest.raises(ValueError, match=r"5 sites of 9 states: .*, or fit with standard_errors=False"):
        clone(estimator).set_params(states=9, standard_errors=True).fit(DRAWN3)


def test_a_number_of_states_of_a_small_type_is_a_number():
    """20^3 rows are 64 in 8 bits."""
    rows = np.random.default_rng(0).integers(0, 20, (60, 3), np.int8)
    narrow, plain = (PottsPseudoLikelihood(states=q, l2=9.0).fit(rows) for q in (np.int8(20), 20))
    assert_array_equal(narrow.couplings_, plain.couplings_)
    assert narrow.log_partition_ == plain.log_partition_


class TestPredictiveCheck:
    """Data against rows of a model, whose law is known by enumeration."""

    @staticmethod
    def model(J, h):
        found = PottsPseudoLikelihood(states=3, max_iter=1, l2=1.0)
        with pytest.warns(ConvergenceWarning):
            found.fit(DRAWN3)
        found.couplings_, found.fields_ = J, h
        return found

    @staticmethod
    def distances(rows, law):
        """Root mean square differences of f_i(a) and f_ij(a, b), the law exact."""
        hot = np.eye(3)[ROWS3].reshape(len(ROWS3), -1)
        seen = np.eye(3)[rows].reshape(len(rows), -1)
        exact, data = np.einsum("r,ri,rj->ij", law, hot, hot), seen.T @ seen / len(rows)
        site = np.arange(15) // 3
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = (data - exact) ** 2 / (exact * (1 - exact) * (1 / len(rows) + 1 / 2**14))
        return np.sqrt([np.diag(squares).mean(), squares[site[:, None] < site].mean()])

    @pytest.mark.parametrize("share", [1.0, 0.5])
    def test_differences_are_those_of_the_exact_law(self, share):
        rows = ROWS3[np.random.default_rng(3).choice(len(ROWS3), 3000, p=EXACT3)]
        check = self.model(share * J3, H3).predictive_check(rows)
        _, law = probabilities(share * J3, H3)
        assert_allclose([check.means, check.pairs], self.distances(rows, law), rtol=0.2)
        assert (check.pairs > 2) == (share < 1)
        assert not check.runaway
        assert str(check) == f"means {check.means:.2g}, pairs {check.pairs:.2g} errors from the data"

    def test_a_weight_is_a_number_of_repetitions(self):
        weights = np.random.default_rng(5).integers(0, 4, len(DRAWN3))
        found = self.model(J3, H3)
        once = found.predictive_check(DRAWN3, sample_weight=weights)
        assert_allclose(once, found.predictive_check(np.repeat(DRAWN3, weights, axis=0)), rtol=1e-9)

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_phase_that_the_data_do_not_have_is_named(self, turned):
        """Sites that agree, in data in two of the three states; turned, each site has other names for them."""
        states = np.arange(5) % 3 if turned else np.zeros(5, int)
        hot = np.eye(3)[(np.arange(3) + states[:, None]) % 3]
        same = np.einsum("iac,jbc->ijab", hot, hot) * ~np.eye(5, dtype=bool)[:, :, None, None]
        J, h = zero_sum_gauge(same, np.zeros((5, 3)))
        _, law = probabilities(J, h)
        names = (ROWS3 + 3 - states) % 3
        third = (names == 2).sum(axis=1) >= 3
        random = np.random.default_rng(1)
        kept = np.where(third, 0, law)
        rows = ROWS3[random.choice(len(ROWS3), 5000, p=kept / kept.sum())]
        found = self.model(J, h)
        check = found.predictive_check(rows)
        assert check.runaway
        assert 0.02 < check.outside < law[third].sum() + 0.05
        assert "a phase that the data do not have holds" in str(check)
        everything = ROWS3[random.choice(len(ROWS3), 5000, p=law)]
        assert not found.predictive_check(everything).runaway


@pytest.mark.parametrize("strength", [0.0, 7.0])
def test_gradients_are_finite_differences(strength):
    data = potts_rows(DRAWN3[:40], np.random.default_rng(0).random(40), 3)
    regression = PottsRegression(data, 1.5)
    regression.penalise(strength * np.arange(10.0))
    penalised = Penalised(data, regression.coordinates, regression.ridges)
    for objective in (regression, EnumeratedLikelihood(penalised)):
        point = np.random.default_rng(1).normal(0, 0.3, (regression.coordinates.size, 1))
        gradient = objective.evaluate(point, np.arange(1), np.float64).gradients[:, 0]
        for k in range(len(point)):
            step = np.zeros_like(point)
            step[k] = 1e-5
            ends = [objective.evaluate(point + s * step, np.arange(1), np.float64).values[0] for s in (1, -1)]
            assert_allclose(gradient[k], (ends[0] - ends[1]) / 2e-5, atol=1e-8)


def test_information_is_the_derivative_of_the_moments():
    data = potts_rows(DRAWN3, np.ones(len(DRAWN3)), 3)
    coordinates = Coordinates(data.frequencies, 3)
    penalised = Penalised(data, coordinates, np.zeros(coordinates.size))
    objective = EnumeratedLikelihood(penalised)
    point = penalised.coordinates.vector(over_columns(J3, H3))[:, None]
    direction = np.random.default_rng(0).normal(size=len(point))
    times = information(penalised, picked(ROWS3, 3), EXACT3)
    points = [point + s * direction[:, None] for s in (1e-5, -1e-5)]
    ends = [objective.evaluate(each, np.arange(1), np.float64).gradients for each in points]
    assert_allclose(times(direction), (ends[0] - ends[1])[:, 0] / 2e-5, atol=1e-7)
    solution = conjugate_gradients(times, penalised.variances, times(direction), 200, 1e-8)
    assert_allclose(solution, direction, atol=1e-4)


def test_the_number_of_determined_couplings_is_the_trace_of_the_gaussian_approximation():
    data = potts_rows(DRAWN3, np.ones(len(DRAWN3)), 3)
    problem = PottsRegression(data, 1.0)
    problem.penalise(10.0)
    curvatures = problem._mean_curvatures(problem.start())
    second = problem.coordinates.projected(data.pair_frequencies - np.outer(data.frequencies, data.frequencies))
    total = 0.0
    for site in range(5):
        others = np.arange(10) // 2 != site
        hessian = np.kron(curvatures[site], second[np.ix_(others, others)])
        inverse = np.linalg.inv(hessian + (10.0 / 700 + 1e-6) * np.eye(len(hessian)))
        total += len(hessian) - 10.0 / 700 * np.trace(inverse)
    assert_allclose(problem.determined(problem.start()), total, rtol=1e-6)


@pytest.mark.parametrize(("sites", "states", "rows"), [(4, 3, 2500), (3, 100, 30), (11, 40, 50)])
def test_pseudo_likelihoods_are_ratios_of_probabilities(sites, states, rows):
    J, h = coupled(sites, states, 0.4, seed=0)
    x = np.random.default_rng(1).integers(0, states, (rows, sites), np.int8)
    result = np.zeros(rows)
    for i in range(sites):
        logits = h[i] + sum(J[i, j][:, x[:, j]].T for j in range(sites) if j != i)
        result += logits[np.arange(rows), x[:, i]] - np.log(np.exp(logits).sum(axis=1))
    assert_allclose(log_pseudo_likelihood(x, over_columns(J, h), states), result, atol=1e-10)


def test_probabilities_do_not_depend_on_the_gauge():
    random = np.random.default_rng(5)
    moved, shifts = J3.copy(), H3.copy()
    for i, j in itertools.permutations(range(5), 2):
        u = random.normal(size=3)
        moved[i, j] += u[:, None]
        moved[j, i] += u
        shifts[i] -= u
    shifts += random.normal(size=(5, 1))
    assert_allclose(probabilities(moved, shifts)[1], EXACT3, atol=1e-12)
    for back, first in zip(zero_sum_gauge(moved, shifts), (J3, H3), strict=True):
        assert_allclose(back, first, atol=1e-12)


def test_coordinates_keep_models_in_zero_sum_gauge():
    coordinates = Coordinates(potts_rows(DRAWN3, np.ones(700), 3).frequencies, 3)
    vector = coordinates.vector(over_columns(J3, H3))
    J, h = over_sites(coordinates.model(vector), 3)
    assert_allclose(J, J3, atol=1e-12)
    assert_allclose(h, H3, atol=1e-12)
    pairs = vector[: coordinates.couplings]
    assert_allclose(pairs @ pairs, np.mean(J3**2, axis=(2, 3)).sum() / 2)


def test_chains_follow_the_model():
    chains = PottsChains.uniform(40_000, 5, 3, np.random.default_rng(0))
    chains.sweep(over_columns(J3, H3), 30)
    counts = np.bincount(chains.rows @ 3 ** np.arange(5)[::-1], minlength=243)
    expected = 40_000 * EXACT3
    # Chains are independent: Pearson's statistic of 242 degrees of freedom.
    assert ((counts - expected) ** 2 / expected).sum() < 242 + 5 * np.sqrt(2 * 242)


def test_annealing_finds_ln_z():
    model = over_columns(2 * J3, 2 * H3)
    annealed = annealed_population(model, 3, 4096, np.random.default_rng(0)).annealed
    exact = np.logaddexp.reduce(-energies(ROWS3, 2 * J3, 2 * H3))
    assert 0 < annealed.error < 0.05
    assert abs(annealed.log_partition - exact) < 4 * annealed.error


def test_chains_find_the_maximum_too():
    exact = PottsBoltzmannLearning().fit(DRAWN3)
    chains = PottsBoltzmannLearning(method="chains", chains=1024).fit(DRAWN3)
    assert chains.converged_
    parameters = 10 * 4 + 5 * 2
    # ln L falls by half the squared distance in units of the statistical errors.
    assert exact.log_likelihood(DRAWN3) - chains.log_likelihood(DRAWN3) < 0.5 * 0.3**2 * parameters / len(DRAWN3)
    with pytest.raises(ValueError, match="method: expected chains for 14 sites"):
        PottsBoltzmannLearning(method="enumeration", states=3).fit(np.random.default_rng(0).integers(0, 3, (50, 14)))


def test_boltzmann_learning_is_the_more_likely():
    J, h = coupled(6, 3, 0.9, seed=8)
    rows, law = probabilities(J, h)
    drawn = rows[np.random.default_rng(0).choice(len(rows), 3000, p=law)]
    boltzmann, pseudo = (each.fit(drawn) for each in (PottsBoltzmannLearning(l2=1.0), PottsPseudoLikelihood(l2=1.0)))
    assert boltzmann.log_likelihood(drawn) > pseudo.log_likelihood(drawn)
    assert pseudo.score(drawn) > boltzmann.score(drawn)


@pytest.mark.parametrize("size", ["small", pytest.param("alignment", marks=pytest.mark.slow)])
def test_planted_contacts_are_found(size):
    sites, states, contacts, rows = {"small": (30, 5, 30, 3000), "alignment": (100, 21, 150, 10_000)}[size]
    random = np.random.default_rng(7)
    first, second = np.triu_indices(sites, 4)
    chosen = random.choice(len(first), contacts, replace=False)
    truth = np.column_stack([first[chosen], second[chosen]])
    J = np.zeros((sites, sites, states, states))
    for i, j in truth:
        J[i, j] = random.normal(0, 1.0, (states, states))
        J[j, i] = J[i, j].T
    J, h = zero_sum_gauge(J, random.normal(0, 1.0, (sites, states)))
    chains = PottsChains.uniform(rows, sites, states, random)
    chains.sweep(over_columns(J, h), 60)
    found = PottsPseudoLikelihood(states=states).fit(chains.rows)
    pairs = strongest_contacts(found.contact_scores_, contacts, separation=4).pairs
    assert len({*map(tuple, pairs)} & {*map(tuple, truth)}) > 0.95 * contacts


def test_likely_weights_predict_best():
    J, h = coupled(15, 4, 0.8, seed=2, share=0.2)
    chains = PottsChains.uniform(3000, 15, 4, np.random.default_rng(3))
    chains.sweep(over_columns(J, h), 60)
    train, test = chains.rows[:1000], chains.rows[1000:]
    likely = PottsPseudoLikelihood().fit(train)
    scores = [PottsPseudoLikelihood(l2=l2).fit(train).score(test) for l2 in np.geomspace(1, 1e4, 9)]
    assert likely.score(test) > max(scores) + 0.05


def test_one_likely_weight_predicts_better_than_others():
    J, h = coupled(12, 4, 0.3, seed=2)
    chains = PottsChains.uniform(3000, 12, 4, np.random.default_rng(3))
    chains.sweep(over_columns(J, h), 60)
    train, test = chains.rows[:1000], chains.rows[1000:]
    problem = PottsRegression(potts_rows(train, np.ones(1000), 4), 1.0)
    with_likely_weight(problem, Stopping(1e-5, 500))
    likely, less, more = (
        PottsPseudoLikelihood(l2=f * problem.strengths[0]).fit(train).score(test) for f in (1.0, 0.25, 4.0)
    )
    assert likely > max(less, more)


def test_pairs_of_two_widths_are_told_apart():
    random = np.random.default_rng(0)
    widths = np.where(np.arange(400) < 40, 0.3, 0.01)[:, None]
    errors = np.full((400, 16), 0.1)
    estimates = random.normal(0, widths, errors.shape) + random.normal(0, errors)
    found = likely_strengths(PairEstimates(estimates**2, errors**2), 100.0)
    assert_allclose(np.median(found.strengths[:40]), 1 / 0.3**2, rtol=0.3)
    assert found.strengths[:40].max() < found.strengths[40:].min()
    assert np.median(found.strengths[40:]) > 1 / 0.03**2
    same = likely_strengths(PairEstimates((random.normal(0, 0.2, errors.shape)) ** 2, errors**2), 30.0)
    assert_allclose(np.median(same.strengths), 1 / (0.2**2 - 0.1**2), rtol=0.3)


class TestContacts:
    """Scores of pairs, and the strongest of them."""

    def test_correction_removes_what_sites_have_in_common(self):
        strength = np.array([1.0, 2.0, 3.0, 4.0])
        couplings = np.zeros((4, 4, 2, 2))
        couplings[:, :, 0, 0] = np.outer(strength, strength) * ~np.eye(4, dtype=bool)
        scores = contact_scores(couplings)
        norms = np.outer(strength, strength) * ~np.eye(4, dtype=bool)
        means = norms.sum(axis=1) / 3
        direct = norms[0, 1] - means[0] * means[1] / (norms.sum() / 12)
        assert_allclose(scores[0, 1], direct)
        assert_array_equal(scores, scores.T)
        assert_array_equal(np.diag(scores), 0)
        assert_array_equal(contact_scores(couplings, left_out=0), 0)

    def test_neighbours_along_the_chain_are_left_out(self):
        scores = np.add.outer(np.arange(6.0), np.arange(6.0))
        found = strongest_contacts(scores, 4, separation=3)
        assert found.pairs.tolist() == [[2, 5], [1, 5], [0, 5], [1, 4]]
        assert_array_equal(found.scores, [7, 6, 5, 5])
        with pytest.raises(ValueError, match="separation: expected an integer >= 1, got 0"):
            strongest_contacts(scores, 4, separation=0)


class TestSequenceWeights:
    """Weights of relatives."""

    rows = np.random.default_rng(0).integers(0, 3, (40, 10))

    def test_relatives_are_counted(self):
        rows = np.repeat(self.rows, 2, axis=0)
        rows[::2, 0] = 0
        same = (rows[:, None] == rows[None]).mean(axis=2)
        for identity in (0.5, 0.8, 1.0):
            assert_allclose(identity_weights(rows, identity), 1 / (same > identity - 1e-9).sum(axis=1))

    def test_positions_are_those_of_the_source(self):
        rows = [[0, 0, 0, 0, 0], [0, 1, 1, 0, 1], [0, 0, 1, 0, 1], [0, 0, 2, 0, 2]]
        # GYVGS, GFDGF, GYDGF, GYQGG of Henikoff and Henikoff (1994).
        assert_allclose(position_weights(rows) / 4, [4 / 15, 4 / 15, 1 / 5, 4 / 15])

    @pytest.mark.parametrize("weights", [identity_weights, position_weights])
    def test_copies_of_an_alignment_change_nothing(self, weights):
        twice = np.repeat(DRAWN3, 2, axis=0)
        once, again = (PottsPseudoLikelihood(l2=5.0).fit(x, sample_weight=weights(x)) for x in (DRAWN3, twice))
        assert_allclose(again.couplings_, once.couplings_, atol=1e-6)

    def test_copies_of_one_sequence_change_nothing(self):
        more = np.concatenate([DRAWN3, DRAWN3[:1].repeat(50, axis=0)])
        once, again = (
            PottsPseudoLikelihood(l2=5.0).fit(x, sample_weight=identity_weights(x, 1.0)) for x in (DRAWN3, more)
        )
        assert_allclose(again.couplings_, once.couplings_, atol=1e-6)
        assert np.abs(PottsPseudoLikelihood(l2=5.0).fit(more).couplings_ - once.couplings_).max() > 1e-2

    def test_bad_options_are_refused(self):
        with pytest.raises(ValueError, match="identity: expected a number above 0 and at most 1, got 80"):
            identity_weights(self.rows, 80)


class TestSequences:
    """States from files of aligned sequences."""

    def test_an_alignment_becomes_states(self, tmp_path):
        path = tmp_path / "family.fasta"
        path.write_text(">one\nAC-Y\n>two\nA.XW\n")
        found = read_sequences(path)
        assert found.names == ["one", "two"]
        assert_array_equal(found.states, [[1, 2, 0, 20], [1, 0, 0, 19]])
        assert found.unknown == 1
        assert_array_equal(read_sequences(path, "-AC").states, [[1, 2, 0, 0], [1, 0, 0, 0]])

    def test_an_alphabet_begins_with_the_gap(self, tmp_path):
        for alphabet in ("ACGT", "-ACC"):
            with pytest.raises(DataError, match="alphabet: expected different letters after a gap"):
                read_sequences(tmp_path / "none", alphabet)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
class TestContract:
    """Contract of an estimator of Potts models."""

    def test_the_results_have_their_shapes(self, estimator):
        found = clone(estimator).fit(DRAWN3)
        assert isinstance(found, Estimator)
        assert found.couplings_.shape == (5, 5, 3, 3)
        assert found.fields_.shape == (5, 3)
        assert_allclose(found.couplings_, found.couplings_.transpose(1, 0, 3, 2), atol=1e-15)
        assert_array_equal(found.couplings_[np.arange(5), np.arange(5)], 0)
        assert_allclose(found.couplings_.sum(axis=2), 0, atol=1e-12)
        assert_allclose(found.fields_.sum(axis=1), 0, atol=1e-12)
        assert (found.states_, found.n_features_in_, found.converged_) == (3, 5, True)
        assert found.l2_.shape == (5, 5)
        assert (found.l2_[~np.eye(5, dtype=bool)] > 0).all()
        assert_allclose(found.energy(ROWS3), energies(ROWS3, found.couplings_, found.fields_), atol=1e-12)
        assert_array_equal(found.contact_scores_, contact_scores(found.couplings_))
        assert clone(found).get_params().keys() == estimator.get_params().keys()

    def test_relabelling_sites_and_states_relabels_the_couplings(self, estimator):
        order = np.array([3, 0, 4, 1, 2])
        names = np.array([2, 0, 1])
        plain = clone(estimator).fit(DRAWN3)
        moved = clone(estimator).fit(names[DRAWN3[:, order]])
        there = moved.couplings_[:, :, names][:, :, :, names]
        assert_allclose(there, plain.couplings_[np.ix_(order, order)], atol=1e-5)
        assert_allclose(moved.fields_[:, names], plain.fields_[order], atol=1e-5)

    def test_a_weight_is_a_number_of_repetitions(self, estimator):
        weights = np.random.default_rng(5).integers(0, 4, len(DRAWN3))
        weighted = clone(estimator).fit(DRAWN3, sample_weight=weights)
        repeated = clone(estimator).fit(np.repeat(DRAWN3, weights, axis=0)[::-1])
        assert_allclose(weighted.couplings_, repeated.couplings_, atol=1e-6)
        assert_allclose(weighted.fields_, repeated.fields_, atol=1e-6)

    def test_samples_follow_the_model(self, estimator):
        found = clone(estimator).fit(DRAWN3)
        drawn = found.sample(20_000, random_state=1, burn_in=50)
        _, law = probabilities(found.couplings_, found.fields_)
        singles = np.einsum("r,ria->ia", law, np.eye(3)[ROWS3])
        assert drawn.shape == (20_000, 5)
        assert_allclose(np.eye(3)[drawn].mean(axis=0), singles, atol=5 * 0.5 / np.sqrt(20_000))
        assert_array_equal(drawn, found.sample(20_000, random_state=1, burn_in=50))

    def test_it_pickles_and_searches(self, estimator):
        found = clone(estimator).fit(DRAWN3)
        assert_array_equal(pickle.loads(pickle.dumps(found)).energy(DRAWN3), found.energy(DRAWN3))
        search = GridSearchCV(clone(estimator).set_params(states=3), {"l2": [1.0, 100.0]}, cv=3).fit(DRAWN3)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_states_that_were_never_seen_stay_possible(self, estimator):
        found = clone(estimator).set_params(states=5).fit(DRAWN3)
        assert found.couplings_.shape == (5, 5, 5, 5)
        assert np.isfinite(found.score(np.full((1, 5), 4)))
        assert (found.fields_[:, 3:] < found.fields_[:, :3].min(axis=1, keepdims=True)).all()
        with pytest.raises(ValueError, match=r"sites and states never seen \[\[0, 3\]"):
            clone(estimator).set_params(states=5, fields_l2=0.0).fit(DRAWN3)

    def test_pairs_that_never_came_together_are_named(self, estimator):
        rows = DRAWN3[(DRAWN3[:, 0] != 1) | (DRAWN3[:, 2] != 2)]
        with pytest.warns(ConvergenceWarning, match=r"\[\[0, 1, 2, 2\]\] never came together"):
            assert not clone(estimator).set_params(l2=0.0).fit(rows).converged_
        assert clone(estimator).set_params(l2=1.0).fit(rows).converged_

    def test_bad_rows_are_refused(self, estimator):
        for rows, message in (
            (DRAWN3 - 1, r"integers from 0 to 126, got values such as \[-1\]"),
            (DRAWN3 + 0.5, "integers from 0 to 126, got values such as"),
            (np.ma.masked_equal(DRAWN3, 0), r"got NaN, first in row \d+, column \d; give gaps a state"),
            (np.where(DRAWN3, DRAWN3, np.nan), r"got NaN, first in row \d+, column \d; give gaps a state"),
            (np.array(list("ACDE" * 5)).reshape(-1, 4), "expected numbers, got words such as 'A'; code sequences by"),
            (pd.DataFrame({"a": ["x", "y"], "b": ["y", "x"]}).astype("category"), "got words such as 'x'"),
            (DRAWN3[:, :1], "1 feature"),
        ):
            with pytest.raises(ValueError, match=message):
                clone(estimator).fit(rows)
        with pytest.raises(ValueError, match=r"integers from 0 to 1, got values such as \[2\]"):
            clone(estimator).set_params(states=2).fit(DRAWN3)
        with pytest.raises(ValueError, match="states: expected at most 127, got 200"):
            clone(estimator).set_params(states=200).fit(DRAWN3)
        with pytest.raises(ValueError, match="states: expected an integer >= 2, got 1"):
            clone(estimator).set_params(states=1).fit(DRAWN3)

    def test_more_than_the_memory_is_refused(self, estimator):
        rows = np.zeros((2, 3000), np.int8)
        with pytest.raises(ValueError, match=r"3000 sites of 127 states: expected arrays that fit .* got 2.74e\+04 GB"):
            clone(estimator).set_params(states=127).fit(rows)


@pytest.fixture
def discretised(monkeypatch):
    """Let estimators see three bins of scikit-learn's continuous test data, which the real ones refuse."""

    def bins(values: np.ndarray, states) -> np.ndarray:
        return np.clip(np.floor(np.abs(values.astype(float)) % 3), 0, 2).astype(np.int8)

    monkeypatch.setattr(base, "checked_states", bins)


@parametrize_with_checks([PottsPseudoLikelihood()])
@pytest.mark.usefixtures("discretised")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([PottsBoltzmannLearning(chains=64, max_iter=2)])
@pytest.mark.usefixtures("discretised")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_checks_of_boltzmann_learning(estimator, check):
    check(estimator)
