"""Every configuration composes, names code that exists where its folder says, and has a folder of its own."""

import importlib
import inspect
import sys
import tomllib
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers import PROJECT_ROOT
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from scipy.linalg import hadamard

from vae_mf.runs.build import build_callbacks, build_loggers, build_module
from vae_mf.runs.identity import IDENTITY, WITHOUT_EFFECT
from vae_mf.runs.models import build_vae
from vae_mf.runs.sampling import build_sampler
from vae_mf.systems.base import System
from vae_mf.systems.hopfield import hebbian_couplings
from vae_mf.systems.k_sat import KSat

CONF = PROJECT_ROOT / "conf"
PACKAGES = {
    "system": "vae_mf.systems",
    "sampler": "vae_mf.samplers",
    "sampling": "vae_mf.samplers",
    "tempering": "vae_mf.samplers",
    "dataset": "vae_mf.datasets",
    "split": "vae_mf.datasets",
    "model": "vae_mf.models",
    "training": "vae_mf.training",
    "evaluation": "vae_mf.verdict",
    "inverse_ising": "vae_mf.inverse_ising",
    "density_models": "vae_mf.density_models",
    "logger": "pytorch_lightning.loggers",
    "callbacks": "pytorch_lightning.callbacks",
}
FOREIGN = {
    "system/hopfield_given": {"numpy.load"},
    "system/ising": {"numpy.load"},
    "density_models/pairwise": {"vae_mf.inverse_ising.BoltzmannLearning"},
    "density_models/pairwise_pseudolikelihood": {"vae_mf.inverse_ising.PseudoLikelihood"},
    "evaluation/critic": {"vae_mf.analysis.CriticSettings"},
    "sampler/hopfield_device": {"vae_mf.device_samplers.DeviceHopfieldGibbs"},
    "sampler/maier_saupe_device": {"vae_mf.device_samplers.DeviceMaierSaupeDirect"},
    "sampler/multispin_device": {"vae_mf.device_samplers.DeviceMultispin"},
}
"""Targets outside the package of the folder's name, per file."""
WITHOUT_TARGETS = {"benchmark", "discovery", "experiment", "paths", "store", "trainer"}
NAMED = {"given_couplings": "ising"}
"""Experiments whose runs are named after their system."""
SIXTEEN_SITES = {"sites": 16, "side": 4, "dimension": 2}
"""Options that make any system small, where it has them."""


def files(*groups: str) -> list[str]:
    names = [path.relative_to(CONF).with_suffix("").as_posix() for path in sorted(CONF.rglob("*.yaml"))]
    return [name for name in names if name.split("/")[0] in groups and "/" in name]


def options(group: str) -> list[str]:
    return [Path(name).name for name in files(group.split("/")[0]) if Path(name).parent.as_posix() == group]


def targets(node) -> list[DictConfig]:
    """All nodes with a target, outer ones first."""
    if not OmegaConf.is_dict(node):
        return []
    inner = [target for key in node if not OmegaConf.is_missing(node, key) for target in targets(node._get_node(key))]
    return [node] * ("_target_" in node) + inner


def locate(path: str):
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(path)


@pytest.fixture(autouse=True)
def given_patterns(tmp_path, monkeypatch):
    """Work where the files exist that some experiments ask the user for."""
    monkeypatch.chdir(tmp_path)
    np.save("patterns.npy", hadamard(16)[:2].astype(np.int8))
    np.save("couplings.npy", (hadamard(16) - np.diag(np.diag(hadamard(16)))).astype(float))


def experiment(compose_config, name: str, *overrides: str) -> DictConfig:
    text = (CONF / "experiment" / f"{name}.yaml").read_text()
    required = ["dataset.path=recording.npy"] if "/dataset:" in text else []
    required += ["system.patterns.file=patterns.npy", "model.latents=2"] if "/system: hopfield_given" in text else []
    required += ["system.couplings.file=couplings.npy"] if "/system: ising\n" in text else []
    return compose_config("train", f"experiment={name}", *required, *overrides)


@pytest.mark.parametrize("name", options("experiment/sampling"))
def test_every_sampling_experiment_builds(compose_config, name):
    config = compose_config("sample", f"experiment=sampling/{name}")
    system = instantiate(config.system)
    sampler, sampling = instantiate(config.sampler)(system), instantiate(config.sampling)
    assert isinstance(system, System)
    assert sampler.sites == system.sites
    assert sampling.samples == sampling.chain_count * sampling.schedule.draws
    assert sampling.block_count >= 3


