"""Residuals of rows at draws of z from the posterior p(z|x) of a VAE.

Draws of the encoder are weighted with p(x, z) / q(z|x) and resampled. A model of any kind is a `LatentModel`: sites are
exponential families, with a column for every component of their statistics.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.analysis.generation import batches, generate, model_generator
from vae_mf.analysis.joint_samples import expected
from vae_mf.arrays import States
from vae_mf.checks import require_energy_scale, require_integer
from vae_mf.models.site_families import site_family
from vae_mf.models.tensors import Batch, Condition, ConfigurationTensor, Latents, constant_condition
from vae_mf.models.vae import VAE
from vae_mf.statistics.latent_model import Products, Residuals, Variables

PRIOR_DRAWS = 4000
"""Draws of z from the prior over which conditional variances are averaged."""
FEW = 256
"""Draws of z whose covariances of all sites are held at once."""

PosteriorDraws = Float[torch.Tensor, "rows draws latents"]


def posterior_draws(
    vae: VAE,
    x: ConfigurationTensor,
    condition: Condition,
    draws: int,
    proposals: int,
    generator: torch.Generator | None = None,
) -> PosteriorDraws:
    """Return draws of z from p(z|x,T), resampled from proposals of the encoder by their importance weights.

    They follow the posterior as the proposals grow in number; where the encoder is too narrow, slowly.

    Source: Rubin, Journal of the American Statistical Association 82 (1987) 543.
    """
    posterior = vae.encoder(x, condition)
    prior = vae.prior(condition)
    latents = [posterior.sample(generator) for _ in range(proposals)]
    weights = torch.stack([vae.terms(x, z, posterior, prior).elbo for z in latents], 1).softmax(1)
    chosen = torch.multinomial(weights, draws, replacement=True, generator=generator)
    return torch.stack(latents, 1).gather(1, chosen[..., None].expand(-1, -1, vae.latents))


class LatentVAE:
    """A VAE at one temperature as a `vae_mf.statistics.latent_model.LatentModel`.

    The components of a site are turned and scaled so that they are uncorrelated under the model on the average, with
    equal variances: then the couplings of a pair of sites are as good as independent of each other.

    Args:
        vae: the model, in evaluation mode.
        temperature: T of all rows; 1 for data without a temperature.
        proposals: number of draws of the encoder from which those of the posterior are taken.
        seed: seed of the draws of z over which variances are averaged.
    """

    def __init__(self, vae: VAE, temperature: float = 1.0, proposals: int = 32, seed: int = 0):
        self.vae = vae
        self.temperature = require_energy_scale("temperature", temperature)
        self.proposals = require_integer("proposals", proposals)
        self.family = site_family(vae.kind)
        self.variables: Variables = np.repeat(np.arange(vae.sites), self.family.components)
        self._seed = seed
        covariances = [part.sum(0) for part in self._covariances()]
        self._whitening = isotropic(torch.stack(covariances).sum(0) / PRIOR_DRAWS)

    def residuals(self, rows: States, draws: int, seed: int) -> Iterator[Residuals]:
        """Yield t(x) - <t|z> of all components at draws of z from p(z|x), in parts of consecutive rows."""
        generator = model_generator(self.vae, seed)
        for batch in batches(self.vae, rows, self.temperature):
            yield self._residuals(batch, draws, generator).flatten(2).float().cpu().numpy()

    @torch.no_grad()
    def _residuals(
        self, batch: Batch, draws: int, generator: torch.Generator
    ) -> Float[torch.Tensor, "rows draws sites components"]:
        z = posterior_draws(self.vae, *batch, draws, self.proposals, generator)
        means = expected(self.family, self.vae.decoder(z.flatten(0, 1)).natural_parameters)
        residuals = self.family.statistics(batch.configurations)[:, None] - means.unflatten(0, z.shape[:2])
        return torch.einsum("rdsc,sck->rdsk", residuals, self._whitening.to(residuals.dtype))

    def draw_rows(self, count: int, seed: int) -> States:
        """Return configurations of the model."""
        return generate(self.vae, self.temperature, count, seed)

    @torch.no_grad()
    def latents(self, rows: States, seed: int) -> Float[np.ndarray, "rows latents"]:
        """Return one draw of z from p(z|x) for every row."""
        generator = model_generator(self.vae, seed)
        parts = [
            posterior_draws(self.vae, x, condition, 1, self.proposals, generator)[:, 0]
            for x, condition in batches(self.vae, rows, self.temperature)
        ]
        return torch.cat(parts).double().cpu().numpy()

    def variance_products(self) -> Products:
        """Return <v_i v_j> of all columns, exact for every draw of z from the prior."""
        products = torch.zeros((len(self.variables),) * 2, dtype=torch.float64, device=self._whitening.device)
        for part in self._covariances():
            variances = torch.einsum("rsck,scm,skm->rsm", part, self._whitening, self._whitening).flatten(1)
            products += variances.T @ variances
        return (products / PRIOR_DRAWS).cpu().numpy()

    def _covariances(self) -> Iterator[Float[torch.Tensor, "draws sites components components"]]:
        """Yield the covariances of every site's components at draws of z from the prior."""
        for z in self._prior_draws().split(FEW):
            parameters = self.vae.decoder(z).natural_parameters.double()
            if (parameters == parameters[:, :1]).all():
                # Sites that share their parameters share their covariance.
                covariance = self.family.covariance(parameters[:, :1])
                yield covariance.expand(-1, parameters.shape[1], -1, -1)
            else:
                yield self.family.covariance(parameters)

    @torch.no_grad()
    def _prior_draws(self) -> Latents:
        condition = constant_condition(self.temperature, PRIOR_DRAWS, next(self.vae.parameters()))
        return self.vae.sample_latents(condition, model_generator(self.vae, self._seed))


def isotropic(
    covariance: Float[torch.Tensor, "sites components components"],
) -> Float[torch.Tensor, "sites components components"]:
    """Return for each site the matrix that makes a covariance a multiple of the identity of equal trace.

    >>> isotropic(torch.tensor([[[4.0]]]))
    tensor([[[1.]]])
    """
    values, vectors = torch.linalg.eigh(covariance)
    scale = values.mean(-1, keepdim=True)
    factors = torch.where(values > 0, (scale / values.clamp_min(torch.finfo(values.dtype).tiny)).sqrt(), 0.0)
    return (vectors * factors[:, None]) @ vectors.mT
