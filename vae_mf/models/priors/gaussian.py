"""The standard normal prior."""

import math

import torch
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.tensors import Condition, Latents, PerSample


class StandardNormal:
    """Normal(0, I) over ``batch`` latent vectors, in the precision and on the device of ``like``."""

    def __init__(self, batch: int, latents: int, like: torch.Tensor) -> None:
        self.shape = (batch, latents)
        self.dtype = like.dtype
        self.device = like.device

    def log_prob(self, z: Latents) -> PerSample:
        """Return -(|z|² + d ln 2π) / 2 of every row, shape (batch,).

        >>> StandardNormal(1, 2, like=torch.zeros(1)).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
        """
        squares = z.to(self.dtype).square().sum(-1)
        return -0.5 * (squares + z.shape[-1] * math.log(2 * math.pi))

    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Return one draw per row, shape (batch, latents)."""
        return torch.randn(self.shape, generator=generator, dtype=self.dtype, device=self.device)


class GaussianPrior(nn.Module):
    """The prior Normal(0, I) at every temperature.

    >>> condition = Condition(torch.tensor([1.0]), torch.tensor([0, 0]))
    >>> GaussianPrior(latents=2)(condition).log_prob(torch.zeros(2, 2))  # -ln 2π
    tensor([-1.8379, -1.8379])

    Args:
        latents: dimension d of z.

    Raises:
        ValueError: if a number is no positive integer.
    """

    factorised = True

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = require_integer("latents", latents)

    def forward(self, condition: Condition) -> StandardNormal:
        """Return p(z|T), one row per entry of ``condition.index``."""
        return StandardNormal(len(condition.index), self.latents, like=condition.temperatures)
