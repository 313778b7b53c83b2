"""Newton's method for the penalised likelihood of an Ising model, each step weighed on a sample of its own."""

from typing import NamedTuple

import numpy as np

from vae_mf.arrays import Couplings, Spins
from vae_mf.inverse_ising.energies import Weights, exponents
from vae_mf.inverse_ising.moments import Moments
from vae_mf.inverse_ising.solvers.fisher import FisherInformation, GaussianInformation, IsingParameters, solve_newton
from vae_mf.inverse_ising.solvers.model_samples import (
    ModelSample,
    ModelSource,
    difference,
    mean_square,
)

EXACT = 1e-9
"""Largest difference of moments under enumeration."""
DATA_SHARE = 0.3
"""Weight of the data's own covariance in the curvature.

A valley of the data that the model has lost has no curvature under the model, and Newton's step towards it no bound.
"""
FISHER_ROWS = 2**14
"""Number of configurations that stand for the model in the curvature, and for the data."""
SOLUTION, EXACT_SOLUTION = (60, 0.03), (100, 1e-3)
"""Products and tolerance of the conjugate gradients for sampled and for exact moments."""
DAMPING = 4
"""Curvature added to couplings, over the number of rows of the data: that of a weak penalty."""
OVERLAP = 0.3
"""Effective share of the model's sample that must survive reweighting to the next model; else the step is halved."""
SIGMAS = 3
"""Standard errors by which a likelihood or a slope may seem to fall."""
TRIES, GROWTH = 10, 4
"""Lengths tried for a step, and the most by which a step is longer than the last one."""
LARGEST_ERROR = 0.2
"""Largest error of ln Z in nats: islands that differ by more have met different phases."""
LINE = 8
"""Largest number of models tried on the line to the start."""
FIRST_ROWS = 2**14, 2**15
"""Smallest and largest number of configurations of the first records."""
TINY = 1e-12


class Iterate(NamedTuple):
    """A model with its sample, and what this says of the penalised likelihood."""

    model: IsingParameters
    sample: ModelSample
    value: float
    """Penalised mean log-likelihood, in nats per row."""
    gradient: IsingParameters

    @property
    def error(self) -> float:
        """Standard error of the likelihood."""
        return self.sample.islands.log_partition_error


class PenalisedLikelihood:
    """L = <ln p(s)> - sum_{i<j} ridge_ij J_ij^2 / 2 of models of data, from samples of the models."""

    def __init__(self, data: Moments, ridge: Couplings, source: ModelSource):
        self.data, self.ridge, self.source = data, ridge, source

    def at(self, model: IsingParameters) -> Iterate:
        """Return a model with a new sample."""
        return self.iterate(model, self.source.sample(model))

    def extended(self, iterate: Iterate, rows: float) -> Iterate:
        """Return the latest model with at least so many configurations behind its moments."""
        return self.iterate(iterate.model, self.source.extended(iterate.sample, rows))

    def iterate(self, model: IsingParameters, sample: ModelSample) -> Iterate:
        """Return a model with a sample of it."""
        slope = self.ridge * model.couplings
        gradient = difference(self.data, sample.islands.moments).plus(self.penalty_slope(model), -1.0)
        value = model.dot(self._targets) - sample.islands.log_partition - (slope * model.couplings).sum() / 4
        return Iterate(model, sample, float(value), gradient)

    def penalty_slope(self, direction: IsingParameters) -> IsingParameters:
        """Return the second derivative of the penalty times a direction."""
        return IsingParameters(self.ridge * direction.couplings, np.zeros(len(direction.fields)))

    @property
    def _targets(self) -> IsingParameters:
        return IsingParameters(self.data.pair_moments, self.data.magnetisations)

    def independent(self) -> tuple[IsingParameters, float]:
        """Return the model of independent spins and its likelihood."""
        fields = np.arctanh(self.data.magnetisations)
        model = IsingParameters(np.zeros_like(self.ridge), fields)
        return model, float(fields @ self.data.magnetisations - np.logaddexp(fields, -fields).sum())


class Agreement(NamedTuple):
    """Squared distance of a model from the maximum in units of the statistical variance, and what noise adds to it."""

    moments: float
    """Mean over all moments."""
    noise: float
    modes: float
    """Largest over the collective modes."""
    mode_noise: float


