"""The variational autoencoder: q(z|x,T), p(x|z), p(z|T), and the bounds that they give on ln p(x|T)."""

import math
from typing import Any, NamedTuple

import torch
from torch import nn

from vae_mf.models.gaussian import DiagonalGaussian
from vae_mf.models.tensors import Condition, ConfigurationTensor, ImportanceNoise, Latents, PerSample


class ElboTerms(NamedTuple):
    """One-draw estimates of the two parts of the evidence lower bound, in nats per configuration."""

    log_likelihood: PerSample
    """ln p(x | z)."""
    rate: PerSample
    """ln q(z | x, T) - ln p(z | T)."""

    @property
    def elbo(self) -> PerSample:
        """Evidence lower bound ln p(x|z) - rate."""
        return self.log_likelihood - self.rate

    @property
    def bound(self) -> PerSample:
        """The bound that training maximises: that of one draw is the evidence lower bound."""
        return self.elbo


class ImportanceTerms(NamedTuple):
    """The importance-weighted bound from K draws of z, and means over the draws of both parts of the evidence bound."""

    log_likelihood: PerSample
    """ln p(x | z)."""
    rate: PerSample
    """ln q(z | x, T) - ln p(z | T)."""
    bound: PerSample
    """ln (1/K) sum_k p(x, z_k | T) / q(z_k | x, T)."""


class VAE(nn.Module):
    """A latent-variable model p(x|T) = int dz p(z|T) prod_i p(x_i|z) with an amortised posterior.

    Args:
        encoder: (x, condition) -> distribution over z, for spins x (batch, N) or directors (batch, N, 3).
        decoder: z -> distribution over x.
        prior: condition -> distribution over z.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, prior: Any):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior

    def encode(self, x: ConfigurationTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | x, T)."""
        return self.encoder(x, condition)

    def elbo(self, x: ConfigurationTensor, condition: Condition, generator: torch.Generator | None = None) -> ElboTerms:
        """Return the terms of the evidence lower bound from one reparameterised draw of z.

        Source: Kingma and Welling 2014, eq. 3.
        """
        return self.elbo_at(self.noise(condition, generator), x, condition)

    def noise(
        self, condition: Condition, generator: torch.Generator | None = None, draws: int | None = None
    ) -> Latents | ImportanceNoise:
        """Return standard normal noise, one vector per row of the condition and draw, if there are several."""
        shape, like = (len(condition.index), self.prior.latents), condition.levels
        shape = shape if draws is None else (draws, *shape)
        return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)

    def elbo_at(self, noise: Latents, x: ConfigurationTensor, condition: Condition) -> ElboTerms:
        """Return the terms of the bound at z = mean + deviation * noise: a pure function, fit for compilers."""
        posterior = self.encoder(x, condition)
        z = posterior.at(noise)
        rate = posterior.log_prob(z) - self.prior(condition).log_prob(z)
        return ElboTerms(self.decoder(z).log_prob(x), rate)

    def importance_bound_at(
        self, noise: ImportanceNoise, x: ConfigurationTensor, condition: Condition
    ) -> ImportanceTerms:
        """Return the importance-weighted bound at z_k = mean + deviation * noise_k.

        It is the evidence bound for K = 1 and tends to ln p(x|T) with K, whatever the shape of the true posterior.

        Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
        """
        draws, single = len(noise), self.encoder(x, condition)
        # One long batch, all configurations of the first draw before those of the second.
        posterior = DiagonalGaussian(single.mean.repeat(draws, 1), single.log_variance.repeat(draws, 1))
        z = posterior.at(noise.flatten(0, 1))
        prior = self.prior(Condition(condition.levels, condition.index.repeat(draws)))
        rate = (posterior.log_prob(z) - prior.log_prob(z)).view(draws, -1)
        likelihood = self.decoder(z).log_prob(x.repeat(draws, *[1] * (x.ndim - 1))).view(draws, -1)
        bound = torch.logsumexp(likelihood - rate, 0) - math.log(draws)
        return ImportanceTerms(likelihood.mean(0), rate.mean(0), bound)

    def log_likelihood(
        self, x: ConfigurationTensor, condition: Condition, draws: int, generator: torch.Generator | None = None
    ) -> PerSample:
        """Return ln (1/K) sum_k p(x, z_k | T) / q(z_k | x, T), a lower bound that tends to ln p(x|T) as K grows.

        Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
        """
        posterior, prior = self.encoder(x, condition), self.prior(condition)
        total = torch.full_like(condition.temperature, -torch.inf)
        for _ in range(draws):
            z = posterior.sample(generator)
            weight = self.decoder(z).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)
            total = torch.logaddexp(total, weight)
        return total - math.log(draws)

    def sample_latents(self, condition: Condition, generator: torch.Generator | None = None) -> Latents:
        """Draw z ~ p(z | T), one per row of the condition."""
        return self.prior(condition).sample(generator)

    def sample(self, condition: Condition, generator: torch.Generator | None = None) -> ConfigurationTensor:
        """Draw configurations from the model, one per row of the condition."""
        return self.decoder(self.sample_latents(condition, generator)).sample(generator)
