"""Separation, judged by the data: directions in which no row contradicts ever stronger couplings of a spin.

Without a penalty a local regression has a finite minimum unless some w != 0 has s_i (w . x) >= 0 in all rows, not all
zero (Albert and Anderson 1984). An empty cell of the 2 x 2 table of two spins is such a case. Where all are zero the
rows tell nothing of couplings along w.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.optimize import linprog

from vae_mf.inverse_ising.base import warn_convergence
from vae_mf.inverse_ising.moments import missing_states, spin_moments
from vae_mf.inverse_ising.solvers.information import PART, inverted
from vae_mf.inverse_ising.solvers.lbfgs import Points
from vae_mf.inverse_ising.solvers.local_regression import EXPONENTIAL, RIDGE, LocalRegression
from vae_mf.inverse_ising.solvers.standard_errors import expected_hessians

FIRST_ROWS = 500
"""Number of rows added to a linear programme at a time."""
FEASIBLE = 1e-6
"""Largest violation of a constraint that passes for rounding."""
SEPARATED = 0.01
"""Smallest margin, or sum of margins, that does not."""
Pairs = Bool[np.ndarray, "sites sites"]
Margins = Shaped[np.ndarray, "rows parameters"]
Parameters = Float[np.ndarray, " parameters"]


def separated_pairs(problem: LocalRegression, points: Points) -> Pairs:
    """Return True where the coupling of two spins has no finite estimate without a penalty, shape (N, N).

    Args:
        points: a minimum, within a tolerance, of the local regressions without penalty.
    """
    pairs = np.zeros((problem.sites, problem.sites), dtype=bool)
    pairs[tuple(missing_states(spin_moments(problem.data.spins, problem.data.shares)).T)] = True
    spins = problem.data.spins
    features = np.hstack([spins, np.ones((len(spins), 1), np.int8)])
    for i in np.flatnonzero(~_certainly_finite(problem, points)):
        limits = np.ones(problem.sites + 1)
        limits[i] = 0
        # Room for the sum of all directions that take a coupling and the field.
        limits[-1] = len(limits)
        pairs[i] |= separation(features * spins[:, [i]], points[:, i], limits).reach[:-1] > FEASIBLE
    return pairs | pairs.T


def untold_pairs(problem: LocalRegression) -> Pairs:
    """Return True for couplings that rows leave open, as those of a spin with others whose sum is always the same.

    >>> from vae_mf.statistics.distinct import distinct_spins
    >>> rows = np.array([[1, -1, 1], [-1, 1, 1], [1, -1, -1], [-1, 1, -1]], np.int8)
    >>> untold_pairs(LocalRegression(distinct_spins(rows, np.ones(4)), EXPONENTIAL))[2]
    array([ True,  True, False])
    """
    relations = inverted(problem.second_moments, 1.0).untold
    pairs = np.zeros((problem.sites, problem.sites), dtype=bool)
    for i in np.flatnonzero(np.full(problem.sites, relations.size > 0)):
        # Relations between the other spins: those in which spin i does not stand.
        own = relations[i] / max(float(np.linalg.norm(relations[i])), np.sqrt(PART))
        pairs[i] = (relations**2).sum(axis=1)[:-1] - (relations @ own)[:-1] ** 2 > PART
    return pairs | pairs.T


class Separation(NamedTuple):
    """Directions in which no margin falls and some grow."""

    reach: Parameters
    """Size of every parameter in the sum of some of them, zeros if there are none."""
    mixed: Bool[np.ndarray, " rows"]
    """True for rows whose margins stay as they are in all of them."""

    def unbounded(self, margins: Margins) -> Bool[np.ndarray, " parameters"]:
        """Return True for parameters that stand in any of them, or in such that move no margin."""
        kept = margins[self.mixed].astype(float)
        return ~inverted(kept.T @ kept, max(float(len(kept)), 1.0)).known & (self.reach.max() > FEASIBLE)


def separation(margins: Margins, start: Parameters, limits: Parameters) -> Separation:
    """Return the directions of parameters w that separate rows.

    A linear programme maximises the sum of margins over w within its limits, with no margin negative; rows join it as
    they are violated, those of the smallest margins at ``start`` first. Rows that it separates leave the sum, and the
    next one looks for further directions.

    Args:
        margins: what each parameter adds to the margin of every row, shape (rows, parameters).
        limits: largest size of every parameter.
    """
    margins = margins.astype(np.float32)
    bounds = np.column_stack([-limits, limits])
    reach = np.zeros(len(limits))
    mixed = np.ones(len(margins), dtype=bool)
    kept = np.argsort(margins @ start)[:FIRST_ROWS]
    while True:
        gain = margins[mixed].sum(axis=0, dtype=np.float64)
        found = linprog(-gain, -margins[kept], np.zeros(len(kept)), bounds=bounds)
        if -found.fun < SEPARATED:
            return Separation(reach, mixed)
        reached = margins @ found.x
        if (reached >= -FEASIBLE).all():
            reach += np.abs(found.x)
            mixed &= reached < SEPARATED
        else:
            kept = np.union1d(kept, np.argsort(reached)[:FIRST_ROWS])


def warn_separation(separated: Pairs, untold: Pairs) -> None:
    """Warn of couplings that have no finite estimate without a penalty, or any, as far as there are some."""
    for pairs, cause, lack in (
        (separated, "separate", "have no finite estimate"),
        (untold & ~separated, "are too few or too much alike for", "may be anything"),
    ):
        spins = np.flatnonzero(pairs.any(axis=0))
        named = np.argwhere(np.triu(pairs))
        if len(named):
            warn_convergence(
                f"the samples {cause} spins {spins[:10].tolist()}{' and more' if spins.size > 10 else ''}: the "
                f"couplings of {len(named)} pairs, {named[:5].tolist()}{' and more' if len(named) > 5 else ''}, {lack} "
                "without a penalty; their errors are infinite, and their values those of l2 = 1; set l2 > 0"
            )


def _certainly_finite(problem: LocalRegression, points: Points) -> Bool[np.ndarray, " sites"]:
    """Return True for spins whose objective, without penalty, surely has a minimum, near the points.

    Along any unit vector v in the sum of absolute entries the curvature falls by at most e^-2t over a length t, as it
    does for logistic and exponential losses of spins. The slope therefore turns positive along all of them if the
    Newton step d has |d|_H < |v|_H / 2 for all v, for which sqrt(lambda_min / (N + 1)) / 2 is enough.
    """
    if problem.loss.logarithm:
        # The logarithm has the minimum of the mean, but a curvature along any separation.
        problem = LocalRegression(problem.data, EXPONENTIAL)
    slopes = problem.loss_and_slope(points, np.arange(problem.sites), np.float64).gradients
    slopes[np.arange(problem.sites), np.arange(problem.sites)] = 0
    finite = np.zeros(problem.sites, dtype=bool)
    for spins, hessians in expected_hessians(problem, points):
        smallest = np.linalg.eigvalsh(hessians)[:, 0] - 2 * RIDGE
        here = slopes[:, spins].T
        squares = (here * np.linalg.solve(hessians, here[:, :, None])[:, :, 0]).sum(axis=1)
        finite[spins] = 4 * squares < smallest / (problem.sites + 1)
    return finite
