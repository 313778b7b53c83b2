"""Annealing of chains: ln Z of an unnormalised model, with an error, and samples of it.

Annealed importance sampling (Neal 2001) weighs chains that never meet; population annealing (Hukushima and Iba 2003,
Machta 2010) lets those of large weight multiply.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.arrays import Rows, Spins

PerChain = Float[np.ndarray, " chains"]
TINY = 1e-12
EVEN = 0.8
"""Effective share of the chains of an island below which they are resampled."""


@runtime_checkable
class AnnealedChains(Protocol):
    """Markov chains on their way from a model that is known, f_0(s) / Z_0, to one that is not, f_1(s) / Z_1.

    They start on independent draws of the first: from independent variables with the means of sparse rows the way to a
    model of these rows is shortest, while from uniform rows the chains meet every phase that the model has.
    """

    start_log_partition: float
    """ln Z_0."""

    @property
    def spins(self) -> Spins:
        """Current configurations, shape (chains, N)."""
        ...

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(s) / d beta of every chain."""
        ...

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(s) - ln f_beta(s) of every chain."""
        ...

    def move(self, beta: float) -> None:
        """Advance every chain by a sweep that leaves f_beta invariant."""
        ...

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        ...


class Annealed(NamedTuple):
    """Estimate of ln Z, and weights of the chains."""

    log_partition: float
    """ln Z_1."""
    error: float
    """Standard error of ln Z_1, from the scatter of the weights of chains, or of islands (jackknife)."""
    effective_size: float
    """Number of independent draws that are worth as much as the weighted chains, or islands."""
    steps: int
    log_weights: PerChain
    """Weights with which the chains are draws from the last model."""


def annealed_importance(chains: AnnealedChains, resolution: float) -> Annealed:
    """Carry chains from beta = 0 to 1 and estimate ln Z_1 = ln Z_0 + ln <exp(w)>.

    w = sum_t ln f_{t+1}(s_t) - ln f_t(s_t). The steps are of equal statistical length: each changes ln f_beta by
    ``resolution`` (standard deviation over the chains, in nats), so that they are small where the model changes fast.
    """
    log_weights, steps = annealed_weights(chains, resolution, 1, lambda weights, last: weights)
    return annealed_estimate(chains.start_log_partition, log_weights, log_weights, steps)


def population_annealing(
    chains: AnnealedChains, resolution: float, sweeps: int, islands: int, random: np.random.Generator
) -> Annealed:
    """Carry chains from beta = 0 to 1, resampled within islands that never meet, and estimate ln Z_1.

    At the end all chains of an island have the weight of the island, whose share is that of its own estimate of Z_1.

    Args:
        sweeps: number of sweeps in a step.
        islands: number of groups of equally many chains, neighbours in their order.
    """

    def multiplied(log_weights: PerChain, last: bool) -> PerChain:
        own = log_weights.reshape(islands, -1)
        squares = np.exp(logsumexp(2 * own, axis=1) - 2 * logsumexp(own, axis=1))
        if not last and (1 / squares).min() >= EVEN * own.shape[1]:
            return log_weights
        count = own.shape[1]
        chosen = [k * count + resample(logs, count, random) for k, logs in enumerate(own)]
        chains.keep(np.concatenate(chosen))
        return np.repeat(logsumexp(own, axis=1) - np.log(count), count)

    log_weights, steps = annealed_weights(chains, resolution, sweeps, multiplied)
    return annealed_estimate(
        chains.start_log_partition, log_weights, log_weights[:: len(log_weights) // islands], steps
    )


def annealed_weights(
    chains: AnnealedChains, resolution: float, sweeps: int, control: Callable[[PerChain, bool], PerChain]
) -> tuple[PerChain, int]:
    """Carry chains from beta = 0 to 1, and return their log weights and the number of steps.

    Args:
        control: maps log weights, and True at the last step, to those after the chains have been resampled.
    """
    beta = 0.0
    steps = 0
    log_weights = np.zeros(len(chains.spins))
    while beta < 1:
        ahead = min(1.0, beta + resolution / max(float(chains.slopes(beta).std()), TINY))
        log_weights = control(log_weights + chains.log_ratios(beta, ahead), ahead == 1)
        for _ in range(sweeps):
            chains.move(ahead)
        beta, steps = ahead, steps + 1
    return log_weights, steps


def annealed_estimate(
    start: float, log_weights: PerChain, independent: Float[np.ndarray, " independent"], steps: int
) -> Annealed:
    """Return ln Z_1 from ln Z_0 and the weights of chains, the scatter being that of independent weights."""
    weights = np.exp(independent - independent.max())
    size = float(weights.sum() ** 2 / np.square(weights).sum())
    return Annealed(start + log_mean(independent), jackknife_error(weights), size, steps, log_weights)


def log_mean(logs: Float[np.ndarray, " values"]) -> float:
    """Return ln <exp(w)>.

    >>> round(log_mean(np.log([1.0, 3.0])), 3)
    0.693
    """
    return float(logsumexp(logs) - np.log(len(logs)))


def jackknife_error(weights: Float[np.ndarray, " values"]) -> float:
    """Return the standard error of the logarithm of a mean, from leaving out one value at a time."""
    count = len(weights)
    left = np.log(np.maximum(weights.sum() - weights, TINY) / (count - 1))
    return float(np.sqrt((count - 1) * left.var()))


def resample(log_weights: Float[np.ndarray, " values"], count: int, random: np.random.Generator) -> Rows:
    """Return ``count`` indices of chains, each as often as its weight says but for rounding (systematic resampling)."""
    shares = np.exp(log_weights - logsumexp(log_weights))
    places = (random.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(shares), places), len(shares) - 1)
