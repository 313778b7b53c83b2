"""Configurations that spell their own number, so that every one is known where it lands."""

import numpy as np
import torch

from vae_mf.datamodule import EpochBatches, SpinSet, spin_set
from vae_mf.packing import pack_spins

SITES = 11


def numbered_spins(numbers: np.ndarray) -> np.ndarray:
    """Configurations that spell their own number in binary."""
    return (2 * (numbers[:, None] >> np.arange(SITES) & 1) - 1).astype(np.int8)


def numbers_of(spins: torch.Tensor) -> list[int]:
    return ((spins > 0) * 2 ** torch.arange(SITES)).sum(-1).tolist()


def numbered_set(rows: int) -> SpinSet:
    return spin_set(pack_spins(numbered_spins(np.arange(rows))), np.arange(rows) % 3, [0.5, 1.0, 2.0], SITES)


def rows_of(batches: EpochBatches) -> list[int]:
    return [number for batch in batches for number in numbers_of(batch.configurations)]
