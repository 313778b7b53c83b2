"""Residual information beyond a chain of regressions: what the chain gains, and the orders of what it leaves.

About independent variables the sum of squared correlations of all sets is an expansion that hardly ever converges: of a
Curie-Weiss ferromagnet of 1 nat it makes 23, of one of 142 nats 10⁸. It is taken here about the chain of
`chain_rule`, whose own gain is exact and which leaves little:

    TC = <ln q/q₀> + KL(p | q),   KL(p | q) = ½ Σ_S ρ_S² + ...,

ρ_S the correlations of residuals of the chain (`shared_orders`). Orders two to four are read, so that very many weak
correlations of three or four variables count that no single set shows. Orders above two are added where they are
significant, at order four without what products of pairs make; of what is added a share of `TRUNCATED` is granted as
error for the orders of the expansion beyond. Where the orders grow it says nothing, and that is the answer.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from vae_mf.benchmarks.estimators.chain_rule import Ratios, ratios_of
from vae_mf.benchmarks.estimators.questions import require_question
from vae_mf.benchmarks.estimators.shared_orders import shared_orders
from vae_mf.statistics.averages import Average, evenly_spaced
from vae_mf.statistics.u_statistics import Estimate

LARGEST = 4
"""Highest order."""
ROWS, ROWS_OF_DIRECTORS = 4000, 1500
"""Fitted and held-out rows from which orders are taken, at most."""
SIGNIFICANT = 5.0
"""Errors of the null by which an order above two counts."""
TRUNCATED = 0.15
"""Share of residual information that may be missing beyond second order: .13 of a single product of mean 0.76."""

Rows = Shaped[np.ndarray, "rows variables *axes"]
Latents = Float[np.ndarray, "rows latents"]


class Reading(NamedTuple):
    """Reading of some variables by a chain and the orders beyond it."""

    sums: Float[np.ndarray, " rows"]
    """Log-ratio of every row to independent variables."""
    ratios: Ratios
    left: Average
    """Residual information beyond the chain in nats."""


def residual_information(
    rows: Shaped[np.ndarray, "rows variables *axes"],
    given: Float[np.ndarray, "rows latents"] | None = None,
    cut: Bool[np.ndarray, " variables"] | None = None,
) -> Average:
    """Return TC(x), C(x|z) given z, or the information I(A; B) of a cut, in nats.

    Raises:
        ValueError: if directors come with latent variables, the orders grow, or rows, z or the cut are not as they
            should be.
    """
    require_question(rows, given, cut)
    return answer(read_rows, rows, given, cut)


def answer(
    read: Callable[[Rows, Latents | None], Reading],
    rows: Rows,
    given: Latents | None,
    cut: Bool[np.ndarray, " variables"] | None,
) -> Average:
    """Return the reading of all variables less those of the parts of a cut, row by row."""
    whole = read(rows, given)
    parts = [] if cut is None else [read(rows[:, cut], given), read(rows[:, ~cut], given)]
    gain = whole.ratios.mean(whole.sums - sum(each.sums for each in parts))
    left = whole.left.value - sum(each.left.value for each in parts)
    errors = [each.left.error for each in (whole, *parts)] + [each.ratios.doubt for each in parts]
    return Average(gain.value + left, float(np.hypot.reduce([gain.error, *errors])))


def read_rows(rows: Rows, given: Latents | None) -> Reading:
    """Return what the chain of regressions says."""
    ratios = ratios_of(rows, given)
    return Reading(ratios.values.sum(1, dtype=np.float64), ratios, left_by(ratios))


def left_by(ratios: Ratios) -> Average:
    """Return the residual information that a chain leaves, from what fitted and held-out rows share.

    Raises:
        ValueError: if order four is larger than those below it.
    """
    parts = np.split(ratios.residuals, [ratios.training])
    most = ROWS if ratios.variables[-1] == len(ratios.variables) - 1 else ROWS_OF_DIRECTORS
    first, second = (part[evenly_spaced(len(part), most)].astype(np.float64) for part in parts)
    return summed(shared_orders(first, second, ratios.variables, LARGEST))


def summed(orders: dict[int, Estimate]) -> Average:
    """Return the sum of the second order and the significant ones above.

    >>> summed({2: Estimate(0.02, 0.01, 0.01), 3: Estimate(0.01, 0.01, 0.01), 4: Estimate(0.0, 0.01, 0.01)})
    Average(value=0.02, error=0.01)

    Raises:
        ValueError: if order four is larger than those below it.
    """
    pairs, triples, quadruples = (orders[order] for order in range(2, LARGEST + 1))
    # Two pairs of pairs that have nothing to do with each other are a quadruple, and no information beyond theirs.
    quadruples = quadruples._replace(value=quadruples.value - pairs.value**2)
    seen = [each for each in (pairs, triples, quadruples) if each.significance > SIGNIFICANT]
    below = sum(each.value for each in seen if each is not quadruples)
    if 0 < 2 * below < quadruples.value and quadruples in seen:
        raise ValueError(
            f"no answer: orders two to four of what the chain leaves read {pairs.value:.2g}, {triples.value:.2g} and "
            f"{quadruples.value:.2g} nats and grow: this is out of the range of the expansion"
        )
    added = [pairs, *(each for each in seen if each is not pairs)]
    truncated = TRUNCATED * sum(each.value for each in seen)
    return Average(sum(each.value for each in added), float(np.hypot.reduce([truncated, *(e.error for e in added)])))
