"""Independent exact draws of the Curie-Weiss model: the magnetisation from its exact law, then a random arrangement.

An arrangement of k up spins is made from independent bits of probability near k/N, 64 at a time, and then corrected by
flipping uniformly chosen spins of the surplus kind, which leaves all arrangements of k equally likely.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.kernels import kernel
from vae_mf.packing import packed_bytes
from vae_mf.samplers.base import Group, SystemSampler
from vae_mf.samplers.kernels.random_bits import (
    U64,
    count_bits,
    double_uniform,
    fill_biased_words,
    last_word_mask,
    random_index,
    random_word,
    word_count,
)
from vae_mf.systems.curie_weiss import CurieWeiss

PROBABILITY_BITS = 10
"""Bit planes of the Bernoulli draw: more planes leave fewer spins to correct but cost one pass each."""


@dataclass
class DirectState:
    """Random stream, law of the magnetisation and latest draw of every chain."""

    temperatures: Float[np.ndarray, " chains"]
    keys: UInt64[np.ndarray, " chains"]
    counters: UInt64[np.ndarray, " chains"]
    words: UInt64[np.ndarray, "chains words"]
    cumulative: Float[np.ndarray, "levels values"]
    level: Int64[np.ndarray, " chains"]
    """Row of ``cumulative`` of each chain."""


class CurieWeissDirect(SystemSampler):
    """Exact sampler of a `CurieWeiss` system: every draw is independent, so burn-in and thinning have no effect.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import CurieWeiss
    >>> sampler = CurieWeissDirect(CurieWeiss(100))
    >>> spins = sample_chains(sampler, np.array([0.5]), chains=200, schedule=Schedule(1, 0, 1), seed=1)
    >>> float(np.abs(spins.mean(axis=-1)).mean().round(2))  # m = tanh(m / T) gives 0.96
    0.96

    Args:
        system: Curie-Weiss system.

    Raises:
        ValueError: if the system is no `CurieWeiss` one.
    """

    name = "curie_weiss_direct"
    serves = CurieWeiss
    exact = True
    starts = ("random",)

    def begin(self, group: Group, start: str) -> DirectState:
        """Return chains that have not drawn yet."""
        levels, level = np.unique(group.temperatures, return_inverse=True)
        laws = [self.system.order_parameter_law(float(t)).probabilities for t in levels]
        counters = np.zeros(len(group.keys), np.uint64)
        words = np.zeros((len(group.keys), word_count(self.sites)), np.uint64)
        return DirectState(
            group.temperatures.copy(), group.keys.copy(), counters, words, np.cumsum(laws, axis=1), level
        )

    def sweep(self, state: DirectState, count: int) -> None:
        """Replace every configuration by an independent one (once, whatever ``count`` is, unless it is zero)."""
        if count:
            draw_arrangements(state.words, state.cumulative, state.level, self.sites, state.keys, state.counters)

    def configurations(self, state: DirectState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        return state.words.view(np.uint8)[:, : packed_bytes(self.sites)]

    def draw(self, state: DirectState, count: int) -> PackedSpins:
        """Return ``count`` independent configurations of every chain, bit-packed, shape (chains, count, bytes)."""
        draws = np.empty((count, *state.words.shape), np.uint64)
        draw_repeatedly(draws, state.cumulative, state.level, self.sites, state.keys, state.counters)
        packed = draws.view(np.uint8)[..., : packed_bytes(self.sites)]
        return np.ascontiguousarray(packed.swapaxes(0, 1))


@kernel()
def draw_repeatedly(draws, cumulative, level, sites, keys, counters):
    """Fill ``draws`` (count, chains, words) one after the other."""
    for d in range(draws.shape[0]):
        draw_arrangements(draws[d], cumulative, level, sites, keys, counters)


@kernel()
def draw_arrangements(words, cumulative, level, sites, keys, counters):
    """Draw one configuration per chain from the law of its level; ``cumulative`` is (levels, N + 1)."""
    mask = last_word_mask(sites)
    for b in range(words.shape[0]):
        uniform = double_uniform(random_word(keys[b], counters[b])) * cumulative[level[b], -1]
        counters[b] += U64(1)
        up = np.searchsorted(cumulative[level[b]], uniform, side="right")
        fill_biased_words(words[b], up / sites, PROBABILITY_BITS, keys[b], counters, b)
        words[b, -1] &= mask
        correct_count(words[b], up, sites, keys[b], counters, b)


@kernel()
def correct_count(words, up, sites, key, counters, chain):
    """Flip uniformly chosen spins of the surplus kind until exactly ``up`` bits are set."""
    present = U64(0)
    for w in range(words.shape[0]):
        present += count_bits(words[w])
    missing = np.int64(up) - np.int64(present)
    surplus = U64(1) if missing < 0 else U64(0)
    missing = abs(missing)
    # Without a branch: whether a random spin is of the surplus kind is a coin toss that no processor predicts.
    while missing > 0:
        word = random_word(key, counters[chain])
        counters[chain] += U64(1)
        site = random_index(word, U64(sites))
        hit = U64(1) ^ surplus ^ ((words[site >> U64(6)] >> (site & U64(63))) & U64(1))
        words[site >> U64(6)] ^= hit << (site & U64(63))
        missing -= np.int64(hit)
