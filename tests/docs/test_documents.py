"""Documents keep their word: every path and link exists, every command composes."""

import re
import shlex
import tomllib

import pytest
from helpers import PROJECT_ROOT
from helpers.documents import CODE, DOCUMENTS, FENCE, commands, dotted_names, links, options, paths, resolves

from vae_mf.commands import mistakes
from vae_mf.commands.arguments import Mistake, read_arguments
from vae_mf.commands.mistakes import understood
from vae_mf.commands.options import compose
from vae_mf.commands.table import COMMANDS
from vae_mf.commands.unknown import choices_with, names_of

COMPOSITIONS = {name: compose(command.module) for name, command in COMMANDS.items()}
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@every_document
def test_links_and_paths_exist(document):
    text = document.read_text()
    lost = [target for target in links(text) if not (document.parent / target).exists()]
    lost += [path for path in paths(text) if not (PROJECT_ROOT / path).exists()]
    assert not lost


@every_document
def test_names_of_the_package_resolve(document):
    assert [name for name in dotted_names(document.read_text()) if not resolves(name)] == []


def test_a_lost_path_is_seen():
    text = "Read [the plan](docs/plan.md) and `vae_mf/nothing.py`, or run `python scripts/nothing.py a=1`."
    assert links(text) == ["docs/plan.md"]
    assert paths(text) == ["docs/plan.md", "vae_mf/nothing.py", "scripts/nothing.py"]
    assert not resolves("vae_mf.systems.Nothing")
    assert not resolves("vae_mf.nothing")
    assert dotted_names("`vae_mf.models.VAE` of vae_mf.") == ["vae_mf.models.VAE"]
    assert commands(text) == [("scripts/nothing.py", "a=1")]


@every_document
def test_commands_exist_and_understand_their_options(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Runs that a page speaks of are those of its reader.
    monkeypatch.setattr(mistakes, "refuse_absent_runs", lambda *_: None)
    for name in ("FILE", "RUN", "spikes.npy", "PATTERNS.npy"):
        (tmp_path / name).touch()
    for name, rest in commands(document.read_text()):
        if document.name == "extend.md":
            continue  # with the files of the page, in test_extend
        if name.endswith(".py"):
            assert (PROJECT_ROOT / name).exists(), name
        if name == "scripts/zoo.py" or name.startswith(("scripts/benchmarks/", "scripts/site/")):
            flags = re.findall(r"--[\w-]+", rest)
            sources = "".join(path.read_text() for path in (PROJECT_ROOT / name).parent.rglob("*.py"))
            assert not [flag for flag in flags if f'"{flag}"' not in sources], rest
        else:
            command = COMMANDS[re.sub(r".*/|\.py$", "", name).replace("_", "-")]
            if rest:  # else only its name is mentioned
                understood(command, read_arguments(shlex.split(rest)))


@every_document
def test_options_are_those_of_a_command_that_the_page_names(document):
    text = document.read_text()
    named = {re.sub(r".*/|\.py$", "", name).replace("_", "-") for name, _ in commands(text)}
    named |= {word for code in CODE.findall(FENCE.sub("", text)) for word in code.split()}
    for option in options(text):
        takers = {name for name, composition in COMPOSITIONS.items() if takes(composition, option)}
        assert not takers or takers & named, f"{option} is an option of {', '.join(takers)}"


def takes(composition, option):
    return option in (*names_of(composition), *composition.choices) or bool(choices_with(option, composition))


def test_an_option_of_another_command_is_seen():
    assert options("With `split=time a.b=1` or `dataset.split.folds`, not `vae-mf train seed=1` or `x`.") == [
        "split",
        "a.b",
        "dataset.split.folds",
    ]
    assert takes(COMPOSITIONS["train"], "dataset.split.validation")
    assert not takes(COMPOSITIONS["sample"], "split")


def test_a_mistake_in_a_command_is_seen():
    with pytest.raises(Mistake, match="did you mean"):
        understood(COMMANDS["train"], read_arguments(["experiment=hopfeld_quick"]))


def test_the_page_on_architecture_shows_the_layers_of_the_contract():
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    (contract,) = (c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    table = re.findall(r"^\|[^|]*\|((?: `\w+`,?)+) \|$", (PROJECT_ROOT / "docs/architecture.md").read_text(), re.M)
    shown = [set(re.findall(r"\w+", row)) for row in table]
    assert shown == [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]
