"""Decoders p(s | z): a latent vector yields independent spins, whatever the temperature."""

import torch
import torch.nn.functional as F
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.encoders import square_side
from vae_mf.models.likelihoods import IndependentSpins
from vae_mf.models.tensors import Latents


class LinearDecoder(nn.Module):
    """Log-odds W z + b: exact for Hopfield-like systems, where row i of W is 2 xi_i up to a mixing of the latents.

    Args:
        sites: number of spins N.
        latents: dimension d of z.
        bias: whether sites have a field of their own.
    """

    def __init__(self, sites: int, latents: int, bias: bool = True):
        super().__init__()
        require_integer("sites", sites)
        require_integer("latents", latents)
        self.log_odds = nn.Linear(latents, sites, bias=bias)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s | z) for z (batch, d)."""
        return IndependentSpins(self.log_odds(z))


class MLPDecoder(nn.Module):
    """Log-odds W z + b plus a network of z with one hidden layer: any independent sites, but no weights to read.

    Args:
        sites: number of spins N.
        latents: dimension d of z.
        hidden: width of the network's hidden layer.
    """

    def __init__(self, sites: int, latents: int, hidden: int = 64):
        super().__init__()
        require_integer("sites", sites)
        require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(nn.Linear(latents, hidden), nn.GELU(), nn.Linear(hidden, sites))
        self.slope = nn.Linear(latents, sites, bias=False)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s | z) for z (batch, d)."""
        return IndependentSpins(self.slope(z) + self.network(z))


class CNNDecoder(nn.Module):
    """The encoder's mirror: a linear map to L/4 x L/4 and two transposed convolutions; logits of both spin values.

    Args:
        sites: number of spins L^2.
        latents: dimension d of z.
        channels: before the last layer; twice as many before that.
        periodic: whether the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    def __init__(self, sites: int, latents: int, channels: int = 32, periodic: bool = False):
        super().__init__()
        require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.channels = 2 * channels
        self.spread = nn.Linear(latents, self.channels * (self.side // 4) ** 2)
        self.blocks = nn.Sequential(
            upsampling(self.channels, channels, periodic),
            nn.BatchNorm2d(channels),
            nn.GELU(),
            upsampling(channels, 2, periodic),
        )

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s | z) for z (batch, d)."""
        coarse = self.spread(z).view(-1, self.channels, self.side // 4, self.side // 4)
        down, up = self.blocks(coarse).unbind(1)
        return IndependentSpins((up - down).flatten(1))


class SharedDecoder(nn.Module):
    """One log-odds for all sites, a network of z: for exchangeable systems, where p(s) does not tell sites apart.

    Args:
        sites: number of spins N.
        latents: dimension d of z.
        hidden: width of the network's hidden layer.
    """

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        self.sites = require_integer("sites", sites)
        require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(nn.Linear(latents, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.slope = nn.Linear(latents, 1)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s | z) for z (batch, d)."""
        return IndependentSpins((self.slope(z) + self.network(z)).expand(-1, self.sites))


class PeriodicUpsampling(nn.Module):
    """Transposed convolution (3x3, stride 2) on a torus: (batch, channels, L, L) to (batch, outputs, 2L, 2L)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, lattice: torch.Tensor) -> torch.Tensor:
        """Return the lattice at twice the resolution."""
        return self.convolution(F.pad(lattice, (1, 1, 1, 1), mode="circular"))[..., 2:-2, 2:-2]


def upsampling(inputs: int, outputs: int, periodic: bool) -> nn.Module:
    """Return a layer that doubles the resolution, with periodic boundaries or with zeros beyond them."""
    if periodic:
        return PeriodicUpsampling(inputs, outputs)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
