"""One data set in a file of every format, as in the table of docs/data.md."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import zarr
from PIL import Image
from scipy import sparse

ROWS = (np.random.default_rng(2).random((60, 4)) < 0.6).astype(np.uint8)
"""Each variable is 1 more often than 0, so that it is the consensus of an alignment; the end rows have a 1."""
FRAME = pd.DataFrame(ROWS, columns=["anna", "bob", "carl", "dora"])
BINS, CELLS = np.nonzero(ROWS)
TIMES = 0.02 * (BINS + 0.5)
"""Spikes in the middle of bins of 0.02."""
BY_CELL = [TIMES[cell == CELLS] for cell in range(4)]
ENDS = np.bincount(CELLS).cumsum()
EXCEL = ";\n"
TRIAL_BINS = 20
TRIAL_ENDS = "start_time", "stop_time"
SPIKES = pd.DataFrame({"neuron": CELLS, "time": TIMES})
TRIALS = pd.DataFrame({"neuron": CELLS, "trial": BINS // TRIAL_BINS, "time": 0.02 * (BINS % TRIAL_BINS + 0.5)})


def write_sequences(path: Path, head: str = "", line: str = ">s{} of a family\n{}\n", end: str = "") -> None:
    sequences = ["".join("CA"[entry] for entry in row) for row in ROWS]
    if path.suffix == ".a3m":
        sequences = [f"{letters[:2]}{'g' * (k % 3)}{letters[2:]}" for k, letters in enumerate(sequences)]
    lines = [line.format(number, letters) for number, letters in enumerate(sequences)]
    path.write_text(f"{head}{''.join(lines)}{end}")


def write_stockholm(path: Path) -> None:
    write_sequences(path, "# STOCKHOLM 1.0\n", "s{} {}\n", "//\n")


def write_sheet(path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(path) as book:
        FRAME.to_excel(book, sheet_name="rows", index=False)
        pd.DataFrame().to_excel(book, sheet_name="Sheet2")


def write_idx(path: Path) -> None:
    images = 200 * ROWS.reshape(60, 2, 2)
    path.write_bytes(bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes())


def write_pictures(path: Path) -> None:
    path.mkdir()
    for number, image in enumerate(200 * ROWS.reshape(60, 2, 2)):
        Image.fromarray(image).save(path / f"{number:02d}.png")


def write_nwb(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.8.0"
        file["units/spike_times"] = np.concatenate(BY_CELL)
        file["units/spike_times_index"] = ENDS
        file["units/id"] = np.arange(4)
        starts = 0.02 * TRIAL_BINS * np.arange(len(ROWS) // TRIAL_BINS)
        file["intervals/trials/start_time"] = starts
        file["intervals/trials/stop_time"] = starts + 0.02 * TRIAL_BINS


def write_nwb_of_zarr(path: Path) -> None:
    source = path.with_name("source.nwb")
    write_nwb(source)
    root = zarr.open_group(path, mode="w", zarr_format=2)
    with h5py.File(source) as file:
        root.attrs["nwb_version"] = file.attrs["nwb_version"]
        for table, names in {
            "units": ("spike_times", "spike_times_index", "id"),
            "intervals/trials": TRIAL_ENDS,
        }.items():
            for name in names:
                root.create_array(f"{table}/{name}", data=file[f"{table}/{name}"][()])
    source.unlink()
    references = {"chunks": [4], "compressor": None, "dtype": "|O", "fill_value": 0, "order": "C", "shape": [4]}
    (path / "units" / "electrode_group").mkdir()
    described = json.dumps(references | {"filters": [{"id": "json2"}], "zarr_format": 2})
    (path / "units" / "electrode_group" / ".zarray").write_text(described)


def write_alf(path: Path) -> None:
    path.mkdir()
    np.save(path / "spikes.times.npy", TIMES)
    np.save(path / "spikes.clusters.npy", CELLS)
    starts = 0.02 * TRIAL_BINS * np.arange(len(ROWS) // TRIAL_BINS)
    np.save(path / "trials.intervals.npy", np.column_stack([starts, starts + 0.02 * TRIAL_BINS]))


def write_sorting(path: Path) -> None:
    path.mkdir()
    np.save(path / "spike_times.npy", (30_000 * TIMES).astype(np.uint64)[:, None])
    np.save(path / "spike_clusters.npy", CELLS.astype(np.int32))
    (path / "params.py").write_text("dat_path = r'a.dat'\nsample_rate = 30000.\n")


def write_hdf5(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def vectors() -> np.ndarray:
    cells = np.empty((4, 1), object)
    cells[:, 0] = BY_CELL
    return cells


def csv(frame: pd.DataFrame, **options: Any) -> Callable[[Path], None]:
    return lambda path: frame.to_csv(path, **{"index": False, **options})


FILES: dict[str, Callable[[Path], None]] = {
    "rows.npy": lambda path: np.save(path, ROWS),
    "session.npz": lambda path: np.savez(path, rows=ROWS, map=np.eye(4)),
    "sparse.npz": lambda path: sparse.save_npz(path, sparse.csr_array(ROWS)),
    "raster.mat": lambda path: scipy.io.savemat(path, {"raster": ROWS.astype(bool), "rate": 20.0}),
    "session.mat": lambda path: scipy.io.savemat(path, {"data": {"raster": ROWS, "map": np.eye(4)}}),
    "day.h5": lambda path: write_hdf5(path, **{"block/rows": ROWS, "block/map": np.eye(4)}),
    "rows.zarr": lambda path: zarr.save_array(path, ROWS),
    "table.csv": csv(FRAME),
    "comma.csv": csv(FRAME.astype(float), sep=";", decimal=","),
    "excel.csv": lambda path: path.write_text(
        f"sep=;\n{FRAME.to_csv(index=False, sep=chr(59), lineterminator=EXCEL)};;;;\n"
    ),
    "sheet.xlsx": write_sheet,
    "digits.txt": lambda path: np.savetxt(path, ROWS, "%d", delimiter=""),
    "numpy.txt": lambda path: np.savetxt(path, ROWS, header="bins of 20 ms\nanna bob carl dora"),
    "table.parquet": FRAME.to_parquet,
    "votes.csv": csv(FRAME.replace({0: "N", 1: "Y"})),
    "counts.csv": csv(FRAME.value_counts().rename("count").reset_index()),
    "family.fasta": write_sequences,
    "family.a3m": write_sequences,
    "family.sto": write_stockholm,
    "digits.idx": write_idx,
    "pictures": write_pictures,
    "spikes.csv": csv(SPIKES),
    "columns.csv": csv(pd.DataFrame(dict(zip(FRAME.columns, map(pd.Series, BY_CELL), strict=True)))),
    "trials.csv": csv(TRIALS),
    "cells.npz": lambda path: np.savez(path, **dict(zip(FRAME.columns, BY_CELL, strict=True))),
    "units.npz": lambda path: np.savez(
        path, spike_times=np.concatenate(BY_CELL), spike_times_index=ENDS, id=np.arange(4)
    ),
    "spikes.mat": lambda path: scipy.io.savemat(path, {"spikes": vectors()}),
    "spikes.npy": lambda path: np.save(path, np.stack([CELLS, TIMES], axis=1)),
    "session.nwb": write_nwb,
    "nwb.zarr": write_nwb_of_zarr,
    "phy": write_sorting,
    "alf": write_alf,
}
"""Writers by the name of the file."""
