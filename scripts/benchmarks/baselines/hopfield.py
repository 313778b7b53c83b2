"""Hopfield block Gibbs (T = 0.6, 256 chains, no jumps) against NumPy, and against the matrix product that it avoids."""

from collections.abc import Iterator

import numpy as np

from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.systems.hopfield import Hopfield

from .timing import SEED, Baseline, Row, Run, race, sweeps

CHAINS, TEMPERATURE = 256, 0.6
SIZES = {(256, 3): (None, None, None), (1024, 143): (3.5, 12, 0.7), (1024, 307): (None, None, 0.7)}
"""N and P, with the targets against NumPy over all chains, over one chain, and for the share of the product."""


def numpy_gibbs(system: Hopfield, chains: int, dtype: type) -> Run:
    """Return one block Gibbs sweep of all chains together, every line a plain NumPy expression in ``dtype``."""
    rng = np.random.default_rng(SEED)
    xi = system.patterns.astype(dtype)
    sites = dtype(system.sites)
    width = dtype(np.sqrt(TEMPERATURE / system.sites))
    slope = dtype(2 / TEMPERATURE)
    spins = rng.choice([-1, 1], (chains, system.sites)).astype(dtype)

    def run() -> int:
        nonlocal spins
        phi = spins @ xi.T / sites + width * rng.standard_normal((chains, len(xi)), dtype)
        probability = 1 / (1 + np.exp(-slope * (phi @ xi)))
        spins = np.where(rng.random(probability.shape, dtype) < probability, dtype(1), dtype(-1))
        return spins.size

    return run


def product(system: Hopfield) -> Run:
    """Return phi @ xi alone, in single precision, for all chains."""
    xi = system.patterns.astype(np.float32)
    phi = np.random.default_rng(SEED).standard_normal((CHAINS, len(xi)), np.float32)
    fields = np.empty((CHAINS, system.sites), np.float32)

    def run() -> int:
        np.matmul(phi, xi, out=fields)
        return fields.size

    return run


def rows(repeats: int) -> Iterator[Row]:
    """Time every size."""
    for (sites, patterns), (batch, single, share) in SIZES.items():
        system = Hopfield.random(sites, patterns, SEED)
        ours = sweeps(HopfieldGibbs(system, jump_every=0), TEMPERATURE, CHAINS)
        baselines = [
            Baseline("NumPy float32, 256 chains", numpy_gibbs(system, CHAINS, np.float32), batch),
            Baseline("NumPy float64, one chain", numpy_gibbs(system, 1, np.float64), single),
            Baseline("sgemm phi @ xi alone", product(system), share),
        ]
        yield from race("Hopfield, T=0.6", f"N={sites} P={patterns}", ours, baselines, 4 * repeats)
