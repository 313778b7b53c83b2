"""Samples of a model whose couplings are being learned: all configurations, or a record of persistent Markov chains."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from scipy.special import softmax

from vae_mf.arrays import Spins
from vae_mf.checks import require_choice, require_integer
from vae_mf.inverse_ising.base import Weights, exponents, new_generator
from vae_mf.inverse_ising.moments import Moments, spin_moments
from vae_mf.inverse_ising.solvers.fisher import IsingParameters
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.packing import MAXIMUM_SITES, all_configurations

PARTS = 8
"""Number of blocks of the chains' record whose scatter gives the Monte Carlo error."""
KEPT = 2**16
"""Largest number of configurations of the record that are kept for the Fisher information."""
LONGEST = 2**21, 25
"""Largest number of configurations in a record: the first, or the second times those of the data, if that is more."""


class ModelSample(NamedTuple):
    """A model's configurations and moments."""

    spins: Spins
    weights: Weights
    """Summing to 1."""
    moments: Moments
    errors: IsingParameters | None
    """Monte Carlo errors of <s_i s_j> and <s_i>; None if there are none."""


@runtime_checkable
class ModelSource(Protocol):
    """Source of samples of a model."""

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return a sample of a model."""
        ...

    def lengthen(self, factor: float) -> bool:
        """Make the following samples longer by a factor, and return whether that was possible."""
        ...


class Enumerated:
    """All configurations with their probabilities."""

    def __init__(self, sites: int):
        self._states = all_configurations(sites)

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return the whole distribution."""
        weights = softmax(exponents(self._states, *model))
        return ModelSample(self._states, weights, spin_moments(self._states, weights), None)

    def lengthen(self, factor: float) -> bool:
        """Return False: nothing is missing."""
        return False


class Chains:
    """Persistent Markov chains, which contribute a configuration each every few sweeps."""

    def __init__(self, chains: GibbsChains, sweeps: int, samples: float):
        self._chains, self._sweeps = chains, sweeps
        count = len(chains.spins)
        self._longest = max(LONGEST[0], LONGEST[1] * samples) / count
        self._records = float(np.clip(samples / count, PARTS, self._longest))

    def sample(self, model: IsingParameters) -> ModelSample:
        """Return a new record after a tenth of its length has been discarded."""
        each = int(np.ceil(self._records / PARTS))
        self._chains.sweep(*model, self._sweeps * max(PARTS, each))
        kept, parts = [], []
        for _ in range(PARTS):
            part = []
            for _ in range(each):
                self._chains.sweep(*model, self._sweeps)
                part.append(self._chains.spins)
            parts.append(spin_moments(np.concatenate(part)))
            kept += part[:: -(-PARTS * each * len(part[0]) // KEPT)]
        spins = np.concatenate(kept)
        first = np.array([p.magnetisations for p in parts])
        pairs = np.array([p.pair_moments for p in parts])
        m = first.mean(axis=0)
        second = pairs.mean(axis=0)
        errors = IsingParameters(*(values.std(axis=0, ddof=1) / np.sqrt(PARTS) for values in (pairs, first)))
        total = float(PARTS * each * len(part[0]))
        whole = Moments(m, second - np.outer(m, m), total)
        return ModelSample(spins, np.full(len(spins), 1 / len(spins)), whole, errors)

    def lengthen(self, factor: float) -> bool:
        """Make the next records longer, up to the longest one allowed."""
        if self._records >= self._longest:
            return False
        self._records = min(self._longest, self._records * float(np.clip(1.2 * factor, 2, 8)))
        return True


def model_source(
    method: str, spins: Spins, weights: Weights, chains: Any, sweeps: Any, random_state: Any
) -> ModelSource:
    """Return the source of samples of models of some data.

    Args:
        method: "enumeration" (N <= 20), "chains", or "auto" for enumeration where it is possible.
        spins: configurations of the data, on which chains start.
    """
    if require_choice("method", method, ("auto", "enumeration", "chains")) == "auto":
        method = "enumeration" if spins.shape[1] <= MAXIMUM_SITES else "chains"
    if method == "enumeration":
        return Enumerated(spins.shape[1])
    count = require_integer("chains", chains)
    random = new_generator(random_state)
    start = spins[random.choice(len(spins), count, p=weights / weights.sum())]
    return Chains(GibbsChains(start, random), require_integer("sweeps", sweeps), float(weights.sum()))


def difference(data: Moments, model: Moments) -> IsingParameters:
    """Return <s_i s_j> and <s_i> of the data less those of a model."""
    pairs = data.pair_moments - model.pair_moments
    np.fill_diagonal(pairs, 0)
    return IsingParameters(pairs, data.magnetisations - model.magnetisations)


def noise_share(sample: ModelSample, samples: float) -> float:
    """Return the mean ratio of Monte Carlo variance to statistical variance of the moments, M / n for independent n."""
    assert sample.errors is not None
    sites = len(sample.errors.fields)
    upper = np.triu_indices(sites, 1)
    variances = np.r_[1 - sample.moments.pair_moments[upper] ** 2, 1 - sample.moments.magnetisations**2]
    errors = np.r_[sample.errors.couplings[upper], sample.errors.fields]
    return float(samples * np.square(errors).sum() / variances.sum())
