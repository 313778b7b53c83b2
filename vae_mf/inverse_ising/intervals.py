"""Intervals of couplings, and couplings that are not zero at a given rate of false discoveries."""

from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from vae_mf.arrays import Couplings
from vae_mf.checks import require_fraction

Estimates = Float[np.ndarray, " estimates"]
Values = Float[np.ndarray, "..."]
"""Couplings of all pairs (N, N), or those of some sets of spins."""


class Interval(NamedTuple):
    """Ends of an interval of every coupling."""

    low: Values
    high: Values


class Unshrunk(NamedTuple):
    """Couplings and standard errors as the data have them, every prior taken out."""

    couplings: Values
    errors: Values


class KnowsIntervals:
    """Base of estimators that may have standard errors of their couplings, ``couplings_error_``."""

    couplings_: Values
    couplings_error_: Values
    _without_errors: ClassVar[str] = "take another estimator"
    """Advice where there are no errors."""

    def couplings_interval(self, level: float = 0.95) -> Interval:
        """Return the intervals that hold the couplings with probability ``level``, as two arrays of their shape."""
        return normal_interval(self.couplings_, self._couplings_error(), level)

    def _couplings_error(self) -> Values:
        check_is_fitted(self)
        if not hasattr(self, "couplings_error_"):
            advice = "fit with standard_errors=True" if hasattr(self, "standard_errors") else self._without_errors
            raise ValueError(f"{type(self).__name__}: expected standard errors of the couplings, got none; {advice}")
        return self.couplings_error_


def without_prior(couplings: Values, errors: Values, precisions: Values | float) -> Unshrunk:
    """Return x and s of the normal likelihood that a normal prior of mean 0 turned into a posterior, pair by pair.

    With J, v and lambda the posterior's mean and variance and the prior's precision, x = J / g and s^2 = v / g,
    g = 1 - lambda v being the share of a coupling that is not lost to the prior. In a posterior of many couplings a
    pair also takes up shares of the others, whose variance under the prior s^2 contains. A coupling whose error is
    infinite stays as it is.

    >>> [round(float(ends[0, 0]), 3) for ends in without_prior(np.full((1, 1), 0.5), np.full((1, 1), 0.5), 2.0)]
    [1.0, 0.707]
    """
    known = np.where(np.isfinite(errors), errors, 0.0)
    gains = np.maximum(1 - precisions * known**2, 1e-9)
    return Unshrunk(couplings / gains, errors / np.sqrt(gains))


def normal_interval(couplings: Values, errors: Values, level: Any) -> Interval:
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
    kept = np.zeros(couplings.shape, dtype=bool)
    kept[upper] = stepped_up(p_values(couplings[upper], errors[upper]), rate)
    return kept | kept.T


def p_values(estimates: Estimates, errors: Estimates) -> Estimates:
    """Return the chances of estimates as far from zero, or farther, of normal values of mean zero.

    >>> p_values(np.array([1.96, 0.0]), np.array([1.0, 1.0])).round(3)
    array([0.05, 1.  ])
    """
    # An estimate whose error is zero is known: to be zero, or not.
    ratios = np.abs(estimates) / np.where(errors > 0, errors, np.where(estimates == 0, 1.0, np.finfo(float).tiny))
    return 2 * norm.sf(ratios)


def stepped_up(chances: Estimates, rate: Any) -> Bool[np.ndarray, " estimates"]:
    """Return True for the p-values that Benjamini and Hochberg's rule keeps at a rate of false discoveries.

    >>> stepped_up(np.array([0.04, 0.5, 0.03]), 0.06)
    array([ True, False,  True])
    """
    ranked = np.sort(chances)
    passed = np.flatnonzero(ranked <= np.arange(1, len(ranked) + 1) * require_fraction("rate", rate) / len(ranked))
    return chances <= (ranked[passed[-1]] if len(passed) else -1.0)
