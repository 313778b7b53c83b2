"""Density models known up to ln Z, a sum that can be afforded or an estimate by annealed importance sampling."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.density_models.base import DensityModel, LogLikelihoods
from vae_mf.inverse_ising.base import new_generator, warn_convergence
from vae_mf.inverse_ising.solvers.annealing import AnnealedChains, annealed_importance, resample
from vae_mf.packing import all_configurations
from vae_mf.statistics.distinct import DistinctSpins
from vae_mf.statistics.independent import probabilities_up

MOST_ENUMERATED = 20
"""Largest number of variables whose configurations are summed over."""
SUMMED = 2**16
"""Number of configurations that are summed over at a time."""
MOST_CHAINS = 4096
"""Largest number of chains that draw samples side by side."""
SETTLING, THINNING = 20, 10
"""Sweeps after annealing, and between successive draws of a chain."""
PROBES, COARSE = 512, 5
"""Largest number of chains that look for phases from uniform rows, and the length of their steps, in resolutions."""
SIGMAS = 5
"""Standard errors by which ln Z of these chains must be larger."""
FEW = 30
"""Effective sample size below which the error of ln Z is not to be trusted."""


class EnergyModel(DensityModel):
    """Base of models p(s) = f(s) / Z with an f(s) that is easy to evaluate.

    A concrete model sets its parameters in ``_learn`` and answers ``_exponents`` and ``_annealed``; ``chains``,
    ``resolution`` and ``random_state`` are among its options.

    Attributes:
        log_partition_, log_partition_error_: ln Z and its standard error, in nats.
        effective_size_: number of independent draws that are worth as much as the weighted chains behind ln Z. Where it
            is small, ln Z and its error are not to be trusted; infinite where ln Z is a sum.
        probabilities_: P(s_i = +1) of the independent variables that the chains start from, shape (N,): those of the
            data, unless chains from uniform rows find a phase of the model that these miss, of which a warning tells.
    """

    chains: Any
    resolution: Any
    random_state: Any

    def _learn(self, data: DistinctSpins, random: np.random.Generator) -> None:
        """Set the parameters of f and ``n_parameters_``."""
        raise NotImplementedError

    def _exponents(self, rows: Spins) -> Float[np.ndarray, " rows"]:
        """Return ln f(s) of each row."""
        raise NotImplementedError

    def _annealed(
        self, probabilities: Float[np.ndarray, " variables"], count: int, random: np.random.Generator
    ) -> AnnealedChains:
        """Return ``count`` chains that lead from independent variables with given P(s_i = +1) to f."""
        raise NotImplementedError

    def _exact_log_partition(self) -> float | None:
        """Return ln Z where it is a sum that can be afforded, else None."""
        return float(logsumexp(self._all_exponents())) if self._is_enumerable else None

    @property
    def _is_enumerable(self) -> bool:
        return len(self.probabilities_) <= MOST_ENUMERATED

    def _all_exponents(self) -> Float[np.ndarray, " configurations"]:
        """Return ln f(s) of all 2^N configurations."""
        rows = all_configurations(len(self.probabilities_))
        return np.concatenate([self._exponents(part) for part in np.split(rows, range(SUMMED, len(rows), SUMMED))])

    def _fit(self, data: DistinctSpins) -> None:
        count = require_integer("chains", self.chains)
        random = new_generator(self.random_state)
        resolution = require_positive("resolution", self.resolution)
        self.probabilities_ = probabilities_up(data.spins, data.weights)
        self._learn(data, random)
        exact = self._exact_log_partition()
        if exact is None:
            self._estimate_log_partition(count, resolution, random)
        else:
            self.log_partition_, self.log_partition_error_, self.effective_size_ = exact, 0.0, np.inf

    def _estimate_log_partition(self, count: int, resolution: float, random: np.random.Generator) -> None:
        """Set ln Z and its error, after a look for phases that chains from rows like the data do not meet."""
        annealed = annealed_importance(self._annealed(self.probabilities_, count, random), resolution)
        uniform = np.full(len(self.probabilities_), 0.5)
        probe = annealed_importance(self._annealed(uniform, min(count, PROBES), random), COARSE * resolution)
        if probe.log_partition - annealed.log_partition > SIGMAS * np.hypot(probe.error, annealed.error):
            warn_convergence(
                f"{type(self).__name__} has a phase that its data never visit: ln Z is {probe.log_partition:.2f} from "
                f"uniform rows and {annealed.log_partition:.2f} from rows like the data. Use stronger penalties."
            )
            self.probabilities_ = uniform
            annealed = annealed_importance(self._annealed(uniform, count, random), resolution)
        self.log_partition_, self.log_partition_error_ = annealed.log_partition, annealed.error
        self.effective_size_ = annealed.effective_size
        if self.effective_size_ < FEW:
            warn_convergence(
                f"ln Z of {type(self).__name__} rests on {self.effective_size_:.0f} independent draws, and its error "
                "is not to be trusted: raise chains or lower resolution."
            )

    def _log_density(self, rows: Spins) -> LogLikelihoods:
        return self._exponents(rows) - self.log_partition_

    def _draw(self, count: int, random: np.random.Generator) -> Spins:
        if self._is_enumerable:
            chosen = random.choice(2 ** len(self.probabilities_), count, p=softmax(self._all_exponents()))
            return all_configurations(len(self.probabilities_))[chosen]
        chains = self._annealed(self.probabilities_, min(max(count, 64), MOST_CHAINS), random)
        chains.keep(resample(annealed_importance(chains, self.resolution).log_weights, len(chains.spins), random))
        draws = []
        for draw in range(-(-count // len(chains.spins))):
            for _ in range(THINNING if draw else SETTLING):
                chains.move(1.0)
            draws.append(random.permutation(chains.spins))
        return np.concatenate(draws)[:count]
