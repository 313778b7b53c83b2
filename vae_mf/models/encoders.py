"""Encoders q(z|s,T) of spins: a configuration and its temperature yield a diagonal Gaussian over the latents."""

import torch
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.convolutions import ConvolutionalEncoder
from vae_mf.models.posterior import DiagonalGaussian, diagonal_gaussian
from vae_mf.models.tensors import Condition, SpinTensor


class LinearEncoder(nn.Module):
    """Mean g(T) * (W s + b) and variance v(T): the family that holds the Hubbard-Stratonovich posterior exactly.

    >>> encoder = LinearEncoder(sites=5, latents=2)
    >>> posterior = encoder(torch.ones(3, 5), Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0])))
    >>> posterior.mean.shape, posterior.sample().shape
    (torch.Size([3, 2]), torch.Size([3, 2]))

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of the network of T that gives g and v.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "spins"

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.projection = nn.Linear(sites, latents)
        last = nn.Linear(hidden, 2 * latents)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.thermal = nn.Sequential(nn.Linear(2, hidden), nn.GELU(), last)

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|s,T) for spins (batch, N)."""
        features = torch.stack([condition.temperatures, 1 / condition.temperatures], dim=-1)
        log_gain, log_variance = self.thermal(features)[condition.index].chunk(2, dim=-1)
        return diagonal_gaussian(self.projection(spins) * torch.exp(log_gain), log_variance)


class MLPEncoder(nn.Module):
    """A fully connected network of (s, T) with two hidden layers.

    >>> encoder = MLPEncoder(sites=5, latents=2, hidden=16)
    >>> encoder(torch.ones(3, 5), Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))).mean.shape
    torch.Size([3, 2])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of both hidden layers.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "spins"

    def __init__(self, sites: int, latents: int, hidden: int = 128):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(
            nn.Linear(sites + 1, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 2 * latents),
        )

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|s,T) for spins (batch, N)."""
        inputs = torch.cat([spins, condition.temperature[:, None]], dim=-1)
        return diagonal_gaussian(*self.network(inputs).chunk(2, dim=-1))


class CNNEncoder(ConvolutionalEncoder):
    """Convolutions over (s, T) on the L x L lattice, see `vae_mf.models.convolutions.ConvolutionalEncoder`.

    >>> encoder = CNNEncoder(sites=16, latents=2, channels=4, periodic=True)
    >>> condition = Condition(torch.tensor([1.0]), torch.tensor([0, 0, 0]))
    >>> encoder(torch.ones(3, 16), condition).mean.shape
    torch.Size([3, 2])

    Args:
        sites: number N = L^2 of sites, L divisible by 4.
        latents: dimension d of z.
        channels: outputs of the first block; the second has twice as many.
        periodic: True if the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4, or if a number is no positive integer.
    """

    kind = "spins"
    components = 1

    def forward(self, spins: SpinTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|s,T) for spins (batch, L^2)."""
        return self.encoded(spins.view(-1, 1, self.side, self.side), condition)
