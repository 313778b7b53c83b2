"""A prior of independent latents: monotone splines whose parameters are functions of the temperature."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_choice, require_integer, require_positive
from vae_mf.models.base import LatentDistribution
from vae_mf.models.priors.gaussian import StandardNormal
from vae_mf.models.priors.splines import (
    MINIMUM_BIN,
    UNIT_DERIVATIVE,
    Bins,
    InnerKnots,
    Levels,
    SplineOutput,
    inverse_spline,
    knot_table,
    reference_spline,
    spline,
)
from vae_mf.models.temperature import full_precision, temperature_features, thermal_network
from vae_mf.models.tensors import Condition, Latents, PerSample


class SplineLayer(NamedTuple):
    """A bijection of the latent vectors with a triangular Jacobian, of which `SplineOutput` holds the diagonal."""

    forward: Callable[[torch.Tensor], SplineOutput]
    """Maps from z towards the noise."""
    inverse: Callable[[torch.Tensor], SplineOutput]
    """Maps back."""


class BaseDistribution(LatentDistribution, Protocol):
    """A distribution to push through splines."""

    dtype: torch.dtype
    """Precision of densities and draws."""


class SplineDistribution:
    """The distribution of z whose image u under the layers follows ``base``.

    log p(z) = log p_base(u) + Σ_layers Σ_j log |∂u_j / ∂z_j|: densities need only the forward direction.
    """

    def __init__(self, layers: Sequence[SplineLayer], base: BaseDistribution) -> None:
        self.layers = layers
        self.base = base
        self.dtype = base.dtype

    def log_prob(self, z: Latents) -> PerSample:
        """Return log p(z|T) of every row, shape (batch,), in the precision of the prior's weights."""
        u = z.to(self.dtype)
        log_derivatives = []
        with full_precision(z):
            for layer in self.layers:
                u, log_derivative = layer.forward(u)
                log_derivatives.append(log_derivative)
            return self.base.log_prob(u) + torch.stack(log_derivatives).sum((0, 2))

    @torch.no_grad()
    def sample(self, generator: torch.Generator | None = None) -> Latents:
        """Return one draw per configuration, shape (batch, latents)."""
        z = self.base.sample(generator)
        with full_precision(z):
            for layer in reversed(self.layers):
                z = layer.inverse(z).value
        return z


class SplinePrior(nn.Module):
    """Normal(0, I) pushed through stacked rational-quadratic splines that act on each latent dimension by itself.

    p(z|T) = Π_j p(z_j|T). A network of the temperature produces the parameters of all layers; its last layer starts at
    zero, so that training starts from Normal(0, I). The network runs on the distinct temperatures only.

    Source: Durkan et al., Neural Spline Flows, NeurIPS 2019, section 3 (see `vae_mf.models.priors.splines`).

    >>> prior = SplinePrior(latents=2)
    >>> law = prior(Condition(torch.tensor([1.0]), torch.tensor([0, 0])))
    >>> law.log_prob(torch.zeros(2, 2)).detach(), prior.factorised  # -ln 2π before training
    (tensor([-1.8379, -1.8379]), True)

    Args:
        latents: dimension d of z.
        layers: number of stacked splines.
        bins: number of bins of a spline.
        bound: the splines act on [-bound, bound] and are the identity outside.
        hidden: width of the network of the temperature.
        backend: ``fast`` or, as its reference, ``nflows``; both give the same numbers from the same weights.

    Raises:
        ValueError: if a count is no positive integer, ``bins`` is not between 2 and 999, ``bound`` is not above zero
            or ``backend`` is unknown.
    """

    factorised = True

    def __init__(
        self, latents: int, layers: int = 3, bins: int = 16, bound: float = 8.0, hidden: int = 64, backend: str = "fast"
    ) -> None:
        super().__init__()
        self.latents = require_integer("latents", latents)
        self.layers = require_integer("layers", layers)
        self.bins = require_bins(bins)
        self.bound = require_positive("bound", bound)
        self.backend = require_choice("backend", backend, BACKENDS)
        self.network = thermal_network(hidden, torch.zeros(self.layers * self.latents * (3 * self.bins - 1)))

    def forward(self, condition: Condition) -> SplineDistribution:
        """Return the distribution of z, one row per entry of ``condition.index``."""
        noise = StandardNormal(len(condition.index), self.latents, like=next(self.parameters()))
        return SplineDistribution(self.splines(condition), noise)

    def free_parameters(self) -> int:
        """Return the parameters of the splines: at one temperature a network of T does no more than hold them."""
        return self.layers * self.latents * (3 * self.bins - 1)

    def splines(self, condition: Condition) -> list[SplineLayer]:
        """Return the bijections of z, with the parameters of each row's level."""
        with full_precision(condition.temperatures):
            raw = self.network(temperature_features(condition.temperatures, like=next(self.parameters())))
            raw = raw.view(len(raw), self.layers, self.latents, -1).transpose(0, 1)
            return BACKENDS[self.backend](*split_parameters(raw, self.bins), condition.index, self.bound)


def require_bins(bins: int) -> int:
    """Return ``bins``, or raise ValueError unless a spline of that many bins leaves every bin its smallest size."""
    if require_integer("bins", bins, minimum=2) * MINIMUM_BIN >= 1:
        raise ValueError(f"bins: expected fewer than {1 / MINIMUM_BIN:.0f}, got {bins}")
    return int(bins)


def split_parameters(raw: Float[torch.Tensor, "*splines parameters"], bins: int) -> tuple[Bins, Bins, InnerKnots]:
    """Return unconstrained widths, heights (..., bins) and derivatives (..., bins - 1); zeros give the identity."""
    widths, heights, derivatives = raw.split((bins, bins, bins - 1), dim=-1)
    return widths, heights, derivatives + UNIT_DERIVATIVE


def _fast_layers(
    widths: Bins, heights: Bins, derivatives: InnerKnots, index: Levels, bound: float
) -> list[SplineLayer]:
    """Return the layers on knots tabulated once per level."""
    tables = knot_table(widths, heights, derivatives, bound).unbind(0)
    keywords = [{"table": table, "index": index, "bound": bound} for table in tables]
    return [SplineLayer(partial(spline, **each), partial(inverse_spline, **each)) for each in keywords]


def _nflows_layers(
    widths: Bins, heights: Bins, derivatives: InnerKnots, index: Levels, bound: float
) -> list[SplineLayer]:
    """Return the layers that call nflows with the parameters of every row."""
    layers = []
    for width, height, derivative in zip(widths, heights, derivatives, strict=True):
        forward = partial(
            reference_spline, widths=width, heights=height, derivatives=derivative, index=index, bound=bound
        )
        layers.append(SplineLayer(forward, partial(forward, inverse=True)))
    return layers


BACKENDS = {"fast": _fast_layers, "nflows": _nflows_layers}
"""Ways to evaluate the same splines."""
