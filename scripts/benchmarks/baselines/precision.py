"""Training in bfloat16 against float32: where the evidence lower bound ends."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.progress import Progress

from vae_mf.runs.stages import prepare
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import fit

from .timing import Row
from .training import CUDA, configuration

OPTIONS = ["experiment=curie_weiss_quick", "model/encoder=cnn", "model/decoder=cnn", "sampling.samples=1000"]
EPOCHS = 30


def validation_loss(precision: str, folder: Path) -> float:
    """Return the best validation loss of one short training; both precisions read the same samples."""
    cfg = configuration([*OPTIONS, f"store.path={folder}/store.zarr"])
    with Progress(disable=True) as progress:
        training = prepare(cfg, progress)
    trainer = {**cfg.trainer, "precision": precision}
    feed = SpinDataModule(training.split, cfg.training.batch_size, cfg.seed)
    return fit(training.module, feed, folder / precision, EPOCHS, trainer).validation_loss


def rows(repeats: int) -> Iterator[Row]:
    """Give the relative distance of the two bounds in per cent."""
    with tempfile.TemporaryDirectory() as folder:
        mixed, full = (validation_loss(precision, Path(folder)) for precision in ("bf16-mixed", "32-true"))
    size = f"Curie-Weiss, CNN, {EPOCHS} epochs, {'GPU' if CUDA else 'processor'}"
    yield Row("bound in bf16 off float32", size, 100 * abs(mixed / full - 1), target=0.1, unit="%", at_most=True)
