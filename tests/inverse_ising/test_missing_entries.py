"""Rows with missing entries: sums by enumeration, the fit by the observed likelihood, errors by simulation."""

import pickle
import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import BoltzmannLearning, MissingEntries, MissingSpins, NaiveMeanField, PseudoLikelihood
from vae_mf.inverse_ising.missing_entries import missing_variances
from vae_mf.inverse_ising.solvers import incomplete_rows
from vae_mf.inverse_ising.solvers.incomplete_rows import (
    completed,
    observed_exponents,
    observed_log_pseudo_likelihood,
)

MODEL = dense(9, 0.8, seed=3)
UPPER = np.triu_indices(9, 1)


def torn(spins: np.ndarray, share: float, seed: int, by_first: bool = False) -> np.ndarray:
    """Return rows with NaN by chance, at 1.7 or .3 times the share where spin 0, always seen, is +1 or -1 if asked."""
    random = np.random.default_rng(seed)
    rates = np.where(spins[:, :1] > 0, 1.7, 0.3) * share if by_first else share
    gaps = random.random(spins.shape) < rates
    gaps[:, 0] &= not by_first
    return np.where(gaps, np.nan, spins)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.nan_to_num(torn(MODEL.draw(60, seed=1), 0.5, seed=2)).astype(np.int8)


def observed_law(row: np.ndarray) -> float:
    """Return ln p of the observed entries of a row."""
    return float(np.log(MODEL.weights[((MODEL.states == row) | (row == 0)).all(axis=1)].sum() / MODEL.weights.sum()))


def conditional_law(row: np.ndarray) -> float:
    """Return the sum of ln p(s_i | other observed entries)."""
    found = 0.0
    for i in np.flatnonzero(row):
        turned = row.copy()
        turned[i] *= -1
        found += observed_law(row) - np.logaddexp(observed_law(row), observed_law(turned))
    return found


@pytest.mark.parametrize(("enumerated", "error", "bias"), [(10, 1e-9, 1e-9), (0, 0.4, 0.02)])
def test_scores_of_incomplete_rows_are_sums_over_what_is_missing(rows, monkeypatch, enumerated, error, bias):
    monkeypatch.setattr(incomplete_rows, "ENUMERATED", enumerated)
    monkeypatch.setattr(incomplete_rows, "HELD", 2**10)
    parameters = MODEL.couplings, MODEL.fields
    log_partition = logsumexp(observed_exponents(MODEL.states, *parameters))
    exact = np.array([observed_law(row) for row in rows]), np.array([conditional_law(row) for row in rows])
    found = observed_exponents(rows, *parameters) - log_partition, observed_log_pseudo_likelihood(rows, *parameters)
    for one, other in zip(found, exact, strict=True):
        assert_allclose(one, other, atol=error)
        assert abs((one - other).mean()) < bias


@pytest.mark.parametrize("enumerated", [10, 0])
def test_completions_follow_the_conditional_law(rows, monkeypatch, enumerated):
    monkeypatch.setattr(incomplete_rows, "ENUMERATED", enumerated)
    row = rows[np.count_nonzero(rows == 0, axis=1).argmax()]
    fits = ((MODEL.states == row) | (row == 0)).all(axis=1)
    shares = MODEL.weights[fits] / MODEL.weights[fits].sum()
    states = MODEL.states[fits].astype(float)
    drawn = completed(
        np.repeat(row[None], 8_000, axis=0), MODEL.couplings, MODEL.fields, np.random.default_rng(4)
    ).astype(float)
    assert_array_equal(drawn[:, row != 0], np.repeat(row[None, row != 0], 8_000, axis=0))
    # Five standard errors, of which annealing with four chains adds a fraction.
    assert_allclose(drawn.T @ drawn / 8_000, states.T @ (shares[:, None] * states), atol=5 / np.sqrt(8_000))
    assert_allclose(drawn.mean(axis=0), shares @ states, atol=5 / np.sqrt(8_000))


