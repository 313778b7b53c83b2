"""Contract of an estimator of Potts models: rows of N sites, each in one of q states.

A concrete estimator answers ``_estimate(data) -> PottsEstimate``; validation, attributes, scores and samples are here.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from vae_mf.checks import plain_array, require_integer, require_memory, require_non_negative
from vae_mf.inverse_ising.base import (
    new_generator,
    refuse_words,
    warn_convergence,
    warn_no_gain,
    weighted_rows,
)
from vae_mf.inverse_ising.intervals import KnowsIntervals
from vae_mf.inverse_ising.potts.chains import PottsChains, log_partition
from vae_mf.inverse_ising.potts.contacts import contact_scores
from vae_mf.inverse_ising.potts.independent_sites import beats_independent_sites
from vae_mf.inverse_ising.potts.model import (
    PottsParameters,
    exponents,
    log_pseudo_likelihood,
    over_columns,
    over_sites,
)
from vae_mf.inverse_ising.potts.predictive_check import PottsPredictiveCheck, predictive_check
from vae_mf.inverse_ising.potts.rows import PottsRows, States, checked_states, picked, potts_rows, unseen_pairs
from vae_mf.inverse_ising.potts.standard_errors import PottsErrors
from vae_mf.inverse_ising.solvers.log_partition import KnowsLogPartition, LogPartition
from vae_mf.inverse_ising.sparse_input import TakesSparse

CHAINS = 512
MATRICES = 24
"""Number of matrices of N (q - 1) squared entries that a fit holds, half of them pairs of the optimiser's memory."""


class PottsEstimate(NamedTuple):
    """Model in zero-sum gauge, and how it was found."""

    model: PottsParameters
    l2: Float[np.ndarray, "sites sites"]
    n_iter: int
    converged: bool
    errors: PottsErrors | None = None
    """Standard errors, where asked for."""


