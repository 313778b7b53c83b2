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
from vae_mf.training.weights import require_same_architecture

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
    rank: int
    """Of this process among those of a distributed run; only rank 0 has written files."""


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
        ValueError: if ``epochs`` is not a positive integer, the training diverged (the last good checkpoint is
            kept), or the checkpoint to go on from is of another architecture.
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
    if last.exists():
        found = torch.load(last, map_location="cpu", weights_only=True)["state_dict"]
        require_same_architecture(last, module.state_dict(), found)
    with warnings.catch_warnings():
        # Lightning's own use of a name that torch has deprecated, and its surprise that a run is resumed.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message="Checkpoint directory")
        # The module has reduced its averages over all processes before it logs them.
        warnings.filterwarnings("ignore", message="It is recommended to use `self.log")
        # Averages are logged once per epoch, whatever the interval.
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        engine.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)
    if engine.interrupted:
        raise KeyboardInterrupt
    return Fit(folder / BEST, float(best.best_model_score), timer.time_elapsed("train"), engine.global_rank)


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Raise MisconfigurationException if these arguments of the trainer cannot work on this machine."""
    pl.Trainer(**trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