@pytest.mark.parametrize("estimator", [PseudoLikelihood(standard_errors=True), NaiveMeanField(), BoltzmannLearning()])
def test_without_missing_entries_it_is_the_estimator(estimator):
    spins = MODEL.draw(500, seed=5)
    weights = np.random.default_rng(6).random(500)
    plain = estimator.fit(spins, sample_weight=weights)
    found = MissingEntries(estimator).fit(spins, sample_weight=weights)
    for name in ("couplings_", "fields_", "n_iter_", "converged_", "couplings_error_", "fields_error_"):
        assert_array_equal(getattr(found, name, None), getattr(plain, name, None))
    assert found.missing_ == 0
    assert found.score(spins) == plain.score(spins)
    assert found.log_likelihood(spins) == plain.log_likelihood(spins)


def test_it_finds_the_maximum_of_the_observed_likelihood():
    model = dense(4, 0.8, seed=8)
    spins = torn(model.draw(400, seed=9), 0.3, seed=10)
    fits = ((model.states == spins[:, None]) | np.isnan(spins[:, None])).all(axis=2)
    upper = np.triu_indices(4, 1)
    features = np.hstack([model.states, model.states[:, upper[0]] * model.states[:, upper[1]]])

    def law(parameters: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logs = np.where(allowed, features @ parameters, -np.inf)
        totals = logsumexp(logs, axis=1)
        return totals, np.exp(logs - totals[:, None])

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        (seen, given), (every, free) = law(parameters, fits), law(parameters, np.ones((1, 16), bool))
        return len(spins) * every[0] - seen.sum(), (len(spins) * free[0] - given.sum(axis=0)) @ features

    def information(laws: np.ndarray) -> np.ndarray:
        means = laws @ features
        return (features * laws.sum(axis=0)[:, None]).T @ features - means.T @ means

    best = minimize(loss, np.zeros(10), jac=True, method="BFGS")
    given, free = law(best.x, fits)[1], law(best.x, np.ones((len(spins), 16), bool))[1]
    errors = np.sqrt(np.diag(np.linalg.inv(information(free) - information(given))))
    found = MissingEntries(BoltzmannLearning(l2=0.0, standard_errors=True), fits=60).fit(spins)
    assert found.converged_
    # The mean of 60 fits keeps a sixth or so of what missing entries add to the error.
    assert_allclose(found.fields_, best.x[:4], atol=0.3 * errors.max())
    assert_allclose(found.couplings_[upper], best.x[4:], atol=0.3 * errors.max())
    assert_allclose(found.couplings_error_[upper], errors[4:], rtol=0.25)
    assert_allclose(found.couplings_error_[upper].mean(), errors[4:].mean(), rtol=0.1)
    assert_allclose(found.log_likelihood(spins) * len(spins), -best.fun, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("by_first", [False, True])
def test_couplings_are_unbiased_their_errors_true_and_better_than_of_whole_or_filled_rows(by_first):
    model = dense(6, 0.8, seed=11)
    upper = np.triu_indices(6, 1)
    truth = model.couplings[upper]
    found, errors, whole, filled = [], [], [], []
    for seed in range(16):
        spins = torn(model.draw(600, seed), 0.25, seed + 100, by_first)
        fit = MissingEntries(PseudoLikelihood(l2=1.0, standard_errors=True), fits=15, random_state=seed).fit(spins)
        found.append(fit.couplings_[upper])
        errors.append(fit.couplings_error_[upper])
        if seed > 4:
            continue
        complete = spins[~np.isnan(spins).any(axis=1)]
        whole.append(PseudoLikelihood(l2=1.0).fit(complete).couplings_[upper])
        most_probable = MissingSpins(PseudoLikelihood(l2=1.0), common=1.0, restarts=2, random_state=0).fit(complete)
        filled.append(PseudoLikelihood(l2=1.0).fit(most_probable.transform(np.nan_to_num(spins))).couplings_[upper])
    deviations = (np.array(found) - truth) / errors
    # 240 couplings of 16 fits: their share within two errors is known to .015, the mean of 16 to .25.
    assert 0.9 < (np.abs(deviations) < 1.96).mean() < 0.985
    assert np.sqrt((deviations.mean(axis=0) ** 2).mean()) < 0.4
    error = {
        name: np.sqrt(np.mean((fits - truth) ** 2))
        for name, fits in (("em", found[:5]), ("whole", whole), ("filled", filled))
    }
    assert error["em"] < 0.8 * error["whole"]
    assert error["em"] < 0.8 * error["filled"]


def test_the_variance_of_a_sequence_is_that_of_the_observed_information():
    random = np.random.default_rng(12)
    missing = np.array([0.2, 0.5])  # share of the information, for a complete one of 1
    values = np.zeros((40, 4000, 2))
    for step in range(1, 40):
        values[step] = missing * values[step - 1] + random.normal(0, np.sqrt(missing), (4000, 2))
    for k in range(2):
        found = missing_variances(values[10:, :, k], missing[k]).mean()
        own = missing[k] / (1 - missing[k] ** 2) * (1 + missing[k]) / (1 - missing[k]) / 30
        assert_allclose(found, missing[k] / (1 - missing[k]) + own, rtol=0.1)


def test_a_weight_is_a_number_of_repetitions():
    spins = torn(MODEL.draw(200, seed=13), 0.2, seed=14)
    weights = np.random.default_rng(15).integers(0, 3, 200)
    whole = ~np.isnan(spins).any(axis=1)
    weights[whole] = 1
    options = {"fits": 10, "burn_in": 1}
    found = MissingEntries(**options).fit(spins, sample_weight=weights)
    again = MissingEntries(**options).fit(np.repeat(spins, weights, axis=0))
    assert_allclose(found.couplings_, again.couplings_, atol=1e-10)
    assert_allclose(found.missing_, again.missing_)
    # Rows without any entry say nothing.
    empty = MissingEntries(**options).fit(np.vstack([np.repeat(spins, weights, axis=0), np.full((50, 9), np.nan)]))
    assert_array_equal(empty.couplings_, again.couplings_)


def test_zeros_and_ones_masked_entries_and_copies_of_the_estimator():
    spins = torn(MODEL.draw(200, seed=16), 0.2, seed=17)
    found = MissingEntries(fits=10).fit(spins)
    ones = MissingEntries(fits=10, encoding="01").fit((spins + 1) / 2)
    assert_array_equal(ones.couplings_, found.couplings_)
    assert set(np.unique(ones.sample(50, random_state=0))) == {0, 1}
    masked = np.ma.masked_array(np.nan_to_num(spins, nan=1.0), np.isnan(spins))
    assert_array_equal(MissingEntries(fits=10).fit(masked).couplings_, found.couplings_)
    assert pickle.loads(pickle.dumps(found)).score(spins) == found.score(spins)
    check = found.predictive_check(spins)
    assert check.pairs < 2
    assert not check.runaway


def test_what_cannot_be_told_is_warned_of():
    spins = MODEL.draw(300, seed=18).astype(float)
    spins[::2, 0] = spins[1::2, 1] = np.nan
    with pytest.warns(ConvergenceWarning, match=r"pairs of spins \[\[0, 1\]\] were never observed in one row"):
        MissingEntries(fits=10, burn_in=0).fit(spins)
    strong = dense(9, 0.8, seed=19)
    with pytest.warns(ConvergenceWarning, match="still drift: raise burn_in"):
        found = MissingEntries(PseudoLikelihood(), burn_in=0).fit(torn(strong.draw(5000, seed=20), 0.5, seed=21))
    assert not found.converged_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MissingEntries().fit(torn(MODEL.draw(500, seed=22), 0.2, seed=23)).converged_
        # 1 - .3^2 of the pairs are incomplete, and .91^42 is 2 %.
        found = MissingEntries(PseudoLikelihood()).fit(torn(strong.draw(6000, seed=20), 0.7, seed=21))
    assert 38 < found.n_iter_ - 30 < 50
    truth = strong.couplings[UPPER]
    assert 0.8 < found.couplings_[UPPER] @ truth / (truth @ truth) < 1.1


def test_pairs_that_were_never_seen_together_are_as_wide_as_their_prior():
    """Successive fits hardly move such a coupling, and their scatter gave the errors of pairs that were seen."""
    spins = dense(6, 0.6, seed=1).draw(400, seed=2)
    halves = np.where((np.arange(400)[:, None] % 2 == 0) == (np.arange(6) < 3), np.nan, spins)
    for model in (None, PseudoLikelihood(l2=40.0, standard_errors=True)):
        with pytest.warns(ConvergenceWarning, match="were never observed in one row"):
            fit = MissingEntries(model, fits=10, burn_in=5).fit(halves)
        prior = 1 / np.sqrt(fit.estimator_.l2_[:3, 3:])
        assert (fit.couplings_error_[:3, 3:] > 0.7 * prior).all()
        assert (fit.without_prior().errors[:3, 3:] > 100).all()
        assert fit.couplings_error_[:3, :3].max() < 0.09


def test_weights_of_more_rows_than_memory_are_refused():
    rows = np.array([[1, 1], [-1, -1], [1, -1], [np.nan, 1]])
    with pytest.raises(
        ValueError, match=r"1e\+15 rows of 2 spins: expected arrays that fit into memory.*smaller weights"
    ):
        MissingEntries().fit(rows, sample_weight=[1.0, 1.0, 1.0, 1e15])


def test_refusals():
    spins = torn(MODEL.draw(200, seed=24), 0.2, seed=25)
    for estimator in (PseudoLikelihood(), NaiveMeanField(), MissingSpins()):
        with pytest.raises(ValueError, match=r"NaN, first in row \d+, column \d; fit MissingEntries\(estimator\)"):
            estimator.fit(spins)
    with pytest.raises(ValueError, match="expected no missing entries"):
        PseudoLikelihood().fit(np.ma.masked_array(MODEL.draw(200, seed=24), np.isnan(spins)))
    found = MissingEntries(fits=10).fit(spins)
    with pytest.raises(ValueError, match="expected no missing entries"):
        found.energy(spins)
    with pytest.raises(ValueError, match=r"expected entries -1 and 1 .*, got values such as \[-1.0, 0.0, 1.0\]"):
        MissingEntries().fit(np.nan_to_num(spins))
    with pytest.raises(ValueError, match=r"constant spins \[3\]"):
        MissingEntries().fit(np.where(np.arange(9) == 3, np.where(spins > 0, 1.0, np.nan), spins))
    with pytest.raises(ValueError, match="estimator: expected one of couplings from rows"):
        MissingEntries(MissingSpins()).fit(spins)
    with pytest.raises(ValueError, match="encoding: expected that of the estimator, '01', here too"):
        MissingEntries(PseudoLikelihood(encoding="01")).fit(spins)
    with pytest.raises(ValueError, match="fits: expected an integer"):
        MissingEntries(fits=9).fit(spins)


def test_the_prior_is_taken_out_as_of_whole_rows():
    spins = MODEL.draw(400, seed=26)
    few = torn(spins, 0.02, seed=27)
    for l2 in (0.0, 40.0):
        found = MissingEntries(PseudoLikelihood(l2=l2, standard_errors=True)).fit(few)
        plain = PseudoLikelihood(l2=l2, standard_errors=True).fit(spins)
        for one, other in zip(found.without_prior(), plain.without_prior(), strict=True):
            assert_allclose(one[UPPER], other[UPPER], atol=0.5 * plain.couplings_error_[UPPER].max())
        assert (found.without_prior().errors[UPPER] >= found.couplings_error_[UPPER] - 1e-12).all()
    assert found.without_prior().errors[UPPER].mean() > 1.05 * found.couplings_error_[UPPER].mean()
