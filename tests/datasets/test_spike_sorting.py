"""NWB files, folders of Phy and Kilosort, and HDF5: spikes against bins counted by hand, and what is refused."""

import h5py
import numpy as np
import pytest
from helpers.data_files import write_nwb, write_nwb_of_zarr

from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import read_recording

RANDOM = np.random.default_rng(3)
TIMES = {name: np.sort(RANDOM.random(80) * 10) for name in ("7", "3", "12")}


@pytest.fixture
def nwb(tmp_path):
    """An NWB file with three units and a table of two trials, as pynwb lays them out."""
    path = tmp_path / "session.nwb"
    with h5py.File(path, "w") as file:
        file["units/id"] = np.array([int(name) for name in TIMES])
        file["units/spike_times"] = np.concatenate(list(TIMES.values()))
        file["units/spike_times_index"] = np.cumsum([len(times) for times in TIMES.values()]).astype(np.uint8)
        file["intervals/trials/id"] = np.arange(2)
        file["intervals/trials/start_time"] = np.array([1.0, 6.0])
        file["intervals/trials/stop_time"] = np.array([4.0, 9.5])
    return path


def counted(start, stop, width):
    edges = start + width * np.arange(round((stop - start) / width) + 1)
    return np.stack([np.histogram(times, edges)[0] > 0 for times in TIMES.values()], axis=1)


def test_units_of_nwb_are_binned_by_their_ids(nwb):
    recording = read_recording(nwb, bin_width=0.1)
    assert recording.names == tuple(TIMES)
    first = np.floor(min(map(min, TIMES.values())) / 0.1) * 0.1
    expected = counted(first, first + 0.1 * len(recording.rows), 0.1)
    np.testing.assert_array_equal(recording.rows > 0, expected)


def test_trials_of_nwb_are_repeats_of_the_length_of_the_shortest(nwb):
    recording = read_recording(nwb, array="trials", bin_width=0.1)
    np.testing.assert_array_equal(recording.repeat, np.repeat([0, 1], 30))
    expected = np.concatenate([counted(start, start + 3, 0.1) for start in (1.0, 6.0)])
    np.testing.assert_array_equal(recording.rows > 0, expected)
    assert "trials have 30 to 35 bins, of which the first 30 were kept" in recording.remarks
    kept = sum(int(((times >= start) & (times < start + 3)).sum()) for times in TIMES.values() for start in (1.0, 6.0))
    assert f"{240 - kept} of 240 spikes lie outside the bins of trials" in recording.remarks


@pytest.mark.parametrize("array", [None, "trials"])
def test_nwb_of_zarr_is_that_of_hdf5(tmp_path, array):
    write_nwb(tmp_path / "hdf5.nwb")
    write_nwb_of_zarr(tmp_path / "zarr.nwb")
    first, second = (read_recording(tmp_path / name, array=array, bin_width=0.05) for name in ("hdf5.nwb", "zarr.nwb"))
    np.testing.assert_array_equal(second.rows, first.rows)
    assert (second.names, second.remarks) == (first.names, first.remarks)


def test_spikes_on_the_edges_of_trials_and_bins_open_them(tmp_path):
    with h5py.File(tmp_path / "edges.nwb", "w") as file:
        file["units/id"] = np.arange(2)
        file["units/spike_times"] = np.array([1.02, 1.06, 1.1, 1.12, 2.1])  # 1.1 stops the first trial, 2.1 the second
        file["units/spike_times_index"] = np.array([3, 5])
        file["intervals/trials/start_time"] = np.array([1.0, 1.1, 2.0])
        file["intervals/trials/stop_time"] = np.array([1.1, 1.2, 2.1])
    recording = read_recording(tmp_path / "edges.nwb", array="trials", bin_width=0.02)
    np.testing.assert_array_equal(np.argwhere(recording.rows > 0), [[1, 0], [3, 0], [5, 0], [6, 1]])


def test_trials_that_overlap_are_told(nwb):
    change(nwb, "intervals/trials/start_time", np.array([1.0, 2.0]))
    change(nwb, "intervals/trials/stop_time", np.array([4.0, 5.0]))
    recording = read_recording(nwb, array="trials", bin_width=0.1)
    assert "1 trials start before another one ends: what happens in both counts in each" in recording.remarks
    outside = sum(int(((times < 1) | (times >= 5)).sum()) for times in TIMES.values())
    assert f"{outside} of 240 spikes lie outside the bins of trials" in recording.remarks


def test_trials_without_an_end_are_refused(nwb):
    change(nwb, "intervals/trials/stop_time", np.array([4.0, np.nan]))
    with pytest.raises(DataError, match="a start and a stop of every trial, got NaN or infinity: delete such trials"):
        read_recording(nwb, array="trials", bin_width=0.1)


def change(path, name, values):
    with h5py.File(path, "r+") as file:
        del file[name]
        if values is not None:
            file[name] = values


