"""The critic under Lightning: joint and reference pairs, the relative-ratio loss, and a gain set on held-out pairs."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from vae_mf.checks import require_integer, require_non_negative, require_positive
from vae_mf.models.critic import CHOSEN, ROWS, JointSamples, SiteCritic, relative_ratio_loss
from vae_mf.rng import integer
from vae_mf.training.fit import interruptible, new_trainer, plain_refusals
from vae_mf.training.lean_loop import be_lean
from vae_mf.training.optimisers import FusedModule

GAINS = 11
"""Gains between 0 and 1 that are compared on the held-out pairs."""
LEAST_BATCHES = 8
"""Batches of an epoch: few samples come in smaller ones, or they would hardly be learned from."""
TALKATIVE = ("pytorch_lightning.utilities.rank_zero", "lightning_fabric")
"""Loggers of Lightning that tell of devices, and of the processes of a distributed training."""


class CriticModule(FusedModule):
    """Minimises the relative-ratio loss of a chain of site ratios, at some sites of every batch.

    The learning rate rises over the first tenth of the steps and falls to zero along a cosine.

    Args:
        critic: chain of site ratios.
        alpha: weight α of the relative ratio r_α, from 0 up to below 1.
        learning_rate: largest learning rate.
        weight_decay: weight decay of AdamW.
        sites_per_step: number of sites drawn for every batch.
        steps: number of gradient steps.
        seed: seed of sites and reference samples.

    Raises:
        ValueError: if a setting is out of range.
    """

    def __init__(
        self,
        critic: SiteCritic,
        alpha: float,
        learning_rate: float,
        weight_decay: float,
        sites_per_step: int,
        steps: int,
        seed: int,
    ):
        super().__init__()
        self.critic = critic
        self.alpha = require_non_negative("alpha", alpha)
        if self.alpha >= 1:
            raise ValueError(f"alpha: expected a number below 1, got {alpha}")
        self.learning_rate = require_positive("learning_rate", learning_rate)
        self.weight_decay = require_non_negative("weight_decay", weight_decay)
        self.sites_per_step = require_integer("sites_per_step", sites_per_step)
        self.steps = require_integer("steps", steps)
        self.seed = seed

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW and its schedule per step."""
        options = {"lr": self.learning_rate, "weight_decay": self.weight_decay, "fused": self.can_fuse()}
        optimiser = torch.optim.AdamW(self.critic.parameters(), **options)
        rise = min(0.5, max(0.1, 1.5 / self.steps))  # never less than a step, which OneCycleLR would divide by
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.learning_rate, self.steps, pct_start=rise)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Restart the stream of sites and reference samples."""
        self._generator = torch.Generator(self.device).manual_seed(integer(self.seed, "critic", self.current_epoch))

    def training_step(self, batch: JointSamples, batch_idx: int) -> torch.Tensor:
        """Return the loss per site of the chain."""
        critic, part = self.critic, self.critic.part
        order = torch.randperm(len(part), generator=self._generator, device=self.device)
        sites = part[order[: self.sites_per_step]]
        tilt = critic(batch, sites)
        parameters = batch.parameters[:, sites]
        log_norm = critic.log_norm(parameters, tilt)
        joint = (tilt * batch.statistics[:, sites]).sum(-1) - log_norm
        if self.alpha == 0:
            return relative_ratio_loss(joint, None, 0.0)
        drawn = critic.family.sample(parameters, self._generator)
        return relative_ratio_loss(joint, (tilt * drawn).sum(-1) - log_norm, self.alpha)


class JointBatches:
    """Shuffled batches of joint samples, one epoch of them at every iteration; what is left over is dropped."""

    def __init__(self, samples: JointSamples, batch_size: int, seed: int):
        self.samples = samples
        self.batch_size = min(require_integer("batch_size", batch_size), -(-len(samples.latents) // LEAST_BATCHES))
        self.generator = torch.Generator(samples.latents.device).manual_seed(integer(seed, "pairs"))

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.samples.latents) // self.batch_size

    def __iter__(self) -> Iterator[JointSamples]:
        """Yield the batches."""
        device = self.samples.latents.device
        order = torch.randperm(len(self.samples.latents), generator=self.generator, device=device)
        for step in range(len(self)):
            yield self.samples.select(order[step * self.batch_size : (step + 1) * self.batch_size])


def fit_critic(
    critic: SiteCritic,
    train: JointSamples,
    validation: JointSamples,
    *,
    alpha: float,
    epochs: int,
    batch_size: int,
    sites_per_step: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    trainer: Mapping[str, Any] | None = None,
) -> SiteCritic:
    """Fit a critic to joint samples and return it in evaluation mode.

    >>> from vae_mf.models import Condition, DenseCritic
    >>> _ = torch.manual_seed(0)
    >>> spins = torch.where(torch.rand(2000, 1, 1) < 0.5, 1.0, -1.0).expand(2000, 2, 1)  # two equal spins
    >>> condition = Condition(torch.tensor([1.0]), torch.zeros(2000, dtype=torch.int64))
    >>> pairs = JointSamples(spins, 0 * spins, spins, torch.zeros(2000, 0), condition)
    >>> steps = {"epochs": 10, "batch_size": 100, "sites_per_step": 2, "learning_rate": 0.05, "weight_decay": 0.0}
    >>> critic = fit_critic(DenseCritic(2, "spins", 0, 1), pairs, pairs, alpha=0.0, **steps, seed=1)
    >>> round(critic.log_ratio(pairs).mean().item(), 1)  # their total correlation is ln 2 = 0.7 nats
    0.7

    Args:
        critic: chain of site ratios, fitted in place.
        train: pairs that the weights are fitted to.
        validation: further pairs that the gain of every temperature is set on.
        alpha: weight α of the relative ratio r_α; 0 for maximum likelihood.
        epochs: passes over the training samples.
        batch_size: number of configurations in a gradient step.
        sites_per_step: number of sites of each configuration in a gradient step.
        learning_rate: largest learning rate.
        weight_decay: weight decay of AdamW.
        seed: seed of order, sites and reference samples.
        trainer: further arguments of `pytorch_lightning.Trainer`.

    Raises:
        ValueError: if a setting is out of range.
    """
    critic.screen(train)
    batches = JointBatches(train, batch_size, seed)
    steps = require_integer("epochs", epochs) * len(batches)
    module = CriticModule(critic, alpha, learning_rate, weight_decay, sites_per_step, steps, seed)
    with quiet_lightning():
        engine = new_trainer(
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **(trainer or {}),
        )
        be_lean(engine, (trainer or {}).get("callbacks", ()))
        with interruptible(), plain_refusals():
            engine.fit(module, train_dataloaders=batches)
    # Lightning has moved it to the processor.
    calibrate(critic.to(train.latents.device).eval(), validation)
    return critic


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning from announcing devices, processes and services, in trainings and for critics of a verdict."""
    logs = [logging.getLogger(name) for name in TALKATIVE]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # its own use of a name torch has deprecated
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@torch.no_grad()
def calibrate(critic: SiteCritic, samples: JointSamples) -> None:
    """Set the gain of every temperature to that of the largest mean log-ratio, from 0 (independent) to 1 (as fitted).

    An over-fitted critic scores below 0 on new samples: it is silenced, and an independent model reads 0.
    """
    gains = torch.linspace(0, 1, GAINS).to(critic.gain)
    totals = critic.gain.new_zeros(len(critic.gain), GAINS)
    for rows in torch.arange(len(samples.latents), device=critic.gain.device).split(ROWS):
        batch = samples.select(rows)
        for sites in critic.part.split(CHOSEN):
            tilt = critic(batch, sites)
            parameters = batch.parameters[:, sites]
            normaliser = critic.family.log_normaliser
            gained = (tilt * batch.statistics[:, sites]).sum((1, 2))
            base = normaliser(parameters).sum(1)
            ratios = [gain * gained - normaliser(parameters + gain * tilt).sum(1) + base for gain in gains]
            totals.index_add_(0, batch.condition.index, torch.stack(ratios, dim=1))
    critic.gain.copy_(gains[totals.argmax(1)])
