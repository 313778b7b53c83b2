"""Samples of a model with ln Z: all configurations, or a population annealed from uniform spins.

Persistent chains find no phase that a model has gained since they started. Every model is therefore annealed anew, by
chains that come from infinite temperature and meet each phase with its weight.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from vae_mf.arrays import Spins
from vae_mf.checks import require_choice, require_integer
from vae_mf.inverse_ising.energies import Weights, exponents
from vae_mf.inverse_ising.moments import Moments, spin_moments
from vae_mf.inverse_ising.solvers.annealing import jackknife_error, population_annealing
from vae_mf.inverse_ising.solvers.count_ising import AnnealedCountIsing, CountIsing
from vae_mf.inverse_ising.solvers.fisher import IsingParameters
from vae_mf.packing import MAXIMUM_SITES, all_configurations

ISLANDS = 16
"""Groups of chains that never meet, whose scatter gives the Monte Carlo errors."""
RESOLUTION, SWEEPS = 0.2, 2
"""Length of the steps of annealing in nats, and the sweeps of each."""
SETTLING = 5
"""Sweeps after annealing."""
GLANCE = 2.0**13
"""Number of configurations of a first look at a model."""
KEPT = 2**15
"""Number of configurations of a record that are kept, about."""
LONGEST = 2**22, 100
"""Largest number of configurations in a record: the first, or the second times those of the data, if that is more."""


class Islands(NamedTuple):
    """Independent estimates of ln Z and of the moments of one model; a single one is exact."""

    log_partitions: Float[np.ndarray, " islands"]
    magnetisations: Float[np.ndarray, "islands sites"]
    pair_moments: Float[np.ndarray, "islands sites sites"]
    rows: float
    """Number of configurations behind them all."""

    @property
    def shares(self) -> Float[np.ndarray, " islands"]:
        """Weight of each island, proportional to its Z."""
        return softmax(self.log_partitions)

    def error(self, values: Float[np.ndarray, "islands *shape"]) -> Float[np.ndarray, "*shape"]:
        """Return the standard error of the weighted mean of a value of each island, by leaving out one at a time."""
        return island_error(self.log_partitions, values)

    @property
    def log_partition(self) -> float:
        """Ln Z."""
        return float(logsumexp(self.log_partitions) - np.log(len(self.log_partitions)))

    @property
    def log_partition_error(self) -> float:
        """Standard error of ln Z."""
        return jackknife_error(self.shares) if len(self.log_partitions) > 1 else 0.0

    @property
    def moments(self) -> Moments:
        """Moments of the model."""
        m = self.shares @ self.magnetisations
        second = np.tensordot(self.shares, self.pair_moments, 1)
        return Moments(m, second - np.outer(m, m), self.rows)

    @property
    def errors(self) -> IsingParameters:
        """Monte Carlo errors of <s_i s_j> and <s_i>."""
        return IsingParameters(self.error(self.pair_moments), self.error(self.magnetisations))

    def projected(self, direction: IsingParameters) -> Float[np.ndarray, " islands"]:
        """Return each island's mean of sum_{i<j} J_ij s_i s_j + sum_i h_i s_i, J and h a direction."""
        pairs = np.tensordot(self.pair_moments, direction.couplings, 2) / 2
        return pairs + self.magnetisations @ direction.fields


