"""Couplings of two groups of rows compared: two conditions, two sessions, two populations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from vae_mf.arrays import Couplings
from vae_mf.checks import shown
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.intervals import (
    Estimates,
    Interval,
    Unshrunk,
    discoveries,
    normal_interval,
    p_values,
)
from vae_mf.inverse_ising.solvers.coupling_prior import shrunk

SMALLEST = 1e-15
"""Smallest p-value that is told from zero, for the tangent of the global test."""


@dataclass(frozen=True, eq=False)
class CouplingsChange:
    """Difference of the couplings of two groups, second less first, with its errors; beta is absorbed, as in J.

    >>> from vae_mf.inverse_ising import IndependentPair, compare_couplings
    >>> rows = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    >>> calm = IndependentPair().fit(rows, sample_weight=[50, 50, 50, 50])
    >>> change = compare_couplings(calm, IndependentPair().fit(rows, sample_weight=[80, 20, 20, 80]))
    >>> change.interval(0.95).low.round(2), bool(change.significant()[0, 1])
    (array([[0.  , 0.47],
           [0.47, 0.  ]]), True)
    """

    difference: Couplings
    """Posterior mean of J' - J, shape (N, N), symmetric with zero diagonal."""
    error: Couplings
    """Posterior width, infinite where a fit knows nothing of a pair and there is no prior of the differences."""
    unshrunk: Unshrunk
    """Difference and error of no prior at all, on which the tests rest."""
    names: np.ndarray
    """Names of the variables, or their numbers, shape (N,)."""

    def interval(self, level: float = 0.95) -> Interval:
        """Return the intervals that hold the differences with probability ``level``, as two arrays (N, N)."""
        return normal_interval(self.difference, self.error, level)

    def significant(self, false_discoveries: float = 0.05) -> Bool[np.ndarray, "sites sites"]:
        """Return True for couplings that changed, of which at most this share is expected to be false."""
        return discoveries(*self.unshrunk, false_discoveries)

    @property
    def p_value(self) -> float:
        """Chance, at most, of differences like these if no coupling has changed, whatever the fields did.

        The p-values p of the n pairs are combined into the Cauchy variable <tan(pi (1/2 - p))>, whose tail no
        correlation between pairs changes much (Liu and Xie 2020, equation 2).
        """
        angles = np.pi * (0.5 - np.clip(self._p_values(), SMALLEST, 1 - SMALLEST))
        return float(0.5 - np.arctan(np.tan(angles).mean()) / np.pi)

    def table(self, level: float = 0.95, false_discoveries: float = 0.05) -> dict[str, np.ndarray]:
        """Return the columns of a table of all pairs, the surest change first, as `pandas.DataFrame` takes them.

        Columns ``i`` and ``j``, ``difference``, ``error``, ``low`` and ``high`` of the interval, the two-sided
        ``p_value`` and ``changed``, True for what `significant` names.
        """
        upper = np.triu_indices(len(self.names), 1)
        low, high = self.interval(level)
        matrices = {"difference": self.difference, "error": self.error, "low": low, "high": high}
        columns = {"i": self.names[upper[0]], "j": self.names[upper[1]]}
        columns |= {name: values[upper] for name, values in matrices.items()}
        columns["p_value"] = self._p_values()
        columns["changed"] = self.significant(false_discoveries)[upper]
        order = np.argsort(columns["p_value"], kind="stable")
        return {name: values[order] for name, values in columns.items()}

    def _p_values(self) -> Estimates:
        upper = np.triu_indices(len(self.names), 1)
        return p_values(self.unshrunk.couplings[upper], self.unshrunk.errors[upper])


def compare_couplings(first: Any, second: Any, *, shrink: bool = False) -> CouplingsChange:
    """Return the posterior of the difference of couplings, second less first, of fits to two groups of rows.

    A prior shrinks the couplings of a small group more than those of a large one, though none has changed. It is taken
    out of both fits: the unshrunk x and x' have errors s and s', and x' - x has the error sqrt(s^2 + s'^2), as of
    independent groups.

    >>> from vae_mf.inverse_ising import IndependentPair
    >>> rows = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    >>> calm = IndependentPair().fit(rows, sample_weight=[50, 50, 50, 50])
    >>> change = compare_couplings(calm, IndependentPair().fit(rows, sample_weight=[80, 20, 20, 80]))
    >>> change.table()["difference"].round(3), change.table()["changed"]
    (array([0.693]), array([ True]))

    Args:
        first, second: two fitted estimators of couplings from configurations, with standard errors, of the same N
            variables in the same order.
        shrink: True for a normal prior of the differences, of one width or of two where few couplings changed, which
            all pairs make likely: smaller errors where most couplings stay as they are.

    Raises:
        ValueError: if a fit is none of couplings from rows, or has no errors, or the variables differ.
    """
    for name, fit in (("first", first), ("second", second)):
        if not isinstance(fit, InverseIsing):
            raise ValueError(f"{name}: expected a fit of couplings from rows of spins, got {shown(fit)}")
    names = _common_names(first, second)
    before = first.without_prior()
    after = second.without_prior()
    raw = Unshrunk(after.couplings - before.couplings, np.hypot(after.errors, before.errors))
    if not shrink:
        return CouplingsChange(*raw, raw, names)
    upper = np.triu_indices(len(names), 1)
    difference, error = np.zeros((2, len(names), len(names)))
    difference[upper], error[upper] = shrunk(raw.couplings[upper], raw.errors[upper] ** 2)
    return CouplingsChange(difference + difference.T, error + error.T, raw, names)


def _common_names(first: InverseIsing, second: InverseIsing) -> np.ndarray:
    """Return the names of the variables of two fits, or their numbers where one of them has none."""
    sizes = [len(fit.without_prior().couplings) for fit in (first, second)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"second: expected a fit of the same {sizes[0]} variables as the first, got {sizes[1]}")
    if not all(hasattr(fit, "feature_names_in_") for fit in (first, second)):
        return np.arange(sizes[0])
    one, other = first.feature_names_in_, second.feature_names_in_
    for here, there in zip(one, other, strict=True):
        if here != there:
            raise ValueError(f"second: expected the variables of the first in their order, got {there!r} for {here!r}")
    return one
