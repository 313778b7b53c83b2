"""The front door: light, lazy, typed, and complete; and what loading a trained model does not need."""

import ast
import importlib
import inspect
import subprocess
import sys

import pytest
from helpers import PROJECT_ROOT
from helpers.commands import run_all

import vae_mf
from vae_mf.commands.table import COMMANDS
from vae_mf.runs.build import build_module
from vae_mf.runs.folder import open_run, record_run
from vae_mf.training.weights import save_weights

PACKAGE = PROJECT_ROOT / "vae_mf"
HEAVY = {"torch", "numpy", "scipy", "pandas", "numba", "matplotlib", "hydra", "omegaconf", "pytorch_lightning", "zarr"}
NEEDLESS = {"pytorch_lightning", "lightning_fabric", "hydra", "matplotlib", "numba", "zarr", "pandas", "scipy"}
"""What loading a trained model does not import."""
TRAINERS = {"pytorch_lightning", "lightning_fabric", "torchmetrics"}
WITHOUT_MODEL = {"collect", "figure", "infer_couplings", "reproduce", "sample", "train"}
"""Commands that need no torch: train begins by looking for a finished run."""
NAMES = {"Report", "TrainedModel", "discover", "load", "open_store", "sample", "simulate"}


def imported_by(statement: str, then: str = "") -> tuple[set[str], str]:
    """Return the top-level modules that a process has imported after a statement, and what it prints then."""
    code = f"import sys\n{statement}\nprint({{name.partition('.')[0] for name in sys.modules}})\n{then}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, _, said = done.stdout.partition("\n")
    return ast.literal_eval(modules), said


def rooms() -> list[str]:
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_the_package_imports_nothing_heavy():
    modules, _ = imported_by("import vae_mf; assert vae_mf.__version__ and 'discover' in dir(vae_mf)")
    assert modules & HEAVY == set()


def test_the_door_leads_to_every_room_and_to_the_main_names():
    assert set(vae_mf.__all__) == NAMES | set(rooms()) - {"commands"}
    assert set(vae_mf.__all__) <= set(dir(vae_mf))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyi")), ids=lambda path: path.parent.name)
def test_a_stub_lists_what_it_imports_and_nothing_else(path):
    stub = ast.parse(path.read_text())
    imported = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    (listed,) = (ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert sorted(listed) == sorted(imported)


@pytest.mark.parametrize("room", [None, *rooms()])
def test_every_public_name_resolves_and_is_documented(room):
    door = vae_mf if room is None else importlib.import_module(f"vae_mf.{room}")
    assert inspect.getdoc(door)
    for name in getattr(door, "__all__", ()):
        assert inspect.getdoc(getattr(door, name)), name


def test_a_function_is_not_hidden_by_the_module_that_it_comes_from():
    code = """
import vae_mf, vae_mf.discovery.report, vae_mf.simulation, vae_mf.runs.models, vae_mf.samplers.draw
from vae_mf import discover, load, sample, simulate
assert callable(discover) and callable(load) and callable(sample) and callable(simulate)
assert vae_mf.discover is discover
"""
    # In a process where all of it is imported.
    run_all([], code)


def test_loading_a_trained_model_imports_no_trainer(compose_config, tmp_path):
    config = compose_config("train", "model.prior.hidden=4", f"paths.outputs={tmp_path}")
    run = open_run(config)
    record_run(run, 8, [0.8, 1.2])
    module = build_module(config, 8)
    save_weights(module.vae, run.weights)
    statement = f"from vae_mf import load; model = load({str(run.folder)!r})"
    spins = "print(model.sample(temperature=0.8, count=2, seed=1).tolist())"
    modules, said = imported_by(statement, spins)
    assert modules & (NEEDLESS | {"torch"}) == {"torch"}
    assert {spin for row in ast.literal_eval(said) for spin in row} <= {-1, 1}


def imported_by_commands(names: set[str]) -> set[str]:
    return imported_by(f"import vae_mf.runs.command, {', '.join(f'vae_mf.commands.{name}' for name in names)}")[0]


def test_commands_import_a_trainer_only_to_train():
    names = {command.module for command in COMMANDS.values()} - {"discover"}
    assert names > WITHOUT_MODEL
    assert imported_by_commands(names).isdisjoint(TRAINERS)
    assert imported_by_commands(WITHOUT_MODEL).isdisjoint(TRAINERS | {"torch"})
