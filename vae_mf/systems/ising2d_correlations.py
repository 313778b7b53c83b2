"""Exact correlations of the 2D Ising model along a row, at any finite size and on the infinite lattice.

The fermions of the row-to-row transfer matrix turn <s_0 s_r> into a Toeplitz determinant of order r, its elements being
contractions of neighbouring sites (Montroll, Potts and Ward 1963; McCoy and Wu 1973, chapter VIII). On the torus there
are four such sectors, whose weights Y_1 ... Y_4 make up Kaufman's partition function (see `kaufman.kaufman`).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from scipy.linalg import toeplitz

from vae_mf.checks import require_integer, require_positive
from vae_mf.systems.kaufman import kaufman_modes

NODES = 2**16
"""Momenta that stand for the infinite lattice: errors are below 1e-4 at T_c and vanish exponentially elsewhere."""
Correlations = Float[np.ndarray, " distances"]
Momenta = Float[np.ndarray, " momenta"]


class Sector(NamedTuple):
    """One of the four terms of Z, and with its correlations."""

    log_scale: float
    weight: float
    """Y exp(-log_scale)."""
    correlations: Correlations
    """Y det G exp(-log_scale) for r = 1, 2, ..."""


def torus_correlations(side: int, coupling: float) -> Correlations:
    """Return <s_0 s_r>, r = 0 ... L // 2, along a row of the L x L torus, K = ``coupling``.

    <s_0 s_r> = sum_a Y_a det G_a / sum_a Y_a, with (G_a)_ij = g_a(i - j), i, j = 1 ... r, and

        g_a(n) = (1/L) sum_k e^{-ikn} Phi(k) t(L gamma_k / 2),   t = tanh or coth,

    where k runs over the odd or the even multiples of pi / L.

    >>> torus_correlations(8, 0.4).round(3).tolist()
    [1.0, 0.611, 0.47, 0.412, 0.395]
    """
    require_integer("side", side, minimum=2)
    gamma = kaufman_modes(side, require_positive("coupling", coupling))[0]
    sectors = [sector(side, coupling, gamma, first, sign) for first in (1, 0) for sign in (1, -1)]
    scales = np.exp(np.array([s.log_scale for s in sectors]) - max(s.log_scale for s in sectors))
    total = sum(scale * s.weight for scale, s in zip(scales, sectors, strict=True))
    summed = sum(scale * s.correlations for scale, s in zip(scales, sectors, strict=True))
    return np.concatenate([[1.0], summed / total])


def infinite_correlations(coupling: float, distances: int) -> Correlations:
    """Return <s_0 s_r>, r = 0 ... ``distances``, along a row of the infinite lattice, K = ``coupling``.

    >>> infinite_correlations(0.4, 2).round(3).tolist()
    [1.0, 0.553, 0.364]
    """
    require_integer("distances", distances)
    momenta = np.pi * np.arange(1, 2 * NODES, 2) / NODES
    elements = contractions(momenta, phase(momenta, require_positive("coupling", coupling)), distances)
    return np.concatenate([[1.0], determinants(elements)])


def phase(momenta: Momenta, coupling: float) -> Complex[np.ndarray, " momenta"]:
    """Return Phi(k) = [(1 - a e^{ik})(1 - b e^{-ik}) / ((1 - a e^{-ik})(1 - b e^{ik}))]^(1/2).

    With z = tanh K: a = z (1 - z) / (1 + z), b = (1 - z) / (z (1 + z)). Phi(0) = 1 goes with a signed gamma_0.
    """
    z = np.tanh(coupling)
    turn = np.exp(1j * momenta)
    angles = np.angle(1 - z * (1 - z) / (1 + z) * turn) + np.angle(1 - (1 - z) / (z * (1 + z)) / turn)
    return np.exp(1j * np.where(momenta == 0, 0.0, angles))


def contractions(momenta: Momenta, terms: Complex[np.ndarray, " momenta"], distances: int) -> Correlations:
    """Return g(n) = mean_k e^{-ikn} ``terms`` (real by symmetry), n = 1 - distances ... distances - 1."""
    steps = np.arange(1 - distances, distances)
    return np.array([np.real(np.exp(-1j * step * momenta) @ terms) for step in steps]) / len(momenta)


def determinants(elements: Float[np.ndarray, " elements"], shift: float = 0.0) -> Correlations:
    """Return det G of every order r = 1, 2, ..., G_ij = g(i - j) + ``shift``."""
    largest = (len(elements) + 1) // 2
    matrix = toeplitz(elements[largest - 1 :], elements[largest - 1 :: -1]) + shift
    return np.array([np.linalg.det(matrix[:r, :r]) for r in range(1, largest + 1)])


def sector(side: int, coupling: float, gamma: Float[np.ndarray, " modes"], first: int, sign: int) -> Sector:
    """Return a term of Z, with odd (``first`` = 1) or even multiples of pi / L, with cosh (``sign`` = 1) or sinh.

    At T_c coth(L gamma_0 / 2) diverges while its weight vanishes: the determinants are linear in that term of rank
    one, so that sinh(x) det(G + coth(x) / L) = sinh(x) det G + (cosh(x) / L) (det(G + 1) - det G).
    """
    multiples = np.arange(first, 2 * side, 2)
    momenta, x = np.pi * multiples / side, side / 2 * gamma[multiples]
    decay = np.exp(-2 * np.abs(x))
    ratio = np.sign(x) * (1 - decay) / (1 + decay)  # tanh
    singular = sign == -1 and first == 0
    rest = slice(1, None) if singular else slice(None)
    strengths = np.zeros(side)
    strengths[rest] = ratio[rest] ** sign
    elements = contractions(momenta, phase(momenta, coupling) * strengths, max(1, side // 2))
    log_scale = float(np.abs(x).sum() + np.log1p(sign * decay[rest]).sum())
    products = determinants(elements)
    if not singular:
        return Sector(log_scale, 1.0, products)
    sinh = np.sign(x[0]) * (1 - decay[0])
    cosh = 1 + decay[0]
    return Sector(log_scale, sinh, sinh * products + cosh / side * (determinants(elements, 1.0) - products))
