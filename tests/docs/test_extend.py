"""The page on extensions: every example runs, and every command on it composes with the YAML files beside it."""

import re
import shlex
import sys

import pytest
from helpers import PROJECT_ROOT
from helpers.documents import FILE, blocks, commands, overrides

from vae_mf.commands.table import COMMANDS
from vae_mf.datasets import file_formats
from vae_mf.datasets.file_formats import load_readers

PAGE = (PROJECT_ROOT / "docs" / "extend.md").read_text()
SECTIONS = dict(section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.M)[1:])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files of the page, where Python finds them."""
    folder = tmp_path_factory.mktemp("extensions")
    for block in blocks(PAGE, "python") + blocks(PAGE, "yaml"):
        if name := FILE.match(block):
            path = folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        load_readers()
        patch.setattr(file_formats, "FORMATS", list(file_formats.FORMATS))
        yield folder
        for path in folder.glob("*.py"):
            sys.modules.pop(path.stem, None)


def test_every_part_has_a_section():
    parts = ["System", "Sampler", "Encoder", "Decoder", "Prior", "Estimator", "Density model", "Reader"]
    assert list(SECTIONS) == parts


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_runs(section, place):
    examples = [block for block in blocks(SECTIONS[section], "python") if not FILE.match(block)]
    assert examples
    for example in examples:
        exec(compile(example, f"docs/extend.md, {section}", "exec"), {})


@pytest.mark.parametrize("section", SECTIONS)
def test_the_commands_compose(section, place, compose_config):
    for name, rest in commands(SECTIONS[section]):
        own = f"hydra.searchpath=[file://{place}/conf]"
        words = [
            word if "=" in word or word[0] in "-~" else f"{COMMANDS[name].word}={word}" for word in shlex.split(rest)
        ]
        compose_config(COMMANDS[name].module, own, *overrides(words))
