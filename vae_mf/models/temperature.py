"""Networks of the temperature, whose features are ln T and 1/T."""

import torch
from jaxtyping import Float
from torch import nn

from vae_mf.checks import require_integer

UNCONDITIONED = 1.0
"""Temperature that rows without one have, in the training of a model and in its tables."""


def temperature_features(
    temperatures: Float[torch.Tensor, " levels"], like: torch.Tensor
) -> Float[torch.Tensor, "levels 2"]:
    """Return ln T and 1/T of every temperature, shape (levels, 2), in the precision of ``like``.

    >>> temperature_features(torch.tensor([1.0, 2.0]), like=torch.zeros(1))
    tensor([[0.0000, 1.0000],
            [0.6931, 0.5000]])
    """
    temperatures = temperatures.to(like.dtype)
    return torch.stack((temperatures.log(), temperatures.reciprocal()), dim=-1)


def thermal_network(hidden: int, start: Float[torch.Tensor, " outputs"]) -> nn.Sequential:
    """Return a network of `temperature_features` with two hidden layers whose output starts at ``start``.

    >>> thermal_network(8, torch.ones(3))(torch.zeros(2, 2)).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    width = require_integer("hidden", hidden)
    output = nn.Linear(width, len(start))
    nn.init.zeros_(output.weight)
    with torch.no_grad():
        output.bias.copy_(start)
    return nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), output)


def full_precision(like: torch.Tensor) -> torch.autocast:
    """Return a context in which autocast lowers nothing on the device of ``like``.

    Half precision costs up to 2.2 nats per log-derivative.
    """
    return torch.autocast(device_type=like.device.type, enabled=False)
