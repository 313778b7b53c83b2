"""Runs that have moved, or whose samples and data have."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from vae_mf.runs.identity import config_digest
from vae_mf.runs.moved import relocated
from vae_mf.store.sample_store import open_writer
from vae_mf.store.schema import StoreLayout


def sealed_store(path):
    layout = StoreLayout(sites=8, temperatures=(1.0,), blocks=1, rows_per_block=2, scalars={})
    with open_writer(path, layout, {"seed": 1}) as writer:
        writer.write_block(0, np.zeros((1, 2, 1), np.uint8), {})
        writer.seal({})


def recorded_run(**groups):
    return OmegaConf.create(
        {"seed": 1, "run": {"name": "own", "digest": config_digest({"seed": 1, **groups})}, **groups}
    )


def test_samples_that_are_where_they_were_are_taken_from_there(tmp_path):
    sealed_store(tmp_path / "a.zarr")
    config = recorded_run(store={"path": str(tmp_path / "a.zarr")})
    assert relocated(config, tmp_path / "other") == config


def test_samples_that_have_moved_are_looked_for_by_name(tmp_path):
    config = recorded_run(store={"path": "/proc/alice/data/a.zarr"})
    assert relocated(config, tmp_path).store.path == str(tmp_path / "a.zarr")
    assert config.store.path == "/proc/alice/data/a.zarr"


def test_samples_are_never_drawn_where_a_run_from_elsewhere_says(tmp_path):
    for name in ("empty", "absent", "of_mine"):
        place = tmp_path / name
        if name != "absent":
            place.mkdir()
        if name == "of_mine":
            (place / "thesis.tex").touch()
        assert relocated(recorded_run(store={"path": str(place)}), tmp_path / "data").store.path == str(
            tmp_path / "data" / name
        )


def test_data_that_have_moved_are_looked_for_by_name_and_are_the_same(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    np.save(before / "rows.npy", np.eye(3))
    path = str(before / "rows.npy")
    config = recorded_run(dataset={"path": path, "read": {"path": path}})
    assert relocated(config, after) == config
    (before / "rows.npy").rename(after / "rows.npy")
    found = relocated(config, after)
    assert found.dataset.path == found.dataset.read.path == str(after / "rows.npy")
    np.save(after / "rows.npy", np.ones(3))
    with pytest.raises(ValueError, match=r"rows\.npy: expected the data that the run own was trained on, got others"):
        relocated(config, after)


def test_data_that_are_nowhere_stay_named_as_they_were(tmp_path):
    config = recorded_run(dataset={"path": "/proc/alice/rows.npy"})
    assert relocated(config, tmp_path) == config
