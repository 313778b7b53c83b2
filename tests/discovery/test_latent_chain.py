"""Latent variables in time: the chain of points against a hidden Markov model whose states emit the same rows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from vae_mf.analysis.free_prior import FreePrior
from vae_mf.density_models.hidden_chain import Chain
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.hidden_states import BernoulliStates
from vae_mf.discovery.latent_chain import latent_chain
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE

SITES = 8
WEIGHTS = np.linspace(0.4, 1.6, SITES)
POINTS = np.linspace(-2.5, 2.5, 12)[:, None]
RATES = 1 / (1 + np.exp(0.5 - POINTS * WEIGHTS))


@pytest.fixture(scope="module")
def prior() -> FreePrior:
    """Points of one latent variable, under a law that is far from that of the rows."""
    decoder = LinearDecoder(SITES, 1)
    with torch.no_grad():
        decoder.log_odds.weight.copy_(torch.from_numpy(WEIGHTS[:, None]))
        decoder.log_odds.bias.fill_(-0.5)
    vae = VAE(LinearEncoder(SITES, 1), decoder, GaussianPrior(1)).eval()
    return FreePrior(vae, 1.0, POINTS, np.full(12, 1 / 12))


def autoregressive(repeats: int, times: int, seed: int) -> np.ndarray:
    """Rows given z, which follows itself as a linear Gaussian process with correlation .95 and variance 1."""
    random = np.random.default_rng(seed)
    z = random.normal(size=repeats)
    rows = np.empty((repeats, times, SITES), np.int8)
    for t in range(times):
        up = random.random((repeats, SITES)) < 1 / (1 + np.exp(0.5 - z[:, None] * WEIGHTS))
        rows[:, t] = np.where(up, 1, -1)
        z = 0.95 * z + np.sqrt(1 - 0.95**2) * random.normal(size=repeats)
    return rows


def linear_gaussian_chain() -> Chain:
    """The same process on the points, which are denser than its steps are wide and cover 99 in 100 of it."""
    kernel = np.exp(-((POINTS.T - 0.95 * POINTS) ** 2) / (2 * (1 - 0.95**2) + 2 * 0.13**2))
    law = np.exp(-(POINTS[:, 0] ** 2) / 2)
    return Chain(law / law.sum(), kernel / kernel.sum(axis=1, keepdims=True))


def test_the_chain_is_a_hidden_markov_model_of_the_decoder(prior):
    rows = autoregressive(4, 500, seed=1).reshape(-1, SITES)
    lengths = [500] * 4
    ours = latent_chain(prior, tolerance=1e-4).fit(rows, lengths=lengths)
    order = ours.states_.order
    plain = HiddenMarkov(12)
    plain.start_, plain.transitions_, plain.weights_ = ours.start_, ours.transitions_, ours.weights_
    plain.states_ = BernoulliStates(RATES[order])
    plain.n_features_in_ = SITES
    assert_allclose(
        ours.score_samples_given_past(rows, lengths), plain.score_samples_given_past(rows, lengths), atol=1e-5
    )
    assert_allclose(ours.score_samples(rows), plain.score_samples(rows), atol=1e-5)
    assert np.diff(ours.objective_).min() > -1e-9
    drawn = ours.sample(20_000, random_state=2)
    assert_allclose((drawn > 0).mean(axis=0), ours.weights_ @ RATES[order], atol=0.02)
    assert ours.n_parameters_ == 2 * SITES + 12**2 - 1


def test_the_chain_holds_the_memory_of_its_latent_variable(prior):
    """As much as the process on the points itself does, whose forward algorithm is exact but for their grid."""
    rows = autoregressive(8, 2000, seed=3).reshape(-1, SITES)
    lengths = [2000] * 8
    ours = latent_chain(prior, tolerance=1e-4).fit(rows, lengths=lengths)
    exact = HiddenMarkov(12)
    exact.start_, exact.transitions_ = linear_gaussian_chain()
    exact.states_ = BernoulliStates(RATES)
    exact.weights_ = exact.start_
    exact.n_features_in_ = SITES
    new = autoregressive(8, 2000, seed=4).reshape(-1, SITES)
    ours, theirs = (
        model.score_samples_given_past(new, lengths).mean() - model.score_samples(new).mean() for model in (ours, exact)
    )
    assert theirs > 0.1
    assert_allclose(ours, theirs, atol=0.01)
