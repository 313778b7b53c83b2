"""Sweeps, end to end and tiny: every launcher, failures, kills, jobs that share a store, and what is collected."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers import PROJECT_ROOT
from helpers.commands import HOPFIELD, SCRIPTS, TRAINING, Result, outputs, paths, run, run_all

from vae_mf.commands.arguments import Mistake, read_arguments
from vae_mf.commands.mistakes import LAUNCHERS, understood
from vae_mf.commands.table import COMMANDS
from vae_mf.runs.folder import Run, find_runs
from vae_mf.runs.tasks import sample_or_wait
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.plan import Sampling
from vae_mf.simulation import simulate
from vae_mf.store.local import LocalFolder
from vae_mf.store.schema import StoreError
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.tables import read_metrics, read_tables

TINY = [*HOPFIELD, *TRAINING]
SBATCH = """#!/bin/sh
# Starts the tasks of an array at once, here.
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
export SLURM_ARRAY_JOB_ID=7 SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
for task in $(seq 0 "$last"); do
    SLURM_JOB_ID=$((100 + task)) SLURM_ARRAY_TASK_ID=$task sh "$1" > /dev/null 2>&1 &
done
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    case "$1" in --output | --error) shift ;; esac
    shift
done
exec "$@"
"""
SLURM = {"sbatch": SBATCH, "srun": SRUN, "sacct": "#!/bin/sh\necho 'JobID|State|NodeList'\n"}
"""What submitit asks of a cluster, on this machine."""


def finished_runs(folder: Path) -> dict[str, Run]:
    """Finished runs below a folder by the name of their own."""
    return {run.folder.name: run for run in find_runs([f"{folder}/outputs/*"]) if run.finished}


def results(run: Run) -> dict:
    """What a run has found, without how long it took."""
    return {name: value for name, value in read_metrics(run.folder).items() if not name.endswith("_seconds")}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def swept(workplace):
    """A sweep, one job at a time, whose second job fails; the same sweep again; and what is collected of it."""
    # One job in each batch: Hydra itself would not start a batch after one that failed.
    sweep = ["train", "-m", "hydra.sweeper.max_batch_size=1", "model.latents=1,0,2", *TINY, *paths(workplace)]
    names = {
        "sweep": sweep,
        "collect": ["collect", *outputs(workplace)],
        "again": sweep,
        "runs": ["collect", f"runs=[{workplace}/nothing-*]", *outputs(workplace)],
        "metric": ["collect", "metric=loss", *outputs(workplace)],
        "against": ["collect", "against=system.sites", *outputs(workplace)],
        "plugin": ["train", "-m", "hydra/launcher=ray", "seed=1,2", *paths(workplace)],
    }
    return dict(zip(names, run_all(list(names.values())), strict=True))


def test_a_failed_job_stops_nothing_and_is_named_at_the_end(swept, workplace):
    result = swept["sweep"]
    assert result.code == 1
    head, *named = result.err.strip().splitlines()
    (tracebacks,) = re.fullmatch(r"error: 1 job of the sweep failed; tracebacks in (\S+)/failure-\*.txt", head).groups()
    assert named == ["  model.latents=0: model.latents: expected an integer >= 1, got 0"]
    assert "Traceback" in Path(tracebacks, "failure-001.txt").read_text()
    assert "Traceback" not in result.out + result.err
    assert sorted(run.config.model.latents for run in finished_runs(workplace).values()) == [1, 2]


def test_runs_that_share_a_store_sample_it_once(swept, workplace):
    assert len(list((workplace / "data").glob("*.zarr"))) == 1


def test_finished_runs_are_skipped_when_the_sweep_is_launched_again(swept, workplace):
    first, again = swept["sweep"], swept["again"]
    assert again.code == 1
    assert again.err.splitlines()[1:] == first.err.splitlines()[1:]
    launched = sorted((workplace / "outputs" / "multirun").iterdir())[1]
    for done in finished_runs(workplace).values():
        assert (done.folder / "metrics.json").stat().st_mtime < launched.stat().st_ctime
        assert f"run: {done.folder}" in again.out


def test_a_sweep_is_collected_in_tables_and_a_figure(swept, workplace):
    result = swept["collect"]
    assert result.code == 0, result.err
    assert "2 of 3 runs finished" in result.out
    assert result.out.count("unfinished") == 1
    tables = read_tables(workplace / "outputs" / "collected")
    runs = tables["runs"].set_index("model.latents")
    assert runs.finished.to_dict() == {0: False, 1: True, 2: True}
    for done in finished_runs(workplace).values():
        row = runs.loc[done.config.model.latents]
        assert (row.run, row.digest) == (done.folder.name, done.config.run.digest)
        assert row.pattern_overlap_min == read_metrics(done.folder)["pattern_overlap_min"]
    assert list(tables["temperatures"].temperature) == [0.3, 0.8] * 2
    assert list(tables["averages"]["model.latents"]) == list(runs.index[runs.finished])
    assert (workplace / "outputs" / "collected" / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("runs", r"runs: expected globs that match run folders, got \[\S+/nothing-\*\]; .+"),
        ("metric", "metric: expected one of .*test_elbo.*, got 'loss'"),
        ("against", "against: expected one of model.latents, experiment, temperature, got 'system.sites'"),
    ],
)
def test_what_cannot_be_collected_is_refused_in_one_line(swept, name, message):
    assert swept[name].code == 2
    assert re.fullmatch(f"error: {message}", swept[name].err.strip())


@pytest.mark.skipif(find_spec("ray") is not None, reason="the launcher is installed here")
def test_a_launcher_that_is_not_installed_is_named_with_its_extra(swept):
    assert swept["plugin"].code == 2
    expected = "error: hydra/launcher=ray: expected its plugin, got none; install it with pip install -e '.[ray]'"
    assert swept["plugin"].err.strip() == expected


def test_every_launcher_has_an_extra_that_installs_it():
    extras = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(LAUNCHERS.values()) == {name for name, wanted in extras.items() if "launcher" in "".join(wanted)}


def test_a_job_waits_for_the_writer_of_its_store_and_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr("vae_mf.runs.tasks.POLL_SECONDS", 0.02)
    system, path, told = CurieWeiss(9), tmp_path / "store", []
    sampling = Sampling([0.5, 1.0], samples=6, chains=6, blocks=3, burn_in=0, thinning=1)
    writer = LocalFolder(path).lock()
    threading.Timer(0.3, writer.release).start()
    store = sample_or_wait(partial(simulate, system, CurieWeissDirect(system), sampling, path, 1), told.append)
    assert not writer.is_locked
    assert store.rows == 6
    assert len(told) == 1
    assert told[0].startswith(f"waiting for the samples of another process: {path}: expected to be the only writer")


def test_a_job_does_not_wait_for_what_may_never_end():
    def claimed(waiting):
        raise StoreError("s3://samples: expected to be the only writer, got the claim of a dead one")

    with pytest.raises(StoreError, match="the claim of a dead one"):
        sample_or_wait(claimed, print)


def launch(launcher: str, folder: Path, *options: str, path: str = "") -> Result:
    """Launch two good jobs, which want the same store at the same time, and a bad one between them."""
    command = [sys.executable, SCRIPTS / "train.py", "-m", f"hydra/launcher={launcher}", *TINY, "model.latents=1,0,2"]
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"} if path else None
    done = subprocess.run([*command, *paths(folder), *options], capture_output=True, text=True, env=environment)
    return Result(done.returncode, done.stdout, done.stderr)


def check(result: Result, folder: Path, swept: Path) -> None:
    """The bad job is named, and the good ones find what they find one after the other."""
    assert result.code == 1, result.err
    assert "error: 1 job of the sweep failed" in result.err
    assert "\n  model.latents=0: model.latents: expected an integer >= 1, got 0\n" in result.err
    assert "Traceback" not in result.out + result.err
    assert len(list((folder / "data").glob("*.zarr"))) == 1
    found, expected = ({name: results(run) for name, run in finished_runs(f).items()} for f in (folder, swept))
    assert found == expected
    assert len(found) == 2


@pytest.mark.slow
def test_jobs_side_by_side_find_what_jobs_in_turn_find(swept, workplace, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    check(launch("joblib", tmp_path, "hydra.launcher.n_jobs=3"), tmp_path, workplace)


@pytest.mark.slow
def test_submitit_runs_the_jobs_on_this_machine(swept, workplace, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    check(launch("submitit_local", tmp_path), tmp_path, workplace)


@pytest.mark.slow
def test_submitit_hands_the_jobs_to_slurm(swept, workplace, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in SLURM.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    check(launch("submitit_slurm", tmp_path, path=str(commands)), tmp_path, workplace)


def test_without_slurm_a_sweep_is_told_where_to_go(tmp_path, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["hydra/launcher=submitit_slurm", "seed=1,2", "-m"]
    with pytest.raises(Mistake, match="hydra/launcher=submitit_slurm: expected a machine of a cluster"):
        understood(COMMANDS["train"], read_arguments(words))
    assert understood(COMMANDS["train"], read_arguments([*words, "--cfg", "job"]))


def kill_once(event: Callable[[], bool], process: subprocess.Popen) -> None:
    """Wait for an event while a process is at work, and kill it."""
    while not event():
        assert process.poll() is None, "the process ended first"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_killed_sweep_goes_on_when_launched_again(tmp_path, launcher):
    """The launcher is killed while jobs train; those of joblib outlive it, and the second launch waits for them."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    sweep = ["-m", *TINY, "model.latents=1,2", "seed=0,1", "training.epochs=30", f"hydra/launcher={launcher}", *options]
    script = [sys.executable, str(SCRIPTS / "train.py"), *sweep]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*script, *paths(killed)], **silent, start_new_session=True)

    def folders(file: str) -> set[Path]:
        return {folder for folder in killed.glob("outputs/*") if (folder / file).exists()}

    # Some jobs are finished and another one is at its training.
    kill_once(lambda: set() < folders("metrics.json") < folders("checkpoints/last.ckpt"), process)
    kept = {path: path.stat().st_mtime_ns for path in killed.glob("outputs/*/metrics.json")}
    assert 1 <= len(kept) < 4
    assert run("train", *sweep, *paths(killed)).code == 0
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # idle processes of joblib, which do not notice that it is gone
    assert run("train", *sweep, *paths(whole)).code == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    found, expected = ({name: results(run) for name, run in finished_runs(f).items()} for f in (killed, whole))
    assert len(found) == 4
    assert found == expected
