"""Residual information of every order that two samples of the same law share: neither has seen the other's noise.

With residuals r of a model, scaled to variance 1, the correlations ρ_S = <Π_{i in S} r_i> of all sets S of k variables
hold I_k = ½ Σ_S ρ_S² nats to second order. Without bias ρ_S² is that of one sample times that of another, and
the sum over sets one over pairs of rows, Σ_S Π_{i in S} r_i r'_i = e_k(w), w_i = r_i · r'_i.

Where each variable is modelled given those before it, products of residuals of different sets are uncorrelated under
the model and have mean zero there: the last variable that is in one of them alone has mean zero given the others.
"""

import numpy as np
from jaxtyping import Float, Int

from vae_mf.statistics.residual_orders import elementary_symmetric, power_sums, raised
from vae_mf.statistics.u_statistics import Estimate

CHUNK = 256
"""Rows of the first sample at a time."""


def shared_orders(
    first: Float[np.ndarray, "rows columns"],
    second: Float[np.ndarray, "others columns"],
    variables: Int[np.ndarray, " columns"],
    largest: int,
) -> dict[int, Estimate]:
    """Return I_k in nats for k = 2 ... ``largest``.

    Args:
        first: scaled residuals of the rows of one sample.
        second: those of another sample.
        variables: variable of every column.
        largest: highest order.
    """
    powers = raised(first, largest)
    others = raised(second, largest)
    of_first = np.zeros((largest + 1, len(first)))
    of_second = np.zeros((largest + 1, len(second)))
    squares = np.zeros(largest + 1)
    for start in range(0, len(first), CHUNK):
        rows = slice(start, start + CHUNK)
        products = elementary_symmetric(power_sums(powers[:, rows], others, variables))
        of_first[:, rows] = products.mean(2)
        of_second += products.sum(1)
        squares += (products**2).sum((1, 2))
    of_second /= len(first)
    return {
        order: halved(of_first[order], of_second[order], squares[order] / (len(first) * len(second)))
        for order in range(2, largest + 1)
    }


def halved(of_first: Float[np.ndarray, " rows"], of_second: Float[np.ndarray, " others"], square: float) -> Estimate:
    """Return half the mean product of two samples with its errors, from the means over the other sample of every row.

    >>> halved(np.array([1.0, 3.0]), np.array([2.0, 2.0]), 4.0)
    Estimate(value=1.0, error=0.5, null_error=0.5)

    Args:
        of_first: mean over the second sample of every row of the first.
        of_second: mean over the first sample of every row of the second.
        square: mean square over all pairs of rows.
    """
    null = square / (len(of_first) * len(of_second))
    # Both spreads hold the noise of single pairs of rows, which is there once.
    spread = of_first.var() / len(of_first) + of_second.var() / len(of_second) - null
    return Estimate(float(of_first.mean() / 2), float(np.sqrt(max(spread, null)) / 2), float(np.sqrt(null) / 2))
