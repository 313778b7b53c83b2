"""Standard errors of couplings and fields: posterior widths, and the sandwich formula where there is no prior."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import lapack

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.intervals import Unshrunk, without_prior
from vae_mf.inverse_ising.lattice import TiedPseudoLikelihood
from vae_mf.inverse_ising.solvers.interaction_graph import complete_graph
from vae_mf.inverse_ising.solvers.lbfgs import Points
from vae_mf.inverse_ising.solvers.local_regression import RIDGE, ROWS, LocalRegression
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression

ELEMENTS = 2**21
"""Influences held at once, at most (unless one configuration has more)."""
SECOND_DERIVATIVES = 2**23
"""Entries of Hessians held at once, at most (unless one spin has more)."""
CERTAIN = 1e-4
"""Share of a parameter's curvature, left by the parameters before it, that sums in single precision surely tell."""
Pairs = Bool[np.ndarray, "sites sites"]
Hessians = Float[np.ndarray, "spins features features"]


class StandardErrors(NamedTuple):
    """One standard deviation of every estimate."""

    couplings: Couplings
    fields: Fields
    unshrunk: Unshrunk | None = None
    """Couplings and errors without the prior, where there is one."""

    def at_least(self, others: "StandardErrors") -> "StandardErrors":
        """Return the larger of two errors of every parameter."""
        couplings = np.maximum(self.couplings, others.couplings)
        return StandardErrors(couplings, np.maximum(self.fields, others.fields))

    def unknown(self, pairs: Pairs) -> "StandardErrors":
        """Return infinite errors for pairs of spins, and for their fields."""
        fields = np.where(pairs.any(axis=0), np.inf, self.fields)
        unshrunk = self.unshrunk and Unshrunk(self.unshrunk.couplings, np.where(pairs, np.inf, self.unshrunk.errors))
        return StandardErrors(np.where(pairs, np.inf, self.couplings), fields, unshrunk)


def posterior_errors(problem: LocalRegression, points: Points) -> StandardErrors:
    """Return the posterior widths of J and h under the Gaussian prior of the problem's penalty.

    The parameters of spin i are normal with covariance kappa_i H_i^-1 / M, H_i the mean Hessian of its penalised
    objective as the model expects it and kappa_i the dispersion of its slopes. J_ij and J_ji are known from nearly the
    same information, so that their mean has the mean of their precisions. Time O(M N^3 / 2), memory O(N^2) beyond a
    block.
    """
    sites = problem.sites
    variances = np.zeros((sites + 1, sites))
    for spins, hessians in expected_hessians(problem, points):
        found = np.array([inverse_diagonal(hessian, CERTAIN) for hessian in hessians])
        unsure = np.isinf(found[:, 0])
        if unsure.any():
            exact = hessians_of(problem, points, spins[unsure], np.float64)
            found[unsure] = [inverse_diagonal(hessian) for hessian in exact]
        variances[:, spins] = found.T
    variances *= problem.curvatures(points).dispersions / problem.data.samples
    precisions = 1 / np.maximum(variances[:-1], np.finfo(float).tiny)
    widths = 2 / (precisions + precisions.T)
    np.fill_diagonal(widths, 0)
    means = (points[:-1] + points[:-1].T) / 2
    unshrunk = without_prior(means, np.sqrt(widths), problem.strength)
    return StandardErrors(np.sqrt(widths + problem.doubts * means**2), np.sqrt(variances[-1]), unshrunk)


def inverse_diagonal(matrix: Float[np.ndarray, "n n"], certain: float = 0.0) -> Float[np.ndarray, " n"]:
    """Return the diagonal of the inverse of a symmetric matrix, infinite unless it is positive definite.

    >>> inverse_diagonal(np.diag([1.0, 4.0])), inverse_diagonal(np.ones((2, 2)))
    (array([1.  , 0.25]), array([inf, inf]))

    Args:
        certain: least share of any parameter's curvature that those before it must leave.
    """
    factor, failed = lapack.dpotrf(matrix)
    if failed or (np.diag(factor) ** 2 <= certain * np.diag(matrix)).any():
        return np.full(len(matrix), np.inf)
    return np.diag(lapack.dpotri(factor)[0]).copy()


def sandwich_errors(problem: LocalRegression | SymmetricRegression, points: Points) -> StandardErrors:
    """Return the standard errors of J and h at the minimum of regressions without a prior.

    They are H^-1 V H^-1, with H the curvature and V the covariance of the configurations' gradients, and need no
    assumption that the model is true (White 1982). Joint regressions take memory O(N^4).
    """
    if isinstance(problem, LocalRegression):
        return _separate_sandwich(problem, points)
    couplings, fields = problem.model(points)
    graph = complete_graph(len(fields))
    data = problem.local.data
    task = TiedPseudoLikelihood(data.spins, data.weights, graph, 0.0, problem.local.loss)
    errors = task.standard_errors(np.r_[couplings[tuple(graph.bonds.T)], fields])
    bonds, sites = task.expand(errors)
    return StandardErrors(graph.matrix(bonds), sites)


