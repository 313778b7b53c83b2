"""Standard errors of couplings and fields from the influence of every sample on its local regressions."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields
from vae_mf.inverse_ising.lattice import TiedPseudoLikelihood
from vae_mf.inverse_ising.solvers.interaction_graph import complete_graph
from vae_mf.inverse_ising.solvers.lbfgs import Points
from vae_mf.inverse_ising.solvers.local_regression import ROWS, Loss
from vae_mf.statistics.distinct import DistinctSpins

ELEMENTS = 2**21
"""Influences held at once, at most (unless one configuration has more)."""


class StandardErrors(NamedTuple):
    """One standard deviation of every estimate."""

    couplings: Couplings
    fields: Fields


def sandwich_errors(data: DistinctSpins, loss: Loss, ridge: Couplings, points: Points) -> StandardErrors:
    """Return the standard errors of (J_ij + J_ji) / 2 and h_i at the minimum of the local regressions.

    A configuration moves the parameters of spin i by H_i^-1 g_i, with g_i its gradient and H_i the mean Hessian; the
    error is the root mean square of these influences, averaged over (i, j) and (j, i), over sqrt(M). It needs no
    assumption that the model is true (White 1982). Time O(M N^3), memory O(N^3).
    """
    sites = data.spins.shape[1]
    inverses = np.linalg.inv(_hessians(data, loss, ridge, points))
    # Parameter k of spin i as one long axis: one product gives all influences of a block of rows.
    table = inverses.transpose(1, 0, 2).reshape(sites + 1, -1)
    couplings = np.zeros((sites, sites))
    fields = np.zeros(sites)
    block = max(1, ELEMENTS // (sites * (sites + 1)))
    for first in range(0, len(data.spins), block):
        part = slice(first, first + block)
        features, slopes, _ = _slopes(data, loss, points, part)
        influences = (features @ table).reshape(-1, sites, sites + 1) * slopes[:, :, None]
        pairs = influences[:, :, :sites]
        shares = data.shares[part]
        couplings += np.einsum("r,rij->ij", shares, np.square(pairs + pairs.transpose(0, 2, 1)) / 4)
        fields += shares @ np.square(influences[:, :, sites])
    np.fill_diagonal(couplings, 0)
    return StandardErrors(np.sqrt(couplings / data.samples), np.sqrt(fields / data.samples))


def joint_errors(
    data: DistinctSpins, loss: Loss, ridge: Couplings, couplings: Couplings, fields: Fields
) -> StandardErrors:
    """Return the standard errors of J and h at the minimum of the regressions under J = J^T; memory O(N^4)."""
    graph = complete_graph(len(fields))
    pairs = tuple(graph.bonds.T)
    # The joint penalty counts every pair twice.
    l2 = 2 * ridge[pairs] * data.samples
    task = TiedPseudoLikelihood(data.spins, data.weights, graph, l2, loss)
    bonds, sites = task.expand(task.standard_errors(np.r_[couplings[pairs], fields]))
    return StandardErrors(graph.matrix(bonds), sites)


def _slopes(data: DistinctSpins, loss: Loss, points: Points, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (s, 1), and first and second derivative of the losses with respect to theta, row by row."""
    spins = data.spins[part].astype(np.float64)
    features = np.hstack([spins, np.ones((len(spins), 1))])
    _, slopes = loss.evaluate(features @ points * spins)
    return features, slopes * spins, loss.curvature(slopes)


def _hessians(
    data: DistinctSpins, loss: Loss, ridge: Couplings, points: Points
) -> Float[np.ndarray, "sites features features"]:
    """Return the Hessian of every local regression; the row and column of the spin itself are those of the identity."""
    sites = data.spins.shape[1]
    hessians = np.zeros((sites, sites + 1, sites + 1))
    for first in range(0, len(data.spins), ROWS):
        part = slice(first, first + ROWS)
        features, _, curvatures = _slopes(data, loss, points, part)
        curvatures *= data.shares[part, None]
        for i in range(sites):
            hessians[i] += (features * curvatures[:, i, None]).T @ features
    everything = np.arange(sites)
    hessians[:, everything, everything] += ridge
    hessians[everything, everything, :] = 0
    hessians[everything, :, everything] = 0
    hessians[everything, everything, everything] = 1
    return hessians
