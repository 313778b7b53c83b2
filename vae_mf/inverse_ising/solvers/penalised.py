"""Penalties, solvers and diagnostics of pseudo-likelihood and interaction screening."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.checks import require_non_negative
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, require_sites, warn_convergence
from vae_mf.inverse_ising.solvers.coupling_prior import (
    FLAT,
    Curvatures,
    KindStrengths,
    Posterior,
    evidence_strength,
    kind_strengths,
)
from vae_mf.inverse_ising.solvers.lasso import minimise_clipped, minimise_lasso
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Objective, Points, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import LocalPoints, LocalRegression, Loss
from vae_mf.inverse_ising.solvers.separation import Pairs, separated_pairs, untold_pairs, warn_separation
from vae_mf.inverse_ising.solvers.standard_errors import posterior_errors, sandwich_bytes, sandwich_errors
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins

FIRST_STRENGTH = 16.0
LEAST_STRENGTH = 1.0
"""l2 of pairs that are separated, whose couplings would have no finite value."""
REFITS = 4
REGRESSION_MATRICES = 50
"""Number of matrices of N^2 entries that a fit holds, most of them pairs of the optimiser's memory."""
ROUGH = 1e-4
"""Tolerance of the fits before the last."""
SETTLED = 0.1
"""Relative change of the strength that needs no further fit."""


@runtime_checkable
class RidgeProblem(Objective, Protocol):
    """Local regressions, separate or joint, under an l2 penalty that can be changed."""

    ridge: np.ndarray
    """lambda / M of every coupling, shape (N, N); column i is that of spin i's regression."""

    @property
    def local(self) -> LocalRegression:
        """Separate regressions on the same data, under the same penalty."""
        ...

    def start(self) -> Points:
        """Return the parameters to set out from."""
        ...

    def model(self, points: Points) -> tuple[Couplings, Fields]:
        """Return J and h."""
        ...

    def local_points(self, points: Points) -> LocalPoints:
        """Return the parameters of the separate regressions."""
        ...

    def penalise(
        self, strength: float | Couplings, curvatures: Curvatures = FLAT, doubts: float | Couplings = 0.0
    ) -> None:
        """Set the strength lambda of the penalty, one for all couplings or one for each."""
        ...

    def posterior(self, points: Points) -> Posterior:
        """Return couplings and variances at the minimum under one strength."""
        ...


@dataclass(eq=False, repr=False)
class RidgeRegression(InverseIsing):
    """Base of the estimators that regress every spin on all others under an l2 penalty.

    The sum over samples of the loss, plus l2 / 2 sum_j J_ij^2, is minimised for every spin i. For a likelihood that is
    minus the logarithm of a posterior whose prior is Gaussian of variance 1 / l2; another loss, whose slopes scatter
    kappa times as much as its curvature says, needs l2 = kappa times the prior's precision, and "auto" sees to that.

    Args:
        l2: weight of the squares, or "auto" for what the data make most likely: one weight for all couplings, or, where
            they are clearly of two kinds as on sparse graphs, one for each (`coupling_prior`).
            Without any penalty strongly coupled data are often separable: no finite estimate exists. Such pairs, and
            those of which the data tell nothing, are named, have infinite errors, and are fitted with l2 = 1.
        standard_errors: True to compute ``couplings_error_`` and ``fields_error_``, in about the time of the fit: the
            width of the posterior under the penalty's prior, taken as given. Without a penalty it is the larger of the
            scatter of repeated fits (sandwich formula, in time O(M N^3)) and of what the curvature allows, for events
            that did not happen leave no scatter.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.

    Attributes:
        l2_: weights of the squares that were used, shape (N, N).
        doubts_: variance of what is not known of the weights where there are two, in units of J^2, shape (N, N) or 0.
        undetermined_: True for couplings that have no finite estimate without a penalty and were given none, (N, N).
    """

    l2: Any = "auto"
    standard_errors: Any = False
    tolerance: Any = 1e-6
    max_iter: Any = 500
    encoding: Any = "spin"

    def _problem(self, data: DistinctSpins) -> LocalRegression | SymmetricRegression:
        """Return the regressions."""
        raise NotImplementedError

    def _required_bytes(self, sites: int) -> int:
        return REGRESSION_MATRICES * 8 * sites**2

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        problem = self._problem(distinct_spins(spins, weights))
        if self.standard_errors and not self._is_penalised():
            require_sites(self, spins.shape[1], sandwich_bytes(problem))
        warn_copies(problem.local.second_moments[:-1, :-1])
        stopping = Stopping.checked(self.tolerance, self.max_iter)
        best = self._minimum(problem, stopping)
        undetermined = np.zeros(problem.ridge.shape, dtype=bool)
        if not self._is_penalised():
            undetermined = _undetermined(problem, best.points, stopping)
        if undetermined.any():
            problem.penalise(LEAST_STRENGTH * undetermined)
            best = minimise(problem, problem.start(), stopping)
        self.undetermined_ = undetermined
        self.l2_ = problem.ridge * problem.local.data.samples
        self.doubts_ = problem.local.doubts
        estimate = Estimate(*problem.model(best.points), best.n_iter, best.converged)
        estimate = estimate._replace(determined=problem.local.determined(estimate.couplings))
        if not self.standard_errors:
            return estimate
        errors = posterior_errors(problem.local, problem.local_points(best.points))
        if not self._is_penalised() and not undetermined.any():
            errors = errors.at_least(sandwich_errors(problem, best.points))
        errors = errors.unknown(undetermined)
        return estimate._replace(couplings_error=errors.couplings, fields_error=errors.fields, unshrunk=errors.unshrunk)

    def _minimum(self, problem: RidgeProblem, stopping: Stopping) -> Minimum:
        """Return the minimum of a problem, whose penalty is set as the options say."""
        return minimise_ridge(problem, self.l2, problem.local.data.samples, problem.start(), stopping)

    def _is_penalised(self) -> bool:
        """Return True if the estimate is the centre of a posterior, finite whatever the data."""
        return self.l2 != 0


