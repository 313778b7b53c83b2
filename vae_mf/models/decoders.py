"""Decoders p(s|z) of N = ``sites`` spins: a latent vector of d = ``latents`` yields independent spins.

A layer that is hidden has ``hidden`` units.
"""

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer
from vae_mf.models.convolutions import ConvolutionalDecoder
from vae_mf.models.likelihoods import IndependentSpins
from vae_mf.models.tensors import Latents

Weights = Float[torch.Tensor, "sites latents"]
Fields = Float[torch.Tensor, " sites"]


class LinearDecoder(nn.Module):
    """Log-odds 2 (W z + b): exact for Hopfield-like systems, where row i of W is ξ_i up to a mixing of the latents.

    Source: Biroli, Welling and Vitelli 2026, eqs. 34 and 48.

    >>> decoder = LinearDecoder(sites=2, latents=1)
    >>> decoder.start_at(weights=torch.tensor([[1.0], [-1.0]]), fields=torch.zeros(2))
    >>> decoder(torch.tensor([[0.5]])).mean.detach()  # tanh(W z + b)
    tensor([[ 0.4621, -0.4621]])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        bias: True if sites have a field b of their own.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "spins"

    def __init__(self, sites: int, latents: int, bias: bool = True):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        self.log_odds = nn.Linear(latents, sites, bias=bias)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s|z) for z (batch, d)."""
        if z.device.type != "cpu" or z.ndim != 2:
            return IndependentSpins(self.log_odds(z))
        # A processor's product for the gradient of few columns is slow unless the weights lie row by row.
        weights = self.log_odds.weight.t().contiguous()
        return IndependentSpins(nn.functional.linear(z, weights.t(), self.log_odds.bias))

    @property
    def weights(self) -> Weights:
        """W, half the derivative of the log-odds."""
        return self.log_odds.weight.detach() / 2

    @property
    def fields(self) -> Fields:
        """b, half the log-odds at z = 0.

        >>> LinearDecoder(3, 2, bias=False).fields
        tensor([0., 0., 0.])
        """
        bias = self.log_odds.bias
        return self.log_odds.weight.new_zeros(self.sites) if bias is None else bias.detach() / 2

    @torch.no_grad()
    def start_at(self, weights: Weights, fields: Fields) -> None:
        """Set the leading columns of W, and b if sites have fields."""
        self.log_odds.weight[:, : weights.shape[1]] = 2 * weights
        if self.log_odds.bias is not None:
            self.log_odds.bias.copy_(2 * fields)


class MLPDecoder(nn.Module):
    """Log-odds 2 W z plus a network of z with one hidden layer: any independent sites, but no weights to read.

    >>> decoder = MLPDecoder(sites=5, latents=2, hidden=16)
    >>> decoder(torch.zeros(3, 2)).log_prob(torch.ones(3, 5)).shape
    torch.Size([3])

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of the hidden layer.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "spins"

    def __init__(self, sites: int, latents: int, hidden: int = 64):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(nn.Linear(latents, hidden), nn.GELU(), nn.Linear(hidden, sites))
        self.slope = nn.Linear(latents, sites, bias=False)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s|z) for z (batch, d)."""
        return IndependentSpins(self.slope(z) + self.network(z))

    @torch.no_grad()
    def start_at(self, weights: Weights, fields: Fields) -> None:
        """Set the leading columns of W, and the biases of the network's output."""
        self.slope.weight[:, : weights.shape[1]] = 2 * weights
        self.get_parameter("network.2.bias").copy_(2 * fields)


class CNNDecoder(ConvolutionalDecoder):
    """Transposed convolutions to the log-weights of both spin values, see `ConvolutionalDecoder`.

    >>> decoder = CNNDecoder(sites=16, latents=2, channels=4, periodic=True)
    >>> decoder(torch.zeros(3, 2)).mean.shape
    torch.Size([3, 16])

    Args:
        sites: number N = L^2 of sites, L divisible by 4.
        latents: dimension d of z.
        channels: inputs of the last layer; twice as many before that.
        periodic: True if the lattice is a torus, so that convolutions wrap around.

    Raises:
        ValueError: unless ``sites`` = L^2 with L divisible by 4, or if a number is no positive integer.
    """

    kind = "spins"
    components = 2

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s|z) for z (batch, d)."""
        down, up = self.lattice(z).unbind(1)
        return IndependentSpins((up - down).flatten(1))


class SharedDecoder(nn.Module):
    """One log-odds for all sites, a network of z: for exchangeable systems, where p(s) does not tell sites apart.

    >>> spins = SharedDecoder(sites=4, latents=1)(torch.tensor([[0.3]])).mean
    >>> spins.shape, bool((spins == spins[0, 0]).all())
    (torch.Size([1, 4]), True)

    Args:
        sites: number N of sites.
        latents: dimension d of z.
        hidden: width of the hidden layer.

    Raises:
        ValueError: if a number is no positive integer.
    """

    kind = "spins"

    def __init__(self, sites: int, latents: int, hidden: int = 32):
        super().__init__()
        self.sites = require_integer("sites", sites)
        self.latents = require_integer("latents", latents)
        require_integer("hidden", hidden)
        self.network = nn.Sequential(nn.Linear(latents, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.slope = nn.Linear(latents, 1)

    def forward(self, z: Latents) -> IndependentSpins:
        """Return p(s|z) for z (batch, d)."""
        return IndependentSpins((self.slope(z) + self.network(z)).expand(-1, self.sites))
