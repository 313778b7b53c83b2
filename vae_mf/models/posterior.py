"""The posterior q(z|x,T): a Gaussian with diagonal covariance."""

import math

import torch
from jaxtyping import Float

from vae_mf.models.tensors import Latents, PerSample

Draws = Float[torch.Tensor, "*draws batch latents"]
"""One or several latent vectors, or standard normal noise, for each row."""

HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
LOG_VARIANCE_RANGE = (-12.0, 8.0)
"""Limits of the log-variance that a network may ask for."""


class DiagonalGaussian:
    """Normal(mean, diag exp(log_variance)) for each row.

    >>> DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2)).log_prob(torch.zeros(1, 2))
    tensor([-1.8379])

    Args:
        mean: means, shape (batch, latents).
        log_variance: logarithms of the variances, shape (batch, latents).
    """

    def __init__(self, mean: Latents, log_variance: Latents):
        self.mean = mean
        self.log_variance = log_variance

    @property
    def deviation(self) -> Latents:
        """Standard deviation of every latent."""
        return torch.exp(0.5 * self.log_variance)

    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Draw one z per row by reparameterisation, differentiable in both parameters."""
        return self.at(torch.empty_like(self.mean).normal_(generator=generator))

    def at(self, noise: Draws) -> Draws:
        """Return z = mean + standard deviation * noise of each row."""
        return torch.addcmul(self.mean, self.deviation, noise)

    def log_prob_at(self, noise: Draws) -> Float[torch.Tensor, "*draws batch"]:
        """Return ln q(z) of each row at z = mean + standard deviation * noise, the same as by `log_prob`."""
        return -0.5 * (noise.square() + self.log_variance).sum(-1) - noise.shape[-1] * HALF_LOG_2_PI

    def log_prob(self, z: Latents) -> PerSample:
        """Return ln q(z) of each row."""
        squares = (z - self.mean) ** 2 * torch.exp(-self.log_variance)
        return -0.5 * (squares + self.log_variance).sum(-1) - z.shape[-1] * HALF_LOG_2_PI


def diagonal_gaussian(mean: torch.Tensor, log_variance: torch.Tensor) -> DiagonalGaussian:
    """Return the Gaussian of a network's output in float32 at least, with a clamped log-variance.

    >>> diagonal_gaussian(torch.zeros(1, 1), torch.full((1, 1), -100.0)).log_variance
    tensor([[-12.]])
    """
    dtype = mean.dtype if mean.dtype == torch.float64 else torch.float32
    return DiagonalGaussian(mean.to(dtype), log_variance.to(dtype).clamp(*LOG_VARIANCE_RANGE))
