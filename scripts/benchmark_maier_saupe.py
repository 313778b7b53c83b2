"""Time the nematic samplers against Kent's method written as a scalar Numba loop, on one thread.

Bingham draws at the exponents of each phase: ours; a scalar loop in float64 with NumPy's normals and small arrays, as
it is usually written; and the same loop with everything unrolled by hand. Then a whole sweep of 64 chains and reading
their configurations, by the direct sampler and by block Gibbs. Process CPU time in ns per director, median over blocks
that alternate between the ways, so the ratios survive a busy machine. With --tau also the integrated autocorrelation
time of S.

    python scripts/benchmark_maier_saupe.py --repeats 20 --tau
"""

# ruff: noqa: NPY002 -- inside Numba the legacy generator is the usual one, and these loops are the usual way.

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numba import njit
from rich.console import Console
from rich.table import Table

from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP
from vae_mf.samplers.bingham import BLOCK, envelope_parameter, fill_bingham
from vae_mf.samplers.diagnostics import autocorrelation_time
from vae_mf.samplers.maier_saupe import MaierSaupeDirect, MaierSaupeGibbs
from vae_mf.systems.maier_saupe import MaierSaupe, mean_field_transition

SEED = 42
TEMPERATURES = (0.15, mean_field_transition().temperature, 0.3)
TAU_DRAWS = 2000


@njit
def scalar_kent(matrix, out):
    """Fill ``out`` (N, 3) from exp(n^T B n) one director at a time, every vector an array."""
    values, axes = np.linalg.eigh(-matrix)
    rates = values - values[0]
    b = envelope_parameter(rates)
    omega = 1 + 2 * rates / b
    log_bound = 1.5 * np.log(3 / b) - (3 - b) / 2
    for i in range(out.shape[0]):
        while True:
            y = np.empty(3)
            for k in range(3):
                y[k] = np.random.normal() / np.sqrt(omega[k])
            y /= np.sqrt((y * y).sum())
            t = (omega * y * y).sum()
            if np.log(np.random.random()) < 1.5 * np.log(t) - (rates * y * y).sum() - log_bound:
                out[i] = axes @ y
                break


@njit
def unrolled_kent(matrix, out):
    """Fill ``out`` as `scalar_kent` does, without a temporary array and with the square roots taken once."""
    values, axes = np.linalg.eigh(-matrix)
    rates = values - values[0]
    b = envelope_parameter(rates)
    p, q, r = 1 / np.sqrt(1 + 2 * rates / b)
    log_bound = 1.5 * np.log(3 / b) - (3 - b) / 2
    for i in range(out.shape[0]):
        while True:
            x, y, z = p * np.random.normal(), q * np.random.normal(), r * np.random.normal()
            length = x * x + y * y + z * z
            t = ((x / p) ** 2 + (y / q) ** 2 + (z / r) ** 2) / length
            if np.log(np.random.random()) < 0.5 * b * (1 - t) + 1.5 * np.log(t) - log_bound:
                x, y, z = x / np.sqrt(length), y / np.sqrt(length), z / np.sqrt(length)
                out[i, 0] = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
                out[i, 1] = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
                out[i, 2] = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
                break


def typical_exponents(system: MaierSaupe, temperature: float) -> np.ndarray:
    """Return 3 beta J / 2 times the eigenvalues of a rod of average size."""
    law = system.tensor_law(temperature)
    size = float(law.probabilities @ law.radius)
    return 1.5 * system.coupling / temperature * size * np.sqrt(2 / 3) * np.array([1, -0.5, -0.5])


def bingham_ways(exponents: np.ndarray, sites: int) -> list[Callable[[], None]]:
    """Return the three ways to draw ``sites`` directors."""
    ours, work = np.empty((3, sites), np.float32), np.empty((3, sites + BLOCK), np.float32)
    counters, key, axes, theirs = np.zeros(1, np.uint64), np.uint64(SEED), np.eye(3), np.empty((sites, 3))
    matrix = np.diag(exponents)
    return [
        lambda: fill_bingham(ours, exponents, axes, work, key, counters, 0),
        lambda: scalar_kent(matrix, theirs),
        lambda: unrolled_kent(matrix, theirs),
    ]


def sweep_ways(system: MaierSaupe, temperature: float) -> list[Callable[[], None]]:
    """Return one sweep and reading of 64 chains by either sampler."""

    def way(sampler: MaierSaupeDirect | MaierSaupeGibbs) -> Callable[[], None]:
        state = sampler.initial(np.full(GROUP, temperature), keys(SEED, count=GROUP), np.arange(GROUP), "random")

        def sweep() -> None:
            sampler.sweep(state, 1)
            sampler.configurations(state)

        return sweep

    return [way(MaierSaupeDirect(system)), way(MaierSaupeGibbs(system))]


def nanoseconds(ways: list[Callable[[], None]], calls: int, directors: int, repeats: int) -> list[float]:
    """Return the median process CPU time per director of each way; the first block of each is warm-up."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats + 1):
        for way, record in zip(ways, times, strict=True):
            start = time.process_time()
            for _ in range(calls):
                way()
            record.append(1e9 * (time.process_time() - start) / (calls * directors))
    return [median(record[1:]) for record in times]


def order_time(sampler: MaierSaupeDirect | MaierSaupeGibbs, temperature: float, chains: int = 16) -> float:
    """Return the integrated autocorrelation time of S in sweeps; half of the chains start aligned where they can."""
    system, runs = sampler.system, []
    for start in ("random", "random") if sampler.exact else ("random", "pattern"):
        levels, streams = np.full(chains, temperature), keys(SEED, start, len(runs), count=chains)
        state = sampler.initial(levels, streams, np.arange(chains), start)
        sampler.sweep(state, TAU_DRAWS // 4)
        draws = []
        for _ in range(TAU_DRAWS):
            sampler.sweep(state, 1)
            draws.append(system.order_parameter(sampler.configurations(state)))
        runs.append(np.stack(draws, axis=1))
    return autocorrelation_time(np.concatenate(runs))


def main() -> None:
    """Print one line per size and temperature."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--sites", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--tau", action="store_true", help="also measure autocorrelation times (about a minute)")
    options = parser.parse_args()
    columns = ["N", "T", "Bingham, ns", "usual", "unrolled", "ratio to usual", "to unrolled", "direct, ns", "Gibbs, ns"]
    table = Table(*columns, *(["tau direct", "tau Gibbs"] if options.tau else []))
    for sites in options.sites:
        system = MaierSaupe(sites)
        for temperature in TEMPERATURES:
            draws = bingham_ways(typical_exponents(system, temperature), sites)
            ours, usual, unrolled = nanoseconds(draws, 20, sites, options.repeats)
            sweeps = nanoseconds(sweep_ways(system, temperature), 2, GROUP * sites, options.repeats)
            cells = [ours, usual, unrolled, usual / ours, unrolled / ours, *sweeps]
            if options.tau:
                cells += [order_time(sampler(system), temperature) for sampler in (MaierSaupeDirect, MaierSaupeGibbs)]
            table.add_row(str(sites), f"{temperature:.4f}", *(f"{value:.2f}" for value in cells))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
