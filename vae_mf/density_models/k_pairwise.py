"""K-pairwise model: couplings, fields and a free potential of the number of spins +1 (Tkacik et al. 2014)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_non_negative
from vae_mf.density_models.count_statistics import CountStatistics, FloatRows, NewtonStep, Penalty, Vector
from vae_mf.density_models.energy_model import EnergyModel
from vae_mf.inverse_ising.base import refuse_constant_spins, warn_convergence
from vae_mf.inverse_ising.solvers.count_ising import AnnealedCountIsing, CountIsing, independent_model
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import independent_count_law

DISCARDED = 10
"""Sweeps after a step before rows count again."""
RARE = 1e-6
"""Added to the probabilities of a count in the potential that learning starts from."""


@dataclass(eq=False, repr=False)
class KPairwise(EnergyModel):
    """p(s) = exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i + V(K)) / Z, K the number of spins +1.

    Boltzmann learning maximises <ln p(s)> less a `Penalty` / M by Newton's method: persistent chains give the moments
    and their covariance, which conjugate gradients invert. Once the expected gain of a step is no more than that of the
    chains' noise, the steps are shortened to 1/2, 1/3, ..., which averages over their samples. The start has J = 0 and
    the P(K) of the data; above the largest count of the data, V(K) falls as a parabola (`CountStatistics`).

    Source: Tkacik et al., PLoS Computational Biology 10 (2014) e1003408.

    >>> from vae_mf.packing import all_configurations
    >>> rows = all_configurations(3)
    >>> weights = 3000 / np.array([1, 3, 3, 1])[(rows > 0).sum(axis=1)]  # P(K) = 1/4
    >>> model = KPairwise(samples=2**12, chains=2**10).fit(rows, sample_weight=weights)
    >>> np.exp(model.score_samples([[1, 1, 1], [1, 1, -1]])).round(2)
    array([0.25, 0.08])

    Args:
        l2: weight of the squared couplings.
        l2_potential: weight of the squared potential.
        smoothness: weight of the squared third differences of the potential, see `Penalty`.
        samples: number of rows of the model in a step.
        sweeps: sweeps of the chains between rows.
        averaged: number of shortened steps.
        max_iter: largest number of steps before those.
        chains: number of chains that draw the rows of a step, and of those that estimate ln Z.
        resolution, random_state: as for `PairwiseIsing`.

    Attributes:
        model_: J, h and V; of all that give the same p(s), those with the smallest <V(K)^2> over the data.
        gains_: expected gain of each step, in nats per row.
        n_iter_, converged_: steps before those that average, and whether they reached the noise.
    """

    l2: Any = 16.0
    l2_potential: Any = 1.0
    smoothness: Any = 100.0
    samples: Any = 2**17
    sweeps: Any = 3
    averaged: Any = 8
    max_iter: Any = 40
    chains: Any = 4096
    resolution: Any = 0.01
    random_state: Any = 0

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        refuse_constant_spins(data.spins)
        averaged = require_integer("averaged", self.averaged, 0)
        limit = require_integer("max_iter", self.max_iter)
        gains, self.converged_ = [], False
        counts = (data.spins > 0).sum(axis=1)
        most = int(counts.max())
        statistics = CountStatistics(data.spins.shape[1], most)
        learning = BoltzmannSteps(statistics, data, self._penalty(data, most), self._sampling(data, random))
        parameters = statistics.vector(*learning.start(self.probabilities_))
        while not self.converged_ and len(gains) < limit:
            step = learning.step(parameters)
            parameters = parameters + step.move
            self.converged_ = step.gain <= learning.noise
            gains.append(step.gain)
        for k in range(averaged):
            parameters = parameters + learning.step(parameters).move / (k + 2)
        law = np.bincount(counts, weights=data.shares, minlength=data.spins.shape[1] + 1)
        self.model_ = statistics.model(parameters).canonical(law)
        self.gains_ = np.array(gains)
        self.n_iter_ = len(gains)
        # A potential that is constant, linear or quadratic in K is nothing new beside ln Z, h and J.
        self.n_parameters_ = statistics.size - 3
        if not self.converged_:
            warn_convergence(f"KPairwise has not converged after {self.n_iter_} iterations.")

    def _penalty(self, data: DistinctSpins, most: int) -> Penalty:
        """Return the penalty per row."""
        options = {
            name: require_non_negative(name, getattr(self, name)) for name in ("l2", "l2_potential", "smoothness")
        }
        return Penalty(data.spins.shape[1], most, **{name: value / data.samples for name, value in options.items()})

    def _sampling(self, data: DistinctSpins, random: np.random.Generator) -> "Record":
        """Return the record of chains that start on rows of the data."""
        count = require_integer("chains", self.chains)
        first = data.spins[random.choice(len(data.spins), count, p=data.shares)]
        length = -(-require_integer("samples", self.samples) // count)
        return Record(GibbsChains(first, random), length, require_integer("sweeps", self.sweeps))

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        return self.model_.exponents(rows)

    def _annealed(
        self, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ) -> AnnealedCountIsing:
        return AnnealedCountIsing(self.model_, probabilities, count, random)


class Record(NamedTuple):
    """Persistent chains, and the number of rows that they contribute."""

    chains: GibbsChains
    length: int
    """Number of rows of each chain."""
    sweeps: int
    """Sweeps between rows."""

    def draw(self, model: CountIsing) -> FloatRows:
        """Return rows of a model."""
        model.sweep(self.chains, DISCARDED)
        rows = []
        for _ in range(self.length):
            model.sweep(self.chains, self.sweeps)
            rows.append(self.chains.spins)
        return np.concatenate(rows).astype(np.float32)


class BoltzmannSteps:
    """Newton steps of the likelihood, the model's moments coming from chains."""

    def __init__(self, statistics: CountStatistics, data: DistinctSpins, penalty: Penalty, record: Record):
        self._statistics, self._penalty, self._record = statistics, penalty, record
        self._target = statistics.moments(data.spins.astype(np.float32), data.shares)
        self._counts = slice(-len(penalty.potential), None)
        self.noise = 2 * statistics.size / (record.length * record.chains.count)
        """Gain below which a step follows the noise of the moments: four times that of as many independent rows."""

    def start(self, probabilities: Float[np.ndarray, " variables"]) -> CountIsing:
        """Return independent variables with a potential that gives them the counts of the data."""
        observed = self._target[self._counts]
        law = independent_count_law(probabilities)[: len(observed)]
        return independent_model(probabilities)._replace(potential=np.log((observed + RARE) / (law + RARE)))

    def step(self, parameters: Vector) -> NewtonStep:
        """Return the next step."""
        rows = self._record.draw(self._statistics.model(parameters))
        sampled = self._statistics.moments(rows, np.full(len(rows), 1 / len(rows)))
        gradient = self._target - sampled - self._penalty.times(parameters)
        # Where the data have more rows of one count than the model, its rows say too little about the curvature.
        missing = np.maximum(self._target - sampled, 0)[self._counts]
        return self._statistics.newton_step(rows, gradient, self._penalty.damped(missing))
