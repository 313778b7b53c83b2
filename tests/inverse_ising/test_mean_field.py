"""Mean-field formulas: their order in the couplings, the graphs on which they are exact, and their errors."""

import numpy as np
import pytest
from helpers.ising_oracle import dense, oracle, tree
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import (
    TAP,
    Bethe,
    IndependentPair,
    NaiveMeanField,
    SessakMonasson,
    SusceptibilityPropagation,
)

ORDERS = [
    (IndependentPair(), 2, 2),
    (NaiveMeanField(), 2, 2),
    (TAP(), 3, 3),
    (Bethe(), 3, 3),
    (SusceptibilityPropagation(tolerance=1e-12), 3, 3),
    (SessakMonasson(), 4, 4),
]


@pytest.mark.parametrize("chance", [0.1, 0.5])
@pytest.mark.parametrize("options", [{"pseudocount": 1.0}, {"pseudocount": 5.0}, {"shrinkage": 0.3}], ids=repr)
def test_few_rows_of_independent_spins_have_no_significant_couplings(options, chance):
    """Of 20 rows of 10 spins a third of the couplings were above 1.96 errors, a sixth above 3."""
    ratios = []
    for seed in range(10):
        spins = np.where(np.random.default_rng(seed).random((20, 10)) < chance, 1, -1)
        if np.abs(spins.mean(axis=0)).max() < 1 or "pseudocount" in options:
            fit = NaiveMeanField(**options).fit(spins)
            ratios.append(np.abs(fit.couplings_ / np.where(fit.couplings_error_ > 0, fit.couplings_error_, 1)))
    assert np.mean(np.array(ratios) > 1.96) < 0.05
    assert np.mean(np.array(ratios) > 3) == 0


@pytest.mark.parametrize("estimator", [NaiveMeanField(), TAP(), SessakMonasson(), Bethe()], ids=repr)
def test_errors_count_the_spins_that_rows_are_spent_on(estimator):
    """Of 100 rows of 30 independent spins 9 to 13 % of the couplings were above 1.96 errors."""
    beyond = []
    for seed in range(6):
        fit = estimator.fit(np.random.default_rng(seed).choice(np.array([-1, 1]), (100, 30)))
        upper = np.triu_indices(30, 1)
        beyond.append(np.abs(fit.couplings_ / fit.couplings_error_)[upper] > 1.96)
    # 2,610 couplings.
    assert 0.035 < np.mean(beyond) < 0.065


