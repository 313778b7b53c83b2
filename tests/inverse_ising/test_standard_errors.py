"""Errors of couplings as posterior widths: against direct inverses, by their coverage, and where events are rare."""

import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import BoltzmannLearning, InteractionScreening, ProbabilityFlow, PseudoLikelihood
from vae_mf.inverse_ising.solvers.local_regression import RIDGE

REGULARISED = [PseudoLikelihood(), PseudoLikelihood(symmetric=False), InteractionScreening(), ProbabilityFlow()]
EVERY = [*REGULARISED, InteractionScreening(objective="logrise"), PseudoLikelihood(firth=True)]


def name(value) -> str:
    return repr(value)


def direct_variances(spins: np.ndarray, fit, i: int, ridge: float = 0.0) -> np.ndarray:
    """Variances of J_i1 ... and h_i from the inverse curvature of spin i's regression, the spin itself left out."""
    others = np.arange(spins.shape[1]) != i
    features = np.column_stack([spins[:, others], np.ones(len(spins))])
    theta = features @ np.append(fit.couplings_[i, others], fit.fields_[i])
    information = (features / np.cosh(theta)[:, None] ** 2).T @ features
    return np.diag(np.linalg.inv(information + np.diag(np.append(fit.l2_[others, i] + ridge, 0))))


def two_swapped(rows: int, seed: int) -> np.ndarray:
    """Spins of which the last two are the first two in random order, so that only a penalty tells s_0 + s_1 apart."""
    random = np.random.default_rng(seed)
    spins = random.choice(np.array([-1, 1], np.int8), (rows, 4))
    order = random.random((rows, 1)) < 0.5
    return np.hstack([spins, np.where(order, spins[:, :2], spins[:, 1::-1])])


def test_errors_are_the_inverse_curvature_of_likelihood_and_prior():
    spins = dense(6, 1.0, seed=1).draw(400, seed=2)
    fit = PseudoLikelihood(standard_errors=True).fit(spins)
    variances = np.zeros((6, 6))
    for i in range(6):
        found = direct_variances(spins, fit, i)
        variances[i, np.arange(6) != i] = found[:-1]
        assert fit.fields_error_[i] == pytest.approx(np.sqrt(found[-1]), rel=1e-4)
    upper = np.triu_indices(6, 1)
    expected = np.sqrt(2 / (1 / variances[upper] + 1 / variances.T[upper]))
    assert_allclose(fit.couplings_error_[upper], expected, rtol=1e-4)
    assert_allclose(fit.couplings_error_, fit.couplings_error_.T)


@pytest.mark.parametrize("seed", range(3))
def test_errors_hold_where_single_precision_tells_no_curvature(seed):
    """Rounding makes some of these Hessians indefinite and lends others a curvature: both had silent errors."""
    spins = two_swapped(3000, seed)
    fit = PseudoLikelihood(l2=1e-6, standard_errors=True).fit(spins)
    variances = np.zeros((6, 6))
    for i in range(6):
        variances[i, np.arange(6) != i] = direct_variances(spins, fit, i, len(spins) * RIDGE)[:-1]
    upper = np.triu_indices(6, 1)
    expected = np.sqrt(2 / (1 / variances[upper] + 1 / variances.T[upper]))
    assert_allclose(fit.couplings_error_[upper], expected, rtol=1e-2)


def test_boltzmann_errors_of_what_only_a_penalty_tells():
    spins = two_swapped(3000, seed=0)
    error = BoltzmannLearning(l2=1e-6, standard_errors=True).fit(spins).couplings_error_
    assert (error[~np.eye(6, dtype=bool)] > 0).all()
    # The sum of four couplings is unknown: a standard deviation of 1000 in each, less what curvature rounding leaves.
    assert error[2, [0, 1, 4, 5]].min() > 50
    assert error[2, 3] == pytest.approx(1 / np.sqrt(3000), rel=0.05)
    with pytest.warns(ConvergenceWarning, match="separate spins"):
        fit = BoltzmannLearning(l2=0.0, standard_errors=True).fit(spins)
    told = np.isfinite(fit.couplings_error_)
    # The couplings of the others with the four: what s_0 and s_1 do to them may as well be done by s_4 and s_5.
    assert_array_equal(np.argwhere(np.triu(told, 1)), [[2, 3]])
    assert not fit.converged_


