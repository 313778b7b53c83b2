"""Folders of ALF: the spikes that were saved, under any of the names that the convention allows."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.datasets.file_formats import parts_of
from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import read_recording

RANDOM = np.random.default_rng(4)
BINS = RANDOM.random((100, 4)) < 0.4
BINS[[0, -1]] = True
STARTS = np.array([0.5, 3.0])
UUID = "1b2c3d4e-0000-4000-8000-1b2c3d4e5f60"
NAMES = {
    "plain": ("{}.npy", "clusters.metrics.csv", "trials.intervals.npy"),
    "namespace": ("_ibl_{}.npy", "_ibl_clusters.metrics.pqt", "_ibl_trials.intervals.npy"),
    "extra part": ("{}.probe00.npy", "clusters.metrics.probe00.tsv", "_ibl_trials.table.pqt"),
    "time scale and identifier": (
        f"{{}}_ephysClock.{UUID}.npy",
        f"clusters.metrics.{UUID}.pqt",
        f"_ibl_trials.table.{UUID}.pqt",
    ),
}
LABELS = {"label": [1.0, 0.33, 1.0, 1.0], "ks2_label": ["good", "mua", "Good", "good"]}


def save_table(path, **columns):
    frame = pd.DataFrame(columns)
    if path.suffix == ".pqt":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def write(folder, names="plain", **labels):
    folder.mkdir()
    arrays, metrics, trials = NAMES[names]
    bins, clusters = np.nonzero(BINS)
    np.save(folder / arrays.format("spikes.times"), 0.02 * (bins + 0.5))
    np.save(folder / arrays.format("spikes.clusters"), clusters.astype(np.int32)[:, None])
    np.save(folder / arrays.format("spikes.amps"), np.ones(len(bins)))
    (folder / "spikes.times.metadata.json").write_text("{}")
    if labels:
        save_table(folder / metrics, **labels)
    if "table" in trials:
        save_table(folder / trials, intervals_0=0.02 * 20 * STARTS, intervals_1=0.02 * (20 * STARTS + 20))
    else:
        np.save(folder / trials, 0.02 * 20 * np.column_stack([STARTS, STARTS + 1]))
    return folder


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("column", LABELS)
def test_good_clusters_are_read_under_all_names(tmp_path, names, column):
    folder = write(tmp_path / "alf", names, **{column: LABELS[column]})
    recording = read_recording(folder, bin_width=0.02)
    assert recording.names == ("0", "2", "3")
    np.testing.assert_array_equal(recording.rows > 0, BINS[:, [0, 2, 3]])
    assert f"1 of 4 clusters are not good by {column} and were left out" in recording.remarks


def test_a_column_of_numbers_of_clusters_counts(tmp_path):
    folder = write(tmp_path / "alf", cluster_id=[3, 2, 1, 0], label=[1, 0, 0, 1])
    assert read_recording(folder, bin_width=0.02).names == ("0", "3")


def test_without_labels_all_clusters_are_read_and_told(tmp_path):
    recording = read_recording(write(tmp_path / "alf", amps=[1.0, 2.0, 3.0, 4.0]), bin_width=0.02)
    np.testing.assert_array_equal(recording.rows > 0, BINS)
    assert "all clusters were read, as nothing in the folder labels them good" in recording.remarks


@pytest.mark.parametrize("names", NAMES)
def test_trials_are_repeats(tmp_path, names):
    recording = read_recording(write(tmp_path / "alf", names), array="trials", bin_width=0.02)
    starts = (20 * STARTS).astype(int)
    np.testing.assert_array_equal(recording.rows > 0, np.concatenate([BINS[start : start + 20] for start in starts]))
    np.testing.assert_array_equal(recording.repeat, np.repeat([0, 1], 20))


def test_files_that_are_not_read_are_no_part_of_the_data(tmp_path):
    names = {path.name for path in parts_of(write(tmp_path / "alf", **LABELS))}
    assert {"spikes.times.npy", "spikes.clusters.npy", "clusters.metrics.csv", "trials.intervals.npy"} <= names
    assert "spikes.amps.npy" not in names


def test_what_is_missing_or_twice_there_is_told(tmp_path):
    folder = write(tmp_path / "alf", label=[0, 0, 0, 0])
    with pytest.raises(DataError, match=r"good in clusters\.metrics, got none: move that table away"):
        read_recording(folder, bin_width=0.02)
    with pytest.raises(ValueError, match="array: expected one of trials, got 'rows'"):
        read_recording(write(tmp_path / "others"), array="rows", bin_width=0.02)
    np.save(folder / "spikes.clusters.probe01.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"one file of spikes\.clusters, got spikes\.clusters\.npy, spikes"):
        read_recording(folder, bin_width=0.02)
    np.save(folder / "spikes.clusters.npy", np.zeros(3))
    (folder / "spikes.clusters.probe01.npy").unlink()
    with pytest.raises(DataError, match=r"got 3 in spikes\.clusters and \d+ spikes in spikes\.times: download both"):
        read_recording(folder, bin_width=0.02)
    (folder / "spikes.clusters.npy").unlink()
    with pytest.raises(DataError, match=r"expected spikes\.clusters\.npy in the folder, found none: download it"):
        read_recording(folder, bin_width=0.02)


def test_a_folder_above_the_data_is_led_to_them(tmp_path):
    inner = tmp_path / "subject" / "alf" / "probe00"
    inner.parent.mkdir(parents=True)
    write(inner)
    with pytest.raises(DataError, match=f"found one further below: give the path of {inner}"):
        read_recording(tmp_path / "subject", bin_width=0.02)
