"""Logistic autoregression, a density model without latent variables whose likelihood is exact."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, log_expit

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.inverse_ising.base import warn_convergence
from vae_mf.statistics.distinct import DistinctSpins

AUTO = "auto"
"""Penalty that the evidence chooses."""
TOLERANCE = 1e-9
"""Gain of a step, in nats per row, below which a regression has converged."""
WIDEST = 10.0
"""Largest standard deviation of the coefficients' prior that the evidence may choose."""
Coefficients = Float[np.ndarray, " inputs"]
"""Coefficients of the variables before, and the log-odds where all of them are 0."""


@dataclass(eq=False, repr=False)
class LogisticAutoregression(DensityModel):
    """p(s) = prod_i p(s_i | s_1 ... s_{i-1}), log-odds of every s_i linear in the variables before it (Frey 1998).

    In a pairwise world it is nearly as likely as the pairwise Ising model, and needs no ln Z.

    >>> model = LogisticAutoregression().fit([[1, 1], [-1, -1]] * 50)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1)
    array([0.5, 0. ])

    Args:
        l2: weight of half the sum of squared coefficients, in nats, or "auto": that of the highest evidence, in the
            regression of each variable (MacKay 1992), which takes rows as independent. Where those to come are of
            another kind, as new scenes are, more is better.
        max_iter: largest number of iterations of each regression.

    Attributes:
        fields_: log-odds of every variable where all before it are 0, shape (N,).
        weights_: coefficients, strictly lower triangular, shape (N, N).
        l2_: penalty of each regression, shape (N,).
        converged_: True if ``max_iter`` was enough for each.
    """

    l2: Any = AUTO
    max_iter: Any = 100

    def _fit(self, data: DistinctSpins) -> None:
        chosen = self.l2 if isinstance(self.l2, str) and self.l2 == AUTO else require_positive("l2", self.l2)
        limit = require_integer("max_iter", self.max_iter)
        beginnings = Beginnings(data)
        variables = data.spins.shape[1]
        self.fields_ = np.zeros(variables)
        self.weights_ = np.zeros((variables, variables))
        self.l2_ = np.zeros(variables)
        self.converged_ = True
        for i in range(variables):
            found = beginnings.regression(i).fitted(chosen, limit)
            self.weights_[i, :i], self.fields_[i] = found.coefficients[:-1], found.coefficients[-1]
            self.l2_[i] = found.l2
            self.converged_ &= found.converged
        self.n_parameters_ = variables * (variables + 1) // 2
        if not self.converged_:
            warn_convergence(f"LogisticAutoregression has not converged after {limit} iterations.")

    def _log_odds(self, rows: Spins) -> Float[np.ndarray, "rows variables"]:
        return self.fields_ + rows @ self.weights_.T

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        return log_expit(rows * self._log_odds(rows)).sum(axis=1)

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        rows = np.zeros((count, len(self.fields_)), np.int8)
        for i, (field, weights) in enumerate(zip(self.fields_, self.weights_, strict=True)):
            up = random.random(count) < expit(field + rows @ weights)
            rows[:, i] = np.where(up, 1, -1)
        return rows


class Beginnings:
    """Distinct beginnings s_1 ... s_i of rows, of which there are fewer than rows.

    Args:
        data: distinct rows, which are sorted so that equal beginnings follow each other.
    """

    def __init__(self, data: DistinctSpins):
        order = np.lexsort(np.packbits(data.spins > 0, axis=1).T[::-1])
        self._spins, self._weights = data.spins[order], data.weights[order]
        differences = self._spins[1:] != self._spins[:-1]
        self._changes: Int[np.ndarray, " rows"] = np.r_[-1, differences.argmax(axis=1)]
        """First variable that differs from that of the row before."""

    def regression(self, i: int) -> "Regression":
        """Return the regression of variable i on those before it.

        One more row, of half a count of either value where all inputs are 0, keeps the log-odds of constants finite.
        """
        starts = np.flatnonzero(self._changes < i)
        totals = np.add.reduceat(self._weights, starts)
        ups = np.add.reduceat(self._weights * (self._spins[:, i] > 0), starts)
        inputs = np.vstack([self._spins[starts, :i], np.zeros((1, i))])
        return Regression(np.hstack([inputs, np.ones((len(inputs), 1))]), np.r_[ups, 0.5], np.r_[totals, 1.0])


class RegressionFit(NamedTuple):
    """Outcome of a regression."""

    coefficients: Coefficients
    l2: float
    converged: bool


class Regression(NamedTuple):
    """Logistic regression of counts, by Newton's method."""

    inputs: Float[np.ndarray, "rows inputs"]
    """Variables before, and 1."""
    ups: Float[np.ndarray, " rows"]
    """Weight of each row with a value of +1."""
    totals: Float[np.ndarray, " rows"]
    """Weight of each row."""

    def fitted(self, chosen: float | str, limit: int) -> RegressionFit:
        """Return the coefficients at the chosen penalty, or at that of the highest evidence."""
        coefficients = np.zeros(self.inputs.shape[1])
        coefficients[-1] = np.log(self.ups.sum()) - np.log((self.totals - self.ups).sum())
        l2 = 1.0 if chosen == AUTO else float(chosen)
        for _ in range(limit):
            p = expit(self.inputs @ coefficients)
            curvature = (self.inputs.T * (self.totals * p * (1 - p))) @ self.inputs
            if chosen == AUTO:
                l2 = self._likelier_penalty(coefficients, curvature, l2)
            penalties = penalties_of(len(coefficients), l2)
            slope = (self.ups - self.totals * p) @ self.inputs - penalties * coefficients
            move = np.linalg.solve(curvature + np.diag(penalties), slope)
            coefficients = self._moved(coefficients, move, l2)
            if move @ slope < 2 * TOLERANCE * self.totals.sum():
                return RegressionFit(coefficients, l2, True)
        return RegressionFit(coefficients, l2, False)

    def _likelier_penalty(
        self, coefficients: Coefficients, curvature: Float[np.ndarray, "inputs inputs"], l2: float
    ) -> float:
        """Return the number of coefficients that the rows determine, over the sum of their squares."""
        weights = coefficients[:-1]
        if not weights.any():
            return l2
        spread = np.linalg.inv(curvature + np.diag(penalties_of(len(coefficients), l2)))
        determined = len(weights) - l2 * np.trace(spread[:-1, :-1])
        return float(np.clip(determined / (weights @ weights), WIDEST**-2, self.totals.sum()))

    def _moved(self, coefficients: Coefficients, move: Coefficients, l2: float) -> Coefficients:
        """Return the coefficients after a move, halved until the objective does not fall."""
        before = self._objective(coefficients, l2)
        while self._objective(coefficients + move, l2) < before:
            move = move / 2
        return coefficients + move

    def _objective(self, coefficients: Coefficients, l2: float) -> float:
        """Return log-likelihood less penalty, in nats."""
        log_odds = self.inputs @ coefficients
        fit = self.ups @ log_odds - self.totals @ np.logaddexp(0, log_odds)
        return float(fit - l2 / 2 * (coefficients[:-1] @ coefficients[:-1]))


def penalties_of(inputs: int, l2: float) -> Coefficients:
    """Return the penalty of each coefficient: none of the last one, the log-odds where all variables are 0."""
    penalties = np.full(inputs, l2)
    penalties[-1] = 0
    return penalties
