"""Symmetric 3 x 3 tensors: closed-form eigenvalues, and the traceless ones as vectors of five components.

The basis E_1..E_5 is orthonormal, E_i : E_j = δ_ij, so that rotations of space are rotations of the five components and
Tr(A B) = a · b. The components of n nᵀ - I/3 are the same for n and -n.
"""

import math

import torch
from jaxtyping import Float

Matrices = Float[torch.Tensor, "... 3 3"]
"""Symmetric matrices, or rotations with the axes as columns."""
Eigenvalues = Float[torch.Tensor, "... 3"]

Components = Float[torch.Tensor, "... 5"]
"""Components of a symmetric traceless tensor: xy, xz, yz, x² - y², 3z² - r²."""


def director_components(directors: Float[torch.Tensor, "... 3"]) -> Components:
    """Return the components of n nᵀ - I/3, of length √(2/3), for unit vectors n.

    >>> n = torch.tensor([0.0, 0.0, 1.0])
    >>> torch.equal(director_components(n), director_components(-n))
    True
    """
    x, y, z = directors.unbind(-1)
    root = 2**0.5
    diagonal = (x * x - y * y) / root, (2 * z * z - x * x - y * y) / 6**0.5
    return torch.stack([root * x * y, root * x * z, root * y * z, *diagonal], dim=-1)


def traceless_matrix(components: Components) -> Matrices:
    """Return Σ_k b_k E_k.

    >>> n = torch.tensor([0.6, 0.0, 0.8])
    >>> traceless_matrix(director_components(n)).allclose(n[:, None] * n - torch.eye(3) / 3)
    True
    """
    xy, xz, yz, planar, axial = components.unbind(-1)
    xy, xz, yz, planar, axial = xy / 2**0.5, xz / 2**0.5, yz / 2**0.5, planar / 2**0.5, axial / 6**0.5
    entries = [planar - axial, xy, xz, xy, -planar - axial, yz, xz, yz, 2 * axial]
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def tensor_components(matrix: Matrices) -> Components:
    """Return the five components of the traceless part of symmetric matrices, as `traceless_matrix` takes them.

    >>> tensor_components(traceless_matrix(torch.arange(5.0))).round(decimals=4)
    tensor([0., 1., 2., 3., 4.])
    """
    xx, yy, zz = matrix.diagonal(dim1=-2, dim2=-1).unbind(-1)
    root = 2**0.5
    entries = [root * matrix[..., 0, 1], root * matrix[..., 0, 2], root * matrix[..., 1, 2]]
    return torch.stack([*entries, (xx - yy) / root, (2 * zz - xx - yy) / 6**0.5], dim=-1)


def conjugate(rotation: Matrices, diagonal: Eigenvalues) -> Matrices:
    """Return R diag(d) Rᵀ."""
    return (rotation[..., :, None, :] * rotation[..., None, :, :] * diagonal[..., None, None, :]).sum(-1)


def symmetric_eigenvalues(matrix: Matrices) -> Eigenvalues:
    """Return the eigenvalues in ascending order, in closed form: nothing waits for the device.

    With r A the traceless part and |A| = 1, the tensor C = √6 (A² - I/3) has |C| = 1 too and A : C = cos 3θ, where
    λ_k = Tr / 3 + √(2/3) r cos(θ - 2πk/3). Taken as 2 atan2(|A - C|, |A + C|), the angle 3θ between the two keeps all
    digits at equal eigenvalues, where the arc cosine loses half of them.

    Symmetric functions of the eigenvalues get exact gradients through this at any matrix, and second derivatives where
    no two eigenvalues coincide.
    """
    identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    mean = matrix.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
    traceless = matrix - mean[..., None] * identity
    radius = torch.linalg.vector_norm(traceless, dim=(-2, -1), keepdim=True)
    unit = traceless / radius.clamp(min=torch.finfo(matrix.dtype).tiny)
    square = 6**0.5 * ((unit[..., :, :, None] * unit[..., None, :, :]).sum(-2) - identity / 3)
    apart, along = (torch.linalg.vector_norm(part, dim=(-2, -1)) for part in (unit - square, unit + square))
    angle = 2 / 3 * torch.atan2(apart, along)
    # k = -1, 1, 0 are in ascending order for θ from 0 to π/3.
    cosines = torch.stack([torch.cos(angle - 2 * math.pi * k / 3) for k in (-1, 1, 0)], dim=-1)
    return mean + (2 / 3) ** 0.5 * radius[..., 0] * cosines
