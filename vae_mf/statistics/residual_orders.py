"""Residual information at any order: products of three and more residuals, without a list of them.

I_k = ½ Σ_{|S|=k} ρ_S², ρ_S = <Π_{i in S} r_i>, with residuals r_i = δ_i / s_i of one draw of z. For two rows the sum
over all sets is an elementary symmetric polynomial: Σ_S Π_{i in S} r_i r'_i = e_k(w), w_i = r_i · r'_i. Its errors grow
as √binom(N, k) / n, so that orders above 2 detect and do not bound.

With s_i = √<v_i> the sum is in nats. Where z leaves most rows hardly any freedom products of r have tails so heavy that
no number of rows tells their mean; with s_i the spread of the variable itself, which is larger, they have none, and the
sum errs on the low side.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vae_mf.checks import require_integer
from vae_mf.statistics.averages import evenly_spaced
from vae_mf.statistics.latent_model import Variables
from vae_mf.statistics.u_statistics import Blocks, Estimate, u_statistic

FirstDraw = Float[np.ndarray, "rows columns"]
"""Residuals δ at one draw of z for every row."""
Spread = Float[np.ndarray, " columns"]

CHUNK = 64
"""Rows at a time against all others."""


class SampledRows(NamedTuple):
    """Some rows of residuals with their blocks."""

    residuals: FirstDraw
    blocks: Blocks


def residual_orders(
    data: SampledRows,
    variables: Variables,
    largest: int,
    rows: int,
    model: SampledRows | None = None,
    spread: Spread | None = None,
) -> dict[int, Estimate]:
    """Return I_k in nats for k = 2 ... ``largest``; the cost grows with the square of the rows.

    Args:
        data: residuals of the rows of the data, one draw of z each.
        variables: variable of every column.
        largest: highest order.
        rows: largest number of rows that are used of each sample, evenly spaced.
        model: residuals of the model's own rows, whose means are the zero; None if zero is known.
        spread: s of every column; None for the root of the mean square of its residuals.
    """
    samples = [thinned(data, rows)] if model is None else [thinned(data, rows), thinned(model, rows)]
    own = np.sqrt((samples[-1].residuals.astype(np.float64) ** 2).mean(0))
    unit = own if spread is None else spread
    inverse = np.divide(1.0, unit, out=np.zeros_like(unit), where=unit > 0)
    scaled = np.concatenate([sample.residuals for sample in samples]) * inverse
    owners = [sample.blocks.labels for sample in samples]
    owners[1:] = [labels + owners[0][-1] + 1 for labels in owners[1:]]
    grams = block_products(scaled, np.concatenate(owners), variables, require_integer("largest", largest, minimum=2))
    least = least_errors((own * inverse) ** 4, variables, largest, len(samples[0].residuals))
    found = {}
    for order in range(2, largest + 1):
        read = u_statistic(grams[order], *(sample.blocks for sample in samples))
        found[order] = Estimate(read.value, max(read.error, least[order]), max(read.null_error, least[order]))
    return found


def least_errors(squares: Spread, variables: Variables, largest: int, rows: int) -> Float[np.ndarray, " orders"]:
    """Return the error of every order if rows are independent and nothing is left, √(½ Σ_S Π_{i in S} <r_i²>²) / rows.

    Where variables are rare no row of the data may hold what makes up this error, and then they show a smaller one.

    >>> least_errors(np.ones(4), np.arange(4), 2, rows=100).round(4)
    array([0.0071, 0.0141, 0.0173])

    Args:
        squares: <r²>² of every column.
        variables: variable of every column.
        largest: highest order.
        rows: number of rows.
    """
    own = np.bincount(variables, squares)
    powers = np.stack([own**order for order in range(largest + 1)]).sum(1)
    return np.sqrt(elementary_symmetric(powers).clip(min=0) / 2) / rows


def thinned(sample: SampledRows, rows: int) -> SampledRows:
    """Return at most ``rows`` evenly spaced rows; blocks that keep none of theirs are gone."""
    kept = evenly_spaced(len(sample.residuals), require_integer("rows", rows))
    labels = np.unique(sample.blocks.labels[kept], return_inverse=True)[1]
    return SampledRows(sample.residuals[kept], Blocks(labels, sample.blocks.gap))


def block_products(
    residuals: FirstDraw, owners: Int[np.ndarray, " rows"], variables: Variables, largest: int
) -> Float[np.ndarray, "orders blocks blocks"]:
    """Return the sums of e_k(w) over the rows of two blocks, for k = 0 ... ``largest``.

    Args:
        residuals: r of every row.
        owners: block of every row, never falling.
        variables: variable of every column.
        largest: highest order.
    """
    blocks = len(np.unique(owners))
    totals = np.zeros((largest + 1, blocks, blocks))
    powers = raised(residuals, largest)
    for start in range(0, len(residuals), CHUNK):
        rows = slice(start, start + CHUNK)
        products = elementary_symmetric(power_sums(powers[:, rows], powers[:, start:], variables))
        sums = over_blocks(over_blocks(products, owners[rows], 1), owners[start:], 2)
        block, other = owners[start], owners[rows][-1]
        totals[:, block : other + 1, block:] += sums
        # Two rows have the same product both ways round, of which those beyond these rows have been one.
        beyond = over_blocks(over_blocks(products[:, :, CHUNK:], owners[rows], 1), owners[start + CHUNK :], 2)
        totals[:, blocks - beyond.shape[2] :, block : other + 1] += beyond.swapaxes(1, 2)
    return totals


def over_blocks(
    values: Float[np.ndarray, "orders rows others"], owners: Int[np.ndarray, " owned"], axis: int
) -> Float[np.ndarray, "orders *shape"]:
    """Return the sums over the rows of every block along an axis."""
    return np.add.reduceat(values, np.flatnonzero(np.diff(owners, prepend=-1)), axis=axis)


def raised(values: Float[np.ndarray, "rows columns"], largest: int) -> Float[np.ndarray, "orders rows columns"]:
    """Return the powers of values for k = 0 ... ``largest``, by products.

    >>> raised(np.array([[2.0]]), 3).ravel().tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    powers = np.ones((largest + 1, *values.shape))
    for order in range(1, largest + 1):
        np.multiply(powers[order - 1], values, out=powers[order])
    return powers


