"""Convolutional networks on the square lattice, shared by spins and directors: site x + L y lies at row y."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.posterior import DiagonalGaussian, diagonal_gaussian
from vae_mf.models.tensors import Condition, Latents

Lattice = Float[torch.Tensor, "batch components rows columns"]
"""Some numbers for every site of an L x L lattice."""


class ConvolutionalEncoder(nn.Module):
    """Two stride-2 convolution blocks over the lattice and T, and two linear heads (theory: paper, IX.1).

    Args:
        channels: outputs of the first block; the second has twice as many.
        periodic: True if the lattice is a torus, so that convolutions wrap around instead of seeing zeros.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    components: int
    """Numbers seen of every site."""

    def __init__(self, sites: int, latents: int, channels: int = 32, periodic: bool = False):
        super().__init__()
        self.latents = require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.sites = sites
        self.blocks = nn.Sequential(
            *convolution_block(self.components + 1, channels, periodic),
            *convolution_block(channels, 2 * channels, periodic),
            nn.Flatten(),
        )
        features = 2 * channels * (self.side // 4) ** 2
        self.mean = nn.Linear(features, latents)
        self.log_variance = nn.Linear(features, latents)

    def encoded(self, lattice: Lattice, condition: Condition) -> DiagonalGaussian:
        """Return q(z|x,T) of the numbers on the lattice."""
        thermal = condition.temperature.view(-1, 1, 1, 1).expand_as(lattice[:, :1])
        features = self.blocks(torch.cat([lattice, thermal], dim=1))
        return diagonal_gaussian(self.mean(features), self.log_variance(features))


class ConvolutionalDecoder(nn.Module):
    """The encoder's mirror: a linear map to L/4 x L/4 and two transposed convolutions.

    Args:
        channels: inputs of the last layer; twice as many before that.
        periodic: True if the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    components: int
    """Numbers given for every site."""

    def __init__(self, sites: int, latents: int, channels: int = 32, periodic: bool = False):
        super().__init__()
        self.latents = require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.sites = sites
        self.channels = 2 * channels
        self.spread = nn.Linear(latents, self.channels * (self.side // 4) ** 2)
        self.blocks = nn.Sequential(
            upsampling(self.channels, channels, periodic),
            nn.BatchNorm2d(channels),
            nn.GELU(),
            upsampling(channels, self.components, periodic),
        )

    def lattice(self, z: Latents) -> Lattice:
        """Return the numbers of every site for z (batch, d)."""
        return self.blocks(self.spread(z).view(-1, self.channels, self.side // 4, self.side // 4))


class PeriodicUpsampling(nn.Module):
    """Transposed convolution (3x3, stride 2) on a torus: (batch, channels, L, L) to (batch, outputs, 2L, 2L)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, lattice: torch.Tensor) -> torch.Tensor:
        """Return the lattice at twice the resolution."""
        return self.convolution(F.pad(lattice, (1, 1, 1, 1), mode="circular"))[..., 2:-2, 2:-2]


def upsampling(inputs: int, outputs: int, periodic: bool) -> nn.Module:
    """Return a layer that doubles the resolution, with periodic boundaries or with zeros beyond them.

    >>> upsampling(4, 2, periodic=True)(torch.zeros(1, 4, 3, 3)).shape
    torch.Size([1, 2, 6, 6])
    """
    if periodic:
        return PeriodicUpsampling(inputs, outputs)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def convolution_block(inputs: int, outputs: int, periodic: bool = False) -> list[nn.Module]:
    """Return convolution (3x3, stride 2, padding 1), batch normalisation and non-linearity."""
    padding = "circular" if periodic else "zeros"
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, padding_mode=padding)
    return [convolution, nn.BatchNorm2d(outputs), nn.GELU()]


def square_side(sites: int) -> int:
    """Return the side of the square lattice that the convolutions see.

    >>> square_side(64)
    8

    Raises:
        ValueError: unless ``sites`` is a square with a side divisible by 4.
    """
    side = round(require_integer("sites", sites) ** 0.5)
    if side * side != sites or side % 4:
        raise ValueError(f"sites: expected a square L x L with L divisible by 4 for a CNN, got {sites}")
    return side
