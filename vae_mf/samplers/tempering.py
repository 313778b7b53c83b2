"""Parallel tempering around any sampler that knows its energies: neighbouring temperatures exchange configurations.

A ladder is one chain at every temperature. Every few sweeps neighbours k, k + 1 swap with probability
min(1, exp((beta_k - beta_{k+1}) (E_k - E_{k+1}))), even and odd pairs in turn (Hukushima and Nemoto 1996). Replicas
keep their memory and exchange temperatures, so a swap costs nothing.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int8, Int64, UInt64
from scipy.special import erfcinv

from vae_mf.arrays import PackedSpins
from vae_mf.checks import require_fraction, require_integer, require_positive
from vae_mf.kernels import kernel
from vae_mf.rng import keys as stream_keys
from vae_mf.samplers.base import Group, Sampler
from vae_mf.samplers.kernels.random_bits import U64, double_uniform, random_word

SWAP_STREAM = U64(2**64 - 1)
"""Counter of a ladder's first chain, out of reach of its sweeps, whose random word is the key of the ladder's swaps."""
FIRST_LADDER = 2
WELL_BELOW = 1e-3
"""Swap acceptance that counts as none when a ladder is stretched."""
LARGEST_LADDER = 1024
ATTEMPTS = 30


@runtime_checkable
class EnergySampler(Sampler, Protocol):
    """A sampler that knows the energies of its chains."""

    def energies(self, state: Any) -> Float[np.ndarray, " chains"]:
        """Return the energy of the current configuration of every chain."""
        ...


@dataclass
class TemperingState:
    """Ladders: a slot is a place in the group with a fixed temperature, a replica the chain that visits it."""

    temperatures: Float[np.ndarray, " slots"]
    """Temperatures of the slots; the driver may change them."""
    replicas: Any
    """State of the wrapped sampler; its temperatures follow the swaps."""
    holder: Int64[np.ndarray, " slots"]
    """Replica in each slot."""
    rungs: Int64[np.ndarray, "ladders levels"]
    """Slots of each ladder from cold to hot."""
    keys: UInt64[np.ndarray, " ladders"]
    counters: UInt64[np.ndarray, " ladders"]
    acceptance_sum: Float[np.ndarray, "ladders pairs"]
    """Sum over swaps tried since the last record of the probability of acceptance."""
    tried: Int64[np.ndarray, " pairs"]
    end_visited: Int8[np.ndarray, " replicas"]
    """0 before a replica has been coldest, 1 since it was, 2 since it was hottest after that."""
    trips: Int64[np.ndarray, " ladders"]
    """Round trips since the last record."""
    sweeps: int = 0
    recorded: int = 0
    """Sweeps at the last record."""
    rounds: int = 0


class ParallelTempering:
    """Parallel tempering of the chains of another sampler, one ladder per chain number, every ``swap_every`` sweeps.

    Source: Hukushima and Nemoto 1996.

    >>> from vae_mf.samplers import IsingMetropolis, Schedule, sample_chains
    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> sampler = ParallelTempering(IsingMetropolis(SherringtonKirkpatrick.random(sites=10, seed=1)))
    >>> sample_chains(sampler, np.array([0.5, 1.0, 2.0]), chains=4, schedule=Schedule(3, 20, 1), seed=1).shape
    (3, 4, 3, 10)

    Args:
        sampler: sampler of the replicas, one with energies.
        swap_every: sweeps between exchanges of temperatures.

    Raises:
        ValueError: if the sampler has no energies or ``swap_every`` is not a positive integer.
    """

    exact = False
    record_names = ("swap_acceptance", "round_trip_rate")
    tempered = True

    def __init__(self, sampler: Sampler, swap_every: int = 1):
        if not isinstance(sampler, EnergySampler):
            raise ValueError(f"sampler: expected one with a method energies(state), got {type(sampler).__name__}")
        self.sampler = sampler
        self.sites = sampler.sites
        self.swap_every = require_integer("swap_every", swap_every)
        self.name = f"tempered_{sampler.name}"

    @property
    def kind(self) -> str:
        """Sort of the elements of the wrapped sampler's configurations."""
        return self.sampler.kind

    @property
    def group(self) -> int:
        """Chains that one thread advances together, cut to whole ladders by the driver."""
        return self.sampler.group

    def algorithm(self, temperature: float) -> str:
        """Return the name of this sampler, for a chain visits all temperatures."""
        return self.name

    def initial(self, group: Group, start: str) -> TemperingState:
        """Return ladders started as the wrapped sampler starts its chains.

        The temperatures of a group are whole ladders one after the other, each the same list of distinct ones in any
        order; the swaps of a ladder draw from a stream of their own under its first key.

        Raises:
            ValueError: if the temperatures are not whole equal ladders.
        """
        rungs = ladder_rungs(group.temperatures)
        ladders, levels = rungs.shape
        swap_keys = np.empty(ladders, np.uint64)
        derive_keys(swap_keys, group.keys[::levels])
        return TemperingState(
            temperatures=np.array(group.temperatures, np.float64),
            replicas=self.sampler.initial(group, start),
            holder=np.arange(rungs.size),
            rungs=rungs,
            keys=swap_keys,
            counters=np.zeros(ladders, np.uint64),
            acceptance_sum=np.zeros((ladders, levels - 1)),
            tried=np.zeros(levels - 1, np.int64),
            end_visited=np.zeros(rungs.size, np.int8),
            trips=np.zeros(ladders, np.int64),
        )

    def sweep(self, state: TemperingState, count: int) -> None:
        """Advance every replica by ``count`` sweeps of the wrapped sampler, swapping after every ``swap_every``."""
        while count:
            step = min(count, self.swap_every - state.sweeps % self.swap_every)
            state.replicas.temperatures[state.holder] = state.temperatures
            self.sampler.sweep(state.replicas, step)
            state.sweeps += step
            count -= step
            if state.sweeps % self.swap_every == 0:
                self._swap(state)

    def configurations(self, state: TemperingState) -> PackedSpins:
        """Return the configurations in the order of the slots, bit-packed, shape (slots, bytes)."""
        return self.sampler.configurations(state.replicas)[state.holder]

    def energies(self, state: TemperingState) -> Float[np.ndarray, " slots"]:
        """Return the energies in the order of the slots."""
        return self.sampler.energies(state.replicas)[state.holder]

    def records(self, state: TemperingState) -> dict[str, Float[np.ndarray, " slots"]]:
        """Return, over the sweeps since the last call, how often ladders swapped and replicas came back.

        "swap_acceptance" is the mean acceptance with the next hotter neighbour, nan for the hottest slot and where no
        swap was tried; "round_trip_rate" the trips of replicas from coldest to hottest and back per ladder and sweep.
        """
        acceptance = np.full(state.rungs.size, np.nan)
        rate = np.full(state.rungs.size, np.nan)
        with np.errstate(invalid="ignore"):
            acceptance[state.rungs[:, :-1]] = state.acceptance_sum / state.tried
            rate[state.rungs] = state.trips[:, None] / np.float64(state.sweeps - state.recorded)
        for record in (state.acceptance_sum, state.tried, state.trips):
            record[:] = 0
        state.recorded = state.sweeps
        return {"swap_acceptance": acceptance, "round_trip_rate": rate}

    def _swap(self, state: TemperingState) -> None:
        parity = state.rounds % 2
        state.rounds += 1
        state.tried[parity::2] += 1
        energies = self.sampler.energies(state.replicas)
        swap_neighbours(
            state.holder, state.rungs, 1 / state.temperatures, energies, parity,
            state.keys, state.counters, state.acceptance_sum,
        )  # fmt: skip
        count_trips(state.trips, state.end_visited, state.holder, state.rungs)


