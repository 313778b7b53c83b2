"""Random numbers by position in plain torch: word number c of a stream is a hash of its key and c, as in Numba kernels.

No number depends on those drawn before it, so every device, and every way to share the work, draws the same. torch
lacks sums and shifts of uint64: words are int64, whose sums and products have the same bits, and shifts are masked.
"""

import math

import torch
from jaxtyping import Float64, Int64

GOLDEN, FIRST, SECOND = (word - 2**64 for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
Words = Int64[torch.Tensor, "*words"]
Uniforms = Float64[torch.Tensor, "*words"]


def shifted(word: Words, places: int) -> Words:
    """Return the words moved to the right, zeros coming in."""
    return (word >> places) & ((1 << (64 - places)) - 1)


def random_word(key: Int64[torch.Tensor, "..."], counter: Int64[torch.Tensor, "..."]) -> Int64[torch.Tensor, "..."]:
    """Return 64 random bits: the splitmix64 finaliser of key + counter * golden ratio (Steele et al. 2014)."""
    z = counter * GOLDEN + key
    z = (z ^ shifted(z, 30)) * FIRST
    z = (z ^ shifted(z, 27)) * SECOND
    return z ^ shifted(z, 31)


def uniform(word: Words) -> Uniforms:
    """Return uniforms on [0, 1) from the top 53 bits of random words."""
    return shifted(word, 11).double() * 2.0**-53


def high_uniform(word: Words) -> Uniforms:
    """Return uniforms on [0, 1) from the top 32 bits of random words."""
    return shifted(word, 32).double() * 2.0**-32


def low_uniform(word: Words) -> Uniforms:
    """Return uniforms on [0, 1) from the low 32 bits of random words."""
    return (word & 0xFFFFFFFF).double() * 2.0**-32


def random_index(word: Words, count: int) -> Words:
    """Return integers from 0 to count - 1 (count below 2^31) from the top 32 bits of random words."""
    return (shifted(word, 32) * count) >> 32


def normals(first: Words, second: Words) -> tuple[Uniforms, Uniforms]:
    """Return two standard normals for each pair of random words (Box-Muller); none is beyond 8.6."""
    radius = (-2 * torch.log(1 - uniform(first))).sqrt()
    angle = 2 * math.pi * uniform(second)
    return radius * torch.cos(angle), radius * torch.sin(angle)
