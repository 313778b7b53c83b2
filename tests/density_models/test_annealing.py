"""ln Z by annealing against enumeration, and an error that is what it says."""

import numpy as np
import pytest
from helpers.word_models import enumerated, word_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from vae_mf.density_models.restricted_boltzmann import AnnealedMachine, Machine
from vae_mf.inverse_ising.solvers.annealing import annealed_importance, jackknife_error, log_mean, resample
from vae_mf.inverse_ising.solvers.count_ising import (
    AnnealedCountIsing,
    CountIsing,
    independent_model,
)
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains, heat_bath
from vae_mf.packing import all_configurations

SIGMAS = 4.0
"""Family-wise one in a thousand for the few dozen comparisons of this file."""
MODELS = {
    "weak": word_model(10, 0.3, seed=1),
    "strong": word_model(12, 1.5, seed=2),
    "counts": word_model(12, 0.8, seed=3, potential=0.7),
}
RATES = np.linspace(0.05, 0.3, 12)


def machine(hidden: int, seed: int, strength: float = 1.0) -> Machine:
    random = np.random.default_rng(seed)
    parts = random.normal(0, strength, (hidden, 10)), random.uniform(-3, -1, 10), random.normal(0, 1, hidden)
    return Machine(*(part.astype(np.float32) for part in parts))


def exact_machine(model: Machine) -> float:
    """Sum over words *and* hidden units, which `Machine.exponents` has summed out."""
    words, hidden = ((all_configurations(n) > 0).astype(float) for n in model.weights.shape[::-1])
    joint = words @ model.fields[:, None] + hidden @ model.thresholds + words @ model.weights.T @ hidden.T
    return float(logsumexp(joint))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("resolution", [0.5, 0.02])
def test_log_partition_is_that_of_enumeration(model, resolution):
    sites = len(model.model.fields)
    chains = AnnealedCountIsing(model.model, RATES[:sites], 2048, np.random.default_rng(5))
    found = annealed_importance(chains, resolution)
    assert abs(found.log_partition - model.log_partition) < SIGMAS * found.error
    assert found.error < (0.1 if resolution > 0.1 else 0.01)


@pytest.mark.parametrize("hidden", [2, 6])
def test_log_partition_of_a_machine_is_that_of_enumeration(hidden):
    model = machine(hidden, seed=hidden)
    found = annealed_importance(AnnealedMachine(model, RATES[:10], 2048, np.random.default_rng(6)), 0.02)
    assert abs(found.log_partition - exact_machine(model)) < SIGMAS * found.error
    assert found.error < 0.01
    assert_allclose(model.log_partition(), exact_machine(model), rtol=1e-6)


def test_smaller_steps_make_the_weights_more_equal():
    model = MODELS["strong"]
    coarse, fine = (
        annealed_importance(AnnealedCountIsing(model.model, RATES, 1024, np.random.default_rng(7)), resolution)
        for resolution in (1.0, 0.02)
    )
    assert coarse.steps < fine.steps
    assert coarse.effective_size < 0.9 * fine.effective_size
    assert coarse.error > 2 * fine.error


def test_the_error_is_the_scatter_over_repetitions():
    model = MODELS["counts"]
    chains = [AnnealedCountIsing(model.model, RATES, 128, np.random.default_rng(seed)) for seed in range(240)]
    runs = [annealed_importance(each, 0.3) for each in chains]
    scatter = np.std([run.log_partition for run in runs], ddof=1)
    # The standard deviation of 240 numbers is known to some 5 %.
    assert_allclose(np.mean([run.error for run in runs]), scatter, rtol=0.15)


def test_a_model_of_independent_cells_needs_no_way():
    found = annealed_importance(AnnealedCountIsing(independent_model(RATES), RATES, 64, np.random.default_rng(8)), 0.1)
    assert found.steps == 1
    assert_allclose(found.error, 0, atol=1e-6)
    assert_allclose(found.log_partition, enumerated(independent_model(RATES)).log_partition, rtol=1e-6)


def test_jackknife_of_equal_values_and_of_lognormal_ones():
    assert jackknife_error(np.full(10, 3.0)) < 1e-12
    random = np.random.default_rng(9)
    weights = np.exp(random.normal(0, 0.5, 20_000))
    # Variance of the mean over the squared mean: exp(sigma^2) - 1 for lognormal numbers.
    assert_allclose(jackknife_error(weights), np.sqrt((np.exp(0.25) - 1) / 20_000), rtol=0.03)
    assert_allclose(log_mean(np.log(weights)), np.log(weights.mean()))


