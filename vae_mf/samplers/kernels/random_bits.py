"""Counter-based random numbers for Numba kernels, and the arithmetic of packed bits: everything that counts in uint64.

Random word number c of a chain is a hash of (key, c), so chains never share state, any thread count draws the same
numbers, and a loop over c vectorises. All arithmetic stays in uint64: a Python int would silently make it signed.
Counters therefore live in uint64 arrays that kernels update in place and never leave compiled code as scalars.

Functions called fill_ draw a whole row or array and advance the counters of its chains. Those that use elementary
functions in float32 have no interpreted form; see `vae_mf.elementary`.
"""

from typing import Any

import numpy as np
from numba import extending, types

from vae_mf.elementary import F32, cos_sin_turn, exp32, log32
from vae_mf.kernels import FAST, kernel

intrinsic: Any = extending.intrinsic
"""Untyped, for its result takes one argument less than the function it decorates."""
U64 = np.uint64
GOLDEN = U64(0x9E3779B97F4A7C15)
ALL = U64(0xFFFFFFFFFFFFFFFF)
"""A word with every bit set."""
QUARTERS = U64(0x0001000100010001)
"""The lowest bit of every quarter of a word."""
BORROW = U64(0x8000800080008000)
"""The highest bit of every quarter of a word."""
HALF_STEP = F32(2.0**-25)
"""Added to a float32 uniform on [0, 1), it keeps that off 0 and lets it reach 1."""
PASS = F32(-1e30)
"""Noise below any field."""


@intrinsic
def count_bits(typingctx, word):
    """Return the number of set bits of a uint64."""
    return types.uint64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def low_int(typingctx, word):
    """Truncate a uint64 to its low 32 bits, as an int32 (which converts to float32 in SIMD, unlike a uint64)."""

    def code(context, builder, signature, args):
        return builder.trunc(args[0], context.get_value_type(types.int32))

    return types.int32(types.uint64), code


@kernel(inline="always")
def random_word(key, counter):
    """Return 64 random bits: the splitmix64 finaliser of key + counter * golden ratio (Steele et al. 2014)."""
    z = counter * GOLDEN + key
    z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


@kernel(inline="always")
def high_uniform(word):
    """Return a float32 uniform on [0, 1) from the top 24 bits of a random word."""
    return F32(low_int(word >> U64(40))) * F32(2.0**-24)


@kernel(inline="always")
def low_uniform(word):
    """Return a float32 uniform on [0, 1) from the 24 bits below the top 24 of a random word."""
    return F32(low_int((word >> U64(16)) & U64(0xFFFFFF))) * F32(2.0**-24)


@kernel(inline="always")
def double_uniform(word):
    """Return a float64 uniform on [0, 1) from the top 53 bits of a random word."""
    return np.float64(word >> U64(11)) * 2.0**-53


@kernel(inline="always")
def random_index(word, count):
    """Return an integer from 0 to count - 1 (uint64 in and out, count below 2^32) from the top 32 bits of a word.

    Its probabilities differ by 2^-32 at most (Lemire 2019).
    """
    return ((word >> U64(32)) * count) >> U64(32)


@kernel(inline="always", fastmath=FAST)
def is_up(uniform, log_odds):
    """Return True if a spin with P(+1) = 1 / (1 + exp(-log_odds)) is up, given a float32 uniform on [0, 1).

    The law is kept to 2e-7, the rounding of float32; a spin held by log-odds beyond +-17.4 never slips.
    """
    return (uniform + HALF_STEP) * (F32(1.0) + exp32(-log_odds)) <= F32(1.0)


@kernel(inline="always")
def four_bonds(key, counter, threshold):
    """Return four independent bits that are 1 with probability threshold / 2^47, below 1, from one random word.

    The lower 15 bits of each quarter of the word are compared with the top 15 of the threshold, all four at once. Where
    they tie (3e-5), 32 bits of words from the stream ~key decide, so that the counter advances by one in any case.
    """
    high = threshold >> U64(32)
    low = threshold & U64(0xFFFFFFFF)
    # Set above the digits of every quarter, the borrow bit is left standing unless u is larger.
    distances = (BORROW | high * QUARTERS) - (random_word(key, counter) & ~BORROW)
    differ = (distances & ~BORROW) + ~BORROW
    bonds, ties = distances & differ, ~differ & BORROW
    bits = (bonds >> U64(15)) & U64(1), (bonds >> U64(31)) & U64(1), (bonds >> U64(47)) & U64(1), bonds >> U64(63)
    if ties:
        one = random_word(~key, U64(2) * counter)
        other = random_word(~key, U64(2) * counter + U64(1))
        bits = (
            bits[0] | (ties >> U64(15)) & less(one >> U64(32), low),
            bits[1] | (ties >> U64(31)) & less(one & U64(0xFFFFFFFF), low),
            bits[2] | (ties >> U64(47)) & less(other >> U64(32), low),
            bits[3] | (ties >> U64(63)) & less(other & U64(0xFFFFFFFF), low),
        )
    return bits


