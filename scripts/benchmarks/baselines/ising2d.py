"""Wolff at T_c, per flipped spin, and multispin Metropolis at T = 1.8, against Numba loops and mcising (Rust)."""

# ruff: noqa: NPY002 -- inside Numba the legacy generator is the usual one, and these loops are the usual way.

from collections.abc import Iterator

import numpy as np
from numba import njit

from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP, Group
from vae_mf.samplers.multispin import MultispinMetropolis
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.ising2d import Ising2D, critical_temperature

from .timing import SEED, Baseline, Row, Run, installed, race

SIDES = (32, 64, 128)
COLD = 1.8
SPINS = 500_000
"""About as many are flipped or visited in a block."""
BURN_IN = 5000
"""Clusters or sweeps of mcising, which starts at random: clusters are tiny at first, and cost more per spin."""


@njit
def usual_wolff(lattice, bond, clusters):
    """Flip clusters as most Numba codes do: a table of visited sites, two queues, remainders and np.random."""
    side = lattice.shape[0]
    flipped = 0
    for _ in range(clusters):
        visited = np.zeros((side, side), np.bool_)
        rows = np.empty(side * side, np.int64)
        columns = np.empty(side * side, np.int64)
        rows[0] = np.random.randint(0, side)
        columns[0] = np.random.randint(0, side)
        visited[rows[0], columns[0]] = True
        spin = lattice[rows[0], columns[0]]
        head, tail = 0, 1
        while head < tail:
            i, j = rows[head], columns[head]
            head += 1
            for di, dj in [(1, 0), (-1, 0), (0, 1), (0, -1)]:
                ni, nj = (i + di) % side, (j + dj) % side
                if not visited[ni, nj] and lattice[ni, nj] == spin and np.random.random() < bond:
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
                left, right = lattice[i, (j - 1) % side], lattice[i, (j + 1) % side]
                upper, lower = lattice[(i - 1) % side, j], lattice[(i + 1) % side, j]
                cost = 2.0 * lattice[i, j] * (left + right + upper + lower)
                if cost <= 0 or np.random.random() < np.exp(-beta * cost):
                    lattice[i, j] = -lattice[i, j]
    return sweeps * side * side


def wolff(side: int) -> Run:
    """Return clusters of this package at T_c, one chain."""
    sampler = Wolff(Ising2D(side))
    state = sampler.initial(Group(np.full(1, critical_temperature()), keys(SEED, count=1), np.arange(1)), "pattern")

    def run() -> int:
        before = state.flipped
        sampler.sweep(state, 4 * SPINS // side**2)
        return state.flipped - before

    return run


def multispin(side: int) -> Run:
    """Return 64 chains of this package at T = 1.8."""
    sampler = MultispinMetropolis(Ising2D(side))
    state = sampler.initial(Group(np.full(GROUP, COLD), keys(SEED, count=GROUP), np.arange(GROUP)), "random")
    sweeps = 64 * SPINS // (GROUP * side**2)

    def run() -> int:
        sampler.sweep(state, sweeps)
        return sweeps * GROUP * side**2

    return run


def numba_wolff(side: int) -> Run:
    """Return the usual clusters at T_c."""
    lattice = np.ones((side, side), np.int64)
    bond = 1 - np.exp(-2 / critical_temperature())
    clusters = int(SPINS / side**1.75)
    return lambda: usual_wolff(lattice, bond, clusters)


def numba_metropolis(side: int) -> Run:
    """Return the usual sequential sweeps at T = 1.8."""
    lattice = np.ones((side, side), np.int64)
    return lambda: usual_metropolis(lattice, 1 / COLD, SPINS // side**2)


def mcising(side: int, algorithm: str, temperature: float) -> Run | None:
    """Return the cluster or Metropolis steps of mcising, which counts the spins itself."""
    if not installed("mcising"):
        return None
    from mcising import IsingSimulation  # pyright: ignore[reportMissingImports]

    simulation = IsingSimulation(side, 1.0, 0.0, 0.0, 0.0, SEED, algorithm)
    simulation.sweep(BURN_IN, temperature=temperature)
    steps = int(SPINS / side ** (1.75 if algorithm == "wolff" else 2))
    return lambda: simulation.sweep(steps, temperature=temperature)[1]


def rows(repeats: int) -> Iterator[Row]:
    """Time both algorithms at every size."""
    name = installed("mcising") or "mcising"
    for side in SIDES:
        peer = Baseline(name, mcising(side, "wolff", critical_temperature()), 3)
        baselines = [Baseline("usual Numba", numba_wolff(side), 8), peer]
        yield from race("Wolff, T_c", f"L={side}", wolff(side), baselines, repeats)
    for side in SIDES:
        peer = Baseline(name, mcising(side, "metropolis", COLD), 25)
        baselines = [Baseline("sequential Numba", numba_metropolis(side), 80), peer]
        yield from race("multispin Metropolis, T=1.8", f"L={side}", multispin(side), baselines, repeats)