def test_resampling_takes_each_chain_as_often_as_its_weight_says():
    shares = np.array([0.5, 0.0, 0.3, 0.2])
    with np.errstate(divide="ignore"):
        chosen = resample(np.log(shares) + 7, 1000, np.random.default_rng(10))
    assert_allclose(np.bincount(chosen, minlength=4), 1000 * shares, atol=1)
    assert_array_equal(resample(np.zeros(8), 8, np.random.default_rng(1)), np.arange(8))


def test_the_canonical_model_is_the_same_model():
    given = MODELS["counts"]
    counts = (given.words > 0).sum(axis=1)
    law = np.bincount(counts, weights=given.probabilities, minlength=13)
    found = given.model.canonical(law)
    assert_allclose(enumerated(found).probabilities, given.probabilities, rtol=1e-9)
    slopes = [(law * found.potential * np.arange(13.0) ** power).sum() for power in range(3)]
    assert_allclose(slopes, 0, atol=1e-9)


def test_chains_sample_the_model():
    given = MODELS["counts"]
    chains = GibbsChains(given.draw(4096, seed=11), np.random.default_rng(12))
    given.model.sweep(chains, 5)
    draws, states = (
        np.hstack([words > 0, (words > 0).sum(axis=1)[:, None] == np.arange(13)])
        for words in (chains.spins, given.words)
    )
    expected = given.probabilities @ states
    z = (draws.mean(axis=0) - expected) / np.sqrt(expected * (1 - expected) / len(draws))
    assert np.abs(z[expected > 1e-3]).max() < SIGMAS
    assert_allclose(given.model.chain_exponents(chains), given.model.exponents(chains.spins), atol=1e-4)


def test_the_compiled_sweep_is_the_interpreted_one():
    given = word_model(7, 1.0, seed=4, potential=0.5).model
    random = np.random.default_rng(13)
    spins = random.choice(np.array([-1, 1], np.float32), (7, 5))
    noise = random.logistic(size=(3, 7, 5)).astype(np.float32) / 2
    steps = (np.diff(given.potential, append=0) / 2).astype(np.float32)
    results = []
    for function in (heat_bath, heat_bath.py_func):
        lanes = spins.copy()
        function(given.couplings.astype(np.float32), given.fields.astype(np.float32), steps, lanes, noise)
        results.append(lanes)
    assert_array_equal(*results)
    assert (results[0] != spins).any()


def test_a_model_has_no_side_effects_on_its_parameters():
    given = MODELS["weak"].model
    before = CountIsing(*(part.copy() for part in given))
    annealed_importance(AnnealedCountIsing(given, RATES[:10], 64, np.random.default_rng(14)), 0.2)
    for one, other in zip(given, before, strict=True):
        assert_array_equal(one, other)


def test_log_partition_of_forty_cells_agrees_with_the_frequency_of_the_silent_word():
    """p(silent) = f(silent) / Z, which chains at beta = 1 count without any annealing."""
    random = np.random.default_rng(15)
    upper = np.triu(random.normal(0.02, 0.08, (40, 40)), 1)
    model = CountIsing(upper + upper.T, random.uniform(-1.6, -0.8, 40), np.zeros(41))
    rates = np.full(40, 0.05)
    found = annealed_importance(AnnealedCountIsing(model, rates, 2048, random), 0.05)
    chains = GibbsChains(np.full((4096, 40), -1, np.int8), random)
    model.sweep(chains, 100)
    counts = []
    for _ in range(16):
        model.sweep(chains, 5)
        counts.append((chains.spins < 0).all(axis=1))
    shares = np.mean(counts, axis=0)  # per chain, for sweeps of one chain are correlated
    silent = shares.mean()
    error = shares.std(ddof=1) / np.sqrt(len(shares))
    expected = float(model.exponents(np.full((1, 40), -1, np.int8))[0] - np.log(silent))
    assert 0.02 < silent < 0.9
    assert abs(found.log_partition - expected) < SIGMAS * np.hypot(found.error, error / silent)
    assert np.hypot(found.error, error / silent) < 0.03
