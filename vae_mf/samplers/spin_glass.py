"""Metropolis for Ising models with any couplings and fields, dense or sparse, many chains at once.

Sites are visited in order, one chain at a time. Each chain keeps its local fields f_i = sum_j J_ij s_j + h_i in float32
and changes them only when a spin flips; the test of a whole sweep, flip where -ln u_i > 2 beta s_i f_i, has its left
side drawn beforehand in one SIMD loop.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt64
from scipy import sparse

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import FAST, kernel, padded
from vae_mf.packing import pack_spins
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import F32, U64, fill_exponentials, fill_random_spins, random_word
from vae_mf.systems.base import HasCouplings, System

REBUILD = 200
"""Sweeps between rebuilding the local fields from scratch, before float32 rounding adds up."""
COOLING = 100
"""Sweeps of annealing that make the cold start."""


@dataclass
class IsingState:
    """Spins, local fields and random stream of every chain; rows are padded with spins that nothing acts on."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    spins: Float32[np.ndarray, "chains padded_sites"]
    local_fields: Float32[np.ndarray, "chains padded_sites"]
    sweeps: int = 0


class IsingMetropolis(SystemSampler):
    """Single-spin Metropolis sampler of any system with pair couplings; sparse ones are walked along their bonds.

    Without fields, every sweep ends with a fair coin for s -> -s, an exact symmetry.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import SherringtonKirkpatrick
    >>> sampler = IsingMetropolis(SherringtonKirkpatrick.random(sites=10, seed=1))
    >>> sample_chains(sampler, np.array([1.0]), chains=4, schedule=Schedule(3, 20, 1), seed=1).shape
    (1, 4, 3, 10)

    Args:
        system: system of spins with couplings of pairs, and maybe fields.

    Raises:
        ValueError: if the system has no couplings.
    """

    name = "ising_metropolis"
    serves = HasCouplings

    def __init__(self, system: System):
        super().__init__(system)
        width = padded(self.sites)
        self._fields = np.zeros(width, np.float32)
        self._fields[: self.sites] = self.system.fields
        self._symmetric = not self._fields.any()
        couplings = self.system.couplings
        if isinstance(couplings, np.ndarray):
            dense = np.zeros((self.sites, width), np.float32)
            dense[:, : self.sites] = couplings
            self._bonds, self._rebuild, self._advance = (dense,), rebuild_dense, sweep_dense
        else:
            rows = sparse.csr_array(couplings)
            self._bonds = (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data.astype(np.float32))
            self._rebuild, self._advance = rebuild_sparse, sweep_sparse

    @cached_property
    def _graph(self) -> tuple[Int64[np.ndarray, " starts"], Int64[np.ndarray, " bonds"]]:
        """Neighbours in compressed rows, of dense couplings too, among which there may be few that are not zero."""
        rows = sparse.csr_array(self.system.couplings)
        return rows.indptr.astype(np.int64), rows.indices.astype(np.int64)

    def begin(self, group: Group, start: str) -> IsingState:
        """Start each chain at random, or (``start="pattern"``) in a low-energy state found by annealing from one.

        The two approach equilibrium from above and from below, so that their agreement is a test of it.
        """
        counters = np.zeros(len(group.keys), np.uint64)
        width = self._fields.size
        spins, local_fields = np.zeros((2, len(group.keys), width), np.float32)
        fill_random_spins(spins[:, : self.sites], F32(-1.0), F32(1.0), group.keys, counters)
        self._rebuild(*self._bonds, self._fields, spins, local_fields)
        state = IsingState(np.array(group.temperatures, np.float64), group.keys.copy(), counters, spins, local_fields)
        if start == "pattern":
            self._cool(state)
        return state

    def sweep(self, state: IsingState, count: int) -> None:
        """Advance every chain by ``count`` sweeps over all sites."""
        scale = (2 / state.temperatures).astype(np.float32)
        chains = (self._fields, state.spins, state.local_fields)
        while count:
            step = min(count, REBUILD - state.sweeps % REBUILD)
            self._advance(*self._bonds, *chains, scale, self._symmetric, state.keys, state.counters, step)
            state.sweeps += step
            count -= step
            if state.sweeps % REBUILD == 0:
                self._rebuild(*self._bonds, *chains)

    def configurations(self, state: IsingState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return pack_spins(state.spins[:, : self.sites].astype(np.int8))

    def energies(self, state: IsingState) -> Float[np.ndarray, " chains"]:
        """Return the energy of each chain, -1/2 sum_i s_i (f_i + h_i), to the rounding of float32 fields."""
        energies = np.empty(len(state.keys))
        add_energies(energies, state.spins, state.local_fields, self._fields)
        return energies

    def copy_chains(self, state: IsingState, parents: Int64[np.ndarray, " chains"]) -> None:
        """Give every chain the configuration of its parent."""
        state.spins[:] = state.spins[parents]
        state.local_fields[:] = state.local_fields[parents]

    def turn_clusters(
        self, state: IsingState, first: Int64[np.ndarray, " pairs"], second: Int64[np.ndarray, " pairs"]
    ) -> None:
        """Turn, in both chains of every pair, each cluster of equal overlap with probability 1/2.

        With fields only clusters of opposite spins are turned, which exchanges them.
        """
        chains = (state.spins, first, second, state.keys, state.counters)
        turn_clusters(*self._graph, self._symmetric, *chains)
        self._rebuild(*self._bonds, self._fields, state.spins, state.local_fields)

    def _cool(self, state: IsingState) -> None:
        """Anneal every chain to a twentieth of the largest typical local field, then restore its temperature."""
        temperatures = state.temperatures.copy()
        bonds = sparse.csr_array(self.system.couplings)
        scale = np.sqrt((bonds.multiply(bonds).sum(1) + np.square(self._fields[: self.sites])).max()) or 1.0
        for temperature in np.geomspace(2 * scale, scale / 20, COOLING):
            state.temperatures[:] = temperature
            self.sweep(state, 1)
        state.temperatures[:] = temperatures


@kernel(fastmath=FAST, error_model="numpy")
def flip_dense(couplings, spins, local_fields, noise, scale):
    """Flip, in order, every spin with noise_i > scale s_i f_i, keeping f = J s + h; return how many."""
    flips = 0
    for i in range(couplings.shape[0]):
        if noise[i] > scale * spins[i] * local_fields[i]:
            change = F32(-2.0) * spins[i]
            spins[i] = -spins[i]
            flips += 1
            add_row(local_fields, couplings[i], change)
    return flips


@kernel(fastmath=FAST, error_model="numpy", inline="always")
def add_row(local_fields, row, change):
    """Add change * row to the local fields."""
    for j in range(row.shape[0]):
        local_fields[j] += change * row[j]


@kernel(fastmath=FAST, error_model="numpy")
def flip_sparse(starts, neighbours, values, spins, local_fields, noise, scale):
    """Do as `flip_dense` with the couplings in compressed rows."""
    flips = 0
    for i in range(starts.shape[0] - 1):
        if noise[i] > scale * spins[i] * local_fields[i]:
            change = F32(-2.0) * spins[i]
            spins[i] = -spins[i]
            flips += 1
            for k in range(starts[i], starts[i + 1]):
                local_fields[neighbours[k]] += change * values[k]
    return flips


@kernel(fastmath=FAST, error_model="numpy")
def rebuild_dense(couplings, fields, spins, local_fields):
    """Set the local fields of every chain to J s + h."""
    for b in range(spins.shape[0]):
        local_fields[b] = fields
        for i in range(couplings.shape[0]):
            add_row(local_fields[b], couplings[i], spins[b, i])


@kernel(fastmath=FAST, error_model="numpy")
def rebuild_sparse(starts, neighbours, values, fields, spins, local_fields):
    """Set the local fields of every chain to J s + h, couplings in compressed rows."""
    for b in range(spins.shape[0]):
        local_fields[b] = fields
        for i in range(starts.shape[0] - 1):
            for k in range(starts[i], starts[i + 1]):
                local_fields[b, neighbours[k]] += spins[b, i] * values[k]


@kernel(fastmath=FAST, error_model="numpy")
def sweep_dense(couplings, fields, spins, local_fields, scale, symmetric, keys, counters, count):
    """Advance every chain by ``count`` Metropolis sweeps, with scale = 2 beta."""
    noise = np.empty(fields.shape[0], F32)
    for b in range(spins.shape[0]):
        for _ in range(count):
            fill_exponentials(noise, keys[b], counters, b)
            flip_dense(couplings, spins[b], local_fields[b], noise, scale[b])
            if symmetric:
                reverse(spins[b], local_fields[b], keys[b], counters, b)


@kernel(fastmath=FAST, error_model="numpy")
def sweep_sparse(starts, neighbours, values, fields, spins, local_fields, scale, symmetric, keys, counters, count):
    """Do as `sweep_dense` with the couplings in compressed rows."""
    noise = np.empty(fields.shape[0], F32)
    for b in range(spins.shape[0]):
        for _ in range(count):
            fill_exponentials(noise, keys[b], counters, b)
            flip_sparse(starts, neighbours, values, spins[b], local_fields[b], noise, scale[b])
            if symmetric:
                reverse(spins[b], local_fields[b], keys[b], counters, b)


@kernel()
def turn_clusters(starts, neighbours, symmetric, spins, first, second, keys, counters):
    """Turn clusters of sites where two chains agree, or where they differ, each on the toss of a fair coin."""
    sites = starts.shape[0] - 1
    product = np.empty(sites, F32)
    stack = np.empty(sites, np.int64)
    for pair in range(first.shape[0]):
        left, right = first[pair], second[pair]
        for i in range(sites):
            product[i] = spins[left, i] * spins[right, i]
        for i in range(sites):
            if product[i] == F32(0.0) or (product[i] > F32(0.0) and not symmetric):
                continue
            sign = F32(1.0) - F32(2.0) * F32(random_word(keys[left], counters[left]) & U64(1))
            counters[left] += U64(1)
            grow_cluster(starts, neighbours, spins[left], spins[right], product, stack, i, sign)


@kernel()
def grow_cluster(starts, neighbours, left, right, product, stack, site, sign):
    """Multiply both chains by ``sign`` in the cluster of one product around a site, whose products become zero."""
    kind = product[site]
    product[site] = F32(0.0)
    stack[0] = site
    size = 1
    while size:
        size -= 1
        here = stack[size]
        left[here] *= sign
        right[here] *= sign
        for k in range(starts[here], starts[here + 1]):
            there = neighbours[k]
            if product[there] == kind:
                product[there] = F32(0.0)
                stack[size] = there
                size += 1


@kernel()
def reverse(spins, local_fields, key, counters, chain):
    """Change the sign of every spin, and so of every local field, on the toss of a fair coin."""
    sign = F32(1.0) - F32(2.0) * F32(random_word(key, counters[chain]) & U64(1))
    counters[chain] += U64(1)
    for i in range(spins.shape[0]):
        spins[i] *= sign
        local_fields[i] *= sign


@kernel(fastmath=FAST | {"reassoc"})
def add_energies(energies, spins, local_fields, fields):
    """Set energies to -1/2 sum_i s_i (f_i + h_i) for each chain, summed in float64."""
    for b in range(spins.shape[0]):
        total = 0.0
        for i in range(fields.shape[0]):
            total += np.float64(spins[b, i]) * (np.float64(local_fields[b, i]) + np.float64(fields[i]))
        energies[b] = -0.5 * total
