"""Stages of a run, the only part of it that trains: data, training, evaluation, figures."""

import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from rich.progress import Progress

from vae_mf.datamodule import DataSplit
from vae_mf.models.vae import VAE
from vae_mf.plotting.runs import draw_run
from vae_mf.plotting.style import save_figure
from vae_mf.runs.build import build_callbacks, build_loggers, build_module
from vae_mf.runs.folder import Run, record_run, write_config
from vae_mf.runs.instantiate import instantiate
from vae_mf.runs.kinds import require_kinds
from vae_mf.runs.models import load_run
from vae_mf.runs.tasks import Data, build_task
from vae_mf.tables import Evaluation, write_metrics, write_tables
from vae_mf.training.callbacks import EpochProgress
from vae_mf.training.fit import Fit, check_trainer
from vae_mf.training.recipe import COMPONENTS, RANDOM, Recipe
from vae_mf.training.start import start_at_components
from vae_mf.training.train import train
from vae_mf.training.vae_module import VAEModule


class Training(NamedTuple):
    """A model at its start, and all that it is trained and judged on."""

    module: VAEModule
    recipe: Recipe
    split: DataSplit
    data: Data


def require_trainer(config: DictConfig) -> None:
    """Raise ValueError if the trainer of a configuration has an unknown option, or cannot work on this machine."""
    require_kinds(Trainer, cast(dict[str, Any], OmegaConf.to_container(config.trainer)))
    check_trainer(config.trainer, config.run.core_hours)


def prepare(config: DictConfig, progress: Progress) -> Training:
    """Build the model of a configuration, then draw or read its data."""
    recipe = instantiate(config.training)
    task = build_task(config, progress)
    if task.fits is not None and recipe.start != RANDOM:
        raise ValueError(f"training.start: expected {RANDOM} for samples of a system, got {recipe.start}")
    module = build_module(config, task.sites, task.fits)
    data = task.data()
    if recipe.start == COMPONENTS:
        start_at_components(module.vae.decoder, data.evidence.groups[0].train)
    return Training(module, recipe, data.split(module.vae), data)


class Trained(NamedTuple):
    """A run whose weights are written."""

    fit: Fit
    evaluate: Callable[[VAE], Evaluation]
    sample_seconds: float


def trained(run: Run, progress: Progress) -> Trained:
    """Draw or read the data of a run and train its model, of which nothing is kept but its weights."""
    callbacks = build_callbacks(run.config)
    loggers = build_loggers(run.config, run.folder)
    start = time.perf_counter()
    module, recipe, split, data = prepare(run.config, progress)
    seconds = time.perf_counter() - start
    write_config(run)  # again, as that of a run that goes on may have been damaged
    record_run(run, split.train.sites, [group.temperature for group in data.evidence.groups])
    result = train(
        module,
        split,
        recipe,
        checkpoints=run.checkpoints,
        weights=run.weights,
        trainer=run.config.trainer,
        callbacks=[*callbacks, EpochProgress(progress)],
        loggers=loggers,
        stage=partial(progress.add_task, total=None),
        remark=partial(progress.console.print, soft_wrap=True),
    )
    return Trained(result, data.evaluate, seconds)


def complete(run: Run, progress: Progress) -> None:
    """Run every stage of a run; the metrics, written last, say that it is finished."""
    result, evaluate, seconds = trained(run, progress)
    if result.rank:
        return  # another process of the same run evaluates
    gc.collect()  # a trainer and its module, which hold the rows, refer to each other
    evaluation = evaluate(load_run(run, result.device).vae)
    times = {"val_bound": -result.validation_loss, "train_seconds": result.seconds, "sample_seconds": seconds}
    write_tables(run.folder, evaluation.tables)
    for name, figure in draw_run(evaluation.tables).items():
        save_figure(figure, run.figures, name)
    write_metrics(run.folder, evaluation.metrics | times)
