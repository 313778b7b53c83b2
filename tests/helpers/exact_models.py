"""A VAE that is a Hopfield network exactly, and every configuration as a tensor: oracles for models and evaluation."""

import math

import numpy as np
import torch

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.tensors import Condition
from vae_mf.models.vae import VAE
from vae_mf.packing import all_configurations


def all_states(sites: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(all_configurations(sites)).to(dtype)


class FieldDistribution:
    """p(z|T) proportional to exp(-N |z|^2 T / 2) prod_i 2cosh(xi_i . z), row by row."""

    def __init__(self, prior: "FieldPrior", condition: Condition):
        self.prior = prior
        self.condition = condition

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        log_volume = torch.stack([self.prior.log_volume(t) for t in self.condition.temperatures])
        return self.prior.log_weight(z, self.condition.temperature) - log_volume[self.condition.index]

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        z = torch.empty(len(self.condition.index), self.prior.patterns.shape[0], dtype=torch.float64)
        for level, temperature in enumerate(self.condition.temperatures):
            members = self.condition.index == level
            weights = torch.softmax(self.prior.log_weight(self.prior.grid, temperature), 0)
            z[members] = self.prior.grid[torch.multinomial(weights, int(members.sum()), True, generator=generator)]
        return z


class FieldPrior(torch.nn.Module):
    """The Hubbard-Stratonovich prior of a Hopfield network (theory.md, section 1), normalised on a grid of z."""

    factorised = False

    def __init__(self, patterns: np.ndarray, coldest: float):
        super().__init__()
        self.patterns = torch.from_numpy(patterns.astype(np.float64))
        self.latents, sites = patterns.shape
        reach = 1 / coldest + 9 / math.sqrt(sites * coldest)
        line = torch.linspace(-reach, reach, 4001 if self.latents == 1 else 301, dtype=torch.float64)
        self.grid = torch.cartesian_prod(*[line] * self.latents).reshape(-1, self.latents)
        self.cell = self.latents * math.log(line[1] - line[0])

    def log_weight(self, z: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        fields = z @ self.patterns
        sites = self.patterns.shape[1]
        return torch.logaddexp(fields, -fields).sum(-1) - 0.5 * sites * temperature * z.square().sum(-1)

    def log_volume(self, temperature: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(self.log_weight(self.grid, temperature), 0) + self.cell

    def forward(self, condition: Condition) -> FieldDistribution:
        return FieldDistribution(self, condition)


def exact_vae(patterns: np.ndarray, temperatures: list[float]) -> VAE:
    """A VAE in float64 whose weights make it exact: z|s ~ Normal(beta m, beta / N), log-odds 2 xi_i . z."""
    latents, sites = patterns.shape
    encoder = LinearEncoder(sites, latents).double()
    decoder = LinearDecoder(sites, latents).double()
    xi, levels = torch.from_numpy(patterns.astype(np.float64)), torch.tensor(temperatures, dtype=torch.float64)
    with torch.no_grad():
        decoder.log_odds.weight.copy_(2 * xi.T)
        decoder.log_odds.bias.zero_()
        encoder.projection.weight.copy_(xi / sites)
        encoder.projection.bias.zero_()
        hidden = encoder.thermal[:-1](torch.stack([levels, 1 / levels], dim=-1))
        hidden = torch.cat([hidden, torch.ones(len(levels), 1, dtype=torch.float64)], dim=-1)
        target = torch.cat(
            [(-levels.log())[:, None].expand(-1, latents), (-(sites * levels).log())[:, None].expand(-1, latents)], -1
        )
        solution = torch.linalg.pinv(hidden) @ target
        encoder.thermal[-1].weight.copy_(solution[:-1].T)
        encoder.thermal[-1].bias.copy_(solution[-1])
    return VAE(encoder, decoder, FieldPrior(patterns, min(temperatures)))
