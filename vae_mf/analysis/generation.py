"""Draws and likelihoods of a trained model as NumPy arrays, computed in batches on the model's device."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.arrays import States
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE

BATCH = 4096


def model_device(vae: VAE) -> torch.device:
    """Return the device of the model's weights."""
    return next(vae.parameters()).device


def model_generator(vae: VAE, seed: int) -> torch.Generator:
    """Return a random generator on the model's device."""
    return torch.Generator(model_device(vae)).manual_seed(seed)


@torch.no_grad()
def generate(vae: VAE, temperature: float, count: int, seed: int) -> States:
    """Draw ``count`` configurations from the model at one temperature, spins (count, sites) or directors."""
    generator, like = model_generator(vae, seed), next(vae.parameters())
    draws = []
    for start in range(0, count, BATCH):
        condition = constant_condition(temperature, min(BATCH, count - start), like)
        draw = vae.sample(condition, generator)
        draws.append((draw.to(torch.int8) if draw.ndim == 2 else draw.float()).cpu().numpy())
    return np.concatenate(draws)


class Scores(NamedTuple):
    """Lower bounds on the log-likelihood of each configuration, in nats."""

    elbo: Float[np.ndarray, " rows"]
    """Evidence lower bound, from one draw of z."""
    importance: Float[np.ndarray, " rows"]
    """Importance-weighted bound, the best estimate of ln p(x|T)."""


@torch.no_grad()
def score(vae: VAE, configurations: States, temperature: float, draws: int, seed: int) -> Scores:
    """Return the likelihood bounds of configurations, the importance-weighted from ``draws`` draws."""
    generator, like = model_generator(vae, seed), next(vae.parameters())
    elbos, likelihoods = [], []
    for start in range(0, len(configurations), BATCH):
        batch = torch.as_tensor(configurations[start : start + BATCH], device=like.device).to(like.dtype)
        condition = constant_condition(temperature, len(batch), like)
        elbos.append(vae.elbo(batch, condition, generator).elbo.double().cpu().numpy())
        likelihoods.append(vae.log_likelihood(batch, condition, draws, generator).double().cpu().numpy())
    return Scores(np.concatenate(elbos), np.concatenate(likelihoods))
