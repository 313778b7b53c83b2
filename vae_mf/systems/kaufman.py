"""Partition function of the Ising model on an L x L torus and its derivatives (Kaufman 1949)."""

import numpy as np
from jaxtyping import Float


def kaufman(side: int, coupling: float) -> tuple[float, float, float]:
    """Return ln Z and its first two derivatives with respect to K = ``coupling`` on an L x L torus, n = L.

    Z = (1/2) (2 sinh 2K)^(n^2/2) [Y_1 + Y_2 + Y_3 + Y_4],
    Y_1 = prod_r 2cosh(n gamma_{2r+1} / 2), Y_2 = prod_r 2sinh(n gamma_{2r+1} / 2), Y_3 and Y_4 with gamma_{2r},
    cosh gamma_l = cosh 2K coth 2K - cos(pi l / n), gamma_0 = 2K + ln tanh K (Kaufman 1949, eq. 72).

    gamma_0 changes sign at T_c, and Y_4 with it: its first factor is kept apart from the logarithms, as a number.

    >>> log_partition, _, _ = kaufman(2, 0.5)
    >>> round(log_partition, 4)
    4.7977
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
    sine = np.sinh(2 * coupling)
    cosine = np.cosh(2 * coupling)
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
    sinh = np.sign(value) * (1 - decay)
    cosh = 1 + decay
    return [sinh, cosh * slope, cosh * curvature + sinh * slope**2]
