"""One data set written in every format, type and layout: the same rows are read, or one sentence says why not."""

import gzip
import io
import re
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import zarr
from helpers.matlab import write_mat73
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import Recording, make_recording, read_recording

WHOLE = ("?", "i1", "u1", "<i2", ">i4", "u8")
BROKEN = ("f2", "<f4", ">f4", "f8", ">f8")
"""Types that can hold a missing entry."""
TRUE_REASONS = {
    "missing": "got nothing or NaN in row",
    "headless": "whether the first line, 0(,1)?, is a row",
    "alike": "no variable changes from row to row",
    "pairs": "look like spike times: give `bin_width`",
    "firing": "in which all fire",
}
"""Refusals that may be right, each by a condition on the data."""


def draw_rows(draw) -> np.ndarray:
    """Return entries 0 and 1, NaN where they are missing."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = (random.random((draw(st.integers(12, 40)), draw(st.integers(1, 6)))) < random.uniform(0.2, 0.8)).astype(
        float
    )
    if draw(st.booleans()):
        rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


def typed(draw, values: np.ndarray) -> np.ndarray:
    """Return an array in one of the types that can hold it, and in some order in memory."""
    gaps = np.isnan(values).any()
    kinds = [kind for kind in (BROKEN if gaps else WHOLE + BROKEN) if kind not in "?u1u8" or np.nanmin(values) >= 0]
    array = values.astype(draw(st.sampled_from(kinds)))
    order = draw(st.sampled_from(["C", "F", "strided", "reversed"]))
    if order == "strided":
        return np.repeat(array, 2, axis=0)[::2]
    return array[::-1].copy()[::-1] if order == "reversed" else np.asarray(array, order=order)


def write_npy(draw, path: Path, array: np.ndarray) -> None:
    np.save(path, array)


def write_npz(draw, path: Path, array: np.ndarray) -> None:
    save = draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(path, rows=array, rate=20.0, labels=np.arange(7), **draw(st.sampled_from([{}, {"title": np.array("retina")}])))


def write_mat5(draw, path: Path, array: np.ndarray) -> None:
    flat = array.ndim == 2 and not np.isnan(array.astype(float)).any() and draw(st.booleans())
    held = sparse.csc_matrix(array.astype(float)) if flat else array
    # scipy writes neither half precision nor foreign byte orders.
    native = held if flat else held.astype("f4" if held.dtype == "f2" else held.dtype.newbyteorder("="))
    scipy.io.savemat(path, {"rows": native, "rate": 20.0, "title": "retina"}, do_compression=draw(st.booleans()))


def write_matlab73(draw, path: Path, array: np.ndarray) -> None:
    flat = array.ndim == 2 and array.dtype == bool and draw(st.booleans())
    held = sparse.csc_matrix(array) if flat else array.astype("f4") if array.dtype == "f2" else array
    write_mat73(path, rows=held, title="retina", silent=np.zeros((0, 0)), chunked=draw(st.booleans()))


def write_hdf5(draw, path: Path, array: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("day") if draw(st.booleans()) else file
        group.create_dataset("rows", data=array, compression=draw(st.sampled_from([None, "gzip"])))
        file["title"] = "retina"


def write_zarr(draw, path: Path, array: np.ndarray) -> None:
    version = draw(st.sampled_from([2, 3]))
    chunks = (draw(st.integers(1, len(array))), *array.shape[1:])
    root = zarr.open_group(path, mode="w", zarr_format=version)
    stored = root.create_array("rows", shape=array.shape, chunks=chunks, dtype=array.dtype, fill_value=0)
    stored[...] = array


ARRAYS = {
    ".npy": write_npy,
    ".npz": write_npz,
    ".mat": write_mat5,
    "73.mat": write_matlab73,
    ".h5": write_hdf5,
    ".zarr": write_zarr,
}


def write_text(draw, path: Path, rows: np.ndarray, names: list[str] | None) -> bool:
    """Write a table of text; return whether its rows have names too."""
    mark = {".tsv": "\t", ".txt": " "}.get(path.suffix, draw(st.sampled_from([",", ";"])))
    gap = draw(st.sampled_from(["NA", "nan"] if mark == " " else ["", "NA", "nan"]))
    words = draw(st.sampled_from([{0: "0", 1: "1", -1: "-1"}, {0: "0.0", 1: "1.0", -1: "-1.0"}]))
    if np.nanmin(rows) >= 0 and draw(st.booleans()):
        words = {0: "False", 1: "True"}
    entries = [[gap if np.isnan(entry) else words[int(entry)] for entry in row] for row in rows]
    frame = pd.DataFrame(
        entries, columns=names, index=[f"row {k}" if mark != " " else f"row{k}" for k in range(len(rows))]
    )
    named = names is not None and draw(st.booleans())
    text = io.StringIO()
    end = draw(st.sampled_from(["\n", "\r\n"]))
    frame.to_csv(
        text, sep=mark, header=names is not None, index=named, quoting=draw(st.sampled_from([0, 1])), lineterminator=end
    )
    content = text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))
    content = content if draw(st.booleans()) else content.rstrip(b"\r\n")
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return named


def write_parquet(draw, path: Path, array: np.ndarray, names: list[str]) -> None:
    native = array.astype("f4" if array.dtype == "f2" else array.dtype.newbyteorder("="))
    frame = pd.DataFrame(native, columns=names)
    backend = draw(st.sampled_from([None, "numpy_nullable", "pyarrow"]))
    frame = frame if backend is None else frame.convert_dtypes(dtype_backend=backend)
    frame.to_parquet(path)


def outcome(read, path: Path | None, **options) -> Recording | str:
    """Return what was read, or the sentence of a refusal."""
    try:
        return read(path, drop_unusable=True, **options) if path else read(drop_unusable=True, **options)
    except DataError as refusal:
        said = str(refusal)
    assert "\n" not in said
    assert said.count(": ") >= 2
    return said


def check(
    found: Recording | str, rows: np.ndarray, names: list[str] | None, allow_missing: bool, headless: bool
) -> None:
    """Assert that rows are those written, without copies and constants alone, or that they are refused truly."""
    spins = np.where(np.isnan(rows), 0, np.where(rows > 0, 1, -1))
    same = [
        set(spins[spins[:, k] != 0, k]) != {-1, 1}
        or any(np.array_equal(sign * spins[:, j], spins[:, k]) for j in range(k) for sign in (1, -1))
        for k in range(spins.shape[1])
    ]
    true = {
        "missing": np.isnan(rows).any() and not allow_missing,
        "headless": headless and rows.shape[1] <= 2,
        "alike": all(same),
        "firing": bool((spins == 1).all()),
        "pairs": False,
    }
    if isinstance(found, str):
        reasons = [reason for reason, words in TRUE_REASONS.items() if re.search(words, found)]
        assert len(reasons) == 1, found
        assert true[reasons[0]], found
        return
    assert not true["missing"]
    np.testing.assert_array_equal(found.rows, spins[:, found.variables])
    assert [k for k in range(len(same)) if not same[k]] == found.variables.tolist()
    if names is not None:
        assert list(found.names) == [names[k] for k in found.variables]


def twin_of_rows(data) -> None:
    """Write rows in some way, read them and compare."""
    draw = data.draw
    rows = draw_rows(draw)
    coded = 2 * rows - 1 if draw(st.booleans()) else rows
    allow = draw(st.booleans())
    suffix = draw(st.sampled_from([*ARRAYS, ".csv", ".tsv", ".txt", ".csv.gz", ".parquet", "memory"]))
    names = draw(
        st.sampled_from([None, [f"n{k}" for k in range(rows.shape[1])], [f"Zelle {k} é" for k in range(rows.shape[1])]])
    )
    if suffix == ".txt" and names:
        names = [name.replace(" ", "-") for name in names]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        if suffix in ARRAYS:
            turn = draw(st.booleans())
            repeats = draw(st.sampled_from([1, 3])) if len(rows) % 3 == 0 else 1
            array = coded.T if turn else coded
            if repeats > 1:
                cube = coded.reshape(repeats, -1, coded.shape[1])
                array = cube if turn else cube.swapaxes(1, 2)
            if 1 in array.shape:  # a vector, for a container
                return
            ARRAYS[suffix](draw, path, typed(draw, array))
            check(outcome(read_recording, path, allow_missing=allow, transpose=turn), rows, None, allow, headless=False)
        elif suffix == "memory":
            array = typed(draw, coded)
            held = draw(st.sampled_from([np.asarray, np.ndarray.tolist, pd.DataFrame]))(array)
            check(outcome(lambda **options: make_recording(held, **options), None), rows, None, False, headless=False)
        elif suffix == ".parquet":
            names = names or [str(k) for k in range(rows.shape[1])]
            write_parquet(draw, path, typed(draw, coded), names)
            check(outcome(read_recording, path, allow_missing=allow), rows, names, allow, headless=False)
        else:
            write_text(draw, path, coded, names)
            found = outcome(read_recording, path, allow_missing=allow)
            check(found, rows, names, allow, headless=names is None)


@given(st.data())
@settings(max_examples=40)
def test_twins_hold_the_same_rows(data):
    twin_of_rows(data)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=10_000)
def test_ten_thousand_twins_hold_the_same_rows(data):
    twin_of_rows(data)


def draw_spikes(draw) -> tuple[np.ndarray, float, list[np.ndarray]]:
    """Return the bins in which each cell fires, a width, and times in these, some of them on the edges."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    active = random.random((draw(st.integers(5, 30)), draw(st.integers(1, 4)))) < 0.4
    active[0, 0] = active[-1, 0] = True
    width = draw(st.sampled_from([0.02, 0.1, 1 / 3, 0.001, 1.0, 20.0]))
    start = draw(st.sampled_from([0, 3, 1000]))
    inside = draw(st.sampled_from([[0.0], [0.0, 0.25, 0.5]]))
    cells = [(np.flatnonzero(cell) + start + random.choice(inside, cell.sum())) * width for cell in active.T]
    return active, width, cells


