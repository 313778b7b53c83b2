"""Independent spins as the least that a model of couplings has to predict better."""

import numpy as np

from vae_mf.arrays import Couplings, Fields, Spins
from vae_mf.inverse_ising.energies import Weights
from vae_mf.inverse_ising.solvers.incomplete_rows import observed_log_pseudo_likelihood

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
    errors of the gain go too: a few rows that a model happens to predict well say little.

    Args:
        determined: n, number of couplings that the data determine.
        spins, weights: fitted rows, 0 for a missing entry, whose weights sum to M.
    """
    step = -(-len(spins) // (MOST_ROWS if spins.all() else MOST_INCOMPLETE))
    rows = spins[::step]
    shares = weights[::step] / weights[::step].sum()
    m = shares @ rows / np.maximum(shares @ (rows != 0), np.finfo(float).tiny)
    independent = np.arctanh(np.clip(m, -1 + 1e-12, 1 - 1e-12))
    alone = observed_log_pseudo_likelihood(rows, np.zeros_like(couplings), independent)
    gains = observed_log_pseudo_likelihood(rows, couplings, fields) - alone
    gain = float(shares @ gains)
    samples = float(weights.sum())
    spread = max(float(shares @ gains**2) - gain**2, 0.0)
    doubt = DOUBT * np.sqrt(spread / (samples if step == 1 else len(rows)))
    share = 2 * determined / len(fields) / samples
    by_chance = len(fields) * share / max(1 - share, 1e-3)
    return bool(gain - doubt >= by_chance - ROUNDING)
