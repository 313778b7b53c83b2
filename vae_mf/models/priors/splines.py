"""Monotone rational-quadratic splines on [-bound, bound] with the identity outside, as pure functions of parameters.

Source: Durkan, Bekasov, Murray, Papamakarios, Neural Spline Flows, NeurIPS 2019 (arXiv:1906.04032), equations 4-8.

Two backends agree and share one parametrisation, that of nflows, so that weights can move between them.
`reference_spline` calls nflows on every row. `knot_table` with `spline` and `inverse_spline` builds the knots once per
distinct level and then looks up seven numbers per element, without waiting for the device (no `item`, no boolean
indexing) and without a graph break.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline
from torch.nn import functional

from vae_mf.models.tensors import Latents

MINIMUM_BIN = 1e-3
"""Smallest width and height of a bin, as a fraction of the interval; `bins` must stay below its inverse."""
MINIMUM_DERIVATIVE = 1e-3
"""Smallest derivative at a knot."""
UNIT_DERIVATIVE = math.log(math.expm1(1 - MINIMUM_DERIVATIVE))
"""Unconstrained derivative that stands for the derivative 1; with equal widths and heights it gives the identity."""
KnotTable = Float[torch.Tensor, "*layers 7 levels latents bins"]
"""Seven numbers per bin, in the order of `Bin`."""
Bins = Float[torch.Tensor, "*layers levels latents bins"]
"""Unconstrained widths or heights of the bins."""
InnerKnots = Float[torch.Tensor, "*layers levels latents bins-1"]
"""Unconstrained derivatives at the knots between the bins."""
Levels = Int64[torch.Tensor, " batch"]
"""Level of each row."""


class SplineOutput(NamedTuple):
    """Image of a point and the logarithm of the derivative there."""

    value: Latents
    log_derivative: Latents


class Bin(NamedTuple):
    """The bin that holds each element: lower left corner, size, and the derivatives d_0, s = height / width, d_1."""

    left: torch.Tensor
    bottom: torch.Tensor
    width: torch.Tensor
    height: torch.Tensor
    derivative_left: torch.Tensor
    slope: torch.Tensor
    derivative_right: torch.Tensor


def knot_table(widths: Bins, heights: Bins, derivatives: InnerKnots, bound: float) -> KnotTable:
    """Return the bins of every spline from its unconstrained parameters.

    With ε = 10⁻³ and K bins: sizes are 2 bound (ε + (1 - K ε) softmax), derivatives ε + softplus, and 1 at both ends.
    """
    shares = torch.stack((widths, heights), dim=-4).softmax(-1)
    shares = MINIMUM_BIN + (1 - MINIMUM_BIN * widths.shape[-1]) * shares
    inner = 2 * bound * shares.cumsum(-1)[..., :-1] - bound
    corners = functional.pad(inner, (1, 0), value=-bound)
    sizes = functional.pad(inner, (0, 1), value=bound) - corners
    width, height = sizes.unbind(-4)
    ends = MINIMUM_DERIVATIVE + functional.softplus(derivatives)
    left = functional.pad(ends, (1, 0), value=1.0)
    right = functional.pad(ends, (0, 1), value=1.0)
    return torch.cat((corners, sizes, torch.stack((left, height / width, right), dim=-4)), dim=-4)


def spline(
    x: Latents, table: Float[torch.Tensor, "7 levels latents bins"], index: Levels, bound: float
) -> SplineOutput:
    """Map every element of ``x`` through the spline of its row's level and its own latent dimension.

    With ξ = (x - x_0) / w in a bin of width w, height h and slope s, equations 4 and 5:
    y = y_0 + h ξ (s ξ + d_0 (1 - ξ)) / β,  dy/dx = s² (d_1 ξ² + 2 s ξ (1 - ξ) + d_0 (1 - ξ)²) / β²,
    β = s + (d_0 + d_1 - 2 s) ξ (1 - ξ).
    """
    clamped = x.clamp(-bound, bound)
    bins = _look_up(table, table[0], clamped, index)
    position = (clamped - bins.left) / bins.width
    y, log_derivative = _evaluate(bins, position)
    # What the clamp cut off comes back here, which makes the tails the identity without a mask.
    return SplineOutput(y + (x - clamped), log_derivative)


def inverse_spline(
    y: Latents, table: Float[torch.Tensor, "7 levels latents bins"], index: Levels, bound: float
) -> SplineOutput:
    """Map every element of ``y`` back through its spline; the log-derivative is that of the inverse.

    With η = (y - y_0) / h, the root in [0, 1] of a ξ² + b ξ - s η = 0 (equations 6-8 divided by h), where
    b = d_0 - η (d_0 + d_1 - 2 s) and a = s - b.
    """
    clamped = y.clamp(-bound, bound)
    bins = _look_up(table, table[1], clamped, index)
    position = _invert(bins, (clamped - bins.bottom) / bins.height)
    x = torch.addcmul(bins.left, bins.width, position)
    return SplineOutput(x + (y - clamped), -_evaluate(bins, position).log_derivative)


def reference_spline(
    x: Latents,
    widths: Float[torch.Tensor, "levels latents bins"],
    heights: Float[torch.Tensor, "levels latents bins"],
    derivatives: Float[torch.Tensor, "levels latents bins-1"],
    index: Levels,
    bound: float,
    inverse: bool = False,
) -> SplineOutput:
    """Map ``x`` through the same splines with nflows, which rebuilds the knots of every row."""
    value, log_derivative = unconstrained_rational_quadratic_spline(
        x, widths[index], heights[index], derivatives[index], inverse=inverse, tails="linear", tail_bound=bound
    )
    return SplineOutput(value, log_derivative)


def _look_up(table: torch.Tensor, edges: torch.Tensor, values: torch.Tensor, index: torch.Tensor) -> Bin:
    """Return the bin of each value; ``edges`` are the lower edges of the bins, shape (levels, latents, bins)."""
    levels, latents, bins = edges.shape
    row = latents * index[:, None] + torch.arange(latents, device=index.device)
    # The first edge is left out: a value below it belongs to the first bin all the same.
    inner = functional.embedding(row, edges.detach()[..., 1:].reshape(levels * latents, bins - 1))
    column = bins * row + torch.searchsorted(inner, values.detach()[..., None], right=True)[..., 0]
    # Selecting columns has a far cheaper backward pass than gathering rows with `embedding`.
    return Bin(*table.flatten(1).index_select(1, column.flatten()).view(-1, *column.shape).unbind(0))


def _evaluate(bins: Bin, position: torch.Tensor) -> SplineOutput:
    """Return y and log dy/dx at a relative position ξ in [0, 1] of each bin.

    The three quadratics of equations 4 and 5 interpolate between two chords, so they stay positive in any precision.
    """
    left = torch.lerp(bins.derivative_left, bins.slope, position)
    right = torch.lerp(bins.slope, bins.derivative_right, position)
    denominator = torch.lerp(right, left, position)
    value = torch.addcmul(bins.bottom, bins.height, position * left / denominator)
    derivative = torch.lerp(left, right, position) * (bins.slope / denominator).square()
    return SplineOutput(value, derivative.log())


def _invert(bins: Bin, fraction: torch.Tensor) -> torch.Tensor:
    """Return the relative position ξ at which each bin reaches a fraction η of its height."""
    d_0, s, d_1 = bins.derivative_left, bins.slope, bins.derivative_right
    b = d_0 - fraction * (d_0 + d_1 - 2 * s)
    # Never seen below zero in eager float32 (10⁷ adverse cases); a compiler that fuses the sum may round differently.
    root = (b.square() + 4 * (s - b) * s * fraction).clamp(min=0).sqrt()
    # Two forms of the same root: each is used where it adds numbers of one sign, so its denominator is never zero.
    numerator = torch.where(b > 0, 2 * s * fraction, root - b)
    denominator = torch.where(b > 0, b + root, 2 * (s - b))
    return (numerator / denominator).clamp(0, 1)
