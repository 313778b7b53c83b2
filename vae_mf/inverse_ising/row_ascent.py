"""Maxima of many concave functions side by side, one per row, which share their data and so their matrix products."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Rows = Float[np.ndarray, "rows parameters"]
MEMORY = 8
"""Steps that L-BFGS remembers."""
SMALLEST_CURVATURE = 1e-6
"""Cosine of the angle between a step and the drop of the gradient below which the pair is left out."""


class Ascent(NamedTuple):
    """Where the ascent ended."""

    parameters: Rows
    n_iter: int
    converged: bool


class Step(NamedTuple):
    """A step s of every row, the drop y of the gradient along it and 1 / (s . y), or 0 where rounding rules."""

    move: Rows
    drop: Rows
    inverse_curvature: Float[np.ndarray, " rows"]


def maximise_rows(
    gradient: Callable[[Rows], Rows],
    start: Rows,
    precondition: Callable[[Rows], Rows],
    tolerance: float,
    max_iter: int,
) -> Ascent:
    """Climb to the maximum of every row's concave function by preconditioned L-BFGS (Nocedal and Wright, alg. 7.4).

    Only gradients g are evaluated: a concave function has its maximum where they vanish, and a step that overshoots
    its maximum along the line is cut by the secant rule.

    Args:
        gradient: function of parameters (rows, P) that returns the gradient of every row's function, (rows, P).
        start: first parameters, shape (rows, P).
        precondition: linear function of gradients, about the inverse of minus the Hessian up to a factor per row.
        tolerance: the ascent ends when g . d <= tolerance^2 in every row, d being the step. With exact Hessians of a
            log likelihood, that is a distance of ``tolerance`` standard errors.
        max_iter: at most this many steps.
    """
    parameters, slope, steps = start, gradient(start), []
    for iteration in range(max_iter):
        direction = ascent_direction(slope, steps, precondition)
        promise = dot(slope, direction)
        if promise.max() <= tolerance**2:
            return Ascent(parameters, iteration, True)
        move, new_slope = line_search(gradient, parameters, direction, promise)
        steps = [*steps, secant(move, slope - new_slope)][-MEMORY:]
        parameters, slope = parameters + move, new_slope
    return Ascent(parameters, max_iter, False)


def secant(move: Rows, drop: Rows) -> Step:
    """Return the pair of a step and its drop of the gradient; rows at their maximum neither move nor bend."""
    curvature = dot(move, drop)
    sound = curvature > SMALLEST_CURVATURE * np.sqrt(dot(move, move) * dot(drop, drop))
    return Step(move, drop, np.where(sound, 1 / np.where(sound, curvature, 1.0), 0.0))


def ascent_direction(slope: Rows, steps: list[Step], precondition: Callable[[Rows], Rows]) -> Rows:
    """Return the L-BFGS direction by the two-loop recursion, from the newest step to the oldest and back."""
    direction, shares = slope.copy(), []
    for step in reversed(steps):
        shares.append(step.inverse_curvature * dot(step.move, direction))
        direction -= shares[-1][:, None] * step.drop
    direction = precondition(direction)
    if steps:
        drop = steps[-1].drop
        scale = steps[-1].inverse_curvature * dot(drop, precondition(drop))
        direction /= np.where(scale > 0, scale, 1.0)[:, None]
    for step, share in zip(steps, reversed(shares), strict=True):
        direction += (share - step.inverse_curvature * dot(step.drop, direction))[:, None] * step.move
    return direction


def line_search(
    gradient: Callable[[Rows], Rows], parameters: Rows, direction: Rows, promise: Float[np.ndarray, " rows"]
) -> tuple[Rows, Rows]:
    """Return the step along every row's direction and the gradient there, steps cut that end steeply downhill."""
    length = np.ones(len(parameters))
    while True:
        move = length[:, None] * direction
        slope = gradient(parameters + move)
        end = dot(slope, direction)
        # Below a millionth of the step, what is left of the slope is the gradient's rounding.
        overshot = (end < -0.5 * promise) & (length > 1e-6)
        if not overshot.any():
            return move, slope
        length = np.where(overshot, length * promise / np.where(overshot, promise - end, 1.0), length)


def dot(left: Rows, right: Rows) -> Float[np.ndarray, " rows"]:
    """Return the scalar product of every pair of rows."""
    return np.einsum("ij,ij->i", left, right)
