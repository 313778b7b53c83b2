"""Exact Curie-Weiss draws (T = 1, 256 at a time) against NumPy."""

from collections.abc import Iterator

import numpy as np

from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.systems.curie_weiss import CurieWeiss

from .timing import SEED, Baseline, Row, Run, race, sweeps

CHAINS = 256


def numpy_draws(system: CurieWeiss) -> tuple[Run, Run]:
    """Return two ways to draw all chains: one permutation per row, and one choice of the up spins per chain."""
    rng = np.random.default_rng(SEED)
    sites = np.arange(system.sites)
    law = system.order_parameter_law(1.0).probabilities

    def permuted() -> int:
        up = rng.choice(law.size, CHAINS, p=law)
        return rng.permuted((sites < up[:, None]).view(np.uint8), axis=1).size

    def choice() -> int:
        spins = np.zeros((CHAINS, system.sites), np.uint8)
        for row, up in zip(spins, rng.choice(law.size, CHAINS, p=law), strict=True):
            row[rng.choice(system.sites, up, replace=False)] = 1
        return spins.size

    return permuted, choice


def rows(repeats: int) -> Iterator[Row]:
    """Time two sizes."""
    for sites, target in ((256, None), (1024, 40)):
        system = CurieWeiss(sites)
        permuted, choice = numpy_draws(system)
        baselines = [Baseline("NumPy permuted, 256 draws", permuted, target), Baseline("NumPy choice", choice, target)]
        ours = sweeps(CurieWeissDirect(system), 1.0, CHAINS, 20)
        yield from race("Curie-Weiss, T=1", f"N={sites}", ours, baselines, repeats)
