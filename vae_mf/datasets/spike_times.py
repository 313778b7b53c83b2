"""Spike times in bins of a given width: a variable for each cell, 1 where it fired."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from vae_mf.datasets.files import DataError, Raster, is_number, listed, require_memory

MOST_BINS = 2**62
"""More than any memory holds, and still an exact integer."""
ROUNDING = 1e-12
"""A time such as 0.06 belongs to the bin that it opens, though 0.06 / 0.02 may come out below 3 by this share of it."""
LARGEST_SHIFT = 0.1
"""Share of a bin by which rounding may move a time at most."""
WORD = re.compile(r"[A-Z]{2,}(?=s?(?![a-z]))|[A-Z]?[a-z]+|[A-Z]")
"""A word of a name such as spike_times or spikeTimes."""
CELL_WORDS = ("neuron", "cell", "unit", "cluster", "id", "channel", "electrode")
TIME_WORDS = ("time", "t", "timestamp", "spiketime")
TRIAL_WORDS = ("trial", "repeat", "sweep", "repetition")
OUTER_WORDS = frozenset(
    ["channel", "electrode", "tetrode", "shank", "probe", "session", "day", "date", "animal", "mouse", "subject"]
)
"""Columns within which cells may be numbered anew."""
MANY = 10
"""Cells of one spike each that are more likely times in the place of cells."""
SPIKES = "spike"
"""Word for the times where none of theirs is there."""
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
    rounded = [rounded_times(cell, spikes, bin_width) for cell, spikes in times.items()]
    with np.errstate(over="ignore"):
        bins = [np.floor(spikes / bin_width) for spikes in rounded]
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


def rounded_times(cell: str, spikes: np.ndarray, bin_width: float) -> Float[np.ndarray, " spikes"]:
    """Return the times of a cell, moved by as much as rounding may have moved an edge of a bin.

    Raises:
        DataError: Times are not finite, negative, not ascending, or stored too coarsely for the bins.
    """
    times = _checked_times(cell, spikes)
    step = np.finfo(spikes.dtype).eps if spikes.dtype.kind == "f" else 0.0
    if len(times) and step * times[-1] > bin_width:
        finer = "save the times as float64, or " * (spikes.dtype.itemsize < 8)
        raise DataError(
            f"expected times finer than the bins, got {spikes.dtype} with steps of {step * times[-1]:.3g} at "
            f"{times[-1]:g} for cell {cell}: {finer}give a wider `bin_width`"
        )
    # An edge is rounded where it is stored, and once more where it was computed as a product.
    return times + np.minimum(max(ROUNDING, 2 * step) * times, LARGEST_SHIFT * bin_width)


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


def spike_raster(
    times: SpikeTimes, bin_width: float, source: str, remarks: tuple[str, ...] = (), cells: Sequence[str] | None = None
) -> Raster:
    """Return spike times as a raster, with the width in its source and merged spikes among the remarks.

    Args:
        cells: Names of the cells of one trial; the times are then those of all its cells in one trial after the other.
    """
    active, start, merged = bin_spikes(times, bin_width)
    if len(np.unique(np.concatenate(list(times.values())))) == 1:
        raise DataError("expected spikes at several times, got one time: export them again")
    if active.all():
        raise DataError(
            f"expected bins in which some cells are silent, got {len(active)} of {bin_width:g} in which all fire: give "
            "a narrower `bin_width`"
        )
    total = int(active.sum()) + merged
    if merged:
        remarks = (*remarks, merged_remark(merged, total))
    if active.mean() > 0.5:
        remarks = (
            *remarks,
            f"{active.mean():.0%} of all entries are 1: a narrower `bin_width` would tell spikes apart",
        )
    source = f"{source}, spike times in {len(active)} bins of {bin_width:g} from {start:g}"
    if cells is None:
        return Raster(active, source, list(times), remarks, turnable=False)
    trials = active.reshape(len(active), -1, len(cells)).transpose(1, 2, 0)
    return Raster(trials, source, cells, remarks, turnable=False)


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
    bins = np.floor((stops * (1 + ROUNDING) - starts) / bin_width)
    if not np.isfinite(trials).all():
        raise DataError("expected a start and a stop of every trial, got NaN or infinity: delete such trials")
    if not len(trials) or not (bins >= 1).all():
        raise DataError("expected trials of a bin or more each, got shorter ones or none: give a narrower `bin_width`")
    shortest = int(bins.min())
    require_memory(5 * shortest * len(trials) * len(times), "give a wider `bin_width`, in the unit of the times")
    active = np.zeros((len(trials), len(times), shortest), bool)
    counted = outside = 0
    for cell, (name, given) in enumerate(times.items()):
        spikes = rounded_times(name, given, bin_width)
        inside = np.zeros(len(spikes), bool)
        for trial, (first, last) in enumerate(np.searchsorted(spikes, trials)):
            reached = np.floor((spikes[first:last] - starts[trial]) / bin_width)
            places = reached[reached < shortest].astype(np.int64)
            active[trial, cell, places] = True
            inside[first:last] |= reached < shortest
            counted += len(places)
        outside += int((~inside).sum())
    total = sum(map(len, times.values()))
    ordered = np.sort(starts)
    overlaps = int((ordered[1:] - ordered[:-1] < (shortest - LARGEST_SHIFT) * bin_width).sum())
    noted = (
        f"{outside} of {total} spikes lie outside the bins of trials" * bool(outside),
        f"{overlaps} trials start before another one ends: what happens in both counts in each" * bool(overlaps),
        f"trials have {shortest} to {int(bins.max())} bins, of which the first {shortest} were kept"
        * bool(bins.max() > shortest),
        merged_remark(counted - int(active.sum()), counted),
    )
    source = f"{source}, spike times in {len(trials)} trials of {shortest} bins of {bin_width:g}"
    return Raster(active, source, list(times), (*remarks, *filter(None, noted)), turnable=False)


class SpikeColumns(NamedTuple):
    """Positions of the columns of a table with a row for each spike; there may be none for its trial."""

    cell: int
    time: int
    trial: int | None


def words_of(name: str) -> set[str]:
    """Return the words of a name in small letters and in the singular.

    >>> sorted(words_of("spikeTimes")), sorted(words_of("units/unit_id (ms)")), sorted(words_of("unitIDs"))
    (['spike', 'time'], ['id', 'm', 'unit'], ['id', 'unit'])
    """
    return {word.lower().removesuffix("s") for word in WORD.findall(name)} - {""}


def spike_columns(names: Sequence[str]) -> SpikeColumns | None:
    """Return which of some columns hold cell, time and trial of a spike, None unless there are cell and time.

    >>> spike_columns(["unit_id", "trial", "spike_times"]), spike_columns(["cell_1_times", "cell_2_times"])
    (SpikeColumns(cell=0, time=2, trial=1), None)
    """
    words = list(map(words_of, names))

    def first(wanted: Sequence[str], *others: Sequence[str]) -> int | None:
        free = [k for k, own in enumerate(words) if not any(own.intersection(other) for other in others)]
        return next((k for word in wanted for k in free if word in words[k]), None)

    time = first(TIME_WORDS)
    time = first([SPIKES], CELL_WORDS, TRIAL_WORDS) if time is None else time
    cell = first(CELL_WORDS, TIME_WORDS, TRIAL_WORDS)
    return None if time is None or cell is None else SpikeColumns(cell, time, first(TRIAL_WORDS, TIME_WORDS))


def table_of_spikes(
    frame: pd.DataFrame, times: np.ndarray, columns: SpikeColumns, bin_width: float, source: str
) -> Raster:
    """Return the raster of a table with a row for each spike; trials are repeats, their times counted from each start.

    Args:
        times: Numbers in the column of the times.

    Raises:
        DataError: Cells or trials have no names, or the trials follow each other in time.
    """
    names = [str(name) for name in frame.columns]
    idle = [place for place in range(len(names)) if place not in columns]
    remarks = (f"columns of the spikes that were not used: {listed([names[k] for k in idle])}",) if idle else ()
    cells = frame.iloc[:, columns.cell]
    known = group_by_label(cells, times)
    if len(known) == len(frame) >= MANY:
        raise DataError(
            f"expected several spikes of a cell, got {len(known)} cells of one spike each: put cells first, then "
            "times, or name the columns neuron and time"
        )
    for place in idle:
        require_own_cells(cells, frame.iloc[:, place])
    if columns.trial is None:
        return spike_raster(known, bin_width, source, remarks)
    trial = names[columns.trial]
    places = group_by_label(frame.iloc[:, columns.trial], np.arange(len(frame)), trial)
    require_aligned_trials([times[own] for own in places.values()], trial)
    spikes = {}
    for name, own in places.items():
        found = group_by_label(cells.iloc[own], times[own])
        spikes |= {f"{cell} in {trial} {name}": found.get(cell, times[:0]) for cell in known}
    remarks = (*remarks, f"{len(places)} repeats by column {trial}; one without any spike would not be among them")
    return spike_raster(spikes, bin_width, source, remarks, list(known))


def require_own_cells(cells: pd.Series, outer: pd.Series) -> None:
    """Raise DataError if a cell is in several sessions, on several electrodes or the like, which may have others."""
    if not words_of(str(outer.name)) & OUTER_WORDS:
        return
    several = outer.groupby(cells.to_numpy()).nunique()
    if (several > 1).any():
        raise DataError(
            f"expected a name of its own for each cell, got {several.idxmax()} with {several.max()} entries in column "
            f"{outer.name}: join both columns into one of names, or delete column {outer.name}"
        )


def require_aligned_trials(trials: Sequence[np.ndarray], name: str) -> None:
    """Raise DataError if the trials follow each other in time, so that they do not count from their own start."""
    spans = sorted((times.min(), times.max()) for times in trials)
    if len(spans) > 1 and all(later[0] >= earlier[1] for earlier, later in pairwise(spans)):
        raise DataError(
            f"expected times that count from the start of each {name}, got {len(spans)} that follow each other: "
            f"subtract the start of each, or delete column {name} to read them as one recording"
        )


def group_by_label(labels: pd.Series, values: np.ndarray, kind: str = "cell") -> dict[str, np.ndarray]:
    """Return the values under each label; labels are words or integers, in ascending order.

    Args:
        kind: Name of what is labelled, for errors.

    Raises:
        DataError: A label is missing, or is no integer, as if columns were swapped.
    """
    if labels.isna().any():
        raise DataError(f"expected a {kind} for every spike time, found rows without: complete or delete them")
    if pd.api.types.is_numeric_dtype(labels.dtype):
        numbers = labels.to_numpy(np.float64)
        exact = 2.0**24 if labels.dtype.name.lower() == "float32" else 2.0**53
        if not ((numbers == np.floor(numbers)) & (np.abs(numbers) < exact)).all():
            advice = "put cells first, then times" if kind == "cell" else f"number each {kind}"
            raise DataError(f"expected integers or words for every {kind}, got other numbers: {advice}")
        labels = pd.Series(numbers.astype(np.int64))
    groups = pd.Series(values).groupby(labels.to_numpy())
    return {str(name): own.to_numpy() for name, own in groups}
