"""Telescoping density ratios: waypoints between rows and their reference, each of which has more variables of it."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import nn

from vae_mf.benchmarks.estimators.ratio_network import DEFAULT, Settings, fit, held_out, inputs_of, mean_of, network
from vae_mf.checks import require_integer
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average


def telescoping(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    bridges: int = 8,
    settings: Settings = DEFAULT,
) -> Average:
    """Return the mean of the summed log-ratios of held-out rows in nats (Rhodes, Xu and Gutmann 2020).

    Waypoint k has the first variables from the row and the others from the reference, so that ratio k is that of one
    group of variables given those before it. One network with an output for every ratio is fitted to all of them.

    Raises:
        ValueError: if there is no bridge, or `inputs_of` refuses what is asked.
    """
    require_integer("bridges", bridges)
    inputs = inputs_of(rows, given)
    variables = inputs.columns.shape[1]
    bounds = np.unique(np.linspace(0, variables, min(bridges, variables) + 1).round().astype(int)).tolist()
    model = network(inputs.width, len(bounds) - 1, settings)
    generator = torch.Generator().manual_seed(integer(settings.seed, "reference"))

    def loss(model: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        own = inputs.columns[chosen]
        total = torch.zeros(())
        for bridge, (lower, upper) in enumerate(pairwise(bounds)):
            other = inputs.reference_columns(chosen, generator)
            more = model(inputs.joined(torch.cat([own[:, :upper], other[:, upper:]], 1), chosen))[:, bridge]
            fewer = model(inputs.joined(torch.cat([own[:, :lower], other[:, lower:]], 1), chosen))[:, bridge]
            total = total + F.softplus(-more).mean() + F.softplus(fewer).mean()
        return total

    fit(model, inputs, loss, settings)
    test = held_out(inputs)
    with torch.no_grad():
        return mean_of(model(inputs.joined(inputs.columns[test], test)).sum(1))
