"""Pseudo-likelihood, interaction screening and flow against scikit-learn, direct minimisation and repeated fits."""

import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from vae_mf.inverse_ising import (
    DecimatedPseudoLikelihood,
    InteractionScreening,
    ProbabilityFlow,
    PseudoLikelihood,
)
from vae_mf.inverse_ising.solvers.lbfgs import Evaluation, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import EXPONENTIAL, LOGISTIC
from vae_mf.statistics.distinct import distinct_spins

SAMPLES = dense(7, 1.0, seed=1).draw(3000, seed=2)


def by_scikit_learn(spins: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
    """Couplings and fields by one logistic regression per spin; theta is half of the log-odds."""
    sites = spins.shape[1]
    couplings = np.zeros((sites, sites))
    fields = np.zeros(sites)
    for i in range(sites):
        others = np.arange(sites) != i
        fit = LogisticRegression(tol=1e-10, max_iter=100_000, **options).fit(spins[:, others], spins[:, i])
        couplings[i, others], fields[i] = fit.coef_[0] / 2, fit.intercept_[0] / 2
    return (couplings + couplings.T) / 2, fields


@pytest.mark.parametrize("inverse", [0.02, 1.0, np.inf])
def test_ridge_pseudo_likelihood_is_scikit_learns_logistic_regression(inverse):
    estimator = PseudoLikelihood(l2=4 / inverse, symmetric=False, tolerance=1e-9).fit(SAMPLES)
    couplings, fields = by_scikit_learn(SAMPLES, C=inverse)
    assert_allclose(estimator.couplings_, couplings, atol=1e-6)
    assert_allclose(estimator.fields_, fields, atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_lasso_and_elastic_net_are_scikit_learns(l1_ratio):
    inverse = 0.01
    estimator = PseudoLikelihood(l2=4 * (1 - l1_ratio) / inverse, l1=2 * l1_ratio / inverse, tolerance=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        couplings, fields = by_scikit_learn(SAMPLES, C=inverse, solver="saga", l1_ratio=l1_ratio, random_state=0)
    estimator.fit(SAMPLES)
    assert_allclose(estimator.couplings_, couplings, atol=1e-6)
    assert_allclose(estimator.fields_, fields, atol=1e-6)
    assert (estimator.couplings_ == 0).sum() > 7


def firth_objective(parameters: np.ndarray, features: np.ndarray, targets: np.ndarray) -> float:
    theta = features @ parameters
    information = (features / np.cosh(theta)[:, None] ** 2).T @ features
    return np.logaddexp(0, -2 * targets * theta).sum() - 0.5 * np.linalg.slogdet(information)[1]


def test_firth_converges_where_every_event_is_rare():
    """Newton's steps went to and fro for as long as they were let, in the case that the penalty is for."""
    spins = np.where(np.random.default_rng(3).random((400, 6)) < 0.004, 1, -1)
    spins[np.arange(6), np.arange(6)] = 1
    fit = PseudoLikelihood(firth=True, max_iter=60)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*seems to predict")
        warnings.filterwarnings("error", message=".*has not converged")
        fit.fit(spins)
    assert fit.within_tolerance_


def test_firth_maximises_the_likelihood_times_jeffreys_prior():
    spins = SAMPLES[:60, :3]
    estimator = PseudoLikelihood(firth=True, tolerance=1e-10).fit(spins)
    found = np.zeros((3, 3))
    for i in range(3):
        others = np.arange(3) != i
        features = np.column_stack([spins[:, others], np.ones(60)])
        best = minimize(firth_objective, np.zeros(3), (features, spins[:, i]), method="BFGS", options={"gtol": 1e-9})
        found[i, others] = best.x[:2]
        assert_allclose(estimator.fields_[i], best.x[2], atol=1e-5)
    assert_allclose(estimator.couplings_, (found + found.T) / 2, atol=1e-5)


def symmetric_objective(parameters: np.ndarray, spins: np.ndarray, loss, l2: float) -> float:
    sites = spins.shape[1]
    couplings = np.zeros((sites, sites))
    couplings[np.triu_indices(sites, 1)] = parameters[sites:]
    couplings += couplings.T
    margins = spins * (spins @ couplings + parameters[:sites])
    return loss.evaluate(margins)[0].sum(axis=1).mean() + l2 / (2 * len(spins)) * (couplings**2).sum()


@pytest.mark.parametrize(
    ("estimator", "loss"),
    [(PseudoLikelihood(symmetric=True, l2=50, tolerance=1e-10), LOGISTIC), (ProbabilityFlow(l2=50), EXPONENTIAL)],
    ids=["pseudo-likelihood", "flow"],
)
def test_symmetric_objectives_are_minimised(estimator, loss):
    spins = SAMPLES[:500, :5].astype(float)
    best = minimize(symmetric_objective, np.zeros(15), (spins, loss, 50.0), method="BFGS", options={"gtol": 1e-8})
    estimator.fit(spins)
    assert_allclose(estimator.fields_, best.x[:5], atol=3e-6)
    assert_allclose(estimator.couplings_[np.triu_indices(5, 1)], best.x[5:], atol=3e-6)


@pytest.mark.parametrize("objective", ["rise", "logrise"])
def test_interaction_screening_minimises_its_objective(objective):
    l1 = 20.0
    spins = SAMPLES[:500, :4].astype(float)
    estimator = InteractionScreening(objective=objective, l2=0.0, l1=l1, tolerance=1e-9).fit(spins)

    def penalised(parameters: np.ndarray, i: int) -> float:
        others = np.arange(4) != i
        mean = np.exp(-spins[:, i] * (spins[:, others] @ parameters[:3] + parameters[3])).mean()
        return (np.log(mean + 1 / 500) if objective == "logrise" else mean) + l1 / 500 * np.abs(parameters[:3]).sum()

    found = np.zeros((4, 4))
    options = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000}
    for i in range(4):
        found[i, np.arange(4) != i] = minimize(
            penalised, np.full(4, 0.1), (i,), method="Nelder-Mead", options=options
        ).x[:3]
    assert_allclose(estimator.couplings_, (found + found.T) / 2, atol=1e-5)


@pytest.mark.parametrize(
    "estimator",
    [
        PseudoLikelihood(l2=0.0, symmetric=False),
        PseudoLikelihood(l2=0.0),
        InteractionScreening(l2=0.0),
        pytest.param(ProbabilityFlow(l2=0.0), marks=pytest.mark.slow),
        pytest.param(PseudoLikelihood(firth=True), marks=pytest.mark.slow),
    ],
    ids=["pseudo-likelihood", "symmetric", "rise", "flow", "firth"],
)
def test_standard_errors_are_the_scatter_of_repeated_fits(estimator):
    model = dense(5, 1.0, seed=5)
    repeats = 300
    samples = 2000
    fits = [clone(estimator).fit(model.draw(samples, seed)) for seed in range(repeats)]
    couplings, fields = [fit.couplings_ for fit in fits], [fit.fields_ for fit in fits]
    estimator.set_params(standard_errors=True)
    claimed = estimator.fit(model.states, sample_weight=samples * model.probabilities)
    upper = np.triu_indices(5, 1)
    # A standard deviation from 300 repeats has a relative error of 4 %; 15 numbers.
    assert_allclose(np.std(couplings, axis=0)[upper] / claimed.couplings_error_[upper], 1, atol=0.15)
    assert_allclose(np.std(fields, axis=0) / claimed.fields_error_, 1, atol=0.15)


def test_the_evidence_finds_the_variance_of_the_couplings():
    """Where the data are noisy, shrinking by the prior's true variance lowers the error; where not, nothing changes."""
    sites, strength = 14, 0.4
    model = dense(sites, strength, seed=3)
    upper = np.triu_indices(sites, 1)

    def error(**options) -> float:
        fit = PseudoLikelihood(**options).fit(model.draw(1000, seed=1))
        return float(np.sqrt(np.mean((fit.couplings_ - model.couplings)[upper] ** 2)))

    best = min(error(l2=l2) for l2 in (10, 20, 40, 80, 160, 320))
    assert error() < 1.05 * best
    assert error() < 0.95 * error(l2=0.0)


def test_decimation_finds_the_graph():
    random = np.random.default_rng(4)
    sites = 12
    couplings = np.zeros((sites, sites))
    for i in range(sites):
        couplings[i, (i + 1) % sites] = couplings[(i + 1) % sites, i] = random.choice([-1, 1]) * random.uniform(0.5, 1)
    model = oracle(couplings, random.uniform(-0.3, 0.3, sites))
    spins = model.draw(4000, seed=1)
    estimator = DecimatedPseudoLikelihood(l2=1.0).fit(spins)
    assert (estimator.bonds_ == (couplings != 0)).all()
    assert ((estimator.couplings_ != 0) == estimator.bonds_).all()
    plain = PseudoLikelihood(l2=1.0).fit(spins)
    assert abs(estimator.couplings_ - couplings).max() < 0.6 * abs(plain.couplings_ - couplings).max()
    assert_allclose(estimator.path_[[0, -1], 1], 0, atol=1e-12)


def test_decimation_learns_its_penalty():
    couplings = np.zeros((12, 12))
    place = np.arange(12)
    couplings[place, (place + 1) % 12] = np.random.default_rng(4).choice([-1, 1], 12)
    model = oracle(couplings + couplings.T, np.zeros(12))
    spins = model.draw(300, seed=1)

    def error(**options) -> float:
        fit = DecimatedPseudoLikelihood(**options).fit(spins)
        return float(np.sqrt(np.mean((fit.couplings_ - model.couplings) ** 2)))

    assert error() < 0.7 * error(l2=16.0)
    assert error() < 1.1 * min(error(l2=l2) for l2 in (0.0, 1.0, 2.0, 4.0))


SPARSE = [
    PseudoLikelihood(l1="auto"),
    InteractionScreening(l1="auto"),
    InteractionScreening(objective="logrise", l1="auto"),
]


@pytest.mark.parametrize("estimator", SPARSE, ids=["pseudo-likelihood", "rise", "logrise"])
def test_the_automatic_lasso_keeps_few_false_bonds_and_shrinks_no_true_one(estimator):
    place = np.arange(12)
    bonds = np.zeros((12, 12))
    bonds[place, (place + 1) % 12] = bonds[place, (place + 6) % 12] = 1
    bonds = np.minimum(bonds + bonds.T, 1)
    signs = np.triu(np.random.default_rng(4).choice([-1, 1], bonds.shape))
    model = oracle(0.9 * bonds * (signs + signs.T - np.diag(np.diag(signs))), np.zeros(12))
    upper = np.triu_indices(12, 1)
    fit = estimator.fit(model.draw(20_000, seed=1))
    found, true = fit.couplings_[upper], model.couplings[upper]
    assert (found[true != 0] != 0).all()
    assert (found[true == 0] != 0).sum() <= 2
    # Errors of about .02; a lasso alone takes .1 and more from every bond.
    assert abs(found - true).max() < 0.1


def test_the_automatic_lasso_of_an_ordered_phase_keeps_what_predicts():
    """Few rows carry the weight of logrise there: a penalty of their scatter alone took nearly all bonds, -6.5 nats."""
    place = np.arange(12)
    bonds = np.zeros((12, 12))
    bonds[place, (place + 1) % 12] = bonds[place, (place + 3) % 12] = 0.6
    model = oracle(np.maximum(bonds, bonds.T), np.zeros(12))
    rows = model.draw(3000, seed=1)
    fit = InteractionScreening(objective="logrise", l1="auto").fit(rows[:300])
    assert fit.score(rows[300:]) > -1.5


@pytest.mark.parametrize("estimator", SPARSE, ids=["pseudo-likelihood", "rise", "logrise"])
def test_the_automatic_lasso_keeps_copies_finite(estimator):
    spins = SAMPLES[:2000, :5].copy()
    spins[:, 1] = spins[:, 0]
    fit = estimator.fit(spins)
    assert fit.converged_
    assert 1 < fit.couplings_[0, 1] < 20


def test_an_unknown_objective_is_refused_with_every_penalty():
    with pytest.raises(ValueError, match="objective: expected one of rise, logrise"):
        InteractionScreening(objective="RISE", l1="auto").fit(SAMPLES)


def test_separable_samples_are_named_without_a_penalty_and_fitted_with_one():
    spins = SAMPLES[:300].copy()
    spins[:, 1] = np.where(spins[:, 0] + spins[:, 2] + spins[:, 3] > 0, 1, -1)
    with pytest.warns(ConvergenceWarning, match=r"separate spins .*1.*set l2 > 0"):
        PseudoLikelihood(l2=0.0).fit(spins)
    for finite in (PseudoLikelihood(), PseudoLikelihood(firth=True), PseudoLikelihood(symmetric=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            finite.fit(spins)
        assert abs(finite.couplings_).max() < 8


def test_copies_are_named():
    spins = np.column_stack([SAMPLES, -SAMPLES[:, 2]])
    with pytest.warns(ConvergenceWarning, match=r"spins \[\[2, 7\]\] are copies"):
        estimator = PseudoLikelihood().fit(spins)
    assert estimator.couplings_[2, 7] == estimator.couplings_[2].min() < -0.5


def test_too_few_iterations_are_reported():
    with pytest.warns(ConvergenceWarning, match="PseudoLikelihood has not converged after 2 iterations"):
        assert not PseudoLikelihood(l2=1.0, max_iter=2).fit(SAMPLES).converged_


def test_distinct_rows_keep_their_weight():
    spins = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (500, 70))
    spins = np.vstack([spins, spins[:100], spins[:50]])
    weights = np.random.default_rng(2).uniform(0.5, 2, len(spins))
    data = distinct_spins(spins, weights)
    assert len(data.spins) == len(np.unique(spins, axis=0)) == 500
    assert_allclose(data.shares @ data.spins, weights @ spins / weights.sum(), atol=1e-12)
    assert_allclose([data.shares.sum(), data.samples], [1, weights.sum()])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"l2": -1}, "l2"),
        ({"l2": "much"}, "l2"),
        ({"l1": "much"}, "l1"),
        ({"tolerance": 0}, "tolerance"),
        ({"max_iter": 0}, "max_iter"),
        ({"symmetric": True, "firth": True}, "symmetric"),
        ({"symmetric": True, "l1": 1.0}, "symmetric"),
        ({"firth": True, "l1": 1.0}, "firth"),
        ({"l1": 1.0, "standard_errors": True}, "standard_errors"),
    ],
)
def test_options_are_checked(options, named):
    with pytest.raises(ValueError, match=named):
        PseudoLikelihood(**options).fit(SAMPLES)


class Quadratics:
    """Columns x with the objectives x.A.x / 2 - b.x, one A and b per column."""

    def __init__(self, bends: np.ndarray, pulls: np.ndarray):
        self.bends, self.pulls = bends, pulls

    def evaluate(self, points, columns, dtype):
        products = np.einsum("cij,jc->ic", self.bends[columns], points)
        values = (points * (products / 2 - self.pulls[:, columns])).sum(axis=0)
        return Evaluation(values, products - self.pulls[:, columns])

    def precondition(self, gradients, columns):
        return gradients


def test_every_column_reaches_its_own_minimum():
    random = np.random.default_rng(13)
    factors = random.normal(size=(4, 5, 5)) * np.geomspace(0.1, 10, 4)[:, None, None]
    bends = factors @ factors.swapaxes(1, 2) + np.eye(5)
    exact = random.normal(size=(5, 4))
    problem = Quadratics(bends, np.einsum("cij,jc->ic", bends, exact))
    found = minimise(problem, np.zeros((5, 4)), Stopping(1e-9, 200))
    assert found.converged
    assert_allclose(found.points, exact, atol=1e-8)
    assert not minimise(problem, np.zeros((5, 4)), Stopping(1e-9, 3)).converged
