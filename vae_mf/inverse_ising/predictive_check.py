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
    """Share of the model's rows beyond all rows of the data, by K or along the leading mode of the covariances."""
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
        phase = f"; a phase that the data do not have holds {self.outside:.0%} of the model's rows"
        return text + phase if self.runaway else text


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
    leading = np.linalg.eigh(data.covariances)[1][:, -1]
    outside = max(
        share_outside(spins @ mode, sample.spins @ mode, sample.weights) for mode in (np.ones(sites), leading)
    )
    return PredictiveCheck(
        distance(data.magnetisations, model.magnetisations),
        distance(data.pair_moments[upper], model.pair_moments[:, *upper]),
        distance(products(spins, weights / weights.sum(), triplets), thirds),
        count_law(spins, weights / weights.sum()),
        count_law(sample.spins, sample.weights),
        outside,
        outside > max(RUNAWAY, ROWS / data.samples),
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
