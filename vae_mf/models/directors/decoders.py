"""Decoders p(n|z) of directors: a latent vector yields independent Bingham laws."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.convolutions import ConvolutionalDecoder
from vae_mf.models.directors.bingham import Bingham
from vae_mf.models.directors.bingham_normaliser import Eigenvalues, at_least_single
from vae_mf.models.directors.likelihoods import ExchangeableDirectors, IndependentDirectors
from vae_mf.models.directors.symmetric_tensors import Matrices
from vae_mf.models.tensors import Latents


class SharedBinghamDecoder(nn.Module):
    """One Bingham distribution for all sites, B linear in z: exact for Maier-Saupe, where B = 3 beta J A / 2.

    >>> decoder = SharedBinghamDecoder(sites=10, latents=5)
    >>> decoder(torch.zeros(3, 5)).mean[0, 0].diagonal().detach()  # isotropic at z = 0
    tensor([0.3333, 0.3333, 0.3333])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        bias: True if B has a part that does not depend on z, as in a field that breaks the rotational symmetry.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "directors"
    sums_suffice = True

    def __init__(self, sites: int, latents: int, bias: bool = False):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        self.tensor = nn.Linear(latents, 5, bias=bias)

    def forward(self, z: Latents) -> ExchangeableDirectors:
        """Return p(n|z) for z (batch, d)."""
        return ExchangeableDirectors(self.tensor(z), self.sites)


class BinghamCNNDecoder(ConvolutionalDecoder):
    """Transposed convolutions to eight numbers per site, six for the axes and two for the gaps of the eigenvalues.

    See `vae_mf.models.convolutions.ConvolutionalDecoder`.

    >>> decoder = BinghamCNNDecoder(sites=16, latents=2, channels=4)
    >>> decoder(torch.zeros(3, 2)).sample().shape
    torch.Size([3, 16, 3])

    Args:
        sites: number N = L^2 of sites, L divisible by 4.
        latents: dimension d of z.
        channels: inputs of the last layer; twice as many before that.
        periodic: True if the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4, or if a number is no positive integer.
    """

    kind = "directors"
    components = 8

    def forward(self, z: Latents) -> IndependentDirectors:
        """Return p(n|z) for z (batch, d)."""
        # One copy: a strided head takes half as long again.
        head = at_least_single(self.lattice(z)).flatten(2).transpose(1, 2).contiguous()
        axes, gaps = head.split((6, 2), dim=-1)
        distribution = Bingham(rotation=rotation(axes), eigenvalues=ordered_eigenvalues(gaps))
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
