"""Ising models with a potential of the number K of spins +1: energy, heat-bath chains, annealing.

p(s) is proportional to exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i + V(K)); V = 0 is the pairwise model.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Rows, Spins
from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.solvers.annealing import PerChain
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains


class CountIsing(NamedTuple):
    """Parameters J, h and V of a model."""

    couplings: Couplings
    """J, symmetric with zero diagonal."""
    fields: Fields
    potential: Float[np.ndarray, " counts"]
    """V(0) ... V(N)."""

    def exponents(self, spins: Spins) -> Float[np.ndarray, " rows"]:
        """Return ln p(s) + ln Z of each row."""
        return exponents(spins, self.couplings, self.fields) + self.potential[(spins > 0).sum(axis=1)]

    def chain_exponents(self, chains: GibbsChains) -> PerChain:
        """Return ln p(s) + ln Z of every chain, in single precision."""
        x = chains.lanes
        fields = self.fields.astype(np.float32)
        values = ((self.couplings.astype(np.float32) / 2 @ x + fields[:, None]) * x).sum(axis=1)
        return (values + self.potential[(x > 0).sum(axis=1)]).ravel()[: chains.count]

    def sweep(self, chains: GibbsChains, count: int = 1) -> None:
        """Advance every chain by ``count`` sweeps."""
        # A kernel without a potential is faster.
        chains.sweep(self.couplings, self.fields, count, self.potential if self.potential.any() else None)

    def canonical(self, law: Float[np.ndarray, " counts"]) -> "CountIsing":
        """Return the same model with a potential that is as small as possible where rows are frequent.

        K = (N + sum_i s_i) / 2, so that b K + c K^2 in the potential is the same as b / 2 + c N / 2 in every field and
        c / 2 in every coupling, but for a constant.
        """
        variables = len(self.fields)
        counts = np.arange(variables + 1)
        # NumPy's weights multiply the values, not their squares.
        c, b, a = np.polyfit(counts, self.potential, 2, w=np.sqrt(law))
        couplings = self.couplings + c / 2 * (1 - np.eye(variables))
        return CountIsing(
            couplings, self.fields + (b + c * variables) / 2, self.potential - (a + b * counts + c * counts**2)
        )


def independent_model(probabilities: Float[np.ndarray, " variables"]) -> CountIsing:
    """Return the model of independent variables that are +1 with given probabilities.

    >>> independent_model(np.array([0.5, 0.5])).fields
    array([0., 0.])
    """
    variables = len(probabilities)
    fields = (np.log(probabilities) - np.log1p(-probabilities)) / 2
    return CountIsing(np.zeros((variables, variables)), fields, np.zeros(variables + 1))


class AnnealedCountIsing:
    """Chains of f_beta(s), exp of the interpolation between independent variables (beta = 0) and a model (beta = 1)."""

    def __init__(
        self, model: CountIsing, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ):
        self._start = independent_model(probabilities)
        self._random = random
        first = np.where(random.random((count, len(probabilities))) < probabilities, np.int8(1), np.int8(-1))
        self.chains = GibbsChains(first, random)
        """Chains on their way."""
        self._change = CountIsing(*(new - old for new, old in zip(model, self._start, strict=True)))
        self.start_log_partition = float(np.logaddexp(self._start.fields, -self._start.fields).sum())

    @property
    def spins(self) -> Spins:
        """Current configurations, shape (chains, N)."""
        return self.chains.spins

    def keep(self, chosen: Rows) -> None:
        """Go on with the chosen chains, some of them several times."""
        self.chains = GibbsChains(self.spins[chosen], self._random)

    def slopes(self, beta: float) -> PerChain:
        """Return d ln f_beta(s) / d beta of every chain."""
        return self._change.chain_exponents(self.chains)

    def log_ratios(self, beta: float, ahead: float) -> PerChain:
        """Return ln f_ahead(s) - ln f_beta(s) of every chain."""
        return (ahead - beta) * self._change.chain_exponents(self.chains)

    def move(self, beta: float) -> None:
        """Advance every chain by a sweep at beta."""
        pairs = zip(self._start, self._change, strict=True)
        CountIsing(*(old + beta * change for old, change in pairs)).sweep(self.chains)
