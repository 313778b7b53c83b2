"""Spike times of sorted units in Neurodata Without Borders (NWB), in HDF5 or Zarr, whole or trial by trial."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import HDF5, DataError, Options, Raster, listed, parsing
from vae_mf.datasets.readers.containers import Container, chunk_remarks, read_entry, zarr_entries
from vae_mf.datasets.readers.hdf5 import VERSION_OF_NWB, hdf5_entries
from vae_mf.datasets.spike_times import SpikeTimes, require_width, spike_raster, trial_raster

TIMES, ENDS, IDS = "units/spike_times", "units/spike_times_index", "units/id"
"""Spikes of all units in a row, place of each unit's last one among them, plus one, and numbers of the units."""
INTERVALS = "intervals"
ATTRIBUTES = (".zattrs", "zarr.json")
PARTS = (".z*", "zarr.json", "units/*", f"{INTERVALS}/*")


def is_nwb(folder: Path) -> bool:
    """Return True if the attributes of a folder of Zarr, of version 2 or 3, say that it is of NWB."""
    described = (folder / name for name in ATTRIBUTES)
    return any(f'"{VERSION_OF_NWB}"' in place.read_text("utf-8", "replace") for place in described if place.is_file())


@register_reader(".nwb", starts=(HDF5,), options=("array", "bin_width"))
def read_nwb(path: Path, options: Options) -> Raster:
    """Return the spikes of all units in bins; a table of intervals, named by ``array``, has a repeat in each."""
    width = require_width(options.bin_width, "seconds")
    with parsing("NWB"):
        container = hdf5_entries(path)
    return nwb_raster(container, options.array, width)


@register_reader(markers=ATTRIBUTES, holds=is_nwb, options=("array", "bin_width"), parts=PARTS)
def read_nwb_of_zarr(path: Path, options: Options) -> Raster:
    """Return the spikes of a folder as hdmf-zarr writes it, see `read_nwb`."""
    width = require_width(options.bin_width, "seconds")
    with parsing("NWB"):
        container = zarr_entries(path)
    return nwb_raster(container, options.array, width)


def nwb_raster(container: Container, array: str | None, width: float) -> Raster:
    """Return the raster of the units in the arrays of a file."""
    times, remarks = _unit_times(container)
    if array is None:
        return spike_raster(times, width, "NWB file", remarks)
    return trial_raster(times, _intervals(container, array), width, f"NWB file, {array}", remarks)


def _unit_times(container: Container) -> tuple[SpikeTimes, tuple[str, ...]]:
    """Return the times of each unit by its id, and remarks."""
    if not {TIMES, ENDS} <= container.keys():
        units = [name for name in container if name.startswith("units/")]
        found = units or sorted({name.partition("/")[0] for name in container})
        raise DataError(
            f"expected sorted units, with spike_times and spike_times_index, got {listed(found) or 'nothing'}: "
            "sort the spikes first, or save binned rows as npy"
        )
    entries = [container[name] for name in (TIMES, ENDS, IDS) if name in container]
    times, *others = entries
    count, *lengths = (int(np.prod(entry.shape, dtype=object)) for entry in entries)
    if len(set(lengths)) > 1:
        raise DataError(f"expected an id for each of {lengths[0]} units, got {lengths[1]}: write the file again")
    ends, *ids = map(read_entry, others)
    ends = ends.astype(np.int64)
    if (np.diff(ends, prepend=0) < 0).any() or (ends[-1:] != count).any():
        raise DataError(f"expected as many spikes as spike_times_index tells of, got {count}: write the file again")
    names = [str(name) for name in (ids[0] if ids else range(len(ends)))]
    spikes = read_entry(times)
    if len(set(names)) < len(names):
        raise DataError("expected different ids of the units, got some more than once: number them anew")
    unused = ("observation intervals of the units were not used: outside them a unit counts as silent",)
    remarks = chunk_remarks(entries) + unused * ("units/obs_intervals" in container)
    return dict(zip(names, np.split(spikes, ends[:-1]), strict=True)), remarks


def _intervals(container: Container, name: str) -> Float[np.ndarray, "intervals 2"]:
    """Return start and stop of the intervals of a table."""
    starts = f"{INTERVALS}/{name}/start_time", f"{INTERVALS}/{name}/stop_time"
    tables = sorted({path.split("/")[1] for path in container if path.startswith(f"{INTERVALS}/")})
    if not set(starts) <= container.keys():
        raise DataError(
            f"expected `array` among the tables of intervals that the file holds ({listed(tables) or 'none'}), "
            f"got {name!r}: {'give one of these, or ' * bool(tables)}leave it out to read the whole recording"
        )
    return np.stack([read_entry(container[end]) for end in starts], axis=1).astype(np.float64)
