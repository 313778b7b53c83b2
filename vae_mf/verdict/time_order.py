"""Order of rows in time, with blocks that do not resemble each other."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8

from vae_mf.arrays import Rows, Spins
from vae_mf.statistics.residual_information import affordable_blocks
from vae_mf.statistics.row_order import (
    INDEPENDENT,
    TIMES,
    autocorrelation_time,
    block_time,
    correlation_time,
    row_blocks,
    without_drift,
)
from vae_mf.statistics.u_statistics import Blocks

FEWEST_BLOCKS = 20
"""Blocks that rows are cut into at least, however long their memory."""
FEWEST_CHOSEN = 5
"""Blocks of some of the rows, such as those held out, at least: fewer that do not touch tell no error."""

Times = Int[np.ndarray, " rows"]


class TimeOrder(NamedTuple):
    """Rows in the order of their times, those of all repeats at one time next to each other."""

    order: Rows
    """Number of the row at every place."""
    times: Times
    """Rank of the time at every place: whole numbers from 0 that never fall. Rows without an order have one each."""
    correlation_time: float
    """Correlation time in units of these times; 1 for independent ones."""
    known: bool = True
    """False for rows without an order."""

    @property
    def effective(self) -> float:
        """Number of independent rows that are worth as much."""
        return len(self.times) / self.correlation_time

    def blocks(self, columns: int, chosen: Bool[np.ndarray, " rows"] | None = None) -> Blocks:
        """Return blocks of times longer than the correlation time, as many as can be afforded.

        Args:
            columns: number of columns whose pairs are summed over each block.
            chosen: places that count; all for None.
        """
        times = int(self.times[-1]) + 1
        kept = self.times if chosen is None else self.times[chosen]
        most = min(times / FEWEST_BLOCKS, len(np.unique(kept)) / FEWEST_CHOSEN)
        by_time = row_blocks(times, min(self.correlation_time, most / TIMES), affordable_blocks(columns))
        labels = by_time.labels[kept]
        if chosen is None or by_time.gap:
            # A block that keeps no rows still stands between its neighbours.
            return Blocks(labels, by_time.gap)
        return Blocks(np.unique(labels, return_inverse=True)[1], 0)


def time_order(rows: Spins, time: Times) -> TimeOrder:
    """Return the order of the rows of a recording, which has them by repeat and then by time.

    >>> rows = np.array([[1, -1], [-1, 1], [1, 1], [-1, -1]], np.int8)
    >>> time_order(rows, np.array([0, 1, 0, 1])).order
    array([0, 2, 1, 3])

    Args:
        rows: spins (rows, variables).
        time: time of every row within its repeat; all the same for rows without an order.
    """
    if not np.ptp(time):
        return TimeOrder(np.arange(len(rows)), np.arange(len(rows)), 1.0, known=False)
    order = np.argsort(time, kind="stable")
    times = np.unique(time[order], return_inverse=True)[1]
    length = int(times[-1]) + 1
    repeats = len(rows) // length
    if repeats > 1 and np.array_equal(time, np.tile(time[:length], repeats)):
        return TimeOrder(order, times, memory_within(rows.reshape(repeats, length, -1)))
    return TimeOrder(order, times, memory(rows))


def memory_within(rows: Int8[np.ndarray, "repeats times variables"]) -> float:
    """Return the correlation time within repeats, the largest of all variables: what repeats share is no memory."""
    times = [2 * autocorrelation_time(rows[..., k].astype(np.float64)) for k in range(rows.shape[2])]
    return max(times) if max(times) >= INDEPENDENT else 1.0


def memory(rows: Spins) -> float:
    """Return the correlation time of rows in their order, from which the slowest change of rates is kept apart: drift.

    It is that of correlations over few lags, or that which means over blocks show of weak memory that lasts.
    """
    stationary = without_drift(rows)
    return max(correlation_time(stationary), block_time(stationary))
