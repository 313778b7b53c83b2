"""Stochastic ascent of the likelihood of an unnormalised model, whose moments come from persistent chains."""

from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float

from vae_mf.checks import require_integer, require_positive
from vae_mf.statistics.distinct import DistinctSpins

AVERAGED = 0.2
"""Share of the steps, the last ones, over which the parameters are averaged."""
FloatRows = Float[np.ndarray, "rows variables"]
"""Rows in {0, 1}, as floating-point numbers."""
Parts = tuple[np.ndarray, ...]
"""Parameters of a model, or a gradient, as arrays in single precision."""


@runtime_checkable
class Learnable(Protocol):
    """Unnormalised model f(x) of rows x in {0, 1}^N."""

    @property
    def parts(self) -> Parts:
        """Parameters."""
        ...

    def with_parts(self, parts: Parts) -> Any:
        """Return the model with other parameters."""
        ...

    def gradient(self, rows: FloatRows) -> Parts:
        """Return the mean gradient of ln f over rows."""
        ...

    def swept(self, rows: FloatRows, random: np.random.Generator) -> FloatRows:
        """Return the rows after a sweep that leaves f invariant."""
        ...


Model = TypeVar("Model", bound=Learnable)


def in_double(model: Model) -> Model:
    """Return a model with its parameters in double precision."""
    return model.with_parts(tuple(part.astype(np.float64) for part in model.parts))


class PersistentAscent:
    """Persistent contrastive divergence (Tieleman 2008).

    The gradient is the mean of d ln f over a batch of data less that over chains of the model, which go on from step to
    step. The learning rate (Adam's) falls linearly to zero, and the parameters are averaged over the last steps, which
    takes out the noise of the chains.

    Args:
        options: density model with the options ``steps``, ``batch_size``, ``sweeps`` and ``learning_rate``.
        data: rows to learn from.
        probabilities: P(x_i = 1) of the rows that the chains start from.
        penalties: weight, in nats per row, of half the sum of squares of each part of the parameters.
    """

    def __init__(
        self,
        options: Any,
        data: DistinctSpins,
        probabilities: Float[np.ndarray, " variables"],
        penalties: tuple[float, ...],
        random: np.random.Generator,
    ):
        self._penalties = np.array(penalties, np.float32)
        self._steps = require_integer("steps", options.steps)
        self._batch = require_integer("batch_size", options.batch_size)
        self._sweeps = require_integer("sweeps", options.sweeps)
        self._rate = require_positive("learning_rate", options.learning_rate)
        self._rows = (data.spins > 0).astype(np.float32)
        self._upto = np.cumsum(data.shares)
        self._random = random
        self._chains = (random.random((self._batch, len(probabilities))) < probabilities).astype(np.float32)

    def run(self, model: Model) -> Model:
        """Return the model after the ascent."""
        adam = Adam(model.parts)
        averaged = tuple(np.zeros_like(part) for part in model.parts)
        kept = max(1, round(AVERAGED * self._steps))
        for step in range(self._steps):
            moved = adam.step(model.parts, self._slope(model), self._rate * (1 - step / self._steps))
            model = model.with_parts(moved)
            if step >= self._steps - kept:
                averaged = tuple(total + part / kept for total, part in zip(averaged, moved, strict=True))
        return model.with_parts(averaged)

    def _slope(self, model: Learnable) -> Parts:
        """Return the gradient of the mean log-likelihood less the penalty."""
        drawn = self._random.random(self._batch)
        chosen = np.minimum(np.searchsorted(self._upto, drawn), len(self._rows) - 1)
        for _ in range(self._sweeps):
            self._chains = model.swept(self._chains, self._random)
        moments = model.gradient(self._rows[chosen]), model.gradient(self._chains)
        terms = zip(*moments, self._penalties, model.parts, strict=True)
        return tuple(data - own - penalty * part for data, own, penalty, part in terms)


class Adam:
    """Ascent whose steps are scaled by running moments of the gradient (Kingma and Ba 2015)."""

    def __init__(self, parts: Parts, decay: float = 0.9, square_decay: float = 0.999):
        self._decay, self._square_decay, self._count = decay, square_decay, 0
        self._means, self._squares = ([np.zeros_like(part) for part in parts] for _ in range(2))

    def step(self, parts: Parts, slope: Parts, rate: float) -> Parts:
        """Return the parameters after a step along the slope."""
        self._count += 1
        scale = rate * np.sqrt(1 - self._square_decay**self._count) / (1 - self._decay**self._count)
        moved = []
        for value, gradient, mean, square in zip(parts, slope, self._means, self._squares, strict=True):
            mean += (1 - self._decay) * (gradient - mean)
            square += (1 - self._square_decay) * (gradient**2 - square)
            moved.append(value + np.float32(scale) * mean / (np.sqrt(square) + np.float32(1e-8)))
        return tuple(moved)
