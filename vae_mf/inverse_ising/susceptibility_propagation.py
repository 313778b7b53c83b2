"""Susceptibility propagation, belief propagation and its linear response run backwards from moments to couplings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields
from vae_mf.checks import require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate
from vae_mf.inverse_ising.mean_field import (
    LARGEST_TANGENT,
    MeanFieldEstimator,
    bethe_fields,
    cavity_magnetisations,
    pair_couplings,
    zero_diagonal,
)
from vae_mf.inverse_ising.moments import Moments

Responses = Float[np.ndarray, "sites sites sites"]
"""g_{i->j,k}, the derivative of the message u_{i->j} = artanh(t_ij tanh h_{i->j}) with respect to the field of k."""
CUBES = 6
"""Number of arrays of N^3 entries that a step holds."""
DIVERGED = 1e6
"""Response beyond which the iteration counts as diverged."""


@dataclass(eq=False, repr=False)
class SusceptibilityPropagation(MeanFieldEstimator):
    """Couplings at the fixed point of belief propagation whose linear response is C (Mezard and Mora 2009).

    Exact on trees, where it agrees with `Bethe`; time and memory O(N^3) per iteration. It converges at weak coupling
    only, and unlike the closed formula it does not use the diagonal of C.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> chain = np.exp(0.5 * spins[:, 0] * spins[:, 1] - 0.3 * spins[:, 1] * spins[:, 2])
    >>> SusceptibilityPropagation().fit(spins, sample_weight=100 * chain).couplings_[1].round(6) + 0.0
    array([ 0.5,  0. , -0.3])

    Args:
        damping: share of the old messages kept in each step, from 0 up to but not including 1.
        tolerance: largest change of a tanh J or a response at which the iteration has converged.
        pseudocount: number of independent unbiased rows added to the data; above 0, constant spins are allowed.
        shrinkage: share, from 0 to 1, by which correlations between different spins are reduced.
        max_iter: largest number of iterations.
    """

    damping: Any = 0.3
    tolerance: Any = 1e-8
    max_iter: Any = 500

    def _required_bytes(self, sites: int) -> int:
        return CUBES * 8 * sites**3

    def _from_moments(self, data: Moments) -> Estimate:
        if not 0 <= self.damping < 1:
            raise ValueError(f"damping: expected a number from 0 up to but not including 1, got {self.damping!r}")
        tolerance = require_positive("tolerance", self.tolerance)
        limit = require_integer("max_iter", self.max_iter)
        m = data.magnetisations
        sites = len(data.magnetisations)
        tangents = np.zeros((sites, sites))
        responses = np.zeros((sites, sites, sites))
        change, steps = np.inf, 0
        while steps < limit and change > tolerance:
            new = self.damping * tangents + (1 - self.damping) * explained(data, responses)
            passed_on = propagated(m, new, responses)
            if not np.abs(passed_on).max() < DIVERGED:
                break
            change = max(np.abs(new - tangents).max(), np.abs(passed_on - responses).max())
            tangents, responses, steps = new, passed_on, steps + 1
        return Estimate(np.arctanh(tangents), bethe_fields(m, tangents), steps, bool(change <= tolerance))


def cavity_responses(responses: Responses) -> Responses:
    """Return eta_{i->j,k} = delta_ik + sum_{l != j} g_{l->i,k}, the change of i's cavity field for j with h_k."""
    total = np.eye(len(responses)) + responses.sum(axis=0)
    return total[:, None, :] - responses.transpose(1, 0, 2)


def explained(data: Moments, responses: Responses) -> Couplings:
    """Return the tanh J that explain C under the given responses.

    Correlations split into C_ij = L_i eta_{i->j,j} + (p_ij - m_i m_j) eta_{j->i,j}, which gives the moment p_ij of the
    pair's own model, whose coupling is that of an independent pair.
    """
    m = data.magnetisations
    eta = cavity_responses(responses)
    to_neighbour = np.einsum("ijj->ij", eta)
    to_itself = np.einsum("jij->ij", eta)
    own = (data.covariances - (1 - m**2)[:, None] * to_neighbour) / to_itself + np.outer(m, m)
    tangents = np.tanh(pair_couplings(m, (own + own.T) / 2))
    return zero_diagonal(np.clip(tangents, -LARGEST_TANGENT, LARGEST_TANGENT))


def propagated(m: Fields, tangents: Couplings, responses: Responses) -> Responses:
    """Return g_{i->j,k} = eta_{i->j,k} t (1 - c^2) / (1 - t^2 c^2), with c the cavity magnetisation of i without j."""
    cavity = cavity_magnetisations(m, tangents)
    gain = tangents * (1 - cavity**2) / (1 - (tangents * cavity) ** 2)
    return gain[:, :, None] * cavity_responses(responses)
