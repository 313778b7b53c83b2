"""Fits of estimators beside held-out scores: what is scored was not fitted, and what was warned of is kept."""

import signal

import numpy as np
import pandas as pd
import pytest

from vae_mf.inverse_ising import BoltzmannLearning, IndependentPair, NaiveMeanField, PseudoLikelihood
from vae_mf.inverse_ising.base import Estimate, InverseIsing
from vae_mf.inverse_ising.predictive_check import PredictiveCheck
from vae_mf.studies.coupling_fits import fit_in_steps, fold_members, independent_scores, with_names
from vae_mf.studies.coupling_tables import HELD_OUT, best_sentence, check_sentence, estimator_row, held_out_table


def rows_of(count: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    field = random.normal(size=(count, 1))
    return np.where(field + random.normal(size=(count, 6)) > 0, 1, -1).astype(np.int8)


NAMES = [f"name{k}" for k in range(12)]


def last(steps):
    *_, final = steps
    return final


def row_of(name, found, spins, members, blocks):
    table = held_out_table(name, found, independent_scores(spins, members), members, blocks)
    return estimator_row(name, found, table, NAMES)


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
    row = row_of("free", last(fit_in_steps(PseudoLikelihood(l2=0.0), spins, members)), spins, members, 20)
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
    for rows in (spins, np.random.default_rng(1).permuted(spins, axis=0)[:40]):
        members = fold_members(len(rows), 2, 10)
        found = last(fit_in_steps(NaiveMeanField(), rows, members))
        closed = row_of("closed", found, rows, members, 10)
        assert (closed["iterations"], closed["converged"]) == (None, None)
        assert found.estimator.converged_ is (len(rows) == 200)
        assert ("predict new rows no better" in closed["remarks"]) is (len(rows) == 40)
    members = fold_members(200, 2, 10)
    row = row_of("hurried", last(fit_in_steps(PseudoLikelihood(max_iter=1), spins, members)), spins, members, 10)
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
    row = row_of("away", last(fit_in_steps(Runaway(), spins, members)), spins, members, 10)
    assert row["runaway"] is True
    assert row["outside"] > 0.9
    assert "runs away: means" in row["remarks"]
    assert row["gain_over_independent"] < -1


def test_what_was_scored_before_a_stop_counts():
    spins = rows_of(220)
    members = fold_members(220, 4, 20)
    steps = fit_in_steps(PseudoLikelihood(), spins, members)
    found = next(step for step in steps if step.folds == 2)
    table = held_out_table("stopped", found, independent_scores(spins, members), members, 20)
    assert table.fold.tolist() == [0, 1] * 5
    row = estimator_row("stopped", found, table, NAMES)
    scored = members < 2
    assert row["folds"] == 2
    assert row["log_likelihood"] == pytest.approx(found.likelihood[scored].mean())
    gains = found.likelihood - independent_scores(spins, members)
    means = [part.mean() for part in np.array_split(gains, 20) if np.isfinite(part).all()]
    assert row["gain_over_independent"] == pytest.approx(np.mean(means))
    assert row["gain_over_independent_error"] == pytest.approx(np.std(means, ddof=1) / np.sqrt(10))
    assert " in the 2 of 4 folds that all have: " in best_sentence(table, 4)
    assert best_sentence(table[:0], 4) == ""
    nothing = held_out_table("unscored", next(fit_in_steps(PseudoLikelihood(), spins, members)), gains, members, 20)
    assert list(nothing) == list(HELD_OUT)
    row = estimator_row("unscored", next(fit_in_steps(PseudoLikelihood(), spins, members)), nothing, NAMES)
    assert (row["folds"], row["log_likelihood"], row["means"]) == (0, None, None)


def test_times_of_quick_fits_are_known_below_a_limit():
    spins = rows_of(20)
    signal.setitimer(signal.ITIMER_PROF, 1000.0)
    try:
        times = [next(fit_in_steps(NaiveMeanField(), spins, fold_members(20, 2, 4))).seconds for _ in range(3)]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    assert all(0 < seconds < 1 for seconds in times)


def test_a_fold_that_an_estimator_refuses_leaves_the_others():
    spins = rows_of(200)
    spins[:, 3] = -1
    spins[3:5, 3] = 1
    members = fold_members(200, 5, 20)
    found = last(fit_in_steps(NaiveMeanField(), spins, members))
    assert (found.folds, len(found.refused)) == (4, 1)
    row = row_of("rare", found, spins, members, 20)
    assert np.isfinite(row["log_likelihood"])
    assert (
        "1 of 5 held-out fits refused: spins: expected both values of every spin, got constant spins name3"
        in (row["remarks"])
    )


def copies_and_separation(spins):
    """Return rows in which spins 2 and 4 are copies, and 1 is -1 wherever 3 is."""
    spins[:, 4] = spins[:, 2]
    spins[spins[:, 3] < 0, 1] = -1
    return spins


@pytest.mark.parametrize(
    ("estimator", "named"),
    [
        (NaiveMeanField(), "(name2, name4)"),
        (PseudoLikelihood(), "spins (name2, name4) are copies"),
        (PseudoLikelihood(l2=0.0), "(name1, name3)"),
        (BoltzmannLearning(l2=0.0, chains=64, max_iter=1), "pairs of spins (name1, name3)"),
    ],
    ids=str,
)
def test_sentences_of_estimators_name_the_variables_that_they_mean(estimator, named):
    spins = copies_and_separation(rows_of(200))
    try:
        said = "; ".join(next(fit_in_steps(estimator, spins, fold_members(200, 2, 4))).remarks)
    except ValueError as reason:
        said = str(reason)
    assert named in with_names(said, NAMES)
    assert "[" not in with_names(said, NAMES)


def test_other_numbers_of_sentences_stay():
    for said in ("spins: expected entries -1 and +1, got values such as [0, 2]", "no more than [3] fits"):
        assert with_names(said, NAMES) == said


def checked(means=1.0, pairs=1.0, triplets=1.0, counts=(0.25, 0.5, 0.25), runaway=False):
    return PredictiveCheck(means, pairs, triplets, np.array(counts), np.array([0.25, 0.5, 0.25]), 0.0, runaway)


def test_a_check_fails_by_moments_in_errors_and_by_counts_beyond_chance():
    assert check_sentence(checked(), 1000) == []
    for name in ("means", "pairs", "triplets"):
        assert check_sentence(checked(**{name: 3.1}), 1000)[0].startswith("fails its check: ")
    shifted = (0.25, 0.4, 0.35)
    assert check_sentence(checked(counts=shifted), 30) == []
    assert check_sentence(checked(counts=shifted), 3000)[0].startswith("fails its check: ")
    assert check_sentence(checked(runaway=True, pairs=9.0), 1000)[0].startswith("runs away: ")


def scores(name, gains, errors=0.0):
    blocks = np.arange(len(gains))
    columns = {"estimator": name, "block": blocks, "fold": blocks % 5, "rows": 50, "log_likelihood": gains - 9.0}
    return pd.DataFrame(columns | {"log_partition_error": errors, "log_pseudo_likelihood": gains, "independent": -9.0})


def test_the_best_is_named_with_those_that_are_as_good_by_the_error_of_the_difference():
    random = np.random.default_rng(5)
    common = 1 + random.normal(size=20)
    best, near, worse = common + 0.2, common + 0.2 - 0.05 * np.tile([2, -1], 10), common
    held_out = pd.concat([scores("worse", worse), scores("best", best), scores("near", near)])
    said = best_sentence(held_out, 5)
    assert said.startswith(f"best held-out ln p: best, {best.mean():.3f} ± ")
    assert said.endswith("as good within twice the error of the difference: near")
    uncertain = pd.concat([scores("worse", worse, 0.5), scores("best", best), scores("near", near)])
    assert best_sentence(uncertain, 5).endswith("difference: near, worse")
    assert best_sentence(scores("alone", best), 5).endswith("nats beyond independent variables'")
    stopped = scores("stopped", common + 3)
    held_out = pd.concat([scores("lost", common - 4), stopped[stopped.fold < 2]])
    assert best_sentence(held_out, 5).startswith("best held-out ln p in the 2 of 5 folds that all have: stopped, ")
    assert "one block in the 1 of 5 folds" in best_sentence(stopped[stopped.block == 0], 5)
    apart = pd.concat([scores("first", common).query("fold < 2"), scores("second", common + 1).query("fold > 2")])
    assert best_sentence(apart, 5).endswith("no fold in common")
    lost = best_sentence(scores("lost", common - 2), 5)
    assert lost.startswith("no estimator predicts held-out rows better than independent variables: the best, lost")


@pytest.mark.slow
def test_equal_estimators_are_as_good_in_nineteen_of_twenty_problems():
    random = np.random.default_rng(6)
    found = [
        "as good" in best_sentence(pd.concat([scores(name, 9 + random.normal(size=20)) for name in "ab"]), 5)
        for _ in range(300)
    ]
    assert np.mean(found) > 0.92


@pytest.mark.slow
def test_models_of_their_own_law_pass_the_check_and_others_fail():
    random = np.random.default_rng(7)
    failed = []
    for _ in range(20):
        couplings = np.triu(random.normal(size=(12, 12)), 1) / 4
        model = Given(couplings + couplings.T, random.normal(size=12) / 2).fit(np.array([[1] * 12, [-1] * 12]))
        spins = model.sample(400, random)
        found = PseudoLikelihood().fit(spins).predictive_check(spins)
        failed.append(bool(check_sentence(found, 400)))
    assert sum(failed) <= 1
    parity = random.choice(np.array([-1, 1], np.int8), (2000, 12))
    parity[:, 2::3] = parity[:, ::3] * parity[:, 1::3]
    assert check_sentence(PseudoLikelihood().fit(parity).predictive_check(parity), 2000)


class Given(InverseIsing):
    """Couplings and fields that are known."""

    def __init__(self, couplings, fields, encoding="spin"):
        self.couplings, self.fields, self.encoding = couplings, fields, encoding

    def _estimate(self, spins, weights):
        return Estimate(self.couplings, self.fields)