class PottsModel(TakesSparse, KnowsLogPartition, KnowsIntervals, DensityMixin, BaseEstimator):
    """Base of the estimators of p(x) proportional to exp(sum_{i<j} J_ij(x_i, x_j) + sum_i h_i(x_i)).

    >>> from vae_mf.inverse_ising import PottsPseudoLikelihood
    >>> fit = PottsPseudoLikelihood().fit([[0, 1], [0, 1], [1, 2], [1, 2], [2, 0], [2, 0]] * 20)
    >>> fit.couplings_.shape, fit.fields_.shape, fit.energy([[0, 1], [0, 0]]).round(1)
    ((2, 2, 3, 3), (2, 3), array([-4.,  2.]))

    Args:
        states: number q of states of a site, coded 0 ... q - 1; None for the largest one seen and one.
        l2: weight of the squared couplings, a prior exp(-l2 / 2 sum_{i<j} <J_ij(a, b)^2>) with the mean over the q^2
            pairs of states, which for two states is that of an Ising coupling; or "auto".
        fields_l2: weight of the mean squared fields likewise, which keeps states that were never seen possible.
        standard_errors: True to compute ``couplings_error_`` and ``fields_error_``: the width of the posterior under
            the prior, taken as given; without one the larger of the scatter of repeated fits and of what the
            curvature allows, infinite where states of two sites never came together. For tens of sites and states:
            memory O(N^2 q^4), or O(N^4 q^4) without a prior and for the likelihood.

    Attributes:
        couplings_: J, shape (N, N, q, q), J_ij(a, b) = J_ji(b, a), in zero-sum gauge. Of two states it is that of
            spins: J_ij(1, 1) is the Ising coupling.
        fields_: h, shape (N, q), in zero-sum gauge.
        couplings_error_, fields_error_: standard errors of J and h, of their shapes.
        contact_scores_: strength of every pair, shape (N, N), see `contact_scores`.
        l2_: weights of the squared couplings that were used, shape (N, N).
        states_: q.
        n_iter_: number of iterations.
        converged_: True if the estimator reached its tolerance and seems to predict new rows better than independent
            sites (`beats_independent_sites`); a `ConvergenceWarning` is issued otherwise.
        log_partition_, log_partition_error_: ln Z and its standard error, in nats; a sum for q^N <= 2^20.
        n_features_in_: N.
    """

    states: Any
    l2: Any
    fields_l2: Any
    standard_errors: Any

    def fit(self, rows: Any, y: Any = None, sample_weight: Any = None) -> "PottsModel":
        """Infer couplings and fields.

        Args:
            rows: states, shape (M, N), integers 0 ... q - 1.
            sample_weight: shape (M,), how often each row counts, as from `identity_weights`.

        Raises:
            ValueError: if the values, shapes or options are wrong, a state was never seen at some site and
                ``fields_l2`` is 0, or the machine has not the memory.
        """
        values = validated_states(self, rows, ensure_min_samples=2, ensure_min_features=2)
        checked, weights = weighted_rows(checked_states(values, self.states), sample_weight)
        states = max(2, int(checked.max()) + 1) if self.states is None else require_integer("states", self.states)
        sites = checked.shape[1]
        cheaper = ", or fit with standard_errors=False" if self.standard_errors else ""
        advice = f"leave out sites, or lump rare states{cheaper}"
        require_memory(f"{sites} sites of {states} states", self._required_bytes(sites, states), advice)
        data = potts_rows(checked, weights, states)
        if require_non_negative("fields_l2", self.fields_l2) == 0:
            refuse_unseen(data)
        self.states_ = states
        self.__dict__.pop("_log_partition", None)
        bounded = bool(self.l2 != 0) or not warn_unseen_pairs(data)
        estimate = self._estimate(data)
        self.couplings_, self.fields_ = over_sites(estimate.model, states)
        self.l2_, self.n_iter_ = estimate.l2, estimate.n_iter
        self._store_errors(estimate.errors, data, bounded)
        self.converged_ = estimate.converged and bounded
        if not estimate.converged:
            warn_convergence(f"{type(self).__name__} has not converged after {self.n_iter_} iterations.")
        if self.converged_ and not beats_independent_sites(estimate.model, self.l2_, data):
            self.converged_ = False
            warn_no_gain(self, "sites")
        return self

    def _estimate(self, data: PottsRows) -> PottsEstimate:
        """Return the estimate from distinct rows."""
        raise NotImplementedError

    def _required_bytes(self, sites: int, states: int) -> int:
        """Return about the number of bytes that a fit takes beyond the rows."""
        return required_bytes(sites, states)

    def _store_errors(self, errors: PottsErrors | None, data: PottsRows, bounded: bool) -> None:
        """Set the standard errors, or take those of an earlier fit away."""
        for name in ("couplings_error_", "fields_error_"):
            self.__dict__.pop(name, None)
        if errors is None:
            return
        if not bounded:
            first, _, second, _ = unseen_pairs(data).T
            errors = errors.unknown(first, second)
        self.couplings_error_, self.fields_error_ = errors

    @property
    def contact_scores_(self) -> Float[np.ndarray, "sites sites"]:
        """Strength of the coupling of every pair of sites."""
        check_is_fitted(self)
        return contact_scores(self.couplings_)

    def score(self, rows: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log pseudo-likelihood, <sum_i ln p(x_i | all other states)>, in nats per row."""
        checked, weights = weighted_rows(self._rows(rows), sample_weight)
        return float(np.average(log_pseudo_likelihood(checked, self._model, self.states_), weights=weights))

    def log_likelihood(self, rows: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of ln p(x), in nats per row; its error is that of ln Z."""
        checked, weights = weighted_rows(self._rows(rows), sample_weight)
        return float(np.average(-self.energy(checked), weights=weights)) - self.log_partition_

    def predictive_check(self, rows: Any, sample_weight: Any = None, random_state: Any = 0) -> PottsPredictiveCheck:
        """Return the differences between rows and the model's own in the frequencies of states and of their pairs.

        A model may predict each site from all others, as `score` shows, and yet have most of its weight in a phase that
        no row was in.
        """
        checked, weights = weighted_rows(self._rows(rows), sample_weight)
        return predictive_check(potts_rows(checked, weights, self.states_), self._model, new_generator(random_state))

    def energy(self, rows: Any) -> Float[np.ndarray, " rows"]:
        """Return E(x) = -sum_{i<j} J_ij(x_i, x_j) - sum_i h_i(x_i) of each row, in units of k_B T."""
        return -exponents(picked(self._rows(rows), self.states_), self._model)

    def sample(
        self, n_samples: int = 1, random_state: Any = None, burn_in: int = 500, thinning: int = 10
    ) -> np.ndarray:
        """Draw rows from the fitted model by Gibbs sampling, 512 chains at most from random starts.

        Args:
            burn_in: number of sweeps before the first draw.
            thinning: number of sweeps between successive draws of a chain.

        Returns:
            Array (n_samples, N), int8; consecutive rows come from different chains.
        """
        check_is_fitted(self)
        n_samples = require_integer("n_samples", n_samples)
        count = min(n_samples, CHAINS)
        sweeps = require_integer("burn_in", burn_in, minimum=0)
        chains = PottsChains.uniform(count, len(self.fields_), self.states_, new_generator(random_state))
        draws = []
        for _ in range(-(-n_samples // count)):
            chains.sweep(self._model, sweeps)
            draws.append(chains.rows)
            sweeps = require_integer("thinning", thinning)
        return np.concatenate(draws)[:n_samples]

    def _rows(self, rows: Any) -> States:
        """Return rows given to a fitted estimator as int8 states."""
        check_is_fitted(self)
        return checked_states(validated_states(self, rows, reset=False), self.states_)

    @property
    def _model(self) -> PottsParameters:
        return over_columns(self.couplings_, self.fields_)

    @cached_property
    def _log_partition(self) -> LogPartition:
        check_is_fitted(self)
        return log_partition(self._model, self.states_)


def validated_states(estimator: PottsModel, values: Any, **options: Any) -> np.ndarray:
    """Return what an estimator is given as an array of numbers without gaps.

    Args:
        options: further arguments of scikit-learn's `validate_data`.

    Raises:
        ValueError: if the shape is wrong, or there are words or missing entries.
    """
    advice = "code sequences by vae_mf.datasets.read_sequences, and categories by scikit-learn's OrdinalEncoder"
    refuse_words("rows", values, advice)
    rows = validate_data(estimator, plain_array(values), dtype="numeric", ensure_all_finite="allow-nan", **options)
    gaps = np.argwhere(np.isnan(rows)) if rows.dtype.kind == "f" else []
    if len(gaps):
        raise ValueError(
            f"rows: expected no missing entries, got NaN, first in row {gaps[0][0]}, column {gaps[0][1]}; give gaps a "
            "state of their own, or leave such rows out"
        )
    return rows


def refuse_unseen(data: PottsRows) -> None:
    """Raise ValueError if a state was never seen at some site, for its field is then infinite."""
    unseen = np.argwhere(data.frequencies.reshape(data.sites, -1) == 0)
    if len(unseen):
        raise ValueError(
            f"rows: expected every state at every site, got sites and states never seen {unseen[:5].tolist()}"
            f"{' and more' if len(unseen) > 5 else ''} ({len(unseen)}); set fields_l2 > 0"
        )


def warn_unseen_pairs(data: PottsRows) -> bool:
    """Warn of pairs of states that were never seen together, and return True if there are any."""
    pairs = unseen_pairs(data)
    if len(pairs):
        named = f"{pairs[:3].tolist()}{' and more' if len(pairs) > 3 else ''}"
        warn_convergence(
            f"states of two sites (site, state, site, state) {named} never came together: "
            "their coupling has no finite estimate without a penalty; set l2 > 0"
        )
    return len(pairs) > 0


def required_bytes(sites: int, states: int) -> int:
    """Return about the number of bytes that a fit without standard errors takes beyond the rows.

    >>> required_bytes(100, 21) / 2**30 < 1
    True
    """
    return MATRICES * 8 * (sites * (states - 1)) ** 2
