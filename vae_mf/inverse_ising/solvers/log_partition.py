"""ln Z of an Ising model, by summing over all configurations or by population annealing."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.energies import exponents
from vae_mf.inverse_ising.solvers.fisher import IsingParameters
from vae_mf.inverse_ising.solvers.model_samples import AnnealedPopulations
from vae_mf.packing import all_configurations

SUMMED = 22
"""Largest number of spins whose configurations are summed over."""
TOGETHER = 16
"""Number of spins whose configurations are held at once."""
CHAINS = 2**14
"""Number of chains that are annealed."""


class LogPartition(NamedTuple):
    """ln Z and its standard error, in nats."""

    value: float
    error: float


class KnowsLogPartition:
    """Estimators with ln Z, a sum over all configurations where these are few, else from population annealing."""

    @cached_property
    def _log_partition(self) -> LogPartition:
        """Return ln Z of the fitted model."""
        raise NotImplementedError

    @property
    def log_partition_(self) -> float:
        """Ln Z in nats, computed when first asked for."""
        return self._log_partition.value

    @property
    def log_partition_error_(self) -> float:
        """Standard error of ln Z; above .2 or so some phase may have been missed."""
        return self._log_partition.error


def log_partition(couplings: Couplings, fields: Fields) -> LogPartition:
    """Return ln Z of p(s) = exp(sum_{i<j} J_ij s_i s_j + sum_i h_i s_i) / Z, exact for N <= 22.

    >>> round(log_partition(np.array([[0.0, 0.5], [0.5, 0.0]]), np.zeros(2)).value, 4)  # ln(4 cosh(1 / 2))
    1.5064
    """
    if len(fields) <= SUMMED:
        return LogPartition(summed_log_partition(couplings, fields), 0.0)
    source = AnnealedPopulations(CHAINS, 1, 0.0, np.random.default_rng(0))
    islands = source.sample(IsingParameters(couplings, fields)).islands
    return LogPartition(islands.log_partition, islands.log_partition_error)


def summed_log_partition(couplings: Couplings, fields: Fields) -> float:
    """Return ln Z, the configurations of the spins beyond the first `TOGETHER` side by side."""
    inner = all_configurations(min(len(fields), TOGETHER))
    outer = all_configurations(len(fields) - inner.shape[1]) if len(fields) > TOGETHER else np.zeros((1, 0), np.int8)
    cut = inner.shape[1]
    alone = exponents(inner, couplings[:cut, :cut], fields[:cut])
    rest = exponents(outer, couplings[cut:, cut:], fields[cut:])
    return float(logsumexp(alone[:, None] + inner @ (couplings[:cut, cut:] @ outer.T) + rest))
