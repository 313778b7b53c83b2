"""Maximum likelihood of the kinetic Ising model, N logistic regressions on the same data solved side by side."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings
from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.base import Estimate, warn_convergence
from vae_mf.inverse_ising.kinetic.base import GroupFields, KineticIsing, Transitions
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import logistic


@dataclass(eq=False, repr=False)
class KineticMaximumLikelihood(KineticIsing):
    """Couplings and fields of largest likelihood, with standard errors from the Fisher information.

    The log likelihood of spin i, less the penalty l2 / 2 sum_j J_ij^2, is that of scikit-learn's LogisticRegression at
    C = 4 / l2, whose coefficients are 2 J. Fields are free if constant. If they depend on time they are penalised by
    fields_l2 / 2 sum_t h_i(t)^2, for a spin has often the same value in all repeats of a step.

    Args:
        l2: penalty of the couplings; 0 for plain maximum likelihood, which diverges if the data can be separated.
        fields_l2: penalty of time-dependent fields; 1 is close to Firth's at small fields.
        standard_errors: True to compute them, at a cost proportional to N^3 times the number of transitions.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
        time_dependent, encoding: as for `KineticIsing`.
    """

    l2: Any = 4.0
    fields_l2: Any = 1.0
    standard_errors: Any = True
    tolerance: Any = 1e-6
    max_iter: Any = 200

    def _estimate(self, data: Transitions) -> Estimate:
        l2 = require_non_negative("l2", self.l2)
        fields_l2 = require_non_negative("fields_l2", self.fields_l2)
        groups, _, sites = data.before.shape
        decay = np.repeat([l2, fields_l2 * self.time_dependent], [sites, groups])
        start = np.zeros((sites + groups, sites))
        stopping = Stopping.checked(self.tolerance, self.max_iter)
        best = minimise(KineticRegression(data, decay), start, stopping)
        couplings = best.points[:sites].T.copy()
        fields = best.points[sites:]
        separated = count_separated(data, couplings, fields) if l2 == 0 else 0
        if separated:
            warn_convergence(
                f"KineticMaximumLikelihood: {separated} of {sites} spins are separated (all transitions predicted), so "
                "that their couplings have no finite maximum; set l2 > 0."
            )
        errors = standard_errors(data, couplings, fields, decay) if self.standard_errors else (None, None)
        return Estimate(couplings, fields, best.n_iter, best.converged, *errors)


class KineticRegression:
    """Minus the mean log likelihood of every spin, of parameters (N + G, N): column i has J_i1 ... J_iN, h_i(1) ..."""

    def __init__(self, data: Transitions, decay: Float[np.ndarray, " parameters"]):
        self._data, self._decay = data, decay
        self._count = float(data.counts.sum())
        self._curvature = shared_curvature(data, decay)

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return objectives and gradients of the spins ``columns``."""
        sites = self._data.before.shape[2]
        chosen = slice(None) if len(columns) == sites else columns
        bonds = points[:sites].astype(dtype)
        biases = points[sites:].astype(dtype)
        values = self._decay @ points**2 / 2
        gradients = self._decay[:, None] * points
        for part, before, after, weights in self._data.blocks(dtype):
            rows = before.reshape(-1, sites)
            targets = after[:, :, chosen]
            losses, slopes = logistic(((rows @ bonds).reshape(targets.shape) + biases[part, None]) * targets)
            values += weights.ravel() @ losses.reshape(len(rows), -1)
            slopes *= targets
            slopes *= weights
            gradients[:sites] += rows.T @ slopes.reshape(len(rows), -1)
            gradients[sites:][part] += slopes.sum(axis=1)
        return Evaluation(values / self._count, gradients / self._count)

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return about the inverse Hessian times each gradient."""
        return self._count * self._curvature.solve(gradients, columns)


def count_separated(data: Transitions, couplings: Couplings, fields: GroupFields) -> int:
    """Return the number of spins whose theta_i has the sign of s_i(t+1) in all transitions."""
    margins = [
        np.where(weights > 0, after * (before @ couplings.T + fields[part, None]), np.inf).min(axis=(0, 1))
        for part, before, after, weights in data.blocks()
    ]
    return int((np.min(margins, axis=0) > 0).sum())


class SharedCurvature(NamedTuple):
    """About minus the Hessian of every spin's log likelihood: weights 1 - s_i^2 replaced by means over each group.

    Blocks are w_i S + sum_g W_gi m_g m_g' for couplings, W_gi m_g between couplings and fields, and D_gi for fields.
    """

    inverse_spread: Float[np.ndarray, "sites sites"]
    """S^-1, with S the sum over groups of the connected second moments of s(t)."""
    means: GroupFields
    """m_g = <s(t)> in group g."""
    weights: GroupFields
    """W_gi, the number of transitions times 1 - <s_i(t+1)>^2."""
    stiffness: GroupFields
    """D_gi = W_gi and the penalty of the field."""
    level: Float[np.ndarray, " sites"]
    """w_i, the mean of 1 - <s_i(t+1)>^2."""

    def solve(self, gradients: Points, columns: Columns) -> Points:
        """Return the inverse times the gradients of the spins ``columns``."""
        sites = len(self.inverse_spread)
        weights, stiffness = self.weights[:, columns], self.stiffness[:, columns]
        share = gradients[sites:] / stiffness
        bonds = self.inverse_spread @ (gradients[:sites] - self.means.T @ (share * weights)) / self.level[columns]
        return np.vstack([bonds, share - weights * (self.means @ bonds) / stiffness])


def shared_curvature(data: Transitions, decay: Float[np.ndarray, " parameters"]) -> SharedCurvature:
    """Return the approximate curvature at zero couplings, of likelihood and penalty ``decay`` (N + G,)."""
    groups, _, sites = data.before.shape
    counts = data.counts
    means = np.zeros((groups, sites))
    targets = np.zeros((groups, sites))
    second = np.zeros((sites, sites))
    for part, before, after, weights in data.blocks():
        heavy = weights * before
        means[part] += heavy.sum(axis=1) / counts[part]
        targets[part] += (weights * after).sum(axis=1) / counts[part]
        second += heavy.reshape(-1, sites).T @ before.reshape(-1, sites)
    # A little more than nothing where all repeats agree.
    variances = np.maximum(1 - targets**2, 1 / counts)
    level = np.average(variances, axis=0, weights=counts[:, 0])
    spread = second - (counts * means).T @ means + np.diag(decay[:sites]) / level.mean()
    weights = counts * variances
    # Constant spins and copies make the spread singular if couplings are not penalised.
    stiffness = weights + decay[sites:, None]
    return SharedCurvature(np.linalg.pinv(spread, hermitian=True), means, weights, stiffness, level)


def standard_errors(
    data: Transitions, couplings: Couplings, fields: GroupFields, decay: Float[np.ndarray, " parameters"]
) -> tuple[Couplings, GroupFields]:
    """Return the square roots of the diagonal of the inverse Fisher information (with penalty) of every spin.

    Fields are eliminated first: their block is diagonal, D_g = sum_rows w, with w = 1 - tanh^2 theta.
    """
    sites = data.before.shape[2]
    bonds_error = np.empty_like(couplings)
    fields_error = np.empty_like(fields)
    wide = max(1, LARGEST_INFORMATION // sites**2)
    for first in range(0, sites, wide):
        chosen = slice(first, first + wide)
        information, mixed, diagonal = fisher_information(data, couplings[chosen], fields[:, chosen])
        information += np.diag(decay[:sites])
        diagonal = diagonal + decay[sites:, None]
        # Numerical zero: a spin that is certain in all repeats of a step.
        ratio = mixed / np.maximum(diagonal, 1e-12)[:, :, None]
        inverse = np.linalg.pinv(information - np.einsum("gij,gik->ijk", mixed, ratio), hermitian=True)
        bonds_error[chosen] = np.sqrt(np.einsum("ijj->ij", inverse))
        spread = np.einsum("gij,ijk,gik->gi", ratio, inverse, ratio, optimize=True)
        fields_error[:, chosen] = np.sqrt(1 / np.maximum(diagonal, 1e-12) + spread)
    return bonds_error, fields_error


LARGEST_INFORMATION = 2**25
"""Entries of the information matrices that are held at once."""


class InformationBlocks(NamedTuple):
    """Blocks of the Fisher information of some spins i."""

    bonds: Float[np.ndarray, "spins sites sites"]
    """sum w_i s_j s_k."""
    mixed: Float[np.ndarray, "groups spins sites"]
    """sum over a group of w_i s_j."""
    fields: Float[np.ndarray, "groups spins"]
    """sum over a group of w_i."""


def fisher_information(
    data: Transitions, couplings: Float[np.ndarray, "spins sites"], fields: Float[np.ndarray, "groups spins"]
) -> InformationBlocks:
    """Return the Fisher information of the spins whose couplings (rows of J) and fields are given."""
    groups, _, sites = data.before.shape
    bonds = np.zeros((sites, sites, len(couplings)))
    mixed = np.zeros((groups, len(couplings), sites))
    diagonal = np.zeros((groups, len(couplings)))
    matrix = couplings.T.astype(np.float32)
    biases = fields.astype(np.float32)
    for part, before, _, counts in data.blocks():
        weights = counts * (1 - np.tanh(before @ matrix + biases[part, None]) ** 2)
        mixed[part] += weights.swapaxes(1, 2) @ before
        diagonal[part] += weights.sum(axis=1)
        add_weighted_pairs(bonds, before.reshape(-1, sites), weights.reshape(-1, len(couplings)))
    lower = np.tril_indices(sites, -1)
    bonds[lower] = bonds.swapaxes(0, 1)[lower]
    return InformationBlocks(np.ascontiguousarray(np.moveaxis(bonds, 2, 0)), mixed, diagonal)


def add_weighted_pairs(
    bonds: Float[np.ndarray, "sites sites spins"],
    spins: Float[np.ndarray, "rows sites"],
    weights: Float[np.ndarray, "rows spins"],
) -> None:
    """Add sum_rows w_i s_j s_k to bonds[j, k, i] for j <= k: one matrix product serves all spins i."""
    columns = np.ascontiguousarray(spins.T)
    for j, column in enumerate(columns):
        bonds[j, j:] += (columns[j:] * column) @ weights
