"""Counter-based random numbers and float32 elementary functions that LLVM turns into SIMD loops inside Numba kernels.

Random word number c of a chain is a hash of (key, c), so chains never share state, any thread count draws the same
numbers, and a loop over c vectorises. All arithmetic stays in uint64: a Python int would silently make it signed.
Counters therefore live in uint64 arrays that kernels update in place and never leave compiled code as scalars.
"""

from typing import Any

import numpy as np
from numba import extending, types

from vae_mf.samplers.kernels import kernel

intrinsic: Any = extending.intrinsic
"""Untyped, for its result takes one argument less than the function it decorates."""
U64 = np.uint64
F32 = np.float32
I32 = np.int32
GOLDEN = U64(0x9E3779B97F4A7C15)
FAST = {"contract", "nsz", "arcp"}
"""Floating-point licences here and in all callers. Never add "reassoc": it deletes the rounding inside exp32."""


@intrinsic
def count_bits(typingctx, word):
    """Return the number of set bits of a uint64."""
    return types.uint64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def float_as_int(typingctx, value):
    """Reinterpret the bits of a float32 as an int32."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), code


@intrinsic
def int_as_float(typingctx, value):
    """Reinterpret the bits of an int32 as a float32."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), code


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


@kernel(inline="always", fastmath=FAST)
def exp32(x):
    """Return exp(x) in float32, relative error below 2e-7 (Cephes expf: powers of two, degree-5 polynomial)."""
    x = min(max(x, F32(-87.0)), F32(88.0))
    # Adding 1.5 * 2^23 rounds to the nearest integer without a branch.
    t = x * F32(1.4426950408889634) + F32(12582912.0)
    n = float_as_int(t) - I32(0x4B400000)
    whole = t - F32(12582912.0)
    r = x - whole * F32(0.693359375) + whole * F32(2.12194440e-4)
    p = F32(1.9875691500e-4)
    p = p * r + F32(1.3981999507e-3)
    p = p * r + F32(8.3334519073e-3)
    p = p * r + F32(4.1665795894e-2)
    p = p * r + F32(1.6666665459e-1)
    p = p * r + F32(5.0000001201e-1)
    p = p * r * r + r + F32(1.0)
    return int_as_float(float_as_int(p) + (n << I32(23)))


@kernel(inline="always", fastmath=FAST)
def log32(x):
    """Return ln(x) in float32 for positive normal x, absolute error below 2e-7 (Cephes logf)."""
    i = float_as_int(x) - I32(0x3F3504F3)
    exponent = i >> I32(23)
    m = int_as_float((i & I32(0x007FFFFF)) + I32(0x3F3504F3)) - F32(1.0)
    p = F32(7.0376836292e-2)
    p = p * m - F32(1.1514610310e-1)
    p = p * m + F32(1.1676998740e-1)
    p = p * m - F32(1.2420140846e-1)
    p = p * m + F32(1.4249322787e-1)
    p = p * m - F32(1.6668057665e-1)
    p = p * m + F32(2.0000714765e-1)
    p = p * m - F32(2.4999993993e-1)
    p = p * m + F32(3.3333331174e-1)
    z = m * m
    return m + (p * m * z - F32(0.5) * z) + F32(exponent) * F32(0.6931471805599453)


@kernel(inline="always", fastmath=FAST)
def cos_sin_turn(u):
    """Return cos(2 pi u) and sin(2 pi u) in float32 for u in [0, 1) (Cephes sinf and cosf on one octant)."""
    t = u * F32(4.0)
    quarter = I32(t + F32(0.5))
    r = (t - F32(quarter)) * F32(1.5707963267948966)
    z = r * r
    s = r + r * z * (F32(-1.6666654611e-1) + z * (F32(8.3321608736e-3) + z * F32(-1.9515295891e-4)))
    c = F32(1.0) - F32(0.5) * z
    c = c + z * z * (F32(4.166664568298827e-2) + z * (F32(-1.388731625493765e-3) + z * F32(2.443315711809948e-5)))
    odd = (quarter & I32(1)) != I32(0)
    cosine = s if odd else c
    sine = c if odd else s
    cosine = -cosine if ((quarter + I32(1)) & I32(2)) != I32(0) else cosine
    sine = -sine if (quarter & I32(2)) != I32(0) else sine
    return cosine, sine


