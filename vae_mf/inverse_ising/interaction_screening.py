"""Interaction screening, local objectives whose gradient vanishes at the true couplings in any ensemble."""

from dataclasses import dataclass
from typing import Any

from vae_mf.checks import require_choice
from vae_mf.inverse_ising.solvers.local_regression import EXPONENTIAL, LOG_EXPONENTIAL, Loss
from vae_mf.inverse_ising.solvers.penalised import PenalisedRegression

LOSSES = {"rise": EXPONENTIAL, "logrise": LOG_EXPONENTIAL}


@dataclass(eq=False, repr=False)
class InteractionScreening(PenalisedRegression):
    """Minimise <exp(-s_i (h_i + sum_j J_ij s_j))> for every spin, or its logarithm (Vuffray et al. 2016).

    Both have the same minimum unless it is penalised; the logarithm ("logrise") needs fewer samples on sparse graphs.

    >>> import numpy as np
    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> weights = 100 * np.exp(0.5 * spins.prod(axis=1))
    >>> InteractionScreening(l2=0.0).fit(spins, sample_weight=weights).couplings_.round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        objective: "rise" for the mean, "logrise" for its logarithm.
        l2, l1, standard_errors, tolerance, max_iter, encoding: as for `PseudoLikelihood`, the sum over samples
            being M times the objective.
    """

    objective: Any = "rise"

    def _loss(self) -> Loss:
        return LOSSES[require_choice("objective", self.objective, LOSSES)]
