"""Couplings of three spins: exact moments, planted triplets, coverage, false discoveries, refusals."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest
from helpers.ising_oracle import INFINITE, dense
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising import PseudoLikelihood, TripletPseudoLikelihood
from vae_mf.packing import all_configurations

STATES = all_configurations(7)
ALL = np.array(list(combinations(range(7), 3)))


class Model(NamedTuple):
    """Parameters and probabilities of all configurations."""

    couplings: np.ndarray
    fields: np.ndarray
    values: np.ndarray
    probabilities: np.ndarray

    def draw(self, samples: int, seed: int) -> np.ndarray:
        return STATES[np.random.default_rng(seed).choice(len(STATES), samples, p=self.probabilities)]


def exponents(couplings, fields, triplets, values) -> np.ndarray:
    pairs = np.einsum("ri,ri->r", STATES @ couplings / 2 + fields, STATES)
    return pairs + np.prod(STATES[:, triplets], axis=2) @ values


def planted(values: np.ndarray, seed: int, field: float = 0.8) -> Model:
    pairs = dense(7, 0.6, seed, field)
    logs = exponents(pairs.couplings, pairs.fields, ALL, values)
    chances = np.exp(logs - logs.max())
    return Model(pairs.couplings, pairs.fields, values, chances / chances.sum())


def few(count: int, size: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = np.zeros(len(ALL))
    values[random.choice(len(ALL), count, replace=False)] = size * random.choice([-1, 1], count)
    return values


@pytest.mark.parametrize("options", [{"l2": 0.0, "l2_triplets": 0.0}, {}], ids=["no prior", "learnt prior"])
def test_exact_moments_give_back_the_model(options):
    model = planted(np.random.default_rng(1).normal(0, 0.2, len(ALL)), seed=2)
    fit = TripletPseudoLikelihood(tolerance=1e-9, **options)
    fit.fit(STATES, sample_weight=INFINITE * model.probabilities)
    assert fit.converged_
    assert_array_equal(fit.triplets_, ALL)
    assert_allclose(fit.couplings_, model.couplings, atol=1e-6)
    assert_allclose(fit.fields_, model.fields, atol=1e-6)
    assert_allclose(fit.triplet_couplings_, model.values, atol=1e-6)


def test_chosen_triplets_are_fitted_and_no_others():
    values = np.zeros(len(ALL))
    values[[3, 20]] = 0.3, -0.2
    model = planted(values, seed=2)
    fit = TripletPseudoLikelihood(triplets=ALL[[20, 3]][:, ::-1], l2=0.0, l2_triplets=0.0, tolerance=1e-9)
    fit.fit(STATES, sample_weight=INFINITE * model.probabilities)
    assert_array_equal(fit.triplets_, ALL[[20, 3]])
    assert_allclose(fit.triplet_couplings_, [-0.2, 0.3], atol=1e-6)
    assert_allclose(fit.couplings_, model.couplings, atol=1e-6)


def test_score_and_energy_are_those_of_the_model():
    fit = TripletPseudoLikelihood().fit(planted(few(3, 0.4, seed=1), seed=2).draw(3000, seed=3))
    logs = exponents(fit.couplings_, fit.fields_, fit.triplets_, fit.triplet_couplings_)
    assert_allclose(-fit.energy(STATES), logs, atol=1e-9)
    conditional = np.zeros(len(logs))
    for i in range(7):
        # Rows are numbered by their bits: flipping spin i changes the number by 2^i.
        conditional += logs - np.logaddexp(logs, logs[np.arange(128) ^ (1 << i)])
    weights = np.arange(128)
    assert_allclose(fit.score(STATES, sample_weight=weights), np.average(conditional, weights=weights))


def test_intervals_hold_the_truth_and_planted_triplets_are_unbiased():
    inside, pairs, fields, sizes, named, false = [], [], [], [], [], []
    upper = np.triu_indices(7, 1)
    for seed in range(30):
        values = few(2, 0.3, seed)
        model = planted(values, seed)
        fit = TripletPseudoLikelihood().fit(model.draw(2000, seed))
        low, high = fit.triplets_interval()
        real = values != 0
        inside.append(((low <= values) & (values <= high))[real])
        pairs.append((np.abs(fit.couplings_ - model.couplings) < 1.96 * fit.couplings_error_)[upper])
        fields.append(np.abs(fit.fields_ - model.fields) < 1.96 * fit.fields_error_)
        sizes.append((fit.unshrunk_triplets_.couplings * np.sign(values))[real])
        kept = fit.significant_triplets(0.1)
        named.append(kept[real])
        false.append((kept & ~real).sum() / max(kept.sum(), 1))
    # 60 planted triplets: .95 to .03; their mean size to .026 / sqrt(60).
    assert np.mean(inside) > 0.86
    assert 0.92 < np.mean(pairs) < 0.99
    assert 0.9 < np.mean(fields) < 0.99
    assert_allclose(np.mean(sizes), 0.3, atol=0.015)
    assert np.mean(named) > 0.95
    assert np.mean(false) < 0.1


def test_pairs_alone_have_no_triplets():
    any_named = 0
    for seed in range(30):
        fit = TripletPseudoLikelihood().fit(planted(np.zeros(len(ALL)), seed).draw(1500, seed))
        any_named += int(fit.significant_triplets(0.1).any())
        assert np.abs(fit.triplet_couplings_).max() < 0.1
    assert any_named <= binom.isf(1e-3, 30, 0.1)


def test_rare_spins_have_no_triplets_either():
    """Spins that are +1 in a tenth of the rows, where a product of three nearly repeats the products of two."""
    inside = []
    for seed in range(5):
        spins = np.where(np.random.default_rng(seed).random((3000, 8)) < 0.1, 1, -1)
        fit = TripletPseudoLikelihood().fit(spins)
        assert fit.converged_
        assert not fit.significant_triplets(0.01).any()
        inside.append(
            np.abs(fit.couplings_)[np.triu_indices(8, 1)] < 1.96 * fit.couplings_error_[np.triu_indices(8, 1)]
        )
    assert np.mean(inside) > 0.92


@pytest.mark.slow
def test_one_triplet_is_found_among_thousands():
    random = np.random.default_rng(5)
    spins = random.choice([-1, 1], (6000, 30))
    # s_3 follows the product of two others, which no pair shows.
    follows = random.random(6000) < 0.6
    spins[follows, 3] = (spins[:, 10] * spins[:, 20])[follows]
    fit = TripletPseudoLikelihood().fit(spins)
    assert_array_equal(fit.triplets_[fit.significant_triplets(0.01)], [[3, 10, 20]])
    assert_allclose(fit.triplet_couplings_[fit.significant_triplets(0.01)], np.arctanh(0.6), atol=0.05)


def test_without_triplets_that_matter_it_is_pseudo_likelihood():
    spins = planted(np.zeros(len(ALL)), seed=4).draw(3000, seed=4)
    pairs = PseudoLikelihood().fit(spins)
    fit = TripletPseudoLikelihood(l2_triplets=1e9).fit(spins)
    assert_allclose(fit.triplet_couplings_, 0, atol=1e-5)
    assert_allclose(fit.couplings_, pairs.couplings_, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"triplets": [[0, 1, 1]]}, "three different spins"),
        ({"triplets": [[0, 1, 2], [2, 1, 0]]}, "none twice"),
        ({"triplets": [[0, 1, 9]]}, "expected spins from 0 to 6, got 0 to 9"),
        ({"triplets": [0, 1, 2]}, "integer array of shape"),
        ({"triplets": "some"}, "integer array of shape"),
        ({"l2_triplets": -1.0}, "l2_triplets: expected a finite number >= 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TripletPseudoLikelihood(**options).fit(STATES)


def test_couplings_without_a_penalty_need_all_states_of_their_spins():
    """J was 4950 with an error of 741, and the fit had converged."""
    spins = np.random.default_rng(0).choice([-1, 1], (300, 5))
    product = np.column_stack([spins[:, :4], spins[:, 0] * spins[:, 1]])
    with pytest.raises(ValueError, match=r"l2_triplets: expected a number > 0, for spins \[\[0, 1, 4\]\] were never"):
        TripletPseudoLikelihood(l2=0.0, l2_triplets=0.0).fit(product)
    copied = np.column_stack([spins[:, :4], -spins[:, 1]])
    with pytest.raises(ValueError, match=r"l2: expected a number > 0, for spins \[\[1, 4\]\] were never"):
        TripletPseudoLikelihood(l2=0.0).fit(copied)
    with pytest.warns(ConvergenceWarning, match=r"spins \[\[1, 4\]\] are copies"):
        TripletPseudoLikelihood().fit(copied)


def test_couplings_of_two_have_intervals_too():
    model = dense(6, 0.8, seed=1)
    fit = TripletPseudoLikelihood().fit(model.draw(2000, seed=1))
    low, high = fit.couplings_interval(0.95)
    off = ~np.eye(6, dtype=bool)
    assert np.mean(((low < model.couplings) & (model.couplings < high))[off]) > 0.8
    assert_array_equal(fit.significant_couplings(), fit.significant_couplings().T)
    assert fit.significant_couplings().any()


def test_more_than_sixty_spins_are_refused():
    with pytest.raises(ValueError, match="expected at most 60 for couplings of three, got 61 with 35990 triplets"):
        TripletPseudoLikelihood().fit(np.random.default_rng(1).choice([-1, 1], (100, 61)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_none_has_converged_and_predicts_worse_than_independent_spins():
    claims = []
    for seed in range(4):
        for strength, count in ((0.05, 300), (0.2, 60), (0.6, 100)):
            rows = dense(8, strength, seed).draw(count + 2000, seed)
            fit = TripletPseudoLikelihood().fit(rows[:count])
            alone = -np.logaddexp(0, -2 * rows[count:] * np.arctanh(rows[:count].mean(axis=0))).sum(axis=1).mean()
            claims.append(fit.converged_)
            assert not fit.converged_ or fit.score(rows[count:]) > alone
    assert sum(claims) >= 4
