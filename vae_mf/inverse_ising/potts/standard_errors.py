"""Standard errors of Potts models: posterior widths, and the scatter of repeated fits where there is no prior.

As for Ising models (`solvers.standard_errors`), whose errors these are for two states. Covariances are those of the
coordinates K_ij and k_i; a coupling J_ij(a, b) has the variance of its combination of the (q - 1)^2 of its pair.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.coordinates import Coordinates, Vector
from vae_mf.inverse_ising.potts.model import (
    PottsParameters,
    StateCouplings,
    StateFields,
    conditionals,
    local_fields,
    over_sites,
)
from vae_mf.inverse_ising.potts.regression import PottsRegression
from vae_mf.inverse_ising.potts.rows import Picks, PottsRows
from vae_mf.inverse_ising.solvers.information import PART, inverted

Matrix = Float[np.ndarray, "parameters parameters"]
Numbers = Int[np.ndarray, "degrees features"]
"""Numbers of the coordinates in a site's regression, by its own coordinate and by a coordinate of another site or 1."""
BLOCK = 2**12


class Covariances(NamedTuple):
    """Covariances of the coordinates of every pair of sites i < j, and of every field."""

    pairs: Float[np.ndarray, "pairs coordinates coordinates"]
    fields: Float[np.ndarray, "sites degrees degrees"]
    open_pairs: Float[np.ndarray, "pairs coordinates coordinates"]
    """Projections on directions that the data do not tell, whose variance is infinite."""
    open_fields: Float[np.ndarray, "sites degrees degrees"]


