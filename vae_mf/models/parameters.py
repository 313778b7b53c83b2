"""How many free numbers the law of a trained model has, to compare it with models of other kinds."""

from nflows.transforms.made import MaskedLinear
from torch import nn

from vae_mf.models.priors.autoregressive import AutoregressiveSplinePrior
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.vae import VAE


def free_parameters(vae: VAE) -> int:
    """Return the free numbers of p(x|T) at one temperature: those of the decoder and of p(z|T).

    The encoder is no part of p(x|T). A network of the temperature counts for its outputs, whatever its width, as at one
    temperature it does no more than to hold them.
    """
    return _numbers(vae.decoder) + _numbers_of_prior(vae.prior)


def _numbers(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def _numbers_of_prior(prior: nn.Module) -> int:
    if isinstance(prior, MixturePrior):
        latents = prior.latents
        # Logit, mean and lower triangle of every component; the weights add up to 1.
        own = prior.components * (1 + latents + latents * (latents + 1) // 2) - 1
        return own + (_numbers_of_prior(prior.warp) if isinstance(prior.warp, SplinePrior) else 0)
    if isinstance(prior, SplinePrior):
        return prior.layers * prior.latents * (3 * prior.bins - 1)
    if isinstance(prior, AutoregressiveSplinePrior):
        # The layers of the temperature, which are not masked, add what is a constant then, as the biases are.
        masked = [layer for layer in prior.networks.modules() if isinstance(layer, MaskedLinear)]
        return sum(int(layer.get_buffer("mask").sum()) + len(layer.get_parameter("bias")) for layer in masked)
    return _numbers(prior)
