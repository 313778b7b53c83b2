"""Runs that have moved, or whose samples and data have."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from vae_mf.commands.compare import chosen_splits, fold_of
from vae_mf.runs.folder import open_run, record_run
from vae_mf.runs.identity import config_digest, data_hash
from vae_mf.runs.moved import relocated
from vae_mf.runs.recordings import build_recording
from vae_mf.store.sample_store import open_writer
from vae_mf.store.schema import StoreLayout


def sealed_store(path):
    layout = StoreLayout(sites=8, temperatures=(1.0,), blocks=1, rows_per_block=2, scalars={})
    with open_writer(path, layout, {"seed": 1}) as writer:
        writer.write_block(0, np.zeros((1, 2, 1), np.uint8), {})
        writer.seal({})


def recorded_run(folder=None, **groups):
    run = {"name": "own", "digest": config_digest({"seed": 1, **groups}), "folder": str(folder)}
    return OmegaConf.create({"seed": 1, "run": run, **groups})


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


def test_data_are_those_that_the_record_of_the_run_knows_wherever_they_are(tmp_path):
    places = [tmp_path / name for name in ("before", "elsewhere", "after")]
    for number, place in enumerate(places):
        place.mkdir()
        np.save(place / "rows.npy", np.full(3, number))
    own, *others = (str(place / "rows.npy") for place in places)
    config = recorded_run(dataset={"path": own, "read": {"path": own}})
    assert relocated(config, *places[1:], recorded=data_hash(own)) == config
    found = relocated(config, *places[1:], recorded=data_hash(others[1]))
    assert found.dataset.path == found.dataset.read.path == others[1]
    with pytest.raises(ValueError, match=r"before/rows\.npy: expected the data that the run own was trained on"):
        relocated(config, places[1], recorded=data_hash(others[1]))


def test_a_comparison_finds_the_data_of_a_run_that_have_moved(tmp_path, compose_config):
    before, after = tmp_path / "before.npy", tmp_path / "moved" / "before.npy"
    after.parent.mkdir()
    rows = np.random.default_rng(1).integers(0, 2, (60, 3)).astype(np.uint8)
    np.save(before, rows)
    cfg = compose_config("compare", f"dataset.path={after}", "split=time", f"paths.data={tmp_path}/none")
    dataset = OmegaConf.to_container(cfg.dataset, resolve=True)
    theirs = OmegaConf.create(dataset | {"path": str(before)})
    theirs.read.path, theirs.split = str(before), OmegaConf.create(dataset["split"] | {"split": "time"})
    run = open_run(recorded_run(tmp_path / "run", model={}, dataset=OmegaConf.to_container(theirs)))
    record_run(run, 3, [1.0])
    before.rename(after)
    recording = build_recording(cfg.dataset)
    splits = chosen_splits(cfg, recording, print)
    folders = Path(cfg.paths.data), after.parent
    assert fold_of(run, recording, splits, cfg.dataset, *folders) in splits
    np.save(after, 1 - rows)
    with pytest.raises(ValueError, match=r"moved/before\.npy: expected the data that the run own was trained on"):
        fold_of(run, recording, splits, cfg.dataset, *folders)


def test_data_that_are_nowhere_stay_named_as_they_were(tmp_path):
    config = recorded_run(dataset={"path": "/proc/alice/rows.npy"})
    assert relocated(config, tmp_path) == config
