"""One battery over every density model, one of a third party among them."""

import pickle
from collections import Counter

import numpy as np
import pytest
from helpers.third_party import Histogram
from helpers.word_models import word_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from vae_mf import density_models
from vae_mf.density_models import energy_model
from vae_mf.density_models.autoregressive import LogisticAutoregression
from vae_mf.density_models.autoregressive_network import AutoregressiveNetwork
from vae_mf.density_models.base import DensityModel
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.k_pairwise import KPairwise
from vae_mf.density_models.lagged_autoregression import LaggedAutoregression
from vae_mf.density_models.mixture import BernoulliMixture
from vae_mf.density_models.pairwise import PairwiseIsing
from vae_mf.density_models.population_tracking import PopulationTracking
from vae_mf.density_models.random_projections import RandomProjections
from vae_mf.density_models.restricted_boltzmann import RestrictedBoltzmann, SemiRestrictedBoltzmann
from vae_mf.density_models.semiparametric_pairwise import SemiparametricPairwise
from vae_mf.density_models.trees import ChowLiuTree, TreeMixture
from vae_mf.inverse_ising import BoltzmannLearning, PseudoLikelihood
from vae_mf.statistics.independent import independent_log_likelihood, probabilities_up

SIGMAS = 4.5
ANNEALING = {"chains": 1024, "resolution": 0.05}
MODELS = [
    Independent(),
    LogisticAutoregression(),
    AutoregressiveNetwork(8, n_orders=2, steps=30, batch_size=64, learning_rate=0.03),
    BernoulliMixture(3, random_state=1),
    ChowLiuTree(),
    TreeMixture(2, n_init=2, tolerance=1e-4),
    HiddenMarkov(3, random_state=1),
    LaggedAutoregression(),
    PairwiseIsing(**ANNEALING),
    PairwiseIsing(PseudoLikelihood(), **ANNEALING),
    KPairwise(samples=2**13, averaged=2, **ANNEALING),
    RestrictedBoltzmann(3, steps=300, batch_size=128, **ANNEALING),
    SemiRestrictedBoltzmann(3, steps=60, batch_size=64, learning_rate=0.03, **ANNEALING),
    SemiparametricPairwise(5, steps=60, batch_size=64, learning_rate=0.03, **ANNEALING),
    RandomProjections(40, 3, steps=60, batch_size=64, learning_rate=0.03, **ANNEALING),
    PopulationTracking(),
    Histogram(),
]
TRUTH = word_model(8, 1.0, seed=2, potential=0.5)
ROWS = TRUTH.draw(1500, seed=3)


def name(model) -> str | None:
    return repr(model) if isinstance(model, DensityModel) else None


