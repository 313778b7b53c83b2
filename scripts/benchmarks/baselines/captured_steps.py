"""Recorded training steps against plain ones, and against the graph alone, the best that the device can do."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from vae_mf.datamodule import DataSplit, EpochBatches
from vae_mf.models.tensors import Batch
from vae_mf.training.captured_step import WARM_UP, CapturedStep, GraphRecorder, Work
from vae_mf.training.data_feed import SpinDataModule
from vae_mf.training.fit import fit
from vae_mf.training.vae_module import VAEModule

from .device_stages import DEVICE, Case, Say, case, milliseconds, no_waiting, one_step
from .training import CUDA, Stopwatch

RECORDED = (
    "hopfield_quick",
    "autoregressive, 4 draws",
    "ising2d_quick",
    "maier_saupe_quick",
    "retina",
    "paper/ising2d",
)
STEPS = 256
"""Steps of an epoch, the last of which is Lightning's own."""
PREDICTED = {"hopfield_quick": "0.3 ms", "paper/ising2d": "1.5 ms"}
"""Times of a recorded step that kernels without gaps between them suggest for an H100."""
TARGET = 1.2
"""Largest time of a step in a training, the graph alone having 1."""
SAME = 0.02
"""Largest difference of the weights, as a share of the way that they went: sums of atomics have no order."""


class Calls:
    """In the place of a recorder where the device has none: the work is done again by Python."""

    def carry_out(self, work: Work) -> None:
        """Carry out some work."""
        work()

    def record(self, work: Work, generators: object) -> Work:
        """Carry out some work, and return it."""
        work()
        return work


class Way(NamedTuple):
    """A model on the device, and its steps, taken one by one."""

    module: VAEModule
    optimiser: torch.optim.Optimizer
    take: Callable[[Batch], object]


def way(found: Case, module: VAEModule) -> Way:
    """Return a model on the device, at the beginning of an epoch."""
    module.to(DEVICE)
    if CUDA:
        module.vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    (optimiser,), _ = module.configure_optimizers()
    module.on_train_epoch_start()
    return Way(module, optimiser, partial(one_step, module, optimiser, found.halves and CUDA))


def weights(module: VAEModule) -> torch.Tensor:
    """Return all weights as one vector."""
    return torch.cat([part.detach().flatten().double().cpu() for part in module.vae.parameters()])


def captured(say: Say) -> None:
    """Recorded steps: the weights of plain ones, nothing that waits, and their time, alone and in a training."""
    slow = [name for name in (RECORDED if CUDA else RECORDED[:1]) if not one_model(name, say)]
    assert not slow or not CUDA, f"steps of {', '.join(slow)} take more than {TARGET} times their graph"


def one_model(name: str, say: Say) -> bool:
    """Compare both ways for a model; return whether a step in a training is as fast as it is to be."""
    found = case(name, batches=STEPS if CUDA else 8)
    data = found.data.to(DEVICE)
    batches = EpochBatches(data, found.batch_size, 1)
    start = weights(found.module)
    plain = way(found, copy.deepcopy(found.module))
    other = way(found, copy.deepcopy(found.module))
    step = CapturedStep(other.take, other.module, other.optimiser, GraphRecorder(DEVICE) if CUDA else Calls())
    for number, batch in enumerate(batches):
        plain.take(batch)
        if number <= WARM_UP:
            step(batch)
        else:
            with no_waiting():
                step(batch)
    gone = weights(plain.module) - start
    off = float((weights(other.module) - weights(plain.module)).norm() / gone.norm())
    assert off < SAME, f"recorded steps of {name} end elsewhere by {off:.1e} of their way"
    first: Batch = next(iter(batches))
    assert step.replay is not None
    times = [milliseconds(work) for work in (partial(plain.take, first), partial(step, first), step.replay)]
    trained = in_a_training(found)
    say(
        f"{name}: one by one {times[0]:.2f} ms, recorded {times[1]:.2f} ms (predicted for an H100: "
        f"{PREDICTED.get(name, 'nothing')}), the graph alone {times[2]:.2f} ms, in a "
        f"training {trained:.2f} ms ({trained / times[2]:.2f} times the graph; to be {TARGET} at most); weights "
        f"are off by {off:.0e} of their way"
    )
    return trained <= TARGET * times[2]


def in_a_training(found: Case) -> float:
    """Return milliseconds for a step of a training under Lightning, which is told of nothing that stands against it."""
    watch = Stopwatch()
    remarks: list[str] = []
    rows = replace(found.data, data=found.data.data[:64], level=found.data.level[:64])
    feed = SpinDataModule(DataSplit(found.data, rows, rows), found.batch_size, 1)
    trainer = {
        "accelerator": DEVICE.type,
        "devices": 1,
        "precision": "bf16-mixed" if found.halves and CUDA else "32-true",
    }
    with tempfile.TemporaryDirectory() as folder:
        options = {"captured": CUDA, "remark": remarks.append}
        fit(found.module, feed, Path(folder), 3, trainer, [watch], **options)
    assert not remarks, remarks[0]
    return 1e3 * min(watch.seconds[1:]) / len(EpochBatches(found.data, found.batch_size))
