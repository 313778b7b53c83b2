"""Maximum pseudo-likelihood, a logistic regression of every spin on the others."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import norm

from vae_mf.arrays import Spins
from vae_mf.checks import require_flag, require_fraction, require_non_negative
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.solvers.coupling_prior import Posterior, evidence_strength
from vae_mf.inverse_ising.solvers.firth import firth_regression
from vae_mf.inverse_ising.solvers.lbfgs import Minimum, Stopping, minimise
from vae_mf.inverse_ising.solvers.local_regression import LOGISTIC, LocalRegression, Loss
from vae_mf.inverse_ising.solvers.penalised import (
    FIRST_STRENGTH,
    REFITS,
    PenalisedRegression,
    RidgeProblem,
    warn_copies,
)
from vae_mf.inverse_ising.solvers.symmetric_regression import SymmetricRegression
from vae_mf.statistics.distinct import DistinctSpins, distinct_spins


@dataclass(eq=False, repr=False)
class PseudoLikelihood(PenalisedRegression):
    """Maximise sum_i <ln p(s_i | all others)> = -sum_i <ln(1 + exp(-2 s_i (h_i + sum_j J_ij s_j)))> (Besag 1975).

    J_ij = J_ji is imposed, as one joint maximisation, or every spin has a regression of its own and J_ij is averaged
    with J_ji (Aurell and Ekeberg 2012), which predicts no better and often worse.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> PseudoLikelihood(l2=0.0).fit(spins, sample_weight=100 * np.exp(0.5 * spins.prod(axis=1))).couplings_.round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        l2: weight of the squared couplings, l2 / 2 sum_j J_ij^2 for every spin beside the sum over the M rows; "auto"
            for what the data make most likely: one weight, or two where couplings are clearly of two kinds, as on
            sparse graphs. l2 = 4 / C is scikit-learn's `LogisticRegression` with that C. With 0, couplings without a
            finite estimate are named, have infinite errors, and are fitted with l2 = 1.
        standard_errors: True to compute ``couplings_error_`` and ``fields_error_``, the width of the posterior under
            the penalty's prior; without a penalty the larger of the scatter of repeated fits (sandwich formula) and of
            what the curvature allows.
        tolerance: largest entry of the gradient of the mean objective at which the fit has converged.
        max_iter: largest number of iterations.
        l1: weight of the absolute values, l1 sum_j |J_ij|, for sparse graphs; "auto" for the size of chance on weak
            couplings and none on strong ones. l1 = 2 / C is scikit-learn's.
        symmetric: True for one joint maximisation, without l1 and firth; "auto" for True where neither is asked for.
        firth: True for Firth's penalty instead, which removes the leading bias; time O(M N^3) per iteration.
    """

    symmetric: Any = "auto"
    firth: Any = False

    def _loss(self) -> Loss:
        return LOGISTIC

    def _problem(self, data: DistinctSpins) -> LocalRegression | SymmetricRegression:
        if self.symmetric != "auto":
            require_flag("symmetric", self.symmetric)
        if self.firth and self.l1:
            raise ValueError(f"firth: expected l1 = 0 beside it, got {self.l1!r}")
        separate = bool(self.firth or self.l1)
        if self.symmetric is True and separate:
            raise ValueError("symmetric: expected no firth and no l1 beside it")
        problem = super()._problem(data)
        return problem if separate or not self.symmetric else SymmetricRegression(data, LOGISTIC)

    def _is_penalised(self) -> bool:
        return self.firth or super()._is_penalised()

    def _minimum(self, problem: RidgeProblem, stopping: Stopping) -> Minimum:
        if not self.firth:
            return super()._minimum(problem, stopping)
        data = problem.local.data
        sites = data.spins.shape[1]
        points = np.zeros((sites + 1, sites))
        fits = []
        features = np.hstack([data.spins, np.ones((len(data.spins), 1))])
        regress = partial(firth_regression, weights=data.weights, stopping=stopping)
        for i in range(sites):
            others = np.arange(sites + 1) != i
            fits.append(regress(features[:, others], features[:, i]))
            points[others, i] = fits[-1].parameters
        converged = all(fit.converged for fit in fits)
        return Minimum(points, np.zeros(sites), max(fit.n_iter for fit in fits), converged)


@dataclass(eq=False, repr=False)
class DecimatedPseudoLikelihood(InverseIsing):
    """Pseudo-likelihood on a sparse graph found by decimation (Decelle and Ricci-Tersenghi 2014).

    The weakest share of the remaining couplings is set to zero and the rest fitted again, until none is left. Of all
    graphs passed, the one with the largest tilted log pseudo-likelihood L - x L_max - (1 - x) L_min is kept, x being
    the share of couplings it has, L_max the value with all and L_min that with none.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(3)
    >>> chain = np.exp(0.5 * spins[:, 0] * spins[:, 1] - 0.5 * spins[:, 1] * spins[:, 2])
    >>> DecimatedPseudoLikelihood(step=0.34).fit(spins, sample_weight=1000 * chain).bonds_[1]
    array([ True, False,  True])

    Args:
        step: share of the remaining couplings removed at a time.
        l2: weight of the squared couplings, as for `PseudoLikelihood`, or "auto" for what the couplings of the graph
            before make most likely, and in the end those of the graph that is kept.
        tolerance: largest entry of the gradient at which a fit has converged.
        max_iter: largest number of iterations of a fit.

    Attributes:
        l2_: weight of the squares that was used.
        bonds_: True where a coupling was kept, shape (N, N).
        path_: shares x (first column) and tilted log pseudo-likelihoods per sample (second) of all graphs passed.
    """

    step: Any = 0.1
    l2: Any = "auto"
    tolerance: Any = 1e-5
    max_iter: Any = 500
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        require_fraction("step", self.step)
        data = distinct_spins(spins, weights)
        warn_copies(spin_moments(data.spins, data.shares).pair_moments)
        sites = spins.shape[1]
        upper = np.triu_indices(sites, 1)
        bonds = ~np.eye(sites, dtype=bool)
        self.l2_ = FIRST_STRENGTH if self.l2 == "auto" else require_non_negative("l2", self.l2)
        passed = [self._fit_graph(data, bonds, None)]
        graphs = [bonds]
        while graphs[-1].any():
            remaining = np.flatnonzero(graphs[-1][upper])
            weakest = np.argsort(np.abs(passed[-1].couplings[upper][remaining]))
            removed = remaining[weakest[: max(1, int(self.step * len(remaining)))]]
            bonds = graphs[-1].copy()
            bonds[upper[0][removed], upper[1][removed]] = bonds[upper[1][removed], upper[0][removed]] = False
            passed.append(self._fit_graph(data, bonds, passed[-1]))
            graphs.append(bonds)
        shares = np.array([graph.sum() / graphs[0].sum() for graph in graphs])
        likelihoods = np.array([self._log_likelihood(data, estimate) for estimate in passed])
        tilted = likelihoods - shares * likelihoods[0] - (1 - shares) * likelihoods[-1]
        best = int(np.argmax(tilted))
        self.bonds_ = graphs[best]
        self.path_ = np.column_stack([shares, tilted])
        chosen = passed[best]
        for _ in range(REFITS if self.l2 == "auto" else 0):
            chosen = self._fit_graph(data, graphs[best], chosen)
        return chosen._replace(
            n_iter=sum(each.n_iter for each in passed),
            converged=all(each.converged for each in passed),
            determined=chosen_count(int(graphs[best].sum() // 2), len(upper[0])),
        )

    def _fit_graph(self, data: DistinctSpins, bonds: np.ndarray, start: Estimate | None) -> Estimate:
        """Return the pseudo-likelihood estimate on a graph, and learn the weight of the squares from it if asked to."""
        problem = SymmetricRegression(data, LOGISTIC, self.l2_, bonds)
        first = problem.start() if start is None else problem.parameters(start.couplings, start.fields)
        best = minimise(problem, first, Stopping.checked(self.tolerance, self.max_iter))
        if self.l2 == "auto" and bonds.any():
            means, variances, _ = problem.posterior(best.points)
            # A coupling that is left out is known from the prior alone, and counts for nothing.
            known = Posterior(means, np.where(bonds, variances, 1 / self.l2_))
            self.l2_ = evidence_strength(known, self.l2_, data.samples)
        return Estimate(*problem.model(best.points), best.n_iter, best.converged)

    def _log_likelihood(self, data: DistinctSpins, estimate: Estimate) -> float:
        problem = LocalRegression(data, LOGISTIC)
        points = np.vstack([estimate.couplings, estimate.fields])
        return -float(problem.loss_and_slope(points, np.arange(problem.sites), np.float64).values.sum())


def chosen_count(kept: int, pairs: int) -> float:
    """Return the number of couplings given beforehand that gain as much by chance as the largest of many do.

    The squares of the largest share q of normal values have the mean 1 + 2 t f(t) / q, with f the normal density and
    t the value that a share q exceeds in size.

    >>> chosen_count(10, 10), round(chosen_count(10, 100), 1)
    (10.0, 43.9)
    """
    if not kept:
        return 0.0
    least = norm.isf(kept / pairs / 2)
    return kept + 2 * pairs * float(least * norm.pdf(least))