@pytest.mark.parametrize(
    ("changed", "values", "options", "expected"),
    [
        ("units", None, {"bin_width": 1.0}, "expected sorted units, .* got intervals: sort the spikes first"),
        ("units/spike_times_index", [9, 3, 240], {"bin_width": 1.0}, "expected as many spikes as .*, got 240"),
        ("units/spike_times_index", [9, 30, 24], {"bin_width": 1.0}, "expected as many spikes as"),
        ("units/id", [1, 1, 2], {"bin_width": 1.0}, "expected different ids"),
        ("units/id", [1, 3, 2], {}, "expected a `bin_width`, .* got none: give it in seconds"),
        (
            "units/id",
            [1, 3, 2],
            {"bin_width": 1.0, "array": "epochs"},
            r".*holds \(trials\), got 'epochs'",
        ),
        ("units/id", [1, 3, 2], {"bin_width": 4.0, "array": "trials"}, "expected trials of a bin or more"),
    ],
)
def test_an_nwb_file_that_cannot_be_used_is_refused(nwb, changed, values, options, expected):
    change(nwb, changed, values)
    with pytest.raises(DataError, match=f"^{nwb}: {expected}"):
        read_recording(nwb, **options)


def test_intervals_of_observation_are_told(nwb):
    with h5py.File(nwb, "r+") as file:
        file["units/obs_intervals"] = np.zeros((3, 2))
    assert "observation intervals of the units were not used" in read_recording(nwb, bin_width=0.1).remarks[0]


@pytest.fixture
def sorting(tmp_path):
    """A folder of Phy: clusters 2 and 5 are good, 8 is noise, 9 has no label."""
    cells = np.tile([2, 5, 8, 9, 5, 2, 2], 20)
    np.save(tmp_path / "spike_times.npy", 300 * np.arange(140, dtype=np.uint64)[:, None])
    np.save(tmp_path / "spike_clusters.npy", cells.astype(np.int32))
    np.save(tmp_path / "spike_templates.npy", (cells % 4).astype(np.uint32)[:, None])
    (tmp_path / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n8\tgood\n")
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n2\tgood\n5\tgood\n8\tnoise\n")
    (tmp_path / "params.py").write_text("raise SystemExit\nn_channels_dat = 4\nsample_rate = 30_000.  # Hz\n")
    return tmp_path


def test_good_clusters_of_phy_are_binned_in_seconds(sorting):
    recording = read_recording(sorting, bin_width=0.01)
    assert recording.names == ("2", "5")
    cells = np.load(sorting / "spike_clusters.npy")
    np.testing.assert_array_equal(recording.rows > 0, np.stack([cells == 2, cells == 5], axis=1))
    assert recording.remarks == ("2 clusters that are not labelled good were left out",)


def test_clusters_without_labels_all_count(sorting):
    for table in sorting.glob("cluster_*"):
        table.unlink()
    assert read_recording(sorting, bin_width=0.01).names == ("2", "5", "8", "9")


def test_the_templates_of_kilosort_are_chosen_by_name(sorting):
    assert read_recording(sorting, bin_width=0.01, array="spike_templates").names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("params.py", "rate = 30000", "expected the number of samples in a second in params.py, found none: write"),
        ("params.py", "sample_rate = 1.e.3", "expected the number of samples in a second"),
        ("cluster_group.tsv", "cluster_id\tgroup\n8\tnoise\n", "labelled good, got 1 noise: label them in Phy"),
        ("cluster_group.tsv", "cluster_id,group\n8,noise\n", "damaged, cut short or not of the format tsv"),
        ("spike_clusters.npy", "", "damaged, cut short or not of the format npy"),
        ("spike_clusters.npy", None, "expected spike_clusters.npy beside spike_times.npy, found none"),
    ],
)
def test_a_folder_of_phy_that_cannot_be_used_is_refused(sorting, name, content, expected):
    (sorting / "spike_templates.npy").unlink()
    (sorting / name).unlink()
    if content is not None:
        (sorting / name).write_text(content)
    with pytest.raises(DataError, match=f"^{sorting}: .*{expected}"):
        read_recording(sorting, bin_width=0.01)


def test_spikes_without_a_cluster_are_refused(sorting):
    np.save(sorting / "spike_clusters.npy", np.zeros(3, int))
    with pytest.raises(DataError, match=r"got 3 clusters in spike_clusters\.npy and 140 spikes"):
        read_recording(sorting, bin_width=0.01)


def test_arrays_in_hdf5_go_by_their_paths(tmp_path):
    rows = RANDOM.integers(0, 2, (40, 3))
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["a/rows"] = rows.astype(bool)
        file["b/other"] = rows.T[:2]
        file["elsewhere"] = h5py.ExternalLink("other.h5", "rows")
    np.testing.assert_array_equal(read_recording(tmp_path / "all.h5", array="a/rows").rows > 0, rows > 0)
    with pytest.raises(DataError, match=r"got a/rows \(40, 3\), b/other \(2, 40\): name the right one by `array`"):
        read_recording(tmp_path / "all.h5")


def test_nwb_under_another_name_is_told(nwb):
    renamed = nwb.with_suffix(".h5")
    nwb.rename(renamed)
    with h5py.File(renamed, "r+") as file:
        file.attrs["nwb_version"] = "2.8.0"
    with pytest.raises(DataError, match=r"the content is an NWB file: rename it to end in \.nwb"):
        read_recording(renamed, bin_width=0.1)
