"""Mean-field reconstruction below the glass or ferromagnetic transition, one equation per thermodynamic state.

Nguyen and Berg, Phys. Rev. Lett. 109, 050602 (2012). The equations hold within each state a, with magnetisations m^a
and connected correlations C^a measured there; states are found as clusters of configurations with large overlap.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_choice, require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, log_pseudo_likelihood, new_generator
from vae_mf.inverse_ising.clustering import Labels, cluster_moments, spherical_clusters
from vae_mf.inverse_ising.lbfgs import Stopping
from vae_mf.inverse_ising.mean_field import zero_diagonal
from vae_mf.inverse_ising.moments import Moments, regularised

CUTOFF = 1e-12
"""Relative size of singular values that the pseudoinverse drops, squared."""
MOST_CLUSTERS = 128
SAMPLES_PER_SPIN = 50
"""Average size of a cluster, in units of N, below which the automatic choice does not go."""
JUDGED = 50_000
"""Configurations on which the automatic choice is judged."""


class States(NamedTuple):
    """Thermodynamic states, all of the same weight."""

    magnetisations: Float[np.ndarray, "states sites"]
    covariances: Float[np.ndarray, "states sites sites"]


class LowTemperature(InverseIsing):
    """Couplings that solve the mean-field equations of all thermodynamic states at once, in the least-squares sense.

    Naive: sum_j J_ij C^a_jk = -delta_ik + C^a_ik / (1 - (m^a_i)^2) for all i, k, a (eq. 4), and equal fields in all
    states (eq. 6), by the pseudoinverse. TAP: eq. 8 and its fields, minimised from the naive solution by L-BFGS. J_ii
    stays free in both and is dropped at the end: forcing it to zero makes the result much worse, as it takes up what a
    spin does to itself through its neighbours.

    Args:
        clusters: number k of clusters; "auto" for the power of two with the largest pseudo-likelihood; "magnetisation"
            for the two states of a ferromagnet, told apart by the sign of sum_i s_i.
        method: "naive" or "tap".
        smallest: total weight below which a cluster is left out.
        pseudocount: samples of independent unbiased spins added to every cluster, for spins that are frozen in it.
        restarts: starts of the clustering.
        tolerance: relative decrease of the violations at which L-BFGS has converged.
        max_iter: iterations of the clustering and of L-BFGS, at most.
        random_state: of the clustering.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.

    Attributes:
        n_clusters_: number of clusters that were used.
    """

    def __init__(
        self,
        clusters="auto",
        method="naive",
        smallest=200.0,
        pseudocount=1.0,
        restarts=3,
        tolerance=1e-5,
        max_iter=500,
        random_state=0,
        encoding="spin",
    ):
        self.clusters = clusters
        self.method = method
        self.smallest = smallest
        self.pseudocount = pseudocount
        self.restarts = restarts
        self.tolerance = tolerance
        self.max_iter = max_iter
        self.random_state = random_state
        self.encoding = encoding

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        require_choice("method", self.method, ("naive", "tap"))
        if self.clusters == "magnetisation":
            return self._solve(spins, weights, (spins.sum(axis=1, dtype=np.int64) >= 0).astype(np.int64))
        if self.clusters != "auto":
            return self._with_clusters(spins, weights, require_integer("clusters", self.clusters))
        most = weights.sum() / (SAMPLES_PER_SPIN * spins.shape[1])
        counts = [2**power for power in range(MOST_CLUSTERS.bit_length()) if 2**power <= max(1, most)]
        random = new_generator(self.random_state)
        judged = random.choice(len(spins), min(JUDGED, len(spins)), replace=False)

        def likelihood(estimate: Estimate) -> float:
            values = log_pseudo_likelihood(spins[judged], estimate.couplings, estimate.fields)
            return float(np.average(values, weights=weights[judged]))

        found = [
            (likelihood(estimate), count, estimate) for count, estimate in self._candidates(spins, weights, counts)
        ]
        _, self.n_clusters_, best = max(found, key=lambda candidate: candidate[0])
        return best

    def _candidates(self, spins: Spins, weights: Weights, counts: list[int]):
        for count in counts:
            estimate = self._with_clusters(spins, weights, count)
            yield self.n_clusters_, estimate

    def _with_clusters(self, spins: Spins, weights: Weights, count: int) -> Estimate:
        restarts, limit = require_integer("restarts", self.restarts), require_integer("max_iter", self.max_iter)
        random = new_generator(self.random_state)
        return self._solve(spins, weights, spherical_clusters(spins, weights, count, random, restarts, limit))

    def _solve(self, spins: Spins, weights: Weights, labels: Labels) -> Estimate:
        # With few samples the whole must do, however small.
        smallest = min(require_positive("smallest", self.smallest), weights.sum() / (labels.max() + 1))
        clusters = [regularised(c, self.pseudocount) for c in cluster_moments(spins, weights, labels, smallest)]
        # Without pseudocount, the fields of a cluster in which a spin is frozen are infinite.
        clusters = [cluster for cluster in clusters if np.abs(cluster.magnetisations).max() < 1]
        self.n_clusters_ = len(clusters)
        states = stack(clusters)
        couplings = naive_couplings(states)
        if self.method == "naive":
            return Estimate(zero_diagonal(couplings), state_fields(states, zero_diagonal(couplings)).mean(axis=0))
        best = tap_couplings(states, couplings, Stopping.checked(self.tolerance, self.max_iter))
        couplings = zero_diagonal(best.couplings)
        return best._replace(couplings=couplings, fields=tap_fields(states, couplings).mean(axis=0))


def stack(clusters: list[Moments]) -> States:
    """Return the moments of clusters as arrays."""
    return States(np.array([c.magnetisations for c in clusters]), np.array([c.covariances for c in clusters]))


def responses(states: States) -> Float[np.ndarray, "states sites sites"]:
    """Return b^a_ik = -delta_ik + C^a_ik / (1 - (m^a_i)^2)."""
    return states.covariances / (1 - states.magnetisations**2)[:, :, None] - np.eye(states.magnetisations.shape[1])


def naive_couplings(states: States) -> Couplings:
    """Return J of J A = B by the pseudoinverse, made symmetric, its diagonal free.

    A = (C^1, ..., C^k, m^1 - <m>, ..., m^k - <m>) and B likewise of the b^a and artanh m^a.
    """
    m, fields = states.magnetisations, np.arctanh(states.magnetisations)
    left = np.concatenate([*states.covariances, (m - m.mean(axis=0)).T], axis=1)
    right = np.concatenate([*responses(states), (fields - fields.mean(axis=0)).T], axis=1)
    couplings = right @ left.T @ np.linalg.pinv(left @ left.T, rcond=CUTOFF, hermitian=True)
    return (couplings + couplings.T) / 2


def state_fields(states: States, couplings: Couplings) -> Float[np.ndarray, "states sites"]:
    """Return h^a_i = artanh m^a_i - sum_j J_ij m^a_j of every state."""
    return np.arctanh(states.magnetisations) - states.magnetisations @ couplings


def tap_fields(states: States, couplings: Couplings) -> Float[np.ndarray, "states sites"]:
    """Return h^a_i = artanh m^a_i - sum_j J_ij m^a_j + m^a_i sum_j J_ij^2 (1 - (m^a_j)^2) of every state."""
    m = states.magnetisations
    return state_fields(states, couplings) + m * ((1 - m**2) @ zero_diagonal(couplings) ** 2)


def tap_couplings(states: States, start: Couplings, stopping: Stopping) -> Estimate:
    """Return the minimum over symmetric J of the squared violations of eq. 8 and of the spread of the fields."""
    sites = len(start)
    upper = np.triu_indices(sites)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        couplings = np.zeros((sites, sites))
        couplings[upper] = parameters
        couplings = couplings + couplings.T - np.diag(np.diag(couplings))
        value, slope = tap_violation(states, couplings)
        both = slope + slope.T - np.diag(np.diag(slope))
        return value, both[upper]

    options = {"ftol": stopping.tolerance, "maxiter": stopping.max_iter, "maxfun": 2 * stopping.max_iter}
    best = minimize(objective, start[upper], jac=True, method="L-BFGS-B", options=options)
    couplings = np.zeros((sites, sites))
    couplings[upper] = best.x
    couplings = couplings + couplings.T - np.diag(np.diag(couplings))
    return Estimate(couplings, np.zeros(sites), int(best.nit), bool(best.success))


def tap_violation(states: States, couplings: Couplings) -> tuple[float, Couplings]:
    """Return S = sum_aik R^a_ik^2 + sum_ai (h^a_i - <h_i>)^2 and its gradient with respect to all J_ij.

    By eq. 8, R^a_ik = sum_j J_ij C^a_jk - b^a_ik - C^a_ik sum_j J_ij^2 (1 - (m^a_j)^2)
    + 2 m^a_i sum_j J_ij^2 m^a_j C^a_jk.
    """
    m, c = states
    squares, rest = zero_diagonal(couplings) ** 2, 1 - m**2
    reaction = rest @ squares
    violations = couplings @ c - responses(states) - c * reaction[:, :, None]
    violations += 2 * m[:, :, None] * (squares @ (m[:, :, None] * c))
    fields = tap_fields(states, couplings)
    spread = fields - fields.mean(axis=0)
    pulls = violations @ c
    linear = 2 * pulls.sum(axis=0) - 2 * spread.T @ m
    own = -np.einsum("aik,aik->ai", violations, c) + m * spread
    quadratic = 2 * own.T @ rest + 4 * np.einsum("ai,aij,aj->ij", m, pulls, m, optimize=True)
    value = float(np.square(violations).sum() + np.square(spread).sum())
    return value, linear + 2 * zero_diagonal(couplings) * quadratic