@kernel(inline="always")
def less(a, b):
    """Return 1 if a < b, else 0, for uint64 values below 2^63."""
    return (a - b) >> U64(63)


@kernel()
def last_word_mask(sites):
    """Return the mask of the bits of the last word that hold spins; the others stay zero."""
    return ALL >> U64(63 - (sites - 1) % 64)


@kernel()
def fill_random_words(words, sites, keys, counters):
    """Fill words (chains, W) with ``sites`` fair bits per chain; bits beyond stay zero."""
    for b in range(words.shape[0]):
        for w in range(words.shape[1]):
            words[b, w] = random_word(keys[b], counters[b] + U64(w))
        words[b, -1] &= last_word_mask(sites)
        counters[b] += U64(words.shape[1])


@kernel()
def fill_random_spins(spins, down, up, keys, counters):
    """Fill spins (chains, N) of any type with ``down`` and ``up``, equally likely."""
    for b in range(spins.shape[0]):
        for i in range(spins.shape[1]):
            word = random_word(keys[b], counters[b] + U64(i >> 6))
            spins[b, i] = up if (word >> U64(i & 63)) & U64(1) else down
        counters[b] += U64((spins.shape[1] + 63) >> 6)


@kernel()
def fill_biased_words(words, probability, digits, key, counters, chain):
    """Fill words with bits that are set with ``probability``, rounded to so many binary digits, independently.

    Reading the digits from the lowest, a bit a becomes r|a for a one and r&a for a zero, with r a fair bit.
    """
    threshold = U64(round(probability * 2.0**digits))
    if threshold >> U64(digits):
        words[:] = ALL
        return
    words[:] = U64(0)
    for digit in range(digits):
        chosen = U64(0) - ((threshold >> U64(digit)) & U64(1))
        for w in range(words.shape[0]):
            fair = random_word(key, counters[chain] + U64(w))
            words[w] = (fair & words[w]) | (chosen & (fair | words[w]))
        counters[chain] += U64(words.shape[0])


@kernel(fastmath=FAST)
def fill_normals(out, scale, key, counters, chain):
    """Fill ``out`` (float32, even length) with Normal(0, scale^2) draws (Box-Muller)."""
    half = out.shape[0] // 2
    counter = counters[chain]
    for i in range(half):
        word = random_word(key, counter + U64(i))
        radius = np.sqrt(F32(-2.0) * log32(high_uniform(word) + HALF_STEP)) * scale
        cosine, sine = cos_sin_turn(low_uniform(word))
        out[i] = radius * cosine
        out[half + i] = radius * sine
    counters[chain] = counter + U64(half)


@kernel(fastmath=FAST, error_model="numpy")
def fill_logistic(out, key, counters, chain):
    """Fill ``out`` (float32, even length) with ln((1 - u) / u), so that P(out > x) = 1 / (1 + exp(x))."""
    half = out.shape[0] // 2
    counter = counters[chain]
    for i in range(half):
        word = random_word(key, counter + U64(i))
        first = high_uniform(word)
        second = low_uniform(word)
        out[i] = log32(F32(1.0) - first) - log32(first + HALF_STEP)
        out[half + i] = log32(F32(1.0) - second) - log32(second + HALF_STEP)
    counters[chain] = counter + U64(half)


@kernel(fastmath=FAST, error_model="numpy")
def fill_exponentials(out, key, counters, chain):
    """Fill ``out`` (float32, even length) with -ln u, or in one case of 16 with a number below any field, a pass.

    Metropolis moves at sites in a fixed order need the passes: a spin that nothing acts on would else flip each time.
    """
    half = out.shape[0] // 2
    counter = counters[chain]
    for i in range(half):
        word = random_word(key, counter + U64(i))
        # The uniforms leave the low 16 bits unused.
        out[i] = -log32(high_uniform(word) + HALF_STEP) if word & U64(0x0F) else PASS
        out[half + i] = -log32(low_uniform(word) + HALF_STEP) if word & U64(0xF0) else PASS
    counters[chain] = counter + U64(half)


@kernel()
def transpose_bits(block):
    """Exchange bit j of word i with bit i of word j for 64 words, in place (Warren, Hacker's Delight, 7-3)."""
    width = 32
    mask = U64(0x00000000FFFFFFFF)
    while width:
        shift = U64(width)
        for pair in range(32):
            i = (pair // width) * 2 * width + pair % width
            moved = ((block[i] >> shift) ^ block[i + width]) & mask
            block[i] ^= moved << shift
            block[i + width] ^= moved
        width >>= 1
        mask ^= mask << U64(width)


def word_count(sites: int) -> int:
    """Return the number of 64-spin words that hold ``sites`` spins."""
    return -(-sites // 64)
