"""L-BFGS for many independent minimisations side by side, one per column, which share every matrix product.

The first iterations run in float32, the last in float64; columns that have converged are left out.
"""

from collections import deque
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from vae_mf.checks import require_integer, require_positive

Points = Float[np.ndarray, "parameters problems"]
Columns = Int[np.ndarray, " active"]
MEMORY = 8
SINGLE_FLOOR = 1e-5
"""Gradient norm below which float32 no longer tells downhill."""
SLACK = {np.float32: 1e-6, np.float64: 1e-13}
"""Rise of an objective, relative to it, that passes for rounding."""
HALVINGS = 25


class Stopping(NamedTuple):
    """Rule by which a minimisation ends."""

    tolerance: float
    """Largest entry of the gradient at the minimum."""
    max_iter: int

    @classmethod
    def checked(cls, tolerance: Any, max_iter: Any) -> "Stopping":
        """Return the rule, or raise ValueError unless the tolerance is positive and the limit a positive integer."""
        return cls(require_positive("tolerance", tolerance), require_integer("max_iter", max_iter))


class Evaluation(NamedTuple):
    """Objectives and gradients of some of the problems."""

    values: Float[np.ndarray, " problems"]
    gradients: Points


@runtime_checkable
class Objective(Protocol):
    """Independent smooth problems, with as many parameters each, to be minimised."""

    def evaluate(self, points: Points, columns: Columns, dtype: type) -> Evaluation:
        """Return objectives and gradients of the problems ``columns`` at their ``points``, computed in ``dtype``."""
        ...

    def precondition(self, gradients: Points, columns: Columns) -> Points:
        """Return an approximate inverse Hessian (positive definite) times each gradient."""
        ...


class Minimum(NamedTuple):
    """End of a minimisation."""

    points: Points
    values: Float[np.ndarray, " problems"]
    n_iter: int
    converged: bool


def minimise(objective: Objective, start: Points, stopping: Stopping) -> Minimum:
    """Minimise every column until the largest entry of its gradient is within tolerance.

    Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4) with backtracking by Armijo's rule.
    """
    tolerance, max_iter = stopping
    points = start.copy()
    iteration = 0
    dtype: type = np.float32
    everything = np.arange(start.shape[1])
    values, gradients = objective.evaluate(points, everything, dtype)
    history: deque = deque(maxlen=MEMORY)
    stuck = np.zeros(len(everything), dtype=bool)
    while True:
        norms = np.abs(gradients).max(axis=0)
        active = np.flatnonzero((norms > tolerance) & ~stuck)
        if dtype is np.float32 and (active.size == 0 or norms[active].max() < SINGLE_FLOOR):
            dtype = np.float64
            stuck[:] = False
            values, gradients = objective.evaluate(points, everything, dtype)
            continue
        if active.size == 0 or iteration == max_iter:
            break
        iteration += 1
        here = Evaluation(values[active], gradients[:, active])
        moves = -direction(objective, history, here.gradients, active)
        steps, there = line_search(objective, points[:, active], here, moves, active, dtype)
        stuck[active] = steps == 0
        change = np.zeros(points.shape)
        bend = np.zeros(points.shape)
        change[:, active] = moves * steps
        bend[:, active] = there.gradients - here.gradients
        history.append((change, bend))
        points[:, active] += change[:, active]
        values[active], gradients[:, active] = there
    return Minimum(points, values, iteration, bool((norms <= tolerance).all()))


def direction(objective: Objective, history: deque, gradients: Points, active: Columns) -> Points:
    """Return the L-BFGS approximation of the inverse Hessian times the gradient, column by column."""
    pairs = [(change[:, active], bend[:, active]) for change, bend in history]
    curvatures = [(change * bend).sum(axis=0) for change, bend in pairs]
    # A column without positive curvature in this pair leaves the pair out.
    weights = [np.where(c > 1e-300, 1 / np.maximum(c, 1e-300), 0.0) for c in curvatures]
    q = gradients.copy()
    projections = []
    for (change, bend), weight in zip(reversed(pairs), reversed(weights), strict=True):
        projections.append(weight * (change * q).sum(axis=0))
        q -= projections[-1] * bend
    result = objective.precondition(q, active)
    if pairs:
        bend = pairs[-1][1]
        length = (bend * objective.precondition(bend, active)).sum(axis=0)
        scale = curvatures[-1] / np.maximum(length, 1e-300)
        result *= np.where(scale > 0, scale, 1.0)
    for (change, bend), weight, projection in zip(pairs, weights, reversed(projections), strict=True):
        result += change * (projection - weight * (bend * result).sum(axis=0))
    return result


def line_search(
    objective: Objective, points: Points, here: Evaluation, moves: Points, active: Columns, dtype: type
) -> tuple[Float[np.ndarray, " active"], Evaluation]:
    """Return the step of every column that lowers its objective enough (0 if none does), and the evaluation there."""
    slopes = (here.gradients * moves).sum(axis=0)
    steps = np.ones(len(active))
    values = here.values.copy()
    gradients = here.gradients.copy()
    open_ = np.arange(len(active))
    for _ in range(HALVINGS):
        there = objective.evaluate(points[:, open_] + steps[open_] * moves[:, open_], active[open_], dtype)
        bound = here.values[open_] + 1e-4 * steps[open_] * slopes[open_] + SLACK[dtype] * np.abs(here.values[open_])
        fine = there.values <= bound
        accepted = open_[fine]
        values[accepted] = there.values[fine]
        gradients[:, accepted] = there.gradients[:, fine]
        open_ = open_[~fine]
        if open_.size == 0:
            break
        steps[open_] *= 0.4
    steps[open_] = 0.0
    return steps, Evaluation(values, gradients)
