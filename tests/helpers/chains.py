"""Samples of Markov chains, and standard scores of their averages."""

import numpy as np

from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers.base import Group, Sampler, Schedule, sample_block


def sample(
    sampler: Sampler,
    temperatures,
    chains: int,
    schedule: Schedule,
    seed: int = 1,
    start: str = "random",
    threads: int | None = None,
) -> np.ndarray:
    """Spins (temperatures, chains, draws, sites) of chains that a sampler runs."""
    values = np.array(temperatures, dtype=float)
    draws = sample_block(sampler, values, range(chains), schedule, seed, start, threads)
    return unpack_spins(draws.configurations, sampler.sites)


def started(sampler: Sampler, temperatures, start: str = "random", seed: int = 1):
    """State of new chains, one at each of the temperatures."""
    values = np.array(temperatures, dtype=float)
    return sampler.initial(Group(values, keys(seed, count=len(values)), np.arange(len(values))), start)


def z_scores(values: np.ndarray, exact) -> np.ndarray:
    """Standard scores of averages of values (temperatures, chains, draws, ...), from the chains' own means."""
    means = values.mean(2)
    with np.errstate(divide="ignore"):
        return (means.mean(1) - exact) / (means.std(1, ddof=1) / np.sqrt(means.shape[1]))
