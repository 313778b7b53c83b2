"""Trajectories of the kinetic Ising model, all spins updated at once; couplings may be asymmetric, fields may move.

    P(s_i(t+1) | s(t)) = exp(s_i(t+1) theta_i(t)) / 2cosh theta_i(t),    theta_i(t) = h_i(t) + sum_j J_ij s_j(t)

Spins being +-1, a group of six acts in one of 64 ways: theta is a sum of N / 6 tabulated rows, which takes half the
time of a matrix product of many repeats with J and always rounds alike.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int8

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_integer, require_spins
from vae_mf.rng import generator
from vae_mf.rng import keys as stream_keys
from vae_mf.samplers.base import available_threads
from vae_mf.samplers.kernels import kernel
from vae_mf.samplers.random_bits import F32, FAST, U64, exp32, high_uniform, low_uniform, random_word
from vae_mf.samplers.spin_glass import padded

REPEATS = 128
"""Repeats advanced together by one thread; fixed, so that results never depend on the number of threads."""
GROUP, LARGE_GROUP = 6, 4
"""Spins tabulated together, and fewer in large systems, whose tables would outgrow the cache."""
LARGE = 512
GROUPS_AT_ONCE = 8
"""Table rows added in one pass over theta."""

DrivingFields = Float[np.ndarray, " sites"] | Float[np.ndarray, "steps sites"]
"""Fields h_i, constant or one row per step."""


def kinetic_trajectories(
    couplings: Couplings,
    fields: DrivingFields | None,
    steps: int,
    repeats: int,
    seed: int,
    start: Spins | None = None,
    burn_in: int = 0,
    threads: int | None = None,
) -> Int8[np.ndarray, "repeats times sites"]:
    """Return independent trajectories s(0), ..., s(steps) of the parallel dynamics.

    Args:
        couplings: J (N, N), J_ij from j to i, any finite real matrix; its diagonal acts too. Temperature is absorbed.
        fields: h, shape (N,) if constant, (steps, N) with h(t) acting between s(t) and s(t+1), or None for none.
        steps: transitions recorded; there is one time more than steps.
        repeats: number of trajectories.
        seed: of all draws; repeat r does not depend on how many there are.
        start: s(-burn_in) for all, (N,), or each, (repeats, N); random if None.
        burn_in: transitions before s(0), with constant fields only.
        threads: worker threads; the trajectories do not depend on their number.

    Raises:
        ValueError: if a shape or count is wrong, a number not finite, a start not of +-1, or fields move in burn-in.
    """
    matrix = finite("couplings", couplings)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"couplings: expected shape (N, N), got {matrix.shape}")
    sites = len(matrix)
    require_integer("steps", steps, minimum=0)
    require_integer("repeats", repeats)
    require_integer("burn_in", burn_in, minimum=0)
    field_rows = checked_fields(fields, sites, steps, burn_in)
    first = checked_start(start, repeats, sites, require_integer("seed", seed, minimum=0))
    keys = stream_keys(seed, "kinetic", count=repeats)
    tables = tabulate(matrix)
    paths = np.empty((repeats, steps + 1, sites), np.int8)
    paths[:, 0] = first

    def advance(block: slice) -> None:
        follow(paths[block], tables, field_rows, keys[block], burn_in)

    blocks = [slice(begin, begin + REPEATS) for begin in range(0, repeats, REPEATS)]
    with ThreadPoolExecutor(threads or available_threads()) as pool:
        list(pool.map(advance, blocks))
    return paths


def tabulate(couplings: Couplings) -> Float32[np.ndarray, "groups states width"]:
    """Return the fields that each state of each group exerts; bit b of group g is set if spin b groups + g is up.

    They take about 43 N^2 bytes, 16 N^2 beyond 512 sites.
    """
    sites = len(couplings)
    group = GROUP if sites <= LARGE else LARGE_GROUP
    groups = GROUPS_AT_ONCE * -(-sites // (group * GROUPS_AT_ONCE))
    columns = np.zeros((group, groups, padded(sites)), np.float32)
    columns.reshape(group * groups, -1)[:sites, :sites] = couplings.T
    return fill_tables(columns)


@kernel()
def fill_tables(columns):
    """Return tables (groups, 2^group, width) of J transposed (group, groups, width); an array of Numba's is aligned."""
    group, groups, width = columns.shape
    tables = np.zeros((groups, 2**group, width), F32)
    for g in range(groups):
        for b in range(group):
            add_multiple(tables[g, 0], tables[g, 0], F32(-1.0), columns[b, g])
        for b in range(group):
            for state in range(2**b):
                add_multiple(tables[g, state + 2**b], tables[g, state], F32(2.0), columns[b, g])
    return tables


@kernel(fastmath=FAST, error_model="numpy")
def add_multiple(out, row, factor, column):
    """Set out to row + factor * column."""
    for i in range(out.shape[0]):
        out[i] = row[i] + factor * column[i]


