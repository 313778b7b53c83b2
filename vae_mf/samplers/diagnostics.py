"""Is it equilibrium, and how many independent samples is it worth? Autocorrelation, effective size, split R-hat, agreement."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import ttest_ind

from vae_mf.arrays import Chains

WINDOW = 6.0
RHAT_LIMIT = 1.1
AGREEMENT_LEVEL = 1e-3
"""Level, per temperature, at which chains started in opposite ways are said to disagree."""


def autocorrelation_time(chains: Chains) -> float:
    """Return the integrated autocorrelation time tau = 1/2 + sum_t rho(t), in draws; 1/2 for independent draws.

    The sum stops at the first t >= 6 tau (Sokal's window). Chains are centred on their common mean, so chains that sit
    in different valleys show as a long time. A constant observable counts as independent.
    """
    length = chains.shape[1]
    centred = chains - chains.mean()
    if not centred.any():
        return 0.5
    spectrum = np.fft.rfft(centred, 2 ** (2 * length - 1).bit_length(), axis=1)
    covariance = np.fft.irfft((np.abs(spectrum) ** 2).mean(0))[:length] / np.arange(length, 0, -1)
    times = 0.5 + np.concatenate([[0.0], np.cumsum(covariance[1:] / covariance[0])])
    inside = np.arange(length) < WINDOW * times
    return max(0.5, float(times[-1] if inside.all() else times[np.argmin(inside)]))


def effective_size(chains: Chains) -> float:
    """Return the number of independent draws that the chains are worth, (chains x draws) / 2 tau."""
    return chains.size / (2 * autocorrelation_time(chains))


def split_rhat(chains: Chains) -> float:
    """Return the split potential scale reduction factor (Gelman et al., Bayesian Data Analysis, section 11.4).

    Each chain is cut in two; 1 means that the spread between chains is that within them. Needs four draws per chain, and
    is nan for fewer or for a single half-chain; 1 for a constant observable, infinite for chains frozen apart.
    """
    half = chains.shape[1] // 2
    if half < 2:
        return float("nan")
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    within = halves.var(axis=1, ddof=1).mean()
    between = half * halves.mean(axis=1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else float("inf")
    return float(np.sqrt((half - 1) / half + between / (half * within)))


class Report(NamedTuple):
    """Diagnostics of the chains at one temperature."""

    autocorrelation_time: float
    """In draws, of the slowest observable."""
    effective_size: float
    """Independent samples, of the slowest observable."""
    split_rhat: float
    """Of the worst observable."""
    agreement: float
    """Adjusted p-value that random-started and pattern-started chains have the same averages; nan without the latter."""
    ensemble: str
    """"equilibrium", "basin" or "random_start"."""


def diagnose(
    observables: Mapping[str, Chains],
    witnesses: Mapping[str, Chains] | None,
    start: str,
    exact: bool,
) -> Report:
    """Report on the chains of one temperature and say which ensemble they may be taken for.

    "equilibrium" is claimed for exact draws, or if every observable mixes (split R-hat < 1.1) and chains started the
    opposite way (the witnesses) agree on all averages; otherwise the chains are "basin" (started on patterns) or
    "random_start".

    Args:
        observables: each (chains, draws); include basin indicators, for patterns need not be equally populated.
        witnesses: the same observables of chains started the other way, or None.
        start: "random" or "pattern".
        exact: whether draws are independent by construction.
    """
    slowest = max(autocorrelation_time(chains) for chains in observables.values())
    worst = max(split_rhat(chains) for chains in observables.values())
    agreement = chain_agreement(observables, witnesses) if witnesses else float("nan")
    mixed = worst < RHAT_LIMIT and agreement > AGREEMENT_LEVEL
    fallback = "basin" if start == "pattern" else "random_start"
    size = next(iter(observables.values())).size / (2 * slowest)
    return Report(slowest, size, worst, agreement, "equilibrium" if exact or mixed else fallback)


def chain_agreement(first: Mapping[str, Chains], second: Mapping[str, Chains]) -> float:
    """Return the smallest Bonferroni-adjusted p-value that two sets of chains share their averages.

    Welch's t-test on the chains' own means, which are independent whatever the autocorrelation within a chain.
    """
    p_values = [_same_mean(first[name].mean(1), second[name].mean(1)) for name in first]
    return min(1.0, min(p_values) * len(p_values))


def _same_mean(first: Float[np.ndarray, " chains"], second: Float[np.ndarray, " others"]) -> float:
    if first.std() == 0 and second.std() == 0:
        return float(first[0] == second[0])
    return float(ttest_ind(first, second, equal_var=False).pvalue)


def basin_indicators(basins: np.ndarray, labels: Iterable[int]) -> dict[str, Chains]:
    """Return one 0/1 observable per basin label from the labels (chains, draws) of the nearest basin."""
    return {f"basin {int(label):+d}": (basins == label).astype(np.float64) for label in labels}
