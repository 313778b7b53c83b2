"""Logistic autoregression in time: every variable given the rows before, and the variables before it in its own row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import log_expit
from sklearn.linear_model import LogisticRegression

from vae_mf.arrays import Rows, Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.autoregressive import LogisticAutoregression
from vae_mf.density_models.base import LogLikelihoods
from vae_mf.density_models.sequences import SequenceModel, Sequences, Starts


@dataclass(eq=False, repr=False)
class LaggedAutoregression(SequenceModel):
    """p(s_t | past) = prod_i p(s_ti | s_t1 ... s_t(i-1), s_t-1 ... s_t-L), log-odds linear in all of these.

    As a law of single rows, and of the first L rows of a sequence, it is the logistic autoregression within a row. A
    kinetic Ising model of which all spins are updated at once is one of lag 1, given the past.

    >>> rows = np.repeat(np.tile([1, -1], 40), 5)[:, None].repeat(3, axis=1)
    >>> model = LaggedAutoregression().fit(rows, lengths=[400])
    >>> past = model.score_samples_given_past(rows, lengths=[400])
    >>> round(model.score(rows), 1), round(float(past.mean()), 1)
    (-0.7, -0.5)

    Args:
        lags: number L of rows before.
        strength: inverse weight C of the squared coefficients, scikit-learn's.
        max_iter: largest number of iterations of each regression.

    Attributes:
        static_: law of single rows, a `LogisticAutoregression`.
        fields_: log-odds of every variable where all others are 0, shape (N,).
        weights_: coefficients of the variables of the row itself, strictly lower triangular, shape (N, N).
        past_weights_: coefficients of the rows before, the last one first, shape (L, N, N).
    """

    lags: Any = 1
    strength: Any = 0.3
    max_iter: Any = 100

    def _fit_sequences(self, sequences: Sequences) -> None:
        lags = require_integer("lags", self.lags)
        strength = require_positive("strength", self.strength)
        limit = require_integer("max_iter", self.max_iter)
        self.static_ = LogisticAutoregression(strength, limit)
        self.static_.fit(sequences.spins, sample_weight=sequences.counts)
        rows = sequences.spins[sequences.numbers]
        later, past = rows_with_past(rows, sequences.starts, lags)
        if sequences.transitions:
            require_few_lags(lags, rows.shape[1], len(later))
        weights = np.repeat(sequences.weights, sequences.lengths)[later]
        regression = LogisticRegression(C=strength, max_iter=limit, tol=1e-3, solver="newton-cholesky")
        self._fit_lagged(rows[later], past, weights, regression)

    def _fit_lagged(
        self,
        rows: Spins,
        past: Float[np.ndarray, "rows past"],
        weights: Float[np.ndarray, " rows"],
        regression: LogisticRegression,
    ) -> None:
        """Set the parameters, those of single rows where none has a past."""
        variables = rows.shape[1]
        self.fields_ = self.static_.fields_.copy()
        self.weights_ = np.zeros((variables, variables))
        self.past_weights_ = np.zeros((past.shape[1] // variables, variables, variables))
        self.n_parameters_ = self.static_.n_parameters_ + self.past_weights_.size
        spins = rows.astype(np.float32)
        for i in range(variables):
            target = rows[:, i]
            if not len(target) or target.min() == target.max():
                continue
            regression.fit(np.hstack([past, spins[:, :i]]), target, sample_weight=weights)
            of_past, own = np.split(regression.coef_[0], [past.shape[1]])
            self.fields_[i] = regression.intercept_[0]
            self.past_weights_[:, i] = of_past.reshape(-1, variables)
            self.weights_[i, :i] = own

    def _log_density_given_past(self, rows: Spins, starts: Starts) -> LogLikelihoods:
        later, past = rows_with_past(rows, starts, len(self.past_weights_))
        own = rows[later]
        odds = self.fields_ + own @ self.weights_.T + past @ np.concatenate(self.past_weights_.swapaxes(1, 2))
        values = self.static_.score_samples(rows)
        values[later] = log_expit(own * odds).sum(axis=1)
        return values

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        return self.static_.score_samples(rows)

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        return self.static_.sample(count, random)


def rows_with_past(rows: Spins, starts: Starts, lags: int) -> tuple[Rows, Float[np.ndarray, "later past"]]:
    """Return the places of rows that have ``lags`` rows before them in their sequence, and these, the last one first.

    >>> rows_with_past(np.array([[1], [-1], [1], [1]], np.int8), np.array([0, 3, 4]), 2)[1].tolist()
    [[-1.0, 1.0]]
    """
    age = np.arange(len(rows)) - np.repeat(starts[:-1], np.diff(starts))
    later = np.flatnonzero(age >= lags)
    past = [rows[later - lag].astype(np.float32) for lag in range(1, lags + 1)]
    return later, np.concatenate(past, axis=1)


def require_few_lags(lags: int, variables: int, rows: int) -> None:
    """Raise ValueError if there are fewer rows with a past than coefficients of a variable."""
    if rows < (lags + 1) * variables:
        raise ValueError(
            f"lags: expected at most as many coefficients of a variable as there are rows with so long a past, {rows}, "
            f"got {(lags + 1) * variables} of {lags} lags; take fewer lags or more rows"
        )
