"""Time a training step under Lightning against a bare loop of the same model, batches and optimiser.

Epochs of the two alternate within one run and the median process CPU time per step is compared, so the ratio survives a
busy machine.

    python scripts/benchmark_training.py --experiment hopfield_quick
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from vae_mf.datamodule import DataSplit, EpochBatches, SpinDataModule, spin_set
from vae_mf.packing import packed_bytes
from vae_mf.runs import PROJECT_ROOT, build_module
from vae_mf.training.fit import fit
from vae_mf.training.vae_module import VAEModule

LEVELS = np.linspace(0.2, 1.4, 10)


def random_split(sites: int, rows: int) -> DataSplit:
    """Return random spins: the time of a step does not depend on what they are."""
    random = np.random.default_rng(0)

    def part(count: int):
        packed = random.integers(0, 256, (count, packed_bytes(sites)), dtype=np.uint8)
        return spin_set(packed, random.integers(0, len(LEVELS), count), LEVELS.tolist(), sites)

    return DataSplit(part(rows), part(64), part(64))


def bare_epoch(module: VAEModule, optimiser: torch.optim.Optimizer, batches: EpochBatches) -> None:
    """Run one epoch as plainly as PyTorch allows."""
    for batch in batches:
        terms = module.vae.elbo(batch.configurations, batch.condition)
        optimiser.zero_grad(set_to_none=True)
        (-terms.elbo.mean()).backward()
        optimiser.step()


class Stopwatch(pl.Callback):
    """Times each Lightning epoch, and one bare epoch of a twin model after it."""

    def __init__(self, twin: VAEModule, batches: EpochBatches):
        self.twin, self.batches = twin, batches
        self.optimiser = torch.optim.AdamW(twin.vae.parameters(), lr=1e-3)
        self.lightning: list[float] = []
        self.bare: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the watch, before the first batch."""
        self.start = time.process_time()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs, batch, index: int) -> None:
        """Stop it after the last batch, then time the bare loop."""
        if index + 1 == len(self.batches):
            middle = time.process_time()
            bare_epoch(self.twin, self.optimiser, self.batches)
            self.lightning.append((middle - self.start) / len(self.batches))
            self.bare.append((time.process_time() - middle) / len(self.batches))


def main() -> None:
    """Print milliseconds per step and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="hopfield_quick")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sites", type=int, default=256)
    options = parser.parse_args()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [f"experiment={options.experiment}"])
    torch.set_num_threads(1)
    split = random_split(options.sites, 40 * cfg.training.batch_size)
    watch = Stopwatch(build_module(cfg, options.sites), EpochBatches(split.train, cfg.training.batch_size, 0))
    feed = SpinDataModule(split, cfg.training.batch_size, 0)
    with tempfile.TemporaryDirectory() as folder:
        fit(build_module(cfg, options.sites), feed, Path(folder) / "run", options.epochs, cfg.trainer, [watch])
    lightning, bare = (1e3 * median(times[1:]) for times in (watch.lightning, watch.bare))
    table = Table("experiment", "batch", "bare, ms/step", "Lightning, ms/step", "ratio")
    table.add_row(
        options.experiment, str(cfg.training.batch_size), f"{bare:.2f}", f"{lightning:.2f}", f"{lightning / bare:.3f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