class CollectiveModes:
    """Directions in which rows move as a whole: their sum, its square, and both along the leading mode of the data.

    The mean over all moments does not show one stiff direction in which a model is wrong.
    """

    def __init__(self, spins: Spins, weights: Weights, data: Moments):
        sites = spins.shape[1]
        leading = np.linalg.eigh(data.covariances)[1][:, -1]
        self.directions = []
        for mode in (np.ones(sites), leading):
            square = 2 * np.outer(mode, mode)
            np.fill_diagonal(square, 0)
            self.directions.append(IsingParameters(np.zeros((sites, sites)), mode))
            self.directions.append(IsingParameters(square, np.zeros(sites)))
        values = [exponents(spins, *direction) for direction in self.directions]
        spreads = [np.average((each - np.average(each, weights=weights)) ** 2, weights=weights) for each in values]
        self.variances = np.maximum(spreads, 1 / data.samples) / data.samples
        """Statistical variance of each."""

    def distances(self, iterate: Iterate) -> tuple[float, float]:
        """Return the largest squared distance from the maximum and the largest share of noise."""
        islands = iterate.sample.islands
        gaps = np.array([iterate.gradient.dot(direction) for direction in self.directions])
        noise = np.array([islands.error(islands.projected(direction)) for direction in self.directions])
        return float((gaps**2 / self.variances).max()), float((noise**2 / self.variances).max())


class Ascent(NamedTuple):
    """End of an ascent."""

    last: Iterate
    steps: int
    converged: bool


