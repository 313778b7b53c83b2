"""The density of a Gaussian mixture and its gradient on a processor: compiled loops over rows, levels and components.

Each row meets the matrices of its own level alone, of which nothing but the triangle is read; products of matrices, as
an accelerator wants them, multiply ten times as many numbers at ten temperatures.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.kernels import kernel
from vae_mf.models.priors.splines import Levels
from vae_mf.models.tensors import Latents, PerSample

LICENCES = {"contract", "nsz", "arcp", "reassoc"}
"""Floating-point licences of the loops, in which nothing counts on an order of sums."""


def log_density(
    z: Latents,
    index: Levels,
    constants: Float[torch.Tensor, "levels components"],
    means: Float[torch.Tensor, "levels components latents"],
    whitening: Float[torch.Tensor, "levels components latents latents"],
) -> PerSample:
    """Return log Σ_k exp(c_k - |A_k (z - μ_k)|²/2) of rows z, the parameters being those of each row's level.

    Args:
        z: rows.
        index: level of every row.
        constants: c, logarithms of a weight times the height of its component.
        means: μ.
        whitening: lower triangular matrices A, above whose diagonal nothing is read.
    """
    # Components last, over which the loops run in vectors.
    arranged = means.mT.contiguous(), whitening.permute(0, 2, 3, 1).contiguous()
    return Density.apply(z.contiguous(), index.contiguous(), constants, *arranged)


class Density(torch.autograd.Function):
    """The density of rows, whose gradient is that of the logarithms of its terms times their shares in the sum."""

    @staticmethod
    def forward(ctx: Any, z, index, constants, means, whitening) -> torch.Tensor:
        """Return the density of every row."""
        terms = constants[index]
        subtract_squares(*arrays(z, index, means, whitening, terms))
        density = torch.logsumexp(terms, -1)
        ctx.save_for_backward(z, index, constants, means, whitening, terms, density)
        return density

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients by the rows and the parameters; those that shall be derived again come without loops."""
        z, index, constants, means, whitening, terms, density = ctx.saved_tensors
        if torch.is_grad_enabled():
            with_gradient = [each for each in (z, constants, means, whitening) if each.requires_grad]
            again = by_rows(z, index, constants, means, whitening)
            found = iter(torch.autograd.grad(again, with_gradient, gradient, create_graph=True))
            return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)
        shares = torch.sub(terms, density[:, None]).exp_().mul_(gradient[:, None])
        by_z = torch.empty_like(z)
        by_parts = [torch.zeros_like(part) for part in (constants, means, whitening)]
        add_gradients(*arrays(z, index, means, whitening, shares, by_z, *by_parts))
        return by_z, None, *by_parts


def by_rows(z, index, constants, means, whitening) -> torch.Tensor:
    """Return the density by PyTorch, with the parameters of every row in memory."""
    distances = z[:, :, None] - means[index]
    whitened = (whitening[index].tril() * distances[:, None]).sum(2)
    return torch.logsumexp(constants[index] - whitened.square().sum(1) / 2, -1)


def arrays(*tensors: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return the arrays that share the memory of tensors."""
    return tuple(tensor.detach().numpy() for tensor in tensors)


@kernel(fastmath=LICENCES, error_model="numpy")
def subtract_squares(z, index, means, whitening, terms):
    """Take |A_k (z - μ_k)|²/2 from the terms of every row, shape (rows, components)."""
    rows, latents = z.shape
    components = terms.shape[1]
    distances = np.empty((latents, components), z.dtype)
    whitened = np.empty(components, z.dtype)
    half = z.dtype.type(0.5)
    for row in range(rows):
        mean, matrix, own = means[index[row]], whitening[index[row]], terms[row]
        for i in range(latents):
            whiten(z[row, i], mean[i], matrix[i], i, distances, whitened)
            for k in range(components):
                own[k] -= half * whitened[k] * whitened[k]


@kernel(fastmath=LICENCES, error_model="numpy")
def add_gradients(z, index, means, whitening, shares, by_z, by_constants, by_means, by_whitening):
    """Write the gradient by the rows and add to those by the parameters; shares are the gradients by the terms."""
    rows, latents = z.shape
    components = shares.shape[1]
    distances = np.empty((latents, components), z.dtype)
    back = np.empty((latents, components), z.dtype)
    whitened = np.empty(components, z.dtype)
    for row in range(rows):
        level, share = index[row], shares[row]
        mean, matrix, by_matrix, constant = means[level], whitening[level], by_whitening[level], by_constants[level]
        for k in range(components):
            constant[k] += share[k]
        back[:] = 0
        for i in range(latents):
            whiten(z[row, i], mean[i], matrix[i], i, distances, whitened)
            for k in range(components):
                whitened[k] *= share[k]
            for j in range(i + 1):
                entry, by_entry, distance, towards = matrix[i, j], by_matrix[i, j], distances[j], back[j]
                for k in range(components):
                    by_entry[k] -= whitened[k] * distance[k]
                    towards[k] += whitened[k] * entry[k]
        for i in range(latents):
            towards, by_mean = back[i], by_means[level, i]
            total = z.dtype.type(0)
            for k in range(components):
                by_mean[k] += towards[k]
                total += towards[k]
            by_z[row, i] = -total


@kernel(fastmath=LICENCES, error_model="numpy", inline="always")
def whiten(coordinate, mean, matrix, i, distances, whitened):
    """Write line i of z - μ_k and of A_k (z - μ_k), for all components."""
    components = len(whitened)
    distance, entry = distances[i], matrix[i]
    for k in range(components):
        distance[k] = coordinate - mean[k]
        whitened[k] = entry[k] * distance[k]
    for j in range(i):
        entry, distance = matrix[j], distances[j]
        for k in range(components):
            whitened[k] += entry[k] * distance[k]
