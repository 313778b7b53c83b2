"""Pages of help: every option and choice with its comment, within 80 columns, before anything heavy is imported."""

import shlex
import subprocess
import sys
from functools import cache

import pytest
from helpers import PROJECT_ROOT

from vae_mf.commands.arguments import read_arguments
from vae_mf.commands.completion import SCRIPTS, candidates
from vae_mf.commands.help import WIDTH, examples
from vae_mf.commands.main import main
from vae_mf.commands.mistakes import understood
from vae_mf.commands.options import WIRE, compose, read_comments
from vae_mf.commands.table import COMMANDS

CONF = PROJECT_ROOT / "conf"
HEAVY = {"torch", "pytorch_lightning", "lightning_fabric", "numba", "matplotlib", "scipy", "pandas"}
FILES = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("*.yaml"))
CHOSEN_BEFORE = ("experiment", "discovery/quick")
"""Files that only choose and set what others explain."""
PROBE = """
import resource, sys
from vae_mf.commands.main import main
sys.argv = ["vae-mf", *sys.argv[1:]]
try:
    main()
finally:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_utime + usage.ru_stime, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def said(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["vae-mf", *words])
    main()
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["train", "experiment=retina"]], ids=" ".join)
def test_help_fits_the_terminal_and_names_every_option(monkeypatch, capsys, words):
    page = said(monkeypatch, capsys, *words, "--help")
    assert max(map(len, page.splitlines())) <= WIDTH
    if not words:
        assert all(f"  {name} " in page for name in COMMANDS)
        return
    command = COMMANDS[words[0]]
    flat = " ".join(page.split())
    for option in compose(command.module, words[1:]).options():
        if not option.name.startswith(f"{command.choices}."):
            assert f" {option.name}=" in flat
            assert " ".join(option.comment.split()) in flat
    composition = compose(command.module, words[1:])
    for group, choice in composition.choices.items():
        if isinstance(choice, str) and "@" not in group and not group.startswith(("hydra/", "paths")):
            assert f"[{choice}]" in page
            assert all(name in flat for name in composition.choices_of(group))


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(CHOSEN_BEFORE)])
def test_every_option_has_a_comment(name):
    for option in read_comments(name).options:
        if option.name.endswith((".stages", ".draw")) or WIRE.fullmatch(option.default):
            continue
        inherited = compose_with_parents(name)
        assert option.comment or inherited.get(option.name), f"{name}: {option.name}"


@cache
def compose_with_parents(name: str) -> dict[str, str]:
    """Comments of the options of a file and of those that it is composed of."""
    node = name.split("/")[0]
    options = compose(name).options() if "/" in name else []
    return {option.name.removeprefix(f"{node}."): option.comment for option in options}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_group_of_a_command_has_a_comment(name):
    root = read_comments(COMMANDS[name].module)
    assert all(root.groups.values()), root.groups


def test_the_options_of_a_choice_are_listed_with_it(monkeypatch, capsys):
    assert "system.side=" not in said(monkeypatch, capsys, "sample", "--help")
    assert "system.side=" in said(monkeypatch, capsys, "sample", "system=ising2d", "--help")
    assert "figures.retrieval.tables.sizes=" in said(monkeypatch, capsys, "reproduce", "figure=retrieval", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_three_examples_of_every_command_are_understood(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("FILE", "TIMES.csv", "PATTERNS.npy", "bint_fishmovie32_100.mat"):
        (tmp_path / file).touch()
    for folder in ("hopfield_quick-0123456789", "retina-0123456789", "ising2d_scaling-0123456789", "run (1)"):
        (tmp_path / "outputs" / folder).mkdir(parents=True)
    lines = examples(COMMANDS[name])
    assert len(lines) == 3
    for line in lines:
        program, command, *words = shlex.split(line)
        assert (program, command) == ("vae-mf", name)
        understood(COMMANDS[name], read_arguments(words))


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["discover", "--help"], ["train", "seeed=1"]], ids=str
)
def test_help_and_mistakes_import_nothing_heavy(words):
    done = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True)
    seconds, *modules = done.stderr.splitlines()[-1].split()
    assert float(seconds) < 2
    assert HEAVY.isdisjoint(modules)


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    from vae_mf import __version__

    assert said(monkeypatch, capsys, "--version") == f"vae-mf {__version__}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vae-mf disc", ["discover"]),
        ("vae-mf train experiment=hopfield_q", ["experiment=hopfield_quick"]),
        ("vae-mf discover dataset.p", ["dataset.path="]),
        ("vae-mf discover quick=", ["quick=true", "quick=false"]),
        ("vae-mf sample system=ising2d system.s", ["system.side="]),
        ("vae-mf reproduce figure=retr", ["figure=retrieval"]),
        ("vae-mf train --mul", ["--multirun"]),
        ("vae-mf discover dataset.path=fi", []),
        ("vae-mf nonsense ", []),
    ],
)
def test_words_are_completed(line, expected):
    assert candidates(line) == expected


def test_bash_completes_behind_the_equals_sign(tmp_path):
    (tmp_path / "vae-mf").write_text(f'#!/bin/sh\nexec {sys.executable} -m vae_mf "$@"\n')
    (tmp_path / "vae-mf").chmod(0o755)
    script = f"""{SCRIPTS["bash"]}
    PATH={tmp_path}:$PATH COMP_LINE="vae-mf train experiment=hopfield_q" COMP_POINT=34 COMP_CWORD=4
    COMP_WORDS=(vae-mf train experiment = hopfield_q)
    _vae_mf
    echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=PROJECT_ROOT)
    assert done.stdout == "hopfield_quick\n"


def test_the_scripts_of_the_shells_are_printed(monkeypatch, capsys):
    for shell, script in SCRIPTS.items():
        assert said(monkeypatch, capsys, "--completion", shell) == script
