"""The ferromagnetic Ising model on an L x L torus, solved exactly at finite L (Kaufman) and infinite L (Onsager)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ellipkm1, logsumexp

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, require_positive
from vae_mf.packing import all_configurations
from vae_mf.systems.base import OrderParameterLaw, Thermodynamics

LAW_SIDE = 4
COLDEST = 0.003
"""Lowest T / J of the exact solution: sinh(2 J / T) overflows below."""


@dataclass(frozen=True)
class Ising2D:
    """Nearest-neighbour ferromagnet on a square lattice with periodic boundaries, H = -J sum_<ij> s_i s_j.

    Every site has a bond to its right and one to its lower neighbour, 2 L^2 in all; with L = 2 the same pair is joined
    by two bonds, as in Kaufman's formula. Site (y, x) is number y L + x. The order parameter is the magnetisation.

    Args:
        side: L >= 2.
        coupling: J > 0.

    Raises:
        ValueError: if ``side`` is not an integer of at least 2 or ``coupling`` not positive.
    """

    side: int
    coupling: float = 1.0
    name = "ising2d"
    order_name = "magnetisation m"
    kind = "spins"
    default_sampler = "vae_mf.samplers.Ising2DAuto"
    symmetries = ("spin_flip", "translation")

    def __post_init__(self) -> None:
        require_integer("side", self.side, minimum=2)
        require_positive("coupling", self.coupling)

    @property
    def sites(self) -> int:
        """Number of spins N = L^2."""
        return self.side**2

    def energy(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return -J sum_<ij> s_i s_j of each configuration (..., N)."""
        lattice = spins.reshape(*spins.shape[:-1], self.side, self.side)
        bonds = lattice * (np.roll(lattice, -1, -1) + np.roll(lattice, -1, -2))
        return -self.coupling * bonds.sum((-2, -1), dtype=np.int64).astype(np.float64)

    def order_parameter(self, spins: Spins) -> Float[np.ndarray, "*batch"]:
        """Return the magnetisation per site m of each configuration (..., N)."""
        return spins.mean(-1, dtype=np.float64)

    def basin(self, spins: Spins) -> Int[np.ndarray, "*batch"]:
        """Return the sign of the magnetisation, +1 where it vanishes."""
        return np.where(spins.sum(-1, dtype=np.int64) >= 0, 1, -1)

    def thermodynamics(self, temperature: float) -> Thermodynamics:
        """Return ln Z, U, C and S at any L from Kaufman's sum and its analytic derivatives.

        U = -J d ln Z / dK, C = K^2 d^2 ln Z / dK^2, S = U / T + ln Z with K = J / T. Rounding leaves C an absolute
        error of about 1e-13 N max(1, K^2).

        Raises:
            ValueError: if T / J is not above 0.003.
        """
        reduced = require_positive("temperature", temperature) / self.coupling
        if reduced < COLDEST:
            raise ValueError(f"temperature: expected T / J >= {COLDEST}, got {reduced}")
        log_partition, slope, curvature = kaufman(self.side, 1 / reduced)
        energy, heat_capacity = -self.coupling * slope, curvature / reduced**2
        return Thermodynamics(temperature, log_partition, energy, heat_capacity, energy / temperature + log_partition)

    def order_parameter_law(self, temperature: float) -> OrderParameterLaw:
        """Return the exact law of m by summing over all 2^N states.

        Raises:
            ValueError: for L above 4, where no such sum is feasible.
        """
        if self.side > LAW_SIDE:
            raise ValueError(f"order_parameter_law: expected side <= {LAW_SIDE}, got {self.side}")
        spins = all_configurations(self.sites)
        log_weights = -self.energy(spins) / require_positive("temperature", temperature)
        probabilities = np.exp(log_weights - logsumexp(log_weights))
        values = 2 * np.arange(self.sites + 1) / self.sites - 1
        return OrderParameterLaw(values, np.bincount((spins > 0).sum(1), probabilities))


