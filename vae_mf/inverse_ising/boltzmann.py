"""Boltzmann learning, maximum likelihood with moments by enumeration or from annealed populations of chains."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, new_generator, warn_convergence
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.intervals import without_prior
from vae_mf.inverse_ising.moments import Moments, missing_states, spin_moments
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.inverse_ising.solvers.annealed_newton import AnnealedNewton, PenalisedLikelihood
from vae_mf.inverse_ising.solvers.fisher import IsingParameters, information_matrix
from vae_mf.inverse_ising.solvers.information import inverted
from vae_mf.inverse_ising.solvers.model_samples import ISLANDS, ModelSample, model_source
from vae_mf.inverse_ising.solvers.penalised import REGRESSION_MATRICES
from vae_mf.inverse_ising.solvers.standard_errors import StandardErrors
from vae_mf.statistics.distinct import distinct_spins


@dataclass(eq=False, repr=False)
class BoltzmannLearning(InverseIsing):
    """Maximise <ln p(s)> - l2 / (2 M) sum_{i<j} J_ij^2, after which the model has the moments of the data.

    Newton's method, from the best model on the line between independent spins and the pseudo-likelihood estimate. The
    Hessian is the covariance of s_i s_j and s_i in the model's sample and, with a smaller weight, in the data, inverted
    by conjugate gradients. Every model is annealed anew from uniform spins, which gives ln Z and finds phases that the
    data do not have; a step is accepted only if the likelihood and its slope at the new model say that it improves.

    The fit has converged when three things hold in units of the statistical errors: the Monte Carlo error of the
    moments is below ``precision``, so is the last step, and no more than that separates the model from the moments of
    the data, less the penalty's pull: in the mean square over all moments, and for each of the sum of the spins, the
    leading mode of their covariance and the squares of both. A second population must say so too. The fit never ends
    below its start, nor below independent spins. Without a penalty a fit that no finite couplings maximise is named
    before it starts, and has never converged.

    Source: Ackley, Hinton and Sejnowski, Cognitive Science 9 (1985) 147, for the gradient.

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> BoltzmannLearning(l2=0.0).fit(spins, sample_weight=100 * np.exp(0.5 * spins.prod(axis=1))).couplings_.round(6)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        method: "enumeration" (N <= 20), "chains", or "auto" for enumeration where it is possible.
        l2: weight of the squared couplings, or "auto" for those of the pseudo-likelihood estimate.
        chains: number of chains in a population.
        sweeps: number of sweeps between the configurations that a chain contributes.
        precision: largest error of the optimisation in units of the statistical error.
        max_iter: largest number of Newton's steps.
        standard_errors: True to compute them, from the inverse Fisher information (memory O(N^4)).
        random_state: seed or generator of all randomness.
    """

    method: Any = "auto"
    l2: Any = "auto"
    chains: Any = 4096
    sweeps: Any = 3
    precision: Any = 0.3
    max_iter: Any = 40
    standard_errors: Any = False
    random_state: Any = 0
    encoding: Any = "spin"

    def _required_bytes(self, sites: int) -> int:
        # The moments of every island of chains in three populations, and for errors an information matrix of all pairs.
        matrices = REGRESSION_MATRICES + 3 * ISLANDS
        return 8 * matrices * sites**2 + (12 * sites**4 if self.standard_errors else 0)

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        precision = require_positive("precision", self.precision)
        limit = require_integer("max_iter", self.max_iter)
        random = new_generator(self.random_state)
        rows = distinct_spins(spins, weights)
        data = spin_moments(spins, weights)
        source = model_source(self.method, spins.shape[1], data.samples, self.chains, self.sweeps, random)
        bounded = self.l2 != 0 or not warn_unbounded(data, len(rows.spins))
        regression = PseudoLikelihood(l2=self.l2, symmetric=True)
        estimate = regression._estimate(spins, weights)
        bounded &= not regression.undetermined_.any()
        likelihood = PenalisedLikelihood(data, regression.l2_ / data.samples, source)
        newton = AnnealedNewton(likelihood, rows.spins, rows.weights, precision, random)
        start = newton.start(IsingParameters(estimate.couplings, estimate.fields))
        end = newton.ascent(start, limit)
        found = end.last.model, end.steps, end.converged and bounded
        if not self.standard_errors:
            return Estimate(*found[0], *found[1:], determined=estimate.determined)
        couplings, fields = fisher_errors(end.last.sample, data.samples, likelihood.ridge)
        unshrunk = without_prior(end.last.model.couplings, couplings, likelihood.ridge * data.samples)
        # Two kinds of couplings have a prior each, and which kind one is of is known as well as the regression tells.
        widths = np.sqrt(couplings**2 + regression.doubts_ * end.last.model.couplings**2)
        errors = StandardErrors(widths, fields, unshrunk).unknown(regression.undetermined_)
        return Estimate(*found[0], *found[1:], *errors, estimate.determined)


def warn_unbounded(data: Moments, rows: int) -> bool:
    """Warn where data have no finite maximum of the likelihood without a penalty, and return True there.

    Args:
        rows: number of distinct rows.
    """
    if warn_missing_states(data):
        return True
    sites = len(data.magnetisations)
    parameters = sites * (sites + 1) // 2
    if rows <= parameters:
        warn_convergence(
            f"{rows} distinct rows cannot tell {parameters} parameters: expected more without a penalty; set l2 > 0"
        )
    return rows <= parameters


def warn_missing_states(data: Moments) -> bool:
    """Warn of pairs of spins that were never seen in one of their four states, and return True if there are any."""
    pairs = missing_states(data)
    if len(pairs):
        warn_convergence(
            f"pairs of spins {pairs[:5].tolist()}{' and more' if len(pairs) > 5 else ''} miss one of their states: "
            "their coupling has no finite estimate without a penalty; set l2 > 0"
        )
    return len(pairs) > 0


def fisher_errors(sample: ModelSample, samples: float, ridge: Couplings) -> IsingParameters:
    """Return the standard errors of couplings and fields, sqrt of the diagonal of (F + ridge)^-1 / M.

    They are infinite for parameters of which neither F, as the sample has it, nor a penalty tells anything.
    """
    sites = sample.spins.shape[1]
    upper = np.triu_indices(sites, 1)
    information = information_matrix(sample.spins, sample.weights)
    pairs = np.arange(len(upper[0]))
    information[pairs, pairs] += ridge[upper]
    errors = np.sqrt(inverted(information, 1.0).variances() / samples)
    couplings = np.zeros((sites, sites))
    couplings[upper] = errors[: len(pairs)]
    return IsingParameters(couplings + couplings.T, errors[len(pairs) :])
