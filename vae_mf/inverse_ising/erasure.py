"""Erasure machine: couplings that make the observed configurations, re-weighted, look like weak coupling.

Reweighted frequencies f'(s) proportional to f(s) p(s)^(epsilon - 1) belong to the model with epsilon times the
parameters w = (J, h), whose moments are about epsilon w if that is small (Jo, Hoang and Periwal 2019):

w <- w + rate (<O>_f' - epsilon w),    O = (s_i s_j, s_i),    ln p(s) = w . O(s) up to a constant.

Only observed configurations are summed over. The chosen epsilon has the largest mean energy <-w . O>_f.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.penalised import warn_copies
from vae_mf.statistics.distinct import distinct_spins

Epsilons = Float[np.ndarray, " epsilons"]
ROWS = 2**8
"""Configurations treated at once, so that their products with all couplings stay in the cache."""


class Erasure(NamedTuple):
    """State of the erasure machine, for every epsilon at once."""

    couplings: Float[np.ndarray, "epsilons sites sites"]
    fields: Float[np.ndarray, "epsilons sites"]
    energies: Epsilons
    """Mean energy <-w . O>_f of the observed configurations."""
    effective_samples: Epsilons
    """1 / sum f'^2, how many configurations carry the re-weighted averages."""
    residuals: Epsilons
    """Largest entry of |<O>_f' - epsilon w|."""


@dataclass(eq=False, repr=False)
class ErasureMachine(InverseIsing):
    """Erasure machine whose epsilon is the one of largest mean energy.

    Its results are those of a fixed number of steps, as in the source, where more steps at small epsilon are worse;
    ``converged_`` says whether they left the fixed point unmet by less than the tolerance. The expansion wants spins
    that are often up and often down: of rare events it makes models worse than none, which a warning tells.

    Source: Jo, Hoang and Periwal 2019.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> fit = ErasureMachine().fit(spins, sample_weight=100 * np.exp(0.3 * spins.prod(axis=1)))
    >>> fit.couplings_.round(2), fit.epsilon_
    (array([[0.  , 0.29],
           [0.29, 0.  ]]), 0.95)

    Args:
        epsilons: values to try, each above 0 and at most 1; 1 is Hebb's rule.
        rate: size of a step.
        n_steps: number of steps.
        tolerance: largest |<O>_f' - epsilon w| that counts as converged.

    Attributes:
        epsilon_: the chosen one.
        mean_energies_: mean energy for every epsilon.
        effective_samples_: configurations that carry the averages at the chosen epsilon; few mean a noisy estimate.
    """

    epsilons: Any = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    rate: Any = 0.1
    n_steps: Any = 100
    tolerance: Any = 0.05
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        epsilons = checked_epsilons(self.epsilons)
        steps = require_integer("n_steps", self.n_steps)
        tolerance = require_positive("tolerance", self.tolerance)
        warn_copies(spin_moments(spins, weights).pair_moments)
        rows, shares, _ = distinct_spins(spins, weights)
        states = erasure_steps(rows, shares, epsilons, require_positive("rate", self.rate))
        final = next(islice(states, steps, None))
        best = int(final.energies.argmax())
        self.epsilon_ = float(epsilons[best])
        self.mean_energies_ = final.energies
        self.effective_samples_ = float(final.effective_samples[best])
        converged = bool(final.residuals[best] <= tolerance)
        return Estimate(final.couplings[best], final.fields[best], steps, converged)


def checked_epsilons(values: Sequence[float]) -> Epsilons:
    """Return the values as an array, or raise ValueError unless they are one or more numbers in (0, 1]."""
    epsilons = np.array([require_positive("epsilons", value) for value in values])
    if epsilons.size == 0 or epsilons.max() > 1:
        raise ValueError(f"epsilons: expected one or more numbers above 0 and at most 1, got {list(values)!r}")
    return epsilons


def erasure_steps(spins: Spins, shares: Weights, epsilons: Epsilons, rate: float) -> Iterator[Erasure]:
    """Yield the state before every step, without end, from zero couplings and fields on."""
    sites = spins.shape[1]
    count = len(epsilons)
    couplings = np.zeros((count, sites, sites))
    fields = np.zeros((count, sites))
    while True:
        scores = log_weights(spins, couplings, fields)
        pairs, singles, effective = reweighted_moments(spins, shares, (epsilons - 1) * scores)
        bond_steps = pairs - epsilons[:, None, None] * couplings
        field_steps = singles - epsilons[:, None] * fields
        residuals = np.maximum(np.abs(bond_steps).max(axis=(1, 2)), np.abs(field_steps).max(axis=1))
        yield Erasure(couplings, fields, -(shares @ scores), effective, residuals)
        couplings, fields = couplings + rate * bond_steps, fields + rate * field_steps


def log_weights(
    spins: Spins, couplings: Float[np.ndarray, "epsilons sites sites"], fields: Float[np.ndarray, "epsilons sites"]
) -> Float[np.ndarray, "rows epsilons"]:
    """Return w . O = sum_{i<j} J_ij s_i s_j + sum_i h_i s_i of every configuration and model."""
    count, sites = fields.shape
    half = np.concatenate(couplings / 2, axis=1).astype(np.float32)
    shifts = fields.ravel().astype(np.float32)
    scores = np.empty((len(spins), count))
    for first in range(0, len(spins), ROWS):
        rows = spins[first : first + ROWS].astype(np.float32)
        local = (rows @ half + shifts).reshape(len(rows), count, sites)
        scores[first : first + ROWS] = np.einsum("rks,rs->rk", local, rows)
    return scores


class Reweighted(NamedTuple):
    """Moments under re-weighted frequencies, for every epsilon."""

    pairs: Float[np.ndarray, "epsilons sites sites"]
    """<s_i s_j>, zero on the diagonal."""
    singles: Float[np.ndarray, "epsilons sites"]
    """<s_i>."""
    effective_samples: Epsilons


def reweighted_moments(spins: Spins, shares: Weights, tilts: Float[np.ndarray, "rows epsilons"]) -> Reweighted:
    """Return the moments under frequencies proportional to shares * exp(tilts)."""
    logs = np.log(shares)[:, None] + tilts
    frequencies = np.exp(logs - logs.max(axis=0))
    frequencies /= frequencies.sum(axis=0)
    sites, count = spins.shape[1], tilts.shape[1]
    pairs = np.zeros((count, sites, sites))
    singles = np.zeros((count, sites))
    for first in range(0, len(spins), ROWS):
        rows = spins[first : first + ROWS].astype(np.float32)
        part = frequencies[first : first + ROWS].astype(np.float32)
        weighted = (part[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
        pairs += (weighted.T @ rows).reshape(count, sites, sites)
        singles += part.T @ rows
    pairs[:, np.arange(sites), np.arange(sites)] = 0.0
    return Reweighted(pairs, singles, 1 / (frequencies**2).sum(axis=0))
