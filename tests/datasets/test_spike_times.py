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


def save_mat73(path, **arrays):
    """Write arrays as MATLAB v7.3 does: each with its class, [] as its dimensions, text as numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            add_mat73(file, name, array)


def add_mat73(group, name, array):
    if isinstance(array, str):
        codes = np.array([[ord(letter)] for letter in array], np.uint16)
        group.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
    elif isinstance(array, list):
        references = [add_mat73(group, f"#refs#/{name}{k}", part).ref for k, part in enumerate(array)]
        cells = group.create_dataset(name, data=np.array(references, h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    else:
        empty = not len(array)
        stored = group.create_dataset(name, data=np.array([0, 0], np.uint64) if empty else array[None])
        stored.attrs["MATLAB_class"] = np.bytes_("double")
        if empty:
            stored.attrs["MATLAB_empty"] = np.uint8(1)
    return group[name]


EVERY = np.concatenate(list(TIMES.values()))
ENDS = np.cumsum([len(times) for times in TIMES.values()]).astype(np.uint8)
TIMES_OF_ALL = {"spike_times": EVERY, "spike_times_index": ENDS, "id": np.array([7, 3, 5])}
LISTED = {"spike_times": LONG.time.to_numpy(), "spike_clusters": LONG.neuron.to_numpy(np.uint16)}

COLUMNS = pd.DataFrame({name: pd.Series(times) for name, times in TIMES.items()})


def save_hdf5(path, times, cells):
    with h5py.File(path, "w") as file:
        file[times], file[cells], file["stimulus"] = LONG.time, LONG.neuron, np.arange(999)


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
    "mat v7.3 vectors and text": ("s.mat", lambda path: save_mat73(path, **TIMES, unit="ms", title="retina"), "abc"),
    "npz of all times": ("s.npz", lambda path: np.savez(path, **TIMES_OF_ALL), "735"),
    "npz of pairs": ("s.npz", lambda path: np.savez(path, **LISTED), "012"),
    "csv of a column for each cell": ("s.csv", lambda path: COLUMNS.to_csv(path, index=False), "abc"),
    "csv of other words": (
        "s.csv",
        lambda path: LONG.set_axis(["clusterID", "spikeTimes"], axis=1).assign(y=1).to_csv(path),
        "012",
    ),
    "csv of electrodes": (
        "s.csv",
        lambda path: LONG.set_axis(["electrode", "ts"], axis=1).assign(y=1).to_csv(path),
        "012",
    ),
    "h5 of pairs": ("s.h5", lambda path: save_hdf5(path, "spikes/times", "spikes/units"), "012"),
    "mat of pairs": ("s.mat", lambda path: scipy.io.savemat(path, LISTED), "012"),
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


def test_times_of_a_stored_type_open_their_bin_too():
    places = np.arange(50_000)
    for width in (0.02, 1 / 30_000):
        for times in ((places * width).astype(np.float32), places.astype(np.float32) * np.float32(width)):
            assert bin_spikes({"a": times}, width).active.all()
    halves = np.arange(0.5, 200.5, dtype=np.float16)
    assert bin_spikes({"a": halves}, 1.0).active.all()


def test_times_coarser_than_the_bins_are_refused():
    times = np.array([0.0, 40_000.0], np.float32)
    with pytest.raises(DataError, match=r"got float32 with steps of 0\.00477 at 40000 for cell a: save .* as float64"):
        bin_spikes({"a": times}, 0.004)
    assert len(bin_spikes({"a": times.astype(np.float64)}, 0.004).active) == 10_000_001


def test_empty_cells_and_text_of_matlab_are_no_spikes(tmp_path):
    save_mat73(tmp_path / "s.mat", **TIMES, silent=np.zeros(0), unit="ms")
    told = read_recording(tmp_path / "s.mat", bin_width=WIDTH, drop_unusable=True).remarks
    assert "1 variables never change and were left out: silent" in told
    save_mat73(tmp_path / "t.mat", spikes=[TIMES["a"], np.zeros(0), TIMES["c"]])
    recording = read_recording(tmp_path / "t.mat", bin_width=WIDTH, drop_unusable=True)
    assert recording.names == ("1", "3")
    assert (recording.rows > 0).sum() <= 110
    save_mat73(tmp_path / "u.mat", names=["a", "b"])
    with pytest.raises(DataError, match="expected numbers in each cell, got others in 1, 2"):
        read_recording(tmp_path / "u.mat", bin_width=WIDTH)


TRIALS = pd.DataFrame(
    [(k, f"trial{t}", time) for t in range(9) for k in range(3) for time in np.sort(RANDOM.uniform(0, 2, 20))],
    columns=["neuron", "sweep", "time"],
)


@pytest.mark.parametrize("order", [["sweep", "neuron", "time"], ["time"], ["neuron", "sweep", "time"]])
def test_trials_are_repeats(tmp_path, order):
    TRIALS.sort_values(order).assign(depth=1).to_csv(tmp_path / "s.csv", index=False)
    recording = read_recording(tmp_path / "s.csv", bin_width=0.1)
    counts = [np.histogram(own.time, np.arange(21) / 10)[0] for _, own in TRIALS.groupby(["sweep", "neuron"])]
    expected = np.reshape(counts, (9, 3, 20)).swapaxes(1, 2).reshape(180, 3) > 0
    np.testing.assert_array_equal(recording.rows > 0, expected)
    np.testing.assert_array_equal(recording.repeat, np.repeat(np.arange(9), 20))
    assert "9 repeats by column sweep; one without any spike would not be among them" in recording.remarks
    assert "columns of the spikes that were not used: depth" in recording.remarks


def test_trials_that_follow_each_other_are_asked_about(tmp_path):
    start = TRIALS.sweep.str[-1].astype(int) * 2
    TRIALS.assign(time=TRIALS.time + start).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(
        DataError, match=r"start of each sweep, got 9 that follow each other: .* delete column sweep to"
    ):
        read_recording(tmp_path / "s.csv", bin_width=0.1)


@pytest.mark.parametrize("outer", ["channel", "session", "animalID"])
def test_cells_that_are_numbered_anew_are_asked_about(tmp_path, outer):
    two = pd.concat([LONG.assign(**{outer: 1}), LONG.assign(**{outer: 2})])
    two.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match=f"got 0 with 2 entries in column {outer}: join both columns into one of names"):
        read_recording(tmp_path / "s.csv", bin_width=WIDTH)
    LONG.assign(**{outer: LONG.neuron + 5}).to_csv(tmp_path / "s.csv", index=False)
    assert len(read_recording(tmp_path / "s.csv", bin_width=WIDTH).names) == 3


def test_times_in_the_place_of_cells_are_asked_about(tmp_path):
    pairs = pd.DataFrame({"x": np.arange(20), "y": np.arange(20) * 7 % 3})
    pairs.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match="got 20 cells of one spike each: put cells first, then times"):
        read_recording(tmp_path / "s.csv", bin_width=1)


@pytest.mark.parametrize(
    "change", [lambda times: times.sort_values("a", ascending=False), lambda times: times.dropna()]
)
def test_columns_that_are_no_spike_times_are_refused(tmp_path, change):
    change(COLUMNS).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(
        DataError, match="expected spike times in two columns, named neuron and time, got columns a, b, c"
    ):
        read_recording(tmp_path / "s.csv", bin_width=WIDTH)


def test_a_table_of_cells_and_trials_in_matlab_is_asked_about(tmp_path):
    cells = np.empty((2, 3), object)
    cells.flat = [np.sort(RANDOM.random(9)) for _ in range(6)]
    scipy.io.savemat(tmp_path / "s.mat", {"spikes": cells})
    with pytest.raises(DataError, match=r"cell array of shape \(2, 3\) with an axis of trials: save a table with"):
        read_recording(tmp_path / "s.mat", bin_width=0.1)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (TIMES_OF_ALL | {"spike_times_index": ENDS[::-1]}, "spike_times_index to hold where each cell ends"),
        (TIMES_OF_ALL | {"id": np.array([7, 7, 5])}, "expected an id of its own for each of 3 cells, got 7, 7, 5"),
        (LISTED | {"spike_clusters": np.arange(9)}, "got 9 in spike_clusters and 160 in spike_times"),
    ],
)
def test_times_of_all_cells_must_fit_their_index(tmp_path, arrays, expected):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(DataError, match=expected):
        read_recording(tmp_path / "s.npz", bin_width=0.1)