class AnnealedNewton:
    """Ascent to the maximum of a penalised likelihood.

    Args:
        spins, weights: the data.
        precision: largest error, in units of the statistical error.
    """

    def __init__(
        self,
        likelihood: PenalisedLikelihood,
        spins: Spins,
        weights: Weights,
        precision: float,
        random: np.random.Generator,
    ):
        data = likelihood.data
        self._likelihood, self._limit = likelihood, precision**2
        self._parameters = data.covariances.shape[0] * (data.covariances.shape[0] + 1) // 2
        self._exact = not likelihood.source.longest
        self._rows = float(np.clip(data.samples, *FIRST_ROWS))
        if not self._exact:
            chosen = random.permutation(len(spins))[:FISHER_ROWS]
            self._observed = FisherInformation(spins[chosen], weights[chosen])
            self._modes = CollectiveModes(spins, weights, data)

    def start(self, estimate: IsingParameters) -> Iterate:
        """Return about the best model on the line from independent spins to an estimate, along which L is concave.

        An estimate with a phase that the data have not lies far beyond it.
        """
        independent, value = self._likelihood.independent()
        line = estimate.plus(independent, -1.0)
        outset = self._likelihood.data.covariances
        slope = line.dot(IsingParameters(outset, np.zeros(len(outset))))
        low, high, place = 0.0, 1.0, 1.0
        for _ in range(LINE):
            found = self._likelihood.at(independent.plus(line, place))
            ahead = found.gradient.dot(line)
            if ahead >= -0.1 * slope and (place == 1 or ahead < 0.5 * slope or high - low < 0.1):
                break
            low, high = (low, place) if ahead < 0 else (place, high)
            place = (low + high) / 2
        if not found.value > value - SIGMAS * found.error:
            found = self._likelihood.at(independent)
        return self._likelihood.extended(found, self._rows)

    def ascent(self, start: Iterate, limit: int) -> Ascent:
        """Return the end of at most ``limit`` steps from a start, or the start where that is better."""
        iterate, length, step, converged = start, 1.0, 0, False
        while step < limit:
            step += 1
            move = self._move(iterate)
            if self._met(iterate, move):
                iterate, converged = self._confirmed(iterate)
                if converged:
                    break
                move = self._move(iterate)
            taken = self._taken(iterate, move, min(1.0, GROWTH * length))
            if taken is None:
                break
            iterate, length = taken
        if iterate.value < start.value - SIGMAS * np.hypot(iterate.error, start.error):
            return Ascent(start, step, False)
        return Ascent(iterate, step, converged)

    def _move(self, iterate: Iterate) -> IsingParameters:
        """Return Newton's step."""
        sample = iterate.sample
        moments = sample.islands.moments
        if self._exact:
            model = FisherInformation(sample.spins, sample.weights)

            def exact(v: IsingParameters) -> IsingParameters:
                return model.times(v).plus(self._likelihood.penalty_slope(v))

            return solve_newton(exact, GaussianInformation(moments), iterate.gradient, *EXACT_SOLUTION)
        thinned = sample.thinned(FISHER_ROWS)
        model = FisherInformation(thinned.spins, thinned.weights)
        data = self._likelihood.data
        damping = DAMPING / data.samples

        def damped(v: IsingParameters) -> IsingParameters:
            penalised = model.times(v).plus(self._observed.times(v), DATA_SHARE).plus(self._likelihood.penalty_slope(v))
            return penalised.plus(IsingParameters(v.couplings, np.zeros(len(v.fields))), damping)

        both = moments._replace(covariances=(moments.covariances + data.covariances) / 2)
        return solve_newton(damped, GaussianInformation(both), iterate.gradient, *SOLUTION)

    def _agreement(self, iterate: Iterate) -> Agreement:
        data = self._likelihood.data
        noise = mean_square(iterate.sample.islands.errors, data)
        return Agreement(mean_square(iterate.gradient, data), noise, *self._modes.distances(iterate))

    def _agrees(self, iterate: Iterate, noise: float) -> bool:
        """Return True if moments and collective modes differ by no more than the precision, and noise has its limit."""
        found = self._agreement(iterate)
        return (
            found.moments <= found.noise + self._limit
            and found.modes <= 4 * self._limit
            and max(found.noise, found.mode_noise) <= noise
            and iterate.error < LARGEST_ERROR
        )

    def _distance(self, iterate: Iterate, move: IsingParameters) -> float:
        """Return the mean square of Newton's full step in units of the statistical errors."""
        slope = iterate.gradient.dot(move)
        return (1 + DATA_SHARE) * self._likelihood.data.samples * slope / self._parameters

    def _met(self, iterate: Iterate, move: IsingParameters) -> bool:
        """Return True if the step and the differences of the moments are within the precision."""
        if self._exact:
            return bool(max(np.abs(part).max() for part in iterate.gradient) <= EXACT)
        # A second population will halve the noise.
        return 0 < self._distance(iterate, move) <= 2 * self._limit and self._agrees(iterate, 2 * self._limit)

    def _confirmed(self, iterate: Iterate) -> tuple[Iterate, bool]:
        """Return a model with a second population behind it, and True if that agrees too: one test can be luck."""
        if self._exact:
            return iterate, True
        again = self._likelihood.at(iterate.model)
        again = self._likelihood.extended(again, iterate.sample.islands.rows)
        pooled = self._likelihood.iterate(iterate.model, iterate.sample.pooled(again.sample))
        agreed = self._agrees(again, np.inf) and self._agrees(pooled, self._limit)
        return pooled, agreed and self._met(pooled, self._move(pooled))

    def _taken(self, iterate: Iterate, move: IsingParameters, length: float) -> tuple[Iterate, float] | None:
        """Return the model after a step and the step's length, or None if no step improves the likelihood."""
        slope = iterate.gradient.dot(move)
        if not slope > 0 or not self._lengthened(iterate, move):
            return None
        length = self._shortened(iterate.sample, move, length)
        for _ in range(TRIES):
            new = self._likelihood.at(iterate.model.plus(move, length))
            if self._improves(iterate, new, move):
                new = self._likelihood.extended(new, self._rows)
                if self._improves(iterate, new, move):
                    return new, length
            turned = max(slope - new.gradient.dot(move), TINY)
            length *= float(np.clip(slope / turned, 0.1, 0.5))
        return None

    def _improves(self, old: Iterate, new: Iterate, move: IsingParameters) -> bool:
        """Return True if L has not fallen by more than its error, nor has its slope turned too far.

        The slope shows gains that are far below the error of ln Z: as L is concave, the gain of a step is about the
        mean of the slopes at both ends, which is positive if the second is above minus the first.
        """
        error = SIGMAS * np.hypot(old.error, new.error) + TINY * abs(old.value)
        islands = new.sample.islands
        noise = SIGMAS * float(islands.error(islands.projected(move)))
        turned = new.gradient.dot(move) + old.gradient.dot(move) / 2
        return bool(new.value - old.value > -error and turned > -noise)

    def _lengthened(self, iterate: Iterate, move: IsingParameters) -> bool:
        """Make the following records longer where noise stops progress; return False if the longest are too short."""
        if self._exact:
            return True
        found = self._agreement(iterate)
        noise = max(found.noise, found.mode_noise) / (2 * self._limit)
        if noise <= 0.7 or self._distance(iterate, move) > 4 * max(found.noise, self._limit):
            return True
        possible = noise <= 1 or self._rows < self._likelihood.source.longest
        self._rows *= float(np.clip(1.3 * noise, 1.5, 4))
        return possible

    def _shortened(self, sample: ModelSample, move: IsingParameters, length: float) -> float:
        """Return a length, halved until the sample, reweighted to the model after the step, keeps its share."""
        thinned = sample.thinned(FISHER_ROWS) if not self._exact else sample
        change = exponents(thinned.spins, *move)
        while True:
            weights = thinned.weights * np.exp(length * (change - change.max()))
            # Shares, not counts: for equal weights this is the effective sample size over n.
            overlap = weights.sum() ** 2 / (np.square(weights) / thinned.weights).sum()
            if overlap >= OVERLAP or length < TINY:
                return length
            length /= 2
