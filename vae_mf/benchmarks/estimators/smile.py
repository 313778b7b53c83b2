"""The smoothed bound: a classifier's log-ratio in the bound of Donsker and Varadhan, clipped under the reference."""

import numpy as np
import torch
from jaxtyping import Float, Shaped

from vae_mf.benchmarks.estimators.density_ratio import classifier
from vae_mf.benchmarks.estimators.ratio_network import DEFAULT, Settings, held_out, inputs_of
from vae_mf.rng import integer
from vae_mf.statistics.averages import Average
from vae_mf.statistics.tilt import donsker_varadhan

CLIPPED = 5.0
"""Largest magnitude τ of a log-ratio under the reference."""


def smile(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    settings: Settings = DEFAULT,
) -> Average:
    """Return <T>_p - ln <exp clip(T, -τ, τ)>_q of held-out rows in nats (Song and Ermon 2020), own implementation."""
    inputs = inputs_of(rows, given)
    model = classifier(inputs, settings)
    test = held_out(inputs)
    generator = torch.Generator().manual_seed(integer(settings.seed, "held-out reference"))
    with torch.no_grad():
        own = model(inputs.joined(inputs.columns[test], test))[:, 0]
        other = model(inputs.joined(inputs.reference_columns(test, generator), test))[:, 0]
    return donsker_varadhan(own.double().numpy(), other.clamp(-CLIPPED, CLIPPED).double().numpy())
