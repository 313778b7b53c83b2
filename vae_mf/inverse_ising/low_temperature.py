"""Mean-field reconstruction below the glass or ferromagnetic transition, one equation per thermodynamic state.

Nguyen and Berg, Phys. Rev. Lett. 109, 050602 (2012). The equations hold within each state a, with magnetisations m^a
and connected correlations C^a measured there; states are found as clusters of configurations with large overlap.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_choice, require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, new_generator
from vae_mf.inverse_ising.energies import log_pseudo_likelihood
from vae_mf.inverse_ising.mean_field import zero_diagonal
from vae_mf.inverse_ising.moments import Moments, regularised, spin_moments
from vae_mf.inverse_ising.solvers.clustering import Labels, cluster_moments, spherical_clusters
from vae_mf.inverse_ising.solvers.lbfgs import Stopping
from vae_mf.inverse_ising.solvers.penalised import warn_copies

CUTOFF = 1e-12
"""Added to the variances: a cluster may have fewer samples than spins."""
MOST_CLUSTERS = 128
SAMPLES_PER_SPIN = 50
"""Average size of a cluster, in units of N, below which the automatic choice does not go."""
SCORED = 50_000
"""Largest number of configurations on which the automatic choice is made."""
GROUPS = 32
"""Number of parts of the jackknife; the errors have relative errors of 1 / sqrt(2 (GROUPS - 1)), 13 %."""


class PureStates(NamedTuple):
    """Thermodynamic states, all of the same weight."""

    magnetisations: Float[np.ndarray, "states sites"]
    covariances: Float[np.ndarray, "states sites sites"]


@dataclass(eq=False, repr=False)
class LowTemperature(InverseIsing):
    """Couplings that solve the mean-field equations of all thermodynamic states at once, in the least-squares sense.

    Naive: sum_j J_ij C^a_jk = -delta_ik + C^a_ik / (1 - (m^a_i)^2) for all i, k, a (eq. 4), and equal fields in all
    states (eq. 6). TAP: eq. 8 and its fields, minimised from the naive solution by L-BFGS. The source weighs all
    equations alike; here they have the weights of `naive_couplings`, which takes 1 - r of an SK glass at beta = 1.7 and
    k = 128 from .05 to .014. J_ii stays free and is dropped at the end: forcing it to zero makes the result much worse,
    as it takes up what a spin does to itself through its neighbours.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(8)
    >>> weights = 100 * np.exp(0.25 * spins.sum(axis=1) ** 2 / 2)  # J_ij = 0.25
    >>> fit = LowTemperature(clusters="magnetisation").fit(spins, sample_weight=weights)
    >>> fit.couplings_[0].round(2), fit.n_clusters_
    (array([0.  , 0.27, 0.27, 0.27, 0.27, 0.27, 0.27, 0.27]), 2)

    Args:
        clusters: number k of clusters; "auto" for the power of two with the largest pseudo-likelihood; "magnetisation"
            for the two states of a ferromagnet, told apart by the sign of sum_i s_i.
        method: "naive" or "tap".
        smallest: total weight below which a cluster is left out.
        pseudocount: number of independent unbiased samples added to every cluster, for spins that are frozen in it.
        restarts: number of starts of the clustering.
        tolerance: relative decrease of the violations at which L-BFGS has converged.
        max_iter: largest number of iterations of the clustering, and of L-BFGS.
        standard_errors: True to compute them, by a jackknife over `GROUPS` parts of the data, the clusters held
            fixed (takes as many times as long). They tell the noise of the equations, not their bias.
        random_state: seed or generator of the clustering.

    Attributes:
        n_clusters_: number of clusters that were used.
    """

    clusters: Any = "auto"
    method: Any = "naive"
    smallest: Any = 200.0
    pseudocount: Any = 1.0
    restarts: Any = 3
    tolerance: Any = 1e-5
    max_iter: Any = 500
    standard_errors: Any = False
    random_state: Any = 0
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        require_choice("method", self.method, ("naive", "tap"))
        warn_copies(spin_moments(spins, weights).pair_moments)
        solutions = [self._solution(spins, weights, labels) for labels in self._clusterings(spins, weights)]
        best = solutions[0] if len(solutions) == 1 else self._likeliest(spins, weights, solutions)
        self.n_clusters_ = best.states
        return self._with_errors(best, spins, weights) if self.standard_errors else best.estimate

    def _clusterings(self, spins: Spins, weights: Weights) -> list[Labels]:
        """Return the cluster of every configuration, in all ways that are to be tried."""
        if self.clusters == "magnetisation":
            return [(spins.sum(axis=1, dtype=np.int64) >= 0).astype(np.int64)]
        most = max(1, weights.sum() / (SAMPLES_PER_SPIN * spins.shape[1]))
        powers = [2**power for power in range(MOST_CLUSTERS.bit_length()) if 2**power <= most]
        counts = powers if self.clusters == "auto" else [require_integer("clusters", self.clusters)]
        restarts = require_integer("restarts", self.restarts)
        limit = require_integer("max_iter", self.max_iter)
        return [
            spherical_clusters(spins, weights, count, new_generator(self.random_state), restarts, limit)
            for count in counts
        ]

    def _likeliest(self, spins: Spins, weights: Weights, solutions: list["Solution"]) -> "Solution":
        """Return the solution with the largest pseudo-likelihood on a part of the data."""
        sample = new_generator(self.random_state).choice(len(spins), min(SCORED, len(spins)), replace=False)

        def likelihood(solution: Solution) -> float:
            values = log_pseudo_likelihood(spins[sample], solution.estimate.couplings, solution.estimate.fields)
            return float(np.average(values, weights=weights[sample]))

        return max(solutions, key=likelihood)

    def _solution(self, spins: Spins, weights: Weights, labels: Labels) -> "Solution":
        # With few samples the whole must do, however small.
        smallest = min(require_positive("smallest", self.smallest), weights.sum() / (labels.max() + 1))
        clusters = [regularised(c, self.pseudocount) for c in cluster_moments(spins, weights, labels, smallest)]
        # Without pseudocount, the fields of a cluster in which a spin is frozen are infinite.
        states = stack([cluster for cluster in clusters if np.abs(cluster.magnetisations).max() < 1])
        best = Estimate(naive_couplings(states), np.zeros(spins.shape[1]))
        fields = state_fields
        if self.method == "tap":
            stopping = Stopping.checked(self.tolerance, self.max_iter)
            best = tap_couplings(states, best.couplings, stopping)
            fields = tap_fields
        couplings = zero_diagonal(best.couplings)
        mean = weighted_mean(fields(states, couplings), equation_weights(states))
        return Solution(labels, len(states.magnetisations), best._replace(couplings=couplings, fields=mean))

    def _with_errors(self, whole: "Solution", spins: Spins, weights: Weights) -> Estimate:
        """Return an estimate with errors from solutions that lack a part of the data each (Quenouille's jackknife)."""
        parts = new_generator(self.random_state).permutation(len(spins)) % GROUPS
        left = [
            self._solution(spins[kept], weights[kept], whole.labels[kept]).estimate
            for kept in (parts != part for part in range(GROUPS))
        ]
        couplings, fields = (
            np.sqrt((GROUPS - 1) * np.var([getattr(estimate, name) for estimate in left], axis=0))
            for name in ("couplings", "fields")
        )
        return whole.estimate._replace(couplings_error=couplings, fields_error=fields)


class Solution(NamedTuple):
    """Couplings and fields from one clustering."""

    labels: Labels
    states: int
    """Number of clusters that were large enough."""
    estimate: Estimate


def stack(clusters: list[Moments]) -> PureStates:
    """Return the moments of clusters as arrays."""
    covariances = np.array([c.covariances for c in clusters])
    return PureStates(
        np.array([c.magnetisations for c in clusters]), covariances + CUTOFF * np.eye(covariances.shape[1])
    )


def responses(states: PureStates) -> Float[np.ndarray, "states sites sites"]:
    """Return b^a_ik = -delta_ik + C^a_ik / (1 - (m^a_i)^2)."""
    return states.covariances / (1 - states.magnetisations**2)[:, :, None] - np.eye(states.magnetisations.shape[1])


def equation_weights(states: PureStates) -> Float[np.ndarray, "states sites"]:
    """Return the weights w^a_i = (1 - (m^a_i)^2)^2 of the equations of spin i in state a.

    They undo the division of the equations by 1 - (m^a_i)^2, with which the noise of nearly frozen spins would rule.
    """
    return (1 - states.magnetisations**2) ** 2


def naive_couplings(states: PureStates) -> Couplings:
    """Return the least-squares solution of eqs. 4 and 6, weighted, made symmetric, its diagonal free.

    J minimises sum_ai w^a_i [R^a_i (C^a)^-1 R^a_i + (h^a_i - <h_i>)^2], with R^a_ik = sum_j J_ij C^a_jk - b^a_ik: the
    noise of row i of a covariance matrix is itself correlated like C^a (generalised least squares). With deviations
    d^a from the means over states, weighted by w_i,
    sum_j J_ij sum_a w^a_i (C^a_jk + d m^a_j d m^a_k) = sum_a w^a_i (b^a_ik + d artanh m^a_i d m^a_k).
    """
    m, covariances = states
    targets = responses(states)
    weights = equation_weights(states)
    fields = np.arctanh(m)
    sites = m.shape[1]
    couplings = np.zeros((sites, sites))
    for i, weight in enumerate(weights.T):
        deviations = m - weighted_mean(m, weight)
        matrix = np.tensordot(weight, covariances, 1) + (deviations.T * weight) @ deviations
        right = weight @ targets[:, i] + (weight * fields[:, i]) @ deviations
        couplings[i] = np.linalg.solve(matrix, right)
    return (couplings + couplings.T) / 2


def weighted_mean(
    values: Float[np.ndarray, "states sites"], weights: Float[np.ndarray, "states *sites"]
) -> Float[np.ndarray, " sites"]:
    """Return the mean over states; one weight per state, or one for each of its spins.

    >>> weighted_mean(np.array([[0.0], [1.0]]), np.array([1.0, 3.0]))
    array([0.75])
    """
    columns = weights.reshape(len(weights), -1)
    return (columns * values).sum(axis=0) / columns.sum(axis=0)


def state_fields(states: PureStates, couplings: Couplings) -> Float[np.ndarray, "states sites"]:
    """Return h^a_i = artanh m^a_i - sum_j J_ij m^a_j of every state."""
    return np.arctanh(states.magnetisations) - states.magnetisations @ couplings


def tap_fields(states: PureStates, couplings: Couplings) -> Float[np.ndarray, "states sites"]:
    """Return h^a_i = artanh m^a_i - sum_j J_ij m^a_j + m^a_i sum_j J_ij^2 (1 - (m^a_j)^2) of every state."""
    m = states.magnetisations
    return state_fields(states, couplings) + m * ((1 - m**2) @ zero_diagonal(couplings) ** 2)


def tap_couplings(states: PureStates, start: Couplings, stopping: Stopping) -> Estimate:
    """Return the minimum over symmetric J of the violations of eq. 8 and of the spread of the fields."""
    sites = len(start)
    upper = np.triu_indices(sites)

    def symmetric(half: Couplings) -> Couplings:
        return half + half.T - np.diag(np.diag(half))

    def matrix(parameters: np.ndarray) -> Couplings:
        half = np.zeros((sites, sites))
        half[upper] = parameters
        return symmetric(half)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = tap_violation(states, matrix(parameters))
        return value, symmetric(slope)[upper]

    options = {"ftol": stopping.tolerance, "maxiter": stopping.max_iter, "maxfun": 2 * stopping.max_iter}
    best = minimize(objective, start[upper], jac=True, method="L-BFGS-B", options=options)
    return Estimate(matrix(best.x), np.zeros(sites), int(best.nit), bool(best.success))


def tap_violation(states: PureStates, couplings: Couplings) -> tuple[float, Couplings]:
    """Return S = sum_ai w^a_i [R^a_i (C^a)^-1 R^a_i + (h^a_i - <h_i>)^2] and its gradient with respect to all J_ij.

    By eq. 8, R^a_ik = sum_j J_ij C^a_jk - b^a_ik - C^a_ik sum_j J_ij^2 (1 - (m^a_j)^2)
    + 2 m^a_i sum_j J_ij^2 m^a_j C^a_jk.
    """
    m, c = states
    weights = equation_weights(states)
    squares = zero_diagonal(couplings) ** 2
    rest = 1 - m**2
    reaction = rest @ squares
    violations = couplings @ c - responses(states) - c * reaction[:, :, None]
    violations += 2 * m[:, :, None] * (squares @ (m[:, :, None] * c))
    fields = tap_fields(states, couplings)
    spread = fields - weighted_mean(fields, weights)
    forces = weights[:, :, None] * np.linalg.solve(c, violations.transpose(0, 2, 1)).transpose(0, 2, 1)
    pulls = weights[:, :, None] * violations
    linear = 2 * pulls.sum(axis=0) - 2 * (weights * spread).T @ m
    own = weights * m * spread - np.einsum("aii->ai", pulls)
    quadratic = 2 * own.T @ rest + 4 * np.einsum("ai,aij,aj->ij", m, pulls, m, optimize=True)
    value = float((violations * forces).sum() + (weights * spread**2).sum())
    return value, linear + 2 * zero_diagonal(couplings) * quadratic