def kaufman(side: int, coupling: float) -> tuple[float, float, float]:
    """Return ln Z and its first two derivatives with respect to K = ``coupling`` on an L x L torus, n = L.

    Z = (1/2) (2 sinh 2K)^(n^2/2) [Y_1 + Y_2 + Y_3 + Y_4],
    Y_1 = prod_r 2cosh(n gamma_{2r+1} / 2), Y_2 = prod_r 2sinh(n gamma_{2r+1} / 2), Y_3 and Y_4 with gamma_{2r},
    cosh gamma_l = cosh 2K coth 2K - cos(pi l / n), gamma_0 = 2K + ln tanh K (Kaufman 1949, eq. 72).

    gamma_0 changes sign at T_c, and Y_4 with it: its first factor is kept apart from the logarithms, as a number.
    """
    sine = np.sinh(2 * coupling)
    gamma = kaufman_modes(side, coupling)
    odd, even, zero = gamma[:, 1::2], gamma[:, 2::2], gamma[:, 0]
    factor = signed_sinh(side, zero)
    outer = np.array([abs(side * zero[0] / 2), 0.0, 0.0])
    logs = np.stack(
        [
            log_product(side, odd, 1),
            log_product(side, odd, -1),
            log_product(side, even, 1) + log_product(side, zero[:, None], 1),
            log_product(side, even, -1) + outer,
        ]
    )
    # Derivatives relative to those of Y_1, so that their squares, of order N^2, never meet.
    value, slope, curvature = (logs - logs[0]).T
    weights = np.exp(value - value.max())
    factors = np.array([[1.0, 0, 0]] * 3 + [factor]).T
    first = factors[1] + factors[0] * slope
    second = factors[2] + 2 * factors[1] * slope + factors[0] * (slope**2 + curvature)
    total, first, second = weights @ factors[0], weights @ first, weights @ second
    sites = side**2
    log_partition = -np.log(2) + sites / 2 * np.log(2 * sine) + logs[0, 0] + value.max() + np.log(total)
    gradient = sites / np.tanh(2 * coupling) + logs[0, 1] + first / total
    hessian = -2 * sites / sine / sine + logs[0, 2] + second / total - (first / total) ** 2
    return float(log_partition), float(gradient), float(hessian)


def kaufman_modes(side: int, coupling: float) -> Float[np.ndarray, "3 modes"]:
    """Return gamma_l, l = 0 ... 2n - 1, with its first two derivatives in K."""
    sine, cosine = np.sinh(2 * coupling), np.cosh(2 * coupling)
    # cosh gamma - 1, written without the cancellation that near T_c would cost half of the digits.
    excess = (sine - 1) * (1 - 1 / sine) + 2 * np.sin(np.pi * np.arange(1, 2 * side) / (2 * side)) ** 2
    gamma = 2 * np.arcsinh(np.sqrt(excess / 2))
    sinh_gamma = np.sqrt(excess) * np.sqrt(excess + 2)
    slope = 2 * cosine * (1 - 1 / sine) * (1 + 1 / sine) / sinh_gamma
    curvature = (4 * sine + 4 / sine + 8 / sine / sine / sine - (1 + excess) * slope**2) / sinh_gamma
    zero = [2 * coupling + np.log(np.tanh(coupling)), 2 + 2 / sine, -4 * cosine / sine / sine]
    return np.column_stack([zero, np.stack([gamma, slope, curvature])])


def log_product(side: int, gamma: Float[np.ndarray, "3 modes"], sign: int) -> Float[np.ndarray, " 3"]:
    """Return sum_l ln(e^x + sign e^-x), x = n gamma_l / 2, and two derivatives in K; gamma > 0 if sign = -1."""
    value, slope, curvature = side / 2 * gamma
    decay = sign * np.exp(-2 * np.abs(value))
    ratio = np.sign(value) * (1 - decay) / (1 + decay)
    logs = np.abs(value) + np.log1p(decay)
    return np.array([logs.sum(), (ratio * slope).sum(), (ratio * curvature + (1 - ratio**2) * slope**2).sum()])


def signed_sinh(side: int, gamma: Float[np.ndarray, " 3"]) -> list[float]:
    """Return 2 sinh(n gamma / 2) and its first two derivatives in K, all divided by exp(|n gamma / 2|)."""
    value, slope, curvature = side / 2 * gamma
    decay = np.exp(-2 * abs(value))
    sinh, cosh = np.sign(value) * (1 - decay), 1 + decay
    return [sinh, cosh * slope, cosh * curvature + sinh * slope**2]


def critical_temperature(coupling: float = 1.0) -> float:
    """Return T_c = 2 J / ln(1 + sqrt 2) of the infinite lattice."""
    return 2 * require_positive("coupling", coupling) / float(np.log(1 + np.sqrt(2)))


def onsager_energy(temperature: float, coupling: float = 1.0) -> float:
    """Return the energy per site of the infinite lattice (Onsager 1944, eq. 116).

    u = -J coth 2K [1 + (2 / pi) x K_1(k)], x = 2 tanh^2 2K - 1, K_1 the complete elliptic integral, 1 - k^2 = x^2.
    """
    k = require_positive("coupling", coupling) / require_positive("temperature", temperature)
    x = 2 * np.tanh(2 * k) ** 2 - 1
    singular = x * ellipkm1(x * x) if x else 0.0
    return float(-coupling / np.tanh(2 * k) * (1 + 2 / np.pi * singular))


def spontaneous_magnetisation(temperature: float, coupling: float = 1.0) -> float:
    """Return m = (1 - sinh(2 J / T)^-4)^(1/8) of the infinite lattice below T_c, and 0 above (Yang 1952, eq. 96)."""
    k = require_positive("coupling", coupling) / require_positive("temperature", temperature)
    # 1 / sinh(x) = 2 e^-x / (1 - e^-2x) does not overflow in the cold.
    inverse = -2 * np.exp(-2 * k) / np.expm1(-4 * k)
    return float(max(0.0, 1 - inverse**4) ** 0.125)
