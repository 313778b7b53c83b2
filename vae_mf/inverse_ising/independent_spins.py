"""Independent spins as the least that a model of couplings has to predict better."""

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.solvers.incomplete_rows import observed_log_pseudo_likelihood

FEW_ROWS = 2**10
"""Number of rows that tell most models, so that a closed formula is not slower than its verdict."""
MOST_ROWS = 2**14
"""Number of rows, evenly spread, that are enough."""
MOST_INCOMPLETE = 2**10
"""That number where entries are missing, over which to sum takes long."""
DOUBT = 2.0
"""Standard errors of the gain that count against the model."""
ROUNDING = 1e-6
"""Loss in nats per row that passes for rounding."""


def beats_independent_spins(
    couplings: Couplings, fields: Fields, determined: float, spins: Spins, weights: Weights
) -> bool:
    """Return False if a model seems to predict new rows worse than independent spins do.

    The gain of its log pseudo-likelihood on the fitted rows holds what it gains by chance. Each of n couplings stands
    in two regressions and gains 1 / M nats in each, n = sum_ij (1 - lambda v_ij) if a prior of precision lambda leaves
    the variance v, and few rows raise that by 1 / (1 - k / M) with k = 2 n / N parameters in a regression. Two standard
    errors of the gain go too: a few rows that a model happens to predict well say little. A thousand rows are asked
    first, and the others where these do not tell.

    Args:
        determined: n, number of couplings that the data determine.
        spins, weights: fitted rows, 0 for a missing entry, whose weights sum to M.
    """
    samples = float(weights.sum())
    share = 2 * determined / len(fields) / samples

    alone = independent_fields(spins, weights)

    def beaten(step: int) -> bool:
        rows = spins[::step]
        shares = weights[::step] / weights[::step].sum()
        gains = observed_log_pseudo_likelihood(rows, couplings, fields) - log_independent(rows, alone)
        return gains_beyond_chance(gains, shares, samples if step == 1 else float(len(rows)), len(fields), share)

    most = MOST_ROWS if spins.all() else MOST_INCOMPLETE
    steps = sorted({-(-len(spins) // count) for count in (FEW_ROWS, most)}, reverse=True)
    return any(beaten(step) for step in steps)


def independent_fields(spins: Spins, weights: Weights) -> Fields:
    """Return the fields of independent spins with the means of the observed entries.

    >>> independent_fields(np.int8([[1, 0], [1, 1], [-1, -1]]), np.array([1.0, 2.0, 3.0])).round(3)
    array([ 0.   , -0.203])
    """
    m = weights @ spins / np.maximum(weights @ (spins != 0), np.finfo(float).tiny)
    return np.arctanh(np.clip(m, -1 + 1e-12, 1 - 1e-12))


def log_independent(rows: Spins, fields: Fields) -> Float[np.ndarray, " rows"]:
    """Return ln p of the observed entries of every row under independent spins.

    >>> log_independent(np.int8([[1, 0], [-1, 1]]), np.zeros(2)).round(3)
    array([-0.693, -1.386])
    """
    return rows @ fields - (rows != 0) @ np.logaddexp(fields, -fields)


def gains_beyond_chance(
    gains: Float[np.ndarray, " rows"],
    shares: Float[np.ndarray, " rows"],
    samples: float,
    regressions: int,
    share: float,
    values: int = 1,
) -> bool:
    """Return False if what regressions gain on the fitted rows may be what they gain by chance.

    Args:
        gains: log pseudo-likelihood of every row beyond that of independent variables.
        shares: weights of the rows, whose sum is 1.
        samples: number of rows behind the mean of the gains.
        regressions: number of them, N.
        share: parameters in a regression that the data determine, per row.
        values: number of logits in a regression.
    """
    gain = float(shares @ gains)
    spread = max(float(shares @ gains**2) - gain**2, 0.0)
    by_chance = regressions * share / max(1 - share / values, 1e-3)
    return bool(gain - DOUBT * np.sqrt(spread / samples) >= by_chance - ROUNDING)
