"""Spike times become words: which cells fired in each bin of a given width."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from vae_mf.datasets.containers import CELLS, UNNAMED, Container, Entry, is_number, read_entry
from vae_mf.datasets.files import DataError, Raster, listed, require_memory
from vae_mf.datasets.tables import Table, numbers

MOST_BINS = 2**62
"""More than any memory holds, and still an exact integer."""
ROUNDING = 1 + 1e-12
"""A time such as 0.06 belongs to the bin that it opens, though 0.06 / 0.02 may come out below 3."""
LARGEST_LABEL = 2.0**53
"""Integers from here on are not exact in floating point."""
CELL_WORDS = ("neuron", "cell", "unit", "cluster", "id")
TIME_WORDS = ("time", "spike", "t")

SpikeTimes = Mapping[str, np.ndarray]
"""Times of the spikes of each cell, by the name of the cell."""


class Binned(NamedTuple):
    """Words of spike times.

    Attributes:
        active: Array (bins, cells).
        start: Time at which the first bin opens, a multiple of the width.
        merged: Number of spikes that share bin and cell with an earlier one.
    """

    active: Bool[np.ndarray, "bins cells"]
    start: float
    merged: int


def bin_spikes(times: SpikeTimes, bin_width: float) -> Binned:
    """Return in which bins each cell fired; the first bin holds the first spike of all cells, the last bin the last.

    Args:
        times: Ascending times of each cell, not negative.
        bin_width: Width of a bin in the unit of the times.

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
    first, last = min(part[0] for part in bins if len(part)), max(part[-1] for part in bins if len(part))
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


def spike_raster(times: SpikeTimes, bin_width: float, source: str, remarks: tuple[str, ...] = ()) -> Raster:
    """Return the words of spike times as a raster, with the width and what was merged among the remarks."""
    active, start, merged = bin_spikes(times, bin_width)
    total = int(active.sum()) + merged
    if merged:
        remarks = (*remarks, f"{merged} of {total} spikes share a bin with an earlier one of their cell and count once")
    if active.mean() > 0.5:
        remarks = (
            *remarks,
            f"{active.mean():.0%} of all entries are 1: a narrower `bin_width` would tell spikes apart",
        )
    source = f"{source}, spike times in {len(active)} bins of {bin_width:g} from {start:g}"
    return Raster(active, source, list(times), remarks)


def table_spikes(table: Table, bin_width: float) -> Raster:
    """Return the words of a table with one row per spike, cell and time; without names in this order.

    Raises:
        DataError: There are no two such columns.
    """
    frame = table.frame
    cell, time = (_named_column(frame, words) for words in (CELL_WORDS, TIME_WORDS)) if table.named else (None, None)
    if cell is None or time is None or cell == time:
        if frame.shape[1] != 2:
            raise DataError(
                "expected spike times in two columns, named neuron and time, got columns "
                f"{listed(list(frame.columns))}: name them so, or leave out `bin_width`"
            )
        cell, time = 0, 1
    times = group_by_cell(frame.iloc[:, cell], numbers(frame.iloc[:, [time]])[:, 0])
    return spike_raster(times, bin_width, table.source, table.remarks)


def _named_column(frame: pd.DataFrame, words: tuple[str, ...]) -> int | None:
    """Return the position of the first column with one of some words in its name."""
    parts = [set(str(name).lower().replace("_", " ").split()) for name in frame.columns]
    return next((k for word in words for k, part in enumerate(parts) if part & {word, f"{word}s"}), None)


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


def container_spikes(container: Container, array: str | None, bin_width: float, source: str) -> Raster:
    """Return the words of one vector of times per cell, of a cell array of vectors, or of an array (spikes, 2).

    Raises:
        DataError: The container holds none of these.
    """
    cell_arrays = [name for name, entry in container.items() if entry.dtype == CELLS]
    vectors = {name: entry for name, entry in container.items() if is_number(entry.dtype) and _long_axes(entry) <= 1}
    chosen = array if array is not None else UNNAMED if UNNAMED in container else None
    if chosen is None and len(cell_arrays) == 1:
        chosen = cell_arrays[0]
    if chosen is None and len(vectors) < 2:
        raise DataError("expected a vector of spike times for each cell, found none: leave out `bin_width` for words")
    if chosen is None:
        return _vector_spikes(vectors, bin_width, source)
    if chosen not in container:
        raise DataError(f"expected `array` among {listed(list(container))}, got {array!r}: give one of these")
    return _array_spikes(container[chosen], bin_width, f"{source}, array {chosen}" if chosen else source)


def _long_axes(entry: Entry) -> int:
    return sum(length != 1 for length in entry.shape)


def _vector_spikes(vectors: Mapping[str, Entry], bin_width: float, source: str) -> Raster:
    """Return the words of one array of a container per cell; single numbers, such as a sampling rate, are no cells."""
    numbers_alone = [name for name, entry in vectors.items() if np.prod(entry.shape) == 1]
    remarks = (f"arrays of one number were not taken for cells: {listed(numbers_alone)}",) if numbers_alone else ()
    times = {name: read_entry(entry).ravel() for name, entry in vectors.items() if name not in numbers_alone}
    return spike_raster(times, bin_width, f"{source}, one vector for each cell", remarks)


def _array_spikes(entry: Entry, bin_width: float, source: str) -> Raster:
    """Return the words of a cell array of vectors, or of an array (spikes, 2) of cell and time."""
    if entry.dtype == CELLS:
        cells = [np.asarray(part).ravel() for part in read_entry(entry).ravel()]
        return spike_raster({str(k): times for k, times in enumerate(cells, start=1)}, bin_width, source)
    if not is_number(entry.dtype) or len(entry.shape) != 2 or entry.shape[1] != 2:
        raise DataError(
            f"expected spike times as (spikes, 2), cell and time, got an array of shape {entry.shape}: "
            "leave out `bin_width` if these are words"
        )
    values = np.asarray(read_entry(entry))
    return spike_raster(group_by_cell(pd.Series(values[:, 0]), values[:, 1]), bin_width, source)
