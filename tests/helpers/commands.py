"""Commands as a user runs them: in processes of their own, tiny."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "scripts"
DRIVER = """
import contextlib, io, json, os, runpy, sys, traceback

results = []
for name, *arguments in json.load(sys.stdin):
    # A command sets it for itself; here another one follows.
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv = [name, *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(f"{scripts}/{name}.py", run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                code = print(code, file=sys.stderr) or 1
        except BaseException:
            code = traceback.print_exc() or 1
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""
SAMPLING = [
    "sampling.temperatures=[0.3,0.8]",
    "sampling.samples=120",
    "sampling.chains=12",
    "sampling.blocks=6",
]
MARKOV = ["sampling.anneal=10", "sampling.burn_in=10", "sampling.thinning=1", "sampling.opposite_starts=12"]
TRAINING = [
    "model.prior.hidden=8",
    "training.epochs=2",
    "training.batch_size=32",
    "training.refit_steps=5",
    "evaluation.generated=300",
    "evaluation.likelihood_draws=2",
    "evaluation.likelihood_samples=20",
    "evaluation.pattern_draws=8",
    "evaluation.restarts=1",
]
HOPFIELD = ["system.sites=64", "system.patterns=2", *SAMPLING, *MARKOV]


class Result(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def run(script: str, *arguments: str) -> Result:
    """Run a command in a process of its own."""
    done = subprocess.run([sys.executable, SCRIPTS / f"{script}.py", *arguments], capture_output=True, text=True)
    return Result(done.returncode, done.stdout, done.stderr)


def run_all(commands: list[list[str]], before: str = "", **environment: str) -> list[Result]:
    """Run commands one after the other in one process, which saves the imports.

    Args:
        commands: name and arguments of each.
        before: code that the process runs first.
        environment: variables that the process has beside those of this one.
    """
    code = f"{before}\nscripts = {str(SCRIPTS)!r}\n{DRIVER}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return [Result(*result) for result in json.loads(done.stdout.splitlines()[-1])]


def paths(folder: Path) -> list[str]:
    return [f"paths.data={folder}/data", f"paths.outputs={folder}/outputs"]


def outputs(folder: Path) -> list[str]:
    return [f"paths.outputs={folder}/outputs"]


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def write_recording(path: Path) -> Path:
    """Eight cells that share one hidden variable, in 400 bins."""
    generator = np.random.default_rng(1)
    drive = generator.normal(size=(400, 1))
    np.save(path, (generator.random((400, 8)) < 1 / (1 + np.exp(1 - drive))).astype(np.uint8))
    return path
