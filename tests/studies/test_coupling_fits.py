"""Fits of estimators beside held-out scores: what is scored was not fitted, and what was warned of is kept."""

import numpy as np
import pytest

from vae_mf.inverse_ising import IndependentPair, NaiveMeanField, PseudoLikelihood
from vae_mf.inverse_ising.base import Estimate, InverseIsing
from vae_mf.studies.coupling_fits import fit_in_steps, fold_members, independent_scores
from vae_mf.studies.coupling_tables import estimator_row


def rows_of(count: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    field = random.normal(size=(count, 1))
    return np.where(field + random.normal(size=(count, 6)) > 0, 1, -1).astype(np.int8)


def last(steps):
    *_, final = steps
    return final


def test_folds_are_made_of_whole_blocks():
    members = fold_members(103, 4, 10)
    assert np.count_nonzero(np.diff(members)) == 9
    assert np.bincount(members).tolist() == [31, 31, 21, 20]
    for folds, blocks, said in ((1, 4, "folds"), (4, 3, "blocks"), (4, 104, "at most the number of rows, 103")):
        with pytest.raises(ValueError, match=said):
            fold_members(103, folds, blocks)


def test_every_row_is_scored_by_the_fit_to_the_other_folds():
    spins = rows_of(200)
    members = fold_members(200, 5, 20)
    seen = [(found.check is None, found.folds) for found in fit_in_steps(PseudoLikelihood(), spins, members)]
    assert seen == [(True, 0), *((False, fold) for fold in range(6))]
    found = last(fit_in_steps(PseudoLikelihood(), spins, members))
    for fold in range(5):
        model = PseudoLikelihood().fit(spins[members != fold])
        rows = spins[members == fold]
        assert found.pseudo[members == fold].mean() == pytest.approx(model.score(rows))
        assert found.likelihood[members == fold].mean() == pytest.approx(model.log_likelihood(rows))
    assert found.estimator.score(spins) > found.pseudo.mean()


def test_overfitted_couplings_of_independent_variables_lose_held_out():
    spins = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (60, 12))
    members = fold_members(60, 5, 20)
    independent = independent_scores(spins, members)
    row = estimator_row("free", last(fit_in_steps(PseudoLikelihood(l2=0.0), spins, members)), independent, 20)
    assert row["pseudo_gain_over_independent"] < -row["pseudo_gain_over_independent_error"]
    assert PseudoLikelihood(l2=0.0).fit(spins).score(spins) > independent.mean()
    assert row["log_likelihood"] - independent.mean() == pytest.approx(row["gain_over_independent"])


def test_independent_scores_are_those_of_a_model_without_couplings():
    spins = rows_of(100)
    members = fold_members(100, 2, 10)
    up = ((spins[members == 1] > 0).sum(0) + 0.5) / (np.count_nonzero(members == 1) + 1)
    expected = np.where(spins[members == 0] > 0, np.log(up), np.log(1 - up)).sum(1)
    np.testing.assert_allclose(independent_scores(spins, members)[members == 0], expected)


def test_closed_formulas_have_no_convergence_and_others_do():
    spins = rows_of(200)
    members = fold_members(200, 2, 10)
    independent = independent_scores(spins, members)
    closed = estimator_row("closed", last(fit_in_steps(NaiveMeanField(), spins, members)), independent, 10)
    assert (closed["iterations"], closed["converged"]) == (None, None)
    hurried = last(fit_in_steps(PseudoLikelihood(max_iter=1), spins, members))
    row = estimator_row("hurried", hurried, independent, 10)
    assert row["converged"] is False
    assert "PseudoLikelihood has not converged after" in row["remarks"]


def test_warnings_of_the_fit_and_of_the_held_out_fits_are_kept():
    spins = np.ones((40, 3), np.int8)
    spins[::2, 0] = spins[::3, 1] = spins[:8, 2] = -1
    spins[(spins[:, 0] < 0) & (spins[:, 2] < 0), 0] = 1
    found = last(fit_in_steps(IndependentPair(), spins, fold_members(40, 2, 20)))
    assert any("never seen in one of their states" in line for line in found.remarks)


class Exploding(InverseIsing):
    """Couplings that are not finite."""

    def __init__(self, encoding="spin"):
        self.encoding = encoding

    def _estimate(self, spins, weights):
        size = spins.shape[1]
        return Estimate(np.where(np.eye(size, dtype=bool), 0.0, -np.inf), np.zeros(size))


def test_couplings_that_are_not_finite_are_told_and_not_scored():
    steps = fit_in_steps(Exploding(), rows_of(40), fold_members(40, 2, 4))
    assert next(steps).estimator.couplings_[0, 1] == -np.inf
    with pytest.raises(ValueError, match="not finite; neither checked nor scored"):
        next(steps)


def test_a_model_that_runs_away_is_named():
    class Runaway(Exploding):
        def _estimate(self, spins, weights):
            size = spins.shape[1]
            return Estimate(2.0 * (1 - np.eye(size)), np.full(size, 0.5))

    spins = np.where(np.random.default_rng(3).random((400, 12)) < 0.1, 1, -1).astype(np.int8)
    members = fold_members(400, 2, 10)
    row = estimator_row("away", last(fit_in_steps(Runaway(), spins, members)), independent_scores(spins, members), 10)
    assert row["runaway"] is True
    assert row["outside"] > 0.9
    assert "runs away: means" in row["remarks"]
    assert row["gain_over_independent"] < -1
