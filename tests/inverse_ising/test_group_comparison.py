"""Differences of couplings between two groups: coverage, false discoveries, the global test, and refusals."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.ising_oracle import Oracle, dense, oracle
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from vae_mf.inverse_ising import (
    BoltzmannLearning,
    CouplingsChange,
    InteractionScreening,
    InverseIsing,
    KineticMaximumLikelihood,
    PottsPseudoLikelihood,
    PseudoLikelihood,
    SusceptibilityPropagation,
    compare_couplings,
)
from vae_mf.inverse_ising.intervals import without_prior
from vae_mf.inverse_ising.solvers.coupling_prior import shrunk

SITES = 10
UPPER = np.triu_indices(SITES, 1)
CHANGED = [(0, 1), (2, 5), (4, 9)]
ESTIMATORS = [
    PseudoLikelihood(standard_errors=True),
    InteractionScreening(standard_errors=True),
    BoltzmannLearning(standard_errors=True),
]
SLOW = pytest.mark.slow


def changed(model: Oracle, change: float) -> Oracle:
    couplings = model.couplings.copy()
    for i, j in CHANGED:
        couplings[i, j] += change
        couplings[j, i] += change
    return oracle(couplings, model.fields[::-1])


def compared(estimator: InverseIsing, models: tuple[Oracle, Oracle], rows: tuple[int, int], seed: int, **options):
    fits = [
        type(estimator)(**estimator.get_params()).fit(model.draw(count, 2 * seed + place))
        for place, (model, count) in enumerate(zip(models, rows, strict=True))
    ]
    return compare_couplings(*fits, **options)


def coverage(estimator: InverseIsing, rows: tuple[int, int], change: float, **options) -> tuple[float, float]:
    """Shares of truth inside intervals of 95 %, of the pairs that stayed and of those that changed."""
    hits = np.zeros((20, SITES, SITES), dtype=bool)
    for seed in range(len(hits)):
        model = dense(SITES, 0.7, seed)
        after = changed(model, change)
        low, high = compared(estimator, (model, after), rows, seed, **options).interval()
        truth = after.couplings - model.couplings
        hits[seed] = (low <= truth) & (truth <= high)
    moved = changed(model, 1.0).couplings != model.couplings
    still = ~moved & ~np.eye(SITES, dtype=bool)
    return float(hits[:, still].mean()), float(hits[:, moved].mean())


@pytest.mark.parametrize(
    "estimator", [ESTIMATORS[0], *(pytest.param(e, marks=pytest.mark.slow) for e in ESTIMATORS[1:])]
)
@pytest.mark.parametrize("rows", [(300, 4000), (2000, 2000)])
def test_intervals_hold_the_truth(estimator, rows):
    still, moved = coverage(estimator, rows, 0.4)
    assert 0.92 < still < 0.98
    # 120 intervals, those of a set not quite independent: .95 to .02.
    assert 0.88 < moved < 0.995


def test_a_prior_of_one_fit_alone_makes_no_change():
    """A coupling of .5 in both groups, which the prior of the small one halves."""
    model = oracle(np.array([[0.0, 0.5], [0.5, 0.0]]), np.zeros(2))
    few = PseudoLikelihood(l2=40.0, standard_errors=True)
    many = PseudoLikelihood(l2=40.0, standard_errors=True)
    few.fit(model.states, sample_weight=60 * model.probabilities)
    many.fit(model.states, sample_weight=60_000 * model.probabilities)
    change = compare_couplings(few, many)
    assert many.couplings_[0, 1] - few.couplings_[0, 1] > 0.2
    assert_allclose(change.difference[0, 1], 0, atol=0.05)
    assert change.p_value > 0.5


def test_the_prior_is_taken_out_of_boltzmann_learning():
    """Of two spins the likelihood is nearly normal: the unshrunk coupling is that of no penalty."""
    model = oracle(np.array([[0.0, 0.3], [0.3, 0.0]]), np.zeros(2))
    rows = {"sample_weight": 2000 * model.probabilities}
    plain, shrunken = (BoltzmannLearning(l2=l2, standard_errors=True).fit(model.states, **rows) for l2 in (0.0, 1000.0))
    assert shrunken.couplings_[0, 1] < 0.8 * plain.couplings_[0, 1]
    assert_allclose(shrunken.without_prior().couplings, plain.couplings_, atol=0.02)
    assert_allclose(shrunken.without_prior().errors, plain.couplings_error_, rtol=0.05)


def test_false_changes_stay_below_their_rate_and_true_ones_are_found():
    model = dense(SITES, 0.7, seed=3)
    shares, found, any_named, small = [], [], 0, 0
    moved = changed(model, 1.0).couplings != model.couplings
    for seed in range(20):
        change = compared(ESTIMATORS[0], (model, changed(model, 0.5)), (800, 2000), seed)
        named = change.significant(0.2)
        shares.append((named & ~moved).sum() / max(named.sum(), 1))
        found.append(named[moved].mean())
        assert change.p_value < 0.01
        null = compared(ESTIMATORS[0], (model, changed(model, 0.0)), (800, 2000), seed)
        any_named += int(null.significant(0.2).any())
        small += int(null.p_value < 0.1)
    # Binomial tails of one in a thousand.
    assert np.mean(shares) < 0.2
    assert np.mean(found) > 0.9
    assert any_named <= binom.isf(1e-3, 20, 0.2)
    assert small <= binom.isf(1e-3, 20, 0.1)


def test_the_shared_prior_narrows_intervals_that_still_hold_the_truth():
    rows = (1000, 1000)
    still, moved = coverage(ESTIMATORS[0], rows, 0.5, shrink=True)
    assert still > 0.95
    assert moved > 0.85
    model = dense(SITES, 0.7, seed=3)
    wide, narrow = (
        compared(ESTIMATORS[0], (model, changed(model, 0.5)), rows, 1, shrink=each).error[UPPER]
        for each in (False, True)
    )
    assert np.median(narrow) < 0.6 * np.median(wide)


def test_values_shrink_to_the_posterior_of_their_own_prior():
    """One kind of variance tau^2: the mean is x tau^2 / (tau^2 + v), the variance tau^2 v / (tau^2 + v)."""
    random = np.random.default_rng(1)
    variances = random.uniform(0.5, 2, 5000)
    values = random.normal(0, np.sqrt(3 + variances))
    means, errors = shrunk(np.r_[values, 5.0], np.r_[variances, np.inf])
    assert_allclose(means[:-1], values * 3 / (3 + variances), rtol=0.05)
    assert_allclose(errors[:-1] ** 2, 3 * variances / (3 + variances), rtol=0.05)
    assert_allclose([means[-1], errors[-1] ** 2], [0, 3], atol=0.2)


def test_without_a_prior_is_the_inverse_of_bayes_rule():
    seen, variance, precision = 0.7, 0.2, 3.0
    width = 1 / (1 / variance + precision)
    found = without_prior(np.full((1, 1), seen * width / variance), np.full((1, 1), np.sqrt(width)), precision)
    assert_allclose([float(values[0, 0]) for values in found], [seen, np.sqrt(variance)])


def test_separated_pairs_have_no_known_difference():
    rows = np.array([[1, 1, 1], [1, -1, 1], [-1, -1, -1], [-1, -1, 1], [1, 1, -1]] * 30)
    free = np.random.default_rng(1).choice([-1, 1], (150, 3))
    with pytest.warns(match="separate"):
        first = PseudoLikelihood(l2=0.0, standard_errors=True).fit(rows)
    change = compare_couplings(first, PseudoLikelihood(l2=0.0, standard_errors=True).fit(free))
    assert np.isinf(change.error[0, 1])
    assert not change.significant()[0, 1]
    assert 0 < change.p_value <= 1


def test_the_table_has_names_and_its_surest_change_first():
    model = dense(SITES, 0.7, seed=3)
    names = [f"cell {number}" for number in range(SITES)]
    fits = [
        ESTIMATORS[0].__class__(standard_errors=True).fit(pd.DataFrame(each.draw(2000, seed), columns=names))
        for seed, each in enumerate((model, changed(model, 0.6)))
    ]
    change = compare_couplings(*fits)
    table = pd.DataFrame(change.table(level=0.9))
    assert len(table) == len(UPPER[0])
    assert {tuple(pair) for pair in table[["i", "j"]].to_numpy()[:3]} == {(names[i], names[j]) for i, j in CHANGED}
    assert (table["p_value"].diff()[1:] >= 0).all()
    assert_array_equal(table["changed"][:3], True)
    first = table.iloc[0]
    i, j = names.index(first["i"]), names.index(first["j"])
    assert_allclose(first[["difference", "low", "high"]].astype(float), [
        change.difference[i, j], *(ends[i, j] for ends in change.interval(0.9))
    ])  # fmt: skip
    assert_array_equal(change.difference, change.difference.T)


def test_fits_that_cannot_be_compared_are_refused():
    spins = dense(6, 0.4, seed=1).draw(300, seed=2)
    whole = ESTIMATORS[0].__class__(standard_errors=True).fit(spins)
    part = PseudoLikelihood(standard_errors=True).fit(spins[:, :5])
    with pytest.raises(ValueError, match="expected a fit of the same 6 variables as the first, got 5"):
        compare_couplings(whole, part)
    with pytest.raises(ValueError, match="fit with standard_errors=True"):
        compare_couplings(whole, PseudoLikelihood().fit(spins))
    with pytest.raises(ValueError, match="take another estimator"):
        compare_couplings(SusceptibilityPropagation().fit(spins), whole)
    named = PseudoLikelihood(standard_errors=True).fit(pd.DataFrame(spins, columns=list("abcdef")))
    other = PseudoLikelihood(standard_errors=True).fit(pd.DataFrame(spins, columns=list("abcdfe")))
    with pytest.raises(ValueError, match="in their order, got 'f' for 'e'"):
        compare_couplings(named, other)
    for wrong in ("whole", KineticMaximumLikelihood().fit(spins), PottsPseudoLikelihood(standard_errors=True)):
        with pytest.raises(ValueError, match="second: expected a fit of couplings from rows of spins, got"):
            compare_couplings(whole, wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rare = PseudoLikelihood(l2=0.0, standard_errors=True).fit(2 * np.eye(6)[np.arange(60) % 6] - 1)
    with pytest.raises(ValueError, match="shrink: expected finite errors to learn a prior from, got none"):
        compare_couplings(rare, rare, shrink=True)
    assert_array_equal(compare_couplings(named, whole).names, np.arange(6))
    assert isinstance(compare_couplings(named, named), CouplingsChange)
