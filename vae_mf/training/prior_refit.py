"""A last phase of training: the prior alone is fitted to the aggregated posterior, encoder and decoder frozen."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import nn

from vae_mf.checks import require_integer, require_positive
from vae_mf.models.posterior import DiagonalGaussian
from vae_mf.models.tensors import Batch, Condition, Latents
from vae_mf.models.vae import VAE
from vae_mf.rng import integer

VALIDATION_DRAWS = 16
"""Draws of z for every validation configuration, the same before and after."""


class RefitResult(NamedTuple):
    """Rates E_q[ln q(z|x,T) - ln p(z|T)] of the validation set, in nats per configuration."""

    rate_before: float
    rate_after: float
    """Rate with the refitted prior, kept or not."""
    kept: bool
    """True if the refitted prior replaced the old one: its rate is smaller."""


@dataclass(frozen=True, eq=False)
class Encodings:
    """Posteriors q(z|x,T) of many configurations."""

    mean: Latents
    log_variance: Latents
    condition: Condition

    def __len__(self) -> int:
        """Return the number of configurations."""
        return len(self.mean)

    def posterior(self, rows: Int64[torch.Tensor, " rows"]) -> tuple[DiagonalGaussian, Condition]:
        """Return the posteriors of some of the configurations, and their temperatures."""
        return DiagonalGaussian(self.mean[rows], self.log_variance[rows]), self.condition.select(rows)


@torch.no_grad()
def encode(vae: VAE, batches: Iterable[Batch]) -> Encodings:
    """Return the posteriors of all configurations, in evaluation mode and without gradient.

    Args:
        batches: configurations on the model's device, all with the same distinct temperatures.

    Raises:
        ValueError: if there is no batch, or one with other distinct temperatures.
    """
    training = vae.training
    vae.eval()
    posteriors, conditions = [], []
    for batch in batches:
        posteriors.append(vae.encode(*batch))
        conditions.append(batch.condition)
    vae.train(training)
    if not conditions:
        raise ValueError("batches: expected at least one, got none")
    temperatures = conditions[0].temperatures
    if not all(torch.equal(condition.temperatures, temperatures) for condition in conditions):
        raise ValueError(f"batches: expected the temperatures {temperatures.tolist()} in all of them, got others")
    return Encodings(
        torch.cat([posterior.mean for posterior in posteriors]),
        torch.cat([posterior.log_variance for posterior in posteriors]),
        Condition(temperatures, torch.cat([condition.index for condition in conditions])),
    )


def refit_prior(
    vae: VAE,
    train: Iterable[Batch],
    validation: Iterable[Batch],
    *,
    steps: int = 1500,
    learning_rate: float = 1e-2,
    batch_size: int = 2048,
    seed: int,
) -> RefitResult:
    """Fit the prior of a trained model to the aggregated posterior, and keep the new one if its rate is smaller.

    The rate is I_q(x; z|T) + KL(q(z|T) || p(z|T)), q(z|T) = E_x q(z|x,T); only the second part depends on the prior.
    It is minimised by Adam on fresh draws from cached posteriors, the learning rate falling to zero along a cosine.

    Source: Hoffman and Johnson, ELBO surgery, NIPS workshop 2016, equation 6.

    Args:
        vae: trained model; nothing but its prior changes.
        train: configurations to fit to, on the model's device.
        validation: configurations on which the priors are compared.
        steps: steps of the optimiser.
        learning_rate: learning rate of the first step.
        batch_size: draws of z per step.
        seed: seed of all draws.

    Raises:
        ValueError: if a count is no positive integer, the learning rate not positive, or there are no configurations.
    """
    require_integer("steps", steps)
    require_integer("batch_size", batch_size)
    require_positive("learning_rate", learning_rate)
    encodings = encode(vae, train)
    held_out = encode(vae, validation)
    before = mean_rate(vae.prior, held_out, seed)
    old = copy.deepcopy(vae.prior.state_dict())
    if list(vae.prior.parameters()):
        fit_prior(vae.prior, encodings, steps, learning_rate, batch_size, seed)
    after = mean_rate(vae.prior, held_out, seed)
    kept = after < before
    if not kept:
        vae.prior.load_state_dict(old)
    return RefitResult(before, after, kept)


def fit_prior(
    prior: nn.Module, encodings: Encodings, steps: int, learning_rate: float, batch_size: int, seed: int
) -> None:
    """Minimise -E log p(z|T) over draws of z from the posteriors; waits for the device nowhere."""
    device = encodings.mean.device
    generator = torch.Generator(device).manual_seed(integer(seed, "refit"))
    optimiser = torch.optim.Adam(prior.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randint(len(encodings), (batch_size,), generator=generator, device=device)
        posterior, condition = encodings.posterior(rows)
        loss = -prior(condition).log_prob(posterior.sample(generator)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.no_grad()
def mean_rate(prior: nn.Module, encodings: Encodings, seed: int) -> float:
    """Return the mean of ln q(z|x,T) - ln p(z|T) over `VALIDATION_DRAWS` draws from every posterior, in nats."""
    device = encodings.mean.device
    generator = torch.Generator(device).manual_seed(integer(seed, "refit validation"))
    posterior, condition = encodings.posterior(torch.arange(len(encodings), device=device))
    rates = []
    for _ in range(VALIDATION_DRAWS):
        z = posterior.sample(generator)
        rates.append((posterior.log_prob(z) - prior(condition).log_prob(z)).mean())
    return float(torch.stack(rates).mean())
