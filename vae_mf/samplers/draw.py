"""Equilibrium configurations of a system in one call."""

import numpy as np
from jaxtyping import Shaped

from vae_mf.checks import plain_number, require_integer, require_temperatures
from vae_mf.samplers.auto import automatic_sampler
from vae_mf.samplers.base import Sampler, sample_chains
from vae_mf.samplers.plan import PREFERRED_CHAINS, Sampling, plan
from vae_mf.systems.base import System


def sample(
    system: System,
    temperatures: float | list[float] | np.ndarray,
    count: int,
    seed: int,
    sampler: Sampler | None = None,
    threads: int | None = None,
) -> Shaped[np.ndarray, "temperatures count *site"]:
    """Return equilibrium configurations: int8 spins (temperatures, count, N) or directors (temperatures, count, N, 3).

    ``count`` is the number of configurations at each temperature. Those of an exact sampler are independent. Markov
    chains, at most 100 at each temperature, are thinned to twice the slowest autocorrelation time of a pilot run after
    a burn-in of twenty times it; neighbouring rows come from different chains.

    >>> from vae_mf.systems import CurieWeiss
    >>> spins = sample(CurieWeiss(64), temperatures=[0.8, 1.2], count=100, seed=1)
    >>> spins.shape, spins.dtype.name
    ((2, 100, 64), 'int8')

    Args:
        system: system to sample.
        temperatures: distinct T > 0 (J = k_B = 1), or one of them.
        count: number of configurations at each temperature.
        seed: seed of all randomness; the same seed gives the same configurations.
        sampler: sampler to use, such as `ParallelTempering` for glasses; None for the system's own.
        threads: number of worker threads, None for every core; the configurations do not depend on it.

    Raises:
        ValueError: if a number is out of range, the system names no sampler, or its chains do not decorrelate within
            a long pilot run.
    """
    chosen = automatic_sampler(system) if sampler is None else sampler
    number = plain_number(temperatures)
    levels = require_temperatures([number] if isinstance(number, int | float) else temperatures).tolist()
    chains = min(require_integer("count", count), PREFERRED_CHAINS)
    draws = -(-count // chains)
    request = Sampling(levels, chains * draws, None, None, chains=chains)
    decided = plan(system, chosen, request, require_integer("seed", seed, minimum=0), threads)
    drawn = sample_chains(chosen, decided.levels, chains, decided.schedule, seed, threads)
    return drawn.swapaxes(1, 2).reshape(len(levels), chains * draws, *drawn.shape[3:])[:, :count]
