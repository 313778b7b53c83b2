"""Intervals of couplings, couplings called different from zero, and what correlated rows are worth."""

import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from vae_mf.inverse_ising import (
    ErasureMachine,
    IndependentPair,
    PottsPseudoLikelihood,
    PseudoLikelihood,
    SusceptibilityPropagation,
    TripletPseudoLikelihood,
    bootstrap_errors,
    compare_couplings,
    effective_weights,
)
from vae_mf.inverse_ising.intervals import discoveries


def ring(sites: int, strength: float):
    couplings = np.zeros((sites, sites))
    place = np.arange(sites)
    couplings[place, (place + 1) % sites] = strength
    return oracle(couplings + couplings.T, np.zeros(sites))


def test_intervals_are_those_of_the_normal_law():
    fit = PseudoLikelihood(standard_errors=True).fit(dense(6, 0.5, seed=1).draw(300, seed=2))
    low, high = fit.couplings_interval(0.6826895)
    assert_allclose(high - fit.couplings_, fit.couplings_error_, atol=1e-6)
    assert_allclose(fit.couplings_ - low, fit.couplings_error_, atol=1e-6)


def test_estimators_without_errors_say_so():
    spins = dense(5, 0.3, seed=1).draw(300, seed=2)
    with pytest.raises(ValueError, match="fit with standard_errors=True"):
        PseudoLikelihood().fit(spins).couplings_interval()
    with pytest.raises(ValueError, match="take another estimator"):
        SusceptibilityPropagation().fit(spins).significant_couplings()


def test_the_step_up_rule_keeps_the_largest_number():
    """p-values .012, .025, .03 of m = 3 at rate .03: the first two alone are not small enough, the three are."""
    couplings = np.zeros((3, 3))
    couplings[np.triu_indices(3, 1)] = [2.512, 2.2414, 2.1701]
    assert discoveries(couplings + couplings.T, np.ones((3, 3)), 0.03).sum() == 6
    assert not discoveries(couplings + couplings.T, np.ones((3, 3)), 0.028).any()


@pytest.mark.parametrize("estimator", [PseudoLikelihood(standard_errors=True), IndependentPair()], ids=repr)
def test_false_discoveries_stay_below_their_rate(estimator):
    false, shares, found = [], [], []
    model = ring(10, 0.25)
    bonds = model.couplings != 0
    for seed in range(20):
        spins = np.random.default_rng(seed).choice([-1, 1], (500, 10))
        false.append(estimator.fit(spins).significant_couplings(0.2).any())
        if isinstance(estimator, PseudoLikelihood):
            kept = estimator.fit(model.draw(1000, seed)).significant_couplings(0.2)
            shares.append((kept & ~bonds).sum() / max(kept.sum(), 1))
            found.append((kept & bonds).sum() / bonds.sum())
    # Where nothing is to be found, the rate is the chance of any discovery: .2 to .09 in 20 sets.
    assert np.mean(false) < 0.45
    if shares:
        assert np.mean(shares) < 0.2
        assert np.mean(found) > 0.95


def test_repeated_rows_are_worth_one():
    model = dense(8, 1.0, seed=3)
    upper = np.triu_indices(8, 1)
    plain, weighted = [], []
    for seed in range(12):
        spins = np.repeat(model.draw(200, seed), 6, axis=0)
        weights = effective_weights(spins, 60)
        assert weights.sum() == pytest.approx(200, rel=0.3)
        for hits, each in ((plain, None), (weighted, weights)):
            fit = PseudoLikelihood(standard_errors=True).fit(spins, sample_weight=each)
            hits.append(np.abs(fit.couplings_ - model.couplings)[upper] < 1.96 * fit.couplings_error_[upper])
    assert np.mean(plain) < 0.75
    assert 0.9 < np.mean(weighted) < 0.99


def test_independent_rows_keep_their_weight():
    weights = effective_weights(dense(8, 0.5, seed=3).draw(5000, 1), 20)
    assert_array_equal(weights, weights[0])
    assert weights[0] > 0.85
    with pytest.raises(ValueError, match="block: expected at most a tenth"):
        effective_weights(np.ones((50, 3)), 10)


