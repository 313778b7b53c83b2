"""Minimum probability flow, couplings from whose model the data flow away most slowly."""

from dataclasses import dataclass

from vae_mf.inverse_ising.solvers.local_regression import EXPONENTIAL
from vae_mf.inverse_ising.solvers.penalised import RidgeRegression
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.statistics.distinct import DistinctSpins


@dataclass(eq=False, repr=False)
class ProbabilityFlow(RidgeRegression):
    """Minimise K = sum_i <exp((E(s) - E(s with spin i flipped)) / 2)> (Sohl-Dickstein, Battaglino and DeWeese 2011).

    For Ising models K = sum_i <exp(-s_i theta_i)>, interaction screening with symmetric couplings. Flow between two
    configurations of the data counts, which keeps the estimate consistent when the data cover the whole space.

    >>> import numpy as np
    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> weights = 100 * np.exp(0.5 * spins.prod(axis=1))
    >>> ProbabilityFlow(l2=0.0).fit(spins, sample_weight=weights).couplings_.round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        l2, standard_errors, tolerance, max_iter, encoding: as for `PseudoLikelihood`, the sum over samples being M K
            and every pair counted twice.
    """

    def _problem(self, data: DistinctSpins) -> SymmetricRegression:
        return SymmetricRegression(data, EXPONENTIAL)
