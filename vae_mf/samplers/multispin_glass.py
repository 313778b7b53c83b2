"""Metropolis for 64 chains of a glass with bonds +-J at once: one word holds the same spin of all of them.

Bit r of every word belongs to chain r, which has its own temperature; the couplings are the same for all. Words are
compared with their neighbours by exclusive or, three full adders count the unsatisfied bonds of a site in all chains
(multispin coding; Zorn, Herrmann and Rebbi 1981), and the binary digits of u and p decide where u < p, as in
`vae_mf.samplers.multispin`. Every chain draws digits of its own, which cost no more than shared ones: chains are
independent of each other. Any graph with at most six bonds to a site will do, square and cubic lattices among them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import kernel
from vae_mf.packing import packed_bytes
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import U64, fill_random_words, random_word, transpose_bits
from vae_mf.samplers.multispin import DIGITS, REPLICAS, add_digit
from vae_mf.samplers.signed_graph import BLOCK, signed_graph
from vae_mf.samplers.spin_glass import COOLING
from vae_mf.systems.base import System
from vae_mf.systems.spin_glass import Ising

SEEN = 1
"""Largest mark of a place that no cluster has reached: 0 where two chains agree, 1 where they differ."""
LAZY = U64(0x0F)
"""A block puts its flips to a fair coin where these bits of a random word vanish, once in 16 sweeps."""


@dataclass
class GlassState:
    """Spins of up to 64 chains, one to a bit, and the random stream whose bits they divide."""

    temperatures: Float[np.ndarray, " chains"]
    key: UInt64[np.ndarray, " 1"]
    counter: UInt64[np.ndarray, " 1"]
    words: UInt64[np.ndarray, " sites"]
    """Spins by place, see `vae_mf.samplers.signed_graph`; a set bit is +1."""


class MultispinGlass(SystemSampler):
    """Metropolis sampler of glasses whose bonds are +J and -J, without fields, up to 64 chains to a word.

    A sweep visits every spin once, colour by colour, and then flips all of them with probability 1/2, an exact move.

    The stream of a group is keyed by a hash of the keys of all of its chains, in their order. A chain is therefore
    reproduced by the same group, not by itself.

    Source: Zorn, Herrmann and Rebbi 1981, for multispin coding.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import EdwardsAnderson
    >>> sampler = MultispinGlass(EdwardsAnderson.random(side=4, dimension=3, disorder="pm", seed=1))
    >>> sample_chains(sampler, np.array([1.0]), chains=4, schedule=Schedule(3, 20, 1), seed=1).shape
    (1, 4, 3, 64)

    Args:
        system: system of spins with sparse couplings +J and -J.

    Raises:
        ValueError: if the couplings are not of one strength, a site has more than six, or there are fields.
    """

    name = "multispin_glass"
    serves = Ising

    def __init__(self, system: System):
        super().__init__(system)
        self.graph = signed_graph(self.system)

    def begin(self, group: Group, start: str) -> GlassState:
        """Start each chain at random, or (``start="pattern"``) in a low-energy state found by annealing from one."""
        if len(group.keys) > REPLICAS:
            raise ValueError(
                f"temperatures: expected at most {REPLICAS} in a ladder, or {REPLICAS // 2} with cluster moves, "
                f"got {len(group.keys)} chains in one word; take fewer, or sampler=edwards_anderson"
            )
        key = np.random.SeedSequence(group.keys.tolist()).generate_state(1, np.uint64)
        counter = np.zeros(1, np.uint64)
        words = np.zeros(self.sites, np.uint64)
        fill_random_words(words.reshape(1, -1), 64 * words.size, key, counter)
        state = GlassState(np.array(group.temperatures, np.float64), key, counter, words)
        if start == "pattern":
            self._cool(state)
        return state

    def sweep(self, state: GlassState, count: int) -> None:
        """Advance every chain by ``count`` sweeps."""
        graph = self.graph
        thresholds = glass_digits(graph.strength / state.temperatures, bool(graph.odd.any()))
        glass_sweeps(
            state.words,
            graph.neighbours,
            graph.negative,
            graph.starts,
            graph.odd,
            thresholds,
            count,
            state.key,
            state.counter,
        )

    def configurations(self, state: GlassState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        gathered = replicas_of_sites(state.words, self.graph.place)
        packed = gathered.astype("<u8").view(np.uint8)[:, : packed_bytes(self.sites)]
        return packed[: len(state.temperatures)]

    def energies(self, state: GlassState) -> Float[np.ndarray, " chains"]:
        """Return the current energy of every chain."""
        unsatisfied = unsatisfied_bonds(state.words, self.graph.bonds)[: len(state.temperatures)]
        return self.graph.strength * (2.0 * unsatisfied - self.graph.bond_count)

    def turn_clusters(
        self, state: GlassState, first: Int64[np.ndarray, " pairs"], second: Int64[np.ndarray, " pairs"]
    ) -> None:
        """Turn, in both chains of every pair, each cluster of equal overlap with probability 1/2."""
        turn_clusters(state.words, self.graph.neighbours, first, second, state.key, state.counter)

    def _cool(self, state: GlassState) -> None:
        """Anneal every chain to a twentieth of the largest typical local field, then restore its temperature."""
        temperatures = state.temperatures.copy()
        scale = self.graph.strength * np.sqrt(6)
        for temperature in np.geomspace(2 * scale, scale / 20, COOLING):
            state.temperatures[:] = temperature
            self.sweep(state, 1)
        state.temperatures[:] = temperatures


@kernel()
def glass_digits(reduced, any_odd):
    """Return binary digits of the acceptance of a flip, shape (parity, three costs, digits), from J / T of each chain.

    A flip costs 4, 8 or 12 J at a site of even degree, 2, 6 or 10 J at one of odd degree. Chains that are not there
    repeat the first.
    """
    digits = np.zeros((2, 3, DIGITS), np.uint64)
    numbers = np.empty(64, np.uint64)
    for parity in range(2 if any_odd else 1):
        for level in range(3):
            for r in range(64):
                cost = 4.0 * (level + 1) - 2.0 * parity
                probability = np.exp(-cost * reduced[r if r < reduced.shape[0] else 0])
                numbers[r] = min(round(probability * 2.0**DIGITS), 2**DIGITS - 1)
            transpose_bits(numbers)
            for digit in range(DIGITS):
                digits[parity, level, digit] = numbers[DIGITS - 1 - digit]
    return digits


@kernel()
def glass_sweeps(words, neighbours, negative, starts, odd, thresholds, sweeps, key, counter):
    """Advance 64 chains by ``sweeps`` sweeps, each followed by a global flip with probability 1/2.

    Flips that cost nothing always happen, and in a fixed order would carry a state round in circles for ever: once in a
    while a block puts all of its flips to a fair coin.
    """
    ones = np.empty(BLOCK, U64)
    twos = np.empty(BLOCK, U64)
    flips = np.empty(BLOCK, U64)
    undecided = np.empty(BLOCK, U64)
    for _ in range(sweeps):
        for b in range(odd.shape[0]):
            first, count = starts[b], starts[b + 1] - starts[b]
            count_unsatisfied(ones[:count], twos, flips, words, neighbours, negative, first)
            accept(flips[:count], ones, twos, undecided, thresholds[odd[b]], key[0], counter)
            lazy = random_word(key[0], counter[0]) & LAZY
            counter[0] += U64(1)
            if lazy == U64(0):
                for i in range(count):
                    flips[i] &= random_word(key[0], counter[0] + U64(i))
                counter[0] += U64(count)
            for i in range(count):
                words[U64(first) + U64(i)] ^= flips[i]
        coin = random_word(key[0], counter[0])
        counter[0] += U64(1)
        for i in range(words.shape[0]):
            words[i] ^= coin


@kernel()
def count_unsatisfied(ones, twos, free, words, neighbours, negative, first):
    """Count the unsatisfied ones of six bonds: two binary digits, and ``free`` where there are three or more."""
    for i in range(ones.shape[0]):
        place = U64(first) + U64(i)
        own = words[place]
        a = own ^ words[neighbours[0, place]] ^ negative[0, place]
        b = own ^ words[neighbours[1, place]] ^ negative[1, place]
        c = own ^ words[neighbours[2, place]] ^ negative[2, place]
        d = own ^ words[neighbours[3, place]] ^ negative[3, place]
        e = own ^ words[neighbours[4, place]] ^ negative[4, place]
        f = own ^ words[neighbours[5, place]] ^ negative[5, place]
        low_left, low_right = a ^ b ^ c, d ^ e ^ f
        high_left, high_right = (a & b) | (c & (a ^ b)), (d & e) | (f & (d ^ e))
        carry = low_left & low_right
        ones[i] = low_left ^ low_right
        twos[i] = high_left ^ high_right ^ carry
        free[i] = (high_left & high_right) | (carry & (high_left ^ high_right)) | (ones[i] & twos[i])


@kernel()
def accept(flips, ones, twos, undecided, thresholds, key, counter):
    """Add to ``flips``, where not set, u < p for a uniform u and the p of two, one or no unsatisfied bonds.

    A chain is undecided while the digits of its u and p agree; the first that differ decide, u < p if that of p is 1.
    """
    count, base = flips.shape[0], counter[0]
    for i in range(count):
        undecided[i] = ~flips[i]
    for digit in range(DIGITS):
        left = U64(0)
        of_two, of_one, of_none = thresholds[0, digit], thresholds[1, digit], thresholds[2, digit]
        for i in range(count):
            two, one, still = twos[i], ones[i], undecided[i]
            own = (of_two & two) | (of_one & one) | (of_none & ~(two | one))
            differs = still & (own ^ random_word(key, base + U64(i)))
            flips[i] |= differs & own
            still ^= differs
            undecided[i] = still
            left |= still
        base += U64(count)
        if left == U64(0):
            break
    counter[0] = base


@kernel()
def turn_clusters(words, neighbours, first, second, key, counter):
    """Turn clusters of sites where two chains agree, or where they differ, each on the toss of a fair coin."""
    sites = words.shape[0]
    differ = np.empty(sites, np.uint8)
    stack = np.empty(sites, np.int64)
    for pair in range(first.shape[0]):
        left = U64(first[pair])
        right = U64(second[pair])
        both = (U64(1) << left) | (U64(1) << right)
        for place in range(sites):
            differ[place] = np.uint8(((words[place] >> left) ^ (words[place] >> right)) & U64(1))
        for place in range(sites):
            if differ[place] > SEEN:
                continue
            turned = both if random_word(key[0], counter[0]) & U64(1) else U64(0)
            counter[0] += U64(1)
            grow_cluster(words, neighbours, differ, stack, place, turned)


@kernel()
def grow_cluster(words, neighbours, differ, stack, place, turned):
    """Put ``turned`` on all words of the cluster of one value of ``differ`` around a place, and mark them as seen."""
    kind = differ[place]
    differ[place] = SEEN + 1
    stack[0] = place
    size = 1
    while size:
        size -= 1
        here = stack[size]
        words[here] ^= turned
        for k in range(neighbours.shape[0]):
            there = np.int64(neighbours[k, here])
            if differ[there] == kind:
                differ[there] = SEEN + 1
                stack[size] = there
                size += 1


@kernel()
def unsatisfied_bonds(words, bonds):
    """Return the number of unsatisfied bonds of each of 64 chains."""
    counts = np.zeros(64, U64)
    _, groups, _ = bonds.shape
    x = np.empty(7, U64)
    for g in range(groups):
        for k in range(7):
            x[k] = words[bonds[0, g, k]] ^ words[bonds[1, g, k]] ^ bonds[2, g, k]
        low_left, low_right = x[0] ^ x[1] ^ x[2], x[3] ^ x[4] ^ x[5]
        high_left, high_right = (x[0] & x[1]) | (x[2] & (x[0] ^ x[1])), (x[3] & x[4]) | (x[5] & (x[3] ^ x[4]))
        carry = (low_left & low_right) | (x[6] & (low_left ^ low_right))
        add_digit(counts, 0, low_left ^ low_right ^ x[6])
        add_digit(counts, 1, high_left ^ high_right ^ carry)
        add_digit(counts, 2, (high_left & high_right) | (carry & (high_left ^ high_right)))
    transpose_bits(counts)
    return counts.astype(np.int64)


@kernel()
def replicas_of_sites(words, place):
    """Return the spins of every chain in order of their sites, shape (64, ceil(N / 64)) words, padding bits zero."""
    sites = place.shape[0]
    out = np.empty((64, (sites + 63) // 64), np.uint64)
    block = np.empty(64, np.uint64)
    for w in range(out.shape[1]):
        for i in range(64):
            site = 64 * w + i
            block[i] = words[place[site]] if site < sites else U64(0)
        transpose_bits(block)
        out[:, w] = block
    return out
