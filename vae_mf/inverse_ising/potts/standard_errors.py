"""Standard errors of Potts models: posterior widths, and the scatter of repeated fits where there is no prior.

As for Ising models (`solvers.standard_errors`), whose errors these are for two states. Covariances are those of the
coordinates K_ij and k_i; a coupling J_ij(a, b) has the variance of its combination of the (q - 1)^2 of its pair.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.checks import require_memory
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.coordinates import Coordinates, Vector
from vae_mf.inverse_ising.potts.model import PottsParameters, StateCouplings, StateFields, conditionals, local_fields
from vae_mf.inverse_ising.potts.regression import PottsRegression
from vae_mf.inverse_ising.potts.rows import Picks, PottsRows

Matrix = Float[np.ndarray, "parameters parameters"]
Numbers = Int[np.ndarray, "degrees features"]
"""Numbers of the coordinates in a site's regression, by its own coordinate and by a coordinate of another site or 1."""
BLOCK = 2**12
ADVICE = "fit with standard_errors=False, leave out sites, or lump rare states"


class Covariances(NamedTuple):
    """Covariances of the coordinates of every pair of sites i < j, and of every field."""

    pairs: Float[np.ndarray, "pairs coordinates coordinates"]
    fields: Float[np.ndarray, "sites degrees degrees"]