@pytest.mark.parametrize("estimator", [*REGULARISED, BoltzmannLearning()], ids=name)
def test_intervals_cover_the_truth_where_the_prior_shrinks(estimator):
    """With 150 rows for 14 strongly coupled spins half of every coupling is prior; the bias is in the interval."""
    hits, fields = [], []
    for seed in range(8):
        model = dense(14, 1.3, seed=seed)
        fit = clone(estimator).set_params(standard_errors=True).fit(model.draw(150, seed=seed))
        upper = np.triu_indices(14, 1)
        hits.append(np.abs(fit.couplings_ - model.couplings)[upper] < 1.96 * fit.couplings_error_[upper])
        fields.append(np.abs(fit.fields_ - model.fields) < 1.96 * fit.fields_error_)
    # 728 couplings have the share .95 to .008 if independent.
    assert 0.91 < np.mean(hits) < 0.985
    assert np.mean(fields) > 0.88


@pytest.mark.parametrize("estimator", EVERY, ids=name)
@pytest.mark.parametrize(("chance", "samples"), [(0.01, 2000), (0.03, 2000), (0.1, 1000)])
def test_independent_rare_spins_have_no_significant_couplings(estimator, chance, samples):
    """Events that did not happen are no evidence: pairs never active together have wide intervals."""
    ratios = []
    for seed in range(3):
        spins = np.where(np.random.default_rng(seed).random((samples, 10)) < chance, 1, -1)
        fit = clone(estimator).set_params(standard_errors=True).fit(spins)
        upper = np.triu_indices(10, 1)
        ratios.append(np.abs(fit.couplings_ / np.where(fit.couplings_error_ > 0, fit.couplings_error_, 1))[upper])
    assert np.mean(np.array(ratios) > 3) < 0.01


def test_couplings_that_may_be_none_have_the_width_of_both_kinds():
    """Bonds that a sparse prior half believes in are within their intervals, though shrunk to almost nothing."""
    random = np.random.default_rng(5)
    hits = []
    for seed in range(6):
        couplings = np.zeros((14, 14))
        place = np.arange(14)
        couplings[place, (place + 1) % 14] = random.choice([-0.3, 0.3], 14)
        model = oracle(couplings + couplings.T, np.zeros(14))
        fit = PseudoLikelihood(standard_errors=True).fit(model.draw(250, seed=seed))
        assert np.unique(fit.l2_).size > 2
        bonds = np.triu(model.couplings) != 0
        hits.append(np.abs(fit.couplings_ - model.couplings)[bonds] < 1.96 * fit.couplings_error_[bonds])
    assert np.mean(hits) > 0.85


@pytest.mark.parametrize("symmetric", [True, False])
def test_without_a_penalty_errors_are_never_below_the_curvature(symmetric):
    """Nine rows in a thousand at random, of pairs that all met: the scatter of what happened is too small by chance."""
    spins = np.where(np.random.default_rng(3).random((3000, 5)) < 0.06, 1, -1)
    fit = PseudoLikelihood(l2=0.0, symmetric=symmetric, standard_errors=True).fit(spins)
    for i in range(5):
        curvature = np.sqrt(direct_variances(spins, fit, i)[-1])
        assert fit.fields_error_[i] >= curvature * (1 - 1e-4)


def test_screening_has_the_penalty_of_its_dispersion():
    """Slopes of exp(-z) scatter <1> for a curvature <1 / cosh theta>; the penalty grows by the ratio."""
    model = dense(14, 1.5, seed=2)
    spins = model.draw(400, seed=1)
    fit = InteractionScreening().fit(spins)
    dispersions = 1 / np.mean(1 / np.cosh(spins @ fit.couplings_ + fit.fields_), axis=0)
    strengths = fit.l2_[0] / dispersions
    assert dispersions.mean() > 1.5
    assert_allclose(strengths, strengths.mean(), rtol=0.15)
    upper = np.triu_indices(14, 1)

    def error(estimator) -> float:
        return float(np.sqrt(np.mean((estimator.fit(spins).couplings_ - model.couplings)[upper] ** 2)))

    assert error(InteractionScreening()) < 1.08 * min(
        error(InteractionScreening(l2=l2)) for l2 in (10, 20, 40, 80, 160)
    )


