"""Metropolis for 64 replicas of a square ferromagnet at once: one word holds the same spin of all of them.

Bit r of every word belongs to replica r, which has its own temperature. The logic of whole words decides which spins
flip (multispin coding; Zorn, Herrmann and Rebbi 1981), and where u < p: reading binary digits from the first, the
replicas of a word drop out where their fair digit differs from that of p. The kernels know only words:

- ``words`` (2, L, L/2): spins, a set bit is +1. Site (y, x) is ``words[(x + y) % 2, y, x // 2]``: a chessboard.
- ``thresholds`` (2, 48): binary digits of exp(-4 J / T) and exp(-8 J / T) of every replica; see `acceptance_digits`.
- ``key`` and ``counter``: one-element uint64 arrays, the random stream that the replicas share bit by bit.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import kernel
from vae_mf.packing import packed_bytes
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import ALL, U64, fill_random_words, random_index, random_word, transpose_bits
from vae_mf.systems.base import System
from vae_mf.systems.ising2d import Ising2D

REPLICAS = 64
DIGITS = 48
"""Binary digits of an acceptance probability. They cost nothing: half of the replicas drop out at each."""
BLOCK = 128
"""Words whose digits are drawn together: enough to fill vector registers, few enough to be done with early."""


@dataclass
class MultispinState:
    """Spins of up to 64 chains, one to a bit, and the random stream that they share."""

    temperatures: Float[np.ndarray, " chains"]
    key: UInt64[np.ndarray, " 1"]
    counter: UInt64[np.ndarray, " 1"]
    words: UInt64[np.ndarray, "2 side half"]


class MultispinMetropolis(SystemSampler):
    """Chessboard Metropolis sampler of an `Ising2D` system of even side, up to 64 chains to a word.

    A sweep visits every spin once and then flips all of them with probability 1/2, an exact move that single spins
    cannot make below T_c.

    Chains share random words, whose bits are independent of each other: the stream is keyed by a hash of the keys of
    all chains of the group, in their order. A chain is therefore reproduced by the same group, not by itself.

    Source: Zorn, Herrmann and Rebbi 1981, for multispin coding.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import Ising2D
    >>> sampler = MultispinMetropolis(Ising2D(4))
    >>> spins = sample_chains(sampler, np.array([0.5]), chains=64, schedule=Schedule(2, 50, 1), seed=1)
    >>> spins.shape, float(np.abs(spins.mean(axis=-1)).mean().round(1))  # ordered far below T_c = 2.27
    ((1, 64, 2, 16), 1.0)

    Args:
        system: two-dimensional Ising system of even side.

    Raises:
        ValueError: if the system is no `Ising2D` one, or its side odd, for a chessboard does not close on an odd torus.
    """

    name = "multispin_metropolis"
    serves = Ising2D

    def __init__(self, system: System):
        super().__init__(system)
        if self.system.side % 2:
            raise ValueError(f"side: expected an even number for the multispin sampler, got {self.system.side}")

    def begin(self, group: Group, start: str) -> MultispinState:
        """Start each chain at random, or (``start="pattern"``) with all spins up."""
        if len(group.keys) > REPLICAS:
            raise ValueError(f"chains: expected at most {REPLICAS} in a group, got {len(group.keys)}")
        key = np.random.SeedSequence(group.keys.tolist()).generate_state(1, np.uint64)
        counter = np.zeros(1, np.uint64)
        words = np.full((2, self.system.side, self.system.side // 2), ALL)
        if start == "random":
            fill_random_words(words.reshape(1, -1), 64 * words.size, key, counter)
        return MultispinState(np.array(group.temperatures, np.float64), key, counter, words)

    def sweep(self, state: MultispinState, count: int) -> None:
        """Advance every chain by ``count`` sweeps."""
        thresholds = acceptance_digits(self.system.coupling / state.temperatures)
        metropolis_sweeps(state.words, thresholds, count, state.key, state.counter)

    def configurations(self, state: MultispinState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return packed_replicas(state.words)[: len(state.temperatures)]

    def energies(self, state: MultispinState) -> Float[np.ndarray, " chains"]:
        """Return the current energy of every chain."""
        broken = unsatisfied_bonds(state.words)[: len(state.temperatures)]
        return self.system.coupling * (2.0 * broken - 2 * self.sites)


def packed_replicas(words: UInt64[np.ndarray, "2 side half"]) -> PackedSpins:
    """Return the configurations of all 64 replicas, bit-packed, shape (64, bytes)."""
    sites = words.size
    return gather_replicas(words).astype("<u8").view(np.uint8)[:, : packed_bytes(sites)]


@kernel()
def acceptance_digits(reduced):
    """Return ``thresholds`` from J / T of up to 64 replicas; the unused ones repeat the first."""
    digits = np.empty((2, DIGITS), np.uint64)
    numbers = np.empty(64, np.uint64)
    for cost in range(2):
        for r in range(64):
            probability = np.exp(-4.0 * (cost + 1) * reduced[r if r < reduced.shape[0] else 0])
            numbers[r] = min(round(probability * 2.0**DIGITS), 2**DIGITS - 1)
        transpose_bits(numbers)
        for digit in range(DIGITS):
            digits[cost, digit] = numbers[DIGITS - 1 - digit]
    return digits


@kernel()
def metropolis_sweeps(words, thresholds, sweeps, key, counter):
    """Advance 64 replicas by ``sweeps`` chessboard sweeps, each followed by a global flip with probability 1/2.

    In one random row of each colour every flip is put to a fair coin as well. Without it, flips that cost nothing
    always happen, and states made of them (such as f(x) f(y), f = ++--++--) only ever turn into each other.
    """
    _, side, half = words.shape
    rows = max(1, BLOCK // half)
    neighbours = np.empty((3, rows * half), U64)
    fair = np.empty((1, half), U64)
    flips = np.empty(rows * half, U64)
    single = np.empty(rows * half, U64)
    undecided = np.empty(rows * half, U64)
    for _ in range(sweeps):
        for colour in range(2):
            lazy = np.int64(random_index(random_word(key[0], counter[0]), U64(side)))
            counter[0] += U64(1)
            fill_random_words(fair, 64 * half, key, counter)
            spins = words[colour].reshape(-1)
            others = words[1 - colour].reshape(-1)
            for first in range(0, side, rows):
                last = min(first + rows, side)
                start, count = first * half, (last - first) * half
                gather_neighbours(neighbours, words[1 - colour], colour, first, last)
                classify(flips[:count], single, spins, others, neighbours, start)
                accept(flips[:count], single[:count], undecided[:count], thresholds, key[0], counter)
                if first <= lazy < last:
                    for k in range(half):
                        flips[(lazy - first) * half + k] &= fair[0, k]
                for i in range(count):
                    spins[U64(start) + U64(i)] ^= flips[i]
        coin = random_word(key[0], counter[0])
        counter[0] += U64(1)
        flat = words.reshape(-1)
        for i in range(flat.shape[0]):
            flat[i] ^= coin


@kernel()
def gather_neighbours(neighbours, others, colour, first, last):
    """Copy the horizontal neighbour at another place, the upper and the lower one of each site of a block of rows.

    The other horizontal neighbour is at the place of the site itself. Copies let one long loop do the arithmetic.
    """
    side = U64(others.shape[0])
    half = U64(others.shape[1])
    for y in range(U64(first), U64(last)):
        at = (y - U64(first)) * half
        above = y - U64(1) if y else side - U64(1)
        under = y + U64(1) if y + U64(1) < side else U64(0)
        for k in range(half):
            neighbours[1, at + k] = others[above, k]
            neighbours[2, at + k] = others[under, k]
        if (y + U64(colour)) & U64(1):
            for k in range(half - U64(1)):
                neighbours[0, at + k] = others[y, k + U64(1)]
            neighbours[0, at + half - U64(1)] = others[y, 0]
        else:
            for k in range(half - U64(1)):
                neighbours[0, at + k + U64(1)] = others[y, k]
            neighbours[0, at] = others[y, half - U64(1)]


@kernel()
def classify(free, single, spins, others, neighbours, start):
    """Sort the replicas at the sites from ``start`` on by the cost of a flip: none (``free``), 4 J (``single``) or 8 J.

    They have two or more of the four bonds unsatisfied, one, or none; where ``free``, ``single`` means nothing.
    """
    for i in range(free.shape[0]):
        # Unsigned: an index that might be negative is tested for counting from the end, which rules out SIMD.
        site = U64(start) + U64(i)
        spin = spins[site]
        same = spin ^ others[site]
        beside = spin ^ neighbours[0, i]
        upper = spin ^ neighbours[1, i]
        lower = spin ^ neighbours[2, i]
        across, along = same ^ beside, upper ^ lower
        free[i] = (same & beside) | (upper & lower) | (across & along)
        single[i] = across | along


@kernel()
def accept(flips, single, undecided, thresholds, key, counter):
    """Add to ``flips``, where not set, u < p for a uniform u; p = exp(-4 J / T) where ``single``, else exp(-8 J / T).

    A replica is undecided while the digits of its u and p agree; the first that differ decide, u < p if that of p is 1.
    """
    count, base = flips.shape[0], counter[0]
    for i in range(count):
        undecided[i] = ~flips[i]
    for digit in range(0, DIGITS, 2):
        left = U64(0)
        # Two digits at a time halve the traffic with memory, which takes as long as the arithmetic.
        first_single, first_none = thresholds[0, digit], thresholds[1, digit]
        second_single, second_none = thresholds[0, digit + 1], thresholds[1, digit + 1]
        for i in range(count):
            flip, still, one = flips[i], undecided[i], single[i]
            own = (first_single & one) | (first_none & ~one)
            differs = still & (own ^ random_word(key, base + U64(i)))
            flip |= differs & own
            still ^= differs
            own = (second_single & one) | (second_none & ~one)
            differs = still & (own ^ random_word(key, base + U64(count + i)))
            flips[i] = flip | (differs & own)
            undecided[i] = still ^ differs
            left |= undecided[i]
        base += U64(2 * count)
        if left == U64(0):
            break
    counter[0] = base


@kernel()
def unsatisfied_bonds(words):
    """Return the number of unsatisfied bonds of every replica, shape (64,): each bond touches one site of colour 0."""
    _, side, half = words.shape
    counts = np.zeros(64, U64)
    neighbours = np.empty((3, half), U64)
    for y in range(side):
        gather_neighbours(neighbours, words[1], 0, y, y + 1)
        for k in range(half):
            spin = words[0, y, k]
            same = spin ^ words[1, y, k]
            beside = spin ^ neighbours[0, k]
            upper = spin ^ neighbours[1, k]
            lower = spin ^ neighbours[2, k]
            across, along, both_across, both_along = same ^ beside, upper ^ lower, same & beside, upper & lower
            carry = across & along
            add_digit(counts, 0, across ^ along)
            add_digit(counts, 1, both_across ^ both_along ^ carry)
            add_digit(counts, 2, (both_across & both_along) | (carry & (both_across | both_along)))
    transpose_bits(counts)
    return counts.astype(np.int64)


@kernel(inline="always")
def add_digit(counts, digit, carry):
    """Add 2^digit to the count of every replica whose bit is set; word d of ``counts`` holds their binary digits d."""
    while carry:
        overflow = counts[digit] & carry
        counts[digit] ^= carry
        carry = overflow
        digit += 1


@kernel()
def gather_replicas(words):
    """Return the spins of every replica in order of their sites, shape (64, ceil(N / 64)) words, padding bits zero."""
    _, side, _ = words.shape
    sites = side * side
    out = np.empty((64, (sites + 63) // 64), np.uint64)
    block = np.empty(64, np.uint64)
    for w in range(out.shape[1]):
        for i in range(64):
            y, x = (64 * w + i) // side, (64 * w + i) % side
            block[i] = words[(x + y) & 1, y, x >> 1] if y < side else U64(0)
        transpose_bits(block)
        out[:, w] = block
    return out