@dataclass(eq=False, repr=False)
class PenalisedRegression(RidgeRegression):
    """Base of the estimators whose penalty may have absolute values too, l1 sum_j |J_ij|, as for a Laplacian prior.

    Args:
        l2, standard_errors, tolerance, max_iter, encoding: as for `RidgeRegression`; "auto" is 0 beside l1 > 0, and
            l2 is at least 1 beside l1="auto", the only penalty of strong couplings; standard errors are refused.
        l1: weight of the absolute values, or "auto" for the size of chance on weak couplings and none on strong ones
            (`solvers.lasso.minimise_clipped`). Meant for sparse graphs: with a few thousand rows few couplings that are
            zero are kept and the others are not shrunk; with fewer they are, and in an ordered phase bonds are lost.
    """

    l1: Any = 0.0

    def _problem(self, data: DistinctSpins) -> LocalRegression | SymmetricRegression:
        if self.l1 and self.standard_errors:
            raise ValueError(
                "standard_errors: expected False with l1 > 0, whose estimates are not normally distributed"
            )
        return LocalRegression(data, self._loss())

    def _loss(self) -> Loss:
        """Return the loss of a margin s_i theta_i."""
        raise NotImplementedError

    def _minimum(self, problem: RidgeProblem, stopping: Stopping) -> Minimum:
        automatic = self.l1 == "auto"
        if not automatic and not require_non_negative("l1", self.l1):
            return super()._minimum(problem, stopping)
        local = problem.local
        l2 = 0.0 if self.l2 == "auto" else require_non_negative("l2", self.l2)
        problem.penalise(max(l2, LEAST_STRENGTH) if automatic else l2)
        if automatic:
            return minimise_clipped(local, problem.start(), stopping)
        weights = np.full((local.sites, local.sites), self.l1 / local.data.samples)
        return minimise_lasso(local, weights, problem.start(), stopping)

    def _is_penalised(self) -> bool:
        return super()._is_penalised() or self.l1 != 0


def minimise_ridge(problem: RidgeProblem, l2: Any, samples: float, start: Points, stopping: Stopping) -> Minimum:
    """Minimise a problem of M samples under the l2 penalty given, or under what the data make likely if "auto"."""
    if l2 != "auto":
        problem.penalise(require_non_negative("l2", l2))
        return minimise(problem, start, stopping)
    strength = FIRST_STRENGTH
    curvatures = FLAT
    iterations = 0
    for _ in range(REFITS):
        problem.penalise(strength, curvatures)
        rough = minimise(problem, start, stopping._replace(tolerance=max(stopping.tolerance, ROUGH)))
        start = rough.points
        iterations += rough.n_iter
        posterior = problem.posterior(start)
        old = strength
        strength = evidence_strength(posterior, old, samples)
        change = strength / old * posterior.curvatures.dispersions.mean() / curvatures.dispersions.mean()
        curvatures = posterior.curvatures
        if abs(np.log(change)) < SETTLED:
            break
    kinds = kind_strengths(posterior, old) or KindStrengths(strength, 0.0)
    problem.penalise(kinds.strengths, curvatures, kinds.doubts)
    best = minimise(problem, start, stopping)
    return best._replace(n_iter=best.n_iter + iterations)


def _undetermined(problem: RidgeProblem, points: Points, stopping: Stopping) -> Pairs:
    """Return the pairs whose couplings are infinite or open without penalty, judged spin by spin, and warn of them."""
    local = problem.local
    if local is not problem:
        points = minimise(local, local.start(), stopping).points
    separated = separated_pairs(local, points)
    untold = untold_pairs(local)
    warn_separation(separated, untold)
    return separated | untold


def warn_copies(pair_moments: np.ndarray) -> None:
    """Warn of spins that are equal or opposite in all samples: only a penalty bounds their coupling."""
    pairs = np.argwhere(np.triu(np.abs(pair_moments) > 1 - 1e-7, 1))
    if len(pairs):
        warn_convergence(
            f"spins {pairs[:5].tolist()}{' and more' if len(pairs) > 5 else ''} are copies (equal or opposite in all "
            "samples): their coupling has no finite estimate but that of the penalty"
        )
