"""Logistic autoregression against scikit-learn's regressions, and the penalty that the evidence chooses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from vae_mf.density_models import Independent, LogisticAutoregression
from vae_mf.density_models.autoregressive import Beginnings
from vae_mf.statistics.distinct import distinct_spins

RANDOM = np.random.default_rng(1)
COUPLINGS = np.tril(RANDOM.normal(0, 0.5, (7, 7)), -1)


def drawn(count: int, seed: int, couplings: np.ndarray = COUPLINGS) -> np.ndarray:
    """Rows of a logistic autoregression with fields of -1/2."""
    random = np.random.default_rng(seed)
    rows = np.zeros((count, len(couplings)), np.int8)
    for i, weights in enumerate(couplings):
        rows[:, i] = np.where(random.random(count) < 1 / (1 + np.exp(0.5 - rows @ weights)), 1, -1)
    return rows


def test_every_regression_is_the_penalised_one():
    rows = drawn(3000, 2)
    found = LogisticAutoregression(l2=20.0).fit(rows)
    for i in range(1, 7):
        # Half a count of either value where all variables are 0 is part of ours.
        inputs = np.vstack([rows[:, :i], np.zeros((2, i))])
        target = np.r_[rows[:, i], 1, -1]
        regression = LogisticRegression(C=1 / 20, tol=1e-10, max_iter=1000)
        regression.fit(inputs, target, sample_weight=np.r_[np.ones(3000), 0.5, 0.5])
        assert_allclose(found.weights_[i, :i], regression.coef_[0], atol=1e-5)
        assert_allclose(found.fields_[i], regression.intercept_[0], atol=1e-5)
    assert found.n_parameters_ == 28
    assert_allclose(found.fields_[0], Independent().fit(rows[:, :1]).score_samples([[1], [-1]]) @ [1, -1])


def test_the_penalty_has_the_highest_evidence():
    regression = Beginnings(distinct_spins(drawn(800, 3), np.ones(800))).regression(6)

    def evidence(logarithm: float) -> float:
        """Laplace's approximation of the log-evidence, but for constants."""
        l2 = float(np.exp(logarithm))
        coefficients = regression.fitted(l2, 100).coefficients
        p = 1 / (1 + np.exp(-regression.inputs @ coefficients))
        curvature = (regression.inputs.T * (regression.totals * p * (1 - p))) @ regression.inputs
        volume = np.linalg.slogdet(curvature + np.diag([l2] * 6 + [0])).logabsdet
        return regression._objective(coefficients, l2) + 3 * logarithm - volume / 2

    best = minimize_scalar(lambda logarithm: -evidence(logarithm), bounds=(-3, 7), method="bounded")
    # MacKay's rule leaves out that the curvature changes with the penalty.
    assert_allclose(np.log(regression.fitted("auto", 100).l2), best.x, atol=0.3)


def test_the_chosen_penalty_is_nearly_the_best_for_new_rows():
    for scale, rows in ((0.0, 300), (1.0, 300), (1.0, 5000)):
        training, new = drawn(rows, 4, scale * COUPLINGS), drawn(20_000, 5, scale * COUPLINGS)
        scores = {l2: LogisticAutoregression(l2).fit(training).score(new) for l2 in ("auto", 0.1, 1, 10, 100, 1000)}
        assert scores["auto"] > max(scores.values()) - 0.006, scores


def test_beginnings_are_counted_once():
    rows = drawn(2000, 6)
    beginnings = Beginnings(distinct_spins(rows, np.ones(2000)))
    for i in range(1, 7):
        inputs, ups, totals = beginnings.regression(i)
        assert len(np.unique(inputs[:-1], axis=0)) == len(inputs) - 1 == len(np.unique(rows[:, :i], axis=0))
        assert_allclose(ups[:-1] @ inputs[:-1, :-1], rows[rows[:, i] > 0, :i].sum(axis=0))
        assert_allclose(totals.sum(), 2001)


def test_copies_and_constants_are_no_trouble():
    rows = np.repeat(np.array([[1, 1, 1, -1], [-1, -1, 1, -1]], np.int8), 500, axis=0)
    for l2 in ("auto", 1e-3):
        found = LogisticAutoregression(l2).fit(rows)
        assert found.converged_
        assert_allclose(found.score(rows), -np.log(2), atol=0.02)


def test_bad_options_and_too_few_iterations_are_named():
    with pytest.raises(ValueError, match="l2"):
        LogisticAutoregression(l2=-1).fit(drawn(50, 7))
    with pytest.raises(ValueError, match="l2"):
        LogisticAutoregression(l2="much").fit(drawn(50, 7))
    with pytest.warns(ConvergenceWarning, match="after 1 iterations"):
        LogisticAutoregression(max_iter=1).fit(drawn(50, 7))
