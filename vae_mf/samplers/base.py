"""Contract of a sampler, and the driver of its chains: burn in (annealing if asked), thin, record."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, UInt64
from threadpoolctl import threadpool_limits

from vae_mf.arrays import Configurations, States
from vae_mf.checks import require_choice, require_integer, require_positive
from vae_mf.packing import unpack_spins
from vae_mf.rng import keys as stream_keys
from vae_mf.systems.base import System

GROUP = 64
"""Chains advanced together by one thread, where a sampler has no reason for another number."""


class Group(NamedTuple):
    """Chains that one thread advances together."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    chains: Int64[np.ndarray, " chains"]


@runtime_checkable
class ChainState(Protocol):
    """State of a group of chains; the driver only ever changes their temperatures."""

    temperatures: Float[np.ndarray, " chains"]


@runtime_checkable
class Sampler(Protocol):
    """A Markov chain (or an exact draw, which is a chain that forgets everything) over many chains at once.

    >>> from vae_mf.samplers import CurieWeissDirect
    >>> from vae_mf.systems import CurieWeiss
    >>> sampler = CurieWeissDirect(CurieWeiss(9))
    >>> isinstance(sampler, Sampler), sampler.kind, sampler.sites, sampler.exact
    (True, 'spins', 9, True)
    """

    name: str
    sites: int
    exact: bool
    """True if successive draws are independent."""

    @property
    def kind(self) -> str:
        """Sort of the elements of a configuration, "spins" or "directors"."""
        ...

    @property
    def tempered(self) -> bool:
        """True if the chains of one ladder of temperatures exchange them and must be advanced together."""
        ...

    @property
    def group(self) -> int:
        """Number of chains that one thread advances together; the numbers drawn may depend on it."""
        ...

    def algorithm(self, temperature: float) -> str:
        """Return the name of the algorithm that advances chains at ``temperature``."""
        ...

    def initial(self, group: Group, start: str) -> Any:
        """Return the state of new chains, by the kind of ``start``; the result may depend on nothing else."""
        ...

    def sweep(self, state: Any, count: int) -> None:
        """Advance all chains of ``state`` by ``count`` sweeps, in place."""
        ...

    def configurations(self, state: Any) -> Configurations:
        """Return the current configurations, packed spins (chains, bytes) or directors (chains, sites, 3)."""
        ...


@runtime_checkable
class OnDevice(Protocol):
    """A sampler that computes on a device of its own."""

    device: Any

    def bytes_at_once(self, chains: int, threads: int) -> int:
        """Return about the bytes of the device that so many chains take, advanced in groups, one to a thread."""
        ...

    def require_memory(self, chains: int, threads: int) -> None:
        """Raise ValueError if so many chains take more than the device has free."""
        ...


@runtime_checkable
class Wrapping(Protocol):
    """A sampler whose chains are moved by another one."""

    sampler: Any


def on_device(sampler: Sampler) -> OnDevice | None:
    """Return the sampler on a device that moves the chains, None if they stay on the processor."""
    moving = sampler.sampler if isinstance(sampler, Wrapping) else sampler
    return moving if isinstance(moving, OnDevice) else None


class SystemSampler(ABC):
    """Base of the samplers of one sort of system: declares what it serves, and refuses every other system.

    >>> from vae_mf.samplers import Wolff
    >>> from vae_mf.systems import Ising2D
    >>> sampler = Wolff(Ising2D(4))
    >>> isinstance(sampler, SystemSampler), sampler.kind, sampler.algorithm(2.0)
    (True, 'spins', 'wolff')

    Args:
        system: system to sample.

    Raises:
        ValueError: if the sampler does not serve such a system.
    """

    name: str
    serves: type
    """Class, or capability, of the systems that the algorithm is right for."""
    starts: tuple[str, ...] = ("random", "pattern")
    """Kinds of start that the sampler has."""
    exact = False
    tempered = False
    group = GROUP

    def __init__(self, system: System):
        if not isinstance(system, self.serves):
            expected = self.serves.__name__
            got = type(system).__name__
            raise ValueError(
                f"system: expected {expected} for the sampler {self.name}, got {got}; sampler=auto takes its own"
            )
        self.system: Any = system
        self.sites = system.sites

    @property
    def kind(self) -> str:
        """Sort of the elements of the system."""
        return self.system.kind

    def algorithm(self, temperature: float) -> str:
        """Return the name of the sampler, which is the same at every temperature."""
        return self.name

    def initial(self, group: Group, start: str) -> Any:
        """Return the state of new chains, as `begin` starts them."""
        return self.begin(group, require_choice("start", start, self.starts))

    @abstractmethod
    def begin(self, group: Group, start: str) -> Any:
        """Return the state of new chains."""


@runtime_checkable
class RecordingSampler(Sampler, Protocol):
    """A sampler that records with every draw how its moves fared: acceptance, round trips."""

    record_names: tuple[str, ...]

    def records(self, state: Any) -> dict[str, Float[np.ndarray, " chains"]]:
        """Return one number per chain and name, over the sweeps since the last call; nan where nothing was tried."""
        ...


@runtime_checkable
class BatchSampler(Sampler, Protocol):
    """An exact sampler that makes many draws in one call, because one alone is too little work for a thread."""

    def draw(self, state: Any, count: int) -> Configurations:
        """Return ``count`` draws of every chain (chains, count, ...), those that as many sweeps would have given."""
        ...


def record_names(sampler: Sampler) -> tuple[str, ...]:
    """Return the names of the numbers that the sampler records beside its configurations."""
    return sampler.record_names if isinstance(sampler, RecordingSampler) else ()