def stored(draw, cells: list[np.ndarray], binary: bool) -> list[np.ndarray]:
    """Return times in some type that can hold them; text does not tell that its digits were those of float32."""
    whole = all((times == np.round(times)).all() for times in cells)
    kind = draw(st.sampled_from(["f8", ">f8", *(["f4"] if binary else []), *(["u4", "i8"] if whole else [])]))
    return [times.astype(kind) for times in cells]


def write_spikes(draw, path: Path, kind: str, cells: list[np.ndarray]) -> None:
    names = [f"c{k}" for k in range(len(cells))]
    labels = np.repeat(np.arange(len(cells)), [len(times) for times in cells]).astype(
        draw(st.sampled_from(["u2", "i8"]))
    )
    times = np.concatenate(cells)
    native = times.astype(times.dtype.newbyteorder("="))
    frame = pd.DataFrame({"unit_id": labels, "spike_time": native})
    if draw(st.booleans()):
        frame = frame.sort_values("spike_time", kind="stable")
    if kind == "table":
        frame.to_csv(path, index=draw(st.booleans()))
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "pairs":
        np.save(path, np.column_stack([labels.astype(times.dtype), times]))
    elif kind == "vectors":
        np.savez(path, **dict(zip(names, cells, strict=True)), rate=30_000.0)
    elif kind == "listed":
        np.savez(path, spike_times=times, spike_clusters=labels)
    elif kind == "indexed":
        ends = np.cumsum([len(own) for own in cells]).astype(draw(st.sampled_from(["u1", "i4", "u8"])))
        np.savez(path, spike_times=times, spike_times_index=ends)
    elif kind == "cells":
        held = np.empty((1, len(cells)), object)
        held[0] = [own.astype(own.dtype.newbyteorder("="))[None] for own in cells]
        scipy.io.savemat(path, {"spikes": held, "rate": 30_000.0})
    else:
        write_mat73(path, spikes=[own.astype(own.dtype.newbyteorder("=")) for own in cells], title="retina")


