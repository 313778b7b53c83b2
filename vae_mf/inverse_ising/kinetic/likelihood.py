"""Maximum likelihood of the kinetic Ising model, N logistic regressions on the same data solved side by side."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from vae_mf.arrays import Couplings
from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.base import Estimate, warn_convergence
from vae_mf.inverse_ising.kinetic.base import GroupFields, KineticIsing, Transitions
from vae_mf.inverse_ising.solvers.information import PART, inverted
from vae_mf.inverse_ising.solvers.lbfgs import Columns, Evaluation, Points, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import logistic
from vae_mf.inverse_ising.solvers.separation import separation


@dataclass(eq=False, repr=False)
class KineticMaximumLikelihood(KineticIsing):
    """Couplings and fields of largest likelihood, with standard errors from the Fisher information.

    The log likelihood of spin i, less the penalty l2 / 2 sum_j J_ij^2, is that of scikit-learn's LogisticRegression at
    C = 4 / l2, whose coefficients are 2 J. Fields are free if constant. If they depend on time they are penalised by
    fields_l2 / 2 sum_t h_i(t)^2, for a spin has often the same value in all repeats of a step.

    >>> random = np.random.default_rng(0)
    >>> spins = random.choice([-1, 1], (2, 2000, 2))
    >>> spins[:, 1:, 0] = spins[:, :-1, 1] * random.choice([1, -1], (2, 1999), p=[0.6, 0.4])
    >>> fit = KineticMaximumLikelihood().fit(spins)  # J = artanh(0.2) = 0.203 from spin 1 to spin 0
    >>> fit.couplings_[0].round(2) + 0.0, fit.couplings_error_[0].round(3)
    (array([-0.01,  0.2 ]), array([0.016, 0.016]))

    Args:
        l2: penalty of the couplings; 0 for plain maximum likelihood. Couplings and fields without a finite one, or of
            which the data tell nothing, then have infinite errors and a warning; spins of the first kind are fitted
            with l2 = 1.
        fields_l2: penalty of time-dependent fields; 1 is close to Firth's at small fields.
        standard_errors: True to compute them, at a cost proportional to N^3 times the number of transitions.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
        time_dependent: True if every step has fields of its own, which several repeats must share.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
        max_iter: largest number of iterations.
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
        points = best.points
        penalised = bool(decay[sites:].any())
        unbounded = Unbounded.none(sites, groups) if l2 else unbounded_parameters(data, points, penalised)
        touched = np.any(unbounded.separated[:sites], axis=0)
        firmer = decay + np.repeat([1.0, 0.0], [sites, groups])
        if touched.any():
            best = minimise(KineticRegression(data, firmer), start, stopping)
            points = np.where(touched, best.points, points)
        unbounded.warn(sites)
        found = Estimate(points[:sites].T.copy(), points[sites:], best.n_iter, best.converged)
        if not self.standard_errors:
            return found
        couplings, fields = standard_errors(data, found.couplings, found.fields, decay)
        if touched.any():
            firm = standard_errors(data, found.couplings, found.fields, firmer)
            couplings = np.where(touched[:, None], firm[0], couplings)
            fields = np.where(touched, firm[1], fields)
        couplings[unbounded.everything[:sites].T] = np.inf
        fields[unbounded.everything[sites:]] = np.inf
        return found._replace(couplings_error=couplings, fields_error=fields)


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


class Unbounded(NamedTuple):
    """Parameters (N + G, N) without a finite maximum of the likelihood, and those of which the data tell nothing."""

    separated: Bool[np.ndarray, "parameters sites"]
    open: Bool[np.ndarray, "parameters sites"]

    @classmethod
    def none(cls, sites: int, groups: int) -> "Unbounded":
        """Return that all parameters are bounded."""
        return cls(*np.zeros((2, sites + groups, sites), dtype=bool))

    @property
    def everything(self) -> Bool[np.ndarray, "parameters sites"]:
        """True for parameters of either kind."""
        return self.separated | self.open

    def warn(self, sites: int) -> None:
        """Warn of either kind."""
        for found, cause, lack in (
            (self.separated, "separate {} of {} spins", "have no finite maximum"),
            (self.open, "are too few or too much alike for {} of {} spins", "may be anything"),
        ):
            spins = int(found.any(axis=0).sum())
            if spins:
                couplings = int(found[:sites].sum())
                warn_convergence(
                    f"KineticMaximumLikelihood: the transitions {cause.format(spins, sites)}: {couplings} couplings "
                    f"and {int(found.sum()) - couplings} fields {lack}; their errors are infinite; set l2 > 0"
                )


