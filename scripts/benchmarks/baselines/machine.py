"""First call of all samplers in a new process, and two threads against one."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numba import njit

from vae_mf.samplers.base import Sampler, Schedule, available_threads, sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.kinetic import kinetic_trajectories
from vae_mf.samplers.maier_saupe import MaierSaupeDirect
from vae_mf.samplers.multispin import MultispinMetropolis
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D, critical_temperature
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.systems.spin_glass import SherringtonKirkpatrick

from .timing import SEED, Row, rounds

CHAINS = 256
STEPS = 200_000_000
"""Number of steps of the arithmetic that shows what two threads are worth on this machine at this moment."""


@njit(nogil=True)
def arithmetic(steps):
    """Work without memory."""
    x = 1.0
    for _ in range(steps):
        x = x * 1.0000001 + 1e-9
    return x


def cases() -> list[tuple[Sampler, float, Schedule]]:
    """Return a sampler of every system, a temperature for it, and what takes one thread a fraction of a second."""
    return [
        (Wolff(Ising2D(64)), critical_temperature(), Schedule(1, 0, 40)),
        (MultispinMetropolis(Ising2D(64)), 1.8, Schedule(1, 0, 2000)),
        (HopfieldGibbs(Hopfield.random(1024, 143, SEED)), 0.6, Schedule(1, 0, 300)),
        (IsingMetropolis(SherringtonKirkpatrick.random(256, SEED)), 0.5, Schedule(1, 0, 300)),
        (MaierSaupeDirect(MaierSaupe(1024)), 0.2, Schedule(100, 0, 1)),
        (CurieWeissDirect(CurieWeiss(1024)), 1.0, Schedule(2000, 0, 1)),
    ]


def first_calls() -> float:
    """Return the seconds of CPU time that a sweep of every sampler takes when it is the first of the process."""
    begin = time.process_time()
    for sampler, temperature, _ in cases():
        sample_block(sampler, np.array([temperature]), range(2), Schedule(1, 0, 1), SEED, threads=1)
    kinetic_trajectories(np.zeros((64, 64)), None, 1, 2, SEED, threads=1)
    return time.process_time() - begin


def in_a_new_process() -> float:
    """Return `first_calls` of a new process, which finds the compiled kernels on disk."""
    command = [sys.executable, "-m", "baselines.machine"]
    folder = Path(__file__).parents[1]
    return float(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


def wall_time(work: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement of the wall time of ``work`` in ms."""

    def measure() -> float:
        begin = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - begin)

    return measure


def on_threads(threads: int) -> Callable[[], float]:
    """Return a measurement of two equal pieces of arithmetic on so many threads."""

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(arithmetic, [STEPS // 2] * 2))

    return wall_time(work)


def sampling(sampler: Sampler, temperature: float, schedule: Schedule, threads: int) -> Callable[[], float]:
    """Return a measurement of independent chains on so many threads."""
    start = "random" if sampler.exact else "pattern"
    levels = np.array([temperature])
    return wall_time(lambda: sample_block(sampler, levels, range(CHAINS), schedule, SEED, start, threads))


def rows(repeats: int) -> Iterator[Row]:
    """Measure first calls, and then wall times: plain arithmetic shows what two threads are worth at this moment."""
    seconds = float(np.median(rounds([in_a_new_process], repeats)))
    yield Row("first calls, warm cache", "7 samplers", seconds, target=1.2, unit="s", at_most=True)
    if available_threads() > 1:
        yield from scaling("arithmetic", "2 loops", on_threads, None, repeats)
        for case in cases():
            yield from scaling(case[0].name, f"{CHAINS} chains", partial(sampling, *case), 1.7, repeats)


def scaling(
    name: str, size: str, work: Callable[[int], Callable[[], float]], target: float | None, repeats: int
) -> Iterator[Row]:
    """Compare two threads with one."""
    times = rounds([work(2), work(1)], repeats)
    two, one = np.median(times, axis=0)
    ratio = float(np.median(times[:, 1] / times[:, 0]))
    yield Row(f"two threads, {name}", size, two, "one thread", one, ratio, target, "ms")


if __name__ == "__main__":
    print(first_calls())
