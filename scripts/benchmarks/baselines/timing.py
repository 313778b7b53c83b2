"""Timing of several ways to one end, whose blocks alternate so that their ratios survive a busy machine."""

import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

from vae_mf.benchmarks.couplings.rows import Row
from vae_mf.rng import keys
from vae_mf.samplers.base import GROUP, Group, Sampler

SEED = 42
Run = Callable[[], int]
"""Work of a few milliseconds that returns the number of spins that it updated."""


class Baseline(NamedTuple):
    """Another way to the same end, and how many times slower it should be at least."""

    name: str
    run: Run | None
    """None if it is not installed."""
    target: float | None = None
    overhead: Run | None = None
    """Work inside ``run`` that is no sampling."""


def rounds(runs: Iterable[Callable[[], float]], repeats: int) -> np.ndarray:
    """Return what each of ``runs`` measures, shape (repeats, runs), after a round of warm-up."""
    runs = list(runs)
    return np.array([[run() for run in runs] for _ in range(repeats + 1)])[1:]


def nanoseconds(run: Run, overhead: Run | None = None) -> Callable[[], float]:
    """Return a measurement of the process CPU time of ``run`` per update in ns, less that of ``overhead``."""

    def measure() -> float:
        marks = [time.process_time()]
        counts = [0]
        for part in (overhead, run) if overhead else (run,):
            counts.append(part())
            marks.append(time.process_time())
        spent = marks[-1] - marks[-2] - (marks[1] - marks[0] if overhead else 0)
        return 1e9 * spent / (counts[-1] - (counts[1] if overhead else 0))

    return measure


def race(subject: str, size: str, ours: Run, baselines: list[Baseline], repeats: int) -> Iterator[Row]:
    """Time one way of ours against its baselines, and give a row for each of them."""
    present = [baseline for baseline in baselines if baseline.run is not None]
    measures = [
        nanoseconds(ours),
        *(nanoseconds(baseline.run, baseline.overhead) for baseline in present if baseline.run),
    ]
    times = rounds(measures, repeats)
    middle = np.median(times, axis=0)
    ratios = np.median(times / times[:, :1], axis=0)
    for baseline in baselines:
        if baseline in present:
            at = 1 + present.index(baseline)
            yield Row(subject, size, middle[0], baseline.name, middle[at], ratios[at], baseline.target)
        else:
            yield Row(subject, size, middle[0], f"{baseline.name}, not installed", target=baseline.target)


def sweeps(sampler: Sampler, temperature: float, chains: int, count: int = 1) -> Run:
    """Return ``count`` sweeps of many chains and reading the configurations after each, in groups as the driver has."""
    states = [
        sampler.initial(
            Group(np.full(len(part), temperature), keys(SEED, int(part[0]), count=len(part)), part), "random"
        )
        for part in np.split(np.arange(chains), range(GROUP, chains, GROUP))
    ]

    def run() -> int:
        for state in states:
            for _ in range(count):
                sampler.sweep(state, 1)
                sampler.configurations(state)
        return chains * count * sampler.sites

    return run


def installed(distribution: str) -> str | None:
    """Return name and version of an installed distribution, or None."""
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return None
