"""Encoders q(z|n,T) of directors, which see the five components of n nᵀ - I/3 on every site: n and -n look the same."""

from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.convolutions import ConvolutionalEncoder
from vae_mf.models.directors.symmetric_tensors import director_components
from vae_mf.models.encoders import LinearEncoder, MLPEncoder
from vae_mf.models.posterior import DiagonalGaussian
from vae_mf.models.tensors import Condition, DirectorTensor


class DirectorCNNEncoder(ConvolutionalEncoder):
    """Convolutions over the components of n nᵀ - I/3 and T, see `vae_mf.models.convolutions.ConvolutionalEncoder`.

    >>> import torch
    >>> encoder = DirectorCNNEncoder(sites=16, latents=5, channels=4, periodic=True)
    >>> condition = Condition(torch.tensor([0.1]), torch.tensor([0, 0, 0]))
    >>> encoder(torch.eye(3)[0].expand(3, 16, 3), condition).mean.shape
    torch.Size([3, 5])

    Args:
        sites: number N = L^2 of sites, L divisible by 4.
        latents: dimension d of z.
        channels: outputs of the first block; the second has twice as many.
        periodic: True if the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4, or if a number is no positive integer.
    """

    kind = "directors"
    components = 5

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|n,T) for directors (batch, L^2, 3)."""
        lattice = director_components(directors).transpose(1, 2).unflatten(2, (self.side, self.side))
        return self.encoded(lattice, condition)


class DirectorMLPEncoder(nn.Module):
    """A fully connected network of the components of n nᵀ - I/3 of all sites and T, with two hidden layers.

    >>> import torch
    >>> encoder = DirectorMLPEncoder(sites=10, latents=5)
    >>> condition = Condition(torch.tensor([0.1]), torch.tensor([0, 0, 0]))
    >>> encoder(torch.eye(3)[0].expand(3, 10, 3), condition).mean.shape
    torch.Size([3, 5])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of both hidden layers.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "directors"

    def __init__(self, sites: int, latents: int, hidden: int = 128):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        self.encoder = MLPEncoder(5 * sites, latents, hidden)

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|n,T) for directors (batch, N, 3)."""
        return self.encoder(director_components(directors).flatten(1), condition)


class DirectorLinearEncoder(nn.Module):
    """Mean g(T) * (W q + b) and variance v(T), q the mean over the sites of the components of n nᵀ - I/3.

    The family holds the Hubbard-Stratonovich posterior of Maier-Saupe exactly, at all temperatures at once.

    >>> import torch
    >>> encoder = DirectorLinearEncoder(sites=10, latents=5)
    >>> condition = Condition(torch.tensor([0.1]), torch.tensor([0, 0, 0]))
    >>> encoder(torch.eye(3)[0].expand(3, 10, 3), condition).mean.shape
    torch.Size([3, 5])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of the network of T that gives g and v.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "directors"
    sums_suffice = True

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        self.encoder = LinearEncoder(5, latents, hidden)

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z|n,T) for directors (batch, N, 3)."""
        return self.encoder(director_components(directors).sum(1) / self.sites, condition)