def island_error(
    log_partitions: Float[np.ndarray, " islands"], values: Float[np.ndarray, "islands *shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return the standard error of the mean over islands with weights Z of a value of each, leaving out one at a time.

    >>> round(float(island_error(np.zeros(3), np.array([1.0, 2.0, 3.0]))), 3)
    0.577
    """
    count = len(values)
    if count == 1:
        return np.zeros(values.shape[1:])
    others = softmax(np.where(np.eye(count, dtype=bool), -np.inf, log_partitions), axis=1)
    return np.asarray(np.sqrt((count - 1) * np.tensordot(others, values, 1).var(axis=0)))


class ModelSample(NamedTuple):
    """A model's configurations and moments."""

    spins: Spins
    weights: Weights
    """Summing to 1."""
    islands: Islands

    def thinned(self, rows: int) -> "ModelSample":
        """Return the sample with about so many of its configurations."""
        every = max(1, len(self.spins) // rows)
        weights = self.weights[::every]
        return ModelSample(self.spins[::every], weights / weights.sum(), self.islands)

    def pooled(self, other: "ModelSample") -> "ModelSample":
        """Return this sample together with an independent one of the same model."""
        own, others = self.islands, other.islands
        logs, means, pairs = (np.concatenate(parts) for parts in zip(own[:3], others[:3], strict=True))
        islands = Islands(logs, means, pairs, own.rows + others.rows)
        first, second = softmax([own.log_partition, others.log_partition])
        weights = np.concatenate([first * self.weights, second * other.weights])
        return ModelSample(np.concatenate([self.spins, other.spins]), weights, islands)


@runtime_checkable
class ModelSource(Protocol):
    """Source of samples of a model."""

    longest: float
    """Largest number of configurations behind a sample; 0 if samples are the whole distribution."""

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return a sample of a model."""
        ...

    def extended(self, sample: ModelSample, rows: float) -> ModelSample:
        """Return the latest sample with at least so many configurations behind its moments, or the most allowed."""
        ...


class Enumerated:
    """All configurations with their probabilities."""

    longest = 0.0

    def __init__(self, sites: int):
        self._states = all_configurations(sites)

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return the whole distribution."""
        values = exponents(self._states, *model)
        weights = softmax(values)
        moments = spin_moments(self._states, weights)
        alone = np.array([logsumexp(values)]), moments.magnetisations[None], moments.pair_moments[None]
        return ModelSample(self._states, weights, Islands(*alone, float(len(weights))))

    def extended(self, sample: ModelSample, rows: float) -> ModelSample:
        """Return the sample: nothing is missing."""
        return sample


class AnnealedPopulations:
    """Populations of chains, one annealed for every model.

    Args:
        chains: number of chains in a population, rounded up to whole islands.
        sweeps: number of sweeps between the configurations that a chain contributes.
        samples: number of configurations of the data, which limits the records.
    """

    def __init__(self, chains: int, sweeps: int, samples: float, random: np.random.Generator):
        self._count = -(-chains // ISLANDS) * ISLANDS
        self._sweeps, self._random = sweeps, random
        self.longest = max(LONGEST[0], LONGEST[1] * samples)

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return a first look at a model."""
        sites = len(model.fields)
        self._model = CountIsing(*model, np.zeros(sites + 1))
        self._population = AnnealedCountIsing(self._model, np.full(sites, 0.5), self._count, self._random)
        annealed = population_annealing(self._population, RESOLUTION, SWEEPS, ISLANDS, self._random)
        logs = annealed.log_weights[:: self._count // ISLANDS] + self._population.start_log_partition
        self._model.sweep(self._population.chains, SETTLING)
        return self._record(logs, GLANCE)

    def extended(self, sample: ModelSample, rows: float) -> ModelSample:
        """Return the latest sample with a longer record behind it."""
        old = sample.islands
        missing = min(rows, self.longest) - old.rows
        if missing <= 0:
            return sample
        new = self._record(old.log_partitions, missing)
        share = old.rows / (old.rows + new.islands.rows)
        parts = zip(old[1:3], new.islands[1:3], strict=True)
        means, pairs = (share * before + (1 - share) * after for before, after in parts)
        islands = Islands(old.log_partitions, means, pairs, old.rows + new.islands.rows)
        return ModelSample(new.spins, new.weights, islands)

    def _record(self, log_partitions: Float[np.ndarray, " islands"], rows: float) -> ModelSample:
        """Return a sample of at least so many configurations, from records of all chains every few sweeps."""
        records = max(2, int(np.ceil(rows / self._count)))
        every = -(-records * self._count // KEPT)
        sites = len(self._model.fields)
        first = np.zeros((ISLANDS, sites))
        second = np.zeros((ISLANDS, sites, sites))
        kept = []
        for record in range(records):
            self._model.sweep(self._population.chains, self._sweeps)
            spins = self._population.spins.reshape(ISLANDS, -1, sites)
            x = spins.astype(np.float32)
            first += x.mean(axis=1)
            second += np.matmul(x.transpose(0, 2, 1), x) / x.shape[1]
            if record % every == 0:
                kept.append(spins)
        islands = Islands(log_partitions, first / records, second / records, float(records * self._count))
        spins = np.concatenate(kept, axis=1)
        weights = np.repeat(islands.shares / spins.shape[1], spins.shape[1])
        return ModelSample(spins.reshape(-1, sites), weights, islands)


def model_source(
    method: str, sites: int, samples: float, chains: Any, sweeps: Any, random: np.random.Generator
) -> ModelSource:
    """Return the source of samples of models of some data.

    Args:
        method: "enumeration" (N <= 20), "chains", or "auto" for enumeration where it is possible.
        sites: number of spins N.
        samples: number of configurations of the data.
        chains, sweeps: see `AnnealedPopulations`.
    """
    if require_choice("method", method, ("auto", "enumeration", "chains")) == "auto":
        method = "enumeration" if sites <= MAXIMUM_SITES else "chains"
    if method == "enumeration":
        return Enumerated(sites)
    return AnnealedPopulations(require_integer("chains", chains), require_integer("sweeps", sweeps), samples, random)


def difference(data: Moments, model: Moments) -> IsingParameters:
    """Return <s_i s_j> and <s_i> of the data less those of a model."""
    pairs = data.pair_moments - model.pair_moments
    np.fill_diagonal(pairs, 0)
    return IsingParameters(pairs, data.magnetisations - model.magnetisations)


def statistical_variances(data: Moments) -> IsingParameters:
    """Return the variances of s_i s_j and s_i of one configuration of the data, no smaller than 1 / M."""
    least = 1 / data.samples
    return IsingParameters(np.maximum(1 - data.pair_moments**2, least), np.maximum(1 - data.magnetisations**2, least))


def mean_square(values: IsingParameters, data: Moments) -> float:
    """Return the mean square of moments, or of their errors, in units of the statistical errors of the data."""
    upper = np.triu_indices(len(values.fields), 1)
    variances = statistical_variances(data)
    parts = values.couplings**2 / variances.couplings, values.fields**2 / variances.fields
    return float(data.samples * np.concatenate([parts[0][upper], parts[1]]).mean())
