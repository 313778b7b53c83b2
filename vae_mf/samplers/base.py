"""The generic chain driver: burn in (annealing if asked), thin, record. It knows no system and no storage."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, UInt64
from threadpoolctl import threadpool_limits

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_integer, require_positive
from vae_mf.packing import packed_bytes
from vae_mf.rng import keys as stream_keys

GROUP = 64
"""Chains advanced together by one thread; fixed, so that results never depend on the number of threads."""


@runtime_checkable
class ChainState(Protocol):
    """State of a group of chains; the driver only ever changes their temperatures."""

    temperatures: Float[np.ndarray, " chains"]


@runtime_checkable
class Sampler(Protocol):
    """A Markov chain (or an exact draw, which is a chain that forgets everything) over many chains at once."""

    name: str
    sites: int
    exact: bool
    """Whether successive draws are independent."""

    def initial(
        self,
        temperatures: Float[np.ndarray, " chains"],
        keys: UInt64[np.ndarray, " chains"],
        chains: Int64[np.ndarray, " chains"],
        start: str,
    ) -> Any:
        """Return the state of new chains, started as ``start`` says; the result may depend on nothing else."""
        ...

    def sweep(self, state: Any, count: int) -> None:
        """Advance all chains of ``state`` by ``count`` sweeps, in place."""
        ...

    def configurations(self, state: Any) -> PackedSpins:
        """Return the current configurations, bit-packed, shape (chains, bytes)."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How a chain is run, in sweeps: ``anneal`` from a hot start, ``burn_in`` at its temperature, ``draws`` records.

    Raises:
        ValueError: if a count is negative, ``anneal_from`` not positive, or there is no draw or no sweep between draws.
    """

    draws: int
    burn_in: int
    thinning: int
    anneal: int = 0
    anneal_from: float = 2.0
    """Temperature at which annealing starts; chains hotter than it are not annealed."""

    def __post_init__(self) -> None:
        require_integer("draws", self.draws)
        require_integer("thinning", self.thinning)
        require_integer("burn_in", self.burn_in, minimum=0)
        require_integer("anneal", self.anneal, minimum=0)
        require_positive("anneal_from", self.anneal_from)


class Group(NamedTuple):
    """Chains that one thread advances together."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    chains: Int64[np.ndarray, " chains"]


def run_chains(sampler: Sampler, group: Group, schedule: Schedule, start: str) -> PackedSpins:
    """Run a group of chains through ``schedule`` and return their draws, shape (chains, draws, bytes)."""
    state = sampler.initial(group.temperatures, group.keys, group.chains, start)
    if not sampler.exact:
        anneal(sampler, state, schedule)
        sampler.sweep(state, schedule.burn_in)
    record = np.empty((len(group.keys), schedule.draws, packed_bytes(sampler.sites)), np.uint8)
    for draw in range(schedule.draws):
        sampler.sweep(state, schedule.thinning)
        record[:, draw] = sampler.configurations(state)
    return record


def anneal(sampler: Sampler, state: ChainState, schedule: Schedule) -> None:
    """Cool every chain geometrically from ``schedule.anneal_from`` to its own temperature, one sweep per step."""
    target = state.temperatures.copy()
    hot = np.maximum(schedule.anneal_from, target)
    for step in range(schedule.anneal):
        state.temperatures[:] = hot * (target / hot) ** (step / schedule.anneal)
        sampler.sweep(state, 1)
    state.temperatures[:] = target


def sample_block(
    sampler: Sampler,
    temperatures: Float[np.ndarray, " temperatures"],
    chains: range,
    schedule: Schedule,
    seed: int,
    start: str = "random",
    threads: int | None = None,
) -> PackedSpins:
    """Run the chains numbered ``chains`` at every temperature and return (temperatures, chains, draws, bytes).

    Chain c at temperature number t draws from its own stream (seed, start, t, c): neither the number of threads nor the
    way chains are spread over blocks changes its randomness.
    """
    keys = [
        stream_keys(seed, "chain", start, level, chain, count=1)[0]
        for level in range(len(temperatures))
        for chain in chains
    ]
    everyone = Group(
        np.repeat(np.asarray(temperatures, dtype=np.float64), len(chains)),
        np.array(keys, dtype=np.uint64),
        np.tile(np.array(chains, dtype=np.int64), len(temperatures)),
    )
    cuts = range(GROUP, len(everyone.keys), GROUP)
    groups = [Group(*parts) for parts in zip(*(np.split(field, cuts) for field in everyone), strict=True)]
    work: Callable[[Group], PackedSpins] = lambda group: run_chains(sampler, group, schedule, start)  # noqa: E731
    # One BLAS thread per group: the pool already uses every core, and a product must not depend on how many there are.
    with threadpool_limits(1), ThreadPoolExecutor(threads or available_threads()) as pool:
        record = np.concatenate(list(pool.map(work, groups)))
    return record.reshape(len(temperatures), len(chains), schedule.draws, -1)


def available_threads() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
