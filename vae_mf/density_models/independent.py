"""Independent variables, the floor that every other model must beat."""

import numpy as np

from vae_mf.arrays import Spins
from vae_mf.density_models.base import DensityModel, LogLikelihoods, bernoulli
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import independent_log_likelihood, probabilities_up


class Independent(DensityModel):
    """p(s) = prod_i p_i^[s_i = 1] (1 - p_i)^[s_i = -1], half a count of each kind added to the data (Jeffreys).

    >>> Independent().fit([[1, -1], [1, 1], [1, -1]]).probabilities_
    array([0.875, 0.375])

    Attributes:
        probabilities_: p_i, shape (N,).
    """

    def _fit(self, data: DistinctSpins) -> None:
        self.probabilities_ = probabilities_up(data.spins, data.weights)
        self.n_parameters_ = len(self.probabilities_)

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        return independent_log_likelihood(rows, self.probabilities_)

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        return bernoulli(np.broadcast_to(self.probabilities_, (count, len(self.probabilities_))), random)
