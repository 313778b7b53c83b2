"""Time the compiled samplers against plain NumPy, on one thread.

Hopfield block Gibbs (128 chains, T = 0.6, no jumps) against NumPy in float32 over all chains and in float64 over one;
Curie-Weiss exact draws (T = 1) against NumPy's `Generator.permuted` over all chains and `Generator.choice` one draw at
a time. Process CPU time in ns per spin update, median over blocks that alternate between the ways, so ratios survive
a busy machine.

    python scripts/benchmark_samplers.py --repeats 20
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP, Sampler
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

CHAINS = 256
BLOCK = 20
SEED = 42


def compiled(sampler: Sampler, temperature: float) -> Callable[[], None]:
    """Return one sweep of all chains, in the groups that the driver forms."""
    numbers, size = np.arange(CHAINS), getattr(sampler, "group", GROUP)
    states = [
        sampler.initial(np.full(size, temperature), keys(SEED, int(part[0]), count=size), part, "random")
        for part in np.split(numbers, range(size, CHAINS, size))
    ]

    def sweep() -> None:
        for state in states:
            sampler.sweep(state, 1)
            sampler.configurations(state)

    return sweep


def numpy_gibbs(system: Hopfield, chains: int, temperature: float, dtype: type) -> Callable[[], None]:
    """Return one block Gibbs sweep of all chains together, every line a plain NumPy expression in ``dtype``."""
    rng = np.random.default_rng(SEED)
    xi, sites = system.patterns.astype(dtype), dtype(system.sites)
    width, slope = dtype(np.sqrt(temperature / system.sites)), dtype(2 / temperature)
    spins = rng.choice([-1, 1], (chains, system.sites)).astype(dtype)

    def sweep() -> None:
        nonlocal spins
        phi = spins @ xi.T / sites + width * rng.standard_normal((chains, len(xi)), dtype)
        probability = 1 / (1 + np.exp(-slope * (phi @ xi)))
        spins = np.where(rng.random(probability.shape, dtype) < probability, dtype(1), dtype(-1))

    return sweep


def numpy_draws(system: CurieWeiss, temperature: float) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return two ways to draw all chains: one permutation per row, and one choice of the up spins per chain."""
    rng = np.random.default_rng(SEED)
    law = system.order_parameter_law(temperature).probabilities
    sites = np.arange(system.sites)

    def permuted() -> None:
        up = rng.choice(law.size, CHAINS, p=law)
        rng.permuted((sites < up[:, None]).view(np.uint8), axis=1)

    def choice() -> None:
        spins = np.zeros((CHAINS, system.sites), np.uint8)
        for row, up in zip(spins, rng.choice(law.size, CHAINS, p=law), strict=True):
            row[rng.choice(system.sites, up, replace=False)] = 1

    return permuted, choice


def nanoseconds(ways: list[tuple[Callable[[], None], int]], repeats: int) -> list[float]:
    """Return the median CPU time per spin update of each (step, updates per step); the first block is warm-up."""
    times = [[] for _ in ways]
    for _ in range(repeats + 1):
        for (step, updates), record in zip(ways, times, strict=True):
            start = time.process_time()
            for _ in range(BLOCK):
                step()
            record.append(1e9 * (time.process_time() - start) / (BLOCK * updates))
    return [median(record[1:]) for record in times]


def main() -> None:
    """Print one line per system."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    table = Table("system", "N", "P", "compiled, ns", "NumPy batch", "NumPy single", "ratio to batch", "to single")

    def add(names: tuple[str, ...], ways: list[tuple[Callable[[], None], int]]) -> None:
        fast, batch, single = nanoseconds(ways, repeats)
        times = [f"{value:.2f}" for value in (fast, batch, single)]
        table.add_row(*names, *times, f"{batch / fast:.1f}", f"{single / fast:.1f}")

    with threadpool_limits(1):
        for sites, patterns in [(256, 3), (1024, 143)]:
            system = Hopfield.random(sites, patterns, SEED)
            sweeps = [compiled(HopfieldGibbs(system, jump_every=0), 0.6), numpy_gibbs(system, CHAINS, 0.6, np.float32)]
            one = (numpy_gibbs(system, 1, 0.6, np.float64), sites)
            add(("Hopfield", str(sites), str(patterns)), [*((sweep, CHAINS * sites) for sweep in sweeps), one])
        for sites in (256, 1024):
            system = CurieWeiss(sites)
            draws = [compiled(CurieWeissDirect(system), 1.0), *numpy_draws(system, 1.0)]
            add(("Curie-Weiss", str(sites), "-"), [(draw, CHAINS * sites) for draw in draws])
    Console().print(table)


if __name__ == "__main__":
    main()
