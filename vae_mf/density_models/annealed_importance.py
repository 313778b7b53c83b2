"""Annealed importance sampling: ln Z of an unnormalised model, with an error, and samples of it (Neal 2001)."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from vae_mf.arrays import Rows, Spins

PerChain = Float[np.ndarray, " chains"]
TINY = 1e-12


@runtime_checkable
class AnnealedChains(Protocol):
    """Markov chains on their way from a model that is known, f_0(s) / Z_0, to one that is not, f_1(s) / Z_1.

    They start on independent draws of the first, for sparse rows the model of independent variables: from uniform
    rows, half of all variables +1, the way would be many times longer.
    """

    spins: Spins
    """Current configurations, shape (chains, N)."""
    start_log_partition: float
    """ln Z_0."""

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
    """Standard error of ln Z_1, from the scatter of the chains' weights (jackknife)."""
    effective_size: float
    """Number of independent draws that are worth as much as the weighted chains."""
    steps: int
    log_weights: PerChain
    """Weights with which the chains are draws from the last model."""


def annealed_importance(chains: AnnealedChains, resolution: float) -> Annealed:
    """Carry chains from beta = 0 to 1 and estimate ln Z_1 = ln Z_0 + ln <exp(w)>.

    w = sum_t ln f_{t+1}(s_t) - ln f_t(s_t). The steps are of equal statistical length: each changes ln f_beta by
    ``resolution`` (standard deviation over the chains, in nats), so that they are small where the model changes fast.
    """
    beta = 0.0
    steps = 0
    log_weights = np.zeros(len(chains.spins))
    while beta < 1:
        ahead = min(1.0, beta + resolution / max(float(chains.slopes(beta).std()), TINY))
        log_weights += chains.log_ratios(beta, ahead)
        chains.move(ahead)
        beta, steps = ahead, steps + 1
    mean = log_mean(log_weights)
    weights = np.exp(log_weights - log_weights.max())
    size = float(weights.sum() ** 2 / np.square(weights).sum())
    return Annealed(chains.start_log_partition + mean, jackknife_error(weights), size, steps, log_weights)


def log_mean(logs: PerChain) -> float:
    """Return ln <exp(w)>.

    >>> round(log_mean(np.log([1.0, 3.0])), 3)
    0.693
    """
    return float(logsumexp(logs) - np.log(len(logs)))


def jackknife_error(weights: PerChain) -> float:
    """Return the standard error of the logarithm of a mean, from leaving out one value at a time."""
    count = len(weights)
    left = np.log(np.maximum(weights.sum() - weights, TINY) / (count - 1))
    return float(np.sqrt((count - 1) * left.var()))


def resample(log_weights: PerChain, count: int, random: np.random.Generator) -> Rows:
    """Return ``count`` indices of chains, each as often as its weight says but for rounding (systematic resampling)."""
    shares = np.exp(log_weights - logsumexp(log_weights))
    places = (random.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(shares), places), len(shares) - 1)
