"""Divergence from the truth: zero for a model that is the truth, the exact sum for one that is not."""

import numpy as np
import pytest
from helpers.exact_draws import draw
from helpers.exact_models import exact_vae

from vae_mf.analysis.generation import BATCH, generate, score
from vae_mf.analysis.log_likelihood import likelihood_table, log_truth
from vae_mf.statistics.averages import average
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SITES, TEMPERATURES = 10, [0.6, 1.4]
SYSTEM = CurieWeiss(SITES)
FERROMAGNET = np.ones((1, SITES), np.int8)


def test_the_truth_is_the_boltzmann_distribution():
    states = enumerate_system(SYSTEM, 0.6)
    np.testing.assert_allclose(log_truth(SYSTEM, states.spins, 0.6), np.log(states.probabilities), rtol=1e-10)


def test_the_truth_is_refused_where_the_partition_function_is_not_known():
    patterns = np.random.default_rng(1).choice([-1, 1], (4, SITES)).astype(np.int8)
    with pytest.raises(ValueError, match="at most 3 patterns, got 4"):
        log_truth(Hopfield(patterns), patterns, 0.6)


def test_the_divergence_of_two_laws_is_the_exact_sum_within_its_error():
    """Errors cover: 300 repetitions, each a sample mean over 40 chains."""
    generator = np.random.default_rng(2)
    p, q = generator.dirichlet(np.ones(30), 2)
    exact = p @ np.log(p / q)
    rows = generator.choice(30, (300, 400), p=p)
    found = np.array([average(np.log(p[row]) - np.log(q[row]), 40) for row in rows])
    assert np.abs((np.abs(found[:, 0] - exact) < 2.023 * found[:, 1]).mean() - 0.95) < 0.05


def test_the_error_knows_that_rows_of_a_chain_are_alike():
    difference = np.repeat(np.random.default_rng(3).normal(size=50), 20)
    error = average(difference, 50).error
    assert error == pytest.approx(difference[::20].std(ddof=1) / np.sqrt(50))


@pytest.mark.parametrize("chains", [1, 3, 10])
def test_few_rows_or_chains_leave_a_value(chains):
    found = average(np.array([1.0, 3.0]), chains)
    assert found.value == 2.0
    assert np.isnan(found.error) if chains == 1 else found.error == pytest.approx(1.0)


def test_an_exact_model_does_not_diverge():
    """Every bound is ln p(s|T) for this model, so even one importance draw leaves no divergence and no error."""
    vae = exact_vae(FERROMAGNET, TEMPERATURES)
    samples = {temperature: draw(SYSTEM, temperature, 300, np.random.default_rng(4)) for temperature in TEMPERATURES}
    ensembles = dict.fromkeys(TEMPERATURES, "equilibrium")
    table = likelihood_table(vae, SYSTEM, samples, chains=30, ensembles=ensembles, draws=1, seed=5)
    assert list(table.temperature) == TEMPERATURES
    assert list(table.ensemble) == ["equilibrium"] * 2
    np.testing.assert_allclose(table.kl, 0, atol=1e-6)
    np.testing.assert_allclose(table.kl_error, 0, atol=1e-6)
    for row in table.itertuples():
        expected = log_truth(SYSTEM, samples[row.temperature], row.temperature).mean()
        np.testing.assert_allclose([row.elbo, row.log_likelihood], expected, atol=1e-6)


def test_a_model_at_the_wrong_temperature_diverges_by_the_exact_sum():
    vae = exact_vae(FERROMAGNET, [1.4])
    p, q = (enumerate_system(SYSTEM, temperature).probabilities for temperature in (0.6, 1.4))
    log_model = score(vae, draw(SYSTEM, 0.6, 4000, np.random.default_rng(6)), 1.4, 1, 7).importance
    found = average(log_truth(SYSTEM, draw(SYSTEM, 0.6, 4000, np.random.default_rng(6)), 0.6) - log_model, 4000)
    assert abs(found.value - p @ np.log(p / q)) < 5 * found.error
    assert found.value > 10 * found.error


def test_an_unknown_partition_function_leaves_the_divergence_open():
    patterns = np.random.default_rng(1).choice([-1, 1], (4, SITES)).astype(np.int8)
    samples, ensembles = {0.6: draw(SYSTEM, 0.6, 20, np.random.default_rng(8))}, {0.6: "equilibrium"}
    table = likelihood_table(exact_vae(FERROMAGNET, [0.6]), Hopfield(patterns), samples, 2, ensembles, 1, 9)
    assert table.kl.isna().all()
    assert table.kl_error.isna().all()
    assert np.isfinite(table.log_likelihood).all()


def test_there_is_no_divergence_from_chains_that_stay_in_their_valleys():
    """Exact ln Z is known, but it is that of both valleys."""
    samples = {temperature: draw(SYSTEM, temperature, 40, np.random.default_rng(4)) for temperature in TEMPERATURES}
    ensembles = dict(zip(TEMPERATURES, ("random_start", "equilibrium"), strict=True))
    table = likelihood_table(exact_vae(FERROMAGNET, TEMPERATURES), SYSTEM, samples, 4, ensembles, 1, 9)
    assert list(table.ensemble) == ["random_start", "equilibrium"]
    assert list(table.kl.isna()) == list(table.kl_error.isna()) == [True, False]
    assert np.isfinite(table.log_likelihood).all()


@pytest.mark.parametrize("rows", [3, BATCH + 3])
def test_scores_and_draws_come_one_per_row_across_batches(rows):
    vae = exact_vae(FERROMAGNET, [0.6])
    spins = generate(vae, 0.6, rows, seed=1)
    assert spins.shape == (rows, SITES)
    assert spins.dtype == np.int8
    assert (np.abs(spins) == 1).all()
    elbo, importance = score(vae, spins, 0.6, 2, seed=2)
    expected = log_truth(SYSTEM, spins, 0.6)
    np.testing.assert_allclose(elbo, expected, atol=1e-6)
    np.testing.assert_allclose(importance, expected, atol=1e-6)


def test_generation_follows_its_seed_and_the_model():
    vae = exact_vae(FERROMAGNET, [0.6])
    first, again, other = (generate(vae, 0.6, 20_000, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    law = SYSTEM.order_parameter_law(0.6)
    expected = 20_000 * law.probabilities
    counts = np.bincount((first > 0).sum(1), minlength=SITES + 1)
    assert ((counts - expected) ** 2 / expected).sum() < 10 + 5 * np.sqrt(20)
