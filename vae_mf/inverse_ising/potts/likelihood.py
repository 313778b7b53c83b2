"""Penalised likelihood of Potts models, from all rows or from annealed populations of chains."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.chains import ISLANDS, annealed_population
from vae_mf.inverse_ising.potts.coordinates import Coordinates, Vector
from vae_mf.inverse_ising.potts.model import exponents
from vae_mf.inverse_ising.potts.rows import Picks, PottsRows, all_rows, pair_frequencies, picked
from vae_mf.inverse_ising.solvers.annealing import jackknife_error
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points

SETTLING = 5
"""Sweeps after annealing."""


class Penalised:
    """Mean log-likelihood of data less l2 / (2 M) sum_{i<j} <J_ij(a, b)^2> + fields_l2 / (2 M) sum_i <h_i(a)^2>.

    Args:
        ridges: second derivatives of the penalty by the coordinates, l2 / M and fields_l2 / M.
    """

    def __init__(self, data: PottsRows, coordinates: Coordinates, ridges: Vector):
        self.data, self.coordinates, self.ridges = data, coordinates, ridges
        self.targets = self.moments(data.picks, data.shares)
        """Moments of the data."""
        self.variances = np.maximum(coordinates.pair_variances(), 1 / data.samples)
        """Variances of the moments in one row of independent sites, about."""

    def moments(self, picks: Picks, weights: Weights) -> Vector:
        """Return the means of the products B_i(x_i, k) B_j(x_j, l) and of B_i(x_i, k)."""
        pairs = pair_frequencies(picks, weights, self.data.states)
        return self.coordinates.gradient(pairs, np.diag(pairs).copy())

    def value(self, vector: Vector, log_partition: float) -> float:
        """Return the penalised likelihood of a model with its ln Z, in nats per row."""
        return float(vector @ self.targets - log_partition - vector**2 @ self.ridges / 2)

    def exponents(self, picks: Picks, vector: Vector) -> Weights:
        """Return ln p(x) + ln Z of rows under a model, or its change along a direction."""
        return exponents(picks, self.coordinates.model(vector))


class EnumeratedLikelihood:
    """Minus the penalised likelihood with a sum over all rows, to be minimised."""

    def __init__(self, penalised: Penalised):
        self._penalised = penalised
        data = penalised.data
        self._picks = picked(all_rows(data.sites, data.states), data.states)

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return the objective and its gradient, in double precision whatever the type."""
        vector = points[:, 0]
        values = self._penalised.exponents(self._picks, vector)
        moments = self._penalised.moments(self._picks, softmax(values))
        gradient = moments - self._penalised.targets + self._penalised.ridges * vector
        return Evaluation(np.array([-self._penalised.value(vector, logsumexp(values))]), gradient[:, None])

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return the gradient over the curvatures at independent sites."""
        return gradients / (self._penalised.variances + self._penalised.ridges)[:, None]


class Iterate(NamedTuple):
    """A model with rows of its own, and what they say of the penalised likelihood."""

    vector: Vector
    picks: Picks
    """Rows of the model, islands one after the other."""
    weights: Weights
    """Weights of these rows, summing to 1."""
    log_partitions: np.ndarray
    """ln Z by each island of chains."""
    value: float
    gradient: Vector
    noise: float
    """Mean square Monte Carlo error of the moments in units of the statistical variances."""

    @property
    def shares(self) -> np.ndarray:
        """Weight of each island, proportional to its Z."""
        return softmax(self.log_partitions)

    @property
    def error(self) -> float:
        """Standard error of the likelihood."""
        return jackknife_error(self.shares)

    def island_means(self, values: Weights) -> np.ndarray:
        """Return the mean of a value of all rows within every island."""
        return values.reshape(len(self.log_partitions), -1).mean(axis=1)


class SampledLikelihood:
    """Penalised likelihood with a population of chains annealed for every model.

    Args:
        chains: number of chains, rounded up to whole islands.
        sweeps: number of sweeps between the rows that a chain contributes.
    """

    def __init__(self, penalised: Penalised, chains: int, sweeps: int, random: np.random.Generator):
        self.penalised = penalised
        self._count = -(-chains // ISLANDS) * ISLANDS
        self._sweeps, self._random = sweeps, random

    def at(self, vector: Vector, rows: float) -> Iterate:
        """Return a model with at least so many rows of its own."""
        data = self.penalised.data
        model = self.penalised.coordinates.model(vector)
        chains, annealed = annealed_population(model, data.states, self._count, self._random)
        chains.sweep(model, SETTLING)
        records = []
        for _ in range(max(1, int(np.ceil(rows / self._count)))):
            chains.sweep(model, self._sweeps)
            records.append(chains.picks.reshape(ISLANDS, -1, data.sites).copy())
        picks = np.concatenate(records, axis=1).reshape(-1, data.sites)
        start = data.sites * np.log(data.states)
        islands = annealed.log_weights[:: self._count // ISLANDS] + start
        return self._iterate(vector, picks, islands)

    def _iterate(self, vector: Vector, picks: Picks, islands: np.ndarray) -> Iterate:
        weights = np.repeat(softmax(islands) * ISLANDS / len(picks), len(picks) // ISLANDS)
        halves = []
        for half in np.split(np.arange(len(picks)), 2):
            halves.append(self.penalised.moments(picks[half], weights[half] / weights[half].sum()))
        share = float(weights[: len(picks) // 2].sum())
        moments = share * halves[0] + (1 - share) * halves[1]
        noise = self.mean_square((halves[0] - halves[1]) / 2)
        gradient = self.penalised.targets - moments - self.penalised.ridges * vector
        value = self.penalised.value(vector, logsumexp(islands) - np.log(ISLANDS))
        return Iterate(vector, picks, weights, islands, value, gradient, noise)

    def mean_square(self, values: Vector) -> float:
        """Return the mean square of moments, or of their errors, in units of the statistical variances of the data."""
        return float(self.penalised.data.samples * (values**2 / self.penalised.variances).mean())