def ladder_rungs(temperatures: Float[np.ndarray, " slots"]) -> Int64[np.ndarray, "ladders levels"]:
    """Return the slots of each ladder from cold to hot.

    >>> ladder_rungs(np.array([2.0, 1.0, 2.0, 1.0])).tolist()
    [[1, 0], [3, 2]]

    Raises:
        ValueError: unless the temperatures are one list of at least two distinct ones, repeated.
    """
    levels = np.unique(temperatures).size
    if levels < 2 or temperatures.size % levels or (temperatures.reshape(-1, levels) != temperatures[:levels]).any():
        raise ValueError(
            "temperatures: expected whole ladders, the same two or more distinct temperatures over and over, "
            f"got {temperatures.size} of which {levels} distinct"
        )
    first = np.arange(0, temperatures.size, levels)
    return first[:, None] + np.argsort(temperatures[:levels])


@kernel()
def derive_keys(swap_keys, chain_keys):
    """Set the key of each ladder's swaps to a hash of the key of its first chain."""
    for ladder in range(swap_keys.shape[0]):
        swap_keys[ladder] = random_word(chain_keys[ladder], SWAP_STREAM)


@kernel()
def swap_neighbours(holder, rungs, beta, energies, parity, keys, counters, acceptance_sum):
    """Try to exchange the replicas of the neighbouring slots (k, k + 1), k = parity, parity + 2, ... of every ladder.

    ``beta`` is per slot, ``energies`` per replica.
    """
    for ladder in range(rungs.shape[0]):
        for pair in range(parity, rungs.shape[1] - 1, 2):
            cold, hot = rungs[ladder, pair], rungs[ladder, pair + 1]
            gain = (beta[cold] - beta[hot]) * (energies[holder[cold]] - energies[holder[hot]])
            probability = np.exp(min(gain, 0.0))
            uniform = double_uniform(random_word(keys[ladder], counters[ladder]))
            counters[ladder] += U64(1)
            acceptance_sum[ladder, pair] += probability
            if uniform < probability:
                holder[cold], holder[hot] = holder[hot], holder[cold]


