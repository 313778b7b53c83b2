"""The variational autoencoder: q(z|s,T), p(s|z), p(z|T), and the bounds that they give on ln p(s|T)."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vae_mf.models.gaussian import DiagonalGaussian
from vae_mf.models.tensors import Condition, Latents, PerSample, SpinTensor


class ElboTerms(NamedTuple):
    """One-draw estimates of the two parts of the evidence lower bound, in nats per configuration."""

    log_likelihood: PerSample
    """ln p(s | z)."""
    rate: PerSample
    """ln q(z | s, T) - ln p(z | T)."""

    @property
    def elbo(self) -> PerSample:
        """Evidence lower bound ln p(s|z) - rate."""
        return self.log_likelihood - self.rate


class VAE(nn.Module):
    """A latent-variable model p(s|T) = int dz p(z|T) prod_i p(s_i|z) with an amortised posterior.

    Args:
        encoder: (spins, condition) -> distribution over z.
        decoder: z -> distribution over spins.
        prior: condition -> distribution over z.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, prior: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior

    def encode(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | s, T)."""
        return self.encoder(spins, condition)

    def elbo(self, spins: SpinTensor, condition: Condition, generator: torch.Generator | None = None) -> ElboTerms:
        """Return the terms of the evidence lower bound from one reparameterised draw of z.

        Source: Kingma and Welling 2014, eq. 3.
        """
        posterior = self.encoder(spins, condition)
        z = posterior.sample(generator)
        rate = posterior.log_prob(z) - self.prior(condition).log_prob(z)
        return ElboTerms(self.decoder(z).log_prob(spins), rate)

    def log_likelihood(
        self, spins: SpinTensor, condition: Condition, draws: int, generator: torch.Generator | None = None
    ) -> PerSample:
        """Return ln (1/K) sum_k p(s, z_k | T) / q(z_k | s, T), a lower bound that tends to ln p(s|T) as K grows.

        Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
        """
        posterior, prior = self.encoder(spins, condition), self.prior(condition)
        total = torch.full_like(spins[:, 0], -torch.inf)
        for _ in range(draws):
            z = posterior.sample(generator)
            weight = self.decoder(z).log_prob(spins) + prior.log_prob(z) - posterior.log_prob(z)
            total = torch.logaddexp(total, weight)
        return total - math.log(draws)

    def sample_latents(self, condition: Condition, generator: torch.Generator | None = None) -> Latents:
        """Draw z ~ p(z | T), one per row of the condition."""
        return self.prior(condition).sample(generator)

    def sample(self, condition: Condition, generator: torch.Generator | None = None) -> SpinTensor:
        """Draw configurations from the model, one per row of the condition."""
        return self.decoder(self.sample_latents(condition, generator)).sample(generator)
