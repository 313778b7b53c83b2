"""Decoders p(s | z): a latent vector yields independent spins, whatever the temperature."""

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


class CNNDecoder(nn.Module):
    """The encoder's mirror: a linear map to L/4 x L/4 and two transposed convolutions; logits of both spin values.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    def __init__(self, sites: int, latents: int, channels: int = 32):
        super().__init__()
        require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.channels = 2 * channels
        self.spread = nn.Linear(latents, self.channels * (self.side // 4) ** 2)
        self.blocks = nn.Sequential(
            nn.ConvTranspose2d(self.channels, channels, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(channels),
            nn.GELU(),
            nn.ConvTranspose2d(channels, 2, 3, stride=2, padding=1, output_padding=1),
        )

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s | z) for z (batch, d)."""
        coarse = self.spread(z).view(-1, self.channels, self.side // 4, self.side // 4)
        down, up = self.blocks(coarse).unbind(1)
        return IndependentSpins((up - down).flatten(1))
