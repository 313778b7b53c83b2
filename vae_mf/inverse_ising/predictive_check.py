"""Posterior predictive check of an Ising model: data against rows that the model draws."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.fisher import IsingParameters
from vae_mf.inverse_ising.solvers.model_samples import ISLANDS, AnnealedPopulations

CHAINS = 2**13
SWEEPS = 3
TRIPLETS = 1000
"""Largest number of triplets, chosen at random."""
RUNAWAY, ROWS = 0.01, 10
"""Share of the model's rows, and number of rows of the data, that must lie outside the data's range to be a phase."""


class PredictiveCheck(NamedTuple):
    """Differences between data and a model's own rows, which show what no conditional probability of a spin shows."""

    means: float
    """Root mean square difference of <s_i> in units of its error, about 1 for rows of the law behind the data."""
    pairs: float
    """Root mean square difference of <s_i s_j>, likewise."""
    triplets: float
    """Root mean square difference of <s_i s_j s_k>, likewise; 0 for fewer than three spins."""
    data_counts: Float[np.ndarray, " counts"]
    """P(K) of the data, K = 0 ... N the number of spins +1."""
    model_counts: Float[np.ndarray, " counts"]
    """P(K) of the model."""
    outside: float
    """Share of the model's rows beyond all rows of the data, by K, along the leading mode of the covariances, or along
    that in which the model scatters most more."""
    runaway: bool
    """True if these rows are a phase that the data do not have."""

    @property
    def count_distance(self) -> float:
        """Total variation between the two P(K)."""
        return float(0.5 * np.abs(self.data_counts - self.model_counts).sum())

    def __str__(self) -> str:
        """One line for a table or a terminal."""
        text = (
            f"means {self.means:.2g}, pairs {self.pairs:.2g}, triplets {self.triplets:.2g} errors from the data, "
            f"P(K) by {self.count_distance:.2g}"
        )
        return text + phase_sentence(self.outside) if self.runaway else text


def predictive_check(
    spins: Spins, weights: Weights, couplings: Couplings, fields: Fields, random: np.random.Generator
) -> PredictiveCheck:
    """Return the differences between data (M, N) and rows of a model, annealed so that every phase has its weight."""
    sites = len(fields)
    sample = AnnealedPopulations(CHAINS, SWEEPS, 0.0, random).sample(IsingParameters(couplings, fields))
    data = spin_moments(spins, weights)
    model = sample.islands
    upper = np.triu_indices(sites, 1)
    triplets = chosen_triplets(sites, random)

    def distance(expected: np.ndarray, values: np.ndarray) -> float:
        variances = np.maximum(1 - expected**2, 1 / data.samples) / data.samples + model.error(values) ** 2
        squares = (model.shares @ values - expected) ** 2 / variances
        return float(np.sqrt(squares.sum() / max(len(squares), 1)))

    islands = sample.spins.reshape(ISLANDS, -1, sites)
    thirds = np.array([products(rows, np.full(len(rows), 1 / len(rows)), triplets) for rows in islands])
    shift = model.moments.magnetisations - data.magnetisations
    excess = model.moments.covariances + np.outer(shift, shift) - data.covariances
    modes = [np.ones(sites), *(np.linalg.eigh(matrix)[1][:, -1] for matrix in (data.covariances, excess))]
    outside = max(share_outside(spins @ mode, sample.spins @ mode, sample.weights) for mode in modes)
    return PredictiveCheck(
        distance(data.magnetisations, model.magnetisations),
        distance(data.pair_moments[upper], model.pair_moments[:, *upper]),
        distance(products(spins, weights / weights.sum(), triplets), thirds),
        count_law(spins, weights / weights.sum()),
        count_law(sample.spins, sample.weights),
        outside,
        is_runaway(outside, data.samples),
    )


def count_law(spins: Spins, shares: Weights) -> Float[np.ndarray, " counts"]:
    """Return P(K), K = 0 ... N the number of spins +1, of rows with given shares."""
    return np.bincount((spins > 0).sum(axis=1), shares, spins.shape[1] + 1)


def chosen_triplets(sites: int, random: np.random.Generator) -> np.ndarray:
    """Return triplets i < j < k, all or so many at random, shape (triplets, 3); none of two spins."""
    if sites < 3:
        return np.zeros((0, 3), int)
    drawn = np.sort([random.choice(sites, 3, replace=False) for _ in range(TRIPLETS)], axis=1)
    return np.unique(drawn, axis=0)


def products(spins: Spins, shares: Weights, triplets: np.ndarray) -> np.ndarray:
    """Return <s_i s_j s_k> of triplets over rows with given shares."""
    return np.array([shares @ (spins[:, i] * spins[:, j] * spins[:, k]) for i, j, k in triplets])


def share_outside(data: np.ndarray, model: np.ndarray, shares: Weights) -> float:
    """Return the share of a model's values outside the range of the data."""
    return float(shares[(model < data.min() - 1e-9) | (model > data.max() + 1e-9)].sum())


def is_runaway(outside: float, samples: float) -> bool:
    """Return True if a share of a model's rows outside the range of so many rows of data is a phase of its own.

    >>> is_runaway(0.02, 10_000.0), is_runaway(0.02, 100.0)
    (True, False)
    """
    return outside > max(RUNAWAY, ROWS / samples)


def phase_sentence(outside: float) -> str:
    """Return the end of a sentence that names such a phase.

    >>> phase_sentence(0.5)
    "; a phase that the data do not have holds 50% of the model's rows"
    """
    return f"; a phase that the data do not have holds {outside:.0%} of the model's rows"
