"""Closed and self-consistent mean-field formulas for the kinetic Ising model.

All three expand the mean of tanh theta_i around its average, which relates the delayed correlations D to the equal-time
ones C(t) by a gain a_i(t) per spin and step, averages being over repeats (and time, if fields are constant):

D_ij = <ds_i(t+1) ds_j(t)> = sum_k J_ik <a_i(t) C_kj(t)>_t.

They differ in the gain, and in the field that explains the magnetisation m_i(t+1).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from vae_mf.arrays import Couplings
from vae_mf.checks import require_integer, require_non_negative, require_positive
from vae_mf.inverse_ising.base import Estimate, warn_convergence
from vae_mf.inverse_ising.kinetic.base import GroupFields, KineticIsing, Transitions

NODES = np.linspace(-8, 8, 161)
NODE_WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
"""Trapezoidal rule of averages over a standard normal number, exact to 1e-8 up to the largest variance."""
LARGEST_VARIANCE = 25.0
"""Variance of the local field at which the search for a solution ends."""
NEWTON_STEPS = 100


class DelayedMoments(NamedTuple):
    """First moments per group of transitions, and second moments between successive times."""

    before: GroupFields
    """<s_j(t)>."""
    after: GroupFields
    """m_i = <s_i(t+1)>."""
    equal: Float[np.ndarray, "groups sites sites"]
    """C(t), connected, each group with its share of the transitions."""
    delayed: Float[np.ndarray, "sites sites"]
    """D, connected within groups, averaged over all transitions."""
    shares: Float[np.ndarray, "groups 1"]
    """Share of each group in the transitions."""


@dataclass(eq=False, repr=False)
class KineticMeanField(KineticIsing):
    """Base of the mean-field estimators.

    Args:
        pseudocount: number of transitions with unbiased spins that are added to the means of every group; needed with
            time-dependent fields if a spin is the same in all repeats of a step.
        tolerance: largest change of a gain, relative to it, at which the iteration has converged.
        time_dependent, encoding: as for `KineticIsing`.
    """

    pseudocount: Any = 0.0
    tolerance: Any = 1e-8
    max_iter: Any = 1000

    def _estimate(self, data: Transitions) -> Estimate:
        tolerance = require_positive("tolerance", self.tolerance)
        limit = require_integer("max_iter", self.max_iter)
        found = delayed_moments(data, require_non_negative("pseudocount", self.pseudocount))
        gains, change, steps = 1 - found.after**2, np.inf, 0
        while steps < limit and change > tolerance:
            couplings = solve_couplings(found, gains)
            variances = self._variances(found, couplings)
            new = self._gains(found.after, variances)
            change = np.abs(new / gains - 1).max()
            gains = new
            steps += 1
        unsolved = int(self._beyond(found.after, variances).any(axis=0).sum())
        if unsolved:
            warn_convergence(
                f"{type(self).__name__}: {unsolved} of {len(couplings)} spins have no solution, their couplings being "
                "too strong or too noisy; took the strongest couplings that it can explain."
            )
        fields = self._mean_fields(found.after, variances) - found.before @ couplings.T
        return Estimate(couplings, fields, steps, bool(change <= tolerance))

    def _beyond(self, m: GroupFields, variances: GroupFields) -> Bool[np.ndarray, "groups sites"]:
        """Return True where the equations have no solution."""
        return np.zeros(m.shape, bool)

    def _gains(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        """Return a_i from m_i and the variance V_i of the local field."""
        raise NotImplementedError

    def _variances(self, found: DelayedMoments, couplings: Couplings) -> GroupFields:
        """Return V_i = sum_j J_ij^2 (1 - m_j^2), the variance of the local field if spins are independent."""
        return (1 - found.before**2) @ (couplings**2).T

    def _mean_fields(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        """Return the mean of theta_i that explains m_i."""
        raise NotImplementedError


class KineticNaiveMeanField(KineticMeanField):
    """J = A^-1 D C^-1 with a_i = 1 - m_i^2, and h_i = artanh m_i - sum_j J_ij m_j (Roudi and Hertz 2011, eq. 4).

    >>> random = np.random.default_rng(0)
    >>> spins = random.choice([-1, 1], (2, 2000, 2))
    >>> spins[:, 1:, 0] = spins[:, :-1, 1] * random.choice([1, -1], (2, 1999), p=[0.6, 0.4])
    >>> KineticNaiveMeanField().fit(spins).couplings_.round(1) + 0.0
    array([[0. , 0.2],
           [0. , 0. ]])

    Args:
        time_dependent: True if every step has fields of its own, which several repeats must share.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
        pseudocount: number of transitions with unbiased spins that are added to the means of every group.
        tolerance: largest change of a gain, relative to it, at which the iteration has converged.
        max_iter: largest number of iterations.
    """

    def _gains(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        return 1 - m**2

    def _mean_fields(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        return np.arctanh(m)


class KineticTAP(KineticMeanField):
    """Second order: a_i = (1 - m_i^2)(1 - F_i), F_i = (1 - m_i^2) sum_j J_ij^2 (1 - m_j^2) (Roudi and Hertz 2011).

    The reaction term m_i sum_j J_ij^2 (1 - m_j^2) enters the fields. With constant fields the iteration climbs to the
    root F_i <= 1/3 of F (1 - F)^2 = (1 - m_i^2) sum_j (J^MF_ij)^2 (1 - m_j^2), which exists up to 4/27 on the right.
    Spins beyond it (g > 0.38 in the asymmetric SK model) keep F_i = 1/3, and a `ConvergenceWarning` counts them.

    >>> random = np.random.default_rng(0)
    >>> spins = random.choice([-1, 1], (2, 2000, 2))
    >>> spins[:, 1:, 0] = spins[:, :-1, 1] * random.choice([1, -1], (2, 1999), p=[0.6, 0.4])
    >>> KineticTAP().fit(spins).couplings_.round(1) + 0.0
    array([[0. , 0.2],
           [0. , 0. ]])

    Args:
        time_dependent: True if every step has fields of its own, which several repeats must share.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
        pseudocount: number of transitions with unbiased spins that are added to the means of every group.
        tolerance: largest change of a gain, relative to it, at which the iteration has converged.
        max_iter: largest number of iterations.
    """

    def _gains(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        return (1 - m**2) * (1 - np.minimum((1 - m**2) * variances, 1 / 3))

    def _beyond(self, m: GroupFields, variances: GroupFields) -> Bool[np.ndarray, "groups sites"]:
        return (1 - m**2) * variances > 1 / 3 + 1e-6

    def _mean_fields(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        return np.arctanh(m) + m * variances


class KineticExactMeanField(KineticMeanField):
    """Exact for dense asymmetric couplings, whose local field is Gaussian (Mezard and Sakellariou 2011).

    theta_i = u_i + sqrt(V_i) x, where u_i solves m_i = <tanh theta_i>, and a_i = <1 - tanh^2 theta_i>, averages over x.
    The variance is V_i = sum_jk J_ij C_jk J_ik; the source keeps only j = k, the same for large N but with errors of
    order N^-1/2: for 50 spins at g = 2 its RMSE is ten times as large, and spins without a solution are common.

    >>> random = np.random.default_rng(0)
    >>> spins = random.choice([-1, 1], (2, 2000, 2))
    >>> spins[:, 1:, 0] = spins[:, :-1, 1] * random.choice([1, -1], (2, 1999), p=[0.6, 0.4])
    >>> KineticExactMeanField().fit(spins).couplings_.round(1) + 0.0
    array([[0. , 0.2],
           [0. , 0. ]])

    Args:
        time_dependent: True if every step has fields of its own, which several repeats must share.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
        pseudocount: number of transitions with unbiased spins that are added to the means of every group.
        tolerance: largest change of a gain, relative to it, at which the iteration has converged.
        max_iter: largest number of iterations.
    """

    def _variances(self, found: DelayedMoments, couplings: Couplings) -> GroupFields:
        return np.einsum("gij,gij->gi", couplings @ found.equal, couplings[None]) / found.shares

    def _gains(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        limited = np.minimum(variances, LARGEST_VARIANCE)
        return gaussian_tangents(gaussian_means(m, limited), limited).slope

    def _beyond(self, m: GroupFields, variances: GroupFields) -> Bool[np.ndarray, "groups sites"]:
        return variances > LARGEST_VARIANCE

    def _mean_fields(self, m: GroupFields, variances: GroupFields) -> GroupFields:
        return gaussian_means(m, np.minimum(variances, LARGEST_VARIANCE))


def delayed_moments(data: Transitions, pseudocount: float) -> DelayedMoments:
    """Return the moments of transitions, the means drawn to zero by ``pseudocount`` unbiased transitions per group.

    Raises:
        ValueError: if a spin is the same in all transitions of a group and there is no pseudocount.
    """
    groups, _, sites = data.before.shape
    if pseudocount == 0:
        refuse_certain_spins(data)
    before = np.zeros((groups, sites))
    after = np.zeros((groups, sites))
    equal = np.zeros((groups, sites, sites))
    delayed = np.zeros((sites, sites))
    for part, first, second, weights in data.blocks():
        heavy = weights * first
        before[part] += heavy.sum(axis=1)
        after[part] += (weights * second).sum(axis=1)
        equal[part] += heavy.swapaxes(1, 2) @ first
        delayed += second.reshape(-1, sites).T @ heavy.reshape(-1, sites)
    counts = data.counts
    shares = counts / counts.sum()
    before /= counts
    after /= counts
    equal = equal / counts.sum() - (shares * before)[:, :, None] * before[:, None, :]
    delayed = delayed / counts.sum() - (shares * after).T @ before
    kept = counts / (counts + pseudocount)
    return DelayedMoments(kept * before, kept * after, equal, delayed, shares)


def refuse_certain_spins(data: Transitions) -> None:
    """Raise ValueError if a spin has one value after all transitions of a group."""
    counted = data.weights[:, :, None] > 0
    certain = ~((data.after == 1) & counted).any(axis=1) | ~((data.after == -1) & counted).any(axis=1)
    if certain.any():
        raise ValueError(
            "trajectories: expected both values of every spin in the repeats of each step, got one value at "
            f"(step, spin) {np.argwhere(certain)[0].tolist()}; set pseudocount > 0"
        )


def solve_couplings(found: DelayedMoments, gains: GroupFields) -> Couplings:
    """Return J from D_ij = sum_k J_ik sum_g a_ig C_kj(g), row by row."""
    sites = len(found.delayed)
    weighted = np.tensordot(gains, found.equal, axes=(0, 0)) if len(gains) > 1 else found.equal
    spectrum = np.linalg.eigvalsh(weighted)
    if (spectrum[:, 0] <= 1e-12 * spectrum[:, -1]).any():
        raise ValueError(
            f"trajectories: expected invertible correlations of {sites} spins, got singular ones; copies of a spin, "
            "or too few transitions?"
        )
    couplings = np.linalg.solve(weighted, found.delayed[:, :, None])[:, :, 0]
    return couplings if len(gains) > 1 else couplings / gains.T


class Tangents(NamedTuple):
    """Averages over the Gaussian local field."""

    mean: GroupFields
    """<tanh theta>."""
    slope: GroupFields
    """<1 - tanh^2 theta>."""


def gaussian_tangents(means: GroupFields, variances: GroupFields) -> Tangents:
    """Return the averages of tanh and its derivative over theta = u + sqrt(V) x, x a standard normal number."""
    tangent = np.tanh(means[..., None] + np.sqrt(variances)[..., None] * NODES)
    return Tangents(tangent @ NODE_WEIGHTS, 1 - tangent**2 @ NODE_WEIGHTS)


def gaussian_means(m: GroupFields, variances: GroupFields) -> GroupFields:
    """Return u with <tanh(u + sqrt(V) x)> = m.

    Newton's method from artanh m, which lies between zero and u, climbs without overshooting: the average is concave
    in u > 0 and odd.
    """
    means = np.arctanh(m)
    for _ in range(NEWTON_STEPS):
        averages = gaussian_tangents(means, variances)
        step = (m - averages.mean) / averages.slope
        means = means + step
        if (np.abs(step) <= 1e-12 * (1 + np.abs(means))).all():
            break
    return means
