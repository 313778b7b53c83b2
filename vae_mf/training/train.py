"""Training of a model from the first epoch to its weights on disk."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from vae_mf.datamodule import DataSplit, EpochBatches, SpinSet
from vae_mf.models.vae import VAE
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.encoder_refit import refit_encoder
from vae_mf.training.fit import Fit, fit
from vae_mf.training.prior_refit import refit_prior
from vae_mf.training.recipe import Recipe
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import load_checkpoint, save_weights

REFIT_BATCH = 4096
"""Configurations that are encoded at once for the last phases of training."""

COURSE = {
    "precision": "32-true",
    "gradient_clip_val": None,
    "gradient_clip_algorithm": None,
    "accumulate_grad_batches": 1,
    "limit_train_batches": 1.0,
    "limit_val_batches": 1.0,
    "val_check_interval": 1.0,
    "check_val_every_n_epoch": 1,
}
"""Options of Lightning's trainer that the course of a training depends on, with their values where they are not set."""


def train(
    module: VAEModule,
    data: DataSplit,
    recipe: Recipe,
    *,
    checkpoints: Path,
    weights: Path,
    trainer: Mapping[str, Any] | None = None,
    callbacks: Sequence[pl.Callback] = (),
    loggers: Sequence[Logger] = (),
    stage: Callable[[str], Any] = lambda _: None,
    remark: Callable[[str], object] | None = None,
) -> Fit:
    """Fit a model, return to its best epoch, refit prior or encoder if the recipe says so, and save its weights.

    An interrupted training goes on from its last epoch. Of a distributed run the first process alone does what comes
    after the fit, on its own device, on which it leaves the model.

    Args:
        module: model with its loss; its seed is that of order, noise and refits.
        data: rows to fit to and rows to choose the epoch on.
        recipe: epochs, batch size and refits.
        checkpoints: folder of the checkpoints.
        weights: file of the trained weights, written in one step at the end.
        trainer: further arguments of `pytorch_lightning.Trainer`.
        callbacks: callbacks of the trainer.
        loggers: loggers of the trainer.
        stage: called with a sentence when a refit begins.
        remark: called with a sentence if steps that are to be recorded are not; a warning, if it is None.

    Raises:
        ValueError: see `fit`, and if the training that was interrupted had other rows or settings.
        KeyboardInterrupt: if the user stopped the training.
    """
    feed = SpinDataModule(data, recipe.batch_size, module.seed)
    training = training_digest(module, data, recipe.batch_size, recipe.symmetries, trainer)
    steps = {"captured": recipe.captured, "remark": remark}
    result = fit(module, feed, checkpoints, recipe.epochs, trainer, callbacks, loggers, training, **steps)
    if result.rank == 0:
        load_checkpoint(module.to(result.device).float(), result.checkpoint, training)  # batches are single
        if recipe.refit_steps or recipe.encoder_refit_steps:
            stage("refitting the prior or the encoder")
            refit(module.vae, data.to(result.device), recipe, module.seed)
        save_weights(module.vae, weights)
    return result


def training_digest(
    module: VAEModule,
    data: DataSplit,
    batch_size: int,
    symmetries: Sequence[str] = (),
    trainer: Mapping[str, Any] | None = None,
) -> str:
    """Return a digest of the rows and the options of a training, which are the same where it goes on elsewhere.

    The number of epochs is none of them: a training may go on for more. Of directors it is that of their temperatures:
    the last digits of what stands for them are those of the machine.
    """
    options = (module.learning_rate, module.weight_decay, module.decay, module.seed, module.draws)
    augment = module.augment.__qualname__ if isfunction(module.augment) else type(module.augment).__qualname__
    course = {name: value for name in COURSE if (value := (trainer or {}).get(name)) not in (None, COURSE[name])}
    found = hashlib.sha256(repr((options, batch_size, augment, list(symmetries), course)).encode())
    for part in (data.train, data.validation):
        exact = [part.temperatures, part.level, *([part.data] if isinstance(part, SpinSet) else [])]
        for values in exact:
            found.update(values.cpu().numpy().data)  # without a copy
    return found.hexdigest()


def refit(vae: VAE, data: DataSplit, recipe: Recipe, seed: int) -> None:
    """Fit the prior alone, the encoder alone, both or neither, as the recipe says."""
    validation = EpochBatches(data.validation, REFIT_BATCH)
    if recipe.refit_steps:
        in_order = EpochBatches(data.train, REFIT_BATCH)
        rate = recipe.refit_learning_rate
        refit_prior(vae, in_order, validation, steps=recipe.refit_steps, learning_rate=rate, seed=seed)
    if recipe.encoder_refit_steps:
        shuffled = EpochBatches(data.train, recipe.batch_size, seed)
        rate = recipe.encoder_refit_learning_rate
        refit_encoder(vae, shuffled, validation, steps=recipe.encoder_refit_steps, learning_rate=rate, seed=seed)
