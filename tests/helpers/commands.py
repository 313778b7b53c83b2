"""Commands as a user runs them: in processes of their own, tiny."""

import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "scripts"
FORKS = multiprocessing.get_context("forkserver")
"""Processes forked from one that has the libraries imported, which take most of the time of a small command."""
FORKS.set_forkserver_preload(
    [
        "pytest",
        "vae_mf.runs.stages",
        "vae_mf.simulation",
        "vae_mf.plotting.runs",
        "vae_mf.discovery.report",
        "vae_mf.commands.infer_couplings",
    ]
)
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
RECORDING = [
    "experiment=retina",
    "split=time",
    "model.latents=1",
    "model.prior.hidden=8",
    "training.epochs=1",
    "evaluation.generated=200",
    "evaluation.likelihood_draws=2",
    "evaluation.likelihood_samples=30",
]
HOPFIELD = ["system.sites=64", "system.patterns=2", *SAMPLING, *MARKOV]


class Result(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def run(script: str, *arguments: str) -> Result:
    """Run a command in a process of its own, as a shell does."""
    done = subprocess.run([sys.executable, SCRIPTS / f"{script}.py", *arguments], capture_output=True, text=True)
    return Result(done.returncode, done.stdout, done.stderr)


def run_all(commands: list[list[str]], before: str = "", **environment: str) -> list[Result]:
    """Run commands one after the other in one forked process.

    Args:
        commands: name and arguments of each.
        before: code that the process runs first.
        environment: variables that the process has beside those of this one.
    """
    answers, answer = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=answer_all, args=(answer, commands, before, os.environ | environment))
    process.start()
    answer.close()
    results = answers.recv()
    process.join()
    return results


def answer_all(answer: Connection, commands: list[list[str]], before: str, environment: dict[str, str]) -> None:
    """Send the results of commands; called in the process that runs them."""
    os.environ.clear()
    os.environ.update(environment)
    exec(before, {})
    answer.send([run_here(*command) for command in commands])


def run_here(name: str, *arguments: str) -> Result:
    """Run a command in this process."""
    # A command sets it for itself; here another one follows.
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv = [name, *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                print(code, file=sys.stderr)
                code = 1
        except BaseException:
            traceback.print_exc()
            code = 1
    return Result(code, out.getvalue(), err.getvalue())


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
