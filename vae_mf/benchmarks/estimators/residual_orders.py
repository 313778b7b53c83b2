"""Residual information I_2, with I_3 and I_4 where they are significant: what correlations gain to second order.

Half the sum of squared correlations of every set of variables is the total correlation of a law that is nearly its
reference. Where correlations are strong it is another number, mostly a larger one, and no bound.
"""

import numpy as np
from jaxtyping import Float, Shaped

from vae_mf.benchmarks.estimators.columns import Columns, columns_of
from vae_mf.statistics.averages import Average
from vae_mf.statistics.residual_information import affordable_blocks, pair_information, pair_sums
from vae_mf.statistics.residual_orders import SampledRows, residual_orders
from vae_mf.statistics.u_statistics import Blocks, Estimate

LARGEST = 4
"""Highest order."""
ROWS = 3000
"""Rows of which orders above two are taken."""
SIGNIFICANT = 5.0
"""Errors of the null by which an order above two counts."""


def residual_information(
    rows: Shaped[np.ndarray, "rows variables *axes"], given: Float[np.ndarray, "rows latents"] | None = None
) -> Average:
    """Return I_2 of TC(x), or of C(x|z) given z, and the orders three and four that are significant, in nats."""
    columns = columns_of(rows, given)
    blocks = even_blocks(len(rows), affordable_blocks(columns.residuals.shape[1]))
    products = (columns.variances.T @ columns.variances) / len(rows)
    sums = pair_sums([columns.residuals[:, None]], blocks, columns.variables)
    readings = [pair_information(sums, None, products), *higher_orders(columns)]
    return Average(sum(each.value for each in readings), float(np.hypot.reduce([each.error for each in readings])))


def even_blocks(rows: int, count: int) -> Blocks:
    """Return blocks of neighbouring rows, about equally many rows in each.

    >>> even_blocks(5, 2).labels.tolist()
    [0, 0, 0, 1, 1]
    """
    return Blocks(np.arange(rows) * min(count, rows) // rows, 0)


def higher_orders(columns: Columns) -> list[Estimate]:
    """Return the significant orders above two."""
    spread = np.sqrt(columns.variances.mean(0))
    sample = SampledRows(columns.residuals[:ROWS], even_blocks(len(columns.residuals[:ROWS]), ROWS))
    found = residual_orders(sample, columns.variables, LARGEST, ROWS, spread=spread)
    return [found[order] for order in range(3, LARGEST + 1) if found[order].significance > SIGNIFICANT]
