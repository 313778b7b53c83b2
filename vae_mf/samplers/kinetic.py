"""Trajectories of the kinetic Ising model, all spins updated at once; couplings may be asymmetric, fields may move.

    P(s_i(t+1) | s(t)) = exp(s_i(t+1) theta_i(t)) / 2cosh theta_i(t),    theta_i(t) = h_i(t) + sum_j J_ij s_j(t)

The products of J with the signs of many repeats are those of `vae_mf.samplers.kernels.sign_products`.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int8

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import plain_array, require_integer, require_spins
from vae_mf.kernels import FAST, LANES, kernel, padded
from vae_mf.rng import generator
from vae_mf.rng import keys as stream_keys
from vae_mf.samplers.base import available_threads
from vae_mf.samplers.kernels.random_bits import F32, U64, high_uniform, is_up, low_uniform, random_word
from vae_mf.samplers.kernels.sign_products import (
    WORD,
    add_sign_products,
    aligned_rows,
    pack_signs,
    row_stride,
    sign_words,
)

REPEATS = 128
"""Repeats advanced together by one thread; fixed, so that results never depend on the number of threads."""
DrivingFields = Float[np.ndarray, " sites"] | Float[np.ndarray, "steps sites"]
"""Fields h_i, constant or one row per step."""


def kinetic_trajectories(
    couplings: Couplings,
    fields: DrivingFields | None,
    steps: int,
    repeats: int,
    seed: int,
    start: Spins | None = None,
    threads: int | None = None,
) -> Int8[np.ndarray, "repeats times sites"]:
    """Return independent trajectories s(0), ..., s(steps) of the parallel dynamics.

    >>> kinetic_trajectories(np.zeros((5, 5)), None, steps=10, repeats=3, seed=1).shape
    (3, 11, 5)

    Args:
        couplings: J (N, N), J_ij from j to i, any finite real matrix; its diagonal acts too. Temperature is absorbed.
        fields: h, shape (N,) if constant, (steps, N) with h(t) acting between s(t) and s(t+1), or None for none.
        steps: transitions recorded; there is one time more than steps.
        seed: seed of all draws; repeat r does not depend on the number of repeats.
        start: s(0) for all, (N,), or each, (repeats, N); random if None.
        threads: worker threads; the trajectories do not depend on their number.

    Raises:
        ValueError: if a shape or count is wrong, a number not finite, or a start not of +-1.
    """
    matrix = finite("couplings", couplings)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"couplings: expected shape (N, N), got {matrix.shape}")
    sites = len(matrix)
    require_integer("steps", steps, minimum=0)
    require_integer("repeats", repeats)
    field_rows = checked_fields(fields, sites, steps)
    first = checked_start(start, repeats, sites, require_integer("seed", seed, minimum=0))
    keys = stream_keys(seed, "kinetic", count=repeats)
    columns = column_blocks(matrix)
    paths = np.empty((repeats, steps + 1, sites), np.int8)
    paths[:, 0] = first

    def advance(block: slice) -> None:
        follow(paths[block], columns, field_rows, keys[block])

    blocks = [slice(begin, begin + REPEATS) for begin in range(0, repeats, REPEATS)]
    with ThreadPoolExecutor(threads or available_threads()) as pool:
        list(pool.map(advance, blocks))
    return paths


def column_blocks(couplings: Couplings) -> Float32[np.ndarray, "blocks columns lanes"]:
    """Return J transposed, cut into blocks of 16 columns, with zeros for the spins that fill up a word."""
    sites = len(couplings)
    columns = np.zeros((WORD * sign_words(sites), padded(sites)), np.float32)
    columns[:sites, :sites] = couplings.T
    return np.ascontiguousarray(columns.reshape(len(columns), -1, LANES).swapaxes(0, 1))


@kernel()
def follow(paths, columns, fields, keys):
    """Fill paths (repeats, times, N) from paths[:, 0] on; ``fields`` has one row, or one per step."""
    repeats, times, sites = paths.shape
    theta = aligned_rows(repeats, row_stride(fields.shape[1]))
    spins = np.ones((repeats, columns.shape[1]), np.int8)
    words = np.empty((repeats, columns.shape[1] // WORD), np.uint32)
    counters = np.zeros(repeats, np.uint64)
    spins[:, :sites] = paths[:, 0]
    for time in range(1, times):
        pack_signs(words, spins)
        start_fields(theta, fields[time - 1] if fields.shape[0] > 1 else fields[0])
        for block in range(columns.shape[0]):
            add_sign_products(theta, LANES * block, columns[block], words)
        draw_parallel(spins, theta, sites, keys, counters)
        for r in range(repeats):
            for i in range(sites):
                paths[r, time, i] = spins[r, i]


@kernel(error_model="numpy")
def start_fields(theta, fields):
    """Set the beginning of every row of theta to the fields."""
    for r in range(U64(theta.shape[0])):
        for i in range(U64(fields.shape[0])):
            theta[r, i] = fields[i]


@kernel(fastmath=FAST, error_model="numpy")
def draw_parallel(spins, theta, sites, keys, counters):
    """Draw the first ``sites`` spins of every repeat with P(+1) = 1 / (1 + exp(-2 theta)), two from a random word."""
    half = U64((sites + 1) // 2)
    for r in range(U64(spins.shape[0])):
        for i in range(half):
            word = random_word(keys[r], counters[r] + i)
            spins[r, i] = np.int8(1) if is_up(high_uniform(word), F32(2.0) * theta[r, i]) else np.int8(-1)
            up = is_up(low_uniform(word), F32(2.0) * theta[r, half + i])
            spins[r, half + i] = np.int8(1) if up else np.int8(-1)
        counters[r] += half


def checked_fields(fields: Any, sites: int, steps: int) -> Float32[np.ndarray, "rows width"]:
    """Return padded float32 fields, one row if constant, or raise ValueError if they fit no trajectory."""
    values = np.zeros(sites) if fields is None else finite("fields", fields)
    if values.shape not in ((sites,), (steps, sites)):
        raise ValueError(f"fields: expected shape {(sites,)} or {(steps, sites)}, got {values.shape}")
    rows = np.atleast_2d(values)
    return np.pad(rows, [(0, 0), (0, padded(sites) - sites)]).astype(np.float32)


def checked_start(start: Any, repeats: int, sites: int, seed: int) -> Int8[np.ndarray, "repeats sites"]:
    """Return the initial configurations (repeats, N), drawn at random if none are given."""
    if start is None:
        bits = generator(seed, "start").integers(0, 2, (repeats, sites), dtype=np.int8)
        return (2 * bits - 1).astype(np.int8)
    spins = np.asarray(plain_array(start))
    if spins.shape not in ((sites,), (repeats, sites)):
        raise ValueError(f"start: expected shape {(sites,)} or {(repeats, sites)}, got {spins.shape}")
    require_spins("start", spins)
    return np.broadcast_to(spins.astype(np.int8), (repeats, sites))


def finite(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as a float64 array, or raise ValueError unless all are finite."""
    array = np.asarray(plain_array(values), np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} others")
    return array
