"""Spike times: bins against a histogram, and the same words from every way to write the times."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import read_recording
from vae_mf.datasets.spike_times import bin_spikes

WIDTH = 0.02
RANDOM = np.random.default_rng(6)
TIMES = {name: np.sort(RANDOM.uniform(1.0, 5.0, count)) for name, count in (("a", 80), ("b", 50), ("c", 30))}
LONG = pd.DataFrame([(k, t) for k, times in enumerate(TIMES.values()) for t in times], columns=["neuron", "time"])


def cell_array() -> np.ndarray:
    cells = np.empty((1, 3), object)
    cells[0] = [times[:, None] for times in TIMES.values()]
    return cells


def save_mat73_cells(path):
    with h5py.File(path, "w") as file:
        references = [file.create_dataset(f"#refs#/{name}", data=times[None]).ref for name, times in TIMES.items()]
        file.create_dataset("spikes", data=np.array(references, dtype=h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)


WRITERS = {
    "csv by cell": ("s.csv", lambda path: LONG.to_csv(path, index=False), "012"),
    "csv by time": ("s.csv", lambda path: LONG.sort_values("time").to_csv(path, index=False), "012"),
    "csv without names": ("s.csv", lambda path: LONG.to_csv(path, index=False, header=False), "012"),
    "csv with more columns": ("s.csv", lambda path: LONG.assign(depth=3.5, note="x").to_csv(path), "012"),
    "csv, time first": ("s.csv", lambda path: LONG[["time", "neuron"]].to_csv(path, index=False), "012"),
    "csv of names": (
        "s.csv",
        lambda path: LONG.assign(neuron=LONG.neuron.map(dict(enumerate("abc")))).to_csv(path),
        "abc",
    ),
    "parquet": ("s.parquet", LONG.rename(columns={"neuron": "unit_id", "time": "spike_times"}).to_parquet, "012"),
    "npy": ("s.npy", lambda path: np.save(path, LONG.to_numpy()), "012"),
    "npz": ("s.npz", lambda path: np.savez(path, **TIMES, rate=np.array(20_000)), "abc"),
    "mat": ("s.mat", lambda path: scipy.io.savemat(path, {**TIMES, "rate": 20_000.0}), "abc"),
    "mat cells": ("s.mat", lambda path: scipy.io.savemat(path, {"spikes": cell_array(), "rate": 20_000.0}), "123"),
    "mat v7.3 cells": ("s.mat", save_mat73_cells, "123"),
}


@pytest.mark.parametrize("style", WRITERS)
def test_every_style_gives_the_same_words(tmp_path, style):
    name, write, names = WRITERS[style]
    write(tmp_path / name)
    recording = read_recording(tmp_path / name, bin_width=WIDTH)
    start = np.floor(min(times[0] for times in TIMES.values()) / WIDTH)
    edges = (start + np.arange(len(recording.rows) + 1)) * WIDTH
    expected = np.stack([np.histogram(times, edges)[0] > 0 for times in TIMES.values()], axis=1)
    np.testing.assert_array_equal(recording.rows > 0, expected)
    assert edges[-2] <= max(times[-1] for times in TIMES.values()) < edges[-1]
    assert "".join(recording.names) == names
    np.testing.assert_array_equal(recording.time, np.arange(len(recording.rows)))
    merged = 160 - expected.sum()
    assert merged > 0
    assert any(r.startswith(f"{merged} of 160 spikes share a bin") for r in recording.remarks)
    assert f"bins of 0.02 from {start * WIDTH:g}" in recording.source
    assert any("arrays of one number were not taken for cells: rate" in r for r in recording.remarks) == (
        style in ("npz", "mat")
    )


@given(
    st.lists(st.lists(st.integers(0, 500), max_size=20), min_size=1, max_size=4), st.sampled_from([0.1, 0.02, 1.0, 7.0])
)
def test_times_at_the_edges_open_their_bin(bins, width):
    times = {str(k): np.sort(np.array(part, float)) * width for k, part in enumerate(bins)}
    if not any(map(len, bins)):
        return
    found = bin_spikes(times, width)
    first = min(min(part) for part in bins if part)
    expected = {(place - first, k) for k, part in enumerate(bins) for place in part}
    assert set(map(tuple, np.argwhere(found.active).tolist())) == expected
    assert found.start == pytest.approx(first * width)
    assert found.merged == sum(map(len, bins)) - len(expected)


def test_bins_that_are_too_wide_are_told(tmp_path):
    np.savez(tmp_path / "s.npz", **TIMES)
    told = read_recording(tmp_path / "s.npz", bin_width=0.2, drop_unusable=True).remarks
    assert any("of all entries are 1: a narrower `bin_width`" in remark for remark in told)


def test_a_variable_names_the_cell_array(tmp_path):
    content = {"spikes": cell_array(), "shuffled": cell_array()[:, ::-1]}
    scipy.io.savemat(tmp_path / "s.mat", content)
    forward, back = (read_recording(tmp_path / "s.mat", array=name, bin_width=WIDTH) for name in content)
    np.testing.assert_array_equal(forward.rows, back.rows[:, ::-1])


@pytest.mark.parametrize("kind", ["u1", "u8", "i2", "f4"])
def test_unsorted_times_of_any_type_are_refused(kind):
    with pytest.raises(
        DataError, match="expected ascending spike times, got an earlier one after a later one for cell b"
    ):
        bin_spikes({"a": np.array([1, 2], kind), "b": np.array([3, 1], kind)}, 1.0)