SPIKES = {
    "table": ".csv",
    "parquet": ".parquet",
    "pairs": ".npy",
    "vectors": ".npz",
    "listed": ".npz",
    "indexed": ".npz",
    "cells": ".mat",
    "cells of v7.3": ".mat",
}


def twin_of_spikes(data) -> None:
    """Write spike times in some way, read them and compare."""
    active, width, cells = draw_spikes(data.draw)
    kind = data.draw(st.sampled_from(list(SPIKES)))
    if kind in ("table", "parquet", "pairs", "listed"):
        # A cell without spikes is not in a list of spikes.
        cells = [times for times in cells if len(times)]
        active = active[:, active.any(axis=0)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"spikes{SPIKES[kind]}"
        write_spikes(data.draw, path, kind, stored(data.draw, cells, kind != "table"))
        found = outcome(read_recording, path, bin_width=width)
    if kind == "vectors":
        # One spike alone is a number such as a rate, and told so.
        active = active[:, [len(times) != 1 for times in cells]]
    check(found, active.astype(float), None, allow_missing=False, headless=False)


@given(st.data())
@settings(max_examples=40)
def test_twins_hold_the_same_spikes(data):
    twin_of_spikes(data)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=10_000)
def test_ten_thousand_twins_hold_the_same_spikes(data):
    twin_of_spikes(data)
