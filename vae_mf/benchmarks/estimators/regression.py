"""Logistic regression beyond known log-odds, by Newton's method, with the penalty of the highest evidence."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.special import expit, log_expit

STEPS = 12
"""Newton steps at most."""
TOLERANCE = 1e-7
"""Gain of a step, in nats per row, below which the fit has converged."""
SHORTEST = 1e-3
"""Part of a step below which it is not halved again."""
LEAST_PENALTY = 1e-2
"""Smallest penalty that the evidence may choose."""
MOST_PENALTY = 100.0
"""Largest, in units of a row."""
Inputs = Float32[np.ndarray, "rows inputs"]
Ups = Bool[np.ndarray, " rows"]
LogOdds = Float32[np.ndarray, " rows"]


class Fit(NamedTuple):
    """Coefficients, and the bias that the penalty may put into the mean of the gains on fitted and on other rows."""

    coefficients: Float[np.ndarray, " inputs"]
    doubt: float
    """Tr S (1 - S) / 2n in nats, S the part of every direction that the n rows determine: the most it can be."""


def fitted(inputs: Inputs, ups: Ups, offset: LogOdds) -> Fit:
    """Return the coefficients b of log-odds offset + inputs b.

    Half the sum of squares of b is penalised with the weight of the highest evidence (MacKay 1992), so that inputs
    without effect cost little.
    """
    count = inputs.shape[1]
    found = np.zeros(count)
    penalty = 1.0
    log_odds = offset
    doubt = 0.0
    for _ in range(STEPS):
        p = expit(log_odds)
        curvature = ((inputs * (p * (1 - p))[:, None]).T @ inputs).astype(np.float64) + penalty * np.eye(count)
        slope = ((ups - p) @ inputs).astype(np.float64) - penalty * found
        move = np.linalg.solve(curvature, slope)
        found, log_odds = moved(inputs, ups, offset, found, move, penalty)
        lost = penalty * np.linalg.inv(curvature)
        doubt = float(np.trace(lost) - np.vdot(lost, lost)) / (2 * len(ups))
        penalty = likelier_penalty(found, float(np.trace(lost)), penalty, len(ups))
        if move @ slope < 2 * TOLERANCE * len(ups):
            break
    return Fit(found, doubt)


def moved(
    inputs: Inputs,
    ups: Ups,
    offset: LogOdds,
    before: Float[np.ndarray, " inputs"],
    move: Float[np.ndarray, " inputs"],
    penalty: float,
) -> tuple[Float[np.ndarray, " inputs"], LogOdds]:
    """Return the coefficients after a move, halved until the objective does not fall, and their log-odds."""
    least = objective(ups, offset + predicted(inputs, before), before, penalty)
    part = 1.0
    while True:
        after = before + part * move
        log_odds = offset + predicted(inputs, after)
        # Sums of single precision err by about this much.
        if part < SHORTEST or objective(ups, log_odds, after, penalty) >= least - 1e-6 * abs(least):
            return after, log_odds
        part /= 2


def predicted(inputs: Inputs, coefficients: Float[np.ndarray, " inputs"]) -> LogOdds:
    """Return what the inputs add to the log-odds."""
    return inputs @ coefficients.astype(np.float32)


def objective(ups: Ups, log_odds: LogOdds, coefficients: Float[np.ndarray, " inputs"], penalty: float) -> float:
    """Return the log-likelihood less the penalty, in nats."""
    fit = log_likelihoods(ups, log_odds).sum(dtype=np.float64)
    return float(fit - penalty / 2 * coefficients @ coefficients)


def log_likelihoods(
    ups: Bool[np.ndarray, "*shape"], log_odds: Float32[np.ndarray, "*shape"]
) -> Float32[np.ndarray, "*shape"]:
    """Return ln p of every outcome.

    >>> log_likelihoods(np.array([True, False]), np.zeros(2, np.float32)).round(4).tolist()
    [-0.6930999755859375, -0.6930999755859375]
    """
    return log_expit(np.where(ups, log_odds, -log_odds))


def likelier_penalty(
    coefficients: Float[np.ndarray, " inputs"],
    lost: float,
    penalty: float,
    rows: int,
) -> float:
    """Return the number of coefficients that the rows determine, all but those lost, over the sum of their squares."""
    square = float(coefficients @ coefficients)
    if not square:
        return penalty
    return float(np.clip((len(coefficients) - lost) / square, LEAST_PENALTY, MOST_PENALTY * rows))
