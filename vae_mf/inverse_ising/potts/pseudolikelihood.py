"""Maximum pseudo-likelihood of Potts models, a multinomial regression of every site on the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.potts.base import PottsEstimate, PottsModel
from vae_mf.inverse_ising.potts.pair_prior import likely_strengths
from vae_mf.inverse_ising.potts.regression import PottsRegression
from vae_mf.inverse_ising.potts.rows import PottsRows
from vae_mf.inverse_ising.potts.standard_errors import (
    bytes_of_all,
    bytes_of_posterior,
    posterior_errors,
    sandwich_errors,
)
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Stopping, minimise

REFITS = 8
"""Largest number of weights that are tried."""
ROUGH = 1e-3
"""Tolerance of the fits before the last."""
SETTLED = 0.2
"""Relative change of the weight that needs no further fit."""


@dataclass(eq=False, repr=False)
class PottsPseudoLikelihood(PottsModel):
    """Maximise sum_i <ln p(x_i | all others)> for all sites jointly, J_ij(a, b) = J_ji(b, a) (Ekeberg et al. 2013).

    With two states and the same weights it is `PseudoLikelihood` with ``symmetric=True``.

    >>> from vae_mf.inverse_ising.potts.rows import all_rows
    >>> rows = all_rows(2, 3)
    >>> found = PottsPseudoLikelihood(l2=0.0, fields_l2=0.0)
    >>> J = found.fit(rows, sample_weight=np.exp(3.0 * (rows[:, 0] == rows[:, 1]))).couplings_
    >>> J[0, 1].round(3) + 0.0
    array([[ 2., -1., -1.],
           [-1.,  2., -1.],
           [-1., -1.,  2.]])

    Args:
        states, fields_l2, standard_errors: as for `PottsModel`.
        l2: weight of the squared couplings, or "auto" for what the data make likely, one weight for each pair of sites
            under a prior learnt from all of them (`pair_prior`).
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
        max_iter: largest number of iterations.
    """

    states: Any = None
    l2: Any = "auto"
    fields_l2: Any = 1.0
    standard_errors: Any = False
    tolerance: Any = 1e-4
    max_iter: Any = 500

    def _required_bytes(self, sites: int, states: int) -> int:
        errors = bytes_of_posterior(sites, states) if self.standard_errors else 0
        if self.standard_errors and self.l2 == 0:
            errors += bytes_of_all(sites, states)
        return super()._required_bytes(sites, states) + errors

    def _estimate(self, data: PottsRows) -> PottsEstimate:
        problem = PottsRegression(data, require_non_negative("fields_l2", self.fields_l2))
        best = minimise_potts(problem, self.l2, Stopping.checked(self.tolerance, self.max_iter))
        found = PottsEstimate(problem.model(best.points), problem.l2, best.n_iter, best.converged)
        if not self.standard_errors:
            return found
        errors = posterior_errors(problem, found.model).doubted(problem, found.model)
        if self.l2 == 0:
            errors = errors.at_least(sandwich_errors(problem, found.model))
        return found._replace(errors=errors)


def minimise_potts(problem: PottsRegression, l2: Any, stopping: Stopping) -> Minimum:
    """Minimise under the weight given, or under what the data make likely if "auto": one for every pair of sites."""
    if l2 != "auto":
        problem.penalise(require_non_negative("l2", l2))
        return minimise(problem, problem.start(), stopping)
    rough = stopping._replace(tolerance=max(stopping.tolerance, ROUGH))
    first = with_likely_weight(problem, rough)
    problem.penalise(*likely_strengths(problem.estimates(first.points), float(problem.strengths[0])))
    best = minimise(problem, first.points, stopping)
    return best._replace(n_iter=best.n_iter + first.n_iter)


def with_likely_weight(problem: PottsRegression, stopping: Stopping) -> Minimum:
    """Minimise under about the one weight that the data make most likely, which the problem has afterwards.

    It is the ratio of the number of couplings that they determine to the sum of the squares (MacKay 1992).
    """
    samples = max(problem.data.samples, 1.0)
    # Beyond M no single coupling can be told from zero, but the (q - 1)^2 of a pair together can.
    most = samples * (problem.data.states - 1) ** 2
    # Fits under a weak penalty are slow: the weight comes from above.
    place = float(np.log(samples))
    last, old_answer = np.nan, np.nan
    found = Minimum(problem.start(), np.zeros(1), 0, False)
    for _ in range(REFITS):
        problem.penalise(np.exp(place))
        fit = minimise(problem, found.points, stopping)
        found = fit._replace(n_iter=fit.n_iter + found.n_iter)
        squares = max(problem.squares(found.points), np.finfo(float).tiny)
        answer = float(np.log(np.clip(problem.determined(found.points) / squares, 1.0, most)))
        # A secant towards the weight that is its own answer.
        slope = float(np.clip(np.nan_to_num((answer - old_answer) / (place - last)), 0, 0.8))
        step = (answer - place) / (1 - slope)
        if abs(step) < SETTLED:
            break
        last, old_answer = place, answer
        place = float(np.clip(place + step, 0, np.log(most)))
    return found
