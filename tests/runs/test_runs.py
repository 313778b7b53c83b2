"""Run folders explain themselves, refuse strangers, and give the trained model back."""

import json
import re

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from vae_mf.runs.build import build_module
from vae_mf.runs.errors import one_line
from vae_mf.runs.folder import open_run, record_run
from vae_mf.runs.identity import digest
from vae_mf.runs.models import build_vae, load
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.tables import write_metrics
from vae_mf.training.weights import save_weights

SMALL = ["model.latents=2", "model.prior.hidden=4", "model.prior.bins=4", "model.prior.layers=1"]


@pytest.fixture
def config(compose_config, tmp_path):
    return compose_config("train", *SMALL, f"paths.outputs={tmp_path}")


def test_a_digest_depends_on_contents_and_nothing_else():
    assert digest({"a": 1, "b": {"c": 1}}) == digest({"b": {"c": 1}, "a": 1})
    assert digest({"a": 1, "b": {"c": 1}}) != digest({"a": 2, "b": {"c": 1}})
    assert digest(1, None) != digest(None, 1)
    assert len(digest(None)) == 10


def test_a_run_folder_holds_its_resolved_configuration(config):
    run = open_run(config)
    written = OmegaConf.load(run.folder / "config.yaml")
    assert written.evaluation.seed == config.seed
    assert "${" not in (run.folder / "config.yaml").read_text()
    assert open_run(config).folder == run.folder
    assert not run.finished
    write_metrics(run.folder, {})
    assert run.finished


def test_the_folder_of_another_run_is_refused(config):
    folder = open_run(config).folder
    other = config.copy()
    OmegaConf.update(other, "model.latents", 3)
    other.run.folder = str(folder)
    before = (folder / "config.yaml").read_text()
    with pytest.raises(ValueError, match=r"run.folder: expected a folder of this configuration"):
        open_run(other)
    assert (folder / "config.yaml").read_text() == before


def test_a_run_is_found_again_whatever_the_threads_and_paths(compose_config, tmp_path):
    folder = open_run(compose_config("train", *SMALL, f"paths.outputs={tmp_path}")).folder
    moved = ["threads=3", "torch_threads=2", "paths.data=/elsewhere", f"run.folder={folder}"]
    assert open_run(compose_config("train", *SMALL, *moved)).folder == folder


def test_an_input_file_counts_by_what_it_holds(compose_config, tmp_path):
    first, second = tmp_path / "first.npy", tmp_path / "second.npy"
    first.write_bytes(b"one recording")
    second.write_bytes(b"one recording")

    def name(path):
        return compose_config("train", "experiment=retina", f"dataset.path={path}").run.digest

    before = name(first)
    assert name(second) == before
    first.write_bytes(b"another recording")
    assert name(first) != before
    second.unlink()
    second.mkdir()
    (second / "chunk").write_bytes(b"one recording")
    folder = name(second)
    (second / "chunk").rename(second / "moved")
    assert len({folder, name(second), before, name(first)}) == 4


def test_the_record_says_what_the_configuration_does_not(config):
    run = open_run(config)
    record_run(run, 64, [1.0])
    record = json.loads((run.folder / "run.json").read_text())
    assert (record["sites"], record["seed"]) == (64, config.seed)
    assert {"torch", "numpy", "zarr", "vae_mf"} <= record["software"].keys()
    assert record["revision"]


def test_weights_follow_the_seed_and_leave_the_global_generator_alone(config):
    state = torch.get_rng_state()
    first, again, other = (build_vae(config.model, 8, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["decoder.log_odds.weight"], other["decoder.log_odds.weight"])


@pytest.mark.parametrize("latents", [0, "two", 1.5])
def test_the_number_of_latents_is_checked(config, latents):
    OmegaConf.update(config, "model.latents", latents)
    with pytest.raises(ValueError, match=r"model.latents: expected an integer >= 1"):
        build_vae(config.model, 8, 1)


def test_the_module_takes_its_recipe_from_the_configuration(config):
    module = build_module(config, 8)
    assert module.learning_rate == config.training.module.learning_rate
    assert module.decay == config.training.module.decay
    assert module.seed == config.seed


def test_a_run_gives_its_best_model_back(config):
    run = open_run(config)
    record_run(run, 8, [1.0])
    trained = build_module(config, 8)
    with torch.no_grad():
        trained.vae.decoder.log_odds.weight.fill_(0.25)
    save_weights(trained.vae, run.weights)
    vae = load(run.folder).vae
    assert not vae.training
    assert all(torch.equal(value, trained.vae.state_dict()[key]) for key, value in vae.state_dict().items())


def test_a_model_for_other_configurations_is_refused(config):
    with pytest.raises(
        ValueError, match=r"model/encoder: expected one for the directors of maier_saupe, got .* for spins"
    ):
        build_module(config, 8, MaierSaupe(8))


def test_what_is_no_run_is_named(config, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run: expected a run folder with config.yaml and run.json"):
        load(tmp_path)
    run = open_run(config)
    record_run(run, 8, [1.0])
    with pytest.raises(FileNotFoundError, match=r"weights: expected a file at .*model.safetensors"):
        load(run.folder)


def test_errors_are_told_on_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(ValueError()) == "ValueError"
    with pytest.raises(InstantiationException) as caught:
        instantiate({"_target_": "vae_mf.models.GaussianPrior", "latents": 0})
    assert one_line(caught.value) == "latents: expected an integer >= 1, got 0"


def test_a_folder_without_a_run_is_told_from_the_run_that_was_meant(tmp_path, without_type_checks):
    run = tmp_path / "outputs" / "hopfield-01"
    store = tmp_path / "data.zarr"
    for file in (run / "run.json", run / "metrics.json", store / "zarr.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for folder, advice in [
        (store, ": it is a sample store, which vae_mf.open_store opens"),
        (run / "metrics.json", f": give the folder, {run}"),
        (tmp_path / "outputs", f": it holds runs, such as {run}"),
        (tmp_path / "outputs" / "hopfeld-01", f": did you mean {run}?"),
        (tmp_path / "nothing" / "at all", ""),
    ]:
        with pytest.raises(FileNotFoundError, match=re.escape(f"run.json, got {folder}{advice}") + "$"):
            load(folder)
    for folder in (None, 3, ""):
        with pytest.raises(ValueError, match="folder: expected a path, got "):
            load(folder)
