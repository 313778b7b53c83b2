"""Samples at several temperatures are read from every layout alike, or refused by the name that is wrong."""

import numpy as np
import pytest
import zarr

from vae_mf.datasets import DataError, read_samples

RNG = np.random.default_rng(3)
SAMPLES = {0.5: RNG.choice(np.int8([-1, 1]), (30, 4)), 1.25: RNG.choice(np.int8([-1, 1]), (30, 4))}


def folder_of(path, names):
    path.mkdir()
    for name, values in zip(names, SAMPLES.values(), strict=True):
        np.save(path / f"{name}.npy", values)
    return path


def written(path, layout: str):
    """The samples in a file or folder of a layout."""
    named = {f"T_{temperature}": values for temperature, values in SAMPLES.items()}
    together = {"temperatures": np.array([1.25, 0.5]), "spins": np.stack([SAMPLES[1.25], SAMPLES[0.5]])}
    if layout.startswith("npz"):
        np.savez(path / "own.npz", **(named if layout == "npz names" else together))
        return path / "own.npz"
    if layout.startswith("zarr"):
        group = zarr.open_group(path / "own.zarr", mode="w")
        for name, values in (named if layout == "zarr names" else together).items():
            group[name] = values
        return path / "own.zarr"
    return folder_of(path / "own", named if layout == "folder" else ["0.5", "1.25"])


@pytest.mark.parametrize("layout", ["npz names", "npz arrays", "zarr names", "zarr arrays", "folder", "numbers"])
def test_every_layout_holds_the_same_samples(layout, tmp_path):
    found = read_samples(written(tmp_path, layout))
    assert list(found) == [0.5, 1.25]
    for temperature, values in SAMPLES.items():
        np.testing.assert_array_equal(found[temperature], values)


@pytest.mark.parametrize("name", ["T_2.0", "T=2", "t2", "temp-2.0", "temperature 2", "2e0", "2."])
def test_a_temperature_is_read_off_any_usual_name(name, tmp_path):
    np.save(tmp_path / f"{name}.npy", SAMPLES[0.5])
    assert list(read_samples(tmp_path / f"{name}.npy")) == [2.0]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["T_0.5", "beta_2"], "expected a temperature in every name, as in T_0.5 or 0.5, .* got 'beta_2' among"),
        (["T_0.5", "0.50"], "expected each temperature once, got 0.50 and T_0.5: leave one out"),
        (["cold", "hot"], "got 'cold' among cold, hot: rename it"),
    ],
)
def test_a_name_without_its_temperature_is_named(names, match, tmp_path):
    with pytest.raises(DataError, match=match):
        read_samples(folder_of(tmp_path / "own", names))


def test_what_is_no_file_of_samples_is_refused(tmp_path):
    np.savez(tmp_path / "one.npz", rows=SAMPLES[0.5])
    np.savez(tmp_path / "shapes.npz", temperatures=[0.5, 1.0, 1.5], spins=np.stack(list(SAMPLES.values())))
    np.savez(tmp_path / "twice.npz", temperatures=[0.5, 0.5], spins=np.stack(list(SAMPLES.values())))
    np.savez(tmp_path / "none.npz")
    (tmp_path / "torn.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:80])
    (tmp_path / "rows.csv").write_text("0,1\n")
    (tmp_path / "empty").mkdir()
    said = {
        "one.npz": "got 'rows' among rows: rename it",
        "shapes.npz": r"temperatures \(3,\) and spins \(2, 30, 4\)",
        "twice.npz": "expected each temperature once, got 0.5, 0.5",
        "none.npz": "got no array at all",
        "torn.npz": "damaged, cut short or not of the format npz",
        "rows.csv": "expected an npz file, a zarr group or a folder of npy files, got rows.csv",
        "empty": "found none: save them so",
    }
    for name, match in said.items():
        with pytest.raises(DataError, match=match):
            read_samples(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"did you mean one\.npz"):
        read_samples(tmp_path / "ones.npz")
