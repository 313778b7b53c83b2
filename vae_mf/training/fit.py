"""Resumable training by Lightning, which keeps the best and the last checkpoint."""

import inspect
import json
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from vae_mf.checks import require_choice, require_integer, shown
from vae_mf.files import DAMAGED, read_json, require_unchanged, write_sealed
from vae_mf.models.devices import AUTO, accelerator_of, device_of
from vae_mf.training.callbacks import AtomicCheckpointIO, MovableCheckpoint
from vae_mf.training.captured_step import is_wanted, not_recorded
from vae_mf.training.lean_loop import be_lean
from vae_mf.training.vae_module import VAEModule
from vae_mf.training.weights import read_checkpoint, require_same_architecture

BEST = "best.ckpt"
LAST = "last.ckpt"
OUTCOME = "fit.json"
"""File beside the checkpoints that is written when a training has ended."""


ELSEWHERE = {
    "max_epochs": "training.epochs",
    "max_steps": "training.epochs",
    "max_time": "training.epochs",
    "fast_dev_run": "training.epochs",
    "logger": "logger=csv, or another of that group",
    "callbacks": "callbacks=early_stopping, or another of that group",
    "plugins": "vae_mf itself",
    "enable_progress_bar": "vae_mf itself",
    "enable_model_summary": "vae_mf itself",
    "enable_checkpointing": "vae_mf itself",
    "num_sanity_val_steps": "vae_mf itself",
    "reload_dataloaders_every_n_epochs": "vae_mf itself",
    "default_root_dir": "run.folder",
}
"""Arguments of the trainer that are not options of their own, and by what they are chosen."""


PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")
"""Precisions in which all models are trained; Lightning's others have weights of two bytes."""
SHORT = ("32", "bf16", "16", "64")
"""Lightning's short names of these."""


GPUS = ("gpu", "cuda", "mps")
"""Accelerators that a machine may lack."""


class Fit(NamedTuple):
    """Outcome of a training run."""

    checkpoint: Path
    """Checkpoint of the epoch with the smallest validation loss."""
    validation_loss: float
    """Negative evidence lower bound per configuration at that epoch, in nats."""
    seconds: float
    """Time spent in training, over all resumptions."""
    device: torch.device
    """Device of this process."""
    rank: int
    """Number of this process among those of a distributed run; only process 0 has written files."""


