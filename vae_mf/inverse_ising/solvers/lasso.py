"""l1-penalised local regressions by accelerated proximal steps in the metric of the data's second moments.

The Hessian of the logistic objective never exceeds the second-moment matrix A of (s, 1), so that every step
min_w g.(w - y) + L/2 (w - y)^T A (w - y) + l1 sum_j |w_j| is safe with L = 1; it is solved by coordinate descent. L
shrinks slowly and doubles where a step fails, as data at strong coupling are much flatter, and other losses may be
steeper. Nesterov's momentum is restarted column by column where it points uphill.
"""

import numpy as np

from vae_mf.arrays import Couplings
from vae_mf.inverse_ising.solvers.lbfgs import SLACK, Minimum, Points, Stopping
from vae_mf.inverse_ising.solvers.local_regression import LocalRegression
from vae_mf.kernels import kernel

PASSES = 200
"""Largest number of sweeps of coordinate descent in a step."""
SHRINK = 0.95
"""Factor on L in every step."""
CLIP = 3.7
"""Size of a coupling, in units of one that the penalty just removes, from which on it has no penalty (Fan and Li)."""
HIGHEST = 0.5
"""Largest penalty of scatters above 1: half of the largest slope that a coupling of zero can have."""
FALSE_RATE = 0.05
"""Chance that any slope of couplings that are zero exceeds the penalty, were the slopes independent."""


def minimise_lasso(problem: LocalRegression, l1: Couplings, start: Points, stopping: Stopping) -> Minimum:
    """Minimise every column i of a local regression plus sum_j l1_ji |J_ji| (fields are free).

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
    return Minimum(points, values + (l1 * np.abs(points[:-1])).sum(axis=0), iteration, bool(violation <= tolerance))


def minimise_clipped(problem: LocalRegression, start: Points, stopping: Stopping) -> Minimum:
    """Minimise every column under a penalty of the size of chance on weak couplings, which leaves strong ones alone.

    It is the smoothly clipped absolute deviation of Fan and Li (2001) in the one step of Zou and Li (2008): a lasso and
    another whose weights the couplings of the first set. A lasso gives to false couplings as it takes from strong ones;
    the second keeps few. The first has the rate sqrt(ln(N^2 / 0.05) / M) of Lokhov et al. (2018), the second the
    bound of Gaussian slopes, sqrt(2) times that, in units of the scatter of every spin's own: under the logarithm of
    interaction screening few rows carry the weight. In an ordered phase, where most rows are alike, bonds are lost.
    """
    rate = np.sqrt(np.log(problem.sites**2 / FALSE_RATE) / problem.data.samples)
    first = minimise_lasso(problem, np.full((problem.sites, problem.sites), rate), start, stopping)
    curvatures, slopes = problem.seen_curvatures(first.points)
    chance = np.sqrt(2) * rate
    levels = np.minimum(chance * slopes, max(chance, HIGHEST))
    excess = np.abs(first.points[:-1]) * curvatures / levels
    weights = np.clip((CLIP - excess) / (CLIP - 1), 0, 1)
    second = minimise_lasso(problem, levels * weights, first.points, stopping)
    return second._replace(n_iter=first.n_iter + second.n_iter)


@kernel(fastmath={"contract", "nsz", "reassoc"})
def descend(gram, slopes, scales, l1, points, tolerance):
    """Minimise a quadratic plus sum_j l1_ji |w_j| per column i by coordinate descent, in place.

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
                    target = np.sign(target) * max(abs(target) - l1[j, i] / curvature, 0.0)
                change = target - weights[j]
                if change != 0.0:
                    weights[j] = target
                    for k in range(size):
                        slope[k] += scale * change * gram[j, k]
                    largest = max(largest, abs(change) * curvature)
            if largest <= tolerance:
                break
        points[:, i] = weights
