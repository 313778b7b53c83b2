"""Two commands at once on the same outputs: each file is written while its folder is held by the command."""

import json
import os

import pytest
from helpers.commands import run_all, write_recording
from helpers.discovery import TINY, options

from vae_mf.runs.folder import DISCOVERY, RECORD, SAMPLES
from vae_mf.store.schema import METADATA

WATCH = """
import fcntl, os
from pathlib import Path

def is_held(lock):
    if not lock.exists():
        return False
    with open(lock, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False

def replace(source, target, rename=os.replace):
    place = Path(target).absolute()
    # What is made again is held by the folder that it will replace.
    names = [parent.name.removeprefix(".").removesuffix(".again") for parent in place.parents]
    locks = [parent.with_name(name) / ".lock" for parent, name in zip(place.parents, names) if parent.name]
    # Stores have claims of their own, and compiled code is that of the machine.
    results = ".zarr" not in str(place) and "__pycache__" not in place.parts
    if results and not any(map(is_held, locks)):
        with open("unheld", "a") as log:
            log.write(f"{target}\\n")
    return rename(source, target)

os.replace = replace
"""
"""Writes down every file that gets its name in a folder that is not held."""
SAMPLE = [
    *("sample", "system=curie_weiss", "sampling=direct", "system.sites=16", "sampling.temperatures=[0.5,1.5]"),
    *("sampling.samples=120", "sampling.chains=12", "sampling.blocks=6", "threads=1", "store.path=made.zarr"),
    *("report=report", "seed=1"),
]
COMPARE = [
    *("compare", "dataset.path=words.npy", "density_models=[independent]", "folder=compared", "blocks=5"),
    *("paths.data=data", "paths.outputs=outputs"),
]

QUICK = TINY | {"training": TINY["training"] | {"epochs": 2}, "stability": {"bootstraps": 0}}
DISCOVER = ["discover", "dataset.path=words.npy", "quick=true", *options(QUICK), "folder=found"]


def unheld(place, *commands):
    write_recording(place / "words.npy")
    before = f"import os; os.chdir({str(place)!r})\n{WATCH}"
    results = run_all([list(command) for command in commands], before, GIT_DIR=os.devnull)
    assert [result.code for result in results] == [0] * len(commands), [result.err for result in results]
    log = place / "unheld"
    return sorted(set(log.read_text(encoding="utf-8").splitlines())) if log.exists() else []


def run_folder(place, seed):
    place.mkdir(parents=True)
    config = {"seed": seed, "run": {"name": "own", "digest": str(seed)}, "model": {}}
    (place / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    (place / "metrics.json").write_text(f'{{"kl": 0.{seed}}}', encoding="utf-8")


def test_samples_and_comparisons_are_reported_in_folders_that_are_held(tmp_path):
    for seed in (1, 2):
        run_folder(tmp_path / "runs" / str(seed), seed)
    assert unheld(tmp_path, SAMPLE, COMPARE, ["collect", "runs=[runs/*]", "report=collected"]) == []
    assert (tmp_path / "collected" / "sweep.png").exists()


@pytest.mark.parametrize("record", [RECORD, DISCOVERY, METADATA])
def test_results_are_not_written_among_those_of_a_run_a_discovery_or_a_store(tmp_path, record):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / record).write_text("{}", encoding="utf-8")
    words = write_recording(tmp_path / "words.npy")
    commands = [
        [*SAMPLE, f"report={taken}"],
        ["collect", f"runs=[{tmp_path}/*]", f"report={taken}"],
        ["compare", f"dataset.path={words}", "density_models=independent", f"folder={taken}"],
        ["infer_couplings", f"dataset.path={words}", "inverse_ising=tap", f"folder={taken}"],
    ]
    for command, result in zip(commands, run_all(commands), strict=True):
        assert result.code == 1, (command, result.err)
        assert f"expected a folder of its own for results, got {taken}, which holds {record}" in result.err
    assert [path.name for path in taken.iterdir()] == [record]
    assert SAMPLES == METADATA


@pytest.mark.slow
def test_a_discovery_is_written_in_a_folder_that_is_held(tmp_path):
    assert unheld(tmp_path, DISCOVER, [*DISCOVER, "force=true"]) == []
