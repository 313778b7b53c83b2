"""The free numbers of a model at one temperature, counted by hand."""

import pytest
from helpers.model_parts import ToyPrior

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import MLPEncoder
from vae_mf.models.priors.autoregressive import AutoregressiveSplinePrior
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.vae import VAE

SITES, LATENTS = 6, 2
DECODER = SITES * (LATENTS + 1)


def count(prior, width=8):
    return VAE(MLPEncoder(SITES, LATENTS, width), LinearDecoder(SITES, LATENTS), prior).free_parameters()


@pytest.mark.parametrize(
    ("prior", "numbers"),
    [
        (GaussianPrior(LATENTS), 0),
        # Per component a weight, two means and three entries of a triangle; the weights add up to 1.
        (MixturePrior(LATENTS, 3), 3 * 6 - 1),
        (MixturePrior(LATENTS, 3, layers=1, bins=4), 3 * 6 - 1 + 2 * 11),
        # Widths, heights and inner derivatives of four bins, per latent and layer.
        (SplinePrior(LATENTS, layers=2, bins=4), 2 * 2 * 11),
        # A part that counts nothing itself counts all of its weights.
        (ToyPrior(LATENTS), LATENTS),
        # Of five hidden units all see the first latent alone: 5 weights and biases into each of three layers, where
        # those between hidden units are all there, and into the outputs of the second latent; 22 biases of outputs.
        (AutoregressiveSplinePrior(LATENTS, layers=1, bins=4, hidden=5), 5 + 5 + 2 * (25 + 5) + 5 * 11 + 22),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_counts_is_the_decoder_and_the_prior_at_one_temperature(prior, numbers):
    assert count(prior) == DECODER + numbers


@pytest.mark.parametrize("kind", [MixturePrior, SplinePrior])
def test_the_widths_of_encoder_and_network_of_temperature_do_not_count(kind):
    assert count(kind(LATENTS, hidden=4)) == count(kind(LATENTS, hidden=32), width=64)
