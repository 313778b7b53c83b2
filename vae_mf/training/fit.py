"""One training run: resume if it was interrupted, keep the best and the last checkpoint, log to CSV and TensorBoard."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, Timer
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from vae_mf.checks import require_integer
from vae_mf.training.callbacks import AtomicCheckpointIO
from vae_mf.training.vae_module import VAEModule

BEST = "best.ckpt"
LAST = "last.ckpt"


class Fit(NamedTuple):
    """What a training run leaves."""

    checkpoint: Path
    """Checkpoint of the epoch with the smallest validation loss."""
    validation_loss: float
    """Negative evidence lower bound per configuration at that epoch, in nats."""
    seconds: float
    """Time spent in training, over all resumptions."""


def fit(
    module: VAEModule,
    data: pl.LightningDataModule,
    folder: Path,
    epochs: int,
    trainer: Mapping[str, Any] | None = None,
    callbacks: Sequence[pl.Callback] = (),
) -> Fit:
    """Train ``module`` for ``epochs`` epochs in ``folder``, going on from its last checkpoint if there is one.

    Args:
        trainer: further arguments of `pytorch_lightning.Trainer` (accelerator, precision, devices ...).

    Raises:
        ValueError: if ``epochs`` is not a positive integer, or the training diverged.
        KeyboardInterrupt: if the user stopped the training; running again goes on from the last epoch.
    """
    require_integer("epochs", epochs)
    folder.mkdir(parents=True, exist_ok=True)
    best = ModelCheckpoint(folder, Path(BEST).stem, monitor="validation/loss", enable_version_counter=False)
    # ModelCheckpoint(save_last=True) would advance only together with the best epoch.
    latest = ModelCheckpoint(folder, Path(LAST).stem, enable_version_counter=False)
    timer = Timer()
    engine = pl.Trainer(
        max_epochs=epochs,
        logger=[
            CSVLogger(folder.parent, name="logs"),
            TensorBoardLogger(folder.parent, "logs"),
        ],
        callbacks=[timer, *callbacks, best, latest],  # latest after best, so that it holds the state of best
        plugins=[AtomicCheckpointIO()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        **(trainer or {}),
    )
    last = folder / LAST
    with warnings.catch_warnings():
        # Lightning's own use of a name that torch has deprecated, and its surprise that a run is resumed.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message="Checkpoint directory")
        # Averages are logged once per epoch, whatever the interval.
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        engine.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)
    if engine.interrupted:
        raise KeyboardInterrupt
    score = best.best_model_score
    if score is None or not torch.isfinite(score):
        # What is left of the run would only be resumed from its NaNs.
        (folder / LAST).unlink(missing_ok=True)
        raise ValueError(f"training: expected a finite validation loss, got {score}; try a smaller learning rate")
    return Fit(folder / BEST, float(score), timer.time_elapsed("train"))


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Raise MisconfigurationException if these arguments of the trainer cannot work on this machine."""
    pl.Trainer(**trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)


def load_weights(module: torch.nn.Module, checkpoint: Path) -> None:
    """Load the weights of a `VAEModule` checkpoint into the module it was made from, running no pickled code.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    if not checkpoint.exists():
        raise FileNotFoundError(f"checkpoint: expected a file at {checkpoint}, found none")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    module.load_state_dict(state["state_dict"])
