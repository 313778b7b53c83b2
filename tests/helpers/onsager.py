"""Onsager's solution of the infinite square lattice."""

import numpy as np
from scipy.special import ellipkm1


def onsager_energy(temperature, coupling=1.0):
    """Energy per site of the infinite lattice (Onsager 1944, eq. 116).

    u = -J coth 2K [1 + (2 / pi) x K_1(k)], x = 2 tanh^2 2K - 1, K_1 the complete elliptic integral, 1 - k^2 = x^2.
    """
    k = coupling / temperature
    x = 2 * np.tanh(2 * k) ** 2 - 1
    singular = x * ellipkm1(x * x) if x else 0.0
    return float(-coupling / np.tanh(2 * k) * (1 + 2 / np.pi * singular))