@kernel()
def follow(paths, tables, fields, keys, burn_in):
    """Fill paths (repeats, times, N) from paths[:, 0] on; ``fields`` has one row, or one per step."""
    repeats, times, sites = paths.shape
    groups, group_states, width = tables.shape
    theta = np.empty((repeats, width), F32)
    states = np.zeros((repeats, groups), np.uint8)
    # Long enough for all groups; spins beyond the last act on nothing.
    spins = np.zeros(max(width, groups * GROUP), np.int8)
    counters = np.zeros(repeats, np.uint64)
    for r in range(repeats):
        spins[:sites] = paths[r, 0]
        pack_groups(states[r], spins, group_states)
    for step in range(burn_in + times - 1):
        time = max(step + 1 - burn_in, 0)
        add_tables(theta, tables, states, fields[time - 1] if fields.shape[0] > 1 else fields[0])
        for r in range(repeats):
            draw_parallel(spins, theta[r], keys[r], counters, r)
            for i in range(sites):
                paths[r, time, i] = spins[i]
            pack_groups(states[r], spins, group_states)


@kernel()
def pack_groups(states, spins, group_states):
    """Write each group of spins as a number below ``group_states``, bit by bit for all groups at once."""
    groups = states.shape[0]
    states[:] = 0
    first, bit = 0, 1
    while bit < group_states:
        for g in range(groups):
            states[g] |= np.uint8(bit) if spins[first + g] > 0 else np.uint8(0)
        first += groups
        bit *= 2


@kernel(fastmath=FAST, error_model="numpy")
def add_tables(theta, tables, states, fields):
    """Set theta (repeats, width) to the fields plus, for every group, the row of its state."""
    for r in range(states.shape[0]):
        theta[r] = fields
    # Groups outside, repeats inside: the rows of eight groups stay in the cache.
    for g in range(0, states.shape[1], GROUPS_AT_ONCE):
        for r in range(states.shape[0]):
            total, s = theta[r], states[r, g : g + GROUPS_AT_ONCE]
            a, b, c, d = tables[g, s[0]], tables[g + 1, s[1]], tables[g + 2, s[2]], tables[g + 3, s[3]]
            e, f, h, k = tables[g + 4, s[4]], tables[g + 5, s[5]], tables[g + 6, s[6]], tables[g + 7, s[7]]
            for i in range(total.shape[0]):
                total[i] += ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (h[i] + k[i]))


@kernel(fastmath=FAST, error_model="numpy")
def draw_parallel(spins, theta, key, counters, chain):
    """Draw every spin of one repeat with P(+1) = 1 / (1 + exp(-2 theta))."""
    half = theta.shape[0] // 2
    counter = counters[chain]
    for i in range(half):
        word = random_word(key, counter + U64(i))
        # Half a step keeps u off 0 and "<=" lets it reach 1, so that a spin held by a strong field never slips.
        first = (high_uniform(word) + F32(2.0**-25)) * (F32(1.0) + exp32(F32(-2.0) * theta[i]))
        second = (low_uniform(word) + F32(2.0**-25)) * (F32(1.0) + exp32(F32(-2.0) * theta[half + i]))
        spins[i] = np.int8(1) if first <= F32(1.0) else np.int8(-1)
        spins[half + i] = np.int8(1) if second <= F32(1.0) else np.int8(-1)
    counters[chain] = counter + U64(half)


def checked_fields(fields: Any, sites: int, steps: int, burn_in: int) -> Float32[np.ndarray, "rows width"]:
    """Return padded float32 fields, one row if constant, or raise ValueError if they fit no trajectory."""
    values = np.zeros(sites) if fields is None else finite("fields", fields)
    if values.shape not in ((sites,), (steps, sites)):
        raise ValueError(f"fields: expected shape {(sites,)} or {(steps, sites)}, got {values.shape}")
    if values.ndim == 2 and burn_in:
        raise ValueError(f"burn_in: expected 0 with fields that change in time, got {burn_in}")
    rows = np.atleast_2d(values)
    return np.pad(rows, [(0, 0), (0, padded(sites) - sites)]).astype(np.float32)


def checked_start(start: Any, repeats: int, sites: int, seed: int) -> Int8[np.ndarray, "repeats sites"]:
    """Return the initial configurations (repeats, N), drawn at random if none are given."""
    if start is None:
        bits = generator(seed, "start").integers(0, 2, (repeats, sites), dtype=np.int8)
        return (2 * bits - 1).astype(np.int8)
    spins = np.asarray(start)
    if spins.shape not in ((sites,), (repeats, sites)):
        raise ValueError(f"start: expected shape {(sites,)} or {(repeats, sites)}, got {spins.shape}")
    require_spins("start", spins)
    return np.broadcast_to(spins.astype(np.int8), (repeats, sites))


def finite(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as a float64 array, or raise ValueError unless all are finite."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} others")
    return array
