"""Encoders and decoders for directors: unit vectors n on the sites, n and -n being the same state.

Encoders see the five components of n nᵀ - I/3 on every site instead of n itself, so that the symmetry is built in.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.decoders import upsampling
from vae_mf.models.directors.bingham import Bingham, matrix_log_normaliser
from vae_mf.models.directors.bingham_normaliser import Eigenvalues, at_least_single
from vae_mf.models.directors.symmetric_tensors import Components, Matrices, director_components, traceless_matrix
from vae_mf.models.encoders import LinearEncoder, MLPEncoder, convolution_block, gaussian, square_side
from vae_mf.models.gaussian import DiagonalGaussian
from vae_mf.models.tensors import Condition, DirectorTensor, Latents, PerSample

SecondMoments = Float[torch.Tensor, "batch sites 3 3"]
"""<n nᵀ> of every site."""


class IndependentDirectors:
    """Independent directors, each with a Bingham distribution of its own.

    Args:
        bingham: with batch shape (batch, sites).
    """

    def __init__(self, bingham: Bingham):
        self.bingham = bingham

    @property
    def mean(self) -> SecondMoments:
        """Expected n nᵀ, as the mean of n itself is zero."""
        return self.bingham.second_moment

    def log_prob(self, directors: DirectorTensor) -> PerSample:
        """Return sum_i ln p_i(n_i) of each configuration, in nats, densities being with respect to the area."""
        return self.bingham.log_prob(directors).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> DirectorTensor:
        """Draw one configuration per row."""
        return self.bingham.sample(generator=generator)


class ExchangeableDirectors:
    """Independent directors of one Bingham distribution, p(n) = exp(b . q(n)) / c, q the components of n nᵀ - I/3.

    Args:
        components: of B, symmetric and traceless, shape (batch, 5).
        sites: number of directors N.
    """

    def __init__(self, components: Components, sites: int):
        self.components = at_least_single(components)
        self.sites = sites

    @property
    def mean(self) -> SecondMoments:
        """Expected n nᵀ, as the mean of n itself is zero."""
        return self._bingham().second_moment[:, None].expand(-1, self.sites, 3, 3)

    def log_prob(self, directors: DirectorTensor) -> PerSample:
        """Return b . sum_i q(n_i) - N ln c of each configuration, in nats: one normaliser for all sites."""
        exponents = (self.components * director_components(directors).sum(1)).sum(-1)
        return exponents - self.sites * matrix_log_normaliser(traceless_matrix(self.components))

    def sample(self, generator: torch.Generator | None = None) -> DirectorTensor:
        """Draw one configuration per row."""
        return self._bingham().sample((self.sites,), generator).transpose(0, 1)

    def _bingham(self) -> Bingham:
        return Bingham(matrix=traceless_matrix(self.components), validate_args=False)


class SharedBinghamDecoder(nn.Module):
    """One Bingham distribution for all sites, B linear in z: exact for Maier-Saupe, where B = 3 beta J A / 2.

    Args:
        sites: number of directors N.
        latents: dimension d of z.
        bias: whether B has a part that does not depend on z, as in a field that breaks the rotational symmetry.
    """

    configurations = "directors"

    def __init__(self, sites: int, latents: int, bias: bool = False):
        super().__init__()
        self.sites = require_integer("sites", sites)
        require_integer("latents", latents)
        self.tensor = nn.Linear(latents, 5, bias=bias)

    def forward(self, z: Latents) -> ExchangeableDirectors:
        """Return p(n | z) for z (batch, d)."""
        return ExchangeableDirectors(self.tensor(z), self.sites)


class BinghamCNNDecoder(nn.Module):
    """The encoder's mirror, as for spins, with a head of eight numbers per site: six for the axes, two for the gaps.

    Args:
        sites: number of directors L^2.
        latents: dimension d of z.
        channels: before the last layer; twice as many before that.
        periodic: whether the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    configurations = "directors"

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
            upsampling(channels, 8, periodic),
        )

    def forward(self, z: Latents) -> IndependentDirectors:
        """Return p(n | z) for z (batch, d), site x + L y at row y."""
        coarse = self.spread(z).view(-1, self.channels, self.side // 4, self.side // 4)
        # One copy: a strided head takes half as long again.
        head = at_least_single(self.blocks(coarse)).flatten(2).transpose(1, 2).contiguous()
        axes, gaps = head.split((6, 2), dim=-1)
        distribution = Bingham(rotation=rotation(axes), eigenvalues=ordered_eigenvalues(gaps), validate_args=False)
        return IndependentDirectors(distribution)


def rotation(vectors: Float[torch.Tensor, "... 6"]) -> Matrices:
    """Return the rotation whose columns are two vectors after Gram-Schmidt, and their cross product.

    Source: Zhou et al., On the continuity of rotation representations in neural networks, CVPR 2019, equation 15.
    """
    first, second = vectors.split(3, dim=-1)
    first = F.normalize(first, dim=-1)
    second = F.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def ordered_eigenvalues(gaps: Float[torch.Tensor, "... 2"]) -> Eigenvalues:
    """Return -(g_1 + g_2), -g_1 and 0, with g the softplus of two numbers."""
    below = -F.softplus(gaps).cumsum(-1)
    return F.pad(below.flip(-1), (0, 1))


class DirectorCNNEncoder(nn.Module):
    """Two stride-2 convolution blocks over the components of n nᵀ - I/3 and T, and two linear heads.

    Args:
        sites: number of directors L^2.
        latents: dimension d of z.
        channels: of the first block; the second has twice as many.
        periodic: whether the lattice is a torus, so that convolutions wrap around instead of seeing zeros.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4.
    """

    configurations = "directors"

    def __init__(self, sites: int, latents: int, channels: int = 32, periodic: bool = False):
        super().__init__()
        require_integer("latents", latents)
        require_integer("channels", channels)
        self.side = square_side(sites)
        self.blocks = nn.Sequential(
            *convolution_block(5 + 1, channels, periodic),
            *convolution_block(channels, 2 * channels, periodic),
            nn.Flatten(),
        )
        features = 2 * channels * (self.side // 4) ** 2
        self.mean = nn.Linear(features, latents)
        self.log_variance = nn.Linear(features, latents)

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | n, T) for directors (batch, L^2, 3), site x + L y at row y."""
        lattice = director_components(directors).transpose(1, 2).unflatten(2, (self.side, self.side))
        thermal = condition.temperature.view(-1, 1, 1, 1).expand_as(lattice[:, :1])
        features = self.blocks(torch.cat([lattice, thermal], dim=1))
        return gaussian(self.mean(features), self.log_variance(features))


class DirectorMLPEncoder(nn.Module):
    """A fully connected network of the components of n nᵀ - I/3 of all sites and T, with two hidden layers."""

    configurations = "directors"

    def __init__(self, sites: int, latents: int, hidden: int = 128):
        super().__init__()
        self.encoder = MLPEncoder(5 * require_integer("sites", sites), latents, hidden)

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | n, T) for directors (batch, N, 3)."""
        return self.encoder(director_components(directors).flatten(1), condition)


class DirectorLinearEncoder(nn.Module):
    """Mean g(T) * (W q + b) and variance v(T), q the mean over the sites of the components of n nᵀ - I/3.

    The family holds the Hubbard-Stratonovich posterior of Maier-Saupe exactly, at all temperatures at once.

    Args:
        sites: number of directors N.
        latents: dimension d of z.
        hidden: width of the network of T that gives g and v.
    """

    configurations = "directors"

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        require_integer("sites", sites)
        self.encoder = LinearEncoder(5, latents, hidden)

    def forward(self, directors: DirectorTensor, condition: Condition) -> DiagonalGaussian:
        """Return q(z | n, T) for directors (batch, N, 3)."""
        return self.encoder(director_components(directors).mean(1), condition)
