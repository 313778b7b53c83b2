"""Expectation-maximisation from several starts, of which the best after a few iterations goes on."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from vae_mf.checks import require_integer, require_positive
from vae_mf.inverse_ising.base import warn_convergence

TRIAL = 10
"""Iterations after which the best of several starts is chosen."""


class Step(NamedTuple):
    """Outcome of an iteration of expectation-maximisation."""

    objective: float
    """Mean log-likelihood and log-prior before the iteration, in nats per row."""
    components: Any
    """Parameters after the iteration."""


@runtime_checkable
class Problem(Protocol):
    """Rows to be explained by a model with a discrete latent."""

    def step(self, old: Any) -> Step:
        """Return the objective of the old parameters, and new ones of a higher objective."""
        ...


class Climb(NamedTuple):
    """All iterations of expectation-maximisation."""

    components: Any
    """Parameters after the last one."""
    objectives: Float[np.ndarray, " iterations"]
    """Mean log-likelihood and log-prior before every iteration, in nats per row."""
    converged: bool
    """True if the last gain was below the tolerance."""


def climb(options: Any, problem: Problem, starts: Iterable[Any]) -> Climb:
    """Return the climb from the best of several starts, with a warning unless it converged.

    Args:
        options: density model with the options ``tolerance``, the gain per iteration, in nats per row, below which the
            climb has converged, and ``max_iter``.
        problem: rows and model.
        starts: first parameters of each trial.
    """
    tolerance = require_positive("tolerance", options.tolerance)
    limit = require_integer("max_iter", options.max_iter)
    best = max((run(problem, start, TRIAL) for start in starts), key=lambda trial: trial[-1].objective)
    objectives = [step.objective for step in best]
    components, converged = best[-1].components, False
    while not converged and len(objectives) < limit:
        last = problem.step(components)
        components, converged = last.components, last.objective - objectives[-1] < tolerance
        objectives.append(last.objective)
    if not converged:
        warn_convergence(f"{type(options).__name__} has not converged after {len(objectives)} iterations.")
    return Climb(components, np.array(objectives), converged)


def run(problem: Problem, components: Any, count: int) -> list[Step]:
    """Return ``count`` iterations."""
    steps = [problem.step(components)]
    while len(steps) < count:
        steps.append(problem.step(steps[-1].components))
    return steps
