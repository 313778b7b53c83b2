"""Kills of the discovery command at any moment: what it says in the end is what an undisturbed one says.

Each is a SIGKILL of a process of its own that runs `scripts/discover.py`, half of them when a file has just appeared,
forked from one that has the libraries imported, as in test_kills.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.discovery import TINY, hopfield, options
from helpers.killed_commands import start_command

from vae_mf.tables import METRICS

KILLS = 25
FOLDER = "found"
SETTINGS = TINY | {"training": TINY["training"] | {"epochs": 3}, "stability": {"bootstraps": 1}}
DISCOVERY = ["dataset.path=words.npy", "truth=patterns.npy", "quick=true", *options(SETTINGS)]
OPTIONS = [*DISCOVERY, f"folder={FOLDER}"]


def prepared(place: Path) -> Path:
    """Write words and patterns into a new folder and return it."""
    place.mkdir()
    words, patterns = hopfield(3000, 8, 2)
    np.save(place / "words.npy", words)
    np.save(place / "patterns.npy", patterns)
    return place


def told(place: Path) -> Iterator[tuple[str, object]]:
    """Everything that a finished discovery says, by name; how long it took is another time each time."""
    for path in sorted((place / FOLDER).rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.suffix == ".csv":
            yield name, pd.read_csv(path).drop(columns="seconds", errors="ignore").to_csv()
        elif path.suffix in (".json", ".html", ".yaml", ".safetensors", ".png"):
            yield name, path.read_bytes()
        elif path.is_file():
            yield name, None


def files(place: Path) -> set[Path]:
    # Unlike rglob, this goes on where a folder is removed at the same time.
    return {Path(folder, name) for folder, _, names in os.walk(place / FOLDER) for name in names}


def wait(process: BaseProcess, place: Path, rng: np.random.Generator, seconds: float) -> None:
    """Wait for a random time, or until some new files have appeared, but not beyond the end of the process."""
    if rng.random() < 0.5:
        process.join(rng.uniform(0, seconds))
        return
    before, count = files(place), int(rng.geometric(0.1))
    while process.is_alive() and len(files(place) - before) < count:
        time.sleep(0.0005)


def stage(place: Path) -> str:
    """The last thing that was kept when the process was killed."""
    found = {path.relative_to(place / FOLDER).as_posix() for path in files(place)}
    for name, sign in (
        ("after", METRICS), ("report", "tables/sweep.csv"), ("repetitions", "models/seed-1"),
        ("verdict", "assessment/verdict.json"), ("critics", "scores/pairwise-Ising.npz"),
        ("models", "scores/latents-2.npz"), ("sweep", "scores/independent-variables.npz"), ("start", ""),
    ):  # fmt: skip
        if any(path.startswith(sign) for path in found):
            return name
    return "before"


@pytest.mark.slow
def test_kills_change_nothing_that_is_found(tmp_path):
    whole, rng, stages = prepared(tmp_path / "whole"), np.random.default_rng(7), Counter()
    begun = time.perf_counter()
    process = start_command("discover", OPTIONS, whole)
    process.join()
    assert process.exitcode == 0
    seconds, finished = time.perf_counter() - begun, dict(told(whole))
    discoveries = 0
    while stages.total() < KILLS:
        place = prepared(tmp_path / str(discoveries))
        while True:
            process = start_command("discover", OPTIONS, place)
            wait(process, place, rng, seconds)
            process.kill()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
            if process.exitcode == 0:
                break
            stages[stage(place)] += 1
        assert dict(told(place)) == finished
        discoveries += 1
    print(dict(stages), "discoveries:", discoveries)
    assert len(set(stages) & {"sweep", "models", "critics", "verdict", "repetitions", "report"}) >= 4


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_discovery_names_its_own_folder_and_how_to_go_on(number, status, tmp_path):
    place = prepared(tmp_path / "stopped")
    process = start_command("discover", [*DISCOVERY, "paths.outputs=found"], place)
    while process.is_alive() and not list(place.glob("found/discover-*/models")):
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == status
    (folder,) = (place / "found").iterdir()
    said = f"stopped; the same command goes on where it was, in {folder.relative_to(place)}\n"
    assert (place / "errors").read_text() == said


@pytest.mark.slow
def test_an_interrupt_ends_in_a_sentence_and_the_same_command_goes_on(tmp_path):
    place = prepared(tmp_path / "interrupted")
    process, models = start_command("discover", OPTIONS, place), place / FOLDER / "models"
    while process.is_alive() and not models.exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    assert (place / "errors").read_text() == f"stopped; the same command goes on where it was, in {FOLDER}\n"
    process = start_command("discover", OPTIONS, place)
    process.join()
    assert process.exitcode == 0
    assert (place / FOLDER / METRICS).exists()
