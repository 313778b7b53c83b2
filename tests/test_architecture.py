"""Shape of the code base: imports point down, Hydra stays at the edge, scripts stay thin, the prose keeps its rules."""

import ast
import importlib
import inspect
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from helpers import PROJECT_ROOT
from helpers.architecture import body_lines, functions, imported, sources, unreachable

PACKAGE, SCRIPTS = PROJECT_ROOT / "vae_mf", PROJECT_ROOT / "scripts"
SOURCES = sources(PACKAGE)
LINTER = Path(sys.executable).with_name("lint-imports")
LARGEST = 66_000
"""Lines of the package without its commands: the number rises with a capability, or its examples, alone."""
PLANTS = {
    "Imports point down only": ("systems/base.py", "vae_mf.models.vae"),
    "Physics, samplers, statistics and figures stay free of training": ("samplers/base.py", "torch"),
    "Models are plain torch": ("models/vae.py", "hydra"),
    "Stores and data sets know no model and no physics": ("store/schema.py", "vae_mf.systems"),
    "Statistics know no model": ("statistics/averages.py", "vae_mf.samplers"),
    "Analysis, verdict and plotting fit and sample nothing": ("verdict/decision.py", "vae_mf.density_models"),
    "Inverse Ising stands alone": ("inverse_ising/moments.py", "vae_mf.systems"),
}
"""A module and an import that breaks each contract."""


def lint(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "vae_mf", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT_ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter")
    result = lint(PROJECT_ROOT)
    assert result.returncode == 0, result.stdout
    assert " 0 broken" in result.stdout


def test_every_contract_has_a_planted_violation():
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    assert {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]} == set(PLANTS)


@pytest.mark.parametrize("contract", PLANTS)
def test_a_planted_import_breaks_a_contract(copy, contract):
    pytest.importorskip("importlinter")
    module, name = PLANTS[contract]
    path = copy / "vae_mf" / module
    path.write_text(f"{path.read_text()}\n\nimport {name}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stderr
    assert f"{contract} BROKEN" in result.stdout


@pytest.mark.slow
def test_a_new_module_must_find_its_place(copy):
    pytest.importorskip("importlinter")
    (copy / "vae_mf" / "stray.py").touch()
    assert "Imports point down only BROKEN" in lint(copy).stdout


def test_hydra_stays_at_the_edge():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] in ("hydra", "omegaconf") for name in imported(ast.parse(path.read_text())))
    }
    assert {user.split("/")[0] for user in users} == {"runs", "commands", "discovery"}


@pytest.mark.parametrize("script", sorted(SCRIPTS.rglob("*.py")), ids=lambda path: path.name)
def test_scripts_hold_nothing_that_their_main_does_not_call(script):
    tree = ast.parse(script.read_text())
    if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
        assert unreachable(tree, "main") == set()


def test_scripts_do_not_import_each_other():
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    for path in SCRIPTS.glob("*.py"):
        assert not names & {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}


def test_every_room_says_in_one_sentence_what_it_is_for():
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_public_names_exist_and_are_documented():
    for path in PACKAGE.rglob("__init__.py"):
        room = importlib.import_module(".".join(path.relative_to(PROJECT_ROOT).parent.parts))
        for name in getattr(room, "__all__", ()):
            assert inspect.getdoc(getattr(room, name)), f"{room.__name__}.{name}"


def test_every_folder_of_the_package_is_a_package():
    for path in PACKAGE.rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


def test_the_library_neither_prints_nor_seeds_globally():
    for path in set(PACKAGE.rglob("*.py")) - set((PACKAGE / "commands").rglob("*.py")):
        tree = ast.parse(path.read_text())
        forked = {
            call
            for block in ast.walk(tree)
            if isinstance(block, ast.With) and ast.unparse(block.items[0]) == "torch.random.fork_rng()"
            for call in ast.walk(block)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
            seeding = name in ("manual_seed", "seed") and owner in ("torch", "np.random", "numpy.random", "random")
            # The progress of a run is a console of its own.
            printing = name == "print" and not path.is_relative_to(PACKAGE / "runs")
            assert not printing, f"{path}: {ast.unparse(node)}"
            assert name != "seed_everything", f"{path}: {ast.unparse(node)}"
            assert node in forked or not seeding, f"{path}: {ast.unparse(node)}"


def test_functions_are_short():
    lines = sorted(body_lines(function) for source in SOURCES for function in functions(source.tree))
    assert lines[len(lines) // 2] <= 4
    assert lines[int(0.9 * len(lines))] <= 14
    assert lines[-1] <= 36


def test_the_package_does_not_grow():
    files = set(PACKAGE.rglob("*.py")) - set((PACKAGE / "commands").rglob("*.py"))
    assert sum(len(path.read_text().splitlines()) for path in files) <= LARGEST


def test_every_test_is_in_the_room_of_what_it_tests():
    rooms = {path.stem for path in PACKAGE.iterdir()} | {"benchmarks", "cuda", "docs", "helpers"}
    whole = {
        "test_architecture.py",
        "test_front_door.py",
        "test_lock.py",
        "test_house_rules.py",
        "test_targets.py",
        "test_wheel.py",
        "conftest.py",
    }
    for path in (PROJECT_ROOT / "tests").rglob("*.py"):
        room, *inside = path.relative_to(PROJECT_ROOT / "tests").parts
        if inside:
            assert room in rooms, path
        else:
            assert room in whole or (PACKAGE / room.removeprefix("test_")).is_file(), path


def test_no_helper_is_written_twice():
    bodies = defaultdict(list)
    for source in sources(PROJECT_ROOT / "tests"):
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
                bodies[ast.dump(node.args) + "".join(map(ast.dump, node.body))].append(f"{source.path}: {node.name}")
    assert [places for places in bodies.values() if len(places) > 1] == []