class PottsErrors(NamedTuple):
    """One standard deviation of every coupling and field, in zero-sum gauge."""

    couplings: StateCouplings
    fields: StateFields

    def at_least(self, others: "PottsErrors") -> "PottsErrors":
        """Return the larger of two errors of every parameter."""
        return PottsErrors(np.maximum(self.couplings, others.couplings), np.maximum(self.fields, others.fields))

    def unknown(self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> "PottsErrors":
        """Return infinite errors for pairs of sites, and for their fields."""
        self.couplings[first, second] = self.couplings[second, first] = np.inf
        self.fields[np.union1d(first, second)] = np.inf
        return self


def posterior_errors(problem: PottsRegression, model: PottsParameters) -> PottsErrors:
    """Return the posterior widths of J and h under the Gaussian priors of the problem's penalties.

    The parameters of site i are normal with covariance H_i^-1 / M, H_i the mean Hessian of its penalised objective.
    K_ij is known from nearly the same information at both sites, so that it has the mean of both precisions. Time
    O(M N^3 q^4), memory O(N^2 q^4).
    """
    coordinates = problem.coordinates
    degrees = coordinates.states - 1
    side = degrees * (degrees * (coordinates.sites - 1) + 1)
    require_memory(f"standard errors of {coordinates.sites} sites of {coordinates.states} states", 32 * side**2, ADVICE)
    precisions = np.zeros((len(coordinates.first), degrees**2, degrees**2))
    fields = np.zeros((coordinates.sites, degrees, degrees))
    regressions = SiteRegressions(problem.data, coordinates, model)
    for site in range(coordinates.sites):
        numbers = site_numbers(coordinates, site)
        hessian = regressions.hessian(site) + np.diag(problem.ridges[numbers.ravel()])
        inverse = np.linalg.pinv(hessian, hermitian=True).reshape(*numbers.shape, *numbers.shape) / problem.data.samples
        fields[site] = inverse[:, -1, :, -1]
        others = np.delete(np.arange(coordinates.sites), site)
        for place, other in enumerate(others):
            theirs = slice(degrees * place, degrees * (place + 1))
            block = inverse[:, theirs, :, theirs]
            if other < site:
                block = block.transpose(1, 0, 3, 2)
            pair = numbers[0, theirs.start] // degrees**2
            precisions[pair] += np.linalg.pinv(block.reshape(degrees**2, -1), hermitian=True) / 2
    return state_errors(coordinates, Covariances(np.linalg.pinv(precisions, hermitian=True), fields))


def sandwich_errors(problem: PottsRegression, model: PottsParameters) -> PottsErrors:
    """Return the standard errors of J and h at the minimum without a prior of J, and at least those of the curvature.

    They are H^-1 V H^-1, with H the curvature and V the covariance of the rows' gradients, which needs no model to be
    true (White 1982); events that did not happen are missing in V. Memory O(N^4 q^4).
    """
    coordinates = problem.coordinates
    size = coordinates.size
    require_memory(f"standard errors of {size} parameters", 48 * size**2, ADVICE + ", or set l2 > 0")
    curvature = np.diag(np.r_[np.zeros(coordinates.couplings), problem.ridges[coordinates.couplings :]])
    spread = curvature.copy()
    regressions = SiteRegressions(problem.data, coordinates, model)
    for site in range(coordinates.sites):
        numbers = site_numbers(coordinates, site).ravel()
        curvature[np.ix_(numbers, numbers)] += regressions.hessian(site)
    for first in range(0, len(problem.data.picks), BLOCK):
        part = slice(first, first + BLOCK)
        gradients = regressions.gradients(part)
        spread += (gradients * problem.data.shares[part, None]).T @ gradients
    inverse = np.linalg.pinv(curvature, hermitian=True) / problem.data.samples
    scattered = inverse @ spread @ inverse * problem.data.samples
    blocks = [state_errors(coordinates, diagonal_blocks(coordinates, each)) for each in (scattered, inverse)]
    return blocks[0].at_least(blocks[1])


def likelihood_errors(
    coordinates: Coordinates, picks: Picks, weights: Weights, samples: float, ridges: Vector
) -> PottsErrors:
    """Return the posterior widths of J and h, from (F + ridge)^-1 / M with F the covariances of a model's rows."""
    size = coordinates.size
    require_memory(f"standard errors of {size} parameters", 40 * size**2, ADVICE)
    second = np.zeros((size, size))
    first = np.zeros(size)
    for start in range(0, len(picks), BLOCK):
        share = weights[start : start + BLOCK]
        values = features(coordinates, picks[start : start + BLOCK])
        products = values[:, coordinates.first, :, None] * values[:, coordinates.second, None]
        rows = np.hstack([products.reshape(len(values), -1), values.reshape(len(values), -1)])
        first += share @ rows
        second += (rows * share[:, None]).T @ rows
    information = second - np.outer(first, first) + np.diag(ridges)
    return state_errors(coordinates, diagonal_blocks(coordinates, np.linalg.inv(information) / samples))


class SiteRegressions:
    """Regressions of every site on the others at a model, of K_ij of all other sites j and k_i."""

    def __init__(self, data: PottsRows, coordinates: Coordinates, model: PottsParameters):
        self._data, self._coordinates = data, coordinates
        self._features = features(coordinates, data.picks)
        self._laws = np.zeros((len(data.picks), coordinates.sites, coordinates.states))
        for tile in local_fields(data.picks, model, coordinates.states, np.float64):
            self._laws[tile.rows, tile.sites] = conditionals(tile, data.picks).probabilities

    def hessian(self, site: int) -> Matrix:
        """Return the mean Hessian, <D x G G^T> with D the covariances of the site's coordinates and G the others'."""
        basis = self._coordinates.bases[site]
        law = self._laws[:, site]
        others = self._others(site, slice(None))
        means = law @ basis
        degrees = basis.shape[1]
        result = np.zeros((degrees, others.shape[1], degrees, others.shape[1]))
        for k in range(degrees):
            for m in range(k + 1):
                weights = self._data.shares * (law @ (basis[:, k] * basis[:, m]) - means[:, k] * means[:, m])
                result[k, :, m] = result[m, :, k] = (others * weights[:, None]).T @ others
        return result.reshape(degrees * others.shape[1], -1)

    def gradients(self, part: slice) -> Float[np.ndarray, "rows parameters"]:
        """Return the gradient of every row's log pseudo-likelihood by all coordinates."""
        result = np.zeros((len(self._features[part]), self._coordinates.size))
        for site in range(self._coordinates.sites):
            own = self._features[part, site] - self._laws[part, site] @ self._coordinates.bases[site]
            numbers = site_numbers(self._coordinates, site).ravel()
            result[:, numbers] += (own[:, :, None] * self._others(site, part)[:, None]).reshape(len(own), -1)
        return result

    def _others(self, site: int, part: slice) -> Float[np.ndarray, "rows features"]:
        """Return the coordinates of all other sites, and 1."""
        values = np.delete(self._features[part], site, axis=1)
        return np.hstack([values.reshape(len(values), -1), np.ones((len(values), 1))])


def features(coordinates: Coordinates, picks: Picks) -> Float[np.ndarray, "rows sites degrees"]:
    """Return the coordinates B_i(x_i, k) of every row."""
    return coordinates.bases.reshape(-1, coordinates.states - 1)[picks]


def site_numbers(coordinates: Coordinates, site: int) -> Numbers:
    """Return the numbers of K_ij, j the other sites, and of k_i among all coordinates.

    >>> site_numbers(Coordinates(np.full(6, 0.5), 2), 1)
    array([[0, 2, 4]])
    """
    degrees = coordinates.states - 1
    table = np.arange(coordinates.couplings).reshape(-1, degrees, degrees)
    here, there = coordinates.first == site, coordinates.second == site
    # In the order of the other sites: those before come from pairs whose second site this is.
    blocks = np.concatenate([table[there].transpose(0, 2, 1), table[here]])
    own = coordinates.couplings + site * degrees + np.arange(degrees)
    return np.hstack([blocks.transpose(1, 0, 2).reshape(degrees, -1), own[:, None]])


def diagonal_blocks(coordinates: Coordinates, matrix: Matrix) -> Covariances:
    """Return the blocks of pairs and of fields of the covariances of all coordinates."""
    degrees = coordinates.states - 1
    pairs = np.arange(coordinates.couplings).reshape(-1, degrees**2)
    fields = np.arange(coordinates.couplings, coordinates.size).reshape(-1, degrees)
    return Covariances(*(matrix[numbers[:, :, None], numbers[:, None]] for numbers in (pairs, fields)))


def state_errors(coordinates: Coordinates, covariances: Covariances) -> PottsErrors:
    """Return the errors of J and h from the covariances of their coordinates."""
    sites, states = coordinates.sites, coordinates.states
    bases = coordinates.bases
    couplings = np.zeros((sites, sites, states, states))
    for i, j, block in zip(coordinates.first, coordinates.second, covariances.pairs, strict=True):
        turn = np.kron(bases[i], bases[j])
        errors = np.sqrt(np.maximum(((turn @ block) * turn).sum(axis=1), 0)).reshape(states, states)
        couplings[i, j] = errors
        couplings[j, i] = errors.T
    variances = np.einsum("iak,ikl,ial->ia", bases, covariances.fields, bases)
    return PottsErrors(couplings, np.sqrt(np.maximum(variances, 0)))
