"""Mean-field curves of the infinite system."""

import numpy as np
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from scipy.stats import norm

from vae_mf.checks import require_positive

ITERATIONS = 5000
DAMPING = 0.5


def mean_field_magnetisation(temperature: float, coupling: float = 1.0) -> float:
    """Return the non-negative stable solution of m = tanh(J m / T).

    It is the order parameter of the infinite Curie-Weiss model and of the Hopfield model with finitely many patterns.

    >>> round(mean_field_magnetisation(0.5), 4), mean_field_magnetisation(1.0)
    (0.9575, 0.0)
    """
    ratio = require_positive("coupling", coupling) / require_positive("temperature", temperature)
    if ratio <= 1:
        return 0.0
    # The positive root lies above the tangent bound sqrt(3 (ratio - 1) / ratio^3), so half of that brackets safely.
    lower = 0.5 * np.sqrt(3 * (ratio - 1) / ratio**3)
    return float(brentq(lambda m: m - np.tanh(ratio * m), lower, 1.0))


def retrieval_overlap(temperature: float, load: float) -> float:
    """Return the replica-symmetric retrieval overlap m at load alpha = P / N, zero where retrieval is lost.

    Solves m = <tanh beta(m + sqrt(alpha r) z)>, q = <tanh^2 beta(m + sqrt(alpha r) z)>, r = q / (1 - beta(1 - q))^2
    over a standard normal z, from perfect retrieval (Amit, Gutfreund and Sompolinsky 1985, eqs. 3-5; J = 1).

    >>> round(retrieval_overlap(0.1, 0.05), 3), retrieval_overlap(0.1, 0.2)
    (1.0, 0.0)
    """
    beta = 1 / require_positive("temperature", temperature)
    require_positive("load", load)
    z = np.linspace(-8, 8, 4001)
    weight = norm.pdf(z)
    overlap, noise = 1.0, 1.0
    for _ in range(ITERATIONS):
        local = np.tanh(beta * (overlap + np.sqrt(load * noise) * z))
        order = trapezoid(weight * local**2, z)
        new_overlap = trapezoid(weight * local, z)
        new_noise = order / (1 - beta * (1 - order)) ** 2
        step = abs(new_overlap - overlap) + abs(new_noise - noise)
        overlap += DAMPING * (new_overlap - overlap)
        noise += DAMPING * (new_noise - noise)
        if step < 1e-10:
            break
    return float(overlap) if overlap > 1e-3 else 0.0
