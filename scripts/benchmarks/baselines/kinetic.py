"""Kinetic Ising trajectories (256 repeats) against NumPy in float64 over all repeats."""

from collections.abc import Iterator

import numpy as np

from vae_mf.samplers.kinetic import kinetic_trajectories

from .timing import SEED, Baseline, Row, Run, race

REPEATS, STEPS = 256, 100


def numpy_trajectories(couplings: np.ndarray) -> Run:
    """Return all trajectories, recorded as int8 like ours."""
    random = np.random.default_rng(SEED)

    def run() -> int:
        spins = random.choice([-1.0, 1.0], (REPEATS, len(couplings)))
        paths = np.empty((REPEATS, STEPS + 1, len(couplings)), np.int8)
        for step in range(STEPS):
            up = random.random(spins.shape) < 1 / (1 + np.exp(-2 * (spins @ couplings.T)))
            paths[:, step + 1] = spins = np.where(up, 1.0, -1.0)
        return STEPS * spins.size

    return run


def rows(repeats: int) -> Iterator[Row]:
    """Time three sizes."""
    for sites, target in ((64, None), (256, 5), (1024, None)):
        couplings = np.random.default_rng(SEED).normal(size=(sites, sites)) / np.sqrt(sites)

        def ours(couplings: np.ndarray = couplings) -> int:
            return kinetic_trajectories(couplings, None, STEPS, REPEATS, SEED, threads=1)[:, 1:].size

        baselines = [Baseline("NumPy float64, 256 repeats", numpy_trajectories(couplings), target)]
        yield from race("kinetic Ising", f"N={sites}", ours, baselines, repeats)
