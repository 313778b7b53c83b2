"""Commands as a user runs them: in processes of their own, tiny."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "scripts"
DRIVER = """
import contextlib, importlib.util, io, json, sys, traceback

def command(name):
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main

scripts = {name: command(name) for name in ("sample", "train", "evaluate")}
results = []
for name, *arguments in json.load(sys.stdin):
    sys.argv = [name, *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            scripts[name]()
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                print(code, file=sys.stderr)
                code = 1
        except BaseException:
            traceback.print_exc()
            code = 1
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""
SAMPLING = [
    "sampling.temperatures=[0.3,0.8]",
    "sampling.samples=120",
    "sampling.chains=12",
    "sampling.blocks=6",
]
MARKOV = ["sampling.anneal=10", "sampling.burn_in=10", "sampling.thinning=1", "sampling.witnesses=12"]
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


def run_all(commands: list[list[str]]) -> list[Result]:
    """Run commands one after the other in one process."""
    driver = [sys.executable, "-c", DRIVER, str(SCRIPTS)]
    done = subprocess.run(driver, input=json.dumps(commands), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [Result(*result) for result in json.loads(done.stdout.splitlines()[-1])]


def paths(folder: Path) -> list[str]:
    return [f"paths.data={folder}/data", f"paths.outputs={folder}/outputs"]


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def write_recording(path: Path) -> Path:
    """Eight cells that share one hidden variable, in 400 bins."""
    generator = np.random.default_rng(1)
    drive = generator.normal(size=(400, 1))
    np.save(path, (generator.random((400, 8)) < 1 / (1 + np.exp(1 - drive))).astype(np.uint8))
    return path
