"""Rows themselves, before any model: their order in time, drift, and a test of independence of the variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from vae_mf.arrays import Spins
from vae_mf.checks import require_fraction, require_integer, require_positive
from vae_mf.rng import integer
from vae_mf.statistics.independent import largest_total_correlation, probabilities_up
from vae_mf.statistics.latent_model import IndependentColumns
from vae_mf.statistics.residual_information import PairSums, pair_information, pair_sums
from vae_mf.statistics.residual_orders import SampledRows, residual_orders, thinned
from vae_mf.statistics.row_order import chunks, correlations, drift, local_residuals, shift_test, shifted_columns
from vae_mf.statistics.set_scores import NONE, affordable_order, set_scores, set_worth
from vae_mf.statistics.u_statistics import Blocks, Estimate
from vae_mf.verdict.time_order import TimeOrder

SINGLE = "a single set"
"""Entry of the column "rows" for the most significant set of an order."""
FEW_SHIFTS = 10
"""Surrogates that tell whether shifted columns obey the law of independent rows."""


@dataclass(frozen=True)
class IndependenceSettings:
    """Settings of the test of independence.

    Args:
        orders: highest order of residual information that is looked at.
        order_rows: number of rows from which orders above the second are estimated, at most.
        order_variables: number of variables up to which they are.
        sets: number of sets of three or of four variables up to which they are looked through one by one.
        set_rows: number of rows from which that is done, at most.
        set_level: probability that any of them counts as dependent if variables are independent.
        permutations: number of random deals that give the law of the most significant set.
        shifts: number of surrogates whose columns are shifted in time against each other.
        shift_rows: number of rows of these, at most.
        drift: p-value below which rates follow the order of the rows.
        windows: number of windows of the rows within which rates count as constant.
        short: share of a window within which correlations must die for slower change to count as drift.
        pairs_seen: errors by which pairs must stand out to count.
        orders_seen: errors by which higher orders must.
        fewest_effective: effective number of rows below which nothing is concluded from what is not seen.
        local_share: share of the information of pairs below which what is left within windows is drift alone.
        gained: errors by which a model must be ahead of independent variables to count beside this test.
    """

    orders: int
    order_rows: int
    order_variables: int
    sets: int
    set_rows: int
    set_level: float
    permutations: int
    shifts: int
    shift_rows: int
    drift: float
    windows: int
    short: float
    pairs_seen: float
    orders_seen: float
    fewest_effective: float
    local_share: float
    gained: float

    def __post_init__(self) -> None:
        require_integer("orders", self.orders, minimum=2)
        for name in ("order_rows", "set_rows", "permutations", "shift_rows", "shifts", "windows"):
            require_integer(name, getattr(self, name), minimum=2)
        for name in ("order_variables", "sets"):
            require_integer(name, getattr(self, name), minimum=0)
        for name in ("set_level", "drift", "short", "local_share"):
            require_fraction(name, getattr(self, name))
        for name in ("pairs_seen", "orders_seen", "fewest_effective", "gained"):
            require_positive(name, getattr(self, name))


class StrongestSet(NamedTuple):
    """Most significant set of three or of four variables that holds no correlated pair."""

    members: list[int]
    """Variables."""
    alone: bool
    """True if none of them is correlated with any other variable."""
    nats: float
    """Information of the set, ρ² / 2, ρ the correlation of its variables as a set."""
    score: float
    """Errors by which the mean of their product is off that of columns shifted in time."""
    p_value: float
    """Probability that any set would be as far off if variables were independent."""
    detectable: float
    """Nats of a single set that would have been seen 95 times in 100."""

    @property
    def order(self) -> int:
        """Number of variables."""
        return len(self.members)


class Independence(NamedTuple):
    """Numbers that tell dependent variables from independent ones."""

    pairs: Estimate
    """Information of pairs, in nats; of autocorrelated rows, beyond that of columns shifted in time."""
    local_pairs: Estimate
    """Information of pairs within windows of the rows: drift is taken out."""
    orders: dict[int, Estimate]
    """Information of higher orders."""
    drift: float
    """p-value that no variable follows the order of the rows."""
    correlation_time: float
    """Correlation time in rows, 1 for independent ones."""
    rows: int
    """Number of rows."""
    settings: IndependenceSettings
    largest: float = np.inf
    """Nats that all variables can share at most. A sum over sets of variables that is beyond detects, and no more."""
    sets: Mapping[int, StrongestSet] = MappingProxyType({})
    """Most significant single set of each order, if sets were looked through."""
    shifted: bool = False
    """True if the null law of pairs is that of columns shifted in time: they do not obey that of independent rows."""
    change: Estimate | None = None
    """Information, in nats, in the change of pairs from the first half of the rows to the second; None if not known."""

    @property
    def effective(self) -> float:
        """Effective number of rows."""
        return self.rows / self.correlation_time

    @property
    def few(self) -> bool:
        """True if there are too few effective rows to conclude from what is not seen."""
        return self.effective < self.settings.fewest_effective

    @property
    def seen(self) -> list[int]:
        """Orders at which variables depend on each other beyond doubt."""
        pairs = [2] if self.pairs.significance > self.settings.pairs_seen else []
        higher = {order for order, found in self.orders.items() if found.significance > self.settings.orders_seen}
        higher |= {found.order for found in self.sets_seen}
        return pairs + ([] if self.few else sorted(higher))

    @property
    def sets_seen(self) -> list[StrongestSet]:
        """Single sets whose variables depend on each other beyond doubt, though no pair of them does."""
        seen = [found for found in self.sets.values() if found.p_value < self.settings.set_level]
        # A set that holds a smaller one is no news.
        return [each for each in seen if not any(set(other.members) < set(each.members) for other in seen)]

    @property
    def drifts(self) -> bool:
        """True if the rates of variables follow the order of the rows more than their memory explains."""
        return self.drift < self.settings.drift and self.short

    @property
    def short(self) -> bool:
        """True if the memory of the rows is short enough to be told from drift."""
        return self.correlation_time * self.settings.windows < self.settings.short * self.rows

    @property
    def changes(self) -> bool:
        """True if the correlations of pairs change from the first half of the rows to the second, beyond memory."""
        return self.change is not None and self.short and self.change.significance > self.settings.pairs_seen

    @property
    def drift_alone(self) -> bool:
        """True if rates drift, and within windows of the rows hardly anything is left of the information of pairs."""
        local = self.local_pairs
        most = max(self.settings.pairs_seen * local.null_error, self.settings.local_share * self.pairs.value)
        return self.drifts and local.value < most and not set(self.seen) - {2}

    def worth(self, order: int) -> float:
        """Return the number of independent rows behind the information of an order."""
        if order > 2:
            return min(self.effective, float(self.settings.order_rows))
        return min(self.rows, self.settings.shift_rows) / self.correlation_time if self.shifted else float(self.rows)

    @property
    def bound(self) -> float:
        """Information of pairs, in nats, below which the truth lies if nothing is seen, within two errors."""
        return self.pairs._replace(value=max(self.pairs.value, 0.0)).upper(2.0, self.worth(2))

    def detectable(self, order: int) -> float:
        """Return the information of an order, in nats, that would have been seen 95 times in 100."""
        if order == 2:
            return self.pairs.detectable(self.settings.pairs_seen, self.worth(2))
        return self.orders[order].detectable(self.settings.orders_seen, self.worth(order))

    @property
    def table(self) -> pd.DataFrame:
        """A row per statistic: order, value and null error in nats, significance, and what would have been seen."""
        within = self.local_pairs.detectable(self.settings.pairs_seen, self.effective)
        found = [
            ("all rows", 2, self.pairs, self.pairs.significance, self.detectable(2)),
            ("within windows", 2, self.local_pairs, self.local_pairs.significance, within),
        ]
        found += [("all rows", k, each, each.significance, self.detectable(k)) for k, each in self.orders.items()]
        found += [
            (SINGLE, k, Estimate(each.nats, np.nan, np.nan), each.score, each.detectable)
            for k, each in self.sets.items()
        ]
        return pd.DataFrame(
            {
                "rows": where,
                "order": order,
                "value": each.value,
                "null_error": each.null_error,
                "significance": significance,
                "detectable": seen,
                "possible": each.value <= self.largest,
            }
            for where, order, each, significance, seen in found
        )


def independence_of(rows: Spins, order: TimeOrder, settings: IndependenceSettings, seed: int) -> Independence:
    """Return the test of independence of the variables of a recording.

    Pairs are tested on all rows. Where columns shifted in time against each other, each keeping its own memory and its
    drift, do not obey the law of independent rows, the null law is theirs; else it is that of the U-statistic.

    Args:
        rows: spins (rows, variables).
        order: their order.
        settings: sizes and thresholds.
        seed: seed of the surrogates.
    """
    ordered = rows[order.order]
    model = IndependentColumns(ordered)
    blocks = order.blocks(len(model.variables))
    products = model.variance_products()
    pairs = pair_information(pair_sums(model.residuals(ordered, 1, 0), blocks, model.variables), None, products)
    shifted = order.correlation_time > 1 or (order.known and not shifts_obey(rows, pairs, settings, seed))
    if shifted:
        pairs = shifted_pairs(rows, settings, seed)
    # Slow change is that over the recording, not over the time of a stimulus that it repeats.
    local = local_residuals(rows, min(settings.windows, len(rows) // 2))
    sums = pair_sums((part[:, None] for part in chunks(local, order.order)), blocks, model.variables)
    within = pair_information(sums, None, products)
    orders = {}
    if settings.orders > 2 and len(model.variables) <= settings.order_variables:
        centred = np.concatenate([part[:, 0] for part in model.residuals(ordered, 1, 0)])
        found = residual_orders(SampledRows(centred, blocks), model.variables, settings.orders, settings.order_rows)
        orders = {k: each for k, each in found.items() if k > 2}
    largest = largest_total_correlation(probabilities_up(rows))
    sets = strongest_sets(rows, order, settings, integer(seed, "sets"))
    # The times of a stimulus that is repeated differ from each other: that is no change over the recording.
    alone = order.known and len(order.times) == order.times[-1] + 1
    change = pair_information(*halves(sums), products) if alone else None
    numbers = pairs, within, orders, drift(rows), order.correlation_time, len(rows)
    return Independence(*numbers, settings, largest, sets, shifted, change)


def shifts_obey(
    rows: Shaped[np.ndarray, "rows variables"], pairs: Estimate, settings: IndependenceSettings, seed: int
) -> bool:
    """Return True if the information of pairs of columns shifted in time is, within two errors, that of chance.

    Args:
        rows: spins (rows, variables).
        pairs: information of pairs, whose null error it is held against.
        settings: sizes.
        seed: seed of the surrogates.
    """
    used = rows[: settings.shift_rows]
    varying = int((np.ptp(used, axis=0) > 0).sum())
    # Each squared correlation of independent rows is 1 / (rows - 1) in the mean, whatever the rates.
    chance = varying * (varying - 1) / (4 * (len(used) - 1))
    excess = shift_test(used, FEW_SHIFTS, seed).information.null_mean - chance
    return excess * len(used) / len(rows) <= 2 * pairs.null_error / FEW_SHIFTS**0.5


def halves(sums: PairSums) -> tuple[PairSums, PairSums]:
    """Return the features of the first and of the second half of the blocks."""
    labels = sums.blocks.labels
    middle = len(sums.sums) // 2
    first = labels < middle
    return (
        PairSums(sums.sums[:middle], sums.pairs, Blocks(labels[first], sums.blocks.gap)),
        PairSums(sums.sums[middle:], sums.pairs, Blocks(labels[~first] - middle, sums.blocks.gap)),
    )


def shifted_pairs(rows: Shaped[np.ndarray, "rows variables"], settings: IndependenceSettings, seed: int) -> Estimate:
    """Return the information of pairs beyond that of columns shifted in time."""
    # A step through the rows would destroy the memory whose effect the surrogates show.
    test = shift_test(rows[: settings.shift_rows], settings.shifts, seed).information
    return Estimate(test.excess, test.null_spread, test.null_spread)


def strongest_sets(
    rows: Spins, order: TimeOrder, settings: IndependenceSettings, seed: int
) -> Mapping[int, StrongestSet]:
    """Return the most significant set of three and that of four variables; none where there are too many sets.

    The null law is that of columns shifted in time, in the same blocks. Drift is taken out of both.

    Args:
        rows: spins (rows, variables).
        order: their order.
        settings: sizes and levels.
        seed: seed of shifts and deals.
    """
    variables = np.arange(rows.shape[1])
    largest = affordable_order(len(variables), settings.sets)
    if not largest:
        return {}
    windows = min(settings.windows, len(rows) // 2)
    blocks = order.blocks(len(variables))
    (shifted,) = shifted_columns(rows, 1, integer(seed, "shifts"))
    data, null = (
        thinned(SampledRows(local_residuals(each, windows)[order.order], blocks), settings.set_rows)
        for each in (rows, shifted)
    )
    scores = set_scores(data, null, variables, largest, settings.permutations, integer(seed, "deals"))
    effective = len(data.residuals) / order.correlation_time
    correlated = np.triu(np.abs(correlations(data.residuals)) * np.sqrt(effective) > settings.pairs_seen, 1)
    allowed = scores.apart_from(correlated)
    four = scores.members[:, -1] != NONE
    detectable = scores.detectable(settings.set_level)
    found = {}
    for size in range(3, largest + 1):
        chosen = np.where(allowed & (four == (size == 4)), np.abs(scores.scores), 0.0)
        best = int(chosen.argmax())
        if chosen[best]:
            members = scores.members[best, :size]
            alone = not (correlated | correlated.T)[members].any()
            nats = float(set_worth(data, null, scores.members[[best]]).nats[0])
            p_value = float(scores.p_values[best])
            found[size] = StrongestSet(members.tolist(), alone, nats, float(chosen[best]), p_value, detectable)
    return found
