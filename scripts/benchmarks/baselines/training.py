"""A training step of the house against a bare loop and the usual set-up; on a GPU also against a captured graph.

All ways train the same model on the same number of random spins. Epochs of the ways alternate. On a processor the time
is that of the process, on a GPU that of the wall.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader, TensorDataset

from vae_mf.datamodule import DataSplit, EpochBatches, spin_set
from vae_mf.models.tensors import Condition
from vae_mf.models.vae import VAE
from vae_mf.packing import packed_bytes
from vae_mf.runs.build import build_module
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import fit

from .configuration import composed
from .timing import Row, rounds

CASES = {
    "hopfield_quick, N=256, batch 256": (["experiment=hopfield_quick"], 125, 0.8),
    "CNN, 16x16, batch 512": (
        [
            "experiment=hopfield_quick", "model/encoder=cnn", "model/decoder=cnn", "model/prior=spline",
            "training.batch_size=512",
        ],
        40, 0.9,
    ),
}  # fmt: skip
"""Options of each case, steps of an epoch, and the least speed of a step, a bare loop having 1.

An epoch of hopfield_quick has 125 steps; the last step of each is Lightning's own, and counts here as it does there.
"""
SITES = 256
REPLAYS = 100
"""Replays of a captured graph that are timed together."""
LEVELS = np.linspace(0.2, 1.4, 10)
CUDA = torch.cuda.is_available()
WORKERS = 8 if CUDA else 0
"""Processes that load data in the usual set-up; on a processor their time would not be seen."""
Epoch = Callable[[], float]
"""Trains for an epoch and returns milliseconds per step."""


def configuration(overrides: list[str]) -> DictConfig:
    """Return the composed configuration of a case."""
    return composed("train", [*overrides, f"trainer={'gpu' if CUDA else 'auto'}"])


def clock() -> float:
    """Return seconds of this process, on a GPU of the wall once the device is idle."""
    if not CUDA:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def random_split(rows: int) -> DataSplit:
    """Return random spins: the time of a step does not depend on what they are."""
    random = np.random.default_rng(0)

    def part(count: int):
        packed = random.integers(0, 256, (count, packed_bytes(SITES)), dtype=np.uint8)
        return spin_set(packed, random.integers(0, len(LEVELS), count), LEVELS.tolist(), SITES)

    return DataSplit(part(rows), part(64), part(64))


class Stopwatch(pl.Callback):
    """Times every epoch, from its first batch to its last."""

    def __init__(self):
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the watch."""
        self.start = clock()

    def on_validation_start(self, *_: object) -> None:
        """Stop it after the last batch: a hook of steps would be a cost of its own."""
        self.seconds.append(clock() - self.start)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop it where nothing is validated."""
        if len(self.seconds) == trainer.current_epoch:
            self.seconds.append(clock() - self.start)


def house(cfg: DictConfig, split: DataSplit) -> Epoch:
    """Return epochs as the house trains; the first of three warms up."""

    def epoch() -> float:
        watch = Stopwatch()
        feed = SpinDataModule(split, cfg.training.batch_size, 0)
        with tempfile.TemporaryDirectory() as folder:
            fit(build_module(cfg, SITES), feed, Path(folder) / "run", 3, cfg.trainer, [watch])
        return 1e3 * min(watch.seconds[1:]) / (len(split.train) // cfg.training.batch_size)

    return epoch


def bare(cfg: DictConfig, split: DataSplit) -> Epoch:
    """Return epochs of the same model, batches and optimiser as plainly as PyTorch allows."""
    device = torch.device("cuda" if CUDA else "cpu")
    vae = build_module(cfg, SITES).vae.to(device)
    batches = EpochBatches(split.train.to(device), cfg.training.batch_size, 0)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=1e-3, fused=True)

    def once() -> float:
        start = clock()
        for batch in batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=CUDA):
                loss = -vae.elbo(batch.configurations, batch.condition).elbo.mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        return 1e3 * (clock() - start) / len(batches)

    def epoch() -> float:
        once()
        return min(once(), once())

    return epoch


class UsualModule(pl.LightningModule):
    """A VAE as it is usually trained: metrics logged in every step, the spline network of nflows run for every row."""

    def __init__(self, vae: VAE):
        super().__init__()
        self.vae = vae

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch of spins and temperatures."""
        spins, temperature = batch
        terms = self.vae.elbo(spins.float(), Condition(temperature, torch.arange(len(spins), device=self.device)))
        loss = -terms.elbo.mean()
        self.log_dict({"loss": loss, "rate": terms.rate.mean(), "log_likelihood": terms.log_likelihood.mean()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def usual(cfg: DictConfig, split: DataSplit) -> Epoch:
    """Return epochs of Lightning with a DataLoader over int8 spins and the spline prior of nflows."""
    spins = torch.from_numpy(split.train.states())
    data = TensorDataset(spins, split.train.temperatures[split.train.level])
    loader = DataLoader(data, cfg.training.batch_size, True, num_workers=WORKERS, persistent_workers=WORKERS > 0)

    def epoch() -> float:
        watch = Stopwatch()
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        engine = pl.Trainer(max_epochs=3, callbacks=[watch], enable_model_summary=False, **quiet, **cfg.trainer)
        engine.fit(UsualModule(build_module(cfg, SITES).vae), loader)
        return 1e3 * min(watch.seconds[1:]) / (len(split.train) // cfg.training.batch_size)

    return epoch


def captured(cfg: DictConfig, split: DataSplit) -> Epoch:
    """Return replays of one step of the bare loop as a CUDA graph: what the device can do at best."""
    vae = build_module(cfg, SITES).vae.cuda()
    batch = next(iter(EpochBatches(split.train.to(torch.device("cuda")), cfg.training.batch_size, 0)))
    optimiser = torch.optim.AdamW(vae.parameters(), lr=1e-3, capturable=True)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            loss = -vae.elbo(batch.configurations, batch.condition).elbo.mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def epoch() -> float:
        start = clock()
        for _ in range(REPLAYS):
            graph.replay()
        return 1e3 * (clock() - start) / REPLAYS

    return epoch


def rows(repeats: int) -> Iterator[Row]:
    """Time every case: ratios are the baseline's time to ours."""
    for size, (overrides, steps, target) in CASES.items():
        cfg = configuration(overrides)
        nflows = configuration([*overrides, "model/prior=spline", "model.prior.backend=nflows"])
        split = random_split(steps * cfg.training.batch_size)
        ways: dict[str, tuple[Epoch, float | None]] = {
            "bare loop": (bare(cfg, split), target),
            "Lightning, DataLoader, nflows": (usual(nflows, split), 10 if CUDA else None),
        }
        if CUDA:
            ways["captured CUDA graph"] = captured(cfg, split), 1 / 1.3
        times = rounds([house(cfg, split), *(epoch for epoch, _ in ways.values())], repeats)
        middle = np.median(times, axis=0)
        ratios = np.median(times / times[:, :1], axis=0)
        for at, (baseline, (_, bound)) in enumerate(ways.items(), start=1):
            yield Row("training step", size, middle[0], baseline, middle[at], ratios[at], bound, unit="ms")
