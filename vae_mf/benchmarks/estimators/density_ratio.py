"""One density ratio between rows and their independent reference, by a classifier that tells them apart."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import nn

from vae_mf.benchmarks.estimators.ratio_network import (
    DEFAULT,
    Inputs,
    Settings,
    fit,
    held_out,
    inputs_of,
    mean_of,
    network,
)
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average


def density_ratio(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    settings: Settings = DEFAULT,
) -> Average:
    """Return the mean log-ratio of held-out rows in nats by one classifier (Sugiyama, Suzuki and Kanamori 2012)."""
    inputs = inputs_of(rows, given)
    model = classifier(inputs, settings)
    test = held_out(inputs)
    with torch.no_grad():
        return mean_of(model(inputs.joined(inputs.columns[test], test))[:, 0])


def classifier(inputs: Inputs, settings: Settings) -> nn.Module:
    """Return a network whose output is the log-odds of a row against one of the reference."""
    model = network(inputs.width, 1, settings)
    generator = torch.Generator().manual_seed(integer(settings.seed, "reference"))

    def loss(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
        own = model(inputs.joined(inputs.columns[rows], rows))
        other = model(inputs.joined(inputs.reference_columns(rows, generator), rows))
        return F.softplus(-own).mean() + F.softplus(other).mean()

    fit(model, inputs, loss, settings)
    return model
