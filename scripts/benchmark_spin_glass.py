"""Time the spin-glass and kinetic Ising kernels against plain code and dwave-samplers, on one thread.

Sherrington-Kirkpatrick Metropolis (64 chains near equilibrium) against one chain with float64 local fields in ordinary
Numba, and against dwave-samplers less a call of one sweep; trajectories of the kinetic model (256 repeats, 200 steps)
against NumPy in float64 over all repeats. CPU time in ns per spin update, median over alternating blocks.

    python scripts/benchmark_spin_glass.py --repeats 9
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

import numpy as np
from numba import njit
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from vae_mf.rng import keys
from vae_mf.samplers.kinetic import kinetic_trajectories
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.systems.spin_glass import SherringtonKirkpatrick

CHAINS, SWEEPS, LONG, COOLING, REPEATS, STEPS, SEED = 64, 20, 500, 300, 256, 200, 42


class Way(NamedTuple):
    """Something to time, its number of spin updates, and what its time includes besides."""

    step: Callable[[], object]
    updates: int
    overhead: Callable[[], object] = lambda: None


@njit
def plain_sweeps(couplings, spins, fields, beta, count):
    """Run Metropolis sweeps at random sites, local fields in float64."""
    for _ in range(count * spins.size):
        i = np.random.randint(0, spins.size)  # noqa: NPY002
        cost = 2 * spins[i] * fields[i]
        if cost <= 0 or np.random.random() < np.exp(-beta * cost):  # noqa: NPY002
            spins[i] = -spins[i]
            for j in range(spins.size):
                fields[j] += 2 * couplings[i, j] * spins[i]


def metropolis_ways(sites: int, temperature: float) -> list[Way]:
    """Return ours, plain Numba and (if installed) dwave-samplers, each cooled to the temperature first."""
    system = SherringtonKirkpatrick.random(sites, SEED)
    couplings, sampler = np.asarray(system.couplings), IsingMetropolis(system)
    state = sampler.initial(np.full(CHAINS, 2.0), keys(SEED, "chains", count=CHAINS), np.arange(CHAINS), "random")
    spins = np.random.default_rng(SEED).choice([-1.0, 1.0], sites)
    fields = couplings @ spins
    for level in np.geomspace(2, temperature, COOLING):
        state.temperatures[:] = level
        sampler.sweep(state, 1)
        plain_sweeps(couplings, spins, fields, 1 / level, 1)
    ours = Way(lambda: sampler.sweep(state, SWEEPS), CHAINS * SWEEPS * sites)
    plain = Way(lambda: plain_sweeps(couplings, spins, fields, 1 / temperature, LONG), LONG * sites)
    return [ours, plain, *([dwave_way(couplings, spins, 1 / temperature)] if find_spec("dwave") else [])]


def dwave_way(couplings: np.ndarray, spins: np.ndarray, beta: float) -> Way:
    """Return sweeps of dwave-samplers from a cooled configuration."""
    from dimod import BinaryQuadraticModel
    from dwave.samplers import SimulatedAnnealingSampler

    bonds = zip(*np.triu_indices(len(spins), 1), strict=True)
    model = BinaryQuadraticModel.from_ising({}, {bond: -couplings[bond] for bond in bonds})
    start, sampler = dict(enumerate(spins.astype(int))), SimulatedAnnealingSampler()
    schedule = {"beta_schedule_type": "custom", "beta_schedule": [beta], "initial_states": start, "seed": SEED}
    sample = partial(sampler.sample, model, **schedule)
    return Way(partial(sample, num_sweeps_per_beta=LONG + 1), LONG * len(spins), partial(sample, num_sweeps_per_beta=1))


def kinetic_ways(sites: int) -> list[Way]:
    """Return ours and NumPy's trajectories, both recorded as int8."""
    random = np.random.default_rng(SEED)
    couplings = random.normal(size=(sites, sites)) / np.sqrt(sites)

    def batched() -> None:
        spins = random.choice([-1.0, 1.0], (REPEATS, sites))
        paths = np.empty((REPEATS, STEPS + 1, sites), np.int8)
        for step in range(STEPS):
            up = random.random(spins.shape) < 1 / (1 + np.exp(-2 * (spins @ couplings.T)))
            paths[:, step + 1] = spins = np.where(up, 1.0, -1.0)

    ours = partial(kinetic_trajectories, couplings, None, STEPS, REPEATS, SEED, threads=1)
    return [Way(way, REPEATS * STEPS * sites) for way in (ours, batched)]


def nanoseconds(ways: list[Way], repeats: int) -> list[float]:
    """Return the median CPU time per spin update of each way; the first round is warm-up."""
    times = [[] for _ in ways]
    for _ in range(repeats + 1):
        for way, record in zip(ways, times, strict=True):
            marks = [time.process_time()]
            for call in (way.overhead, way.step):
                call()
                marks.append(time.process_time())
            record.append(1e9 * (marks[2] - 2 * marks[1] + marks[0]) / way.updates)
    return [median(record[1:]) for record in times]


def main() -> None:
    """Print one line per system and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats, missing = parser.parse_args().repeats, "" if find_spec("dwave") else " (not installed)"
    table = Table("system", "N", "ours, ns", "plain", f"dwave-samplers{missing}", "ratio to plain", "to dwave")
    with threadpool_limits(1):
        cases = [(f"SK, T = {t:g}", n, metropolis_ways(n, t)) for n in (128, 512) for t in (0.3, 1.0)]
        for name, sites, ways in cases + [("kinetic", n, kinetic_ways(n)) for n in (256, 1024)]:
            ours, *others = nanoseconds(ways, repeats)
            times = [*(f"{value:.2f}" for value in (ours, *others)), "-"][:3]
            table.add_row(name, str(sites), *times, *(f"{value / ours:.1f}" for value in others))
    Console().print(table)


if __name__ == "__main__":
    main()
