"""Couplings of three spins, by maximum pseudo-likelihood."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import comb
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import plain_array, require_non_negative
from vae_mf.inverse_ising.base import (
    Estimate,
    checked_spins,
    refuse_constant_spins,
    store_estimate,
    warn_no_gain,
    weighted_rows,
)
from vae_mf.inverse_ising.energies import exponents, float_blocks
from vae_mf.inverse_ising.independent_spins import gains_beyond_chance, independent_fields, log_independent
from vae_mf.inverse_ising.intervals import (
    Interval,
    KnowsIntervals,
    discoveries,
    normal_interval,
    p_values,
    stepped_up,
    without_prior,
)
from vae_mf.inverse_ising.solvers.coupling_prior import strengths_of_kinds
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import LOGISTIC, ROWS
from vae_mf.inverse_ising.solvers.penalised import minimise_ridge, warn_copies
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.inverse_ising.solvers.triplet_regression import (
    Posterior,
    TripletGraph,
    TripletModel,
    TripletRegression,
    Triplets,
)
from vae_mf.inverse_ising.sparse_input import TakesSparse
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins

MOST_PRECISION = 100.0
"""Largest precision of the prior of K, per row."""
MOST_SITES = 60
"""Largest number of spins: 34,220 triplets, and regressions of 1,771 parameters."""


@dataclass(eq=False, repr=False)
class TripletPseudoLikelihood(TakesSparse, KnowsIntervals, DensityMixin, BaseEstimator):
    """Fit p(s) proportional to exp(sum_i h_i s_i + sum_{i<j} J_ij s_i s_j + sum_{i<j<k} K_ijk s_i s_j s_k).

    All regressions are fitted jointly, sum_i <ln p(s_i | all others)> less the logarithms of Gaussian priors of the
    couplings between two spins while all others are at their means, and of the K_ijk. The prior of K has the width
    that all triplets make likely or, where a few are clearly larger, one width for these and one for the rest: of
    34,000 triplets those that are nothing vanish, and the others keep their size. Errors are posterior widths, of
    normal laws around the maximum; time O(M N^5) and memory O(N^4) for all triplets.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> fit = TripletPseudoLikelihood(l2=0.0, l2_triplets=0.0)
    >>> fit.fit(spins, sample_weight=100 * np.exp(0.3 * spins.prod(axis=1))).triplet_couplings_.round(6)
    array([0.3])

    Args:
        triplets: "all", or the triplets of spins whose K may differ from zero, shape (T, 3).
        l2: precision of the prior of couplings of two spins, or "auto" as for `PseudoLikelihood` without triplets.
        l2_triplets: precision of the prior of K, or "auto" for what the data make most likely.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
        max_iter: largest number of iterations.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.

    Attributes:
        couplings_, fields_: J, shape (N, N), and h, shape (N,), with errors couplings_error_ and fields_error_.
        triplets_: i < j < k of every triplet, shape (T, 3).
        triplet_couplings_, triplet_couplings_error_: K, shape (T,), and its standard error; beta is absorbed.
        unshrunk_triplets_: K and its error without the prior, on which `significant_triplets` rests.
        l2_triplets_: precision of the prior of every K, shape (T,).
        n_iter_, converged_, n_features_in_: as for `PseudoLikelihood`; not converged, either, where the model seems to
            predict new rows worse than independent spins do.
    """

    triplets: Any = "all"
    l2: Any = "auto"
    l2_triplets: Any = "auto"
    tolerance: Any = 1e-6
    max_iter: Any = 500
    encoding: Any = "spin"

    def fit(self, spins: Any, y: Any = None, sample_weight: Any = None) -> "TripletPseudoLikelihood":
        """Infer fields and couplings of two and of three spins from configurations, shape (M, N).

        Raises:
            ValueError: if values or options are wrong, a spin is constant, there are more than 60 spins, or some were
                never seen in one of their states and the couplings have no penalty.
        """
        rows = validate_data(self, plain_array(spins), dtype="numeric", ensure_min_samples=2, ensure_min_features=3)
        rows, weights = weighted_rows(checked_spins(rows, self.encoding), sample_weight)
        refuse_constant_spins(rows)
        sites = rows.shape[1]
        if sites > MOST_SITES:
            raise ValueError(
                f"spins: expected at most {MOST_SITES} for couplings of three, got {sites} with {comb(sites, 3):.0f} "
                "triplets; choose some of the spins"
            )
        data = distinct_spins(rows, weights)
        stopping = Stopping.checked(self.tolerance, self.max_iter)
        pairwise = SymmetricRegression(data, LOGISTIC)
        warn_copies(pairwise.local.second_moments[:-1, :-1])
        triplets = checked_triplets(self.triplets, sites)
        refuse_unmet(data, triplets, self.l2, self.l2_triplets)
        first = minimise_ridge(pairwise, self.l2, data.samples, pairwise.start(), stopping)
        self.triplets_ = triplets
        problem = TripletRegression(data, TripletGraph(self.triplets_, sites), pairwise.ridge)
        couplings, fields = pairwise.model(first.points)
        start = problem.points(TripletModel(couplings, fields, np.zeros(len(self.triplets_))))
        best, doubts = self._minimum(problem, start, stopping)
        best = best._replace(n_iter=first.n_iter + best.n_iter)
        return self._store(problem, best, doubts, pairwise.ridge * data.samples)

    def _minimum(
        self, problem: TripletRegression, start: np.ndarray, stopping: Stopping
    ) -> tuple[Minimum, float | np.ndarray]:
        """Return the minimum under the prior given or learnt, and the doubts of the kinds of triplets."""
        problem.bend(problem.curvatures(start))
        if self.l2_triplets != "auto":
            problem.penalise(require_non_negative("l2_triplets", self.l2_triplets))
            return minimise(problem, start, stopping), 0.0
        # A prior as wide as the noise of M independent rows: what it takes away is put back before widths are learnt.
        problem.penalise(problem.data.samples)
        rough = minimise(problem, start, stopping)
        widths = problem.posterior(rough.points).values
        seen = without_prior(problem.model(rough.points).values, np.sqrt(widths), problem.strengths)
        kinds = strengths_of_kinds(seen.couplings, seen.errors**2)
        problem.penalise(np.clip(kinds.strengths, 1.0, MOST_PRECISION * problem.data.samples))
        problem.bend(problem.curvatures(rough.points))
        best = minimise(problem, rough.points, stopping)
        return best._replace(n_iter=rough.n_iter + best.n_iter), kinds.doubts

    def _store(
        self, problem: TripletRegression, best: Minimum, doubts: Any, pair_strengths: Couplings
    ) -> "TripletPseudoLikelihood":
        model = problem.model(best.points)
        widths = problem.posterior(best.points)
        self.triplet_couplings_ = model.values
        self.triplet_couplings_error_ = np.sqrt(widths.values + doubts * model.values**2)
        self.l2_triplets_ = problem.strengths
        self.unshrunk_triplets_ = without_prior(model.values, np.sqrt(widths.values), problem.strengths)
        errors = np.sqrt(widths.couplings), np.sqrt(widths.fields)
        store_estimate(self, Estimate(model.couplings, model.fields, best.n_iter, best.converged, *errors))
        if self.converged_ and not self._gains(problem.data, widths, pair_strengths):
            self.converged_ = False
            warn_no_gain(self, "spins")
        return self

    def _gains(self, data: DistinctSpins, widths: Posterior, pair_strengths: Couplings) -> bool:
        """Return False if the model seems to predict new rows worse than independent spins do.

        As for `beats_independent_spins`; a triplet stands in three regressions.
        """
        sites = len(self.fields_)
        pairs = np.triu(1 - pair_strengths * widths.couplings, 1).clip(0, 1).sum()
        triplets = (1 - self.l2_triplets_ * widths.values).clip(0, 1).sum()
        share = float(2 * pairs + 3 * triplets) / sites / data.samples
        alone = log_independent(data.spins, independent_fields(data.spins, data.weights))
        gains = self._log_pseudo_likelihood(data.spins) - alone
        return gains_beyond_chance(gains, data.shares, data.samples, sites, share)

    def significant_couplings(self, false_discoveries: float = 0.05) -> Bool[np.ndarray, "sites sites"]:
        """Return True for couplings that differ from zero, of which at most this share is expected to be false."""
        return discoveries(self.couplings_, self._couplings_error(), false_discoveries)

    def triplets_interval(self, level: float = 0.95) -> Interval:
        """Return the intervals that hold the K of every triplet with probability ``level``, as two arrays (T,)."""
        check_is_fitted(self)
        return normal_interval(self.triplet_couplings_, self.triplet_couplings_error_, level)

    def significant_triplets(self, false_discoveries: float = 0.05) -> Bool[np.ndarray, " triplets"]:
        """Return True for triplets whose K differs from zero, of which at most this share is expected to be false."""
        check_is_fitted(self)
        return stepped_up(p_values(*self.unshrunk_triplets_), false_discoveries)

    def energy(self, spins: Any) -> Float[np.ndarray, " samples"]:
        """Return minus the exponent of p(s) of each configuration, in units of k_B T."""
        rows = self._rows(spins)
        graph = TripletGraph(self.triplets_, rows.shape[1])
        table = graph.spread(self.triplet_couplings_ / 3)
        parts = [((graph.products(x) @ table) * x).sum(axis=1) for x in float_blocks(rows, rows=ROWS)]
        return -exponents(rows, self.couplings_, self.fields_) - np.concatenate(parts)

    def score(self, spins: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log pseudo-likelihood, <sum_i ln p(s_i | all other spins)>, in nats per configuration."""
        rows, weights = weighted_rows(self._rows(spins), sample_weight)
        return float(np.average(self._log_pseudo_likelihood(rows), weights=weights))

    def _log_pseudo_likelihood(self, rows: Spins) -> Float[np.ndarray, " samples"]:
        """Return the log pseudo-likelihood of every configuration."""
        graph = TripletGraph(self.triplets_, rows.shape[1])
        table = graph.spread(self.triplet_couplings_)
        blocks = float_blocks(rows, rows=ROWS)
        local = [x * (x @ self.couplings_ + graph.products(x) @ table + self.fields_) for x in blocks]
        return -np.logaddexp(0.0, -2 * np.concatenate(local)).sum(axis=1)

    def _rows(self, spins: Any) -> Spins:
        check_is_fitted(self)
        return checked_spins(validate_data(self, plain_array(spins), dtype="numeric", reset=False), self.encoding)


