"""The encoder's distribution: a Gaussian with diagonal covariance."""

import math

import torch

from vae_mf.models.tensors import Latents, PerSample


class DiagonalGaussian:
    """Normal(mean, diag exp(log_variance)) for each row.

    Args:
        mean: shape (batch, latents).
        log_variance: shape (batch, latents).
    """

    def __init__(self, mean: Latents, log_variance: Latents):
        self.mean = mean
        self.log_variance = log_variance

    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Draw one z per row by reparameterisation, differentiable in both parameters."""
        return self.at(torch.empty_like(self.mean).normal_(generator=generator))

    def at(self, noise: Latents) -> Latents:
        """Return z = mean + standard deviation * noise of each row."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def log_prob(self, z: Latents) -> PerSample:
        """Return ln q(z) of each row."""
        squares = (z - self.mean) ** 2 * torch.exp(-self.log_variance)
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(-1)
