"""Encoders q(z | s, T): a configuration and its temperature yield a diagonal Gaussian over the latents."""

import torch
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.gaussian import DiagonalGaussian
from vae_mf.models.tensors import Condition, SpinTensor

LOG_VARIANCE_RANGE = (-12.0, 8.0)


def square_side(sites: int) -> int:
    """Return the side of the square lattice that the convolutions see.

    Raises:
        ValueError: unless ``sites`` is a square with a side divisible by 4.
    """
    side = round(require_integer("sites", sites) ** 0.5)
    if side * side != sites or side % 4:
        raise ValueError(f"sites: expected a square L x L with L divisible by 4 for a CNN, got {sites}")
    return side


def gaussian(mean: torch.Tensor, log_variance: torch.Tensor) -> DiagonalGaussian:
    """Return the posterior in float32 at least, with a clamped log-variance."""
    dtype = mean.dtype if mean.dtype == torch.float64 else torch.float32
    return DiagonalGaussian(mean.to(dtype), log_variance.to(dtype).clamp(*LOG_VARIANCE_RANGE))


class LinearEncoder(nn.Module):
    """Mean g(T) * (W s + b) and variance v(T): the family that holds the Hubbard-Stratonovich posterior exactly.

    Args:
        sites: number of spins N.
        latents: dimension d of z.
        hidden: width of the network of T that gives g and v.
    """

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        require_integer("sites", sites)
        require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.projection = nn.Linear(sites, latents)
        last = nn.Linear(hidden, 2 * latents)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.thermal = nn.Sequential(nn.Linear(2, hidden), nn.GELU(), last)

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | s, T) for spins (batch, N)."""
        features = torch.stack([condition.levels, 1 / condition.levels], dim=-1)
        log_gain, log_variance = self.thermal(features)[condition.index].chunk(2, dim=-1)
        return gaussian(self.projection(spins) * torch.exp(log_gain), log_variance)


class MLPEncoder(nn.Module):
    """A fully connected network of (s, T) with two hidden layers."""

    def __init__(self, sites: int, latents: int, hidden: int = 128):
        super().__init__()
        require_integer("sites", sites)
        require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(
            nn.Linear(sites + 1, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 2 * latents),
        )

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | s, T) for spins (batch, N)."""
        inputs = torch.cat([spins, condition.temperature[:, None]], dim=-1)
        return gaussian(*self.network(inputs).chunk(2, dim=-1))


class CNNEncoder(nn.Module):
    """Two stride-2 convolution blocks over (s, T) on the L x L lattice and two linear heads (theory: paper, IX.1).

    Args:
        sites: number of spins L^2.
        latents: dimension d of z.
        channels: of the first block; the second has twice as many.
        periodic: whether the lattice is a torus, so that convolutions wrap around instead of seeing zeros.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    def __init__(self, sites: int, latents: int, channels: int = 32, periodic: bool = False):
        super().__init__()
        require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.blocks = nn.Sequential(
            *convolution_block(2, channels, periodic),
            *convolution_block(channels, 2 * channels, periodic),
            nn.Flatten(),
        )
        features = 2 * channels * (self.side // 4) ** 2
        self.mean = nn.Linear(features, latents)
        self.log_variance = nn.Linear(features, latents)

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | s, T) for spins (batch, L^2), site x + L y at row y."""
        lattice = spins.view(-1, 1, self.side, self.side)
        thermal = condition.temperature.view(-1, 1, 1, 1).expand_as(lattice)
        features = self.blocks(torch.cat([lattice, thermal], dim=1))
        return gaussian(self.mean(features), self.log_variance(features))


def convolution_block(inputs: int, outputs: int, periodic: bool = False) -> list[nn.Module]:
    """Return convolution (3x3, stride 2, padding 1), batch normalisation and non-linearity."""
    padding = "circular" if periodic else "zeros"
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, padding_mode=padding)
    return [convolution, nn.BatchNorm2d(outputs), nn.GELU()]