def refuse_unmet(data: DistinctSpins, triplets: Triplets, l2: Any, l2_triplets: Any) -> None:
    """Raise ValueError where sets of spins miss one of their states, and their coupling no penalty that bounds it."""
    pairs = np.array(list(combinations(range(data.spins.shape[1]), 2)))
    for name, strength, sets in (("l2", l2, pairs), ("l2_triplets", l2_triplets, triplets)):
        if strength == 0:
            places = 2 ** np.arange(sets.shape[1])
            missing = [
                each.tolist() for each in sets if len(np.unique((data.spins[:, each] > 0) @ places)) < 2 ** len(each)
            ]
            if missing:
                raise ValueError(
                    f"{name}: expected a number > 0, for spins {missing[:3]}{' and more' if len(missing) > 3 else ''} "
                    "were never seen in one of their states, and their coupling has no finite estimate; got 0"
                )


def checked_triplets(value: Any, sites: int) -> Triplets:
    """Return triplets i < j < k in order, all of them for "all".

    >>> checked_triplets([[2, 0, 1]], 4)
    array([[0, 1, 2]])

    Raises:
        ValueError: unless they are three different numbers of spins each, none given twice.
    """
    if isinstance(value, str) and value == "all":
        return np.array(list(combinations(range(sites), 3)))
    given = np.asarray(value)
    if given.ndim != 2 or given.shape[1] != 3 or len(given) == 0 or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f'triplets: expected "all" or an integer array of shape (T, 3), got {value!r}')
    if given.min() < 0 or given.max() >= sites:
        raise ValueError(f"triplets: expected spins from 0 to {sites - 1}, got {given.min()} to {given.max()}")
    chosen = np.sort(given, axis=1)
    if (np.diff(chosen, axis=1) == 0).any() or len(np.unique(chosen, axis=0)) < len(chosen):
        raise ValueError("triplets: expected three different spins in each and none twice, got some that repeat")
    return chosen
