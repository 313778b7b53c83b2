"""Logistic autoregression, a density model without latent variables whose likelihood is exact."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import probabilities_up


@dataclass(eq=False, repr=False)
class LogisticAutoregression(DensityModel):
    """p(s) = prod_i p(s_i | s_1 ... s_{i-1}), log-odds of every s_i linear in the variables before it (Frey 1998).

    In a pairwise world it is nearly as likely as the pairwise Ising model, and needs no ln Z.

    >>> model = LogisticAutoregression().fit([[1, 1], [-1, -1]] * 50)
    >>> np.exp(model.score_samples([[1, 1], [1, -1]])).round(1)
    array([0.5, 0. ])

    Args:
        strength: inverse weight C of the squared coefficients, scikit-learn's.
        max_iter: largest number of iterations of each regression.

    Attributes:
        fields_: log-odds of every variable where all before it are 0, shape (N,).
        weights_: coefficients, strictly lower triangular, shape (N, N).
    """

    strength: Any = 0.3
    max_iter: Any = 100

    def _fit(self, data: DistinctSpins) -> None:
        strength = require_positive("strength", self.strength)
        limit = require_integer("max_iter", self.max_iter)
        spins = data.spins.astype(np.float32)
        variables = spins.shape[1]
        probabilities = probabilities_up(data.spins, data.weights)
        self.fields_ = np.log(probabilities) - np.log1p(-probabilities)
        self.weights_ = np.zeros((variables, variables))
        for i in range(1, variables):
            target = data.spins[:, i]
            if target.min() == target.max():
                continue
            regression = LogisticRegression(C=strength, max_iter=limit, tol=1e-3, solver="newton-cholesky")
            regression.fit(spins[:, :i], target, sample_weight=data.weights)
            self.fields_[i] = regression.intercept_[0]
            self.weights_[i, :i] = regression.coef_[0]
        self.n_parameters_ = variables * (variables + 1) // 2

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
