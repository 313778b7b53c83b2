"""Intervals of couplings, couplings called different from zero, and what correlated rows are worth."""

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle
from numpy.testing import assert_allclose, assert_array_equal

from vae_mf.inverse_ising import IndependentPair, PseudoLikelihood, SusceptibilityPropagation
from vae_mf.inverse_ising.correlated_rows import effective_weights
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
