"""Pairwise maximum-entropy model, inferred by any estimator of Ising couplings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import clone

from vae_mf.arrays import Spins
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.inverse_ising.base import InverseIsing
from vae_mf.inverse_ising.boltzmann import BoltzmannLearning
from vae_mf.inverse_ising.solvers.count_ising import AnnealedCountIsing, CountIsing
from vae_mf.statistics.distinct import DistinctSpins


@dataclass(eq=False, repr=False)
class PairwiseIsing(EnergyModel):
    """p(s) = exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i) / Z (Schneidman et al. 2006).

    >>> rows = np.repeat([[1, 1], [1, -1], [-1, 1], [-1, -1]], [40, 10, 10, 40], axis=0)
    >>> np.exp(PairwiseIsing().fit(rows).score_samples([[1, 1], [1, -1]])).round(2)
    array([0.4, 0.1])

    Args:
        estimator: estimator of J and h; None for `BoltzmannLearning`, which is maximum likelihood.
        chains: number of chains that estimate ln Z.
        resolution: length of the steps of these chains in nats, see `vae_mf.inverse_ising.solvers.annealing`.
        random_state: seed or generator of these chains.

    Attributes:
        estimator_: the fitted estimator.
    """

    estimator: Any = None
    chains: Any = 4096
    resolution: Any = 0.01
    random_state: Any = 0

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        estimator = BoltzmannLearning() if self.estimator is None else self.estimator
        if not isinstance(estimator, InverseIsing):
            raise ValueError(f"estimator: expected one of vae_mf.inverse_ising, got {type(estimator).__name__}")
        if estimator.encoding != "spin":
            raise ValueError(f'estimator: expected encoding="spin", got {estimator.encoding!r}')
        self.estimator_ = clone(estimator).fit(data.spins, sample_weight=data.weights)
        variables = data.spins.shape[1]
        self.n_parameters_ = variables * (variables + 1) // 2

    @property
    def _model(self) -> CountIsing:
        fields = self.estimator_.fields_
        return CountIsing(self.estimator_.couplings_, fields, np.zeros(len(fields) + 1))

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        return self._model.exponents(rows)

    def _annealed(
        self, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ) -> AnnealedCountIsing:
        return AnnealedCountIsing(self._model, probabilities, count, random)
