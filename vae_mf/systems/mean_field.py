"""Mean-field curves of the infinite system."""

import numpy as np
from scipy.optimize import brentq

from vae_mf.checks import require_energy_scale


def mean_field_magnetisation(temperature: float, coupling: float = 1.0) -> float:
    """Return the non-negative stable solution of m = tanh(J m / T).

    It is the order parameter of the infinite Curie-Weiss model and of the Hopfield model with finitely many patterns.

    >>> round(mean_field_magnetisation(0.5), 4), mean_field_magnetisation(1.0)
    (0.9575, 0.0)
    """
    ratio = require_energy_scale("coupling", coupling) / require_energy_scale("temperature", temperature)
    if ratio <= 1:
        return 0.0
    # The positive root lies above the tangent bound sqrt(3 (ratio - 1) / ratio^3), so half of that brackets safely.
    lower = 0.5 * np.sqrt(3 * (ratio - 1) / ratio**3)
    return float(brentq(lambda m: m - np.tanh(ratio * m), lower, 1.0))
