"""A decoder starts with the covariances of the data."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from vae_mf.models.decoders import LinearDecoder, MLPDecoder, SharedDecoder
from vae_mf.training.start import LARGEST_MEAN, start_at_components

SITES = 12


def weakly_coupled(rows: int) -> np.ndarray:
    """Spins with two weak latent variables, of different means."""
    random = np.random.default_rng(1)
    weights, field = 0.3 * random.normal(size=(SITES, 2)), np.linspace(-1, 1, SITES)
    means = np.tanh(random.normal(size=(rows, 2)) @ weights.T + field)
    return np.where(random.random((rows, SITES)) < (1 + means) / 2, 1, -1).astype(np.int8)


def parts(decoder) -> tuple[np.ndarray, np.ndarray]:
    weight, bias = (
        (decoder.log_odds.weight, decoder.log_odds.bias)
        if isinstance(decoder, LinearDecoder)
        else (decoder.slope.weight, decoder.network[-1].bias)
    )
    return weight.detach().double().numpy() / 2, bias.detach().double().numpy() / 2


@pytest.mark.parametrize("kind", [LinearDecoder, MLPDecoder], ids=["linear", "mlp"])
def test_a_decoder_starts_with_means_and_covariances(kind):
    words = weakly_coupled(4000)
    decoder = kind(SITES, SITES - 1)
    start_at_components(decoder, words)
    weights, field = parts(decoder)
    means = words.mean(axis=0)
    assert_allclose(np.tanh(field), means, atol=1e-6)
    scale = 1 - means**2
    implied = scale[:, None] * (weights @ weights.T) * scale
    covariance = np.cov(words.T, bias=True)
    # One component short of all twelve: what is missing is the smallest eigenvalue.
    assert_allclose(implied, covariance, atol=1.01 * np.linalg.eigvalsh(covariance)[0])


def test_latents_beyond_the_number_of_sites_keep_their_random_weights():
    decoder = LinearDecoder(3, 5)
    before = decoder.log_odds.weight.detach().clone()
    start_at_components(decoder, weakly_coupled(100)[:, :3])
    after = decoder.log_odds.weight.detach()
    assert torch.equal(after[:, 3:], before[:, 3:])
    assert not torch.equal(after[:, :3], before[:, :3])


def test_silent_sites_and_decoders_without_a_bias_start_at_finite_weights():
    words = weakly_coupled(100)
    words[:, 0] = -1
    decoder = LinearDecoder(SITES, 2, bias=False)
    start_at_components(decoder, words)
    assert torch.isfinite(decoder.log_odds.weight).all()
    decoder = LinearDecoder(SITES, 2)
    start_at_components(decoder, words)
    assert decoder.log_odds.bias[0].item() == pytest.approx(-2 * np.arctanh(LARGEST_MEAN))


def test_other_decoders_stay_as_they_are():
    decoder = SharedDecoder(SITES, 2)
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    start_at_components(decoder, weakly_coupled(100))
    assert all(torch.equal(value, before[name]) for name, value in decoder.state_dict().items())
