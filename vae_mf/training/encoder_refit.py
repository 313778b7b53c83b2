"""A last phase of training after an importance-weighted one: the encoder alone is fitted to the model's posterior."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import torch
from torch import nn

from vae_mf.checks import require_integer, require_positive
from vae_mf.models.tensors import Batch
from vae_mf.models.vae import VAE
from vae_mf.rng import integer

VALIDATION_DRAWS = 4
"""Draws of z for every validation configuration, the same before and after."""


class EncoderRefit(NamedTuple):
    """Evidence lower bounds of the validation set, in nats per configuration."""

    bound_before: float
    bound_after: float
    """Bound with the refitted encoder, kept or not."""
    kept: bool
    """True if the refitted encoder replaced the old one: its bound is larger."""


def refit_encoder(
    vae: VAE, train: Iterable[Batch], validation: Iterable[Batch], *, steps: int, learning_rate: float, seed: int
) -> EncoderRefit:
    """Fit the encoder to the posterior of a trained model, and keep the new one if it is closer.

    It maximises the evidence bound ln p(x) - KL(q(z|x) || p(z|x)) with p fixed. The importance-weighted bound leaves q
    broader than the posterior, as suits a proposal; the rate, which says what latents carry, asks for the closest q.

    Args:
        vae: trained model; nothing but its encoder changes.
        train: configurations to fit to, on the model's device, passed over as often as the steps need.
        validation: configurations on which the encoders are compared.
        steps: number of steps of Adam, its learning rate falling to zero along a cosine.
        learning_rate: learning rate of the first step.
        seed: seed of all draws.

    Raises:
        ValueError: if the number of steps is no positive integer, the learning rate not positive, or there are no
            configurations.
    """
    require_integer("steps", steps)
    require_positive("learning_rate", learning_rate)
    held_out = require_batches("validation", validation)
    before = mean_bound(vae, held_out, seed)
    old = copy.deepcopy(vae.encoder.state_dict())
    training = vae.training
    vae.eval()
    vae.encoder.train()
    generator = torch.Generator(held_out[0].configurations.device).manual_seed(integer(seed, "refit encoder"))
    optimiser = torch.optim.Adam(vae.encoder.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with frozen(vae.decoder, vae.prior):
        for batch in islice(endlessly(train), steps):
            loss = -vae.elbo(*batch, generator).elbo.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    optimiser.zero_grad()
    vae.train(training)
    after = mean_bound(vae, held_out, seed)
    kept = after > before
    if not kept:
        vae.encoder.load_state_dict(old)
    return EncoderRefit(before, after, kept)


@contextmanager
def frozen(*parts: nn.Module) -> Iterator[None]:
    """Let no gradient reach the parameters of some parts of a model, for which nothing is recorded then."""
    parameters = [each for part in parts for each in part.parameters() if each.requires_grad]
    for each in parameters:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in parameters:
            each.requires_grad_(True)


def require_batches(name: str, batches: Iterable[Batch]) -> list[Batch]:
    """Return the batches as a list; ValueError if there is none."""
    found = list(batches)
    if not found:
        raise ValueError(f"{name}: expected at least one batch, got none")
    return found


def endlessly(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches again and again; ValueError if there is none."""
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("train: expected at least one batch, got none")


@torch.no_grad()
def mean_bound(vae: VAE, batches: list[Batch], seed: int) -> float:
    """Return the mean evidence lower bound over `VALIDATION_DRAWS` draws for every configuration, in nats."""
    training = vae.training
    vae.eval()
    generator = torch.Generator(batches[0].configurations.device).manual_seed(integer(seed, "refit validation"))
    bounds = [vae.elbo(*batch, generator).elbo for batch in batches for _ in range(VALIDATION_DRAWS)]
    vae.train(training)
    return float(torch.cat(bounds).double().mean())
