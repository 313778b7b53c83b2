"""Intervals of couplings, and couplings that are not zero at a given rate of false discoveries."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from scipy.stats import norm

from vae_mf.arrays import Couplings
from vae_mf.checks import require_fraction


class Interval(NamedTuple):
    """Ends of an interval of every coupling."""

    low: Couplings
    high: Couplings


def normal_interval(couplings: Couplings, errors: Couplings, level: Any) -> Interval:
    """Return the intervals that hold a normal value of the given means and errors with probability ``level``.

    >>> ends = normal_interval(np.full((1, 1), 0.5), np.full((1, 1), 0.1), 0.95)
    >>> [round(float(end[0, 0]), 3) for end in ends]
    [0.304, 0.696]
    """
    reach = norm.isf((1 - require_fraction("level", level)) / 2) * errors
    return Interval(couplings - reach, couplings + reach)


def discoveries(couplings: Couplings, errors: Couplings, rate: Any) -> Bool[np.ndarray, "sites sites"]:
    """Return True for couplings that are not zero, of which a share ``rate`` at most is expected to be false.

    Of the m two-sided p-values of |J_ij| / error_ij, the k smallest are kept with the largest k for which the k-th is
    at most k rate / m (Benjamini and Hochberg 1995). A prior shrinks J_ij more than its error, which only adds caution.

    >>> discoveries(np.array([[0.0, 0.5], [0.5, 0.0]]), np.array([[0.0, 0.1], [0.1, 0.0]]), 0.05)
    array([[False,  True],
           [ True, False]])
    """
    upper = np.triu_indices(len(couplings), 1)
    found, spread = couplings[upper], errors[upper]
    # A coupling whose error is zero is known: to be zero, or not.
    ratios = np.abs(found) / np.where(spread > 0, spread, np.where(found == 0, 1.0, np.finfo(float).tiny))
    chances = 2 * norm.sf(ratios)
    ranked = np.sort(chances)
    passed = np.flatnonzero(ranked <= np.arange(1, len(ranked) + 1) * require_fraction("rate", rate) / len(ranked))
    kept = np.zeros(couplings.shape, dtype=bool)
    kept[upper] = chances <= (ranked[passed[-1]] if len(passed) else -1.0)
    return kept | kept.T
