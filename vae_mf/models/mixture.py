"""A prior of many modes: a mixture of Gaussians whose weights, means and covariances are functions of temperature."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.priors import full_precision, temperature_features, thermal_network
from vae_mf.models.tensors import Condition, Latents, PerSample


class Components(NamedTuple):
    """Parameters of a Gaussian mixture at every level."""

    log_weights: Float[torch.Tensor, "levels components"]
    """Logarithms of the normalised weights."""

    means: Float[torch.Tensor, "levels components latents"]

    whitening: Float[torch.Tensor, "levels components latents latents"]
    """Lower triangular A with positive diagonal; the covariance is (AᵀA)⁻¹."""


class GaussianMixture:
    """p(z) = Σ_k w_k Normal(z; μ_k, (A_kᵀ A_k)⁻¹), row by row with the parameters of the row's level.

    Args:
        components: w, μ and A of every level.
        index: level of every row, shape (batch,).
    """

    def __init__(self, components: Components, condition: Condition) -> None:
        self.components = components
        self.index = condition.index
        self.dtype = components.means.dtype

    def log_prob(self, z: Latents) -> PerSample:
        """Return log p(z|T) of every row, shape (batch,): log Σ_k w_k |A_k| Normal(A_k (z - μ_k); 0, I)."""
        log_weights, means, whitening = self.components
        levels, count, latents = means.shape
        offset = whitening @ means[..., None]
        table = torch.cat((whitening, -offset), dim=-1)
        with full_precision(z):
            # One product for all components: every row meets its own level only, the others times zero.
            level = (self.index[:, None] == torch.arange(levels, device=z.device)).to(self.dtype)
            ones = torch.cat((z.to(self.dtype), torch.ones_like(level[:, :1])), dim=-1)
            rows = (level[:, :, None] * ones[:, None, :]).flatten(1)
            whitened = rows @ table.permute(0, 3, 1, 2).reshape(levels * (latents + 1), count * latents)
            heights = log_weights + whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            squares = whitened.view(-1, count, latents).square().sum(-1)
            return torch.logsumexp(level @ heights - 0.5 * squares, -1) - 0.5 * latents * math.log(2 * math.pi)

    @torch.no_grad()
    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Return one draw per configuration, shape (batch, latents)."""
        weights = self.components.log_weights.exp()[self.index]
        chosen = self.index, torch.multinomial(weights, 1, generator=generator)[:, 0]
        means, whitening = self.components.means[chosen], self.components.whitening[chosen]
        noise = torch.randn(means.shape, generator=generator, dtype=means.dtype, device=means.device)
        return means + torch.linalg.solve_triangular(whitening, noise[..., None], upper=False)[..., 0]


class MixturePrior(nn.Module):
    factorised = False

    def __init__(self, latents: int, components: int = 16, hidden: int = 64, spread: float = 0.7) -> None:
        super().__init__()
        self.latents = require_integer("latents", latents)
        self.components = require_integer("components", components)
        triangle = self.latents * (self.latents - 1) // 2
        self.sizes = [components, components * latents, components * latents, components * triangle]
        self.network = thermal_network(hidden, sum(self.sizes))
        means = torch.randn(components, latents)
        with torch.no_grad():
            logits, mean, log_scale, _ = self.network[-1].bias.split(self.sizes)
            mean.copy_(spread * means.flatten())
            log_scale.fill_(-0.5 * math.log(1 - spread**2))

    def forward(self, condition: Condition) -> GaussianMixture:
        """Return the distribution of z, one row per entry of ``condition.index``."""
        with full_precision(condition.levels):
            raw = self.network(temperature_features(condition.levels, like=self.network[0].weight))
        logits, means, log_scale, lower = raw.split(self.sizes, dim=-1)
        shape = len(raw), self.components, self.latents
        whitening = torch.diag_embed(log_scale.view(shape).exp())
        i, j = torch.tril_indices(self.latents, self.latents, -1, device=raw.device)
        whitening[..., i, j] = lower.view(*shape[:2], -1)
        return GaussianMixture(Components(logits.log_softmax(-1), means.view(shape), whitening), condition)
