"""One battery over every estimator that learns from independent configurations."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from helpers.ising_oracle import dense
from helpers.third_party import Hebb
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from vae_mf import checks, inverse_ising
from vae_mf.inverse_ising import (
    TAP,
    AdaptiveClusterExpansion,
    Bethe,
    BoltzmannLearning,
    DecimatedPseudoLikelihood,
    ErasureMachine,
    Estimator,
    GraphPseudoLikelihood,
    HiddenKineticIsing,
    HiddenKineticIsingCV,
    IndependentPair,
    InteractionScreening,
    KineticExactMeanField,
    KineticMaximumLikelihood,
    KineticNaiveMeanField,
    KineticTAP,
    LatticeIsing,
    LowTemperature,
    MissingEntries,
    NaiveMeanField,
    ProbabilityFlow,
    PseudoLikelihood,
    SessakMonasson,
    SusceptibilityPropagation,
    TripletPseudoLikelihood,
    base,
)
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.kinetic import base as kinetic_base
from vae_mf.inverse_ising.kinetic.base import KineticIsing
from vae_mf.inverse_ising.mean_field import MeanFieldEstimator

CONSISTENT = [
    PseudoLikelihood(tolerance=1e-9),
    PseudoLikelihood(symmetric=True, tolerance=1e-9),
    PseudoLikelihood(firth=True, tolerance=1e-9),
    PseudoLikelihood(l1="auto", tolerance=1e-8),
    InteractionScreening(tolerance=1e-9),
    InteractionScreening(objective="logrise", tolerance=1e-9, max_iter=100),
    ProbabilityFlow(tolerance=1e-9),
    BoltzmannLearning(),
]
"""Estimators whose error vanishes with the number of samples whatever the model."""
APPROXIMATE = [
    IndependentPair(),
    NaiveMeanField(),
    TAP(),
    SessakMonasson(),
    Bethe(),
    SusceptibilityPropagation(tolerance=1e-10),
    LowTemperature(clusters=1),
    DecimatedPseudoLikelihood(step=0.5, l2=1.0, tolerance=1e-8),
    AdaptiveClusterExpansion(),
    ErasureMachine(),
    Hebb(rate=0.3),
]
ESTIMATORS = CONSISTENT + APPROXIMATE
KINETIC = [
    HiddenKineticIsing(max_iter=5),
    KineticMaximumLikelihood(),
    KineticNaiveMeanField(),
    KineticTAP(),
    KineticExactMeanField(),
    HiddenKineticIsingCV(HiddenKineticIsing(max_iter=2), candidates=(0, 1)),
]
WEAK = dense(6, 0.4, seed=1)
SPINS = WEAK.draw(600, seed=2)
PATHS = SPINS.reshape(3, 200, 6)
IMAGES = SPINS.reshape(600, 2, 3)
CASES = [
    *((estimator, SPINS) for estimator in ESTIMATORS),
    (MissingEntries(fits=10), np.where(np.arange(3600).reshape(600, 6) % 7, SPINS, np.nan)),
    (GraphPseudoLikelihood(bonds=np.array([[0, 1], [1, 2]])), SPINS),
    (TripletPseudoLikelihood(), SPINS),
    (LatticeIsing(), IMAGES),
    *((estimator(), PATHS) for estimator in (KineticExactMeanField, KineticNaiveMeanField, KineticTAP)),
    (KineticMaximumLikelihood(time_dependent=True), PATHS),
    (HiddenKineticIsing(max_iter=20), PATHS),
]
"""Estimators of every kind of data."""


def name(value) -> str | None:
    return repr(value) if isinstance(value, BaseEstimator) else ""


def fitted(estimator: InverseIsing, spins=SPINS, **options) -> InverseIsing:
    return clone(estimator).fit(spins, **options)


def slow(estimator: InverseIsing):
    return pytest.param(estimator, marks=pytest.mark.slow)


@pytest.mark.parametrize("estimator", CONSISTENT, ids=name)
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_exact_moments_give_back_the_model(estimator, strength):
    model = dense(9, strength, seed=4)
    # An l1 penalty of 1e12 samples leaves a bias of some 1e-6 in units of the curvature.
    found = fitted(estimator, model.states, sample_weight=model.weights)
    assert found.converged_
    assert_allclose(found.couplings_, model.couplings, atol=4e-5)
    assert_allclose(found.fields_, model.fields, atol=4e-5)


@pytest.mark.parametrize("estimator", [CONSISTENT[0], *(slow(estimator) for estimator in CONSISTENT[1:])], ids=name)
def test_the_error_falls_as_the_root_of_the_number_of_samples(estimator):
    model = dense(6, 0.8, seed=7)

    def error(samples: int) -> float:
        fits = [fitted(estimator, model.draw(samples, seed)).couplings_ for seed in range(12)]
        return float(np.sqrt(np.mean((np.array(fits) - model.couplings) ** 2)))

    # A factor 16 in samples is one of 4 in the error; 180 couplings give it to some 8 %.
    assert_allclose(error(2000) / error(32_000), 4, rtol=0.35)


@pytest.mark.parametrize(("estimator", "data"), CASES, ids=name)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_all_data_have_estimators_of_one_contract(estimator, data):
    found = clone(estimator).fit(data)
    assert isinstance(found, Estimator)
    assert found.n_iter_ >= 1
    assert found.fields_.shape[-1] == len(found.couplings_)
    assert np.isfinite(found.score(data))
    assert clone(found).get_params().keys() == estimator.get_params().keys()
    if not isinstance(estimator, MissingEntries):
        masked = np.ma.masked_array(data, data > 0)
        for gaps in (masked, list(masked)):
            with pytest.raises(ValueError, match="NaN"):
                clone(estimator).fit(gaps)
    if np.ndim(data) == 2:
        with pytest.raises(ValueError, match=r"entries -1 and 1.*values such as \[-5"):
            clone(estimator).fit(sparse.csr_array(5 * np.asarray(data)))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_a_sparse_matrix_is_its_array(kind):
    words = (SPINS + 1) // 2
    estimator = PseudoLikelihood(encoding="01").fit(words)
    assert_array_equal(clone(estimator).fit(kind(words)).couplings_, estimator.couplings_)
    assert estimator.score(kind(words)) == estimator.score(words)
    path = KINETIC[0]
    assert_array_equal(clone(path).fit(kind(SPINS)).couplings_, clone(path).fit(SPINS).couplings_)
    assert_array_equal(clone(path).fit([kind(SPINS)]).couplings_, clone(path).fit(SPINS).couplings_)


def test_no_public_estimator_is_left_out():
    named = {each: getattr(inverse_ising, each) for each in inverse_ising.__all__}
    public = {each for each, value in named.items() if isinstance(value, type) and issubclass(value, BaseEstimator)}
    left_out = public - {type(estimator).__name__ for estimator, _ in CASES}
    potts = {each for each in public if each.startswith("Potts")}
    assert left_out - potts == {"HiddenKineticIsingCV", "InverseIsing", "MissingSpins"}


@pytest.mark.parametrize(
    ("estimator", "data"), [case for case in CASES if not isinstance(case[0], TripletPseudoLikelihood)], ids=name
)
def test_more_than_the_free_memory_is_refused_before_it_is_taken(estimator, data, monkeypatch):
    monkeypatch.setattr(checks, "available_memory", lambda: 100)
    with pytest.raises(
        ValueError, match=r"of 6 spins: expected arrays that fit into memory, of which 1e-07 GB are free"
    ):
        clone(estimator).fit(data)


@pytest.mark.parametrize(
    ("estimator", "sites"),
    [
        (NaiveMeanField(), 300),
        (PseudoLikelihood(), 150),
        (SusceptibilityPropagation(max_iter=3), 100),
        pytest.param(BoltzmannLearning(method="chains", max_iter=1, chains=256), 180, marks=pytest.mark.slow),
        (BoltzmannLearning(method="chains", max_iter=1, chains=256, standard_errors=True), 60),
    ],
    ids=name,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_memory_that_a_fit_needs_is_about_what_it_takes(estimator, sites):
    spins = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (400, sites))
    # The compiler's own memory is none of the fit's.
    clone(estimator).fit(spins[:, :6])
    tracemalloc.start()
    try:
        clone(estimator).fit(spins)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.4 < taken / estimator._required_bytes(sites) < 2.5


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
class TestContract:
    """Contract of an estimator of independent configurations."""

    def test_the_results_have_their_shapes(self, estimator):
        found = fitted(estimator)
        assert_array_equal(found.couplings_, found.couplings_.T)
        assert_array_equal(np.diag(found.couplings_), 0)
        assert found.fields_.shape == (6,)
        assert found.n_features_in_ == 6
        assert found.n_iter_ >= 1
        assert found.converged_ is True
        assert_array_equal(found.fit(SPINS).couplings_, found.couplings_)

    def test_relabelling_spins_relabels_the_couplings(self, estimator):
        order = np.random.default_rng(3).permutation(6)
        plain = fitted(estimator)
        moved = fitted(estimator, SPINS[:, order])
        assert_allclose(moved.couplings_, plain.couplings_[np.ix_(order, order)], atol=1e-5)
        assert_allclose(moved.fields_, plain.fields_[order], atol=1e-5)

    def test_reversing_spins_reverses_their_couplings(self, estimator):
        signs = np.array([1, -1, -1, 1, 1, -1])
        plain = fitted(estimator)
        turned = fitted(estimator, SPINS * signs)
        assert_allclose(turned.couplings_, plain.couplings_ * np.outer(signs, signs), atol=1e-5)
        assert_allclose(turned.fields_, plain.fields_ * signs, atol=1e-5)

    def test_the_order_of_samples_does_not_matter(self, estimator):
        assert_allclose(fitted(estimator, SPINS[::-1]).couplings_, fitted(estimator).couplings_, atol=1e-5)

    def test_a_weight_is_a_number_of_repetitions(self, estimator):
        weights = np.random.default_rng(5).integers(0, 4, len(SPINS))
        weighted = fitted(estimator, sample_weight=weights)
        repeated = fitted(estimator, np.repeat(SPINS, weights, axis=0))
        assert_allclose(weighted.couplings_, repeated.couplings_, atol=1e-5)
        assert_allclose(weighted.fields_, repeated.fields_, atol=1e-5)

    @pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, bool])
    def test_zeros_and_ones_are_spins_too(self, estimator, dtype):
        found = clone(estimator).set_params(encoding="01").fit(((SPINS + 1) // 2).astype(dtype))
        assert_array_equal(found.couplings_, fitted(estimator).couplings_)
        assert set(np.unique(found.sample(50, random_state=0))) == {0, 1}

    def test_it_pickles(self, estimator):
        found = fitted(estimator)
        again = pickle.loads(pickle.dumps(found))
        assert_array_equal(again.energy(SPINS), found.energy(SPINS))

    def test_score_and_energy_are_those_of_the_model(self, estimator):
        found = fitted(estimator)
        exponents = -found.energy(WEAK.states)
        direct = 0.5 * np.einsum("ri,ij,rj->r", WEAK.states, found.couplings_, WEAK.states)
        assert_allclose(exponents, direct + WEAK.states @ found.fields_, atol=1e-12)
        conditional = np.zeros(len(exponents))
        for i in range(6):
            # Rows are numbered by their bits: flipping spin i changes the number by 2^i.
            flipped = exponents[np.arange(64) ^ (1 << i)]
            conditional += exponents - np.logaddexp(exponents, flipped)
        weights = np.arange(64)
        assert_allclose(found.score(WEAK.states, sample_weight=weights), np.average(conditional, weights=weights))

    def test_samples_follow_the_model(self, estimator):
        found = fitted(estimator)
        drawn = found.sample(20_000, random_state=1, burn_in=50, thinning=5)
        assert drawn.shape == (20_000, 6)
        exponents = -found.energy(WEAK.states)
        probabilities = np.exp(exponents - np.logaddexp.reduce(exponents))
        # Draws of one chain are nearly independent at this coupling; 512 chains.
        assert_allclose(drawn.mean(0), probabilities @ WEAK.states, atol=5 / np.sqrt(20_000))
        assert_array_equal(drawn, found.sample(20_000, random_state=1, burn_in=50, thinning=5))

    def test_it_works_in_a_pipeline_and_a_search(self, estimator):
        pipeline = make_pipeline(FunctionTransformer(np.sign), clone(estimator)).fit(SPINS * 0.3)
        assert_array_equal(pipeline[-1].couplings_, fitted(estimator).couplings_)
        options = {"l2": [1.0, 100.0], "shrinkage": [0.1, 0.5], "pseudocount": [1.0, 10.0], "rate": [0.05, 0.1]}
        option, values = next(
            (option, values) for option, values in options.items() if option in estimator.get_params()
        )
        search = GridSearchCV(clone(estimator), {option: values}, cv=3).fit(SPINS)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.best_estimator_.score(SPINS) <= 0

    def test_copies_of_a_spin_are_named(self, estimator):
        if isinstance(estimator, Hebb):
            return
        copies = np.column_stack([SPINS, -SPINS[:, 2]])
        with warnings.catch_warnings(record=True) as issued:
            warnings.simplefilter("always")
            try:
                fitted(estimator, copies)
                said = [str(each.message) for each in issued]
            except ValueError as refusal:
                said = [str(refusal)]
        assert any("copies" in line and "[[2, 6]]" in line for line in said) or any(
            "[2, 6]" in line and "states" in line for line in said
        )

    def test_weights_that_count_as_fewer_samples_than_spins_are_named(self, estimator):
        with pytest.warns(UserWarning, match="600 weights sum to 1 and count as so many samples of 6 spins"):
            fitted(estimator, sample_weight=np.full(600, 1 / 600))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*weights sum to")
            fitted(estimator, sample_weight=np.full(600, 0.9))

    def test_bad_spins_are_refused(self, estimator):
        for spins, message in (
            (SPINS * 2, "expected entries -1 and 1 .*, got values such as"),
            (np.where(SPINS > 0, np.nan, SPINS), "NaN"),
            (SPINS[0], "2D array"),
            (SPINS[:, :1], "1 feature"),
            (np.column_stack([SPINS, np.ones(600)]), r"constant spins \[6\]"),
        ):
            with pytest.raises(ValueError, match=message):
                fitted(estimator, spins)
        with pytest.raises(ValueError, match="encoding: expected one of spin, 01"):
            clone(estimator).set_params(encoding="up").fit(SPINS)
        with pytest.raises(ValueError, match=r"[Nn]egative"):
            fitted(estimator, sample_weight=-np.ones(600))
        with pytest.raises(ValueError, match="NaN"):
            fitted(estimator, sample_weight=np.ma.masked_array(np.ones(600), SPINS[:, 0] > 0))
        with pytest.raises(NotFittedError):
            clone(estimator).sample(3)


ROW_WEIGHTS = (
    "check_all_zero_sample_weights_error",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
)
"""Checks that give a weight to every row of a table."""


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    """Checks of scikit-learn that an estimator cannot meet, with the reason."""
    if isinstance(estimator, (KineticIsing, HiddenKineticIsingCV)):
        return dict.fromkeys(ROW_WEIGHTS, "a weight is one of a transition or of a whole trajectory, not of a row")
    singular = "with no more samples than spins the covariance matrix is singular"
    kinds = ("dense", "sparse") if isinstance(estimator, MeanFieldEstimator) else ()
    return {f"check_sample_weight_equivalence_on_{kind}_data": singular for kind in kinds}


@pytest.fixture
def thresholded(monkeypatch):
    """Let estimators see a bit of every entry of scikit-learn's continuous test data, which the real ones refuse."""

    def signs(values: np.ndarray, encoding: str) -> np.ndarray:
        if np.isin(values, (-1, 1)).all():
            return values.astype(np.int8)
        # The sign of the value itself would make copies of correlated columns, but integers are few and want it.
        whole = (values == np.round(values)).all()
        middle = np.median(values.reshape(-1, values.shape[-1]), axis=0)
        bits = values > middle if whole else np.sin(1e3 * values.astype(float)) > 0
        return np.where(bits, 1, -1).astype(np.int8)

    monkeypatch.setattr(base, "checked_spins", signs)
    monkeypatch.setattr(kinetic_base, "checked_spins", signs)


def run_check(estimator: BaseEstimator, check) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@parametrize_with_checks([PseudoLikelihood(), NaiveMeanField(), *KINETIC[:2]], expected_failed_checks=expected_failures)
@pytest.mark.usefixtures("thresholded")
def test_scikit_learns_own_checks(estimator, check):
    run_check(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(
    [clone(estimator) for estimator in (*ESTIMATORS, MissingEntries(), *KINETIC)],
    expected_failed_checks=expected_failures,
)
@pytest.mark.usefixtures("thresholded")
def test_scikit_learns_own_checks_of_all(estimator, check):
    run_check(estimator, check)
