"""Digests that never change, and run folders of version 0.1 in the names of today."""

import hashlib
import os
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from vae_mf.commands.evaluate import same_settings
from vae_mf.datasets import files
from vae_mf.datasets.files import DataError
from vae_mf.files import WEIGHTS
from vae_mf.runs import identity
from vae_mf.runs.errors import one_line
from vae_mf.runs.identity import BLOCK, config_digest, content_hash, contents, own_source
from vae_mf.runs.models import build_vae, load
from vae_mf.runs.names import ADDED, FIRST_NAMES, MOVED, first_paths, moved, present_name, present_names, renamed
from vae_mf.training.weights import save_weights

FOLDER = Path(__file__).parent / "version_0_1"
"""Configurations as version 0.1 wrote them into its run folders; the recording is given by the hash of its file."""
EXPERIMENTS = ["curie_weiss_quick", "hopfield_quick", "maier_saupe_quick", "retina"]
STORE = ["seed", "system", "sampler", "tempering", "sampling"]


def written(name: str) -> dict:
    return OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"))


@pytest.mark.parametrize("target", ["sent.deep.Callback", "sent.Callback", "__main__.deep.Callback", ".deep.Callback"])
def test_a_digest_imports_nothing(tmp_path, monkeypatch, target):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "__init__.py").write_text("raise SystemExit('run')", encoding="utf-8")
    (tmp_path / "sent" / "deep.py").touch()
    callback = {"callbacks": {"theirs": {"_target_": target}}}
    assert config_digest(callback) != config_digest({})
    if target == "sent.deep.Callback":
        assert own_source(target) == tmp_path / "sent" / "deep.py"


def test_a_store_is_found_from_any_device(compose_config):
    words = ["system=hopfield", "system.patterns=3", "sampler=hopfield_device"]
    found = [compose_config("sample", *words, f"sampler.device={device}").store for device in ("auto", "cpu", "cuda:1")]
    assert len({store.digest for store in found}) == 1
    assert found[0].digest != compose_config("sample", *words[:2]).store.digest
    assert found[0].digest != compose_config("sample", *words, "sampler.jump_every=3").store.digest


def test_a_run_is_found_however_its_steps_are_taken(compose_config):
    words = [[], ["training.captured=true"], ["training.captured=false"]]
    assert len({compose_config("train", *word).run.digest for word in words}) == 1
    words = [[], ["discovery.training.captured=false"]]
    assert len({compose_config("discover", "dataset.path=rows.npy", *word).folder for word in words}) == 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_the_run_folder_and_the_store_of_version_0_1(compose_config, name):
    before = written(name)
    required = [f"dataset.path={before['dataset']['path']}"] if "dataset" in before else []
    now = compose_config("train", f"experiment={name}", *required)
    assert now.run.digest == before["run"]["digest"]
    if "store" in before:
        assert now.store.digest == before["store"]["digest"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_configuration_of_version_0_1_is_read_in_the_names_of_today_and_keeps_its_digest(compose_config, name):
    before = written(name)
    now = present_names(before)
    assert config_digest(now) == before["run"]["digest"]
    if "store" in before:
        assert config_digest(now, STORE) == before["store"]["digest"]
    required = [f"dataset.path={before['dataset']['path']}"] if "dataset" in before else []
    composed = compose_config("train", f"experiment={name}", *required)
    for group in ("system", "sampler", "sampling", "dataset", "split", "model", "training", "evaluation"):
        node = composed.get(group)
        assert now.get(group) == (None if node is None else OmegaConf.to_container(node, resolve=True)), group


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_run_folder_of_version_0_1_gives_its_model_back(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config.yaml").write_text((FOLDER / f"{name}.yaml").read_text())
    (folder / "run.json").write_text('{"sites": 8, "seed": 42}')
    model = build_vae(present_names(written(name))["model"], 8, seed=7)
    save_weights(model, folder / WEIGHTS)
    loaded = load(folder).vae.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())


def test_a_verdict_of_version_0_1_is_read_and_prepared_again(compose_config):
    """It rests on another rule, whatever its settings."""
    first = OmegaConf.load(FOLDER / "verdict" / "config.yaml")
    assert same_settings(FOLDER / "verdict", first)
    assert not same_settings(FOLDER / "verdict", OmegaConf.merge(first, {"components": 3999}))
    assert not same_settings(FOLDER / "verdict", compose_config("evaluate", "run=RUN").evaluation)


def test_targets_are_read_in_their_names_of_today():
    assert present_name("vae_mf.models.mixture.MixturePrior") == "vae_mf.models.MixturePrior"
    assert present_name("mine.Prior") == "mine.Prior"
    assert len(set(FIRST_NAMES.values())) == len(FIRST_NAMES)


def test_options_move_there_and_back():
    moves = [("split", "data.split"), ("split.repeats", "data.repeats"), ("sampling.starts", "sampling.witnesses")]
    today = {"split": {"seed": 1, "repeats": "all"}, "sampling": {"starts": 6}}
    first = {"data": {"split": {"seed": 1}, "repeats": "all"}, "sampling": {"witnesses": 6}}
    assert moved(today, moves) == first
    assert {"split": today["split"], "sampling": today["sampling"], "data": {}} == moved(
        first, [(old, new) for new, old in moves]
    )


def test_every_moved_option_counts_as_before():
    for today, first in MOVED:
        assert today != first
        assert first_paths(renamed(nested(today), str)) == nested(first)


def nested(path: str) -> dict:
    node = 1
    for key in reversed(path.split(".")):
        node = {key: node}
    return node


def test_a_new_option_counts_where_it_is_set_and_only_there(monkeypatch):
    monkeypatch.setattr("vae_mf.runs.names.ADDED", (*ADDED, ("training.fancy", None), ("extra", {})))
    monkeypatch.setattr("vae_mf.runs.identity.ADDED", (*ADDED, ("training.fancy", None), ("extra", {})))
    paths = ["training", "extra"]
    before = config_digest({"training": {"epochs": 3}}, ["training"])
    assert config_digest({"training": {"epochs": 3, "fancy": None}, "extra": {}}, paths) == before
    assert config_digest({"training": {"epochs": 3, "fancy": 1}, "extra": {}}, paths) != before
    assert config_digest({"training": {"epochs": 3, "fancy": None}, "extra": {"a": 1}}, paths) != before
    read = present_names({"training": {"epochs": 3}})["training"]
    assert read == {"epochs": 3, "captured": "auto", "fancy": None}


@pytest.mark.parametrize(("module", "file"), [("own_prior", "own_prior.py"), ("own.priors", "own/priors.py")])
def test_the_file_of_a_users_class_counts(module, file, compose_config, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").touch()

    def name() -> str:
        return compose_config("train", "model/prior=gaussian", f"model.prior._target_={module}.Prior").run.digest

    absent = name()
    (tmp_path / file).write_text("class Prior: scale = 1")
    before = name()
    (tmp_path / file).write_text("class Prior: scale = 2")
    after = name()
    assert len({absent, before, after}) == 3
    (tmp_path / file).write_text("class Prior: scale = 1")
    assert name() == before


def test_installed_packages_and_python_itself_count_by_name(tmp_path, monkeypatch):
    for name in ("numpy.load", "torch.nn.Linear", "math.pi", "vae_mf.load", "absent.f"):
        assert own_source(name) is None, name
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "placed.py").touch()
    assert own_source("placed.Prior") == tmp_path / "placed.py"
    (tmp_path / "placed-1.0.dist-info").mkdir()
    assert own_source("placed.Prior") is None


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_configuration_of_today_is_read_as_it_is(compose_config, name):
    required = ["dataset.path=FILE"] if name == "retina" else []
    plain = OmegaConf.to_container(compose_config("train", f"experiment={name}", *required), resolve=True)
    assert present_names(plain) == plain


def place(root) -> dict:
    return {"dataset": {"path": str(root), "read": {"path": str(root)}}}


def test_an_input_counts_by_its_places_and_contents_and_is_read_once(tmp_path):
    folder = tmp_path / "a.zarr"
    (folder / "c").mkdir(parents=True)
    parts = {"c/0": b"x" * (BLOCK + 1), "zarr.json": b"{}"}
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    expected = hashlib.sha256(b"".join(name.encode() + content for name, content in parts.items())).hexdigest()
    before = content_hash.cache_info()
    assert contents(place(folder)) == {"dataset": {"path": expected, "read": {"path": expected}}}
    after = content_hash.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 1)
    (folder / "c/0").write_bytes(b"y")
    assert contents(place(folder)) != contents(place("elsewhere"))
    assert contents(place(folder))["dataset"]["path"] != expected