@kernel()
def count_trips(trips, end_visited, holder, rungs):
    """Note which replicas are at the ends of their ladders, and count those back from the hottest."""
    for ladder in range(rungs.shape[0]):
        coldest, hottest = holder[rungs[ladder, 0]], holder[rungs[ladder, -1]]
        if end_visited[coldest] == 2:
            trips[ladder] += 1
        end_visited[coldest] = 1
        if end_visited[hottest] == 1:
            end_visited[hottest] = 2


class Ladder(NamedTuple):
    """Temperatures from cold to hot, and the swap acceptance that was measured between neighbours."""

    temperatures: Float[np.ndarray, " levels"]
    acceptance: Float[np.ndarray, " pairs"]


def choose_ladder(
    sampler: EnergySampler,
    coldest: float,
    hottest: float,
    acceptance: float = 0.3,
    seed: int = 0,
    sweeps: int = 400,
    ladders: int = 8,
) -> Ladder:
    """Return a ladder whose neighbours all swap with at least the stated acceptance, as measured by running it.

    For Gaussian energies a swap is accepted with probability erfc(c dbeta), c varying slowly, so erfc^-1(acceptance) is
    a length that adds up along the ladder. Starting from the two ends, the lengths measured on one ladder cut the next
    into equal parts of the wanted length, and into at least one part more whenever a pair falls short.

    Args:
        sweeps: length of a trial, half to equilibrate, half to measure; too few overestimate a cold acceptance.

    Raises:
        ValueError: if an argument is out of range.
        RuntimeError: if no ladder of at most 1024 temperatures was found in 30 trials.
    """
    if require_positive("coldest", coldest) >= require_positive("hottest", hottest):
        raise ValueError(f"hottest: expected a temperature above coldest = {coldest:g}, got {hottest:g}")
    require_fraction("acceptance", acceptance)
    wanted = float(erfcinv(acceptance))
    tempering = ParallelTempering(sampler)
    levels = np.geomspace(coldest, hottest, FIRST_LADDER)
    for attempt in range(ATTEMPTS):
        measured = measure_acceptance(tempering, levels, seed, attempt, sweeps, ladders)
        if measured.min() >= acceptance:
            return Ladder(levels, measured)
        # Swaps hardly ever made measure no length; then the ladder grows until they are.
        lengths = erfcinv(np.clip(measured, WELL_BELOW, 1 - WELL_BELOW))
        parts = max(int(np.ceil(lengths.sum() / wanted)), len(levels))
        if parts >= LARGEST_LADDER:
            break
        levels = equal_lengths(levels, lengths, parts)
    raise RuntimeError(f"choose_ladder: no ladder with swap acceptance {acceptance:g} after {len(levels)} temperatures")


def measure_acceptance(
    tempering: ParallelTempering, levels: np.ndarray, seed: int, attempt: int, sweeps: int, ladders: int
) -> Float[np.ndarray, " pairs"]:
    """Return the swap acceptance of neighbouring ``levels``, in ladders cooled and equilibrated for half the sweeps."""
    keys = stream_keys(seed, "ladder", attempt, count=levels.size * ladders)
    measured = []
    for group in equal_ladders(levels, keys, tempering.group):
        state = tempering.initial(group, "random")
        tempering.sweep(state, sweeps // 2)
        tempering.records(state)
        tempering.sweep(state, sweeps - sweeps // 2)
        measured.append(tempering.records(state)["swap_acceptance"].reshape(-1, levels.size)[:, :-1])
    return np.concatenate(measured).mean(0)


def equal_ladders(levels: np.ndarray, keys: UInt64[np.ndarray, " slots"], size: int) -> list[Group]:
    """Return groups of at most ``size`` chains, or of one ladder, of as many equal ladders as there are keys for.

    >>> [len(group.keys) for group in equal_ladders(np.array([1.0, 2.0]), np.arange(10, dtype=np.uint64), size=5)]
    [4, 4, 2]
    """
    step = max(1, size // levels.size) * levels.size
    slots = np.tile(levels, len(keys) // levels.size)
    chains = np.repeat(np.arange(len(keys) // levels.size), levels.size)
    return [
        Group(*(part[first : first + step] for part in (slots, keys, chains))) for first in range(0, len(keys), step)
    ]


def equal_lengths(levels: np.ndarray, lengths: np.ndarray, parts: int) -> Float[np.ndarray, " new_levels"]:
    """Return ``parts`` + 1 temperatures that cut the ladder equally, lengths being linear in ln T between levels."""
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    inner = np.interp(np.linspace(0, along[-1], parts + 1)[1:-1], along, np.log(levels))
    return np.concatenate([levels[:1], np.exp(inner), levels[-1:]])