def repeats(model, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1200 rows, each of 200 rows standing for 1 to 11 trials of one group, and the groups."""
    times = np.random.default_rng(seed).multinomial(1000, np.ones(200) / 200) + 1
    groups = np.repeat(np.arange(200), times)
    order = np.random.default_rng(seed).permutation(len(groups))
    return model.draw(200, seed)[groups][order], groups[order]


@pytest.mark.slow
def test_a_bootstrap_over_groups_knows_that_rows_are_repeated():
    model = dense(8, 1.0, seed=3)
    upper = np.triu_indices(8, 1)
    plain, over_groups = [], []
    for seed in range(5):
        spins, groups = repeats(model, seed)
        fit = PseudoLikelihood(standard_errors=True).fit(spins)
        again = bootstrap_errors(PseudoLikelihood(), spins, groups, resamples=30)
        for hits, each in ((plain, fit), (over_groups, again)):
            hits.append(np.abs(each.couplings_ - model.couplings)[upper] < 1.96 * each.couplings_error_[upper])
        assert (again.without_prior().errors >= again.couplings_error_)[upper].all()
        assert compare_couplings(again, again).p_value > 0.5
    assert np.mean(plain) < 0.75
    # 140 intervals: .95 to .02, those of a set not quite independent.
    assert 0.9 < np.mean(over_groups) < 0.995


@pytest.mark.parametrize("estimator", [ErasureMachine(), PseudoLikelihood(l1=20.0)], ids=repr)
def test_a_bootstrap_gives_errors_to_those_that_have_none(estimator):
    model = dense(6, 0.5, seed=1)
    found = [clone(estimator).fit(model.draw(1000, seed)).couplings_ for seed in range(40)]
    fit = bootstrap_errors(estimator, model.draw(1000, 50), np.arange(1000), resamples=60)
    upper = np.triu_indices(6, 1)
    assert_allclose(fit.couplings_error_[upper].mean(), np.std(found, axis=0)[upper].mean(), rtol=0.12)
    assert fit.fields_error_.shape == (6,)
    assert fit.significant_couplings().any()


def test_a_bootstrap_of_fits_that_do_not_converge_is_refused():
    """Their scatter was forty times that of repeated fits."""
    spins = dense(8, 0.5, seed=5).draw(1000, 3)
    with pytest.raises(ValueError, match=r"SusceptibilityPropagation, which diverged in \d+ of 31"):
        bootstrap_errors(SusceptibilityPropagation(), spins, np.arange(1000), resamples=30)


def test_groups_are_worth_what_blocks_are():
    spins = np.repeat(dense(8, 0.5, seed=3).draw(300, 1), 4, axis=0)
    by_block = effective_weights(spins, 60)
    assert_allclose(effective_weights(spins, groups=np.arange(1200) // 60), by_block)
    order = np.random.default_rng(1).permutation(1200)
    groups = np.array([f"trial {number}" for number in np.arange(1200) // 60])
    assert_allclose(effective_weights(spins[order], groups=groups[order]), by_block)


def test_missing_entries_are_not_values():
    """They counted as -1, and rows where all were missing as equal."""
    spins = dense(8, 1.0, seed=3).draw(400, 1)
    gone = np.random.default_rng(0).random(spins.shape) < 0.2
    repeated = np.repeat(np.where(gone, np.nan, spins), 4, axis=0)
    assert effective_weights(repeated, 40).sum() == pytest.approx(400, rel=0.3)
    filled = np.where(np.arange(1600)[:, None] // 40 % 2, np.nan, np.repeat(spins, 4, axis=0))
    assert effective_weights(filled, 40).sum() < 900
    zeros = np.repeat((spins + 1) // 2, 4, axis=0)
    assert_array_equal(effective_weights(zeros, 40), effective_weights(np.repeat(spins, 4, axis=0), 40))


@pytest.mark.parametrize(
    ("spins", "message"),
    [
        (np.ones((100, 3)), "two or more columns that vary, got 0"),
        (np.ones((100, 3)) * 4, r"-1 and 1, or 0 and 1, got values such as \[4.0\]"),
        (np.ones(100), "Expected 2D array"),
    ],
)
def test_rows_that_are_no_spins_are_refused(spins, message):
    with pytest.raises(ValueError, match=message):
        effective_weights(spins, 5)


def test_a_bootstrap_keeps_infinite_errors():
    """Infinity times zero made them NaN."""
    spins = np.where(np.random.default_rng(1).random((400, 6)) < 0.03, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bootstrap_errors(IndependentPair(), spins, np.arange(400) // 10, resamples=10)
    assert np.isinf(fit.couplings_error_).any()
    assert not np.isnan(fit.couplings_error_).any()
    for other in (PottsPseudoLikelihood(), TripletPseudoLikelihood()):
        with pytest.raises(ValueError, match="estimator: expected one of couplings from rows of spins, got"):
            bootstrap_errors(other, spins, np.arange(400) // 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected one of them, got neither"),
        ({"block": 5, "groups": np.arange(100)}, "expected one of them, got both"),
        ({"groups": np.arange(99)}, r"label of each of the 100 rows, got shape \(99,\)"),
        ({"groups": np.arange(100) // 20}, "expected 10 or more, got 5"),
    ],
)
def test_blocks_and_groups_that_tell_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        effective_weights(np.ones((100, 3)), **options)
