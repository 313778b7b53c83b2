"""Models whose couplings are known, with rows from parallel tempering, for the coverage of intervals of couplings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.spin_glass import Ising

LADDER = 12
CHAINS = 100
MOST_ROWS = 50_000
SEED = 1


class Truth(NamedTuple):
    """A model, beta in its parameters, and rows of it."""

    couplings: np.ndarray
    fields: np.ndarray
    spins: np.ndarray


def glass(random: np.random.Generator) -> np.ndarray:
    """Return the couplings of a Sherrington-Kirkpatrick glass of 60 spins above their diagonal."""
    return np.triu(random.normal(0, 1 / np.sqrt(60), (60, 60)), 1)


def regular_graph(random: np.random.Generator) -> np.ndarray:
    """Return couplings -1 and +1 on a random graph of 60 spins with three neighbours each."""
    while True:
        ends = random.permutation(np.repeat(np.arange(60), 3)).reshape(-1, 2)
        bonds = np.zeros((60, 60))
        np.add.at(bonds, (ends.min(axis=1), ends.max(axis=1)), 1.0)
        if bonds.max() == 1 and not np.diag(bonds).any():
            return bonds * random.choice([-1, 1], bonds.shape)


def hopfield(random: np.random.Generator) -> np.ndarray:
    """Return Hebb's couplings of three patterns of 80 spins."""
    patterns = random.choice([-1, 1], (3, 80))
    return np.triu(patterns.T @ patterns / 80, 1)


def blocks(random: np.random.Generator) -> np.ndarray:
    """Return the couplings of four ferromagnets of 16 spins."""
    group = np.arange(64) // 16
    return np.triu((group[:, None] == group) / 16, 1)


def lattice(random: np.random.Generator) -> np.ndarray:
    """Return the ferromagnetic bonds of a periodic lattice of 8 x 8 spins."""
    place = np.arange(64)
    bonds = np.zeros((64, 64))
    bonds[place, place // 8 * 8 + (place + 1) % 8] = bonds[place, (place + 8) % 64] = 1
    return np.triu(((bonds + bonds.T) > 0).astype(float), 1)


class Family(NamedTuple):
    """Couplings at beta = 1, their largest field, and the inverse temperatures."""

    couplings: Callable[[np.random.Generator], np.ndarray]
    field: float
    betas: tuple[float, ...]


FAMILIES = {
    "glass": Family(glass, 0.3, (0.5, 1.0, 1.7)),
    "regular graph": Family(regular_graph, 0.3, (0.5, 1.0)),
    "Hopfield": Family(hopfield, 0.0, (0.7, 1.2)),
    "blocks": Family(blocks, 0.0, (0.7, 1.2)),
    "lattice": Family(lattice, 0.0, (0.3, 0.44)),
}


def truth(name: str, beta: float, folder: Path) -> Truth:
    """Return a model with rows, which are sampled once and kept in a folder."""
    path = folder / f"{name}.npz"
    family = FAMILIES[name]
    random = np.random.default_rng(SEED)
    upper = family.couplings(random)
    system = Ising(upper + upper.T, random.uniform(-family.field, family.field, len(upper)))
    if not path.exists():
        np.savez(path, **dict(sampled(system, family.betas)))
    with np.load(path) as rows:
        return Truth(beta * np.asarray(system.couplings), beta * np.asarray(system.fields), rows[str(beta)])


def sampled(system: Ising, betas: tuple[float, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield rows at every inverse temperature, in random order."""
    grid = np.unique(np.r_[np.linspace(0.1, max(betas), LADDER), betas])
    schedule = Schedule(MOST_ROWS // CHAINS, 1000, 10)
    drawn = sample_chains(ParallelTempering(IsingMetropolis(system)), 1 / grid, CHAINS, schedule, SEED)
    for beta in betas:
        rows = drawn[np.flatnonzero(grid == beta)[0]].reshape(-1, system.sites)
        yield str(beta), np.random.default_rng(SEED).permutation(rows)
