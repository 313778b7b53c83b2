"""Independent variables in all their guises, about which there is nothing to find."""

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins

from .case import Data, bernoulli
from .laws import independent


def heterogeneous(random: np.random.Generator, rows: int, sites: int, mean: float = -0.5, spread: float = 1.0) -> Data:
    """Return independent variables whose log-odds are drawn from a normal law."""
    log_odds = random.normal(mean, spread, sites)
    return Data(bernoulli(random, np.broadcast_to(log_odds, (rows, sites))), independent(log_odds))


def rare(random: np.random.Generator, rows: int, sites: int, rates: tuple[float, float] = (0.003, 0.03)) -> Data:
    """Return independent variables that are seldom on, their rates even on a logarithmic scale."""
    chosen = log_uniform(random, rates, sites)
    log_odds = np.log(chosen / (1 - chosen))
    return Data(bernoulli(random, np.broadcast_to(log_odds, (rows, sites))), independent(log_odds))


def log_uniform(random: np.random.Generator, ends: tuple[float, float], count: int) -> Float[np.ndarray, " count"]:
    """Return numbers that are even on a logarithmic scale."""
    lowest, highest = ends
    return np.exp(random.uniform(np.log(lowest), np.log(highest), count))


def drifting(random: np.random.Generator, rows: int, sites: int, slope: float = 0.5) -> Data:
    """Return independent variables whose log-odds change linearly over the rows: only the order of rows ties them."""
    time = np.linspace(-1, 1, rows)[:, None]
    return Data(bernoulli(random, random.normal(-0.5, 0.7, sites) + random.normal(0, slope, sites) * time))


def autocorrelated(random: np.random.Generator, rows: int, sites: int, times: tuple[float, float]) -> Data:
    """Return independent variables that keep their state for some rows, their memories even on a logarithmic scale.

    Args:
        random: source of randomness.
        rows: number of rows.
        sites: number of variables.
        times: shortest and longest mean number of rows between two renewals.
    """
    log_odds = random.normal(0, 0.7, sites)
    memory = log_uniform(random, times, sites)
    fresh = bernoulli(random, np.broadcast_to(log_odds, (rows, sites)))
    return Data(held(random, fresh, memory), independent(log_odds))


def slow(
    random: np.random.Generator, rows: int, sites: int, dwell: float, rates: tuple[float, float] = (0.2, 0.4)
) -> Data:
    """Return independent variables, each with an up and a down state of its own that last for ``dwell`` rows."""
    switches = np.cumsum(random.random((rows, sites)) < 1 / dwell, axis=0)
    state = (switches + random.integers(0, 2, sites)) % 2
    off, on = (np.log(rate / (1 - rate)) for rate in rates)
    return Data(bernoulli(random, np.where(state, on, off)))


def repeated(random: np.random.Generator, rows: int, sites: int, times: int) -> Data:
    """Return independent variables whose rows are each given several times, in random order."""
    once = heterogeneous(random, rows // times, sites).rows
    return Data(random.permutation(np.repeat(once, times, axis=0)))


def held(random: np.random.Generator, fresh: Spins, memory: Float[np.ndarray, " sites"]) -> Spins:
    """Return columns that repeat their last renewal, which comes with probability 1 / memory in every row."""
    renewed = random.random(fresh.shape) < 1 / memory
    renewed[0] = True
    last = np.maximum.accumulate(np.where(renewed, np.arange(len(fresh))[:, None], 0), axis=0)
    return np.take_along_axis(fresh, last, axis=0)


def shifted(random: np.random.Generator, rows: int, sites: int, memory: float = 5.0) -> Data:
    """Return variables of one collective variable with memory, shifted against each other so far that none is left."""
    field = autoregressive(random, rows, memory)
    values = bernoulli(random, random.normal(-0.5, 0.5, sites) + 1.2 * field[:, None])
    gaps = random.permutation(sites) * (rows // sites)
    return Data(np.stack([np.roll(column, gap) for column, gap in zip(values.T, gaps, strict=True)], axis=1))


def autoregressive(random: np.random.Generator, rows: int, memory: float) -> Float[np.ndarray, " rows"]:
    """Return a stationary Gaussian series of variance one whose correlations fall as exp(-t / memory)."""
    kept = np.exp(-1 / memory)
    series = random.normal(size=rows)
    series[1:] *= np.sqrt(1 - kept**2)
    for row in range(1, rows):
        series[row] += kept * series[row - 1]
    return series