def test_the_groups_are_known():
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert groups == set(PACKAGES) | WITHOUT_TARGETS


@pytest.mark.parametrize("name", files(*PACKAGES))
def test_targets_exist_where_the_folder_says_and_take_these_arguments(name):
    config = OmegaConf.load(CONF / f"{name}.yaml")
    config.pop("defaults", None)
    found = targets(config)
    if not name.endswith("/none") and "defaults" not in OmegaConf.load(CONF / f"{name}.yaml"):
        assert found
    for node in found:
        path = node._get_node("_target_")._value()
        target = locate(path)
        assert callable(target)
        if path not in FOREIGN.get(name, ()):
            assert f"{path}.".startswith(f"{PACKAGES[name.split('/')[0]]}."), path
        arguments = [key for key in node if not key.startswith("_")]
        inspect.signature(target).bind_partial(**dict.fromkeys(arguments))


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_composes_and_resolves(compose_config, name):
    config = experiment(compose_config, name)
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert Path(config.run.folder).parent == PROJECT_ROOT / "outputs"
    assert Path(config.run.folder).name.startswith(f"{NAMED.get(name, name)}-")
    assert ("system" in config) != ("dataset" in config)
    instantiate(config.evaluation)
    system = instantiate(config.system) if "system" in config else None
    assert build_module(config, system.sites if system else 16, system).vae.prior.latents == config.model.latents


@pytest.mark.parametrize("name", [name for name in options("experiment") if name not in ("retina", "samples")])
def test_equilibrium_experiments_build_a_system_its_sampler_and_its_plan(compose_config, name):
    config = experiment(compose_config, name)
    system = instantiate(config.system)
    assert isinstance(system, System)
    assert instantiate(config.sampler)(system).sites == system.sites
    assert instantiate(config.sampling).samples == config.sampling.samples


@pytest.mark.parametrize("name", options("system"))
def test_every_system_has_its_sampler(compose_config, name, tmp_path):
    patterns = np.random.default_rng(1).choice([-1, 1], (2, 16)).astype(np.int8)
    np.save(tmp_path / "patterns.npy", patterns)
    np.save(tmp_path / "couplings.npy", hebbian_couplings(patterns))
    keys = OmegaConf.load(CONF / "system" / f"{name}.yaml").keys()
    small = [f"system.{key}={value}" for key, value in SIXTEEN_SITES.items() if key in keys]
    given = [f"system.{key}.file={tmp_path}/{key}.npy" for key in ("patterns", "couplings") if key in keys]
    KSat.random(16, 3, seed=1, clauses=40).to_file(tmp_path / "formula.cnf")
    given += [f"system.path={tmp_path}/formula.cnf"] if "path" in keys else []
    config = compose_config("sample", f"system={name}", *(small or given))
    system = instantiate(config.system)
    assert isinstance(system, System)
    assert instantiate(config.sampler)(system).sites == system.sites == 16
    assert Path(config.store.path).name.startswith(f"{name}-")


@pytest.mark.parametrize("name", ["curie_weiss", "hopfield", "ising2d", "maier_saupe", "sherrington_kirkpatrick"])
def test_the_automatic_sampler_is_that_of_the_system(compose_config, name):
    config, automatic = (compose_config("sample", f"system={name}", *more) for more in ((), ("sampler=auto",)))
    system = instantiate(config.system)
    assert type(build_sampler(automatic, system)) is type(build_sampler(config, system))


@pytest.mark.parametrize("name", options("sampling"))
def test_every_plan_is_one(compose_config, name):
    assert instantiate(compose_config("sample", f"sampling={name}").sampling).chain_count == 100


def test_every_model_builds(compose_config):
    """Every part is composed once; parts of spins and of directors do not go together."""
    model, parts = compose_config("train").model, ("encoder", "decoder", "prior")
    composed = {
        (part, name): compose_config("train", f"model/{part}={name}").model[part]
        for part in parts
        for name in options(f"model/{part}")
    }
    for names in product(*(options(f"model/{part}") for part in parts)):
        model.update({part: composed[part, name] for part, name in zip(parts, names, strict=True)})
        mixed = names[0].startswith("director") != names[1].startswith("bingham")
        refusal = pytest.raises(ValueError, match="kind: expected the same in all parts of the model")
        with refusal if mixed else nullcontext():
            assert build_vae(model, 16, seed=1).latents == model.latents, names


