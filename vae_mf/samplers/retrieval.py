"""The Hopfield network as a memory: asynchronous dynamics from a corrupted pattern, and the part that is recalled.

Spins are visited in order. At T = 0 a spin turns when its field points the other way, s_i f_i < 0 with
f_i = sum_{j != i} J_ij s_j, which never raises the energy; at T > 0 it is up with probability
1 / (1 + exp(-2 beta f_i)) (Glauber). Fields are kept, and change only when a spin does.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from threadpoolctl import threadpool_limits

from vae_mf.arrays import Spins
from vae_mf.checks import require_energy_scale, require_integer, require_positive, require_spins
from vae_mf.kernels import FAST, kernel, padded
from vae_mf.rng import generator, integer
from vae_mf.rng import keys as stream_keys
from vae_mf.samplers.base import available_threads
from vae_mf.samplers.kernels.random_bits import F32, fill_logistic
from vae_mf.samplers.spin_glass import flip_dense
from vae_mf.systems.hopfield import Hopfield

SETTLED_BY = 200
"""Sweeps allowed to a network at zero temperature; it settles in about ten far from the critical load."""


class Recall(NamedTuple):
    """End of the dynamics of several starts, and the way there."""

    spins: Spins
    """Final configurations, shape (starts, N)."""
    energies: Float[np.ndarray, "starts times"]
    """Energy at the start and after every sweep."""
    flips: Int64[np.ndarray, "starts sweeps"]
    """Spins that turned in every sweep; a start has settled once it is zero at T = 0."""


class LoadCurve(NamedTuple):
    """Overlap with the pattern after recall, against the load."""

    loads: Float[np.ndarray, " loads"]
    """P / N of the networks, P being whole."""
    overlaps: Float[np.ndarray, " loads"]
    """Mean over networks of m = xi . s / N."""
    errors: Float[np.ndarray, " loads"]
    """Standard error of the mean, from the spread between networks."""
    settled: Float[np.ndarray, " loads"]
    """Share of starts that had stopped changing (at T > 0, of those that happened to stand still in the last sweep)."""


def corrupt(patterns: Spins, fraction: float, seed: int) -> Spins:
    """Return patterns (..., N) with exactly round(fraction N) spins of each turned, chosen at random.

    >>> int((corrupt(np.ones((1, 100), np.int8), 0.2, seed=1) < 0).sum())
    20

    Raises:
        ValueError: unless the patterns are of +-1 and the fraction in [0, 1].
    """
    require_spins("patterns", patterns)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction: expected a number from 0 to 1, got {fraction!r}")
    sites = patterns.shape[-1]
    turned = np.broadcast_to(np.arange(sites) < round(fraction * sites), patterns.shape)
    random = generator(require_integer("seed", seed, minimum=0), "corrupt")
    return np.where(random.permuted(turned, axis=-1), -patterns, patterns).astype(np.int8)


def recall(
    system: Hopfield, starts: Spins, sweeps: int = SETTLED_BY, temperature: float = 0.0, seed: int = 0
) -> Recall:
    """Run the dynamics of a network from each start, and stop early once nothing moves at zero temperature.

    >>> network = Hopfield.random(200, 3, seed=1)
    >>> found = recall(network, corrupt(network.patterns, 0.2, seed=1))
    >>> network.overlaps(found.spins).diagonal().tolist()
    [1.0, 1.0, 1.0]
    """
    if starts.ndim != 2 or starts.shape[1] != system.sites:
        raise ValueError(f"starts: expected shape (starts, {system.sites}), got {starts.shape}")
    require_spins("starts", starts)
    require_integer("sweeps", sweeps)
    cold = temperature == 0
    beta = 0.0 if cold else system.coupling / require_energy_scale("temperature", temperature)
    keys = stream_keys(require_integer("seed", seed, minimum=0), "recall", count=len(starts))
    counts = pattern_products(system)
    spins = np.zeros((len(starts), counts.shape[1]), np.float32)
    spins[:, : system.sites] = starts
    fields = spins[:, : system.sites] @ counts
    sums = np.zeros((len(starts), sweeps + 1))
    flips = np.zeros((len(starts), sweeps), np.int64)
    relax(counts, spins, fields, np.float32(2 * beta / system.sites), keys, sums, flips)
    # The sum of s_i f_i leaves out the constant J P / 2 of the diagonal, which the energy of the network includes.
    energies = -system.coupling * (sums / (2 * system.sites) + len(system.patterns) / 2)
    return Recall(spins[:, : system.sites].astype(np.int8), energies, flips)


def pattern_products(system: Hopfield) -> Float[np.ndarray, "sites padded_sites"]:
    """Return N J_ij / J = sum_mu xi_i^mu xi_j^mu in float32, zero on the diagonal.

    They are integers, so all fields are exact while N P < 2^24 and no rounding ever turns a spin.
    """
    xi = system.patterns.astype(np.float32)
    products = np.zeros((system.sites, padded(system.sites)), np.float32)
    products[:, : system.sites] = xi.T @ xi
    np.fill_diagonal(products, 0)
    return products


@kernel(fastmath=FAST, error_model="numpy")
def relax(counts, spins, fields, scale, keys, sums, flips):
    """Update every start sweep by sweep; ``sums`` gets sum_i s_i f_i before and after each, ``flips`` the spins turned.

    With scale = 2 beta / N the noise is logistic, which turns Metropolis' test into the heat bath; at scale 0, standing
    for T = 0, there is none and spins follow their fields.
    """
    noise = np.zeros(spins.shape[1], F32)
    counters = np.zeros(spins.shape[0], np.uint64)
    for b in range(spins.shape[0]):
        sums[b, 0] = aligned_sum(spins[b], fields[b])
        for sweep in range(flips.shape[1]):
            if scale > F32(0.0):
                fill_logistic(noise, keys[b], counters, b)
            flips[b, sweep] = flip_dense(counts, spins[b], fields[b], noise, scale if scale > F32(0.0) else F32(1.0))
            sums[b, sweep + 1] = aligned_sum(spins[b], fields[b])
            if flips[b, sweep] == 0 and scale == F32(0.0):
                sums[b, sweep + 1 :] = sums[b, sweep + 1]
                break


@kernel()
def aligned_sum(spins, fields):
    """Return sum_i s_i f_i in float64."""
    total = 0.0
    for i in range(spins.shape[0]):
        total += np.float64(spins[i] * fields[i])
    return total


def load_curve(
    sites: int,
    loads: Sequence[float],
    networks: int = 10,
    corruption: float = 0.1,
    temperature: float = 0.0,
    starts: int = 20,
    sweeps: int = SETTLED_BY,
    seed: int = 0,
    threads: int | None = None,
) -> LoadCurve:
    """Return the overlap after recall against the load P / N, for random patterns.

    In the limit of large N it falls at T = 0 from 0.97 to below 0.4 at alpha_c = 0.138 (Amit, Gutfreund and Sompolinsky
    1985); below it, a corrupted pattern is recalled if it lies in the basin of attraction, which shrinks with the load.

    Args:
        loads: wanted values of P / N; P is rounded to a whole number of at least one.
        networks: independent sets of patterns per load, at least two.
        corruption: fraction of spins turned in the pattern to recall.
    """
    require_integer("networks", networks, minimum=2)
    require_integer("starts", starts)
    counts = [max(1, round(require_positive("loads", load) * require_integer("sites", sites))) for load in loads]

    def result(pair: tuple[int, int]) -> tuple[float, float]:
        return recall_random_patterns(sites, pair[0], corruption, temperature, starts, sweeps, integer(seed, *pair))

    pairs = list(product(counts, range(networks)))
    with threadpool_limits(1), ThreadPoolExecutor(threads or available_threads()) as pool:
        results = np.array(list(pool.map(result, pairs))).reshape(len(counts), networks, 2)
    overlaps, settled = results[..., 0], results[..., 1]
    errors = overlaps.std(1, ddof=1) / np.sqrt(networks)
    return LoadCurve(np.array(counts) / sites, overlaps.mean(1), errors, settled.mean(1))


def recall_random_patterns(
    sites: int, count: int, corruption: float, temperature: float, starts: int, sweeps: int, seed: int
) -> tuple[float, float]:
    """Return the mean final overlap and the share of settled starts of one network of random patterns."""
    system = Hopfield.random(sites, count, seed)
    patterns = system.patterns[:starts]
    result = recall(system, corrupt(patterns, corruption, seed), sweeps, temperature, seed)
    overlaps = (result.spins.astype(np.float64) * patterns).mean(1)
    return float(overlaps.mean()), float((result.flips[:, -1] == 0).mean())
