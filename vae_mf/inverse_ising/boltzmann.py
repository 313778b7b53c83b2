"""Boltzmann learning: maximum likelihood, with the model's moments by enumeration or from persistent Markov chains."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from scipy.special import softmax

from vae_mf.arrays import Spins
from vae_mf.checks import require_choice, require_integer, require_positive
from vae_mf.inverse_ising.base import Estimate, InverseIsing, Weights, float_blocks, new_generator
from vae_mf.inverse_ising.fisher import FisherInformation, Parameters, information_matrix
from vae_mf.inverse_ising.gibbs import GibbsChains
from vae_mf.inverse_ising.moments import Moments, moments
from vae_mf.inverse_ising.pseudolikelihood import PseudoLikelihood
from vae_mf.systems.enumeration import MAXIMUM_SITES, all_configurations

OVERLAP = 0.3
"""Effective share of the model's sample that must survive reweighting to the next model; else the step is halved."""
PARTS = 8
"""Stretches of the chains' record whose scatter gives the Monte Carlo error."""
KEPT = 2**16
"""Configurations of the record that are kept for the Fisher information."""
LONGEST = 2**21, 25
"""Configurations in a record, at most: this number or this many times those of the data, whichever is more."""
EXACT = 1e-9
"""Largest difference of moments under enumeration."""


class ModelSample(NamedTuple):
    """A model's configurations and moments."""

    spins: Spins
    weights: Weights
    """Summing to 1."""
    moments: Moments
    errors: Parameters | None
    """Monte Carlo errors of <s_i s_j> and <s_i>; None if there are none."""


@runtime_checkable
class ModelSource(Protocol):
    """Where the samples of a model come from."""

    def sample(self, model: Parameters) -> ModelSample:
        """Return a sample of a model."""
        ...

    def lengthen(self, factor: float) -> bool:
        """Make the following samples longer by a factor, and return whether that was possible."""
        ...


class BoltzmannLearning(InverseIsing):
    """Maximise <ln p(s)> - l2 / (2 M) sum_{i<j} J_ij^2, after which the model has the moments of the data.

    Newton's method from the pseudo-likelihood estimate. The Hessian is the covariance of s_i s_j and s_i in the model's
    sample, inverted by conjugate gradients. The chains start on configurations of the data and persist; their record
    is made longer until the Monte Carlo error is small enough. The fit has converged when the Monte Carlo error of the
    couplings and the last step are both below ``precision`` in units of their statistical error, and no moment differs
    from the data's by more than that beyond its own Monte Carlo error (root mean squares).

    Args:
        method: "enumeration" (N <= 20), "chains", or "auto" for enumeration where it is possible.
        l2: weight of the squared couplings, or "auto" for that of the pseudo-likelihood estimate.
        chains: parallel Markov chains.
        sweeps: sweeps between the configurations that a chain contributes.
        precision: largest error of the optimisation in units of the statistical error.
        max_iter: at most this many Newton steps.
        standard_errors: whether to compute them, from the inverse Fisher information (memory O(N^4)).
        random_state: of the chains.
        encoding: "spin" for entries -1 and +1, "01" for 0 and 1.
    """

    def __init__(
        self,
        method="auto",
        l2="auto",
        chains=1024,
        sweeps=5,
        precision=0.3,
        max_iter=30,
        standard_errors=False,
        random_state=0,
        encoding="spin",
    ):
        self.method = method
        self.l2 = l2
        self.chains = chains
        self.sweeps = sweeps
        self.precision = precision
        self.max_iter = max_iter
        self.standard_errors = standard_errors
        self.random_state = random_state
        self.encoding = encoding

    def _estimate(self, spins: Spins, weights: Weights) -> Estimate:
        precision, limit = require_positive("precision", self.precision), require_integer("max_iter", self.max_iter)
        regression = PseudoLikelihood(l2=self.l2)
        start = regression._estimate(spins, weights)
        data, source = moments(spins, weights), self._source(spins, weights)
        ridge = regression.l2_ / data.samples
        model, converged, steps = Parameters(start.couplings, start.fields), False, 0
        while not converged and steps < limit:
            steps += 1
            sample = source.sample(model)
            information = FisherInformation(sample.spins, sample.weights, sample.moments, ridge)
            missing = difference(data, sample.moments)
            gradient = missing.plus(Parameters(model.couplings, np.zeros(len(model.fields))), -ridge)
            move = information.solve(gradient)
            if sample.errors is None:
                converged = bool(max(np.abs(gradient.couplings).max(), np.abs(gradient.fields).max()) <= EXACT)
            else:
                noise = noise_share(sample, data.samples)
                moved = data.samples * move.dot(gradient) / parameter_count(model)
                converged = noise <= precision**2 and moved <= 2 * precision**2
                if not converged and moved < 4 * noise and not source.lengthen(noise / precision**2):
                    break
            model = model.plus(move, step_length(sample, move))
        if not self.standard_errors:
            return Estimate(*model, steps, converged)
        errors = fisher_errors(source.sample(model), data.samples, ridge)
        return Estimate(*model, steps, converged, errors.couplings, errors.fields)

    def _source(self, spins: Spins, weights: Weights) -> ModelSource:
        method = require_choice("method", self.method, ("auto", "enumeration", "chains"))
        if method == "auto":
            method = "enumeration" if spins.shape[1] <= MAXIMUM_SITES else "chains"
        if method == "enumeration":
            return Enumerated(spins.shape[1])
        count, sweeps = require_integer("chains", self.chains), require_integer("sweeps", self.sweeps)
        random = new_generator(self.random_state)
        start = spins[random.choice(len(spins), count, p=weights / weights.sum())]
        return Chains(GibbsChains(start, random), sweeps, float(weights.sum()))


