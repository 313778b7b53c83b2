"""Preemption by a scheduler: submitit's local executor signals and requeues jobs as it does on SLURM."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from helpers.commands import TRAINING

pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="comes with the extra slurm")
JOB = "submitit.core._submit"
SETTINGS = [
    "experiment=curie_weiss_quick", "sampling.temperatures=[0.5,1.0]", "sampling.samples=600", *TRAINING,
    "training.epochs=80",
]  # fmt: skip


def command(place, *words):
    paths = [f"paths.outputs={place}/outputs", f"paths.data={place}/data"]
    return [sys.executable, "-m", "vae_mf", "train", *words, *SETTINGS, *paths]


def preempt(launcher) -> bool:
    """Signal the running job of a launcher as SLURM does before it takes the machine away."""
    for process in psutil.Process(launcher.pid).children(recursive=True):
        if JOB in process.cmdline():
            process.send_signal(signal.SIGUSR2)
            return True
    return False


@pytest.mark.slow
def test_a_preempted_job_is_requeued_and_ends_as_if_nothing_had_happened(tmp_path):
    whole, preempted = tmp_path / "whole", tmp_path / "preempted"
    subprocess.run(command(whole), check=True, capture_output=True)
    with open(tmp_path / "log", "wb") as log:
        launcher = subprocess.Popen(
            command(preempted, "-m", "hydra/launcher=submitit_local", "seed=42"), stdout=log, stderr=log
        )
        hits = 0
        while launcher.poll() is None:
            if hits == 0 and list(preempted.glob("outputs/*/checkpoints/last.ckpt")):
                hits += preempt(launcher)
            time.sleep(0.05)
    assert launcher.returncode == 0, (tmp_path / "log").read_text()
    logs = "".join(path.read_text() for path in preempted.glob("outputs/multirun/*/.submitit/*/*_log.out"))
    assert hits == 1
    assert logs.count("Starting with JobEnvironment") == 2
    (run,), (expected,) = (list(place.glob("outputs/curie_weiss*")) for place in (preempted, whole))
    found, wanted = (json.loads((folder / "metrics.json").read_text()) for folder in (run, expected))
    seconds = {"train_seconds", "sample_seconds"}
    assert {key: found[key] for key in found.keys() - seconds} == {key: wanted[key] for key in wanted.keys() - seconds}
    assert (run / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()
    assert os.path.basename(run) == os.path.basename(expected)
