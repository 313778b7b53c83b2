"""A prior whose latents depend on each other: splines whose parameters are functions of the latents before."""

import torch
from jaxtyping import Float
from nflows.transforms.made import MADE, MaskedLinear
from torch import nn
from torch.nn import functional

from vae_mf.checks import require_integer, require_positive
from vae_mf.models.priors.gaussian import StandardNormal
from vae_mf.models.priors.spline import SplineDistribution, SplineLayer, require_bins, split_parameters
from vae_mf.models.priors.splines import KnotTable, SplineOutput, inverse_spline, knot_table, spline
from vae_mf.models.temperature import temperature_features
from vae_mf.models.tensors import Condition, Latents


class AutoregressiveSplinePrior(nn.Module):
    """Normal(0, I) pushed through stacked splines, each latent's given those before it: p(z|T) = Π_j p(z_j | z_<j, T).

    A masked network of z and T produces the parameters of one layer, and every layer takes the latents in the reverse
    order of the layer before. Densities take one pass through the networks, draws as many as there are latents. The
    output of every network starts at zero, so that training starts from Normal(0, I).

    Source: Papamakarios, Pavlakou, Murray, Masked Autoregressive Flow, NeurIPS 2017, section 3, with the splines of
    Durkan et al., Neural Spline Flows, NeurIPS 2019 (see `vae_mf.models.priors.splines`).

    >>> prior = AutoregressiveSplinePrior(latents=2)
    >>> law = prior(Condition(torch.tensor([1.0, 2.0]), torch.tensor([0, 0, 1])))
    >>> law.log_prob(torch.zeros(3, 2)).shape, prior.factorised
    (torch.Size([3]), False)

    Args:
        latents: dimension d of z.
        layers: number of stacked splines.
        bins: number of bins of a spline.
        bound: the splines act on [-bound, bound] and are the identity outside.
        hidden: width of the masked networks.
        blocks: number of hidden blocks of these.

    Raises:
        ValueError: if a count is no positive integer, ``bins`` is not between 2 and 999, or ``bound`` is not above
            zero.
    """

    factorised = False

    def __init__(
        self, latents: int, layers: int = 3, bins: int = 8, bound: float = 8.0, hidden: int = 64, blocks: int = 1
    ) -> None:
        super().__init__()
        self.latents = require_integer("latents", latents)
        self.bins = require_bins(bins)
        self.bound = require_positive("bound", bound)
        require_integer("hidden", hidden)
        require_integer("blocks", blocks)
        self.networks = nn.ModuleList(
            masked_network(self.latents, 3 * self.bins - 1, hidden, blocks)
            for _ in range(require_integer("layers", layers))
        )

    def forward(self, condition: Condition) -> SplineDistribution:
        """Return the distribution of z, one row per entry of ``condition.index``."""
        like = next(self.parameters())
        context = temperature_features(condition.temperatures, like)[condition.index]
        layers = [autoregressive_layer(network, context, self.bins, self.bound) for network in self.networks]
        return SplineDistribution(layers, StandardNormal(len(context), self.latents, like))

    def free_parameters(self) -> int:
        """Return the weights that the masks leave; at one temperature its layers add a constant, as the biases do."""
        masked = [layer for layer in self.networks.modules() if isinstance(layer, MaskedLinear)]
        return sum(int(layer.get_buffer("mask").sum()) + len(layer.get_parameter("bias")) for layer in masked)


def autoregressive_layer(
    network: MADE, context: Float[torch.Tensor, "batch 2"], bins: int, bound: float
) -> SplineLayer:
    """Return splines of z_j whose parameters are functions of z_<j and the temperature; the last latent comes first."""
    rows = torch.arange(len(context), device=context.device)

    def knots(z: Latents) -> KnotTable:
        # Every row has knots of its own, which stand where other priors have one set per level.
        raw = network(z, context).view(*z.shape, -1)
        return knot_table(*split_parameters(raw, bins), bound)

    def forward(z: Latents) -> SplineOutput:
        value, log_derivative = spline(z, knots(z), rows, bound)
        return SplineOutput(value.flip(-1), log_derivative.flip(-1))

    def inverse(u: Latents) -> SplineOutput:
        u = u.flip(-1)
        result = SplineOutput(torch.zeros_like(u), torch.zeros_like(u))
        # Each pass gets one more latent right.
        for _ in range(u.shape[-1]):
            result = inverse_spline(u, knots(result.value), rows, bound)
        return result

    return SplineLayer(forward, inverse)


def masked_network(latents: int, outputs: int, hidden: int, blocks: int) -> MADE:
    """Return a network of z and `temperature_features` that gives each latent ``outputs`` functions of those before.

    Its output starts at zero.
    """
    network = MADE(latents, hidden, 2, blocks, outputs, activation=functional.silu)
    nn.init.zeros_(network.final_layer.weight)
    nn.init.zeros_(network.final_layer.bias)
    return network
