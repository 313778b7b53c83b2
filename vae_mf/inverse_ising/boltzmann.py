"""Boltzmann learning, maximum likelihood with moments by enumeration or from persistent Markov chains."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_mf.arrays import Couplings, Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, exponents
from vae_mf.inverse_ising.moments import spin_moments
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.inverse_ising.solvers.fisher import FisherInformation, IsingParameters, information_matrix
from vae_mf.inverse_ising.solvers.model_samples import ModelSample, difference, model_source, noise_share

OVERLAP = 0.3
"""Effective share of the model's sample that must survive reweighting to the next model; else the step is halved."""
EXACT = 1e-9
"""Largest difference of moments under enumeration."""


@dataclass(eq=False, repr=False)
class BoltzmannLearning(InverseIsing):
    """Maximise <ln p(s)> - l2 / (2 M) sum_{i<j} J_ij^2, after which the model has the moments of the data.

    Newton's method from the pseudo-likelihood estimate. The Hessian is the covariance of s_i s_j and s_i in the model's
    sample, inverted by conjugate gradients. The chains start on configurations of the data and persist; their record
    is made longer until the Monte Carlo error is small enough. The fit has converged when the Monte Carlo error of the
    couplings and the last step are both below ``precision`` in units of their statistical error, and no moment differs
    from the data's by more than that beyond its own Monte Carlo error (root mean squares).

    >>> from vae_mf.packing import all_configurations
    >>> spins = all_configurations(2)
    >>> BoltzmannLearning(l2=0.0).fit(spins, sample_weight=np.exp(0.5 * spins.prod(axis=1))).couplings_.round(6)
    array([[0. , 0.5],
           [0.5, 0. ]])

    Args:
        method: "enumeration" (N <= 20), "chains", or "auto" for enumeration where it is possible.
        l2: weight of the squared couplings, or "auto" for those of the pseudo-likelihood estimate.
        sweeps: number of sweeps between the configurations that a chain contributes.
        precision: largest error of the optimisation in units of the statistical error.
        standard_errors: True to compute them, from the inverse Fisher information (memory O(N^4)).
    """

    method: Any = "auto"
    l2: Any = "auto"
    chains: Any = 1024
    sweeps: Any = 5
    precision: Any = 0.3
    max_iter: Any = 30
    standard_errors: Any = False
    random_state: Any = 0
    encoding: Any = "spin"

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        precision = require_positive("precision", self.precision)
        limit = require_integer("max_iter", self.max_iter)
        regression = PseudoLikelihood(l2=self.l2)
        start = regression._estimate(spins, weights)
        data = spin_moments(spins, weights)
        source = model_source(self.method, spins, weights, self.chains, self.sweeps, self.random_state)
        ridge = regression.l2_ / data.samples
        model = IsingParameters(start.couplings, start.fields)
        parameters = spins.shape[1] * (spins.shape[1] + 1) // 2
        converged = False
        steps = 0
        while not converged and steps < limit:
            steps += 1
            sample = source.sample(model)
            information = FisherInformation(sample.spins, sample.weights, sample.moments, ridge)
            missing = difference(data, sample.moments)
            gradient = missing.plus(IsingParameters(ridge * model.couplings, np.zeros(len(model.fields))), -1.0)
            move = information.solve(gradient)
            if sample.errors is None:
                converged = bool(max(np.abs(gradient.couplings).max(), np.abs(gradient.fields).max()) <= EXACT)
            else:
                noise = noise_share(sample, data.samples)
                moved = data.samples * move.dot(gradient) / parameters
                converged = noise <= precision**2 and moved <= 2 * precision**2
                if not converged and moved < 4 * noise and not source.lengthen(noise / precision**2):
                    break
            model = model.plus(move, step_length(sample, move))
        if not self.standard_errors:
            return Estimate(*model, steps, converged)
        errors = fisher_errors(source.sample(model), data.samples, ridge)
        return Estimate(*model, steps, converged, errors.couplings, errors.fields)


def step_length(sample: ModelSample, move: IsingParameters) -> float:
    """Return 1, halved until the sample, reweighted to the model after the step, keeps its share of effective size."""
    change = exponents(sample.spins, *move)
    length = 1.0
    while True:
        weights = sample.weights * np.exp(length * (change - change.max()))
        # Shares, not counts: for equal weights this is the effective sample size over n.
        overlap = weights.sum() ** 2 / (np.square(weights) / sample.weights).sum()
        if overlap >= OVERLAP:
            return length
        length /= 2


def fisher_errors(sample: ModelSample, samples: float, ridge: Couplings) -> IsingParameters:
    """Return the standard errors of couplings and fields, sqrt of the diagonal of (F + ridge)^-1 / M."""
    sites = sample.spins.shape[1]
    upper = np.triu_indices(sites, 1)
    information = information_matrix(sample.spins, sample.weights)
    pairs = np.arange(len(upper[0]))
    information[pairs, pairs] += ridge[upper]
    errors = np.sqrt(np.diag(np.linalg.inv(information)) / samples)
    couplings = np.zeros((sites, sites))
    couplings[upper] = errors[: len(pairs)]
    return IsingParameters(couplings + couplings.T, errors[len(pairs) :])
