"""Spike times of sorted units in Neurodata Without Borders (NWB) files, whole or trial by trial."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float

from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import HDF5, DataError, Options, Raster, listed, parsing, require_array_memory
from vae_mf.datasets.spike_times import SpikeTimes, require_width, spike_raster, trial_raster

UNITS = "units"
ENDS = "spike_times_index"
"""Place of each unit's last spike among those of all units, plus one."""


@register_reader(".nwb", starts=(HDF5,), options=("array", "bin_width"))
def read_nwb(path: Path, options: Options) -> Raster:
    """Return the spikes of all units in bins; a table of intervals, named by ``array``, has a repeat in each."""
    width = require_width(options.bin_width, "seconds")
    with parsing("NWB"), h5py.File(path) as file:
        times, remarks = _unit_times(file)
        bounds = None if options.array is None else _intervals(file, options.array)
    if bounds is None:
        return spike_raster(times, width, "NWB file", remarks)
    return trial_raster(times, bounds, width, f"NWB file, {options.array}", remarks)


def _unit_times(file: h5py.File) -> tuple[SpikeTimes, tuple[str, ...]]:
    """Return the times of each unit by its id, and remarks."""
    units: Any = file.get(UNITS)
    if not isinstance(units, h5py.Group) or not {"spike_times", ENDS} <= set(units):
        raise DataError(
            f"expected sorted units, with spike_times and {ENDS}, got {listed(list(units or file))}: "
            "sort the spikes first, or save binned rows as npy"
        )
    require_array_memory(units["spike_times"].shape, units["spike_times"].dtype)
    spikes = units["spike_times"][()]
    ends = units[ENDS][()].astype(np.int64)
    names = [str(name) for name in (units["id"][()] if "id" in units else range(len(ends)))]
    if (np.diff(ends, prepend=0) < 0).any() or len(names) != len(ends) or (ends[-1:] != len(spikes)).any():
        raise DataError(f"expected as many spikes as {ENDS} tells of, got {len(spikes)}: write the file again")
    if len(set(names)) < len(names):
        raise DataError("expected different ids of the units, got some more than once: number them anew")
    remarks = ("observation intervals of the units were not used: outside them a unit counts as silent",)
    return dict(zip(names, np.split(spikes, ends[:-1]), strict=True)), remarks * ("obs_intervals" in units)


def _intervals(file: h5py.File, name: str) -> Float[np.ndarray, "intervals 2"]:
    """Return start and stop of the intervals of a table."""
    tables: Any = file.get("intervals", {})
    if name not in tables:
        raise DataError(
            f"expected `array` among the tables of intervals that the file holds ({listed(list(tables)) or 'none'}), "
            f"got {name!r}: {'give one of these, or ' * bool(tables)}leave it out to read the whole recording"
        )
    return np.stack([tables[name][end][()] for end in ("start_time", "stop_time")], axis=1).astype(np.float64)
