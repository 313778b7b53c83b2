"""Draws from the Bingham distribution on the sphere, fast enough for one per director of a nematic.

For the density exp(-sum_k lambda_k y_k^2) in principal axes, all lambda >= 0 and one of them 0, the angular central
Gaussian with Omega = I + 2 diag(lambda) / b is an envelope (Kent, Ganeiban and Mardia 2018): draw y = D v / |D v| with
D = Omega^(-1/2) and v uniform on the sphere, then accept it with probability
    exp((b / 2)(1 - t)) t^(3/2) / M,   t = y^T Omega y = 1 / |D v|^2,   M = exp(-(3 - b) / 2) (3 / b)^(3/2),
where sum_k 1 / (b + 2 lambda_k) = 1 makes the acceptance largest, 0.57 to 1. No normals and no logarithms are needed.
"""

import numpy as np

from vae_mf.elementary import F32, cos_sin_turn, exp32
from vae_mf.kernels import FAST, kernel
from vae_mf.samplers.kernels.random_bits import U64, double_uniform, high_uniform, low_uniform, random_word

BLOCK = 64
"""Candidates proposed together in one SIMD loop."""


@kernel()
def envelope_parameter(rates):
    """Return b in [1, 3] with sum_k 1 / (b + 2 rates_k) = 1, by Newton's method, monotone from b = 1."""
    b = 1.0
    for _ in range(100):
        excess, slope = -1.0, 0.0
        for k in range(3):
            term = 1.0 / (b + 2.0 * rates[k])
            excess += term
            slope += term * term
        b += excess / slope
        if abs(excess) < 1e-14:
            break
    return b


@kernel(fastmath=FAST, error_model="numpy")
def propose_block(candidates, accepted, scales, half_b, log_bound, key, counter):
    """Write 64 candidates (3, 64) in principal axes and whether each is accepted; uses 128 random words."""
    a, b, c = scales
    for i in range(BLOCK):
        word = random_word(key, counter + U64(i))
        uniform = high_uniform(random_word(key, counter + U64(BLOCK + i)))
        # The height of a uniform point on the sphere is uniform (Archimedes); half a step off 0, lest |D v| vanish.
        z = high_uniform(word) * F32(2.0) - F32(1.0 - 2.0**-24)
        cosine, sine = cos_sin_turn(low_uniform(word))
        ring = np.sqrt(F32(1.0) - z * z)
        x, y, z = a * ring * cosine, b * ring * sine, c * z
        t = F32(1.0) / (x * x + y * y + z * z)
        root = np.sqrt(t)
        accepted[i] = np.uint8(uniform < exp32(half_b * (F32(1.0) - t) - log_bound) * t * root)
        candidates[0, i] = x * root
        candidates[1, i] = y * root
        candidates[2, i] = z * root


@kernel(fastmath=FAST, error_model="numpy")
def fill_bingham(directors, exponents, axes, work, key, counters, chain):
    """Fill ``directors`` (3, N) float32 with independent draws from exp(n^T B n), advancing ``counters[chain]``.

    B has eigenvalues ``exponents`` (3,) and as eigenvectors the columns of ``axes``; ``work`` is (3, N + 64) float32.
    """
    sites = directors.shape[1]
    rates = exponents.max() - exponents
    b = envelope_parameter(rates)
    scales = (
        F32((1 + 2 * rates[0] / b) ** -0.5),
        F32((1 + 2 * rates[1] / b) ** -0.5),
        F32((1 + 2 * rates[2] / b) ** -0.5),
    )
    half_b = F32(b / 2)
    log_bound = F32(1.5 * np.log(3 / b) - (3 - b) / 2)
    candidates = np.empty((3, BLOCK), F32)
    accepted = np.empty(BLOCK, np.uint8)
    kept = U64(0)
    while kept < U64(sites):
        propose_block(candidates, accepted, scales, half_b, log_bound, key, counters[chain])
        counters[chain] += U64(2 * BLOCK)
        # Without a branch: a refused candidate is overwritten by the next one.
        for i in range(BLOCK):
            work[0, kept] = candidates[0, i]
            work[1, kept] = candidates[1, i]
            work[2, kept] = candidates[2, i]
            kept += U64(accepted[i])
    rotate(directors, axes, work)


@kernel(fastmath=FAST, error_model="numpy")
def rotate(directors, axes, work):
    """Write ``axes`` times the first N columns of ``work`` into ``directors`` (3, N)."""
    for a in range(3):
        first = F32(axes[a, 0])
        second = F32(axes[a, 1])
        third = F32(axes[a, 2])
        for i in range(directors.shape[1]):
            directors[a, i] = first * work[0, i] + second * work[1, i] + third * work[2, i]


@kernel()
def random_rotation(axes, key, counters, chain):
    """Fill ``axes`` (3, 3) with a rotation from the Haar measure, that of a uniform unit quaternion (Shoemake 1992)."""
    share = double_uniform(random_word(key, counters[chain]))
    first = 2 * np.pi * double_uniform(random_word(key, counters[chain] + U64(1)))
    second = 2 * np.pi * double_uniform(random_word(key, counters[chain] + U64(2)))
    counters[chain] += U64(3)
    a = np.sqrt(1 - share) * np.sin(first)
    b = np.sqrt(1 - share) * np.cos(first)
    c = np.sqrt(share) * np.sin(second)
    d = np.sqrt(share) * np.cos(second)
    axes[0, 0], axes[0, 1], axes[0, 2] = 1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)
    axes[1, 0], axes[1, 1], axes[1, 2] = 2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)
    axes[2, 0], axes[2, 1], axes[2, 2] = 2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)


@kernel(error_model="numpy")
def diagonalise(matrix, axes):
    """Turn a symmetric (3, 3) matrix into the diagonal one of its eigenvalues, and fill ``axes`` with its eigenvectors.

    By Jacobi rotations, which at this size cost less than a call of LAPACK and converge quadratically.
    """
    for i in range(3):
        for j in range(3):
            axes[i, j] = 1.0 if i == j else 0.0
    size = np.abs(matrix).max()
    for _ in range(12):
        if abs(matrix[0, 1]) + abs(matrix[0, 2]) + abs(matrix[1, 2]) <= 1e-13 * size:
            break
        for p in range(2):
            for q in range(p + 1, 3):
                if matrix[p, q] != 0.0:
                    jacobi_rotation(matrix, axes, p, q)


@kernel(error_model="numpy")
def jacobi_rotation(matrix, axes, p, q):
    """Rotate axes p and q so that entry (p, q) vanishes (Golub and Van Loan, Matrix Computations, section 8.5)."""
    slope = (matrix[q, q] - matrix[p, p]) / (2 * matrix[p, q])
    tangent = (1.0 if slope >= 0 else -1.0) / (abs(slope) + np.sqrt(slope * slope + 1))
    cosine = 1 / np.sqrt(tangent * tangent + 1)
    sine = tangent * cosine
    for k in range(3):
        first, second = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = cosine * first - sine * second, sine * first + cosine * second
    for k in range(3):
        first, second = matrix[p, k], matrix[q, k]
        matrix[p, k], matrix[q, k] = cosine * first - sine * second, sine * first + cosine * second
    for k in range(3):
        first, second = axes[k, p], axes[k, q]
        axes[k, p], axes[k, q] = cosine * first - sine * second, sine * first + cosine * second
