"""Draws and likelihood bounds of a trained model as NumPy arrays, computed in batches on the model's device."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from vae_mf.arrays import States
from vae_mf.models.tensors import Batch, constant_condition
from vae_mf.models.vae import VAE

BATCH = 4096
"""Configurations at a time."""


def model_generator(vae: VAE, seed: int) -> torch.Generator:
    """Return a random generator on the model's device."""
    return torch.Generator(next(vae.parameters()).device).manual_seed(seed)


def batches(vae: VAE, configurations: States, temperature: float) -> Iterator[Batch]:
    """Yield configurations at one temperature in parts, on the model's device and in its precision."""
    like = next(vae.parameters())
    for start in range(0, len(configurations), BATCH):
        x = torch.as_tensor(configurations[start : start + BATCH], device=like.device).to(like.dtype)
        yield Batch(x, constant_condition(temperature, len(x), like))


def joined(parts: Iterable[Sequence[torch.Tensor]]) -> list[torch.Tensor]:
    """Return the tensors of several batches, each joined over the batches.

    >>> joined([(torch.zeros(2), torch.ones(2)), (torch.zeros(1), torch.ones(1))])
    [tensor([0., 0., 0.]), tensor([1., 1., 1.])]
    """
    return [torch.cat(part) for part in zip(*parts, strict=True)]


@torch.no_grad()
def generate(vae: VAE, temperature: float, count: int, seed: int) -> States:
    """Draw ``count`` configurations from the model at one temperature, spins (count, sites) or directors."""
    generator = model_generator(vae, seed)
    like = next(vae.parameters())
    dtype = torch.int8 if vae.kind == "spins" else torch.float32
    draws = []
    for start in range(0, count, BATCH):
        condition = constant_condition(temperature, min(BATCH, count - start), like)
        draws.append(vae.sample(condition, generator).to(dtype).cpu().numpy())
    return np.concatenate(draws)


class LikelihoodBounds(NamedTuple):
    """Lower bounds on the log-likelihood of each configuration, in nats."""

    elbo: Float[np.ndarray, " rows"]
    """Evidence lower bound, from one draw of z."""
    importance: Float[np.ndarray, " rows"]
    """Importance-weighted bound, the best estimate of ln p(x|T)."""


@torch.no_grad()
def score(vae: VAE, configurations: States, temperature: float, draws: int, seed: int) -> LikelihoodBounds:
    """Return the likelihood bounds of configurations at one temperature."""
    generator = model_generator(vae, seed)
    bounds = []
    for x, condition in batches(vae, configurations, temperature):
        elbo = vae.elbo(x, condition, generator).elbo
        bounds.append((elbo, vae.log_likelihood(x, condition, draws, generator)))
    return LikelihoodBounds(*(bound.double().cpu().numpy() for bound in joined(bounds)))
