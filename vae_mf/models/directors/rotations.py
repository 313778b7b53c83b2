"""Rotations of space, from quaternions."""

import torch
from jaxtyping import Float


def rotation_matrices(quaternions: Float[torch.Tensor, "batch 4"]) -> Float[torch.Tensor, "batch 3 3"]:
    """Return the rotations of unit quaternions (w, x, y, z).

    >>> rotation_matrices(torch.tensor([[0.0, 0.0, 0.0, 1.0]])).diagonal(dim1=1, dim2=2)
    tensor([[-1., -1.,  1.]])
    """
    w, x, y, z = quaternions.unbind(-1)
    entries = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(entries, dim=-1).view(-1, 3, 3)
