"""Newton's method for the penalised likelihood of a Potts model, each step weighed on rows of its own.

As for Ising models (`solvers.annealed_newton`): every model is annealed anew from uniform rows, so that no phase is
missed; a step is accepted only if the likelihood, and its slope at the new model, say that it improves.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.potts.coordinates import Vector
from vae_mf.inverse_ising.potts.likelihood import Iterate, Penalised, SampledLikelihood
from vae_mf.inverse_ising.potts.rows import Picks
from vae_mf.inverse_ising.solvers.annealed_newton import (
    DATA_SHARE,
    FIRST_ROWS,
    FISHER_ROWS,
    LARGEST_ERROR,
    LINE,
    OVERLAP,
    SIGMAS,
    SOLUTION,
    TINY,
    TRIES,
)
from vae_mf.inverse_ising.solvers.model_samples import LONGEST


class PottsAscent(NamedTuple):
    """End of an ascent."""

    last: Iterate
    steps: int
    converged: bool


class PottsNewton:
    """Ascent to the maximum of a penalised likelihood.

    Args:
        precision: largest error, in units of the statistical error.
    """

    def __init__(self, likelihood: SampledLikelihood, precision: float, random: np.random.Generator):
        self._likelihood, self._penalised = likelihood, likelihood.penalised
        self._limit = precision**2
        data = self._penalised.data
        self._rows = float(np.clip(data.samples, *FIRST_ROWS))
        self._longest = max(LONGEST[0], LONGEST[1] * data.samples)
        chosen = random.permutation(len(data.picks))[:FISHER_ROWS]
        self._observed = information(self._penalised, data.picks[chosen], data.shares[chosen])

    def ascent(self, independent: Vector, estimate: Vector, limit: int) -> PottsAscent:
        """Return the end of at most ``limit`` steps from the line between two models."""
        iterate = start = self._start(independent, estimate)
        for step in range(1, limit + 1):
            move = self._move(iterate)
            if self._met(iterate, move):
                again = self._likelihood.at(iterate.vector, self._rows)
                if self._met(again, self._move(again)):
                    return PottsAscent(again, step, True)
                iterate = again
                move = self._move(iterate)
            taken = self._taken(iterate, move)
            if taken is None:
                break
            iterate = taken
        if iterate.value < start.value - SIGMAS * np.hypot(iterate.error, start.error):
            iterate = start
        return PottsAscent(iterate, step, False)

    def _start(self, independent: Vector, estimate: Vector) -> Iterate:
        """Return about the best model on the line from independent sites to an estimate, along which L is concave."""
        line = estimate - independent
        low, high, place = 0.0, 1.0, 1.0
        outset = float(line @ self._likelihood.at(independent, self._rows).gradient)
        for _ in range(LINE):
            found = self._likelihood.at(independent + place * line, self._rows)
            ahead = float(found.gradient @ line)
            if ahead >= -0.1 * outset and (place == 1 or ahead < 0.5 * outset or high - low < 0.1):
                break
            low, high = (low, place) if ahead < 0 else (place, high)
            place = (low + high) / 2
        return found

    def _move(self, iterate: Iterate) -> Vector:
        """Return Newton's step by conjugate gradients."""
        every = max(1, len(iterate.picks) // FISHER_ROWS)
        model = information(self._penalised, iterate.picks[::every], iterate.weights[::every])
        damping = 4 / self._penalised.data.samples

        def times(v: Vector) -> Vector:
            return model(v) + DATA_SHARE * self._observed(v) + (self._penalised.ridges + damping) * v

        diagonal = self._penalised.variances * (1 + DATA_SHARE) + self._penalised.ridges + damping
        return conjugate_gradients(times, diagonal, iterate.gradient, *SOLUTION)

    def _met(self, iterate: Iterate, move: Vector) -> bool:
        """Return True if the moments, their noise, ln Z and the next step are within the precision."""
        samples = self._penalised.data.samples
        distance = (1 + DATA_SHARE) * samples * float(iterate.gradient @ move) / len(move)
        return (
            self._likelihood.mean_square(iterate.gradient) <= iterate.noise + self._limit
            and iterate.noise <= self._limit
            and 0 < distance <= 2 * self._limit
            and iterate.error < LARGEST_ERROR
        )

    def _taken(self, iterate: Iterate, move: Vector) -> Iterate | None:
        """Return the model after a step, or None if no step improves the likelihood."""
        slope = float(iterate.gradient @ move)
        if not slope > 0 or not self._lengthened(iterate):
            return None
        length = self._shortened(iterate, move)
        for _ in range(TRIES):
            new = self._likelihood.at(iterate.vector + length * move, self._rows)
            if self._improves(iterate, new, move):
                return new
            turned = max(slope - float(new.gradient @ move), TINY)
            length *= float(np.clip(slope / turned, 0.1, 0.5))
        return None

    def _improves(self, old: Iterate, new: Iterate, move: Vector) -> bool:
        """Return True if L has not fallen by more than its error, nor has its slope turned too far."""
        error = SIGMAS * np.hypot(old.error, new.error) + TINY * abs(old.value)
        means = new.island_means(self._penalised.exponents(new.picks, move))
        noise = SIGMAS * float(means.std(ddof=1) / np.sqrt(len(means)))
        turned = float(new.gradient @ move + old.gradient @ move / 2)
        return bool(new.value - old.value > -error and turned > -noise)

    def _lengthened(self, iterate: Iterate) -> bool:
        """Make the following records longer where noise is what stops progress; return False if they are longest."""
        if self._likelihood.mean_square(iterate.gradient) > 4 * max(iterate.noise, self._limit):
            return True
        ratio = 1.3 * iterate.noise / self._limit
        possible = ratio <= 1 or self._rows < self._longest
        self._rows = min(self._rows * float(np.clip(ratio, 1, 4)), self._longest)
        return possible

    def _shortened(self, iterate: Iterate, move: Vector) -> float:
        """Return a length, halved until the rows, reweighted to the model after the step, keep their share."""
        every = max(1, len(iterate.picks) // FISHER_ROWS)
        weights = iterate.weights[::every]
        change = self._penalised.exponents(iterate.picks[::every], move)
        length = 1.0
        while length > TINY:
            ahead = weights * np.exp(length * (change - change.max()))
            if ahead.sum() ** 2 / (np.square(ahead) / weights).sum() / weights.sum() >= OVERLAP:
                break
            length /= 2
        return length


def information(penalised: Penalised, picks: Picks, weights: Weights) -> Callable[[Vector], Vector]:
    """Return the map from v to F v, F the covariance of the moments over weighted rows."""
    shares = weights / weights.sum()

    def times(v: Vector) -> Vector:
        values = penalised.exponents(picks, v)
        return penalised.moments(picks, shares * (values - shares @ values))

    return times


def conjugate_gradients(
    times: Callable[[Vector], Vector], diagonal: Vector, gradient: Vector, steps: int, tolerance: float
) -> Vector:
    """Return the solution of A v = g, A positive and preconditioned by a diagonal.

    Args:
        times: maps v to A v.
        steps: largest number of products.
        tolerance: length of the residual, relative to that of the gradient, at which the solution is good enough.
    """
    solution = np.zeros_like(gradient)
    residual = gradient
    move = gradient / diagonal
    length = first = float(residual @ move)
    for _ in range(steps):
        if not length > tolerance**2 * first:
            break
        image = times(move)
        step = length / float(move @ image)
        solution = solution + step * move
        residual = residual - step * image
        ahead = residual / diagonal
        old = length
        length = float(residual @ ahead)
        move = ahead + length / old * move
    return solution
