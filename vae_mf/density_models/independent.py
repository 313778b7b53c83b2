"""Cells that fire independently: the floor that every other model must beat."""

import numpy as np

from vae_mf.arrays import Spins
from vae_mf.density_models.base import DensityModel, LogLikelihoods, bernoulli, firing_probabilities
from vae_mf.inverse_ising.solvers.local_regression import DistinctSpins


class Independent(DensityModel):
    """p(s) = prod_i p_i^[s_i = 1] (1 - p_i)^[s_i = -1], half a count of each kind added to the data (Jeffreys).

    Attributes:
        probabilities_: p_i, shape (N,).
    """

    def _fit(self, data: DistinctSpins) -> None:
        self.probabilities_ = firing_probabilities(data)
        self.n_parameters_ = len(self.probabilities_)

    def _log_density(self, words: Spins) -> LogLikelihoods:
        silent = np.log1p(-self.probabilities_)
        return (words > 0) @ (np.log(self.probabilities_) - silent) + silent.sum()

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        return bernoulli(np.broadcast_to(self.probabilities_, (count, len(self.probabilities_))), random)
