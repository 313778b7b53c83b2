"""Maximum pseudo-likelihood of Potts models, a multinomial regression of every site on the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.potts.base import PottsEstimate, PottsModel
from vae_mf.inverse_ising.potts.regression import PottsRegression
from vae_mf.inverse_ising.potts.rows import PottsRows
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Stopping, minimise

REFITS = 8
"""Largest number of weights that are tried."""
ROUGH = 1e-3
"""Tolerance of the fits before the last."""
SETTLED = 0.1
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
        states, fields_l2: as for `PottsModel`.
        l2: weight of the squared couplings, or "auto" for the one that the data make most likely: the ratio of the
            number of couplings that they determine to the sum of the squares (MacKay 1992), found by a few fits.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
    """

    states: Any = None
    l2: Any = "auto"
    fields_l2: Any = 1.0
    tolerance: Any = 1e-4
    max_iter: Any = 500

    def _estimate(self, data: PottsRows) -> PottsEstimate:
        problem = PottsRegression(data, require_non_negative("fields_l2", self.fields_l2))
        best = minimise_potts(problem, self.l2, Stopping.checked(self.tolerance, self.max_iter))
        return PottsEstimate(problem.model(best.points), problem.ridge * data.samples, best.n_iter, best.converged)


def minimise_potts(problem: PottsRegression, l2: Any, stopping: Stopping) -> Minimum:
    """Minimise under the weight given, or under what the data make likely if "auto"."""
    start = problem.start()
    iterations = 0
    if l2 != "auto":
        problem.penalise(require_non_negative("l2", l2))
        return minimise(problem, start, stopping)
    samples = max(problem.data.samples, 1.0)
    # Beyond M no single coupling can be told from zero, but the (q - 1)^2 of a pair together can.
    most = samples * (problem.data.states - 1) ** 2
    # Fits under a weak penalty are slow: the weight comes from above.
    place = float(np.log(samples))
    last, answers = np.nan, np.nan
    for _ in range(REFITS):
        problem.penalise(np.exp(place))
        rough = minimise(problem, start, stopping._replace(tolerance=max(stopping.tolerance, ROUGH)))
        start, iterations = rough.points, iterations + rough.n_iter
        squares = max(problem.squares(start), np.finfo(float).tiny)
        answer = float(np.log(np.clip(problem.determined(start) / squares, 1.0, most)))
        # A secant towards the place that is its own answer.
        slope = float(np.clip(np.nan_to_num((answer - answers) / (place - last)), 0, 0.8))
        step = (answer - place) / (1 - slope)
        last, answers = place, answer
        place = float(np.clip(place + step, 0, np.log(most)))
        if abs(place - last) < SETTLED:
            break
    problem.penalise(np.exp(place))
    best = minimise(problem, start, stopping)
    return best._replace(n_iter=best.n_iter + iterations)
