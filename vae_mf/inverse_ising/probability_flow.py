"""Minimum probability flow, couplings from whose model the data flow away most slowly."""

from dataclasses import dataclass
from typing import Any

from vae_mf.arrays import Spins
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights
from vae_mf.inverse_ising.solvers.lbfgs import Stopping
from vae_mf.inverse_ising.solvers.local_regression import EXPONENTIAL
from vae_mf.inverse_ising.solvers.penalised import minimise_ridge
from vae_mf.inverse_ising.solvers.standard_errors import joint_errors
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.statistics.distinct import distinct_spins


@dataclass(eq=False, repr=False)
class ProbabilityFlow(InverseIsing):
    """Minimise K = sum_i <exp((E(s) - E(s with spin i flipped)) / 2)> (Sohl-Dickstein, Battaglino and DeWeese 2011).

    For Ising models K = sum_i <exp(-s_i theta_i)>, interaction screening with symmetric couplings. Flow between two
    configurations of the data counts, which keeps the estimate consistent when the data cover the whole space.

    Args:
        l2: weight of l2 / (2 M) sum_ij J_ij^2, or "auto" as for `PenalisedRegression`.
        standard_errors: True to compute them, by the sandwich formula (memory O(N^4)).
        tolerance: largest entry of the gradient at which the fit has converged.

    Attributes:
        l2_: weights of the squares that were used, shape (N, N).
    """

    l2: Any = "auto"
    standard_errors: Any = False
    tolerance: Any = 1e-6
    max_iter: Any = 500
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        data = distinct_spins(spins, weights)
        stopping = Stopping.checked(self.tolerance, self.max_iter)
        problem = SymmetricRegression(data, EXPONENTIAL)
        best = minimise_ridge(problem, self.l2, data.samples, problem.start(), stopping)
        self.l2_ = problem.ridge * data.samples
        model = problem.model(best.points)
        errors = joint_errors(data, EXPONENTIAL, problem.ridge, *model) if self.standard_errors else ()
        return Estimate(*model, best.n_iter, best.converged, *errors)