def sandwich_bytes(problem: LocalRegression | SymmetricRegression) -> int:
    """Return about the number of bytes that `sandwich_errors` takes: matrices for each spin, or over all pairs."""
    sites = problem.local.sites
    return 16 * sites**3 if isinstance(problem, LocalRegression) else 16 * sites**4


def _separate_sandwich(problem: LocalRegression, points: Points) -> StandardErrors:
    """Return the standard errors of (J_ij + J_ji) / 2 and h_i.

    A configuration moves the parameters of spin i by H_i^-1 g_i, with g_i its gradient and H_i the mean Hessian; the
    error is the root mean square of these influences, averaged over (i, j) and (j, i), over sqrt(M - N). Time
    O(M N^3), memory O(N^3).
    """
    data, sites = problem.data, problem.sites
    inverses = np.zeros((sites, sites + 1, sites + 1))
    for first in range(0, len(data.spins), ROWS):
        features, _, curvatures = _slopes(problem, points, slice(first, first + ROWS))
        curvatures *= data.shares[first : first + ROWS, None]
        for i in range(sites):
            inverses[i] += (features * curvatures[:, i, None]).T @ features
    inverses = np.linalg.inv(_without_own(inverses, np.arange(sites)))
    # Parameter k of spin i as one long axis: one product gives all influences of a block of rows.
    table = inverses.transpose(1, 0, 2).reshape(sites + 1, -1)
    couplings = np.zeros((sites, sites))
    fields = np.zeros(sites)
    block = max(1, ELEMENTS // (sites * (sites + 1)))
    for first in range(0, len(data.spins), block):
        part = slice(first, first + block)
        features, slopes, _ = _slopes(problem, points, part)
        influences = (features @ table).reshape(-1, sites, sites + 1) * slopes[:, :, None]
        pairs = influences[:, :, :sites]
        shares = data.shares[part]
        couplings += np.einsum("r,rij->ij", shares, np.square(pairs + pairs.transpose(0, 2, 1)) / 4)
        fields += shares @ np.square(influences[:, :, sites])
    np.fill_diagonal(couplings, 0)
    freedom = max(data.samples - sites, 1.0)
    return StandardErrors(np.sqrt(couplings / freedom), np.sqrt(fields / freedom))


def _slopes(problem: LocalRegression, points: Points, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (s, 1), and first and second derivative of the losses with respect to theta, row by row."""
    spins = problem.data.spins[part].astype(np.float64)
    features = np.hstack([spins, np.ones((len(spins), 1))])
    _, slopes = problem.loss.evaluate(features @ points * spins)
    return features, slopes * spins, problem.loss.curvature(slopes)


def expected_hessians(problem: LocalRegression, points: Points) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers of some spins and their mean Hessians with the penalty, as the model expects them."""
    block = max(1, SECOND_DERIVATIVES // (problem.sites + 1) ** 2)
    for begin in range(0, problem.sites, block):
        spins = np.arange(begin, min(begin + block, problem.sites))
        yield spins, hessians_of(problem, points, spins, np.float32)


def hessians_of(problem: LocalRegression, points: Points, spins: np.ndarray, dtype: type) -> Hessians:
    """Return the mean Hessians of spins with the penalty, as the model expects them.

    Products of two features serve all spins, so that one matrix product for each feature does it, with half the work.

    Args:
        dtype: precision of the sums over a block of rows.
    """
    data, sites = problem.data, problem.sites
    size = sites + 1
    weights = points[:, spins].astype(dtype)
    sums = np.zeros((size, size, len(spins)))
    for first in range(0, len(data.spins), ROWS):
        rows = data.spins[first : first + ROWS].astype(dtype)
        features = np.vstack([rows.T, np.ones((1, len(rows)), dtype)])
        _, curvatures = problem.loss.expected(features.T @ weights)
        curvatures = (curvatures * data.shares[first : first + ROWS, None]).astype(dtype)
        for j in range(size):
            sums[j, j:] += (features[j:] * features[j]) @ curvatures
    hessians = np.ascontiguousarray(sums.transpose(2, 0, 1))
    for j in range(size):
        hessians[:, j:, j] = hessians[:, j, j:]
    if problem.loss.logarithm:
        hessians /= hessians[:, -1:, -1:].copy()
    everything = np.arange(sites)
    hessians[:, everything, everything] += problem.ridge[:, spins].T + RIDGE
    return _without_own(hessians, spins)


def _without_own(hessians: Hessians, spins: np.ndarray) -> Hessians:
    """Return Hessians with the row and column of the spin itself those of the identity, in place."""
    here = np.arange(len(spins))
    hessians[here, spins, :] = 0
    hessians[here, :, spins] = 0
    hessians[here, spins, spins] = 1
    return hessians