@pytest.fixture(scope="module", autouse=True)
def estimated():
    """Ln Z is estimated and rows are drawn by chains, as for many variables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy_model, "MOST_ENUMERATED", 0)
        yield


@pytest.fixture(scope="module")
def fitted():
    """Every model is fitted to the same rows once."""
    return {repr(model): clone(model).fit(ROWS) for model in MODELS}


def test_no_public_model_is_left_out():
    assert set(density_models.__all__) - {type(model).__name__ for model in MODELS} == {"DensityModel"}


@pytest.mark.parametrize("model", MODELS, ids=name)
class TestContract:
    """Contract of a density model."""

    def test_the_probabilities_sum_to_one(self, model, fitted):
        found = fitted[repr(model)]
        total = float(logsumexp(found.score_samples(TRUTH.words)))
        assert abs(total) <= SIGMAS * found.log_partition_error_ + 1e-9
        assert found.log_partition_error_ < 0.02

    def test_draws_follow_the_probabilities(self, model, fitted):
        found = fitted[repr(model)]
        logs = found.score_samples(TRUTH.words)
        shares = np.exp(logs - logsumexp(logs))
        draws = found.sample(3000, random_state=4)
        assert draws.shape == (3000, 8)
        assert draws.dtype == np.int8
        upper = np.triu_indices(8, 1)
        values, states = (np.hstack([x, x[:, upper[0]] * x[:, upper[1]]]).astype(float) for x in (draws, TRUTH.words))
        expected = shares @ states
        z = (values.mean(axis=0) - expected) / np.sqrt((1 - expected**2) / len(draws))
        assert np.abs(z).max() < SIGMAS

    def test_the_score_is_the_mean_and_beats_chance(self, model, fitted):
        found = fitted[repr(model)]
        held_out = TRUTH.draw(1000, seed=5)
        assert_allclose(found.score(held_out), found.score_samples(held_out).mean())
        assert found.score(held_out) > -8 * np.log(2)
        weights = np.arange(1000.0)
        assert_allclose(
            found.score(held_out, sample_weight=weights), np.average(found.score_samples(held_out), weights=weights)
        )

    def test_a_weight_is_a_number_of_repetitions(self, model, fitted):
        weights = np.random.default_rng(6).integers(0, 4, len(ROWS))
        once = clone(model).fit(ROWS, sample_weight=weights)
        repeated = clone(model).fit(np.repeat(ROWS, weights, axis=0))
        # The same distinct rows with the same shares, but for the last bits of their sums.
        assert_allclose(once.score_samples(TRUTH.words), repeated.score_samples(TRUTH.words), atol=0.1)
        assert_allclose(once.score(ROWS), repeated.score(ROWS), atol=5e-3)

    def test_the_same_seed_gives_the_same_model(self, model, fitted):
        assert_array_equal(
            clone(model).fit(ROWS).score_samples(ROWS[:50]), fitted[repr(model)].score_samples(ROWS[:50])
        )

    def test_it_survives_pickling_and_says_how_large_it_is(self, model, fitted):
        found = fitted[repr(model)]
        copy = pickle.loads(pickle.dumps(found))
        assert_array_equal(copy.score_samples(ROWS[:5]), found.score_samples(ROWS[:5]))
        assert found.n_parameters_ >= 8
        assert found.n_features_in_ == 8

    def test_bad_rows_are_refused(self, model, fitted):
        with pytest.raises(ValueError, match="entries -1 and 1"):
            clone(model).fit((ROWS + 1) // 2)
        masked = np.ma.masked_array(ROWS, ROWS > 0)
        for use in (clone(model).fit, fitted[repr(model)].score_samples):
            with pytest.raises(ValueError, match="NaN"):
                use(masked)
            with pytest.raises(ValueError, match=r"entries -1 and 1.*values such as \[-5"):
                use(sparse.csr_array(5 * ROWS))
        assert_array_equal(
            fitted[repr(model)].score_samples(sparse.csr_array(ROWS)), fitted[repr(model)].score_samples(ROWS)
        )
        with pytest.raises(ValueError, match="8 features"):
            fitted[repr(model)].score_samples(ROWS[:, :5])
        with pytest.raises(ValueError, match="n_samples"):
            fitted[repr(model)].sample(0)
        with pytest.raises(NotFittedError):
            clone(model).score_samples(ROWS)


def test_the_independent_model_is_that_of_the_verdicts():
    found = Independent().fit(ROWS)
    probabilities = probabilities_up(ROWS)
    assert_allclose(found.score_samples(TRUTH.words), independent_log_likelihood(TRUTH.words, probabilities))


def test_richer_models_come_closer_to_the_truth():
    rows = TRUTH.draw(20_000, seed=7)
    models = Independent(), PairwiseIsing(**ANNEALING), KPairwise(smoothness=1.0, samples=2**15, **ANNEALING)
    exponents = [model.fit(rows).score_samples(TRUTH.words) for model in models]
    losses = [TRUTH.probabilities @ (np.log(TRUTH.probabilities) - e + logsumexp(e)) for e in exponents]
    # Parameters / (2 M) is .001 nats for the last.
    assert losses[0] > losses[1] > losses[2] > 0
    assert losses[2] < 0.004


def test_hidden_units_learn_what_they_can_represent():
    """A machine of 4 hidden units, with fewer parameters than a pairwise model, holds two assemblies."""
    random = np.random.default_rng(8)
    on = random.random((20_000, 2)) < 0.3
    rates = 0.05 + 0.75 * np.repeat(on, 4, axis=1)
    rows = np.where(random.random(rates.shape) < rates, 1, -1).astype(np.int8)
    found = RestrictedBoltzmann(4, steps=3000, batch_size=256, **ANNEALING).fit(rows[:15_000])
    halves = (np.array([0.7, 0.3]) * np.where(active[:, None], p, 1 - p).prod(axis=2) for active, p in (
        (part > 0, np.array([[0.05] * 4, [0.8] * 4])) for part in (rows[15_000:, :4], rows[15_000:, 4:])
    ))  # fmt: skip
    truth = sum(np.log(half.sum(axis=1)).mean() for half in halves)
    assert -0.01 < truth - found.score(rows[15_000:]) < 0.04


@pytest.mark.parametrize("model", [model for model in MODELS if isinstance(model, EnergyModel)], ids=name)
def test_few_variables_are_summed_over_and_drawn_exactly(model, monkeypatch):
    """By few chains, a pairwise model of six variables was once .02 nats ahead of the law of its rows."""
    monkeypatch.setattr(energy_model, "MOST_ENUMERATED", 8)
    found = clone(model).set_params(chains=2, resolution=3.0).fit(ROWS)
    assert (found.log_partition_error_, found.effective_size_) == (0, np.inf)
    logs = found.score_samples(TRUTH.words)
    assert_allclose(logsumexp(logs), 0, atol=1e-9)
    counts = Counter(map(bytes, found.sample(20_000, random_state=1)))
    expected = 20_000 * np.exp(logs)
    z = (np.array([counts[bytes(word)] for word in TRUTH.words]) - expected) / np.sqrt(expected)
    assert abs(z[expected > 5]).max() < SIGMAS + 1


def test_many_hidden_units_are_annealed_and_few_are_summed_over():
    few, many = (RestrictedBoltzmann(hidden, steps=20, batch_size=64, **ANNEALING).fit(ROWS) for hidden in (16, 17))
    assert (few.log_partition_error_, few.effective_size_) == (0, np.inf)
    assert 0 < many.log_partition_error_ < 0.01
    assert abs(logsumexp(many.score_samples(TRUTH.words))) < SIGMAS * many.log_partition_error_


def test_models_work_in_a_grid_search():
    search = GridSearchCV(BernoulliMixture(tolerance=1e-3), {"n_components": [1, 3]}, cv=2).fit(ROWS)
    assert search.best_params_ == {"n_components": 3}
    assert clone(PairwiseIsing(BoltzmannLearning(precision=1.0))).estimator.precision == 1.0


@pytest.mark.parametrize("estimator", [Independent(), PseudoLikelihood(encoding="01")], ids=name)
def test_what_is_no_estimator_of_spins_is_refused(estimator):
    with pytest.raises(ValueError, match="estimator: expected"):
        PairwiseIsing(estimator).fit(ROWS)


@pytest.mark.parametrize(
    "model",
    [
        PairwiseIsing(chains=0),
        PairwiseIsing(resolution=0.0),
        RestrictedBoltzmann(0),
        RestrictedBoltzmann(learning_rate=-1),
        SemiRestrictedBoltzmann(l2=-1),
        SemiparametricPairwise(1),
        SemiparametricPairwise(l2_slopes=-1),
        RandomProjections(0),
        RandomProjections(threshold=0),
    ],
    ids=name,
)
def test_bad_options_are_refused(model):
    with pytest.raises(ValueError, match="expected"):
        model.fit(ROWS)
