"""Spike times in bins of a given width: a variable for each cell, 1 where it fired."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from vae_mf.datasets.files import DataError, Raster, is_number, require_memory

MOST_BINS = 2**62
"""More than any memory holds, and still an exact integer."""
ROUNDING = 1 + 1e-12
"""A time such as 0.06 belongs to the bin that it opens, though 0.06 / 0.02 may come out below 3."""
LARGEST_LABEL = 2.0**53
"""Integers from here on are not exact in floating point."""
SpikeTimes = Mapping[str, np.ndarray]
"""Times of the spikes of each cell, by the name of the cell."""


class Binned(NamedTuple):
    """Spike times in bins.

    Attributes:
        active: Array (bins, cells).
        start: Time at which the first bin opens, a multiple of the width.
        merged: Number of spikes that share bin and cell with an earlier one.
    """

    active: Bool[np.ndarray, "bins cells"]
    start: float
    merged: int


def bin_spikes(times: SpikeTimes, bin_width: float) -> Binned:
    """Return the bins in which each cell fired, from that of the first spike of all cells to that of the last.

    Args:
        times: Ascending times of each cell, not negative.

    Raises:
        DataError: There is no spike, times are not as described, or the bins do not fit into memory.

    >>> bin_spikes({"a": np.array([0.0, 0.01, 0.05]), "b": np.array([0.03])}, 0.02).active.astype(int).tolist()
    [[1, 0], [0, 1], [1, 0]]
    """
    checked = [_checked_times(cell, spikes) for cell, spikes in times.items()]
    with np.errstate(over="ignore"):
        bins = [np.floor(spikes / bin_width * ROUNDING) for spikes in checked]
    if not sum(map(len, bins)):
        raise DataError("expected spike times, found none: export them again")
    first = min(part[0] for part in bins if len(part))
    last = max(part[-1] for part in bins if len(part))
    count = int(min(last - first if np.isfinite(last) else np.inf, MOST_BINS)) + 1
    require_memory(
        5 * count * len(bins), f"give a wider `bin_width`, in the unit of the times, as these are {count} bins"
    )
    active = np.zeros((count, len(bins)), bool)
    for cell, part in enumerate(bins):
        active[(part - first).astype(np.int64), cell] = True
    return Binned(active, float(first * bin_width), int(sum(map(len, bins)) - active.sum()))


def _checked_times(cell: str, spikes: np.ndarray) -> np.ndarray:
    """Return the times of a cell as floats, after checking that they are finite, not negative and ascending."""
    if not is_number(spikes.dtype) or not np.isfinite(spikes).all():
        raise DataError(f"expected spike times as finite numbers, got others for cell {cell}: delete those entries")
    # First, as differences of unsigned integers are never negative.
    times = spikes.astype(np.float64)
    if len(times) and times.min() < 0:
        raise DataError(f"expected spike times >= 0, got {times.min():g} for cell {cell}: add a constant to all times")
    if (times[1:] < times[:-1]).any():
        raise DataError(
            f"expected ascending spike times, got an earlier one after a later one for cell {cell}: sort them, "
            "and check that no other quantity was taken for the times"
        )
    return times


def require_width(bin_width: float | None, unit: str) -> float:
    """Return the width of a bin, or raise DataError if none is given for a format that holds spike times alone."""
    if bin_width is None:
        raise DataError(f"expected a `bin_width`, as the file holds spike times, got none: give it in {unit}")
    return bin_width


def spike_raster(times: SpikeTimes, bin_width: float, source: str, remarks: tuple[str, ...] = ()) -> Raster:
    """Return spike times as a raster, with the width in its source and merged spikes among the remarks."""
    active, start, merged = bin_spikes(times, bin_width)
    total = int(active.sum()) + merged
    if merged:
        remarks = (*remarks, merged_remark(merged, total))
    if active.mean() > 0.5:
        remarks = (
            *remarks,
            f"{active.mean():.0%} of all entries are 1: a narrower `bin_width` would tell spikes apart",
        )
    source = f"{source}, spike times in {len(active)} bins of {bin_width:g} from {start:g}"
    return Raster(active, source, list(times), remarks)


def merged_remark(merged: int, total: int) -> str:
    """Return a remark on spikes that share a bin, nothing if none does."""
    return f"{merged} of {total} spikes share a bin with an earlier one of their cell and count once" * (merged > 0)


def trial_raster(
    times: SpikeTimes,
    trials: Float[np.ndarray, "trials 2"],
    bin_width: float,
    source: str,
    remarks: tuple[str, ...] = (),
) -> Raster:
    """Return spike times as a raster with a repeat for each trial, as many bins in each as the shortest holds.

    Args:
        trials: Start and stop of each trial.

    Raises:
        DataError: Trials have no length, or spikes are not as `bin_spikes` expects them.

    >>> trials = np.array([[0.0, 0.2], [1.0, 1.2]])
    >>> trial_raster({"a": np.array([0.1, 1.0])}, trials, 0.1, "trials").values.astype(int).tolist()
    [[[0, 1]], [[1, 0]]]
    """
    starts, stops = trials.T
    # Starts and stops lie on edges of bins as spikes do.
    bins = np.floor((stops * ROUNDING - starts) / bin_width)
    if not len(trials) or not (np.isfinite(starts) & (bins >= 1)).all():
        raise DataError("expected trials of a bin or more each, got shorter ones or none: give a narrower `bin_width`")
    shortest = int(bins.min())
    require_memory(5 * shortest * len(trials) * len(times), "give a wider `bin_width`, in the unit of the times")
    active = np.zeros((len(trials), len(times), shortest), bool)
    counted = 0
    for cell, (name, given) in enumerate(times.items()):
        spikes = _checked_times(name, given) * ROUNDING
        for trial, (first, last) in enumerate(np.searchsorted(spikes, trials)):
            reached = np.floor((spikes[first:last] - starts[trial]) / bin_width)
            places = reached[reached < shortest].astype(np.int64)
            active[trial, cell, places] = True
            counted += len(places)
    total = sum(map(len, times.values()))
    noted = (
        f"{total - counted} of {total} spikes lie outside the bins of trials" * (counted < total),
        f"trials have {shortest} to {int(bins.max())} bins, of which the first {shortest} were kept"
        * bool(bins.max() > shortest),
        merged_remark(counted - int(active.sum()), counted),
    )
    source = f"{source}, spike times in {len(trials)} trials of {shortest} bins of {bin_width:g}"
    return Raster(active, source, list(times), (*remarks, *filter(None, noted)))


def group_by_cell(cells: pd.Series, times: np.ndarray) -> SpikeTimes:
    """Return the times of each cell; cells are words or integers, in ascending order.

    Raises:
        DataError: A cell has no name, or is no integer, as if the columns were swapped.
    """
    if cells.isna().any():
        raise DataError("expected a cell for every spike time, found rows without: complete or delete them")
    if pd.api.types.is_numeric_dtype(cells.dtype):
        labels = cells.to_numpy(np.float64)
        if not ((labels == np.floor(labels)) & (np.abs(labels) < LARGEST_LABEL)).all():
            raise DataError("expected integers or words for the cells, got other numbers: put cells first, then times")
        cells = pd.Series(labels.astype(np.int64))
    groups = pd.Series(times).groupby(cells.to_numpy())
    return {str(name): spikes.to_numpy() for name, spikes in groups}
