"""The variational bound of Donsker and Varadhan with a network, as in mutual information neural estimation."""

import math

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import nn

from vae_mf.benchmarks.estimators.ratio_network import DEFAULT, Settings, fit, held_out, inputs_of, network
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.tilt import donsker_varadhan


def mine(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    settings: Settings = DEFAULT,
) -> Average:
    """Return <T>_p - ln <exp T>_q of held-out rows in nats (Belghazi et al. 2018), own implementation.

    Batches are as they come: the gradient of the logarithm has the bias of a batch.
    """
    inputs = inputs_of(rows, given)
    model = network(inputs.width, 1, settings)
    generator = torch.Generator().manual_seed(integer(settings.seed, "reference"))

    def loss(model: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        own = model(inputs.joined(inputs.columns[chosen], chosen))
        other = model(inputs.joined(inputs.reference_columns(chosen, generator), chosen))
        return torch.logsumexp(other[:, 0], 0) - math.log(len(chosen)) - own.mean()

    fit(model, inputs, loss, settings)
    test = held_out(inputs)
    with torch.no_grad():
        own = model(inputs.joined(inputs.columns[test], test))[:, 0]
        other = model(inputs.joined(inputs.reference_columns(test, generator), test))[:, 0]
    return donsker_varadhan(own.double().numpy(), other.double().numpy())
