"""l1-penalised local regressions by accelerated proximal steps in the metric of the data's second moments.

The Hessian of the logistic objective never exceeds the second-moment matrix A of (s, 1), so that every step
min_w g.(w - y) + L/2 (w - y)^T A (w - y) + l1 sum_j |w_j| is safe with L = 1; it is solved by coordinate descent. L
shrinks slowly and doubles where a step fails, as data at strong coupling are much flatter, and other losses may be
steeper. Nesterov's momentum is restarted column by column where it points uphill.
"""

import numpy as np

from vae_mf.inverse_ising.solvers.lbfgs import SLACK, Minimum, Points, Stopping
from vae_mf.inverse_ising.solvers.local_regression import LocalRegression
from vae_mf.kernels import kernel

PASSES = 200
"""Largest number of sweeps of coordinate descent in a step."""
SHRINK = 0.95
"""Factor on L in every step."""


def minimise_lasso(problem: LocalRegression, l1: float, start: Points, stopping: Stopping) -> Minimum:
    """Minimise every column of a local regression plus l1 sum_j |J_ij| (fields are free).

    Fast iterative shrinkage-thresholding (Beck and Teboulle 2009) until the largest entry of the scaled step, which is
    the violation of the optimality conditions, is within tolerance.
    """
    tolerance, max_iter = stopping
    gram = problem.metric
    everything = np.arange(problem.sites)
    points = start.copy()
    lookahead = start.copy()
    momentum = np.ones(problem.sites)
    scales = np.ones(problem.sites)
    violation = np.inf
    values = np.zeros(problem.sites)
    iteration = 0
    while iteration < max_iter and violation > tolerance:
        iteration += 1
        scales *= SHRINK
        value, gradients = problem.evaluate(lookahead, everything, np.float64)
        while True:
            new = points.copy()
            slopes = gradients + scales * (gram @ (points - lookahead))
            descend(gram, slopes, scales, l1, new, tolerance / 10)
            move = new - lookahead
            curved = scales / 2 * (move * (gram @ move)).sum(axis=0)
            values = problem.evaluate(new, everything, np.float64).values
            bound = value + (gradients * move).sum(axis=0) + curved + SLACK[np.float64] * np.abs(value)
            failed = values > bound
            if not failed.any():
                break
            scales[failed] *= 2
        violation = np.abs(scales * (gram @ move)).max()
        uphill = (-move * (new - points)).sum(axis=0) > 0
        momentum[uphill] = 1
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        lookahead = new + (momentum - 1) / following * (new - points)
        points, momentum = new, following
    return Minimum(points, values + l1 * np.abs(points[:-1]).sum(axis=0), iteration, bool(violation <= tolerance))


@kernel(fastmath={"contract", "nsz", "reassoc"})
def descend(gram, slopes, scales, l1, points, tolerance):
    """Minimise a quadratic plus l1 sum |w_j| per column by coordinate descent, in place.

    The quadratic has the Hessian scale * gram, and the gradient ``slopes`` at the given points. The last parameter has
    no penalty and parameter i of column i stays zero.
    """
    size, columns = points.shape
    for i in range(columns):
        scale = scales[i]
        weights = points[:, i].copy()
        slope = slopes[:, i].copy()
        for _ in range(PASSES):
            largest = 0.0
            for j in range(size):
                if j == i:
                    continue
                curvature = scale * gram[j, j]
                target = weights[j] - slope[j] / curvature
                if j < size - 1:
                    target = np.sign(target) * max(abs(target) - l1 / curvature, 0.0)
                change = target - weights[j]
                if change != 0.0:
                    weights[j] = target
                    for k in range(size):
                        slope[k] += scale * change * gram[j, k]
                    largest = max(largest, abs(change) * curvature)
            if largest <= tolerance:
                break
        points[:, i] = weights
