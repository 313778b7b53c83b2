"""The density of a Gaussian mixture and its gradient on a processor: compiled loops over rows, levels and components.

Each row meets the matrices of its own level alone, of which nothing but the triangle is read; products of matrices, as
an accelerator wants them, multiply ten times as many numbers at ten temperatures. The innermost loops, which run in
vectors, go over the rows where there is one level, and else over the components.
"""

import math
from typing import Any

import numpy as np
import torch

from vae_mf.kernels import kernel
from vae_mf.models.posterior import HALF_LOG_2_PI
from vae_mf.models.priors.mixture import MixtureOutputs, components_of, log_volumes
from vae_mf.models.priors.splines import Levels
from vae_mf.models.tensors import Latents, PerSample

LICENCES = {"contract", "nsz", "arcp", "reassoc"}
"""Floating-point licences of the loops, in which nothing counts on an order of sums."""
BIT = math.log(2)
"""Unit of the logarithms of terms: a processor takes powers of two in a quarter of the time of those of e."""
NOTHING = 90
"""Bits below the highest term at which a term is taken for none: a processor is slow with subnormal numbers."""
BLOCK = 512
"""Rows over which the loops of one level run in vectors before those of the next component, all within the cache."""


def log_density(z: Latents, index: Levels, outputs: MixtureOutputs) -> PerSample:
    """Return log Σ_k w_k |A_k| Normal(A_k (z - μ_k); 0, I) of rows z, the parameters being those of each row's level.

    Args:
        z: rows.
        index: level of every row.
        outputs: what `components_of` makes weights w, means μ and lower triangular matrices A of.
    """
    return Density.apply(z.contiguous(), index.contiguous(), outputs.contiguous())


class Density(torch.autograd.Function):
    """The density of rows, whose gradient is that of the logarithms of its terms times their shares in the sum."""

    @staticmethod
    def forward(ctx: Any, z, index, outputs) -> torch.Tensor:
        """Return the density of every row."""
        levels, components, width = outputs.shape
        # Of both the index of the innermost loops is the last in memory.
        if levels == 1:
            parts = torch.empty_like(outputs).transpose(1, 2)
            terms = z.new_empty(components, len(z)).t()
        else:
            parts = outputs.new_empty(levels, width, components)
            terms = z.new_empty(len(z), components)
        arrange(*arrays(outputs, parts))
        if levels == 1:
            write_terms_of_one(*arrays(z.t().contiguous(), parts[0].t(), terms.t()))
        else:
            write_terms(*arrays(z, index, parts, terms))
        highest = terms.amax(-1, keepdim=True)
        shares = torch.threshold_(terms.sub_(highest), -NOTHING, -math.inf).exp2_()
        total = shares.sum(-1, keepdim=True)
        ctx.save_for_backward(z, index, outputs, parts, shares, total)
        return (BIT * (total.log2() + highest))[:, 0]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients by rows and outputs; those that shall be derived again come without loops."""
        z, index, outputs, parts, shares, total = ctx.saved_tensors
        if torch.is_grad_enabled():
            with_gradient = [each for each in (z, outputs) if each.requires_grad]
            again = by_rows(z, index, outputs)
            found = iter(torch.autograd.grad(again, with_gradient, gradient, create_graph=True))
            return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)
        factors = gradient / total[:, 0]
        by_parts = torch.zeros_like(parts)
        if len(outputs) == 1:
            by_z = z.new_zeros(z.shape[::-1]).t()
            given = z.t().contiguous(), parts[0].t(), shares.t(), factors
            add_gradients_of_one(*arrays(*given, by_z.t(), by_parts[0].t()))
        else:
            by_z = torch.empty_like(z)
            add_gradients(*arrays(z, index, parts, shares, factors, by_z, by_parts))
        by_outputs = torch.empty_like(outputs)
        take_apart(*arrays(outputs, parts, by_parts, by_outputs))
        return by_z, None, by_outputs


def by_rows(z, index, outputs) -> torch.Tensor:
    """Return the density by PyTorch, with the parameters of every row in memory."""
    log_weights, means, whitening = components_of(outputs)
    distances = z[:, None, :] - means[index]
    whitened = (whitening[index] * distances[:, :, None, :]).sum(-1)
    constants = log_weights + log_volumes(whitening)
    return torch.logsumexp(constants[index] - whitened.square().sum(-1) / 2, -1)


def arrays(*tensors: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Return the arrays that share the memory of tensors."""
    return tuple(tensor.detach().numpy() for tensor in tensors)


