"""Diagnostics of Markov chains: autocorrelation time, effective size, split R-hat, agreement of opposite starts."""

from collections.abc import Mapping
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.arrays import Chains
from vae_mf.rng import generator
from vae_mf.statistics.row_order import RHAT_LIMIT, autocorrelation_time, split_rhat

OppositeChains = Float[np.ndarray, "opposite_starts draws"]
"""One scalar observable along each of the chains that were started the other way."""
AGREEMENT_LEVEL = 1e-3
"""Level, per temperature, at which chains started in opposite ways are said to disagree."""
PERMUTATIONS = 9999
NAMED_BASINS = 3


def effective_size(chains: Chains) -> float:
    """Return the number of independent draws that the chains are worth, (chains x draws) / 2 tau.

    >>> effective_size(np.ones((4, 10)))
    40.0
    """
    return chains.size / (2 * autocorrelation_time(chains))


class Report(NamedTuple):
    """Diagnostics of the chains at one temperature."""

    autocorrelation_time: float
    """In draws, of the slowest observable."""
    effective_size: float
    """Independent samples, of the slowest observable."""
    split_rhat: float
    """Of the worst observable."""
    agreement: float
    """p-value that random-started and pattern-started chains have the same averages; nan without enough of both."""
    ensemble: str
    """"equilibrium", or the ensemble of the start, see `start_ensemble`."""


def start_ensemble(start: str, basins: Int[np.ndarray, "chains draws"]) -> str:
    """Return the ensemble of chains that have not forgotten their start.

    "random_start", or for chains started on patterns "basin:" and the patterns mu near which they were found, counted
    from 1 and each with its mirror image; "basin:several" for more than three.

    >>> start_ensemble("pattern", np.array([[1, 1], [-2, -2]]))
    'basin:1,2'
    """
    if start == "random":
        return "random_start"
    visited = np.unique(np.abs(basins))
    return "basin:" + (",".join(map(str, visited)) if len(visited) <= NAMED_BASINS else "several")


def diagnose(
    observables: Mapping[str, Chains], opposite_starts: Mapping[str, OppositeChains] | None, otherwise: str, exact: bool
) -> Report:
    """Report on the chains of one temperature and say which ensemble they may be taken for.

    "equilibrium" is claimed for exact draws, or if every observable mixes (split R-hat < 1.1) and chains started the
    opposite way agree on all averages. Basin indicators are among the ``observables``, for patterns need not be equally
    populated; ``otherwise`` names the ensemble if it is not equilibrium (`start_ensemble`).
    """
    slowest = max(autocorrelation_time(chains) for chains in observables.values())
    worst = max(split_rhat(chains) for chains in observables.values())
    agreement = chain_agreement(observables, opposite_starts) if opposite_starts else float("nan")
    mixed = worst < RHAT_LIMIT and agreement > AGREEMENT_LEVEL
    size = next(iter(observables.values())).size / (2 * slowest)
    return Report(slowest, size, worst, agreement, "equilibrium" if exact or mixed else otherwise)


def chain_agreement(first: Mapping[str, Chains], second: Mapping[str, OppositeChains]) -> float:
    """Return the p-value that two sets of chains share the averages of all observables.

    Permutation test on the chains' own means, with the largest standardised difference over the observables: exact
    whatever the autocorrelation within a chain, for basins that few chains visit too, where a t-test is not. It is nan
    if there are too few chains for the p-value to reach the level.
    """
    count, others = (len(next(iter(chains.values()))) for chains in (first, second))
    if comb(count + others, others) * AGREEMENT_LEVEL < 1:
        return float("nan")
    means = np.stack([np.concatenate([first[name].mean(1), second[name].mean(1)]) for name in first], axis=1)
    means = means[:, np.ptp(means, axis=0) > 0]
    if means.shape[1] == 0:
        return 1.0
    scores = (means - means.mean(0)) / means.std(0)
    labels = np.tile(np.arange(count + others) >= count, (PERMUTATIONS + 1, 1)).astype(np.float64)
    labels[1:] = generator(0, "agreement").permuted(labels[1:], axis=1)
    differences = np.abs(labels @ scores).max(1)
    return float((differences >= differences[0] * (1 - 1e-9)).mean())


def basin_indicators(basins: Int[np.ndarray, "chains draws"], labels: Int[np.ndarray, " labels"]) -> dict[str, Chains]:
    """Return one 0/1 observable per basin label from the labels (chains, draws) of the nearest basin.

    >>> basin_indicators(np.array([[1, -1]]), np.array([-1]))["basin -1"].tolist()
    [[0.0, 1.0]]
    """
    return {f"basin {int(label):+d}": (basins == label).astype(np.float64) for label in labels}