@dataclass(frozen=True)
class Schedule:
    """Course of a chain, in sweeps: ``anneal`` from a hot start, ``burn_in`` at its temperature, ``draws`` records.

    >>> from vae_mf.samplers import Schedule, Wolff, sample_chains
    >>> from vae_mf.systems import Ising2D
    >>> schedule = Schedule(draws=5, burn_in=20, thinning=2)  # 20 + 5 * 2 sweeps of every chain
    >>> sample_chains(Wolff(Ising2D(4)), np.array([2.0]), chains=3, schedule=schedule, seed=1).shape
    (1, 3, 5, 16)

    Args:
        draws: number of records of a chain.
        burn_in: sweeps at its temperature before the first record.
        thinning: sweeps between records.
        anneal: sweeps of cooling before these; 0 for none.
        anneal_from: temperature at which cooling starts.

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


class Draws(NamedTuple):
    """Record of chains: (chains, draws) of `run_chains`, (temperatures, chains, draws) of `sample_block`."""

    configurations: Configurations
    """Packed spins (..., bytes) or directors (..., sites, 3)."""
    records: dict[str, Float[np.ndarray, "*chains draws"]]
    """Numbers of the sampler's moves with each draw, see `RecordingSampler`."""


def run_chains(sampler: Sampler, group: Group, schedule: Schedule, start: str) -> Draws:
    """Run a group of chains through ``schedule`` and return their draws (chains, draws, ...)."""
    state = sampler.initial(group, start)
    if isinstance(sampler, BatchSampler):
        return Draws(sampler.draw(state, schedule.draws), {})
    if not sampler.exact:
        # Tempered chains exchange temperatures instead of being cooled.
        if not sampler.tempered:
            anneal(sampler, state, schedule)
        sampler.sweep(state, schedule.burn_in)
    if isinstance(sampler, RecordingSampler):
        sampler.records(state)  # burn-in is not recorded
    configurations, records = [], []
    for _ in range(schedule.draws):
        sampler.sweep(state, schedule.thinning)
        configurations.append(sampler.configurations(state).copy())
        records.append(sampler.records(state) if isinstance(sampler, RecordingSampler) else {})
    return Draws(
        np.stack(configurations, axis=1),
        {name: np.stack([record[name] for record in records], axis=1) for name in record_names(sampler)},
    )


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
) -> Draws:
    """Run the chains numbered ``chains`` at every temperature and return draws (temperatures, chains, draws, ...).

    Chain c at temperature number t draws from its own stream (seed, start, t, c), and chains are grouped in a fixed
    way, so the number of threads changes nothing.

    Raises:
        ValueError: if the chains take more memory of a device than is free.
    """
    temperatures = np.asarray(temperatures, dtype=np.float64)
    workers = threads or available_threads()
    if (moving := on_device(sampler)) is not None:
        moving.require_memory(len(chains) * len(temperatures), workers)
    groups = make_groups(temperatures, chains, seed, start, sampler.tempered, sampler.group)
    work: Callable[[Group], Draws] = partial(run_chains, sampler, schedule=schedule, start=start)
    # One BLAS thread per group: the pool already uses every core, and a product must not depend on how many there are.
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(work, groups))

    def gather(arrays: list[np.ndarray]) -> np.ndarray:
        whole = np.concatenate(arrays)
        if sampler.tempered:
            return whole.reshape(len(chains), len(temperatures), *whole.shape[1:]).swapaxes(0, 1)
        return whole.reshape(len(temperatures), len(chains), *whole.shape[1:])

    return Draws(
        gather([part.configurations for part in parts]),
        {name: gather([part.records[name] for part in parts]) for name in record_names(sampler)},
    )


def sample_chains(
    sampler: Sampler,
    temperatures: Float[np.ndarray, " temperatures"],
    chains: int,
    schedule: Schedule,
    seed: int,
    threads: int | None = None,
) -> States:
    """Return the configurations of `sample_block`, of chains 0 ... ``chains`` - 1, as arrays to compute with.

    >>> from vae_mf.samplers import CurieWeissDirect
    >>> from vae_mf.systems import CurieWeiss
    >>> sampler = CurieWeissDirect(CurieWeiss(9))
    >>> sample_chains(sampler, np.array([1.0]), chains=4, schedule=Schedule(2, 0, 1), seed=1).shape
    (1, 4, 2, 9)

    Args:
        sampler: sampler of the chains.
        temperatures: temperatures, shape (temperatures,).
        chains: number of chains at each temperature.
        schedule: course of every chain.
        seed: seed of all randomness.
        threads: worker threads; the samples do not depend on their number.

    Returns:
        int8 spins (temperatures, chains, draws, N) or directors (temperatures, chains, draws, N, 3).
    """
    drawn = sample_block(sampler, temperatures, range(chains), schedule, seed, threads=threads).configurations
    return unpack_spins(drawn, sampler.sites) if sampler.kind == "spins" else drawn


def make_groups(
    temperatures: Float[np.ndarray, " temperatures"],
    chains: range,
    seed: int,
    start: str,
    whole_ladders: bool,
    size: int = GROUP,
) -> list[Group]:
    """Return the groups of chains: temperature by temperature, or chain by chain in groups of whole ladders."""
    levels = range(len(temperatures))
    pairs = (
        [(level, chain) for chain in chains for level in levels]
        if whole_ladders
        else [(level, chain) for level in levels for chain in chains]
    )
    if whole_ladders:
        size = max(1, size // len(levels)) * len(levels)
    groups = []
    for first in range(0, len(pairs), size):
        part = pairs[first : first + size]
        keys = [stream_keys(seed, "chain", start, level, chain, count=1)[0] for level, chain in part]
        numbers = np.array(part, dtype=np.int64)
        groups.append(Group(temperatures[numbers[:, 0]], np.array(keys, dtype=np.uint64), numbers[:, 1].copy()))
    return groups


def available_threads() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
