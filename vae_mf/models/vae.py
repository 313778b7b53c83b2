"""The variational autoencoder: q(z|x,T), p(x|z), p(z|T), and the bounds that they give on ln p(x|T)."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vae_mf.models.base import Decoder, Encoder, LatentDistribution, Prior, free_parameters
from vae_mf.models.posterior import DiagonalGaussian
from vae_mf.models.tensors import Condition, ConfigurationTensor, ImportanceNoise, Latents, PerSample


class ElboTerms(NamedTuple):
    """Logarithms of the three densities that meet at one z ~ q(z|x,T), in nats per configuration."""

    log_likelihood: PerSample
    """ln p(x|z)."""
    log_posterior: PerSample
    """ln q(z|x,T)."""
    log_prior: PerSample
    """ln p(z|T)."""

    @property
    def rate(self) -> PerSample:
        """Ln q(z|x,T) - ln p(z|T)."""
        return self.log_posterior - self.log_prior

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
    """ln p(x|z)."""
    rate: PerSample
    """ln q(z|x,T) - ln p(z|T)."""
    bound: PerSample
    """ln (1/K) sum_k p(x, z_k|T) / q(z_k|x,T)."""


class VAE(nn.Module):
    """A latent-variable model p(x|T) = int dz p(z|T) prod_i p(x_i|z) with an amortised posterior.

    Args:
        encoder: a `vae_mf.models.base.Encoder`, q(z|x,T).
        decoder: a `vae_mf.models.base.Decoder`, p(x|z).
        prior: a `vae_mf.models.base.Prior`, p(z|T).

    Raises:
        ValueError: if a part lacks what its contract asks for, or the parts do not fit together.

    Source: Biroli, Welling and Vitelli 2026, eqs. 2 and 6; Kingma and Welling 2014.

    >>> from vae_mf.models import GaussianPrior, LinearDecoder, LinearEncoder
    >>> vae = VAE(LinearEncoder(sites=5, latents=2), LinearDecoder(sites=5, latents=2), GaussianPrior(latents=2))
    >>> vae.kind, vae.sites, vae.latents, vae.free_parameters()
    ('spins', 5, 2, 15)
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, prior: nn.Module):
        super().__init__()
        if not isinstance(encoder, Encoder):
            raise ValueError(incomplete("encoder", encoder, Encoder))
        if not isinstance(decoder, Decoder):
            raise ValueError(incomplete("decoder", decoder, Decoder))
        if not isinstance(prior, Prior):
            raise ValueError(incomplete("prior", prior, Prior))
        require_equal("kind", encoder=encoder.kind, decoder=decoder.kind)
        require_equal("sites", encoder=encoder.sites, decoder=decoder.sites)
        require_equal("latents", encoder=encoder.latents, decoder=decoder.latents, prior=prior.latents)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior

    @property
    def kind(self) -> str:
        """Kind of the configurations: "spins" or "directors"."""
        return self.decoder.kind

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.decoder.sites

    @property
    def latents(self) -> int:
        """Dimension d of z."""
        return self.prior.latents

    def free_parameters(self) -> int:
        """Return the free numbers of p(x|T) at one temperature: those of decoder and prior, but not of the encoder."""
        return free_parameters(self.decoder) + free_parameters(self.prior)

    def encode(self, x: ConfigurationTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|x,T)."""
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
        shape = (len(condition.index), self.latents)
        like = condition.temperatures
        shape = shape if draws is None else (draws, *shape)
        return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)

    def elbo_at(self, noise: Latents, x: ConfigurationTensor, condition: Condition) -> ElboTerms:
        """Return the terms of the bound at z = mean + deviation * noise: a pure function, fit for compilers."""
        posterior = self.encoder(x, condition)
        z = posterior.at(noise)
        log_prior = self.prior(condition).log_prob(z)
        return ElboTerms(self.decoder(z).log_prob(x), posterior.log_prob_at(noise), log_prior)

    def terms(
        self, x: ConfigurationTensor, z: Latents, posterior: DiagonalGaussian, prior: LatentDistribution
    ) -> ElboTerms:
        """Return the three densities at z."""
        log_posterior = posterior.log_prob(z)
        log_prior = prior.log_prob(z)
        return ElboTerms(self.decoder(z).log_prob(x), log_posterior, log_prior)

    def importance_bound_at(
        self, noise: ImportanceNoise, x: ConfigurationTensor, condition: Condition
    ) -> ImportanceTerms:
        """Return the importance-weighted bound at z_k = mean + deviation * noise_k, all draws in one batch.

        It is the evidence bound for K = 1 and tends to ln p(x|T) with K, whatever the shape of the true posterior.

        Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
        """
        draws = len(noise)
        posterior = self.encoder(x, condition)
        # All configurations of the first draw come before those of the second.
        z = posterior.at(noise).flatten(0, 1)
        log_prior = self.prior(condition.repeat(draws)).log_prob(z).view(draws, -1)
        likelihood = self.decoder(z).log_prob(x.repeat(draws, *[1] * (x.ndim - 1))).view(draws, -1)
        rate = posterior.log_prob_at(noise) - log_prior
        bound = torch.logsumexp(likelihood - rate, 0) - math.log(draws)
        return ImportanceTerms(likelihood.mean(0), rate.mean(0), bound)

    def log_likelihood(
        self, x: ConfigurationTensor, condition: Condition, draws: int, generator: torch.Generator | None = None
    ) -> PerSample:
        """Return the importance-weighted bound on ln p(x|T), one draw after the other in the memory of a single one.

        It is ln (1/K) sum_k p(x, z_k|T) / q(z_k|x,T), which tends to ln p(x|T) as K grows.

        Source: Burda, Grosse and Salakhutdinov 2016, eq. 8.
        """
        posterior = self.encoder(x, condition)
        prior = self.prior(condition)
        total = torch.full_like(condition.temperature, -torch.inf)
        for _ in range(draws):
            terms = self.terms(x, posterior.sample(generator), posterior, prior)
            total = torch.logaddexp(total, terms.log_likelihood + terms.log_prior - terms.log_posterior)
        return total - math.log(draws)

    def sample_latents(self, condition: Condition, generator: torch.Generator | None = None) -> Latents:
        """Draw z ~ p(z|T), one per row of the condition."""
        return self.prior(condition).sample(generator)

    def sample(self, condition: Condition, generator: torch.Generator | None = None) -> ConfigurationTensor:
        """Draw configurations from the model, one per row of the condition."""
        return self.decoder(self.sample_latents(condition, generator)).sample(generator)


def incomplete(name: str, part: nn.Module, contract: type) -> str:
    """Return the message about a part that lacks attributes of its contract."""
    expected = list(contract.__annotations__)
    missing = ", ".join(member for member in expected if not hasattr(part, member))
    wanted = f"a module with {', '.join(expected)} (see vae_mf.models.{contract.__name__})"
    return f"{name}: expected {wanted}, got {type(part).__name__} without {missing}"


def require_equal(name: str, **values: object) -> None:
    """Raise ValueError unless all parts of the model agree."""
    if len(set(values.values())) > 1:
        found = ", ".join(f"{value} in the {part}" for part, value in values.items())
        raise ValueError(f"{name}: expected the same in all parts of the model, got {found}")
