"""Population tracking, the law of the number of active variables and of each variable given that number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.sparse import csr_array
from scipy.special import expit, logit

from vae_mf.arrays import Spins
from vae_mf.checks import require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import Probabilities, probabilities_up

LogOdds = Float[np.ndarray, "counts variables"]
"""Log-odds of every variable, in a row for every number of active ones."""


@dataclass(eq=False, repr=False)
class PopulationTracking(DensityModel):
    """p(s) = p(K) prod_i q_Ki^[s_i = 1] (1 - q_Ki)^[s_i = -1] / Z_K for rows of K active variables.

    q_Ki is the rate of variable i among rows of K active ones (O'Donnell et al. 2017, Neural Comput. 29:50). The
    probability Z_K that K independent variables of these rates are active is summed exactly, by dynamic programming. To
    the rows of every K come ``pseudocount`` of independent variables, to p(K) half a row of each K.

    >>> rows = np.array([[1, -1], [-1, 1], [-1, -1], [-1, -1]])
    >>> np.exp(PopulationTracking().fit(rows).score_samples(rows)).round(3)
    array([0.227, 0.227, 0.455, 0.455])

    Args:
        pseudocount: number of rows of independent variables added for every K.

    Attributes:
        count_law_: p(K), shape (N + 1,).
        log_odds_: ln q_Ki / (1 - q_Ki), shape (N + 1, N); no matter for K = 0 and K = N.
    """

    pseudocount: Any = 1.0

    def _fit(self, data: DistinctSpins) -> None:
        pseudocount = require_positive("pseudocount", self.pseudocount)
        active = data.spins > 0
        rows, variables = active.shape
        counts = active.sum(axis=1)
        sums = csr_array((data.weights, (counts, np.arange(rows))), shape=(variables + 1, rows)) @ active
        totals = np.bincount(counts, data.weights, minlength=variables + 1)
        prior = pseudocount * conditional_rates(probabilities_up(data.spins, data.weights))
        self.count_law_ = (totals + 0.5) / (data.samples + (variables + 1) / 2)
        self.log_odds_ = logit((sums + prior) / (totals + pseudocount)[:, None])
        self._log_weights = np.log(self.count_law_) - np.diag(log_symmetric_sums(self.log_odds_))
        self.n_parameters_ = variables + (variables - 1) ** 2

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        active = rows > 0
        counts = active.sum(axis=1)
        return self._log_weights[counts] + np.einsum("ri,ri->r", active, self.log_odds_[counts])

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        drawn = random.choice(len(self.count_law_), count, p=self.count_law_)
        rows = np.empty((count, self.n_features_in_), np.int8)
        for active in set(drawn.tolist()):
            own = np.flatnonzero(drawn == active)
            rows[own] = draw_active(self.log_odds_[active], active, len(own), random)
        return rows


def conditional_rates(probabilities: Probabilities) -> Float[np.ndarray, "counts variables"]:
    """Return rates whose sum is K and whose odds are those of independent variables but for a factor, for K = 0 ... N.

    Given K, they describe the same law. Of no or all variables any rates do.

    >>> conditional_rates(np.array([0.2, 0.2, 0.2]))[1].round(3)
    array([0.333, 0.333, 0.333])
    """
    log_odds = logit(probabilities)
    reach = np.abs(log_odds).max() + np.log(len(log_odds))
    rates = np.full((len(log_odds) + 1, len(log_odds)), 0.5)
    for active in range(1, len(log_odds)):
        shift = brentq(lambda c, total: expit(log_odds + c).sum() - total, -2 * reach, 2 * reach, args=(active,))
        rates[active] = expit(log_odds + shift)
    return rates


def log_symmetric_sums(log_odds: LogOdds) -> Float[np.ndarray, "counts sums"]:
    """Return ln of the elementary symmetric sums of 0, 1, ... N odds, of each row of log-odds.

    >>> np.exp(log_symmetric_sums(np.log([[2.0, 3.0]]))).round(3)
    array([[1., 5., 6.]])
    """
    sums = np.full((len(log_odds), log_odds.shape[1] + 1), -np.inf)
    sums[:, 0] = 0
    for column in log_odds.T:
        sums[:, 1:] = np.logaddexp(sums[:, 1:], sums[:, :-1] + column[:, None])
    return sums


def draw_active(
    log_odds: Float[np.ndarray, " variables"], active: int, count: int, random: np.random.Generator
) -> Spins:
    """Return rows of exactly ``active`` variables that are +1, drawn with their odds one variable after another."""
    # The sums of -1, 0, 1 ... odds of the last variables, of none at first.
    sums = [np.r_[-np.inf, 0.0, np.full(active, -np.inf)]]
    for odds in log_odds[::-1]:
        sums.append(np.r_[-np.inf, np.logaddexp(sums[-1][1:], sums[-1][:-1] + odds)])
    rows = np.full((count, len(log_odds)), -1, np.int8)
    missing = np.full(count, active)
    for i, odds in enumerate(log_odds):
        among = sums[len(log_odds) - i]
        without = sums[len(log_odds) - i - 1]
        up = random.random(count) < np.exp(odds + without[missing] - among[missing + 1])
        rows[up, i] = 1
        missing -= up
    return rows
