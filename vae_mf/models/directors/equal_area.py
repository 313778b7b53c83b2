"""Directors as points of a disc, four bytes to a director: Lambert's map of the hemisphere, which keeps areas.

A director is n or -n, whichever has z >= 0. The map (x, y) sqrt(2 / (1 + z)) onto the disc of radius sqrt(2), and the
way back, make no length longer than sqrt(2) times itself; coordinates are rounded to multiples of 4e-5.
"""

import math

import torch
from jaxtyping import Float, Int16

UNIT = math.sqrt(2) / (2**15 - 1)
"""Multiple to which a coordinate on the disc is rounded."""


def to_disc(directors: Float[torch.Tensor, "*batch 3"]) -> Int16[torch.Tensor, "*batch 2"]:
    """Return the points of directors, in multiples of `UNIT`.

    >>> to_disc(torch.tensor([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])).tolist()
    [[0, 0], [32767, 0]]
    """
    upper = torch.where(directors[..., 2:] < 0, -directors, directors)
    scale = (2 / (1 + upper[..., 2:])).sqrt() / UNIT
    return (upper[..., :2] * scale).round().to(torch.int16)


def from_disc(points: Int16[torch.Tensor, "*batch 2"]) -> Float[torch.Tensor, "*batch 3"]:
    """Return the directors of points, of length 1 to the rounding of single precision.

    >>> from_disc(torch.tensor([[0, 0]], dtype=torch.int16))
    tensor([[0., 0., 1.]])
    """
    plane = points.float() * UNIT
    squares = plane.square().sum(-1, keepdim=True)
    return torch.cat([plane * (1 - squares / 4).sqrt(), 1 - squares / 2], -1)