@kernel(inline="always")
def four_bonds(key, counter, threshold):
    """Return four independent bits that are 1 with probability threshold / 2^48, from one random word.

    Each 16-bit quarter of the word is compared with the top 16 bits of the threshold; where they tie (6e-5), the
    comparison goes on with 32 bits of words from the stream ~key, so that the counter advances by one in any case.
    """
    high, low = threshold >> U64(32), threshold & U64(0xFFFFFFFF)
    word = random_word(key, counter)
    first, second = word & U64(0xFFFF), (word >> U64(16)) & U64(0xFFFF)
    third, fourth = (word >> U64(32)) & U64(0xFFFF), word >> U64(48)
    bits = less(first, high), less(second, high), less(third, high), less(fourth, high)
    # Some quarter of ``ties`` is zero exactly if subtracting one from each borrows there (Hacker's Delight, 6-1).
    ties = word ^ (high * U64(0x0001000100010001))
    if (ties - U64(0x0001000100010001)) & ~ties & U64(0x8000800080008000):
        one, other = random_word(~key, U64(2) * counter), random_word(~key, U64(2) * counter + U64(1))
        bits = (
            less(one >> U64(32), low) if first == high else bits[0],
            less(one & U64(0xFFFFFFFF), low) if second == high else bits[1],
            less(other >> U64(32), low) if third == high else bits[2],
            less(other & U64(0xFFFFFFFF), low) if fourth == high else bits[3],
        )
    return bits


@kernel(inline="always")
def less(a, b):
    """Return 1 if a < b, else 0, for uint64 values below 2^63."""
    return (a - b) >> U64(63)


@kernel(fastmath=FAST)
def fill_normals(out, scale, key, counters, chain):
    """Fill ``out`` (float32, even length) with Normal(0, scale^2) draws (Box-Muller), advancing ``counters[chain]``."""
    half = out.shape[0] // 2
    counter = counters[chain]
    for i in range(half):
        word = random_word(key, counter + U64(i))
        radius = np.sqrt(F32(-2.0) * log32(high_uniform(word) + F32(2.0**-25))) * scale
        cosine, sine = cos_sin_turn(low_uniform(word))
        out[i] = radius * cosine
        out[half + i] = radius * sine
    counters[chain] = counter + U64(half)


@kernel(fastmath=FAST)
def fill_spin_words(words, log_odds, scale, key, counters, chain):
    """Draw independent spins with P(+1) = 1 / (1 + exp(-scale * log_odds)) into 64-spin words (bit set: +1).

    ``log_odds`` is float32 with 64 entries per word; advances ``counters[chain]``.
    """
    bits = np.empty(64, np.uint8)
    counter = counters[chain]
    for w in range(words.shape[0]):
        offset = w * 64
        for i in range(32):
            word = random_word(key, counter + U64(w * 32 + i))
            first = exp32(-scale * log_odds[offset + i])
            second = exp32(-scale * log_odds[offset + 32 + i])
            bits[i] = np.uint8(high_uniform(word) * (F32(1.0) + first) < F32(1.0))
            bits[32 + i] = np.uint8(low_uniform(word) * (F32(1.0) + second) < F32(1.0))
        packed = U64(0)
        for i in range(64):
            packed |= U64(bits[i]) << U64(i)
        words[w] = packed
    counters[chain] = counter + U64(32 * words.shape[0])


def word_count(sites: int) -> int:
    """Return the number of 64-spin words that hold ``sites`` spins."""
    return -(-sites // 64)


def last_word_mask(sites: int) -> np.uint64:
    """Return the mask of the bits of the last word that hold spins; the others stay zero."""
    return U64((1 << ((sites - 1) % 64 + 1)) - 1)
