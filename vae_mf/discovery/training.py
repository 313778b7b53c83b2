"""Models of a discovery, each trained once and kept in a folder of its own."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback

from vae_mf.datamodule import DataSplit
from vae_mf.discovery.settings import DiscoverySettings, Schedule
from vae_mf.files import WEIGHTS
from vae_mf.models.vae import VAE
from vae_mf.runs.models import build_vae
from vae_mf.training.augmentation import augmentation
from vae_mf.training.critic_module import quiet_lightning
from vae_mf.training.recipe import COMPONENTS, Recipe
from vae_mf.training.start import start_at_components
from vae_mf.training.train import refit, train
from vae_mf.training.weights import load_weights, save_weights

WORK = "training"
"""Folder of checkpoints and logs, which goes when the weights are written."""


def model_of(
    data: DataSplit,
    latents: int,
    settings: DiscoverySettings,
    seed: int,
    folder: Path,
    device: torch.device,
    callbacks: Sequence[Callback],
) -> VAE:
    """Return the model in a folder, in evaluation mode on its device, trained and written if it is not yet there.

    A training that was interrupted goes on from its last epoch.

    Args:
        data: rows to fit to, to choose the epoch on, and to leave alone.
        latents: dimension d of z.
        settings: architecture and recipe.
        seed: seed of weights, order and noise.
        folder: folder of this one model.
        device: device that trains and keeps the model.
        callbacks: callbacks of the trainer.
    """
    vae = build_vae({**settings.model, "latents": latents}, data.train.sites, seed)
    weights = folder / WEIGHTS
    if weights.exists():
        load_weights(vae, weights)
    else:
        recipe = long_enough(settings.training, settings.schedule, len(data.train))
        if recipe.start == COMPONENTS:
            start_at_components(vae.decoder, data.train.states())
        decay = settings.schedule.fall ** (1 / max(1, recipe.epochs - 1))
        module = recipe.module(vae=vae, seed=seed, decay=decay, augment=augmentation(recipe.symmetries, ()))
        checkpoints = folder / WORK / "checkpoints"
        with quiet_lightning():
            train(
                module,
                data,
                recipe,
                checkpoints=checkpoints,
                weights=weights,
                trainer=trainer_on(device),
                callbacks=callbacks,
            )
    keep_weights_only(folder)
    return vae.to(device).eval()


def refitted(vae: VAE, data: DataSplit, recipe: Recipe, seed: int, weights: Path) -> VAE:
    """Return a trained model with an encoder that was fitted to its posterior, written if it is not yet there.

    Args:
        vae: the model.
        data: rows to fit to, and to compare the encoders on.
        recipe: steps of this fit and their learning rate.
        seed: seed of order and noise.
        weights: file of the model's weights.
    """
    if weights.exists():
        load_weights(vae, weights)
    else:
        refit(vae, data.to(next(vae.parameters()).device), replace(recipe, refit_steps=0), seed)
        save_weights(vae, weights)
    return vae.eval()


def trainer_on(device: torch.device) -> dict[str, Any]:
    """Return arguments of a trainer on a device.

    >>> trainer_on(torch.device("cuda:1"))["devices"]
    [1]
    """
    numbers = 1 if device.index is None else [device.index]
    return {"accelerator": device.type, "devices": numbers, "log_every_n_steps": 1}


def long_enough(recipe: Recipe, schedule: Schedule, rows: int) -> Recipe:
    """Return a recipe with as many epochs as so many rows need for the steps of a schedule.

    >>> long_enough(Recipe(epochs=6, batch_size=256, module=dict), Schedule(steps=700, fall=0.05), rows=4680).epochs
    39
    """
    steps_per_epoch = max(1, rows // recipe.batch_size)
    return replace(recipe, epochs=max(recipe.epochs, -(-schedule.steps // steps_per_epoch)))


def require_enough_epochs(recipe: Recipe, schedule: Schedule, rows: int) -> None:
    """Raise ValueError if the schedule asks for more epochs than the recipe, whose number then has no effect."""
    needed = long_enough(recipe, schedule, rows).epochs
    if needed > recipe.epochs:
        raise ValueError(
            f"training.epochs: expected {needed} or more, as schedule.steps={schedule.steps} takes for {rows} rows, "
            f"got {recipe.epochs}; to train less, lower schedule.steps"
        )


def require_model(settings: DiscoverySettings, sites: int) -> None:
    """Raise ValueError if the options of encoder, decoder, prior or training make none, before the first is trained."""
    vae = build_vae({**settings.model, "latents": 1}, sites, settings.seed)
    settings.training.module(vae=vae, seed=settings.seed, decay=settings.schedule.fall)
    augmentation(settings.training.symmetries, ())


def keep_weights_only(folder: Path) -> None:
    """Remove checkpoints, logs and whatever a process that was killed has left of half a file."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != WEIGHTS:
            path.unlink()
