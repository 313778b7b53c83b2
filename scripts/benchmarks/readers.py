"""Peak memory and processor time of reading one array of 0 and 1 from a file of each format.

python scripts/benchmarks/readers.py    prints a row per format: bytes at the peak for each entry, seconds with all
                                        checks and without, and those of the library that is made for the format
"""

import json
import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.io
import zarr

from vae_mf.datasets.file_formats import load_readers, read_array
from vae_mf.datasets.recording import read_recording

ROWS = (np.random.default_rng(1).random((300_000, 100)) < 0.4).astype(np.uint8)


def write_hdf5(path: Path) -> None:
    """Write the rows in compressed chunks."""
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", data=ROWS, chunks=(10_000, 100), compression="gzip")


def write_csv(path: Path) -> None:
    """Write the rows with commas between the entries."""
    pd.DataFrame(ROWS).to_csv(path, index=False, header=False)


def write_fasta(path: Path) -> None:
    """Write the rows as sequences of two letters."""
    letters = np.where(ROWS, b"A", b"C").astype("S1")
    path.write_bytes(b"".join(b">%d\n%s\n" % (number, row.tobytes()) for number, row in enumerate(letters)))


def write_idx(path: Path) -> None:
    """Write the rows as images of ten by ten pixels."""
    shape = np.array((len(ROWS), 10, 10), ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, 3]) + shape + (200 * ROWS).tobytes())


FORMATS: dict[str, Callable[[Path], Any]] = {
    "npy": lambda path: np.save(path, ROWS),
    "npz": lambda path: np.savez_compressed(path, rows=ROWS),
    "mat": lambda path: scipy.io.savemat(path, {"rows": ROWS}, do_compression=True),
    "h5": write_hdf5,
    "zarr": lambda path: zarr.create_array(str(path), data=ROWS),
    "csv": write_csv,
    "parquet": lambda path: pd.DataFrame(ROWS).add_prefix("v").to_parquet(path),
    "fasta": write_fasta,
    "idx": write_idx,
}
"""Writers by suffix."""


def load_hdf5(path: Path) -> Any:
    """Return the rows by h5py."""
    with h5py.File(path) as file:
        return file["rows"][()]


def load_npz(path: Path) -> Any:
    """Return the rows by NumPy."""
    with np.load(path) as file:
        return file["rows"]


LIBRARIES: dict[str, Callable[[Path], Any]] = {
    "npy": np.load,
    "npz": load_npz,
    "mat": scipy.io.loadmat,
    "h5": load_hdf5,
    "zarr": lambda path: zarr.open_array(str(path), mode="r")[:],
    "csv": lambda path: pd.read_csv(path, header=None),
    "parquet": pd.read_parquet,
}
"""Readers of the libraries that are made for a format; none of them checks that the entries are binary."""


def measured(read: Callable[[Path], Any], path: Path) -> tuple[float, float]:
    """Return bytes at the peak for each entry and seconds of reading a file, in a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF)
        read(path)
        after = resource.getrusage(resource.RUSAGE_SELF)
        grown = (after.ru_maxrss - before.ru_maxrss) * 1024 / ROWS.size
        os.write(writing, json.dumps([grown, cpu(after) - cpu(before)]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        peak, seconds = json.loads(pipe.read())
    os.waitpid(child, 0)
    return peak, seconds


def cpu(usage: resource.struct_rusage) -> float:
    """Return processor time, in seconds."""
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the table."""
    load_readers()
    print("| format | bytes an entry | seconds | of which reading | the library's own | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in FORMATS.items():
            path = Path(folder) / f"rows.{suffix}"
            write(path)
            peak, seconds = measured(read_recording, path)
            shares = "- | - | -"
            if suffix in LIBRARIES:
                own, theirs = (measured(read, path)[1] for read in (read_array, LIBRARIES[suffix]))
                shares = f"{own:.3f} | {theirs:.3f} | {own / theirs:.2f}"
            print(f"| {suffix} | {peak:.1f} | {seconds:.2f} | {shares} |")


if __name__ == "__main__":
    main()