def separable() -> np.ndarray:
    spins = dense(7, 1.0, seed=1).draw(300, seed=2)
    spins[:, 1] = np.where(spins[:, 0] + spins[:, 2] + spins[:, 3] > 0, 1, -1)
    return spins


def single_events(count: int) -> np.ndarray:
    spins = np.full((2000, 6), -1, np.int8)
    spins[np.arange(count), np.arange(count) % 6] = 1
    return spins


UNPENALISED = [
    PseudoLikelihood(l2=0.0),
    PseudoLikelihood(l2=0.0, symmetric=False),
    InteractionScreening(l2=0.0),
    ProbabilityFlow(l2=0.0),
]


@pytest.mark.parametrize("estimator", UNPENALISED, ids=name)
@pytest.mark.parametrize("count", [12, 300])
def test_spins_never_active_together_have_infinite_errors_whatever_the_tolerance(estimator, count):
    values = []
    for tolerance in (1e-5, 1e-6, 1e-8):
        careful = clone(estimator).set_params(standard_errors=True, tolerance=tolerance, max_iter=5000)
        with pytest.warns(ConvergenceWarning, match=r"separate spins \[0, 1, 2, 3, 4, 5\].* 15 pairs.*set l2 > 0"):
            fit = careful.fit(single_events(count))
        assert np.isinf(fit.couplings_error_[~np.eye(6, dtype=bool)]).all()
        assert np.isinf(fit.fields_error_).all()
        assert not np.diag(fit.couplings_error_).any()
        values.append(fit.couplings_)
    assert_allclose(values[0], values[2], atol=0.02)
    assert_allclose(values[1], values[2], atol=1e-3)


@pytest.mark.parametrize("estimator", UNPENALISED, ids=name)
def test_a_spin_told_by_three_others_is_named_and_no_other(estimator):
    with pytest.warns(ConvergenceWarning, match=r"separate spins \[0, 1, 2, 3\]: the couplings of 6 pairs") as caught:
        fit = clone(estimator).set_params(standard_errors=True).fit(separable())
    # Where spin 1 and another of the four differ, the other two are known.
    assert len(caught) == 1
    assert np.isfinite(fit.couplings_error_[4:, :]).all()
    assert np.isfinite(fit.couplings_).all()


@pytest.mark.parametrize("estimator", [*UNPENALISED, InteractionScreening(objective="logrise", l2=0.0)], ids=name)
def test_couplings_that_rows_leave_open_are_named_and_have_infinite_errors(estimator):
    """They had errors of the penalty l2 = 1 that the others got; logrise had |J| of 235 and said nothing."""
    with pytest.warns(ConvergenceWarning) as caught:
        fit = clone(estimator).set_params(standard_errors=True).fit(two_swapped(400, seed=1))
    said = [str(each.message) for each in caught]
    assert any("separate spins [0, 1, 4, 5]: the couplings of 6 pairs" in line for line in said)
    assert any("too much alike for spins [0, 1, 2, 3, 4, 5]: the couplings of 8 pairs" in line for line in said)
    assert_array_equal(np.argwhere(np.triu(np.isfinite(fit.couplings_error_), 1)), [[2, 3]])
    assert_array_equal(fit.undetermined_, np.isinf(fit.couplings_error_))
    assert fit.couplings_error_[2, 3] == pytest.approx(0.05, rel=0.1)
    assert np.abs(fit.couplings_).max() < 10


@pytest.mark.parametrize("estimator", UNPENALISED, ids=name)
def test_overlapping_rows_are_not_called_separated(estimator):
    spins = separable()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = clone(estimator).fit(np.vstack([spins, spins * np.array([1, -1, 1, 1, 1, 1, 1])]))
    assert not fit.l2_.any()
