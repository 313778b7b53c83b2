"""Models whose couplings are to be inferred, with equilibrium samples: spin glasses, lattices and random graphs.

Sherrington-Kirkpatrick couplings, or |J| uniform in [0.5, 1] on a periodic lattice or a random graph of mean degree 3;
fields up to 0.3; all times beta.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.spin_glass import Ising

LADDER, CHAINS = 16, 100


class Truth(NamedTuple):
    """A model at one inverse temperature, beta in its couplings, with samples."""

    name: str
    beta: float
    couplings: np.ndarray
    spins: np.ndarray


def signed(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return couplings of random sign with magnitudes uniform in [0.5, 1]."""
    return random.choice([-1.0, 1.0], shape) * random.uniform(0.5, 1.0, shape)


def make_system(kind: str, sites: int, random: np.random.Generator) -> Ising:
    """Return a model at beta = 1."""
    shape = (sites, sites)
    if kind == "sk":
        upper = np.triu(random.normal(0, 1 / np.sqrt(sites), shape), 1)
    elif kind == "er":
        upper = np.triu((random.random(shape) < 3 / (sites - 1)) * signed(random, shape), 1)
    else:
        side = round(sites**0.5)
        place = np.arange(sites)
        neighbours = np.zeros(shape, dtype=bool)
        neighbours[place, place // side * side + (place + 1) % side] = True
        neighbours[place, (place + side) % sites] = True
        upper = np.triu(neighbours | neighbours.T, 1) * signed(random, shape)
    return Ising(upper + upper.T, random.uniform(-0.3, 0.3, sites))


def truths(name: str, betas: Sequence[float], samples: int, seed: int) -> Iterator[Truth]:
    """Yield a model called, say, sk50 at several inverse temperatures, with samples by parallel tempering."""
    kind = name.rstrip("0123456789")
    system = make_system(kind, int(name.removeprefix(kind)), np.random.default_rng(seed))
    grid = np.unique(np.r_[np.linspace(0.1, max(betas), LADDER), betas])
    tempering = ParallelTempering(IsingMetropolis(system))
    drawn = sample_chains(tempering, 1 / grid, CHAINS, Schedule(-(-samples // CHAINS), 2000, 10), seed)
    for beta in betas:
        spins = drawn[np.flatnonzero(grid == beta)[0]].reshape(-1, system.sites)
        rows = np.random.default_rng(seed).permutation(spins)[:samples]
        yield Truth(name, beta, beta * np.asarray(system.couplings), rows)


def warm_glass(sites: int, beta: float, samples: int, seed: int) -> Truth:
    """Return a large spin glass far above its transition, where chains forget their start in a few sweeps."""
    system = make_system("sk", sites, np.random.default_rng(seed))
    drawn = sample_chains(IsingMetropolis(system), np.array([1 / beta]), samples // 20, Schedule(20, 50, 5), seed)
    spins = drawn.reshape(samples, sites)
    return Truth(f"sk{sites}", beta, beta * np.asarray(system.couplings), spins)