@pytest.mark.parametrize(("estimator", "of_couplings", "of_fields"), ORDERS, ids=lambda value: type(value).__name__)
def test_the_error_has_the_order_of_the_expansion(estimator, of_couplings, of_fields):
    model = dense(8, 1.0, seed=3, field=0.8)
    errors = []
    for scale in (0.05, 0.025):
        weak = oracle(scale * model.couplings, model.fields)
        estimator.fit(weak.states, sample_weight=weak.weights)
        errors.append([abs(estimator.couplings_ - weak.couplings).max(), abs(estimator.fields_ - weak.fields).max()])
    found = np.log2(np.divide(*errors))
    assert_allclose(found, [of_couplings, of_fields], atol=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_bethe_is_exact_on_trees(seed):
    model = tree(9, 1.0, seed)
    estimator = Bethe().fit(model.states, sample_weight=model.weights)
    assert_allclose(estimator.couplings_, model.couplings, atol=1e-9)
    assert_allclose(estimator.fields_, model.fields, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_susceptibility_propagation_is_exact_on_trees(seed):
    model = tree(9, 0.4, seed)
    estimator = SusceptibilityPropagation(tolerance=1e-12).fit(model.states, sample_weight=model.weights)
    assert estimator.converged_
    assert estimator.n_iter_ > 2
    assert_allclose(estimator.couplings_, model.couplings, atol=1e-9)
    assert_allclose(estimator.fields_, model.fields, atol=1e-9)


def test_two_spins_are_exact_for_pairs_and_bethe():
    model = oracle(np.array([[0, 0.9], [0.9, 0]]), np.array([0.4, -0.7]))
    for estimator in (IndependentPair(), Bethe()):
        estimator.fit(model.states, sample_weight=model.weights)
        assert_allclose(estimator.couplings_, model.couplings, atol=1e-10)
        assert_allclose(estimator.fields_, model.fields, atol=1e-10)


@pytest.mark.parametrize(
    "estimator",
    [IndependentPair(), NaiveMeanField(), TAP(), SessakMonasson(), Bethe()],
    ids=lambda value: type(value).__name__,
)
def test_standard_errors_are_the_scatter_of_repeated_fits(estimator):
    # The Gaussian formula of naive mean field wants weak coupling.
    strength = 0.3 if isinstance(estimator, NaiveMeanField) else 1.0
    model = dense(6, strength, seed=5)
    repeats = 400
    samples = 2000
    fits = [estimator.fit(model.draw(samples, seed)).couplings_ for seed in range(repeats)]
    upper = np.triu_indices(6, 1)
    scatter = np.std(fits, axis=0)[upper]
    claimed = estimator.fit(model.states, sample_weight=samples * model.probabilities).couplings_error_[upper]
    # A standard deviation from 400 repeats has a relative error of 3.5 %; 15 pairs.
    assert_allclose(scatter / claimed, 1, atol=4 * 0.035 + 0.02)


@pytest.mark.filterwarnings("ignore:TAP:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "estimator", [IndependentPair(), TAP(), SessakMonasson(), Bethe()], ids=lambda value: type(value).__name__
)
def test_standard_errors_are_those_of_the_influence_of_every_state(estimator):
    """In fields where |m| is .65 to .88, and third moments count: Var J = sum_x (dJ / d ln p(x))^2 / (M p(x))."""
    model = oracle(dense(5, 0.6, seed=5).couplings, np.array([0.6, -0.8, 1.0, -1.2, 1.4]))
    # So many that the half sample in every state of a pair is nothing.
    samples, step = 2_000_000, 1e-3
    counts = samples * model.probabilities

    def couplings(state, logarithm):
        changed = counts.copy()
        changed[state] *= np.exp(logarithm)
        return estimator.fit(model.states, sample_weight=changed * samples / changed.sum()).couplings_

    slopes = [(couplings(state, step) - couplings(state, -step)) / (2 * step) for state in range(len(counts))]
    expected = np.sqrt(np.einsum("s,sij->ij", 1 / counts, np.square(slopes)))
    found = estimator.fit(model.states, sample_weight=counts).couplings_error_
    real = np.isfinite(found)
    assert real.all() or (isinstance(estimator, TAP) and real.sum() >= 19)
    assert_allclose(found[real], expected[real], rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("options", [{"shrinkage": 0.5}, {"pseudocount": 2000.0}], ids=str)
@pytest.mark.parametrize(
    "estimator", [IndependentPair(), NaiveMeanField(), TAP(), SessakMonasson(), Bethe()], ids=lambda e: type(e).__name__
)
def test_standard_errors_are_those_of_the_regularised_formula(estimator, options):
    model = dense(6, 0.3, seed=5)
    estimator = clone(estimator).set_params(**options)
    fits = [estimator.fit(model.draw(2000, seed)).couplings_ for seed in range(200)]
    claimed = estimator.fit(model.states, sample_weight=2000 * model.probabilities).couplings_error_
    upper = np.triu_indices(6, 1)
    # 200 repeats give a standard deviation to 5 %; 15 pairs. Without the option in the error it would be 2 or 1.4.
    assert_allclose(np.std(fits, axis=0)[upper] / claimed[upper], 1, atol=0.2)
    assert np.mean(np.std(fits, axis=0)[upper] / claimed[upper]) == pytest.approx(1, abs=0.06)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "estimator", [IndependentPair(), NaiveMeanField(), TAP(), SessakMonasson(), Bethe()], ids=lambda e: type(e).__name__
)
def test_independent_rare_spins_have_no_significant_couplings(estimator):
    ratios = []
    for seed in range(4):
        spins = np.where(np.random.default_rng(seed).random((2000, 10)) < 0.01, 1, -1)
        fit = clone(estimator).fit(spins)
        ratios.append(np.abs(fit.couplings_ / np.where(fit.couplings_error_ > 0, fit.couplings_error_, 1)))
    assert np.mean(np.array(ratios) > 3) < 0.01


def test_a_state_that_was_never_seen_counts_half_a_sample():
    spins = np.array([[1, -1]] * 30 + [[-1, 1]] * 20 + [[-1, -1]] * 50)
    with pytest.warns(ConvergenceWarning, match="1 pairs of spins were never seen in one of their states"):
        fit = IndependentPair().fit(spins)
    assert fit.couplings_[0, 1] == pytest.approx(np.log(0.5 * 50 / (30 * 20)) / 4)
    assert np.isinf(fit.couplings_error_[0, 1])
    assert np.isfinite(IndependentPair(pseudocount=1.0).fit(spins).couplings_error_).all()


def test_divergence_ends_finite_with_a_warning():
    model = tree(8, 1.5, 3)
    with pytest.warns(ConvergenceWarning):
        estimator = SusceptibilityPropagation(damping=0.0).fit(model.states, sample_weight=model.weights)
    assert not estimator.converged_
    assert np.isfinite(estimator.couplings_).all()


def test_impossible_pairs_are_counted():
    """Frustrated spins in a strong field."""
    model = oracle(-1.0 * (1 - np.eye(4)), np.full(4, 2.0))
    for estimator in (TAP(), Bethe()):
        with pytest.warns(ConvergenceWarning, match="6 pairs of spins have no real coupling"):
            estimator.fit(model.states, sample_weight=model.weights)
        assert np.isfinite(estimator.couplings_).all()


def test_a_singular_covariance_matrix_is_refused():
    spins = np.random.default_rng(1).choice([-1, 1], (8, 20))
    spins = spins[:, spins.min(0) < spins.max(0)]
    with pytest.raises(ValueError, match=r"copies|invertible"):
        NaiveMeanField().fit(spins)
    assert np.isfinite(NaiveMeanField(shrinkage=0.5).fit(spins).couplings_).all()
    constant = np.column_stack([spins, np.ones(8)])
    assert np.isfinite(NaiveMeanField(pseudocount=1.0).fit(constant).couplings_).all()