class PottsErrors(NamedTuple):
    """One standard deviation of every coupling and field, in zero-sum gauge."""

    couplings: StateCouplings
    fields: StateFields

    def at_least(self, others: "PottsErrors") -> "PottsErrors":
        """Return the larger of two errors of every parameter."""
        return PottsErrors(np.maximum(self.couplings, others.couplings), np.maximum(self.fields, others.fields))

    def doubted(self, problem: PottsRegression, model: PottsParameters) -> "PottsErrors":
        """Return errors with the doubts of a problem's weights."""
        values, _ = over_sites(model, problem.coordinates.states)
        doubts = np.zeros(values.shape[:2])
        doubts[problem.coordinates.first, problem.coordinates.second] = problem.doubts
        doubts += doubts.T
        return self._replace(couplings=np.sqrt(self.couplings**2 + doubts[:, :, None, None] * values**2))

    def unknown(self, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> "PottsErrors":
        """Return infinite errors for pairs of sites, and for their fields."""
        self.couplings[first, second] = self.couplings[second, first] = np.inf
        self.fields[np.union1d(first, second)] = np.inf
        return self


def posterior_errors(problem: PottsRegression, model: PottsParameters) -> PottsErrors:
    """Return the posterior widths of J and h under the Gaussian priors of the problem's penalties.

    The parameters of site i are normal with covariance H_i^-1 / M, H_i the mean Hessian of its penalised objective.
    K_ij is known from nearly the same information at both sites, so that it has the mean of both precisions, and errors
    are infinite where neither tells. Time O(M N^3 q^4), memory O(N^2 q^4).
    """
    coordinates = problem.coordinates
    degrees = coordinates.states - 1
    samples = problem.data.samples
    precisions = np.zeros((len(coordinates.first), degrees**2, degrees**2))
    fields, open_fields = np.zeros((2, coordinates.sites, degrees, degrees))
    regressions = SiteRegressions(problem.data, coordinates, model)
    for site in range(coordinates.sites):
        numbers = site_numbers(coordinates, site)
        hessian = regressions.hessian(site) + np.diag(problem.ridges[numbers.ravel()])
        inverse = inverted(hessian, 1.0)
        places = np.arange(numbers.size).reshape(numbers.shape)
        own = inverse.part(places[:, -1])
        fields[site], open_fields[site] = own.matrix / samples, own.projection
        for first in range(0, numbers.shape[1] - 1, degrees):
            theirs = numbers[:, first : first + degrees].ravel()
            # The order of the pair's coordinates, whichever of its sites comes first.
            chosen = places[:, first : first + degrees].ravel()[np.argsort(theirs)]
            precisions[theirs.min() // degrees**2] += samples * inverse.marginal(chosen) / 2
    inverses = [inverted(precision, samples) for precision in precisions]
    pairs, open_pairs = (np.array([getattr(each, name) for each in inverses]) for name in ("matrix", "projection"))
    return state_errors(coordinates, Covariances(pairs, fields, open_pairs, open_fields))


def sandwich_errors(problem: PottsRegression, model: PottsParameters) -> PottsErrors:
    """Return the standard errors of J and h at the minimum without a prior of J, and at least those of the curvature.

    They are H^-1 V H^-1, with H the curvature and V the covariance of the rows' gradients, which needs no model to be
    true (White 1982); events that did not happen are missing in V. Memory O(N^4 q^4).
    """
    coordinates = problem.coordinates
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
    found = inverted(curvature, 1.0)
    inverse = found.matrix / problem.data.samples
    scattered = inverse @ spread @ inverse * problem.data.samples
    scatter, width = (diagonal_blocks(coordinates, each, found.projection) for each in (scattered, inverse))
    return state_errors(coordinates, scatter).at_least(state_errors(coordinates, width))


def likelihood_errors(
    coordinates: Coordinates, picks: Picks, weights: Weights, samples: float, ridges: Vector
) -> PottsErrors:
    """Return the posterior widths of J and h, from (F + ridge)^-1 / M with F the covariances of a model's rows."""
    size = coordinates.size
    second = np.zeros((size, size))
    first = np.zeros(size)
    for start in range(0, len(picks), BLOCK):
        share = weights[start : start + BLOCK]
        values = features(coordinates, picks[start : start + BLOCK])
        products = values[:, coordinates.first, :, None] * values[:, coordinates.second, None]
        rows = np.hstack([products.reshape(len(values), -1), values.reshape(len(values), -1)])
        first += share @ rows
        second += (rows * share[:, None]).T @ rows
    found = inverted(second - np.outer(first, first) + np.diag(ridges), 1.0)
    return state_errors(coordinates, diagonal_blocks(coordinates, found.matrix / samples, found.projection))


def bytes_of_posterior(sites: int, states: int) -> int:
    """Return about the number of bytes of `posterior_errors` beyond the rows."""
    return 56 * ((states - 1) ** 2 * sites) ** 2


def bytes_of_all(sites: int, states: int) -> int:
    """Return about the number of bytes of `sandwich_errors` and `likelihood_errors` beyond the rows."""
    return 72 * (sites * (sites - 1) // 2 * (states - 1) ** 2) ** 2


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


def diagonal_blocks(coordinates: Coordinates, matrix: Matrix, projection: Matrix) -> Covariances:
    """Return the blocks of pairs and of fields of the covariances of all coordinates, and of what is not told."""
    degrees = coordinates.states - 1
    pairs = np.arange(coordinates.couplings).reshape(-1, degrees**2)
    fields = np.arange(coordinates.couplings, coordinates.size).reshape(-1, degrees)
    blocks = [
        each[numbers[:, :, None], numbers[:, None]] for each in (matrix, projection) for numbers in (pairs, fields)
    ]
    return Covariances(*blocks)


def state_errors(coordinates: Coordinates, covariances: Covariances) -> PottsErrors:
    """Return the errors of J and h from the covariances of their coordinates, infinite in directions not told."""
    sites, states = coordinates.sites, coordinates.states
    bases = coordinates.bases
    couplings = np.zeros((sites, sites, states, states))
    ends = coordinates.first, coordinates.second
    for i, j, block, left in zip(*ends, covariances.pairs, covariances.open_pairs, strict=True):
        errors = combined_errors(np.kron(bases[i], bases[j]), block, left).reshape(states, states)
        couplings[i, j] = errors
        couplings[j, i] = errors.T
    fields = map(combined_errors, bases, covariances.fields, covariances.open_fields)
    return PottsErrors(couplings, np.array(list(fields)))


def combined_errors(
    rows: Float[np.ndarray, "states degrees"],
    covariance: Float[np.ndarray, "degrees degrees"],
    projection: Float[np.ndarray, "degrees degrees"],
) -> Float[np.ndarray, " states"]:
    """Return the errors of combinations of coordinates, each a row, infinite where one has a part not told.

    >>> combined_errors(np.eye(2), np.diag([4.0, 0.0]), np.diag([0.0, 1.0]))
    array([ 2., inf])
    """
    variances, left = (((rows @ each) * rows).sum(axis=1) for each in (covariance, projection))
    return np.where(left > PART * (rows**2).sum(axis=1), np.inf, np.sqrt(np.maximum(variances, 0)))
