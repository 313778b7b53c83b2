"""Penalties, solvers and diagnostics of pseudo-likelihood and interaction screening."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, warn_convergence
from vae_mf.inverse_ising.solvers.coupling_prior import Posterior, evidence_strength, kind_strengths
from vae_mf.inverse_ising.solvers.lasso import minimise_lasso
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Objective, Points, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import LocalRegression, Loss, symmetrised
from vae_mf.inverse_ising.solvers.standard_errors import sandwich_errors
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins

FIRST_STRENGTH = 16.0
REFITS = 4
ROUGH = 1e-4
"""Tolerance of the fits before the last."""
SETTLED = 0.1
"""Relative change of the strength that needs no further fit."""


@runtime_checkable
class RidgeProblem(Objective, Protocol):
    """Local regressions, separate or joint, under an l2 penalty that can be changed."""

    ridge: np.ndarray
    """lambda / M of every coupling, shape (N, N)."""

    def penalise(self, strength: float | Couplings) -> None:
        """Set the strength lambda of the penalty, one for all couplings or one for each."""
        ...

    def posterior(self, points: Points) -> Posterior:
        """Return couplings and variances at the minimum under one strength."""
        ...


@dataclass(eq=False, repr=False)
class PenalisedRegression(InverseIsing):
    """Base of the estimators that regress every spin on all others and average J_ij with J_ji.

    The sum over samples of the loss, plus l2 / 2 sum_j J_ij^2 + l1 sum_j |J_ij|, is minimised for every spin i: minus
    the logarithm of a posterior whose prior is Gaussian of variance 1 / l2, Laplacian of rate l1, or both (elastic).

    Args:
        l2: weight of the squares, or "auto" for what the data make most likely: one weight for all couplings, or, where
            they are clearly of two kinds as on sparse graphs, one for each (`coupling_prior`); none beside l1 > 0.
            Without any penalty strongly coupled data are often separable: no finite estimate exists.
        l1: weight of the absolute values, or "auto" for the rate c sqrt(M ln(N^2 / 0.05)) that recovers sparse graphs
            (Lokhov et al. 2018), with the c of the estimator.
        standard_errors: True to compute them, the weights l2 taken as given (in time O(M N^3), often more than the
            fit itself; not with l1).
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.

    Attributes:
        l2_: weights of the squares that were used, shape (N, N).
    """

    _automatic_l1: ClassVar[float]

    l2: Any = "auto"
    l1: Any = 0.0
    standard_errors: Any = False
    tolerance: Any = 1e-6
    max_iter: Any = 500
    encoding: Any = "spin"

    def _loss(self) -> Loss:
        """Return the loss of a margin s_i theta_i."""
        raise NotImplementedError

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        data = distinct_spins(spins, weights)
        l1 = self._l1(data)
        if l1 and self.standard_errors:
            raise ValueError(
                "standard_errors: expected False with l1 > 0, whose estimates are not normally distributed"
            )
        problem = LocalRegression(data, self._loss())
        warn_copies(problem.second_moments[:-1, :-1])
        best = self._minimum(problem, l1 / data.samples)
        self.l2_ = problem.ridge * data.samples
        couplings, fields = symmetrised(best.points)
        if l1 == 0 and not problem.ridge.any():
            warn_separation(couplings, data.samples)
        if not self.standard_errors:
            return Estimate(couplings, fields, best.n_iter, best.converged)
        errors = sandwich_errors(data, self._loss(), problem.ridge, best.points)
        return Estimate(couplings, fields, best.n_iter, best.converged, errors.couplings, errors.fields)

    def _minimum(self, problem: LocalRegression, l1: float) -> Minimum:
        """Return the minimum of a problem whose penalty is set as the options say; l1 weighs against the mean loss."""
        start = np.zeros((problem.sites + 1, problem.sites))
        stopping = Stopping.checked(self.tolerance, self.max_iter)
        if l1:
            problem.penalise(0.0 if self.l2 == "auto" else require_non_negative("l2", self.l2))
            return minimise_lasso(problem, l1, start, stopping)
        return minimise_ridge(problem, self.l2, problem.data.samples, start, stopping)

    def _l1(self, data: DistinctSpins) -> float:
        """Return the weight of the absolute couplings."""
        if self.l1 == "auto":
            return self._automatic_l1 * float(np.sqrt(data.samples * np.log(data.spins.shape[1] ** 2 / 0.05)))
        return require_non_negative("l1", self.l1)


def minimise_ridge(problem: RidgeProblem, l2: Any, samples: float, start: Points, stopping: Stopping) -> Minimum:
    """Minimise a problem of M samples under the l2 penalty given, or under what the data make likely if "auto"."""
    if l2 != "auto":
        problem.penalise(require_non_negative("l2", l2))
        return minimise(problem, start, stopping)
    strength, iterations = FIRST_STRENGTH, 0
    for _ in range(REFITS):
        problem.penalise(strength)
        rough = minimise(problem, start, stopping._replace(tolerance=max(stopping.tolerance, ROUGH)))
        start, iterations = rough.points, iterations + rough.n_iter
        old = strength
        posterior = problem.posterior(rough.points)
        strength = evidence_strength(posterior, old, samples)
        if abs(np.log(strength / old)) < SETTLED:
            break
    kinds = kind_strengths(posterior, old)
    problem.penalise(strength if kinds is None else kinds)
    best = minimise(problem, start, stopping)
    return best._replace(n_iter=best.n_iter + iterations)


def warn_separation(couplings: Couplings, samples: float) -> None:
    """Warn of spins whose couplings run away because the others predict them without error in some direction.

    Odds of e^4 M to one for a single neighbour, |J| > 2 + ln(M) / 2, are more than M samples can show.
    """
    spins = np.flatnonzero(np.abs(couplings).max(axis=1) > 2 + np.log(max(samples, 1.0)) / 2)
    if spins.size:
        warn_convergence(
            f"the samples separate spins {spins[:10].tolist()}{' and more' if spins.size > 10 else ''}, "
            "whose couplings have no finite estimate without a penalty; set l2 > 0"
        )


def warn_copies(pair_moments: np.ndarray) -> None:
    """Warn of spins that are equal or opposite in all samples: only a penalty bounds their coupling."""
    pairs = np.argwhere(np.triu(np.abs(pair_moments) > 1 - 1e-7, 1))
    if len(pairs):
        warn_convergence(
            f"spins {pairs[:5].tolist()}{' and more' if len(pairs) > 5 else ''} are copies (equal or opposite in all "
            "samples): their coupling has no finite estimate but that of the penalty"
        )