@kernel(error_model="numpy")
def arrange(outputs, parts):
    """Write the parts of a density, shape (levels, 1 + d + d², components).

    Of every level they are, line by line, log₂ w |A| / (2π)^{d/2}, the d coordinates of μ, and the d² entries of A.
    """
    levels, components, width = outputs.shape
    latents = int(math.sqrt(width))
    for level in range(levels):
        weight = log_total(outputs[level])
        for k in range(components):
            own = outputs[level, k]
            volume = -latents * HALF_LOG_2_PI
            for entry in range(1, width):
                parts[level, entry, k] = own[entry]
            for i in range(latents):
                diagonal = 1 + latents + i * (latents + 1)
                volume += own[diagonal]
                parts[level, diagonal, k] = math.exp(own[diagonal])
            parts[level, 0, k] = (own[0] - weight + volume) / BIT


@kernel(error_model="numpy")
def take_apart(outputs, parts, by_parts, by_outputs):
    """Write the gradient by the outputs from that by the parts of a density, that by the first part being in nats."""
    levels, components, width = outputs.shape
    latents = int(math.sqrt(width))
    for level in range(levels):
        weight = log_total(outputs[level])
        total = by_parts[level, 0].sum()
        for k in range(components):
            by_own, by_constant = by_outputs[level, k], by_parts[level, 0, k]
            by_own[0] = by_constant - math.exp(outputs[level, k, 0] - weight) * total
            for entry in range(1, width):
                by_own[entry] = by_parts[level, entry, k]
            for i in range(latents):
                diagonal = 1 + latents + i * (latents + 1)
                by_own[diagonal] = by_constant + by_own[diagonal] * parts[level, diagonal, k]


@kernel(error_model="numpy", inline="always")
def log_total(outputs):
    """Return the logarithm of the sum of all exponentials of logits, the first output of every component."""
    highest, total = -np.inf, 0.0
    for k in range(len(outputs)):
        highest = max(highest, outputs[k, 0])
    for k in range(len(outputs)):
        total += math.exp(outputs[k, 0] - highest)
    return highest + math.log(total)


@kernel(fastmath=LICENCES, error_model="numpy")
def write_terms(z, index, parts, terms):
    """Write log₂ w_k |A_k| Normal(A_k (z - μ_k); 0, I) of every row, shape (rows, components)."""
    rows, latents = z.shape
    components = terms.shape[1]
    distances = np.empty((latents, components), z.dtype)
    whitened = np.empty(components, z.dtype)
    half = z.dtype.type(0.5 / BIT)
    for row in range(rows):
        part, own = parts[index[row]], terms[row]
        constant = part[0]
        for k in range(components):
            own[k] = constant[k]
        for i in range(latents):
            whiten(z[row, i], part, i, distances, whitened)
            for k in range(components):
                own[k] -= half * whitened[k] * whitened[k]


@kernel(fastmath=LICENCES, error_model="numpy")
def add_gradients(z, index, parts, shares, factors, by_z, by_parts):
    """Write the gradient by the rows and add to that by the parts; by the terms of a row it is its factor times shares.

    Nothing is added above the diagonals of A.
    """
    rows, latents = z.shape
    components = shares.shape[1]
    distances = np.empty((latents, components), z.dtype)
    back = np.empty((latents, components), z.dtype)
    whitened = np.empty(components, z.dtype)
    share = np.empty(components, z.dtype)
    for row in range(rows):
        part, by_part = parts[index[row]], by_parts[index[row]]
        by_constant = by_part[0]
        for k in range(components):
            share[k] = factors[row] * shares[row, k]
            by_constant[k] += share[k]
        back[:] = 0
        for i in range(latents):
            whiten(z[row, i], part, i, distances, whitened)
            for k in range(components):
                whitened[k] *= share[k]
            first = 1 + latents + i * latents
            for j in range(i + 1):
                entry, by_entry, distance, towards = part[first + j], by_part[first + j], distances[j], back[j]
                for k in range(components):
                    by_entry[k] -= whitened[k] * distance[k]
                    towards[k] += whitened[k] * entry[k]
        for i in range(latents):
            towards, by_mean = back[i], by_part[1 + i]
            total = z.dtype.type(0)
            for k in range(components):
                by_mean[k] += towards[k]
                total += towards[k]
            by_z[row, i] = -total


