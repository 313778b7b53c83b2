"""Time the 2D Ising samplers against the usual Numba loops and against mcising (PyPI, Rust), on one thread.

Wolff at T_c in ns per flipped spin; multispin Metropolis (64 chains, T = 1.8) in ns per spin update. Thread CPU time,
median over blocks that alternate between the contestants, so the ratios survive a busy machine.

    python scripts/benchmark_ising2d.py --repeats 9
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import numpy as np
from numba import njit
from rich.console import Console
from rich.table import Table

from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP
from vae_mf.samplers.multispin import MultispinMetropolis
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.ising2d import Ising2D, critical_temperature

SIDES = (16, 32, 64, 128)
COLD = 1.8
SEED = 42
FLIPS = 2_000_000
Contestant = Callable[[], int]
"""Runs for a while and returns the number of spins it flipped (Wolff) or visited (Metropolis)."""


@njit
def usual_wolff(lattice, bond, clusters):
    """Flip clusters as most Numba codes do: a table of visited sites, two queues, remainders and np.random."""
    side = lattice.shape[0]
    flipped = 0
    for _ in range(clusters):
        visited = np.zeros((side, side), np.bool_)
        rows, columns = np.empty(side * side, np.int64), np.empty(side * side, np.int64)
        rows[0], columns[0] = np.random.randint(0, side), np.random.randint(0, side)  # noqa: NPY002
        visited[rows[0], columns[0]] = True
        spin = lattice[rows[0], columns[0]]
        head, tail = 0, 1
        while head < tail:
            i, j = rows[head], columns[head]
            head += 1
            for di, dj in [(1, 0), (-1, 0), (0, 1), (0, -1)]:
                ni, nj = (i + di) % side, (j + dj) % side
                if not visited[ni, nj] and lattice[ni, nj] == spin and np.random.random() < bond:  # noqa: NPY002
                    visited[ni, nj] = True
                    rows[tail], columns[tail] = ni, nj
                    tail += 1
        for k in range(tail):
            lattice[rows[k], columns[k]] = -spin
        flipped += tail
    return flipped


@njit
def usual_metropolis(lattice, beta, sweeps):
    """Visit the sites in order, with remainders, np.exp and np.random."""
    side = lattice.shape[0]
    for _ in range(sweeps):
        for i in range(side):
            for j in range(side):
                field = (
                    lattice[i, (j + 1) % side]
                    + lattice[i, (j - 1) % side]
                    + lattice[(i + 1) % side, j]
                    + lattice[(i - 1) % side, j]
                )
                cost = 2.0 * lattice[i, j] * field
                if cost <= 0 or np.random.random() < np.exp(-beta * cost):  # noqa: NPY002
                    lattice[i, j] = -lattice[i, j]
    return sweeps * side * side


def wolff(side: int) -> Contestant:
    """Return clusters of this package at T_c, one chain."""
    sampler = Wolff(Ising2D(side))
    state = sampler.initial(np.full(1, critical_temperature()), keys(SEED, count=1), np.arange(1), "pattern")
    sweeps = FLIPS // side**2

    def run() -> int:
        before = state.flipped
        sampler.sweep(state, sweeps)
        return state.flipped - before

    return run


def multispin(side: int) -> Contestant:
    """Return 64 chains of this package at T = 1.8."""
    sampler = MultispinMetropolis(Ising2D(side))
    state = sampler.initial(np.full(GROUP, COLD), keys(SEED, count=GROUP), np.arange(GROUP), "random")
    sweeps = max(1, 8 * FLIPS // (GROUP * side**2))

    def run() -> int:
        sampler.sweep(state, sweeps)
        return sweeps * GROUP * side**2

    return run


def numba_wolff(side: int) -> Contestant:
    """Return the usual clusters at T_c."""
    lattice = np.ones((side, side), np.int64)
    clusters = max(1, int(FLIPS / 4 / side**1.75))
    return lambda: usual_wolff(lattice, 1 - np.exp(-2 / critical_temperature()), clusters)


def numba_metropolis(side: int) -> Contestant:
    """Return the usual sequential sweeps at T = 1.8."""
    lattice = np.ones((side, side), np.int64)
    return lambda: usual_metropolis(lattice, 1 / COLD, max(1, FLIPS // 4 // side**2))


def mcising(side: int, algorithm: str, temperature: float) -> Contestant:
    """Return the cluster or Metropolis steps of mcising, which are counted by itself."""
    from mcising import IsingSimulation  # pyright: ignore[reportMissingImports]

    simulation = IsingSimulation(side, 1.0, 0.0, 0.0, 0.0, SEED, algorithm)
    steps = max(1, int(FLIPS / 2 / side ** (1.75 if algorithm == "wolff" else 2)))
    simulation.sweep(steps, temperature=temperature)
    return lambda: simulation.sweep(steps, temperature=temperature)[1]


def nanoseconds(contestants: list[Contestant], repeats: int) -> list[float]:
    """Return the median CPU time per spin of each contestant; the first block is warm-up."""
    times = [[] for _ in contestants]
    for _ in range(repeats + 1):
        for run, record in zip(contestants, times, strict=True):
            start = time.thread_time()
            count = run()
            record.append(1e9 * (time.thread_time() - start) / count)
    return [median(record[1:]) for record in times]


def main() -> None:
    """Print one line per algorithm and side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    console, peer = Console(), find_spec("mcising") is not None
    if not peer:
        console.print("mcising is not installed (pip install mcising==1.1.0): its columns are left out")
    table = Table("algorithm", "L", "ours, ns", "Numba, ns", "mcising, ns", "ratio to Numba", "to mcising")
    rows = [("Wolff, T_c", wolff, numba_wolff, "wolff", critical_temperature())]
    rows += [("multispin, T = 1.8", multispin, numba_metropolis, "metropolis", COLD)]
    for label, ours, usual, algorithm, temperature in rows:
        for side in SIDES:
            contestants = [ours(side), usual(side)] + [mcising(side, algorithm, temperature)] * peer
            times = nanoseconds(contestants, repeats)
            values = [f"{value:.3g}" for value in times] + ["-"] * (not peer)
            ratios = [f"{value / times[0]:.1f}" for value in times[1:]] + ["-"] * (not peer)
            table.add_row(label, str(side), *values, *ratios)
    console.print(table)


if __name__ == "__main__":
    main()