def test_of_a_spike_sorting_what_is_read_counts_alone(tmp_path, monkeypatch):
    for name in ("spike_times.npy", "spike_clusters.npy", "params.py", "cluster_KSLabel.tsv"):
        (tmp_path / name).write_text(name)
    found = contents(place(tmp_path))
    monkeypatch.setattr(files, "available_memory", lambda: 1_000)
    (tmp_path / "recording.dat").write_bytes(bytes(2_000))  # the voltages may be larger than the memory
    (tmp_path / ".phy").mkdir()
    (tmp_path / ".phy" / "params.py").touch()
    assert contents(place(tmp_path)) == found
    (tmp_path / "cluster_KSLabel.tsv").write_text("other")
    assert contents(place(tmp_path)) != found


def test_what_cannot_be_read_is_refused_before_it_is_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "content_hash", lambda *_: pytest.fail("hashed"))
    os.mkfifo(tmp_path / "a.npy")
    for root in (tmp_path / "a.npy", "/dev/zero"):
        with pytest.raises(DataError, match=f"{root}: expected a file, got neither file nor folder"):
            contents(place(root))
    monkeypatch.setattr(identity, "MOST_FILES_OF_OTHERS", 2)
    (tmp_path / "words.npy").write_bytes(b"x" * 10)
    for name in "abc":
        (tmp_path / name).write_text(name)
    with pytest.raises(DataError, match=f"{tmp_path}: expected a folder with one of"):
        contents(place(tmp_path))
    monkeypatch.setattr(files, "available_memory", lambda: 9)
    with pytest.raises(DataError, match=r"words\.npy: reading it takes .* GB are available: give a part of it"):
        contents(place(tmp_path / "words.npy"))


def test_a_refusal_within_a_configuration_is_told_alone(compose_config, tmp_path):
    os.mkfifo(tmp_path / "a.npy")
    config = compose_config("discover", f"dataset.path={tmp_path}/a.npy")
    with pytest.raises(InterpolationResolutionError) as refusal:
        config.folder  # noqa: B018 - an interpolation
    assert one_line(refusal.value).startswith(f"{tmp_path}/a.npy: expected a file, got neither file nor folder")