class Enumerated:
    """All configurations with their probabilities."""

    def __init__(self, sites: int):
        self._states = all_configurations(sites)

    def sample(self, model: Parameters) -> ModelSample:
        """Return the whole distribution."""
        weights = softmax(exponents(self._states, model))
        return ModelSample(self._states, weights, moments(self._states, weights), None)

    def lengthen(self, factor: float) -> bool:
        """Return False: nothing is missing."""
        return False


class Chains:
    """Persistent Markov chains, which contribute a configuration each every few sweeps.

    Args:
        chains: the chains, on their first configurations.
        sweeps: sweeps between contributions.
        samples: number of samples M of the data, with as many configurations as which the record begins.
    """

    def __init__(self, chains: GibbsChains, sweeps: int, samples: float):
        self._chains, self._sweeps = chains, sweeps
        count = len(chains.spins)
        self._longest = max(LONGEST[0], LONGEST[1] * samples) / count
        self._records = float(np.clip(samples / count, PARTS, self._longest))

    def sample(self, model: Parameters) -> ModelSample:
        """Return a new record after a tenth of its length has been discarded."""
        each = int(np.ceil(self._records / PARTS))
        self._chains.sweep(*model, self._sweeps * max(PARTS, each))
        kept, parts = [], []
        for _ in range(PARTS):
            part = []
            for _ in range(each):
                self._chains.sweep(*model, self._sweeps)
                part.append(self._chains.spins)
            parts.append(moments(np.concatenate(part)))
            kept += part[:: -(-PARTS * each * len(part[0]) // KEPT)]
        spins = np.concatenate(kept)
        first, pairs = np.array([p.magnetisations for p in parts]), np.array([p.pair_moments for p in parts])
        m, second = first.mean(axis=0), pairs.mean(axis=0)
        errors = Parameters(*(values.std(axis=0, ddof=1) / np.sqrt(PARTS) for values in (pairs, first)))
        total = float(PARTS * each * len(part[0]))
        whole = Moments(m, second - np.outer(m, m), total)
        return ModelSample(spins, np.full(len(spins), 1 / len(spins)), whole, errors)

    def lengthen(self, factor: float) -> bool:
        """Make the next records longer, up to the longest one allowed."""
        if self._records >= self._longest:
            return False
        self._records = min(self._longest, self._records * float(np.clip(1.2 * factor, 2, 8)))
        return True


def exponents(spins: Spins, model: Parameters) -> Weights:
    """Return s.J.s / 2 + h.s of every configuration."""
    parts = [np.einsum("ri,ri->r", x, x @ (model.couplings / 2) + model.fields) for x in float_blocks(spins)]
    return np.concatenate(parts)


def difference(data: Moments, model: Moments) -> Parameters:
    """Return <s_i s_j> and <s_i> of the data less those of a model."""
    pairs = data.pair_moments - model.pair_moments
    np.fill_diagonal(pairs, 0)
    return Parameters(pairs, data.magnetisations - model.magnetisations)


def noise_share(sample: ModelSample, samples: float) -> float:
    """Return the mean ratio of Monte Carlo variance to statistical variance of the moments, M / n for independent n."""
    assert sample.errors is not None
    sites = len(sample.errors.fields)
    upper = np.triu_indices(sites, 1)
    variances = np.r_[1 - sample.moments.pair_moments[upper] ** 2, 1 - sample.moments.magnetisations**2]
    errors = np.r_[sample.errors.couplings[upper], sample.errors.fields]
    return float(samples * np.square(errors).sum() / variances.sum())


def step_length(sample: ModelSample, move: Parameters) -> float:
    """Return 1, halved until the sample, reweighted to the model after the step, keeps its share of effective size."""
    change, length = exponents(sample.spins, move), 1.0
    while True:
        weights = sample.weights * np.exp(length * (change - change.max()))
        # Shares, not counts: for equal weights this is the effective sample size over n.
        overlap = weights.sum() ** 2 / (np.square(weights) / sample.weights).sum()
        if overlap >= OVERLAP:
            return length
        length /= 2


def parameter_count(model: Parameters) -> int:
    """Return N (N + 1) / 2."""
    sites = len(model.fields)
    return sites * (sites + 1) // 2


def fisher_errors(sample: ModelSample, samples: float, ridge: float) -> Parameters:
    """Return the standard errors of couplings and fields, sqrt of the diagonal of (F + ridge)^-1 / M."""
    sites = sample.spins.shape[1]
    upper = np.triu_indices(sites, 1)
    information = information_matrix(sample.spins, sample.weights)
    pairs = np.arange(len(upper[0]))
    information[pairs, pairs] += ridge
    errors = np.sqrt(np.diag(np.linalg.inv(information)) / samples)
    couplings = np.zeros((sites, sites))
    couplings[upper] = errors[: len(pairs)]
    return Parameters(couplings + couplings.T, errors[len(pairs) :])
