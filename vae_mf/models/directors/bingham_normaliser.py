"""Normaliser of the Bingham distribution on the sphere and its derivatives, from the eigenvalues of B.

With λ_1 ≤ λ_2 ≤ λ_3, D = λ_3 - λ_1, a = λ_3 - λ_2, and u the component of x along the axis of λ_1,
    c = ∫ dx e^{xᵀ B x} = 4π e^{λ_3} ∫_0^1 du e^{-D u²} i0e(k),   k = a (1 - u²) / 2,   i0e(k) = e^{-k} I_0(k).
About the axis of the *smallest* eigenvalue, and no other, the integrand is a Gaussian of known width times a function
that varies slowly wherever the Gaussian matters: ten Gauss-Legendre nodes on [0, min(1, 4 / √D)] serve gaps of any
size in float32, and twenty on [0, min(1, 5.8 / √D)] in float64, with errors of the size of rounding. At given u the
azimuth φ about that axis, measured from that of λ_3, has the density e^{k cos 2φ} / (2π I_0(k)), hence
    <x_1²> = <u²>,   <x_2²> = <(1 - u²)(1 - ρ)> / 2,   <x_3²> = <(1 - u²)(1 + ρ)> / 2,   ρ = I_1(k) / I_0(k).
These are the gradient of log c and their covariances its Hessian, all finite where eigenvalues coincide.

Source: Bingham, Annals of Statistics 2 (1974) 1201, for the distribution; the choice of axis and interval is ours.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

NODES = {torch.float32: 10, torch.float64: 20}
REACH = {torch.float32: 4.0, torch.float64: 5.8}
"""Where the Gaussian e^{-D u²} is cut off, in units of 1 / √D."""
UNIT_RULES = {
    dtype: np.multiply(0.5, np.add(np.polynomial.legendre.leggauss(count), [[1], [0]])).tolist()
    for dtype, count in NODES.items()
}
"""Nodes and weights of Gauss-Legendre quadrature on [0, 1]."""
Eigenvalues = Float[torch.Tensor, "... 3"]
"""Eigenvalues of B, in any order."""
Numbers = Float[torch.Tensor, "..."]


def log_normaliser(eigenvalues: Eigenvalues) -> Numbers:
    """Return log c, whose gradient are the `moments`; it can be differentiated twice."""
    return _LogNormaliser.apply(at_least_single(eigenvalues))[0]


def moments(eigenvalues: Eigenvalues) -> Eigenvalues:
    """Return <x_k²> along the principal axes, in the order of the eigenvalues; it can be differentiated once."""
    return _Moments.apply(at_least_single(eigenvalues))


def at_least_single(values: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, "..."]:
    """Return the values in float32, or float64 if they are."""
    return values if values.dtype == torch.float64 else values.float()


class _LogNormaliser(torch.autograd.Function):
    """Log c, and the moments for its own backward pass."""

    generate_vmap_rule = True

    @staticmethod
    def forward(eigenvalues: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ordered, order = eigenvalues.sort(-1)
        law = _quadrature(ordered)
        return law.log_normaliser, _restore(law.moments(), order)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs, output[1])

    @staticmethod
    def backward(ctx, gradient, _):  # type: ignore[override]
        eigenvalues, mean = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated itself
            mean = _Moments.apply(eigenvalues)
        return gradient[..., None] * mean


class _Moments(torch.autograd.Function):
    """Second moments along the axes; their covariances are the Jacobian."""

    generate_vmap_rule = True

    @staticmethod
    def forward(eigenvalues: torch.Tensor) -> torch.Tensor:
        ordered, order = eigenvalues.sort(-1)
        return _restore(_quadrature(ordered).moments(), order)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[override]
        return _CovarianceProduct.apply(*ctx.saved_tensors, gradient)


class _CovarianceProduct(torch.autograd.Function):
    """Product of the covariances of the x_k² with a vector; where derivatives end."""

    generate_vmap_rule = True

    @staticmethod
    def forward(eigenvalues: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        ordered, order = eigenvalues.sort(-1)
        return _restore(_quadrature(ordered).covariance_product(vector.gather(-1, order)), order)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        pass

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[override]
        raise NotImplementedError("log_normaliser: expected at most two derivatives, got a third")


class _Quadrature(NamedTuple):
    """Log c, and the law of u on the nodes, which are the first axis."""

    log_normaliser: torch.Tensor
    terms: torch.Tensor
    """Contributions of the nodes to the integral."""
    total: torch.Tensor
    square: torch.Tensor
    """u²."""
    k: torch.Tensor
    ratio: torch.Tensor
    """ρ = I_1(k) / I_0(k)."""

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return (self.terms * values).sum(0) / self.total

    def deficit(self) -> torch.Tensor:
        """Return 1 - ρ, from its asymptotic series where rounding would cost more than the terms left out."""
        start = torch.finfo(self.k.dtype).eps ** -0.2
        y = self.k.clamp(min=start).reciprocal()
        series = y * (1 / 2 + y * (1 / 8 + y * (1 / 8 + y * 25 / 128)))
        return torch.where(self.k > start, series, 1 - self.ratio)

    def moments(self) -> torch.Tensor:
        """Return <x_k²>, shape (..., 3)."""
        low = self.mean(self.square)
        middle = 0.5 * self.mean((1 - self.square) * self.deficit())
        return torch.stack([low, middle, 1 - low - middle], dim=-1)

    def covariance_product(self, vector: torch.Tensor) -> torch.Tensor:
        """Return Σ_j cov(x_i², x_j²) g_j = m_i (g_i - m · g) + Σ_j <x_i² x_j²> (g_j - g_i), as Σ_j x_j² = 1."""
        ring = 1 - self.square
        # <sin² 2φ> = ρ / k, which tends to 1/2 as k vanishes.
        sine_square = torch.where(self.k > 0, self.ratio / self.k, 0.5)
        low_middle = 0.5 * self.mean(self.square * ring * self.deficit())
        low_high = 0.5 * self.mean(self.square * ring * (1 + self.ratio))
        middle_high = 0.25 * self.mean(ring**2 * sine_square)
        low, middle, high = vector.unbind(-1)
        up, across, top = low_middle * (middle - low), low_high * (high - low), middle_high * (high - middle)
        mean = self.moments()
        own = mean * (vector - (mean * vector).sum(-1, keepdim=True))
        return own + torch.stack([up + across, top - up, -top - across], dim=-1)


def _quadrature(ordered: torch.Tensor) -> _Quadrature:
    """Return log c and the law of u, for eigenvalues in ascending order, shape (..., 3)."""
    low, middle, high = ordered.unbind(-1)
    spread, half_gap = high - low, 0.5 * (high - middle)
    nodes, weights = (part.view(-1, *(1,) * spread.dim()) for part in _gauss_legendre(ordered.dtype, ordered.device))
    end = (REACH[ordered.dtype] * spread.rsqrt()).clamp(max=1)
    square = (end * nodes) ** 2
    k = half_gap * (1 - square)
    bessel = torch.special.i0e(k)
    terms = weights * torch.exp(-spread * square) * bessel
    total = terms.sum(0)
    log_normaliser = high + (4 * math.pi * end * total).log()
    return _Quadrature(log_normaliser, terms, total, square, k, torch.special.i1e(k) / bessel)


@cache
def _gauss_legendre(dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return nodes and weights on [0, 1]; kept, since copies to a device break the capture of CUDA graphs."""
    nodes, weights = torch.tensor(UNIT_RULES[dtype], dtype=dtype, device=device)
    return nodes, weights


def _restore(ordered: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return values of the sorted eigenvalues in the order before sorting."""
    return torch.zeros_like(ordered).scatter(-1, order, ordered)
