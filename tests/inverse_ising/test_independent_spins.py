"""Models that predict new rows worse than independent spins, told by the rows that they were fitted to."""

import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import (
    TAP,
    Bethe,
    BoltzmannLearning,
    DecimatedPseudoLikelihood,
    InteractionScreening,
    InverseIsing,
    NaiveMeanField,
    PseudoLikelihood,
    SessakMonasson,
)
from vae_mf.inverse_ising.energies import log_pseudo_likelihood
from vae_mf.inverse_ising.independent_spins import beats_independent_spins
from vae_mf.inverse_ising.pseudolikelihood import chosen_count

ESTIMATORS = [
    PseudoLikelihood(),
    PseudoLikelihood(l2=0.0),
    PseudoLikelihood(l1="auto"),
    pytest.param(DecimatedPseudoLikelihood(), marks=pytest.mark.slow),
    InteractionScreening(objective="logrise", l1="auto"),
    pytest.param(BoltzmannLearning(), marks=pytest.mark.slow),
    NaiveMeanField(),
    TAP(),
    SessakMonasson(),
    Bethe(),
]


def gain(fit: InverseIsing, rows: np.ndarray, means: np.ndarray) -> float:
    alone = log_pseudo_likelihood(rows, np.zeros_like(fit.couplings_), np.arctanh(means))
    return float((log_pseudo_likelihood(rows, fit.couplings_, fit.fields_) - alone).mean())


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_none_has_converged_and_predicts_worse_than_independent_spins(estimator):
    claims = 0
    for seed in range(8):
        cold = dense(9, 2.5, seed)
        for model, count in ((cold, 400), (dense(9, 0.2, seed), 25), (dense(9, 0.6, seed), 1000)):
            rows = model.draw(count + 4000, seed)
            fitted = rows[:count]
            if np.abs(fitted.mean(axis=0)).max() == 1:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                try:
                    fit = type(estimator)(**estimator.get_params()).fit(fitted)
                except ValueError:
                    continue
            claims += int(fit.converged_)
            # Fits without any coupling lose no more than their tolerance.
            assert not fit.converged_ or gain(fit, rows[count:], fitted.mean(axis=0)) > -1e-6
    assert claims > 0


def test_the_gain_by_chance_is_that_of_new_rows():
    """Without a prior the couplings of independent spins gain on their own rows what they lose on new ones."""
    own, new = [], []
    for seed in range(60):
        rows = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (5500, 6))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = PseudoLikelihood(l2=0.0).fit(rows[:500])
        assert fit.determined_ == 15
        own.append(gain(fit, rows[:500], rows[:500].mean(axis=0)))
        new.append(gain(fit, rows[500:], rows[:500].mean(axis=0)))
    assert np.mean(own) - np.mean(new) == pytest.approx(2 * 15 / 500 / (1 - 5 / 500), rel=0.15)


def test_what_couplings_gain_is_weighed_against_their_number():
    spins = dense(8, 1.0, seed=1).draw(2000, seed=2).astype(np.int8)
    fit = PseudoLikelihood().fit(spins)
    weights = np.ones(len(spins))
    model = fit.couplings_, fit.fields_
    assert beats_independent_spins(*model, fit.determined_, spins, weights)
    assert not beats_independent_spins(*model, 1e4, spins, weights)
    assert not beats_independent_spins(*model, fit.determined_, spins, 0.01 * weights)
    assert not beats_independent_spins(-fit.couplings_, fit.fields_, fit.determined_, spins, weights)
    assert beats_independent_spins(0 * fit.couplings_, np.arctanh(spins.mean(axis=0)), 0.0, spins, weights)
    many = np.tile(spins, (20, 1))
    assert beats_independent_spins(*model, fit.determined_, many, np.ones(len(many)))


def test_a_prior_leaves_few_couplings_to_the_data():
    spins = np.random.default_rng(1).choice([-1, 1], (1000, 10))
    with pytest.warns(ConvergenceWarning, match="no better than independent spins"):
        tight = PseudoLikelihood(l2=1e4).fit(spins)
    # Each is known by 1000 of 11,000 parts.
    assert tight.determined_ == pytest.approx(45 / 11, rel=0.02)


def test_the_largest_of_many_count_more():
    """Squares of the largest k of n normal values, against k."""
    squares = np.sort(np.random.default_rng(1).normal(size=(400, 1000)) ** 2, axis=1)
    for kept in (10, 100):
        assert chosen_count(kept, 1000) == pytest.approx(squares[:, -kept:].sum(axis=1).mean(), rel=0.05)
    assert chosen_count(0, 1000) == 0


def test_independent_spins_are_fitted_to_the_tolerance_and_not_beaten():
    rows = np.random.default_rng(0).choice(np.int8([-1, 1]), (500, 6))
    with pytest.warns(ConvergenceWarning, match="no better than independent spins"):
        fit = BoltzmannLearning().fit(rows)
    assert fit.within_tolerance_
    assert not fit.converged_


def test_a_model_without_couplings_is_as_good_however_many_rows_there_are():
    """Beyond so many rows that some stand for all, independent spins are those of all rows too."""
    spins = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (20_000, 4))
    fields = np.arctanh(spins.mean(axis=0))
    assert beats_independent_spins(np.zeros((4, 4)), fields, 0.0, spins, np.ones(len(spins)))
