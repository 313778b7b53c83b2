"""A command has no option that it does not use: code reads it, or another option that code reads hands it on."""

import re

import pytest
from helpers import PROJECT_ROOT

from vae_mf.commands.options import compose, read_comments
from vae_mf.commands.table import COMMANDS

CONF, PACKAGE = PROJECT_ROOT / "conf", PROJECT_ROOT / "vae_mf"
WHOLE = ("system", "sampler", "tempering", "sampling", "dataset.read", "model", "training", "trainer", "logger")
WHOLE += (
    "callbacks",
    "evaluation",
    "inverse_ising",
    "density_models",
    "discovery",
    "figures",
    "dataset.split",
    "methods",
    "network",
)
"""Nodes that become an object as a whole, which refuses what it does not know."""


def code(name: str) -> str:
    """The code that reads the configuration of a command."""
    shared = (PACKAGE / "runs").glob("*.py") if name in ("train", "sample", "evaluate") else []
    files = [*(PACKAGE / "commands").glob(f"{COMMANDS[name].module}*.py"), *shared]
    return "\n".join(path.read_text() for path in files)


def handed_on(name: str) -> str:
    """The files of a command with all its choices, where options may refer to others."""
    composition = compose(COMMANDS[name].module)
    groups = [group for group in composition.groups if "@" not in group]
    files = {file for file, _ in composition.files}
    files |= {f"{group}/{choice}" for group in groups for choice in composition.choices_of(group)}
    return "\n".join((CONF / f"{file}.yaml").read_text() for file in files)


def is_used(option: str, source: str, values: str) -> bool:
    name = re.escape(option)
    read = re.search(rf'\b(cfg|config)(\.{name}\b|\.get\("{name}")|\bplain\["{name}"\]', source)
    return bool(read or re.search(rf"\$\{{[^}}]*\b{name}\b", values))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_used(name):
    composition = compose(COMMANDS[name].module)
    source, values = code(name), handed_on(name)
    for option in composition.options():
        whole = next((node for node in WHOLE if f"{option.name}.".startswith(f"{node}.")), option.name)
        assert is_used(whole, source, values), f"{name}: {option.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_split_only_if_it_splits(name):
    assert ("split" in read_comments(COMMANDS[name].module).groups) == (name in ("train", "compare"))


def test_an_option_that_nothing_reads_is_seen():
    assert is_used("seed", "work(cfg.seed)", "")
    assert is_used("seed", 'plain = OmegaConf.to_container(cfg)\nwork(plain["seed"])', "")
    assert is_used("paths.data", "", "path: ${paths.data}/x")
    assert not is_used("repeats", "cfg.dataset.repeats_of", "repeats: all")
