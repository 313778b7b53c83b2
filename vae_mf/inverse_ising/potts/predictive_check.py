"""Posterior predictive check of a Potts model: data against rows that the model draws."""

from typing import NamedTuple

import numpy as np

from vae_mf.inverse_ising.potts.chains import ISLANDS
from vae_mf.inverse_ising.potts.coordinates import Coordinates
from vae_mf.inverse_ising.potts.likelihood import Iterate, Penalised, SampledLikelihood
from vae_mf.inverse_ising.potts.model import PottsParameters
from vae_mf.inverse_ising.potts.rows import ColumnMatrix, ColumnVector, Picks, PottsRows, pair_frequencies
from vae_mf.inverse_ising.predictive_check import CHAINS, SWEEPS, is_runaway, phase_sentence, share_outside
from vae_mf.inverse_ising.solvers.model_samples import island_error


class PottsPredictiveCheck(NamedTuple):
    """Differences between data and a model's own rows, which show what no conditional probability of a site shows."""

    means: float
    """Root mean square difference of f_i(a) in units of its error, about 1 for rows of the law behind the data."""
    pairs: float
    """Root mean square difference of f_ij(a, b), likewise."""
    outside: float
    """Share of the model's rows beyond all rows of the data, by the number of sites in a state or in their most common
    one, along the leading mode of the covariances, or along that in which the model scatters most more."""
    runaway: bool
    """True if these rows are a phase that the data do not have."""

    def __str__(self) -> str:
        """One line for a table or a terminal."""
        text = f"means {self.means:.2g}, pairs {self.pairs:.2g} errors from the data"
        return text + phase_sentence(self.outside) if self.runaway else text


def predictive_check(data: PottsRows, model: PottsParameters, random: np.random.Generator) -> PottsPredictiveCheck:
    """Return the differences between data and rows of a model, annealed so that every phase has its weight."""
    coordinates = Coordinates(data.frequencies, data.states)
    penalised = Penalised(data, coordinates, np.zeros(coordinates.size))
    sample = SampledLikelihood(penalised, CHAINS, SWEEPS, random).at(coordinates.vector(model), 2.0 * CHAINS)
    islands = sample.picks.reshape(ISLANDS, -1, data.sites)
    equal = np.full(islands.shape[1], 1 / islands.shape[1])
    own = np.array([pair_frequencies(picks, equal, data.states) for picks in islands])
    expected = data.pair_frequencies
    site = np.arange(len(expected)) // data.states

    def distance(chosen: np.ndarray) -> float:
        return frequency_distance(expected[chosen], own[:, chosen], sample, data.samples)

    modes = leading_modes(data, np.tensordot(sample.shares, own, 1), coordinates)
    seen = projections(data.picks, data, modes)
    drawn = projections(sample.picks, data, modes)
    outside = max(share_outside(*both, sample.weights) for both in zip(seen, drawn, strict=True))
    means = distance(np.eye(len(expected), dtype=bool))
    pairs = distance(site[:, None] < site)
    return PottsPredictiveCheck(means, pairs, outside, is_runaway(outside, data.samples))


def frequency_distance(expected: ColumnVector, islands: np.ndarray, sample: Iterate, samples: float) -> float:
    """Return the root mean square difference of frequencies in units of its error.

    Args:
        expected: frequencies of the data.
        islands: those of each island of the model's rows, shape (islands, frequencies).
    """
    own = sample.shares @ islands
    # A frequency of zero among the model's rows is one below their resolution.
    scatter = np.maximum(own * (1 - own), 1 / len(sample.picks)) / samples
    variances = scatter + island_error(sample.log_partitions, islands) ** 2
    return float(np.sqrt(np.mean((own - expected) ** 2 / variances)))


def leading_modes(data: PottsRows, own: ColumnMatrix, coordinates: Coordinates) -> list[ColumnVector]:
    """Return two modes over the one-hot columns: that of most scatter in the data, and of most more in the model.

    Args:
        own: frequencies of pairs of the model's rows, and of single states on the diagonal.
    """
    f = data.frequencies
    mean = np.outer(np.diag(own), f)
    matrices = data.pair_frequencies - np.outer(f, f), own - data.pair_frequencies + 2 * np.outer(f, f) - mean - mean.T
    modes = [np.linalg.eigh(coordinates.projected(matrix))[1][:, -1] for matrix in matrices]
    return [np.einsum("iak,ik->ia", coordinates.bases, mode.reshape(data.sites, -1)).ravel() for mode in modes]


def projections(picks: Picks, data: PottsRows, modes: list[ColumnVector]) -> list[np.ndarray]:
    """Return numbers of rows that show a phase, each as an array over the rows: counts of sites, and modes."""
    states = picks % data.states
    counts = [(states == state).sum(axis=1) for state in range(data.states)]
    common = data.frequencies.reshape(data.sites, -1).argmax(axis=1)
    return [*counts, (states == common).sum(axis=1), *(mode[picks].sum(axis=1) for mode in modes)]