def power_sums(
    first: Float[np.ndarray, "orders rows columns"],
    second: Float[np.ndarray, "orders others columns"],
    variables: Variables,
) -> Float[np.ndarray, "orders rows others"]:
    """Return Σ_i w_i^k of two rows for k = 0, 1, ..., w_i the scalar product of their columns of variable i.

    Args:
        first: powers of the columns of some rows.
        second: powers of the columns of others.
        variables: variable of every column.
    """
    counts = np.bincount(variables)
    if (counts <= 1).all():
        return first @ second.swapaxes(1, 2)
    sums = np.zeros((len(first), first.shape[1], second.shape[1]))
    for variable in np.flatnonzero(counts):
        chosen = variables == variable
        products = first[1][:, chosen] @ second[1][:, chosen].T
        power = np.ones_like(products)
        for order in range(len(first)):
            sums[order] += power
            power *= products
    return sums


def elementary_symmetric(powers: Float[np.ndarray, "orders *shape"]) -> Float[np.ndarray, "orders *shape"]:
    """Return e_0, e_1, ... from power sums p_0, p_1, ..., by Newton's identities k e_k = Σ_i (-1)^{i-1} e_{k-i} p_i.

    >>> elementary_symmetric(np.array([3.0, 6.0, 14.0, 36.0])).tolist()  # of 1, 2, 3
    [1.0, 6.0, 11.0, 6.0]
    """
    elementary = np.zeros_like(powers)
    elementary[0] = 1
    for order in range(1, len(powers)):
        total = elementary[order, ...]
        for i in range(1, order + 1):
            (np.add if i % 2 else np.subtract)(total, elementary[order - i] * powers[i], out=total)
        total /= order
    return elementary
