"""A free law of z is the likeliest one: it meets its optimality condition, and finds the law that a prior misses."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from vae_mf.analysis.free_prior import FreePrior, fit_free_prior, likeliest_weights, log_likelihoods
from vae_mf.analysis.generation import generate, score
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.packing import all_configurations

SITES = 10
WEIGHTS = np.linspace(0.4, 1.6, SITES)
"""Log-odds per unit of z."""
POINTS = np.array([[-2.0], [2.0]])


@pytest.fixture(scope="module")
def vae() -> VAE:
    """One latent variable with a standard normal prior, and an encoder that is none."""
    decoder = LinearDecoder(SITES, 1)
    with torch.no_grad():
        decoder.log_odds.weight.copy_(torch.from_numpy(WEIGHTS[:, None]))
        decoder.log_odds.bias.fill_(-0.5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = LinearEncoder(SITES, 1)
    return VAE(encoder, decoder, GaussianPrior(1)).eval()


@pytest.fixture(scope="module")
def two_points(vae) -> FreePrior:
    return FreePrior(vae, 1.0, POINTS, np.array([0.3, 0.7]))


def draws(law: FreePrior, count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    z = POINTS[random.choice(2, count, p=law.weights), 0]
    up = random.random((count, SITES)) < 1 / (1 + np.exp(0.5 - z[:, None] * WEIGHTS))
    return np.where(up, 1, -1).astype(np.int8)


def test_log_likelihoods_are_those_of_the_decoder(vae):
    rows = all_configurations(SITES)[:50]
    log_odds = -0.5 + POINTS * WEIGHTS
    exact = -np.logaddexp(0, -rows[:, None, :] * log_odds).sum(-1)
    assert_allclose(log_likelihoods(vae, rows, POINTS), exact, atol=1e-5)


def test_it_is_normalised(two_points):
    assert_allclose(np.exp(two_points.log_likelihood(all_configurations(SITES))).sum(), 1, atol=1e-5)


def test_no_point_would_make_the_rows_likelier_than_the_weights_that_are_found():
    """At the maximum the mean of p(x|z_k) / p(x) is 1 where there is weight, and below elsewhere."""
    values = np.random.default_rng(1).normal(size=(200, 12)) * 2
    weights = likeliest_weights(values, steps=20_000)
    likelihoods = np.exp(values)
    slopes = (likelihoods / (likelihoods @ weights)[:, None]).mean(0)
    assert weights.sum() == pytest.approx(1)
    assert slopes.max() < 1 + 1e-3
    assert_allclose(slopes[weights > 1e-3], 1, atol=1e-3)


def test_a_law_that_the_prior_misses_is_found_on_rows_that_were_not_fitted_to(vae, two_points):
    held_out = draws(two_points, 4000, seed=2)
    free = fit_free_prior(vae, draws(two_points, 6000, seed=1), points=300, steps=200)
    exact = two_points.log_likelihood(held_out)
    prior = score(vae, held_out, 1.0, 1000, seed=3).importance
    missed, left = float(np.mean(exact - prior)), float(np.mean(exact - free.log_likelihood(held_out)))
    assert missed > 0.05
    assert abs(left) < 0.1 * missed


def test_nothing_is_gained_where_the_prior_is_right(vae):
    rows = generate(vae, 1.0, 10_000, seed=4)
    free = fit_free_prior(vae, rows[:6000], points=300, steps=200)
    lead = free.log_likelihood(rows[6000:]) - score(vae, rows[6000:], 1.0, 1000, seed=5).importance
    assert abs(lead.mean()) < 3 * lead.std() / len(lead) ** 0.5 + 2e-3


def test_directors_are_refused(monkeypatch, vae):
    monkeypatch.setattr(type(vae), "kind", "directors")
    with pytest.raises(ValueError, match="kind: expected"):
        fit_free_prior(vae, np.ones((4, SITES), np.int8), points=2, steps=1)
