"""Law of a single latent variable: its prior, the aggregated posterior of the data, and exact theory."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import logsumexp
from scipy.stats import norm

from vae_mf.analysis.joint_samples import Configurations
from vae_mf.analysis.latent_potential import linear_mean_field
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.models.base import LinearLogOdds
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE
from vae_mf.statistics.averages import thin
from vae_mf.systems.base import HasFieldWeight, System

POINTS = 801
"""Values of z."""
ROWS = 2000
"""Configurations whose posteriors make up the aggregated one."""
MARGIN = 4.0
"""Posterior deviations beyond the outermost posterior mean."""
Grid = Float[np.ndarray, " points"]


def latent_density_table(vae: VAE, system: System | None, held_out: Configurations) -> pd.DataFrame:
    """Return densities of a single latent z per temperature.

    Columns: temperature, z, ``prior`` p(z|T), ``aggregated`` q(z|T) = <q(z|x,T)> over held-out configurations,
    ``exact``, the law of the Hubbard-Stratonovich field of Curie-Weiss as a linear decoder scales it, NaN for other
    models, and ``mean_field``, the mean of a site given z, averaged over sites.

    Raises:
        ValueError: unless the model has one latent.
    """
    model = TrainedModel(vae)
    parts = {}
    for temperature, configurations in held_out.items():
        parts[temperature] = model.encode(thin(configurations, ROWS, 1), temperature)
        if parts[temperature].mean.shape[1] != 1:
            raise ValueError(f"vae: expected one latent, got {parts[temperature].mean.shape[1]}")
    reach = max(float((np.abs(mean) + MARGIN * deviation).max()) for mean, deviation in parts.values())
    z = np.linspace(-reach, reach, POINTS)
    frames = []
    for temperature, (mean, deviation) in parts.items():
        columns = {
            "prior": prior_density(vae, z, temperature),
            "aggregated": norm.pdf(z[:, None], mean[:, 0], deviation[:, 0]).mean(1),
            "exact": field_density(vae, system, z, temperature),
            "mean_field": model.decode(z[:, None]).mean(1),
        }
        frames.append(pd.DataFrame({"temperature": temperature, "z": z, **columns}))
    return pd.concat(frames, ignore_index=True)


@torch.no_grad()
def prior_density(vae: VAE, z: Grid, temperature: float) -> Grid:
    """Return p(z|T)."""
    like = next(vae.parameters())
    prior = vae.prior(constant_condition(temperature, len(z), like))
    points = torch.as_tensor(z[:, None], dtype=like.dtype, device=like.device)
    return prior.log_prob(points).exp().double().cpu().numpy()


def field_density(vae: VAE, system: System | None, z: Grid, temperature: float) -> Grid:
    """Return the exact density of z for which decoded Curie-Weiss spins follow their law, NaN where it is not known.

    h = w z + b has p(h) ~ exp(-N T h^2 / 2J) (2 cosh h)^N, w and b the weight and field of the decoder's mean site.
    """
    if not (isinstance(system, HasFieldWeight) and isinstance(vae.decoder, LinearLogOdds)):
        return np.full(len(z), np.nan)
    model = linear_mean_field(vae, temperature)
    scale = float(model.weights.mean())
    shift = float(model.field.mean())
    h = scale * z + shift
    log_density = system.log_field_weight(h, temperature)
    return np.exp(log_density - logsumexp(log_density)) / (z[1] - z[0])