def unbounded_parameters(data: Transitions, points: Points, penalised_fields: bool) -> Unbounded:
    """Return the parameters that the likelihood does not bound, without a penalty of couplings.

    Args:
        points: about a maximum, where there is one.
        penalised_fields: True if fields have a penalty.
    """
    groups, _, sites = data.before.shape
    counted = data.weights.ravel() > 0
    fields = np.repeat(np.eye(groups, dtype=np.int8) * (not penalised_fields), data.before.shape[1], axis=0)
    features = np.hstack([data.before.reshape(-1, sites), fields])[counted]
    targets = data.after.reshape(-1, sites)[counted]
    limits = np.ones(sites + groups)
    limits[sites:] = len(limits)
    separated = np.zeros(points.shape, dtype=bool)
    for i in range(sites):
        margins = features * targets[:, [i]]
        separated[:, i] = separation(margins, points[:, i], limits).unbounded(margins)
    relations = inverted(features.T.astype(float) @ features, float(len(features)))
    open_to_all = ~relations.known
    open_to_all[sites:] &= not penalised_fields
    separated[sites:] &= not penalised_fields
    return Unbounded(separated, np.repeat(open_to_all[:, None], sites, axis=1) & ~separated)


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

    Errors are infinite for parameters with a part in directions of no information.
    Fields are eliminated first: their block is diagonal, D_g = sum_rows w, with w = 1 - tanh^2 theta.
    """
    sites = data.before.shape[2]
    bonds_error = np.empty_like(couplings)
    fields_error = np.empty_like(fields)
    wide = max(1, LARGEST_INFORMATION // sites**2)
    count = float(data.counts.sum())
    precision = np.float32 if decay[:sites].min() > WEAK * count else np.float64
    for first in range(0, sites, wide):
        chosen = slice(first, first + wide)
        information, mixed, diagonal = fisher_information(data, couplings[chosen], fields[:, chosen], precision)
        information += np.diag(decay[:sites])
        diagonal = diagonal + decay[sites:, None]
        # Numerical zero: a spin that is certain in all repeats of a step.
        ratio = mixed / np.maximum(diagonal, 1e-12)[:, :, None]
        information -= np.einsum("gij,gik->ijk", mixed, ratio)
        for i, matrix in enumerate(information, first):
            inverse = inverted(matrix, count)
            bonds_error[i] = np.sqrt(inverse.variances())
            spread = ((ratio[:, i - first] @ inverse.roots) ** 2).sum(axis=1)
            fields_error[:, i] = np.sqrt(1 / np.maximum(diagonal[:, i - first], 1e-12) + spread)
            fields_error[((ratio[:, i - first] @ inverse.untold) ** 2).sum(axis=1) > PART, i] = np.inf
    return bonds_error, fields_error


LARGEST_INFORMATION = 2**25
"""Entries of the information matrices that are held at once."""
WEAK = 1e-5
"""Penalty per transition that sums in single precision may not tell from none."""


class InformationBlocks(NamedTuple):
    """Blocks of the Fisher information of some spins i."""

    bonds: Float[np.ndarray, "spins sites sites"]
    """sum w_i s_j s_k."""
    mixed: Float[np.ndarray, "groups spins sites"]
    """sum over a group of w_i s_j."""
    fields: Float[np.ndarray, "groups spins"]
    """sum over a group of w_i."""


def fisher_information(
    data: Transitions,
    couplings: Float[np.ndarray, "spins sites"],
    fields: Float[np.ndarray, "groups spins"],
    precision: type,
) -> InformationBlocks:
    """Return the Fisher information of the spins whose couplings (rows of J) and fields are given."""
    groups, _, sites = data.before.shape
    bonds = np.zeros((sites, sites, len(couplings)))
    mixed = np.zeros((groups, len(couplings), sites))
    diagonal = np.zeros((groups, len(couplings)))
    matrix = couplings.T.astype(precision)
    biases = fields.astype(precision)
    for part, before, _, counts in data.blocks(precision):
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
