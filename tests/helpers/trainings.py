"""A training of a second or less: Curie-Weiss of ten spins at two temperatures."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vae_mf.datamodule import DataSplit, SpinSet, spin_set
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.vae import VAE
from vae_mf.packing import pack_spins
from vae_mf.rng import generator
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.training.vae_module import VAEModule

SITES, TEMPERATURES, SEED, BATCH = 10, [0.5, 1.5], 3, 32
TRAINER = {"accelerator": "cpu", "devices": 1, "log_every_n_steps": 1}


def samples(rows: int, name: str) -> SpinSet:
    """Return exact draws."""
    parts = []
    for level, temperature in enumerate(TEMPERATURES):
        states = enumerate_system(CurieWeiss(SITES), temperature)
        parts.append(states.spins[generator(1, name, level).choice(2**SITES, rows, p=states.probabilities)])
    return spin_set(pack_spins(np.concatenate(parts)), np.repeat([0, 1], rows), TEMPERATURES, SITES)


def small_split() -> DataSplit:
    """Return 500 rows to train on, and fewer to validate and to test on."""
    return DataSplit(samples(250, "train"), samples(70, "validation"), samples(10, "test"))


def new_module(decay: float = 0.9) -> VAEModule:
    """Return the same module at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        vae = VAE(LinearEncoder(SITES, 1), LinearDecoder(SITES, 1), SplinePrior(1, layers=1, bins=4, hidden=8))
    return VAEModule(vae, learning_rate=1e-2, weight_decay=1e-4, decay=decay, seed=SEED)


class Killed(Exception):
    """Stands for the end of the process."""


def log(folder: Path) -> pd.DataFrame:
    """One row per epoch of the logged averages, over all files that the resumptions of a run have left."""
    files = sorted((folder / "logs").rglob("metrics.csv"))
    return pd.concat([pd.read_csv(file) for file in files]).groupby("epoch").last().drop(columns="step")


def same(left, right) -> bool:
    """Return whether two checkpoints, or parts of them, are equal to the last bit."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right
