"""An experiment's values go with the classes that they were written for, and a run is named by what it is."""

import pytest
from helpers import PROJECT_ROOT
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf
from rich.progress import Progress

from vae_mf.commands.arguments import Mistake, read_arguments
from vae_mf.commands.help import page
from vae_mf.commands.mistakes import understood
from vae_mf.commands.options import loader_of_hydra
from vae_mf.commands.table import COMMANDS
from vae_mf.runs.tasks import build_task

EXPERIMENTS = PROJECT_ROOT / "conf" / "experiment"
NAMES = [path.relative_to(EXPERIMENTS).with_suffix("").as_posix() for path in EXPERIMENTS.rglob("*.yaml")]
OTHERS = {
    "system": ["curie_weiss", "ising2d"],
    "sampler": ["auto", "wolff"],
    "model/encoder": ["director_linear", "linear"],
    "model/decoder": ["bingham_shared", "mlp"],
    "model/prior": ["autoregressive", "gaussian"],
    "evaluation": ["capacity", "recording"],
}
"""Choices of which at least one is of another class than that of any experiment."""


@pytest.fixture(scope="module")
def composed():
    """Configurations of the train command, not resolved, by their choices."""
    kept = {}

    def build(*choices: str) -> dict:
        if choices not in kept:
            with loader_of_hydra() as loader:
                kept[choices] = loader.load_configuration("train", list(choices), RunMode.RUN)
        return OmegaConf.to_container(kept[choices])

    return build


@pytest.mark.parametrize("group", OTHERS)
@pytest.mark.parametrize("name", sorted(name for name in NAMES if "/" not in name or name == "paper/ising2d"))
def test_another_class_has_its_own_values_whatever_the_experiment(name, group, composed):
    node = group.split("/")

    def at(config: dict) -> dict:
        for part in node:
            config = config.get(part) or {}
        return config

    own = at(composed(f"experiment={name}")).get("_target_")
    others = {choice: at(composed("~experiment", f"{group}={choice}")) for choice in OTHERS[group]}
    choice = next(choice for choice, alone in others.items() if alone["_target_"] != own)
    assert at(composed(f"experiment={name}", f"{group}={choice}")) == others[choice]


@pytest.mark.parametrize(
    ("choices", "node", "values"),
    [
        (["experiment=retina", "split=repeat"], "dataset", {"variables": 40}),
        (["experiment=retina", "dataset=retina"], "dataset", {"variables": 40}),
        (["experiment=ising2d_quick", "sampling=direct"], "sampling", {"thinning": 20}),
        (["experiment=hopfield_quick", "model/encoder=mlp", "model/prior=mixture"], "training", {"epochs": 40}),
        (["experiment=hopfield_quick", "system=curie_weiss"], "sampling", {"samples": 4000, "anneal": 300}),
        (["experiment=ising2d_quick", "model/decoder=linear"], "model", {"latents": 1}),
        (["experiment=ising2d_quick", "system=curie_weiss", "system.sites=64"], "system", {"sites": 64}),
    ],
)
def test_values_for_a_class_that_stays_stay_and_what_is_typed_counts(choices, node, values, composed):
    assert values.items() <= composed(*choices)[node].items()


def test_without_a_system_nothing_is_left_of_its_values(composed):
    assert "system" not in composed("experiment=hopfield_quick", "~system")
    assert "dataset" not in composed("experiment=retina", "~dataset", "~split")


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        ([], "hopfield_quick"),
        (["experiment=ising2d_scaling"], "ising2d_scaling"),
        (["experiment=paper/maier_saupe"], "paper/maier_saupe"),
        (["system=hopfield", "model/prior=spline"], "hopfield_quick"),
        (["system=curie_weiss", "sampler=auto"], "curie_weiss"),
        (["experiment=paper/hopfield", "system=ising2d"], "ising2d"),
        (["experiment=curie_weiss_quick", "system=maier_saupe"], "maier_saupe"),
        (["~experiment", "system=curie_weiss"], "curie_weiss"),
        (["experiment=retina", "dataset.path=FILE", "split=time"], "retina"),
        (["experiment=retina", "dataset=mnist8"], "mnist8"),
        (["experiment=samples"], "samples"),
        (["experiment=samples", "system=curie_weiss"], "curie_weiss"),
        (["experiment=given_couplings"], "ising"),
        (["~experiment", "dataset=mnist8"], "mnist8"),
        (["~system", "dataset=mnist8"], "mnist8"),
        (["~experiment"], "run"),
    ],
)
def test_a_run_is_named_by_its_experiment_or_by_another_system_or_data_set(choices, name, compose_config):
    assert compose_config("train", *choices, "model.latents=1").run.name == name


def test_an_experiment_that_includes_another_and_changes_its_system_is_one(tmp_path, compose_config):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults:\n  - /experiment/ising2d_quick\n  - override /system: curie_weiss\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"{text}  - _self_\nsystem:\n  coupling: 2.0\n")
    own = [f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"]
    config = compose_config("train", *own)
    assert config.run.name == "mine"
    assert dict(config.system) == {"_target_": "vae_mf.systems.CurieWeiss", "sites": 256, "coupling": 2.0}
    other = compose_config("train", *own, "system=hopfield")
    assert other.run.name == "hopfield"
    assert (other.system.patterns, other.system.coupling) == (3, 1.0)


def test_the_jobs_of_a_sweep_are_composed_alike():
    with loader_of_hydra() as loader:
        master = loader.load_configuration("train", ["system=hopfield,curie_weiss"], RunMode.MULTIRUN)
        jobs = [loader.load_sweep_config(master, [f"system={name}"]) for name in ("hopfield", "curie_weiss")]
    assert [job.system.get("patterns") for job in jobs] == [3, None]
    assert not GlobalHydra.instance().is_initialized()


def test_an_option_of_a_class_that_was_replaced_is_none_any_more():
    with pytest.raises(Mistake, match=r"system.patterns=3; it comes with system=hopfield"):
        understood(COMMANDS["train"], read_arguments(["system=curie_weiss", "system.patterns=3"]))
    composition = understood(COMMANDS["train"], read_arguments(["system=curie_weiss", "--help"]))[1]
    text = page(COMMANDS["train"], composition, None)
    assert "system.sites=256" in text
    assert "patterns=" not in text


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["~experiment"], "expected a system, as in system=curie_weiss, or a dataset, got neither"),
        (["dataset=mnist8"], "or a dataset, got both; experiment=null leaves out those of the experiment"),
        (
            ["~experiment", "system=curie_weiss"],
            "with it sampler=auto sampling=markov_chain store=default, got neither",
        ),
        (["~experiment", "system=curie_weiss", "store=default", "sampler=auto"], "with it sampling=markov_chain, got"),
        (["~experiment", "dataset=mnist8"], "dataset: expected an experiment, or with it split=random, got neither"),
    ],
)
def test_a_part_that_is_missing_is_named_with_what_to_give(options, match, compose_config, tmp_path):
    config = compose_config("train", *options, "model.latents=1", f"paths.data={tmp_path}")
    with pytest.raises(ValueError, match=match):
        build_task(config, Progress(disable=True))
    assert list(tmp_path.iterdir()) == []
