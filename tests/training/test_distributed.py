"""Trainings that two processes share: convolutions, an interruption, and rows of which each process holds a part."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import SAMPLING, TRAINING, only, paths

from vae_mf.runs.models import load

CNN = [
    *["model/encoder=cnn", "model/decoder=cnn", "model.encoder.channels=4", "model/prior=gaussian", "model.latents=2"],
    *[option for option in TRAINING if not option.startswith("model.prior")],
]
ISING = ["train", "experiment=ising2d_quick", "system.side=8", *SAMPLING, *CNN, "training.epochs=12"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "training.batch_size=16"]
pytestmark = pytest.mark.slow


def start(place: Path, *options: str) -> subprocess.Popen:
    """Start a training in a group of processes of its own, as a scheduler does."""
    words = [sys.executable, "-m", "vae_mf", *ISING, *options, *paths(place)]
    return subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(place: Path, *options: str) -> Path:
    """Run a training to its end and return its folder."""
    process = start(place, *options)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.count("metric ") == 1
    assert not [name for name in ("GPU available", "Tip", "Trainer.fit", "distributed") if name in said]
    return only(place, "outputs/ising2d_quick-*")


def numbers(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_convolutions_are_trained_by_two_processes_as_well_as_by_one(tmp_path):
    one, two = finish(tmp_path / "one"), finish(tmp_path / "two", *TWO)
    assert numbers(two)["test_elbo"] == pytest.approx(numbers(one)["test_elbo"], abs=2.0)
    assert load(two).vae.decoder


def test_a_training_of_two_processes_that_is_killed_goes_on_and_ends_with_the_same_weights(tmp_path):
    whole = finish(tmp_path / "whole", *TWO)
    process = start(tmp_path / "killed", *TWO)
    while not list((tmp_path / "killed").glob("outputs/*/checkpoints/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list((tmp_path / "killed").glob("outputs/*/metrics.json"))
    resumed = finish(tmp_path / "killed", *TWO)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (whole, resumed)]
    assert weights[0] == weights[1]
