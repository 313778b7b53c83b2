"""Kinetic Ising estimators against scikit-learn, dense linear algebra, quadrature and the truth behind simulations."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression

from vae_mf.inverse_ising.kinetic.base import log_likelihood, trajectories_from, transitions
from vae_mf.inverse_ising.kinetic.hidden_spins import HiddenKineticIsing, HiddenKineticIsingCV
from vae_mf.inverse_ising.kinetic.likelihood import KineticMaximumLikelihood
from vae_mf.inverse_ising.kinetic.mean_field import (
    KineticExactMeanField,
    KineticNaiveMeanField,
    KineticTAP,
    gaussian_means,
    gaussian_tangents,
)

SIGMAS = 4.5
ESTIMATORS = [KineticMaximumLikelihood, KineticNaiveMeanField, KineticTAP, KineticExactMeanField]
SITES, STEPS, REPEATS = 6, 12, 60


def simulated(sites, strength, steps, repeats, seed, fields=None):
    """Couplings and trajectories (repeats, steps + 1, sites) of an asymmetric model."""
    random = np.random.default_rng(seed)
    couplings = random.normal(0, strength / np.sqrt(sites), (sites, sites))
    start = random.choice(np.array([-1, 1], np.int8), (repeats, sites))
    fields = np.zeros((steps, sites)) if fields is None else fields
    return couplings, trajectories_from(start, couplings, fields, random)


@pytest.fixture(scope="module")
def driven():
    """Couplings, fields and trajectories with fields that depend on time."""
    fields = np.random.default_rng(1).normal(0, 0.5, (STEPS, SITES))
    couplings, paths = simulated(SITES, 0.3, STEPS, REPEATS, 2, fields)
    return couplings, fields, paths


def design(paths, time_dependent):
    """Regressors (rows, N + G) and targets (rows, N): spins, then one indicator per step or one constant."""
    before = paths[:, :-1].astype(float)
    after = paths[:, 1:]
    repeats, steps, sites = before.shape
    indicators = np.tile(np.eye(steps), (repeats, 1)) if time_dependent else np.ones((repeats * steps, 1))
    return np.hstack([before.reshape(-1, sites), indicators]), after.reshape(-1, sites)


@pytest.mark.parametrize("l2", [1.2, 16.0])
def test_constant_fields_agree_with_logistic_regression(driven, l2):
    rows, targets = design(driven[2], False)
    ours = KineticMaximumLikelihood(l2=l2, tolerance=1e-9).fit(driven[2])
    for i in range(SITES):
        theirs = LogisticRegression(C=4 / l2, tol=1e-10, max_iter=1000).fit(rows[:, :SITES], targets[:, i])
        np.testing.assert_allclose(ours.couplings_[i], theirs.coef_[0] / 2, atol=1e-6)
        assert ours.fields_[i] == pytest.approx(theirs.intercept_[0] / 2, abs=1e-6)


def test_moving_fields_agree_with_logistic_regression(driven):
    rows, targets = design(driven[2], True)
    ours = KineticMaximumLikelihood(l2=4.0, fields_l2=1.0, tolerance=1e-9, time_dependent=True).fit(driven[2])
    # Twice the regressor with the same penalty of its coefficient is a quarter of the penalty.
    rows[:, SITES:] *= 2
    for i in range(SITES):
        theirs = LogisticRegression(C=1, tol=1e-10, max_iter=2000, fit_intercept=False).fit(rows, targets[:, i])
        np.testing.assert_allclose(ours.couplings_[i], theirs.coef_[0, :SITES] / 2, atol=2e-6)
        np.testing.assert_allclose(ours.fields_[:, i], theirs.coef_[0, SITES:], atol=2e-6)


@pytest.mark.parametrize("time_dependent", [False, True])
def test_standard_errors_are_those_of_the_dense_information_matrix(driven, time_dependent):
    rows, _ = design(driven[2], time_dependent)
    found = KineticMaximumLikelihood(l2=8.0, fields_l2=2.0, time_dependent=time_dependent).fit(driven[2])
    penalty = np.r_[np.full(SITES, 8.0), np.full(rows.shape[1] - SITES, 2.0 * time_dependent)]
    fields = np.atleast_2d(found.fields_)
    for i in range(SITES):
        parameters = np.r_[found.couplings_[i], fields[:, i]]
        weights = 1 / np.cosh(rows @ parameters) ** 2
        variances = np.diag(np.linalg.inv(rows.T @ (weights[:, None] * rows) + np.diag(penalty)))
        np.testing.assert_allclose(found.couplings_error_[i], np.sqrt(variances[:SITES]), rtol=1e-4)
        np.testing.assert_allclose(np.atleast_2d(found.fields_error_)[:, i], np.sqrt(variances[SITES:]), rtol=1e-4)


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_maximum_likelihood_is_unbiased_with_honest_errors(strength):
    couplings, paths = simulated(20, strength, 15_000, 1, 3)
    found = KineticMaximumLikelihood().fit(paths[0])
    z = (found.couplings_ - couplings) / found.couplings_error_
    assert (z**2).mean() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / z.size))
    slope = (found.couplings_ * couplings).sum() / (couplings**2).sum()
    assert slope == pytest.approx(1, abs=0.01)


def test_errors_fall_as_the_root_of_the_length():
    errors = []
    for steps in (1000, 16_000):
        couplings, paths = simulated(20, 1.0, steps, 1, 4)
        found = KineticMaximumLikelihood(standard_errors=False).fit(paths)
        errors.append(np.sqrt(((found.couplings_ - couplings) ** 2).mean()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def test_moving_fields_are_recovered_and_bias_couplings_if_ignored():
    fields = np.sin(2 * np.pi * (np.arange(40)[:, None] / 20 + np.arange(15) / 15))
    couplings, paths = simulated(15, 0.5, 40, 300, 5, fields)
    found = KineticMaximumLikelihood(time_dependent=True).fit(paths)
    for truth, value, error in (
        (couplings, found.couplings_, found.couplings_error_),
        (fields, found.fields_, found.fields_error_),
    ):
        assert (((value - truth) / error) ** 2).mean() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / truth.size) + 0.1)
    ignorant = KineticMaximumLikelihood().fit(paths)
    assert ((ignorant.couplings_ - couplings) ** 2).mean() > 10 * ((found.couplings_ - couplings) ** 2).mean()


def test_naive_mean_field_is_the_formula():
    _, paths = simulated(8, 0.7, 3000, 1, 6)
    before = paths[0, :-1].astype(float)
    after = paths[0, 1:].astype(float)
    m = after.mean(0)
    previous = before.mean(0)
    delayed = (after - m).T @ (before - previous) / len(before)
    expected = delayed @ np.linalg.inv(np.cov(before.T, bias=True)) / (1 - m**2)[:, None]
    found = KineticNaiveMeanField().fit(paths)
    np.testing.assert_allclose(found.couplings_, expected, atol=1e-5)
    np.testing.assert_allclose(found.fields_, np.arctanh(m) - found.couplings_ @ previous, atol=1e-5)


def test_tap_takes_the_smaller_root_of_the_cubic():
    _, paths = simulated(20, 0.3, 20_000, 1, 7, np.full((20_000, 20), 0.2))
    naive = KineticNaiveMeanField().fit(paths).couplings_
    found = KineticTAP().fit(paths).couplings_
    variances = 1 - paths[0, 1:].mean(0) ** 2
    before = 1 - paths[0, :-1].mean(0) ** 2
    right = variances * (naive**2 @ before)
    roots = np.array([np.sort(np.roots([1, -2, 1, -x]).real)[0] for x in right])
    assert (roots < 1 / 3).all()
    np.testing.assert_allclose(found, naive / (1 - roots)[:, None], rtol=1e-5)


def test_the_reaction_term_brings_the_fields_of_tap_nearer_to_the_truth():
    """In a strong constant field; naive mean field is off by m_i sum_j J_ij^2 (1 - m_j^2)."""
    _, paths = simulated(20, 0.3, 1000, 100, 7, np.full((1000, 20), 0.6))
    naive, found = (estimator().fit(paths).fields_ - 0.6 for estimator in (KineticNaiveMeanField, KineticTAP))
    assert np.sqrt((found**2).mean()) < np.sqrt((naive**2).mean()) / 1.5


def test_tap_says_which_couplings_it_cannot_explain():
    _, paths = simulated(20, 1.0, 5000, 1, 8)
    with pytest.warns(ConvergenceWarning, match="20 of 20 spins have no solution"):
        found = KineticTAP().fit(paths)
    np.testing.assert_allclose(found.couplings_, 1.5 * KineticNaiveMeanField().fit(paths).couplings_)


@pytest.mark.parametrize(("m", "variance"), [(0.0, 1.0), (0.3, 0.2), (-0.9, 4.0), (0.99, 24.0)])
def test_gaussian_averages_agree_with_quadrature(m, variance):
    mean = gaussian_means(np.array([[m]]), np.array([[variance]]))[0, 0]

    def average(function):
        return quad(
            lambda x: function(mean + np.sqrt(variance) * x) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), -9, 9,
            points=[np.clip(-mean / np.sqrt(variance), -9, 9)], limit=500,
        )[0]  # fmt: skip

    tangents = gaussian_tangents(np.array([[mean]]), np.array([[variance]]))
    assert average(np.tanh) == pytest.approx(m, abs=1e-6)
    assert average(lambda u: 1 / np.cosh(u) ** 2) == pytest.approx(tangents.slope[0, 0], rel=1e-4)


@pytest.mark.parametrize("time_dependent", [False, True])
def test_each_refinement_of_mean_field_is_more_accurate(time_dependent):
    fields = 0.3 * np.sin(np.arange(20)[:, None] / 3 + np.arange(30)) if time_dependent else None
    couplings, paths = simulated(30, 0.35, 20, 3000, 9, fields)
    errors = [
        ((estimator(time_dependent=time_dependent).fit(paths).couplings_ - couplings) ** 2).mean()
        for estimator in (KineticNaiveMeanField, KineticTAP, KineticExactMeanField)
    ]
    likelihood = KineticMaximumLikelihood(time_dependent=time_dependent, standard_errors=False).fit(paths)
    assert errors[0] > 1.3 * errors[1]
    assert errors[1] > errors[2]
    assert errors[2] < 1.05 * ((likelihood.couplings_ - couplings) ** 2).mean()


def test_exact_mean_field_holds_at_strong_coupling():
    couplings, paths = simulated(60, 1.0, 20_000, 1, 10)
    slopes = [
        (estimator().fit(paths).couplings_ * couplings).sum() / (couplings**2).sum()
        for estimator in (KineticNaiveMeanField, KineticExactMeanField)
    ]
    assert slopes[0] < 0.7
    assert slopes[1] == pytest.approx(1, abs=0.03)


def test_score_is_the_mean_log_probability_and_largest_at_the_fit(driven):
    paths = driven[2]
    found = KineticMaximumLikelihood(l2=0.0).fit(paths)
    theta = paths[:, :-1] @ found.couplings_.T + found.fields_
    assert found.score(paths) == pytest.approx((paths[:, 1:] * theta - np.log(2 * np.cosh(theta))).mean(), abs=1e-6)
    data = transitions(paths, np.ones(paths[:, 1:, 0].shape), False)
    random = np.random.default_rng(0)
    for _ in range(5):
        other = found.couplings_ + 0.1 * random.normal(size=found.couplings_.shape)
        assert log_likelihood(data, other, found.fields_[None]) < found.score(paths)


@pytest.mark.filterwarnings("ignore:KineticTAP:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("time_dependent", [False, True])
class TestContract:
    """What every estimator owes, with constant and with moving fields."""

    def test_shapes_and_parameters(self, estimator, time_dependent, driven):
        found = estimator(time_dependent=time_dependent).fit(driven[2])
        assert found.couplings_.shape == (SITES, SITES)
        assert found.fields_.shape == ((STEPS, SITES) if time_dependent else (SITES,))
        assert found.n_features_in_ == SITES
        assert found.converged_
        assert hasattr(found, "couplings_error_") == (estimator is KineticMaximumLikelihood)
        again = clone(found).set_params(time_dependent=False)
        assert not hasattr(again, "couplings_")
        assert again.fit(driven[2]).fields_.shape == (SITES,)

    def test_the_encoding_only_renames_values(self, estimator, time_dependent, driven):
        bits = (driven[2] > 0).astype(int)
        spin = estimator(time_dependent=time_dependent).fit(driven[2])
        binary = estimator(time_dependent=time_dependent, encoding="01").fit(bits)
        np.testing.assert_array_equal(binary.couplings_, spin.couplings_)
        assert binary.score(bits) == spin.score(driven[2])
        drawn = [model.simulate(STEPS, 3, random_state=1) for model in (spin, binary)]
        np.testing.assert_array_equal(drawn[0], 2 * drawn[1] - 1)

    def test_relabelling_spins_relabels_the_answer(self, estimator, time_dependent, driven):
        order = np.random.default_rng(1).permutation(SITES)
        flip = np.array([1, -1, 1, 1, -1, 1], np.int8)
        plain = estimator(time_dependent=time_dependent).fit(driven[2])
        other = estimator(time_dependent=time_dependent).fit((driven[2] * flip)[:, :, order])
        expected = (flip[:, None] * plain.couplings_ * flip)[np.ix_(order, order)]
        np.testing.assert_allclose(other.couplings_, expected, atol=1e-4)
        np.testing.assert_allclose(other.fields_, (plain.fields_ * flip)[..., order], atol=1e-4)

    def test_steps_drawn_from_the_fit_follow_it(self, estimator, time_dependent, driven):
        found = estimator(time_dependent=time_dependent).fit(driven[2])
        repeats = 20_000
        start = np.array([1, -1, -1, 1, 1, -1])
        paths = found.simulate(1, repeats, start, random_state=3)
        assert paths.shape == (repeats, 2, SITES)
        assert (paths[:, 0] == start).all()
        means = np.tanh(np.atleast_2d(found.fields_)[0] + found.couplings_ @ start)
        z = (paths[:, 1].mean(0) - means) / np.sqrt((1 - means**2) / repeats)
        assert np.abs(z).max() < SIGMAS

    def test_a_weight_is_a_number_of_repetitions(self, estimator, time_dependent, driven):
        weights = np.random.default_rng(6).integers(0, 4, REPEATS)
        model = estimator(time_dependent=time_dependent)
        found = clone(model).fit(driven[2], sample_weight=weights)
        repeated = clone(model).fit(np.repeat(driven[2], weights, axis=0))
        for name in ("couplings_", "fields_", "couplings_error_", "fields_error_"):
            if hasattr(repeated, name):
                np.testing.assert_allclose(getattr(found, name), getattr(repeated, name), atol=2e-5)
        score = found.score(driven[2], sample_weight=weights)
        assert score == pytest.approx(found.score(np.repeat(driven[2], weights, axis=0)), abs=1e-6)
        assert abs(score - found.score(driven[2])) > 1e-4
        whole = clone(model).fit(driven[2], sample_weight=np.repeat(weights[:, None], STEPS, axis=1))
        np.testing.assert_array_equal(whole.couplings_, found.couplings_)

    def test_weights_that_cannot_be_are_refused(self, estimator, time_dependent, driven):
        model = estimator(time_dependent=time_dependent)
        for weights, message in (
            (np.ones(STEPS), rf"12 transitions of 60 trajectories, shape \(60, 12\), .* got shape \({STEPS},\)"),
            (-np.ones(REPEATS), "expected none below zero, got negative ones such as -1"),
            (np.zeros(REPEATS), "all sample weights zero"),
            (np.full(REPEATS, np.nan), "NaN"),
            ((np.arange(REPEATS) == 0) * 9.0, "constant spins"),
        ):
            with pytest.raises(ValueError, match=message):
                clone(model).fit(driven[2][:, :3] if weights.max() == 9 else driven[2], sample_weight=weights)
        with pytest.warns(UserWarning, match="720 weights sum to 1 and count as so many samples of 6 spins"):
            clone(model).set_params(**({} if "l2" in model.get_params() else {"pseudocount": 1e-3})).fit(
                driven[2], sample_weight=np.full(REPEATS, 1 / (STEPS * REPEATS))
            )

    def test_refusals(self, estimator, time_dependent, driven):
        model = estimator(time_dependent=time_dependent)
        with pytest.raises(NotFittedError):
            model.score(driven[2])
        with pytest.raises(ValueError, match=r"expected entries -1 and 1 .*got values such as \[0"):
            model.fit((driven[2] > 0).astype(int))
        with pytest.raises(ValueError, match=r"expected \(times, N\) or \(repeats, times, N\)"):
            model.fit(driven[2][:, :1])
        constant = driven[2].copy()
        constant[:, :, 2] = 1
        with pytest.raises(ValueError, match=r"constant spins \[2\]"):
            model.fit(constant)
        with pytest.raises(ValueError, match="max_iter: expected an integer >= 1"):
            clone(model).set_params(max_iter=0).fit(driven[2])
        with pytest.raises(ValueError, match=r"X has 5 features, but .* is expecting 6 features"):
            model.fit(driven[2]).score(driven[2][:, :, 1:])
        with pytest.raises(ValueError, match="steps: expected"):
            model.simulate(0)


@pytest.mark.filterwarnings("ignore:KineticTAP:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_weighted_transition_is_one_given_so_many_times(estimator, driven):
    path = np.concatenate(driven[2][:40])
    weights = np.random.default_rng(7).integers(0, 3, len(path) - 1)
    pairs = np.stack([path[:-1], path[1:]], axis=1)
    found = estimator().fit(path, sample_weight=weights)
    repeated = estimator().fit(np.repeat(pairs, weights, axis=0))
    np.testing.assert_allclose(found.couplings_, repeated.couplings_, atol=2e-5)
    np.testing.assert_allclose(found.fields_, repeated.fields_, atol=2e-5)
    assert found.score(path, sample_weight=weights) == pytest.approx(
        found.score(np.repeat(pairs, weights, axis=0)), abs=1e-6
    )


def test_a_step_without_weight_has_no_field(driven):
    weights = np.ones((REPEATS, STEPS))
    weights[1:, 4] = 0
    with pytest.raises(ValueError, match=r"several repeats of every step, .* got 1 of step 4"):
        KineticMaximumLikelihood(time_dependent=True).fit(driven[2], sample_weight=weights)


def test_moving_fields_need_repeats_and_as_many_steps(driven):
    model = KineticMaximumLikelihood(time_dependent=True)
    with pytest.raises(ValueError, match="expected several repeats"):
        model.fit(driven[2][0])
    model.fit(driven[2])
    with pytest.raises(ValueError, match=f"expected the {STEPS + 1} times that were fitted, got {STEPS}"):
        model.score(driven[2][:, 1:])
    with pytest.raises(ValueError, match="at most the 12 that have fields, got 13"):
        model.simulate(STEPS + 1)


def test_spins_certain_in_a_step_need_a_pseudocount(driven):
    paths = driven[2][:10].copy()
    paths[:, 3, 1] = 1
    with pytest.raises(ValueError, match=r"got one value at \(step, spin\) \[2, 1\]; set pseudocount"):
        KineticNaiveMeanField(time_dependent=True).fit(paths)
    found = KineticNaiveMeanField(pseudocount=1.0, time_dependent=True).fit(paths)
    assert np.isfinite(found.fields_).all()
    likelihood = KineticMaximumLikelihood(time_dependent=True).fit(paths)
    assert np.abs(likelihood.fields_).max() < 5


def test_separable_data_warn_without_a_penalty_only():
    _, paths = simulated(10, 1.0, 12, 1, 11)
    with pytest.warns(ConvergenceWarning, match="separate 10 of 10 spins: 100 couplings and 10 fields have no finite"):
        KineticMaximumLikelihood(l2=0.0, standard_errors=False).fit(paths)
    assert np.abs(KineticMaximumLikelihood().fit(paths).couplings_).max() < 2


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_spins_that_never_follow_each_other_have_infinite_errors_whatever_the_tolerance(tolerance):
    """Errors were NaN or those of the J at which the search had stopped, and no one was warned."""
    path = np.full((200, 4), -1, np.int8)
    path[np.arange(0, 200, 10), np.arange(20) % 4] = 1
    with pytest.warns(ConvergenceWarning, match="separate 4 of 4 spins: 16 couplings and 4 fields"):
        found = KineticMaximumLikelihood(l2=0.0, tolerance=tolerance).fit(path)
    assert np.isinf(found.couplings_error_).all()
    np.testing.assert_allclose(found.couplings_, KineticMaximumLikelihood(l2=1.0).fit(path).couplings_, atol=1e-2)


def test_a_spin_that_follows_another_is_named_and_no_other():
    _, paths = simulated(5, 0.5, 300, 2, 3)
    paths[:, 1:, 4] = paths[:, :-1, 3]
    with pytest.warns(ConvergenceWarning, match="separate 1 of 5 spins: 5 couplings and 1 fields have no finite"):
        found = KineticMaximumLikelihood(l2=0.0).fit(paths)
    assert np.isinf(found.couplings_error_[4]).all()
    assert np.isfinite(found.couplings_error_[:4]).all()
    np.testing.assert_array_equal(np.isinf(found.fields_error_), np.arange(5) == 4)


@pytest.mark.parametrize("time_dependent", [False, True])
def test_couplings_from_copies_have_infinite_errors_without_a_penalty(driven, time_dependent):
    """Sums in single precision made the errors NaN for some spins, and finite for others."""
    copied = np.concatenate([driven[2], -driven[2][:, :, :1]], axis=2)
    with pytest.warns(ConvergenceWarning, match="too much alike for 7 of 7 spins: 14 couplings and 0 fields may be"):
        found = KineticMaximumLikelihood(l2=0.0, time_dependent=time_dependent).fit(copied)
    unknown = np.isinf(found.couplings_error_)
    np.testing.assert_array_equal(unknown, np.isin(np.arange(7), (0, 6))[None].repeat(7, axis=0))
    assert (found.couplings_error_ > 0).all()
    plain = KineticMaximumLikelihood(l2=0.0, time_dependent=time_dependent).fit(driven[2])
    np.testing.assert_allclose(found.couplings_error_[:6, 1:6], plain.couplings_error_[:, 1:], rtol=1e-4)
    np.testing.assert_allclose(found.fields_error_[..., :6], plain.fields_error_, rtol=1e-4)


def test_fields_of_certain_steps_have_infinite_errors_without_a_penalty(driven):
    paths = driven[2].copy()
    paths[:, 3, 1] = 1
    with pytest.warns(ConvergenceWarning, match="separate 1 of 6 spins: 0 couplings and 1 fields have no finite"):
        found = KineticMaximumLikelihood(l2=0.0, fields_l2=0.0, time_dependent=True).fit(paths)
    assert np.argwhere(np.isinf(found.fields_error_)).tolist() == [[2, 1]]
    assert np.isfinite(found.couplings_error_).all()


def test_a_spin_that_never_changes_after_the_first_time_is_refused(driven):
    """Its field was 9 with an error of a million, and the fit had converged."""
    paths = driven[2].copy()
    paths[:, 0, 2] = 1
    paths[:, 1:, 2] = -1
    for estimator in (KineticMaximumLikelihood(), HiddenKineticIsing(max_iter=2)):
        with pytest.raises(ValueError, match=r"constant spins \[2\]"):
            estimator.fit(paths)


def test_starts_and_words_are_checked(driven):
    found = KineticMaximumLikelihood().fit(driven[2])
    assert found.simulate(3, 2, start=np.ones(SITES)).shape == (2, 4, SITES)
    with pytest.raises(ValueError, match=r"start: expected shape \(6,\) or \(2, 6\), got \(5,\)"):
        found.simulate(3, 2, start=np.ones(5))
    with pytest.raises(ValueError, match="trajectories: expected numbers, got words such as 'up'"):
        KineticMaximumLikelihood().fit(np.full((9, 3), "up"))


def test_couplings_have_intervals_and_are_told_from_zero():
    couplings, paths = simulated(12, 0.5, 4000, 1, 6)
    zero = np.random.default_rng(0).random(couplings.shape) < 0.7
    couplings[zero] = 0
    start = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (1, 12))
    paths = trajectories_from(start, couplings, np.zeros((8000, 12)), np.random.default_rng(2))
    found = KineticMaximumLikelihood().fit(paths)
    low, high = found.couplings_interval(0.95)
    assert 0.9 < np.mean((low < couplings) & (couplings < high)) < 0.99
    kept = found.significant_couplings(0.1)
    assert (kept & zero).sum() <= 0.2 * kept.sum()
    assert kept.sum() > 0.7 * (~zero).sum()
    with pytest.raises(ValueError, match="got none; take another estimator"):
        KineticTAP().fit(paths).couplings_interval()


def test_singular_correlations_are_refused_by_mean_field_and_bearable_for_likelihood():
    _, paths = simulated(6, 0.5, 500, 1, 12)
    copied = np.concatenate([paths, paths[:, :, :1]], axis=2)
    with pytest.raises(ValueError, match="expected invertible correlations of 7 spins"):
        KineticNaiveMeanField().fit(copied)
    found = KineticMaximumLikelihood().fit(copied)
    np.testing.assert_allclose(found.couplings_[:, 0], found.couplings_[:, 6], atol=1e-3)


@pytest.mark.parametrize(
    "estimator",
    [KineticMaximumLikelihood(), KineticTAP(), HiddenKineticIsing(max_iter=2), HiddenKineticIsingCV()],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_of_a_table_are_kept_and_other_shapes_refused(driven, estimator):
    estimator = clone(estimator)
    if isinstance(estimator, HiddenKineticIsingCV):
        estimator.set_params(estimator=HiddenKineticIsing(max_iter=2), candidates=(0,))
    path = driven[2].reshape(-1, SITES)[:200]
    names = [f"cell {k}" for k in range(path.shape[1])]
    found = estimator.fit(pd.DataFrame(path, columns=names))
    assert found.feature_names_in_.tolist() == names
    found.score(pd.DataFrame(path, columns=names))
    with pytest.raises(ValueError, match="feature names should match"):
        found.score(pd.DataFrame(path, columns=names[::-1]))
    for values in (path[:, 0], None, "abc"):
        with pytest.raises(ValueError, match="Expected 2D array"):
            estimator.fit(values)
    dense, sparse = (clone(estimator).fit(rows).score(rows) for rows in (path, csr_matrix(path)))
    assert sparse == pytest.approx(dense)