@kernel(fastmath=LICENCES, error_model="numpy", inline="always")
def whiten(coordinate, part, i, distances, whitened):
    """Write line i of z - μ_k and of A_k (z - μ_k), for all components."""
    latents, components = distances.shape
    first = 1 + latents + i * latents
    distance, mean, entry = distances[i], part[1 + i], part[first + i]
    for k in range(components):
        distance[k] = coordinate - mean[k]
        whitened[k] = entry[k] * distance[k]
    for j in range(i):
        entry, distance = part[first + j], distances[j]
        for k in range(components):
            whitened[k] += entry[k] * distance[k]


@kernel(fastmath=LICENCES, error_model="numpy")
def write_terms_of_one(lines, parts, terms):
    """Write the terms of rows of one level: as `write_terms`, but with the last two indices of all arrays exchanged."""
    latents, rows = lines.shape
    distances = np.empty((latents, BLOCK), lines.dtype)
    whitened = np.empty(BLOCK, lines.dtype)
    half = lines.dtype.type(0.5 / BIT)
    for first in range(0, rows, BLOCK):
        size = min(BLOCK, rows - first)
        for k in range(len(terms)):
            part, own = parts[k], terms[k, first : first + size]
            own[:] = part[0]
            for i in range(latents):
                whiten_block(lines[i, first : first + size], part, i, distances, whitened)
                for r in range(size):
                    own[r] -= half * whitened[r] * whitened[r]


@kernel(fastmath=LICENCES, error_model="numpy")
def add_gradients_of_one(lines, parts, shares, factors, by_lines, by_parts):
    """Add to the gradients by rows and parts of one level: as `add_gradients`, with the last two indices exchanged."""
    latents, rows = lines.shape
    distances = np.empty((latents, BLOCK), lines.dtype)
    back = np.empty((latents, BLOCK), lines.dtype)
    whitened = np.empty(BLOCK, lines.dtype)
    share = np.empty(BLOCK, lines.dtype)
    for first in range(0, rows, BLOCK):
        size = min(BLOCK, rows - first)
        factor = factors[first : first + size]
        for k in range(len(shares)):
            part, by_part, own = parts[k], by_parts[k], shares[k, first : first + size]
            total = lines.dtype.type(0)
            for r in range(size):
                share[r] = factor[r] * own[r]
                total += share[r]
            by_part[0] += total
            for i in range(latents):
                back[i, :size] = 0
                whiten_block(lines[i, first : first + size], part, i, distances, whitened)
                for r in range(size):
                    whitened[r] *= share[r]
                for j in range(i + 1):
                    place, distance, towards = 1 + latents * (1 + i) + j, distances[j], back[j]
                    entry = part[place]
                    total = lines.dtype.type(0)
                    for r in range(size):
                        total += whitened[r] * distance[r]
                        towards[r] += whitened[r] * entry
                    by_part[place] -= total
            for i in range(latents):
                towards, by_line = back[i], by_lines[i, first : first + size]
                total = lines.dtype.type(0)
                for r in range(size):
                    total += towards[r]
                    by_line[r] -= towards[r]
                by_part[1 + i] += total


@kernel(fastmath=LICENCES, error_model="numpy", inline="always")
def whiten_block(line, part, i, distances, whitened):
    """Write coordinate i of z - μ and of A (z - μ) of one component, for the rows of a block."""
    latents = len(distances)
    mean, entry, distance = part[1 + i], part[1 + latents * (1 + i) + i], distances[i]
    for r in range(len(line)):
        distance[r] = line[r] - mean
        whitened[r] = entry * distance[r]
    for j in range(i):
        entry, distance = part[1 + latents * (1 + i) + j], distances[j]
        for r in range(len(line)):
            whitened[r] += entry * distance[r]
