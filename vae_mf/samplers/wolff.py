"""Wolff's cluster algorithm for the 2D Ising model (Wolff 1989).

From a random seed site, every neighbour with an equal spin joins the cluster with probability 1 - exp(-2 J / T); the
cluster is flipped as it grows. Around T_c this forgets in a few sweeps what single spin flips remember for L^2.17.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import kernel
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import U64, fill_random_spins, four_bonds, random_index, random_word
from vae_mf.systems.base import System
from vae_mf.systems.ising2d import Ising2D, critical_temperature, spontaneous_magnetisation

SHORT_SITES = 2**16
"""Up to this many sites, two bytes hold the number of one."""
SUSCEPTIBILITY = 0.9625817
"""Amplitude of N <m^2> = A (1 - T_c / T)^(-7/4) above T_c (Barouch, McCoy and Wu 1973)."""
CRITICAL_SQUARE = 1.0921
"""<m^2> L^(1/4) at T_c (Salas and Sokal 2000)."""


@dataclass
class WolffState:
    """Spins (0 or 1, a byte each) and random stream of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    spins: UInt8[np.ndarray, "chains sites"]
    flipped: int = 0
    """Spins flipped so far, by clusters."""


class Wolff(SystemSampler):
    """Single-cluster sampler of an `Ising2D` system of any side.

    A sweep is the number of clusters that flips about N spins, N / <cluster size> = 1 / <m^2>, and then a global flip
    with probability 1/2 (in the cold a cluster is nearly everything, and signs would alternate). The number is a
    function of T and L alone: stopping after N flipped spins would favour configurations with large clusters.

    Source: Wolff, Physical Review Letters 62 (1989) 361.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import Ising2D
    >>> spins = sample_chains(Wolff(Ising2D(4)), np.array([1.0]), chains=20, schedule=Schedule(5, 20, 1), seed=1)
    >>> spins.shape, float(np.abs(spins.mean(axis=-1)).mean().round(1))  # ordered far below T_c = 2.27
    ((1, 20, 5, 16), 1.0)

    Args:
        system: two-dimensional Ising system of any side.

    Raises:
        ValueError: if the system is no `Ising2D` one.
    """

    name = "wolff"
    serves = Ising2D

    def __init__(self, system: System):
        super().__init__(system)
        self._neighbours = neighbour_table(self.system.side)

    def begin(self, group: Group, start: str) -> WolffState:
        """Start each chain at random, or (``start="pattern"``) with all spins up."""
        counters = np.zeros(len(group.keys), np.uint64)
        spins = np.ones((len(group.keys), self.sites), np.uint8)
        if start == "random":
            fill_random_spins(spins, np.uint8(0), np.uint8(1), group.keys, counters)
        return WolffState(np.array(group.temperatures, np.float64), group.keys.copy(), counters, spins)

    def sweep(self, state: WolffState, count: int) -> None:
        """Advance every chain by ``count`` sweeps."""
        bond = -np.expm1(-2 * self.system.coupling / state.temperatures)
        thresholds = np.minimum(bond * 2.0**47, 2.0**47 - 1).astype(np.uint64)
        clusters = np.array([clusters_per_sweep(self.system, t) for t in state.temperatures.tolist()])
        state.flipped += flip_clusters(
            state.spins, self._neighbours, thresholds, clusters, count, state.keys, state.counters
        )

    def configurations(self, state: WolffState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return np.packbits(state.spins, axis=1, bitorder="little")

    def energies(self, state: WolffState) -> Float[np.ndarray, " chains"]:
        """Return the current energy of every chain."""
        return self.system.energy(2 * state.spins.view(np.int8) - np.int8(1))


def clusters_per_sweep(system: Ising2D, temperature: float) -> int:
    """Return 1 / <m^2>, rounded: Yang's below T_c, from the susceptibility above, the finite-size value in between."""
    critical = critical_temperature(system.coupling)
    square = CRITICAL_SQUARE * system.side**-0.25
    if temperature <= critical:
        square = max(square, spontaneous_magnetisation(temperature, system.coupling) ** 2)
    else:
        square = min(square, SUSCEPTIBILITY * (1 - critical / temperature) ** -1.75 / system.sites)
    return max(1, round(1 / square))


def neighbour_table(side: int) -> np.ndarray:
    """Return the numbers of the right, left, lower and upper neighbour of every site, shape (N, 4), in few bytes."""
    site = np.arange(side**2).reshape(side, side)
    shifts = ((-1, 1), (1, 1), (-1, 0), (1, 0))
    table = np.stack([np.roll(site, step, axis) for step, axis in shifts], axis=-1).reshape(-1, 4)
    return table.astype(np.uint16 if side**2 <= SHORT_SITES else np.uint32)


@kernel()
def flip_clusters(spins, neighbours, thresholds, clusters, sweeps, keys, counters):
    """Flip ``clusters[b]`` clusters per sweep in each chain b, bonds open with probability thresholds[b] / 2^47.

    ``spins`` is (chains, N) of 0 and 1, ``neighbours`` (N, 4). Returns the number of spins flipped. The queue is first
    in, first out: the processor works on several of its sites at once, which a stack would chain one after the other.
    """
    queue = np.empty(spins.shape[1] + 1, neighbours.dtype)
    flipped = U64(0)
    for b in range(spins.shape[0]):
        lattice, threshold, key, counter = spins[b], thresholds[b], keys[b], counters[b]
        for _ in range(sweeps):
            for _ in range(clusters[b]):
                site = random_index(random_word(key, counter), U64(spins.shape[1]))
                counter += U64(1)
                new = U64(lattice[site]) ^ U64(1)
                lattice[site] = np.uint8(new)
                queue[0] = site
                head = U64(0)
                tail = U64(1)
                while head < tail:
                    site = U64(queue[head])
                    right, left, lower, upper = four_bonds(key, counter + head, threshold)
                    tail = join(lattice, queue, tail, neighbours[site, U64(0)], new, right)
                    tail = join(lattice, queue, tail, neighbours[site, U64(1)], new, left)
                    tail = join(lattice, queue, tail, neighbours[site, U64(2)], new, lower)
                    tail = join(lattice, queue, tail, neighbours[site, U64(3)], new, upper)
                    head += U64(1)
                counter += tail
                flipped += tail
            coin = np.uint8(random_word(key, counter) >> U64(63))
            counter += U64(1)
            for i in range(spins.shape[1]):
                lattice[i] ^= coin
        counters[b] = counter
    return np.int64(flipped)


@kernel(inline="always")
def join(lattice, queue, tail, site, new, bond):
    """Flip ``site`` to ``new`` and queue it if the bond to it is open and its spin still the old one; return the tail.

    Without a branch: it would be mispredicted at every third bond.
    """
    site = U64(site)
    spin = U64(lattice[site])
    joins = (spin ^ new) & bond
    queue[tail] = site
    lattice[site] = np.uint8(spin ^ joins)
    return tail + joins
