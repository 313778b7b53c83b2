"""Joint regressions of every spin on all others and on products of two, for energies with terms of three spins.

With d = s - m, theta_i = a_i + sum_j B_ij d_j + sum_{j<k} K_ijk d_j d_k: products of deviations are nearly independent
where products of spins are not. B_ij is the coupling of two spins while all others are at their means.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import lapack

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points
from vae_mf.inverse_ising.solvers.local_regression import LOGISTIC, RIDGE, ROWS
from vae_mf.statistics.distinct import DistinctSpins

Triplets = Int[np.ndarray, "triplets 3"]
Values = Float[np.ndarray, " triplets"]


class TripletModel(NamedTuple):
    """Model p(s) proportional to exp(sum_i h_i s_i + sum_{i<j} J_ij s_i s_j + sum_{i<j<k} K_ijk s_i s_j s_k)."""

    couplings: Couplings
    fields: Fields
    values: Values
    """K of every triplet."""


class TripletGraph:
    """Triplets of N sites, and the pairs that they leave when one site is taken out."""

    def __init__(self, triplets: Triplets, sites: int):
        self.triplets = triplets
        self.sites = sites
        left = [triplets[:, list(pair)] for pair in combinations(range(3), 2)][::-1]
        self.pairs, numbers = np.unique(np.concatenate(left), axis=0, return_inverse=True)
        self.rest = numbers.reshape(3, -1).T
        """Number of the pair that is left without each of the three sites, shape (triplets, 3)."""

    def spread(self, values: Values) -> Float[np.ndarray, "pairs sites"]:
        """Return K_ijk of every pair (j, k) and site i."""
        table = np.zeros((len(self.pairs), self.sites))
        table[self.rest, self.triplets] = values[:, None]
        return table

    def gathered(self, table: Float[np.ndarray, "pairs sites"]) -> Float[np.ndarray, "triplets 3"]:
        """Return the entries of a table of pairs and sites for the three sites of every triplet."""
        return table[self.rest, self.triplets]

    def products(self, values: Float[np.ndarray, "rows sites"]) -> Float[np.ndarray, "rows pairs"]:
        """Return the product of every pair."""
        return values[:, self.pairs[:, 0]] * values[:, self.pairs[:, 1]]

    def contracted(self, values: Values, means: Fields) -> Couplings:
        """Return sum_k K_ijk m_k, shape (N, N)."""
        result = np.zeros((self.sites, self.sites))
        for place, (one, other) in enumerate(((1, 2), (0, 2), (0, 1))):
            i, j = self.triplets[:, one], self.triplets[:, other]
            np.add.at(result, (i, j), values * means[self.triplets[:, place]])
        return result + result.T


class Posterior(NamedTuple):
    """Variances of the parameters, each the inverse of the mean precision in the regressions where it stands."""

    couplings: Couplings
    """Those of J, the couplings of the spins themselves."""
    fields: Fields
    values: Values


class TripletRegression:
    """Sum over spins of <ln(1 + exp(-2 s_i theta_i))> with Gaussian priors, as one problem of (B, K, a).

    Args:
        ridge: lambda / M of every B_ij, shape (N, N); it counts in both regressions of a pair.
    """

    def __init__(self, data: DistinctSpins, graph: TripletGraph, ridge: Couplings):
        self.data, self.graph, self.ridge = data, graph, ridge
        self.means = data.shares @ data.spins
        self.upper = np.triu_indices(graph.sites, 1)
        self.penalise(0.0)
        self.bend(np.ones(graph.sites))

    def penalise(self, strengths: float | Values) -> None:
        """Set the precision lambda of the prior of K, one for all or one for each."""
        self.strengths = np.broadcast_to(np.asarray(strengths, float), len(self.graph.triplets))

    def bend(self, curvatures: Fields) -> None:
        """Set the mean curvatures of the spins' losses, for the preconditioner."""
        spreads = 1 - self.means**2
        pairs = np.outer(curvatures, spreads) + self.ridge
        others = self.graph.gathered(np.outer(spreads[self.graph.pairs].prod(axis=1), curvatures)).sum(axis=1)
        triplets = others + 3 * self.strengths / self.data.samples
        self._diagonal = np.concatenate([(pairs + pairs.T)[self.upper], triplets, curvatures]) + RIDGE

    def points(self, model: TripletModel) -> Points:
        """Return (B, K, a) of a model."""
        mixed = self.graph.contracted(model.values, self.means)
        centred = model.couplings + mixed
        levels = model.fields + centred @ self.means - mixed @ self.means / 2
        return np.concatenate([centred[self.upper], model.values, levels])[:, None]

    def model(self, points: Points) -> TripletModel:
        """Return J, h and K."""
        centred, values, levels = self._split(points)
        mixed = self.graph.contracted(values, self.means)
        return TripletModel(centred - mixed, levels - centred @ self.means + mixed @ self.means / 2, values)

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return the objective and its gradient."""
        centred, values, levels = self._split(points)
        table = self.graph.spread(values).astype(dtype)
        total = 0.0
        of_pairs = np.zeros_like(centred)
        of_table = np.zeros(table.shape)
        of_levels = np.zeros_like(levels)
        for spins, shares, deviations, products in self._blocks(dtype):
            margins = spins * (deviations @ centred.astype(dtype) + products @ table + levels.astype(dtype))
            losses, slopes = LOGISTIC.evaluate(margins)
            total += float(shares @ losses.sum(axis=1))
            slopes *= spins * shares[:, None]
            of_pairs += deviations.T @ slopes
            of_table += products.T @ slopes
            of_levels += slopes.sum(axis=0)
        pulls = self.strengths / self.data.samples * values
        total += float((self.ridge * centred**2).sum() + 3 * pulls @ values) / 2
        pairs = of_pairs + of_pairs.T + 2 * self.ridge * centred
        triplets = self.graph.gathered(of_table).sum(axis=1) + 3 * pulls
        return Evaluation(np.array([total]), np.concatenate([pairs[self.upper], triplets, of_levels])[:, None])

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return the inverse of the Hessian's diagonal times the gradient."""
        return gradients / self._diagonal[:, None]

    def posterior(self, points: Points) -> Posterior:
        """Return the variances of J, h and K, from the inverse Hessian of every spin's regression.

        Time O(M N^5) for all triplets, memory O(N^4). A regression whose Hessian is singular knows nothing.
        """
        sites = self.graph.sites
        couplings = np.zeros((sites, sites))
        fields = np.zeros(sites)
        table = np.zeros((len(self.graph.pairs), sites))
        for site in range(sites):
            pairs = np.unique(self.graph.rest[self.graph.triplets == site])
            inverse = self._inverse(points, site, pairs)
            if inverse is None:
                fields[site] = np.inf
                continue
            others = np.delete(np.arange(sites), site)
            to_spins = self._to_spins(pairs, others)
            variances = np.einsum("pf,fg,pg->p", to_spins, inverse, to_spins, optimize=True)
            couplings[site, others] = 1 / variances[:-1]
            fields[site] = variances[-1]
            table[pairs, site] = 1 / np.diag(inverse)[sites - 1 : -1]
        with np.errstate(divide="ignore"):
            pairwise = np.where(np.eye(sites, dtype=bool), 0.0, 2 / (couplings + couplings.T))
            values = 3 / self.graph.gathered(table).sum(axis=1)
        return Posterior(pairwise, fields, values)

    def _to_spins(self, pairs: Int[np.ndarray, " pairs"], others: Int[np.ndarray, " others"]) -> np.ndarray:
        """Return the map of (B_i, K_i, a_i) to (J_i, h_i), shape (N, features)."""
        ends = self.graph.pairs[pairs]
        places = np.searchsorted(others, ends)
        count = len(others)
        result = np.zeros((count + 1, count + len(pairs) + 1))
        result[:count, :count] = np.eye(count)
        numbers = count + np.arange(len(pairs))
        result[places[:, 0], numbers] = -self.means[ends[:, 1]]
        result[places[:, 1], numbers] = -self.means[ends[:, 0]]
        result[count, :count] = -self.means[others]
        result[count, numbers] = self.means[ends].prod(axis=1)
        result[count, -1] = 1
        return result

    def _inverse(self, points: Points, site: int, pairs: Int[np.ndarray, " pairs"]) -> np.ndarray | None:
        """Return the inverse Hessian of a spin's regression with its priors, in (B_i, K_i, a_i), None if singular."""
        centred, values, levels = self._split(points)
        weights = self.graph.spread(values)[pairs, site].astype(np.float32)
        others = np.delete(np.arange(self.graph.sites), site)
        size = len(others) + len(pairs) + 1
        hessian = np.zeros((size, size))
        for _, shares, deviations, products in self._blocks(np.float32):
            chosen = products[:, pairs]
            theta = deviations @ centred[:, site].astype(np.float32) + chosen @ weights + np.float32(levels[site])
            curvatures, _ = LOGISTIC.expected(theta)
            features = np.hstack([deviations[:, others], chosen, np.ones((len(chosen), 1), np.float32)])
            hessian += (features * (shares * curvatures)[:, None]).T @ features
        owned = self.graph.spread(self.strengths)[pairs, site] / self.data.samples
        hessian[np.diag_indices(size)] += np.concatenate([self.ridge[others, site], owned, [0.0]]) + RIDGE
        factor, failed = lapack.dpotrf(hessian)
        if failed:
            return None
        inverse = lapack.dpotri(factor)[0] / self.data.samples
        return np.triu(inverse) + np.triu(inverse, 1).T

    def curvatures(self, points: Points) -> Fields:
        """Return the mean second derivatives of the spins' losses, as the model expects them."""
        centred, values, levels = self._split(points)
        table = self.graph.spread(values).astype(np.float32)
        result = np.zeros(len(levels))
        for _, shares, deviations, products in self._blocks(np.float32):
            theta = deviations @ centred.astype(np.float32) + products @ table + levels.astype(np.float32)
            result += shares @ LOGISTIC.expected(theta)[0]
        return result

    def _blocks(self, dtype: type) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield spins, shares, deviations and products of deviations of some rows at a time."""
        for first in range(0, len(self.data.spins), ROWS):
            spins = self.data.spins[first : first + ROWS].astype(dtype)
            deviations = spins - self.means.astype(dtype)
            shares = self.data.shares[first : first + ROWS].astype(dtype)
            yield spins, shares, deviations, self.graph.products(deviations)

    def _split(self, points: Points) -> tuple[Couplings, Values, Fields]:
        count = len(self.upper[0])
        upper, values, levels = np.split(points[:, 0], [count, count + len(self.graph.triplets)])
        centred = np.zeros((self.graph.sites, self.graph.sites))
        centred[self.upper] = upper
        return centred + centred.T, values, levels