@pytest.mark.parametrize("name", options("trainer"))
def test_every_trainer_composes(compose_config, name):
    config = compose_config("train", f"trainer={name}")
    assert (config.trainer.devices == 1) == ("strategy" not in config.trainer)


def test_loggers_and_callbacks_are_built_by_name(compose_config, tmp_path):
    config = compose_config("train")
    loggers = build_loggers(config, tmp_path)
    assert [type(logger).__name__ for logger in loggers] == ["CSVLogger", "TensorBoardLogger"]
    assert {Path(logger.save_dir) for logger in loggers} == {tmp_path}
    assert build_callbacks(config) == []
    config = compose_config("train", "logger=none", "callbacks=[early_stopping,learning_rate_monitor]")
    assert build_loggers(config, tmp_path) == []
    assert [type(part).__name__ for part in build_callbacks(config)] == ["EarlyStopping", "LearningRateMonitor"]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_the_extra_of_a_logger_is_named(compose_config, tmp_path, monkeypatch, name):
    for module in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, module, None)
    for flag in ("wandb._WANDB_AVAILABLE", "mlflow._MLFLOW_AVAILABLE"):
        monkeypatch.setattr(f"pytorch_lightning.loggers.{flag}", False)
    config = compose_config("train", f"logger={name}")
    with pytest.raises(ImportError, match=rf"logger={name}: .* pip install 'vae_mf\[{name}\]'"):
        build_loggers(config, tmp_path)
    extras = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert name in extras


def test_callbacks_count_in_the_digest_and_loggers_do_not(compose_config):
    before = compose_config("train").run.digest
    assert compose_config("train", "logger=csv").run.digest == before
    assert compose_config("train", "logger=none").run.digest == before
    options = ["callbacks=early_stopping", "callbacks.early_stopping.patience=3"]
    stopped = [compose_config("train", *options[:count]).run.digest for count in (1, 2)]
    assert len({before, *stopped}) == 3


def leaves(node, prefix: str) -> list[str]:
    if not OmegaConf.is_dict(node):
        return [prefix]
    return [leaf for key in node for leaf in leaves(node._get_node(key), f"{prefix}.{key}")]


SCIENCE = tuple(group for group in IDENTITY if group != "tempering")  # a wrapper: absent by default


@pytest.mark.parametrize("name", ["hopfield_quick", "retina"])
def test_every_scientific_option_changes_the_run_folder(compose_config, name):
    config = experiment(compose_config, name)
    folder = config.run.folder
    every = [leaf for group in SCIENCE if group in config for leaf in leaves(config._get_node(group), group)]
    changed = [leaf for leaf in every if leaf not in WITHOUT_EFFECT]
    assert len(changed) > 30
    folders = {folder}
    for leaf in changed:
        other = config.copy()
        OmegaConf.update(other, leaf, 12345)
        assert other.run.folder not in folders, leaf
        folders.add(other.run.folder)


@pytest.mark.parametrize("name", ["hopfield_quick", "retina"])
def test_the_machine_does_not_change_the_name_of_the_run_folder(compose_config, name):
    overrides = ["threads=7", "torch_threads=2", "paths.data=/elsewhere", "paths.outputs=/somewhere"]
    overrides += ["training.captured=false"]
    config, moved = experiment(compose_config, name), experiment(compose_config, name, *overrides)
    assert Path(moved.run.folder) == Path("/somewhere") / Path(config.run.folder).name


def test_the_store_is_shared_by_runs_that_differ_in_the_model_only(compose_config):
    path = experiment(compose_config, "hopfield_quick").store.path
    for override in ("model.latents=7", "training.epochs=3", "evaluation.restarts=1", "trainer.precision=64-true"):
        assert experiment(compose_config, "hopfield_quick", override).store.path == path
    for override in ("seed=7", "system.sites=64", "sampler.jump_every=3", "sampling.thinning=4", "tempering=parallel"):
        assert experiment(compose_config, "hopfield_quick", override).store.path != path


def test_sampling_first_serves_the_training_of_the_same_plan(compose_config):
    config = experiment(compose_config, "hopfield_quick")
    plan = [f"sampling.temperatures={OmegaConf.to_container(config.sampling.temperatures)}", "system=hopfield"]
    assert compose_config("sample", *plan).store.path == config.store.path