def fit(
    module: VAEModule,
    data: pl.LightningDataModule,
    folder: Path,
    epochs: int,
    trainer: Mapping[str, Any] | None = None,
    callbacks: Sequence[pl.Callback] = (),
    loggers: Sequence[Logger] = (),
    training: str = "",
    captured: bool | str = AUTO,
    remark: Callable[[str], object] | None = None,
) -> Fit:
    """Train a model in a folder, going on from its last checkpoint if there is one.

    Args:
        module: model with its loss.
        data: batches to train and to validate on.
        folder: folder of the checkpoints.
        epochs: number of epochs, if no callback stops before.
        trainer: further arguments of `pytorch_lightning.Trainer` (accelerator, precision, devices ...).
        callbacks: further callbacks of the trainer.
        loggers: loggers of the trainer.
        training: digest of what the training depends on, if its checkpoints are to be taken for no others.
        captured: "auto" to record steps on a GPU and repeat them (`vae_mf.training.captured_step`), True or False.
        remark: called with a sentence if steps that are to be recorded are not; a warning, if it is None.

    Raises:
        ValueError: if ``epochs`` is not a positive integer, an argument of the trainer is not to be chosen here, the
            training diverged (the last good checkpoint is kept) or is never validated, or the checkpoint to go on from
            is of another architecture.
        KeyboardInterrupt: if the user stopped the training; running again goes on from the last epoch.
    """
    require_integer("epochs", epochs)
    require_own_arguments(trainer or {})
    folder.mkdir(parents=True, exist_ok=True)
    outcome = folder / OUTCOME
    require_unchanged(folder)
    # A training that a callback has ended would go on for another epoch.
    if outcome.exists() and (found := read_outcome(outcome))["epochs"] == epochs:
        return Fit(folder / BEST, found["validation_loss"], found["seconds"], device_of_trainer(trainer or {}), rank=0)
    best = MovableCheckpoint(folder, Path(BEST).stem, monitor="validation/loss", enable_version_counter=False)
    # ModelCheckpoint(save_last=True) would advance only together with the best epoch. A training goes on from the end
    # of an epoch alone, which need not be that of a validation.
    latest = MovableCheckpoint(folder, Path(LAST).stem, enable_version_counter=False, save_on_train_epoch_end=True)
    timer = Timer()
    engine = new_trainer(
        max_epochs=epochs,
        logger=list(loggers) or False,
        callbacks=[timer, *callbacks, best, latest],  # latest after best, so that it holds the state of best
        plugins=[AtomicCheckpointIO(training)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        **(trainer or {}),
    )
    require_validation(engine, epochs)
    take_plain_steps(engine, module, callbacks, captured, remark or warned)
    run(engine, module, data, folder / LAST, training)
    if best.best_model_score is None:
        raise never_validated(epochs)
    loss = float(best.best_model_score)
    seconds = timer.time_elapsed("train")
    result = Fit(folder / BEST, loss, seconds, engine.strategy.root_device, engine.global_rank)
    if result.rank == 0:
        found = {"epochs": epochs, "validation_loss": result.validation_loss, "seconds": result.seconds}
        write_sealed(outcome, json.dumps(found))
    return result


def new_trainer(**options: Any) -> pl.Trainer:
    """Return a trainer of Lightning whose automatic choice is CUDA or the processor.

    Raises:
        ValueError: if Lightning refuses an option, or this machine lacks what it asks for.
    """
    with plain_refusals():
        return pl.Trainer(**on_tested_device(options))


def require_validation(engine: pl.Trainer, epochs: int) -> None:
    """Raise ValueError if a trainer would train nothing, or never judge its epochs."""
    every = engine.check_val_every_n_epoch or 1
    if not engine.limit_train_batches or not engine.limit_val_batches or every > epochs:
        raise never_validated(epochs)


def never_validated(epochs: int) -> ValueError:
    """Return the error of a training without a validation, on which its checkpoint would be chosen."""
    return ValueError(
        f"trainer: expected steps and at least one validation in {epochs} epochs, got none: give it larger "
        "limit_train_batches, limit_val_batches, or a smaller check_val_every_n_epoch or val_check_interval"
    )


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Let whatever Lightning refuses be a ValueError, as all else that a user may mistake."""
    try:
        yield
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def take_plain_steps(
    engine: pl.Trainer,
    module: VAEModule,
    callbacks: Sequence[pl.Callback],
    captured: bool | str,
    remark: Callable[[str], object],
) -> None:
    """Take steps without Lightning's hooks, unless the module is one that may have its own."""
    if type(module) is VAEModule:
        be_lean(engine, callbacks, captured, remark)
    elif is_wanted(captured, engine.strategy.root_device):
        remark(not_recorded(f"{type(module).__name__} may ask for more in each of them"))


@cache
def warned(sentence: str) -> None:
    """Warn once of what holds for all trainings of a process."""
    warnings.warn(sentence, stacklevel=1)


def on_tested_device(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a trainer whose automatic choice is CUDA or the processor, the devices of the tests.

    >>> on_tested_device({"accelerator": "cpu", "devices": 1})
    {'accelerator': 'cpu', 'devices': 1}
    """
    return {**trainer, "accelerator": accelerator_of(trainer.get("accelerator", AUTO))}


def read_outcome(path: Path) -> dict[str, Any]:
    """Return the epochs of a training that has ended, its loss and its time; ValueError if the file holds no such."""
    found = read_json(path)
    names = ("epochs", "validation_loss", "seconds")
    if any(not isinstance(found.get(name), int | float) for name in names):
        raise ValueError(f"{path}: expected numbers {', '.join(names)}, got {shown(found)}: {DAMAGED}")
    return found


def device_of_trainer(trainer: Mapping[str, Any]) -> torch.device:
    """Return the device that these arguments of a trainer choose on this machine."""
    accelerator = accelerator_of(trainer.get("accelerator", AUTO))
    return device_of(AUTO if accelerator in GPUS else "cpu")


def run(engine: pl.Trainer, module: VAEModule, data: pl.LightningDataModule, last: Path, training: str) -> None:
    """Train from the checkpoint ``last`` if it exists, without the warnings that tell nobody anything here."""
    if last.exists():
        found = read_checkpoint(last, training)["state_dict"]
        require_same_architecture(last, module.state_dict(), found)
    with interruptible(), plain_refusals(), warnings.catch_warnings():
        # Lightning's own use of a name that torch has deprecated, and its surprise that a run is resumed.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message="Checkpoint directory")
        # The module has reduced its averages over all processes before it logs them.
        warnings.filterwarnings("ignore", message="It is recommended to use `self.log")
        # Averages are logged once per epoch, whatever the interval.
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        engine.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)


@contextmanager
def interruptible() -> Iterator[None]:
    """Pass on an interrupt by the user, of which Lightning makes an exit and after which it lets none be heard."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        # Any other exit is that of a scheduler, which starts the job again.
        if not isinstance(error, SIGTERMException) and not isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from error
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


def require_own_arguments(trainer: Mapping[str, Any]) -> None:
    """Raise ValueError if one of these is no argument of the trainer, set elsewhere, or a precision of no model."""
    for name in trainer:
        if name in ELSEWHERE:
            raise ValueError(f"trainer.{name}: expected nothing, as it is chosen by {ELSEWHERE[name]}")
        require_choice("trainer", name, inspect.signature(pl.Trainer).parameters)
    precision = trainer.get("precision")
    if precision is not None and str(precision) not in SHORT:
        require_choice("trainer.precision", precision, PRECISIONS)


def check_trainer(trainer: Mapping[str, Any], core_hours: int | float | None = None) -> None:
    """Raise an error if these arguments of the trainer are none, are set elsewhere, or cannot work on this machine.

    Args:
        trainer: arguments of `pytorch_lightning.Trainer`.
        core_hours: estimated hours of the training on one core of a processor, to be told where there is no GPU.

    Raises:
        ValueError: if an argument is unknown or not to be chosen here, or this machine lacks what is asked for.
    """
    require_own_arguments(trainer)
    try:
        pl.Trainer(**on_tested_device(trainer), logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (TypeError, ValueError, ImportError) as error:
        given = shown(dict(trainer))
        raise ValueError(f"trainer: expected arguments that Lightning takes, got {given}: {error}") from error
    except MisconfigurationException as error:
        if trainer.get("accelerator") not in GPUS:
            raise ValueError(f"trainer: {error}") from error
        hours = f", where the training takes about {core_hours:g} hours of one core (estimated)" if core_hours else ""
        said = f"trainer: expected a GPU, got none ({error}): trainer=auto trains on the processor{hours}"
        raise ValueError(said) from error
