"""Memory of the largest experiment of the paper, Maier-Saupe, on a GPU and beside it, from sizes of arrays."""

import numpy as np
import pytest
import torch
from helpers.live_memory import LiveMemory

from vae_mf.datamodule import EpochBatches, director_set
from vae_mf.models.directors.equal_area import from_disc
from vae_mf.runs.build import build_module
from vae_mf.runs.instantiate import instantiate
from vae_mf.training.data_feed import VALIDATED
from vae_mf.training.vae_module import VAEModule
from vae_mf.verdict.needs import bytes_of_training

GPU = HOST = 8e9
BASE = 0.7e9
"""Bytes of Python and its libraries on the processor (docs/benchmarks/memory.md)."""
FEW = 16
"""Rows of a step whose memory is measured; what a row takes does not depend on their number."""


@pytest.fixture
def paper(compose_config):
    return compose_config("train", "experiment=paper/maier_saupe")


def rows_of(paper) -> int:
    return len(paper.sampling.temperatures) * paper.sampling.samples


def bytes_of_a_row(module: VAEModule, sites: int, validation: bool) -> float:
    """Return the bytes that a row takes at the peak of a step in bfloat16."""
    points = torch.randint(-(2**14), 2**14, (FEW, sites, 2), dtype=torch.int16)
    data = director_set(from_disc(points).numpy(), np.arange(FEW) % 2, [0.2, 0.3])
    (optimiser,), _ = module.configure_optimizers()
    module.on_train_epoch_start()
    module._begin("validation")
    with LiveMemory() as memory, torch.autocast("cpu", torch.bfloat16):
        (batch,) = EpochBatches(data, FEW)
        if validation:
            with torch.no_grad():
                module.validation_step(batch, 0)
        else:
            module.training_step(batch, 0).backward()
            optimiser.step()
    return memory.peak / FEW


def test_it_fits_into_a_gpu_of_8_gb(paper):
    system = instantiate(paper.system)
    module = build_module(paper, system.sites, system)
    share = 1 - paper.training.test
    one = director_set(np.array([[[0.0, 0, 1]]]), np.array([0]), [1.0]).data.nbytes
    data = rows_of(paper) * share * system.sites * one
    step, validation = (bytes_of_a_row(module, system.sites, kind) for kind in (False, True))
    size = paper.training.batch_size
    # A recorded step keeps its memory; the last step of an epoch and validation follow one another.
    work = size * step + max(size * step, VALIDATED // system.sites * validation)
    assert data == 0.9 * 16 * 100_000 * 1024 * 4
    assert 0.9 * GPU < data + work < GPU


def test_it_fits_beside_a_gpu_into_8_gb(paper):
    system = instantiate(paper.system)
    levels = len(paper.sampling.temperatures)
    needed = bytes_of_training(system, paper.sampling.samples, levels, paper.evaluation.generated)
    packed = 4 * rows_of(paper) * system.sites
    assert packed < needed < HOST - BASE
