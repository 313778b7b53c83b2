"""Soak: whatever befalls a command, nothing that was committed is lost, and what it leaves is noticed or harmless.

In every round a command runs in a folder of its own and one misfortune befalls it, or what it has left; then it is run
until it is done, and what it made is, byte for byte, what an undisturbed one has made. Damage that would change that is
named. A ledger counts the ends.
"""

import os
import resource
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers import commands
from helpers.commands import TRAINING
from helpers.damages import files_in, flip, made
from helpers.discovery import TINY, hopfield, options
from helpers.killed_commands import run_command, start_command

from vae_mf.store.sample_store import StoreError, open_store

ROUNDS = int(os.environ.get("VAE_MF_SOAK_ROUNDS", "200"))
QUICK = TINY | {"training": TINY["training"] | {"epochs": 2}, "stability": {"bootstraps": 0}}
PATHS = ["paths.data=data", "paths.outputs=outputs"]
COMMANDS = {
    "sample": ["system=curie_weiss", "sampling=direct", "system.sites=33", "sampling.temperatures=[0.5,1.5]",
               "sampling.samples=120", "sampling.chains=12", "sampling.blocks=12", "threads=1",
               "verify=true", "paths.data=data", "report=outputs/report"],
    "train": ["experiment=curie_weiss_quick", "sampling.temperatures=[0.5,1.0]", "sampling.samples=120",
              "sampling.chains=12", "sampling.blocks=6", *TRAINING, "training.epochs=3", "logger=csv", *PATHS],
    "discover": ["dataset.path=words.npy", "quick=true", *options(QUICK), "folder=outputs/found"],
    "compare": ["dataset.path=words.npy", "density_models=[independent,pairwise]", "paths.outputs=outputs", "blocks=5"],
}  # fmt: skip
MISFORTUNES = ["kill", "terminate", "full disk", "clock", "two at once", "damage", "damage at the end"]


def prepared(place: Path) -> Path:
    place.mkdir()
    np.save(place / "words.npy", hopfield(600, 6, 1)[0])
    return place


def differing(place: Path, whole: dict[str, bytes]) -> set[Path]:
    """Files that are not those of an undisturbed command."""
    found = made(place)
    return {place / name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name)}


def finish(name: str, place: Path) -> tuple[int, str]:
    """Run a command to its end and return its status and what it said of errors."""
    process = start_command(name, COMMANDS[name], place)
    process.join()
    return process.exitcode, (place / "errors").read_text(encoding="utf-8")


def stop(name: str, place: Path, rng: np.random.Generator, number: int, seconds: float) -> int:
    process = start_command(name, COMMANDS[name], place)
    process.join(rng.uniform(0.1, 1.0) * seconds)
    if process.is_alive():
        os.kill(process.pid, number)
    process.join()
    return process.exitcode


def run_on_full_disk(name: str, arguments: list[str], place: Path, size: int) -> None:
    """Run a command that may write no file longer than ``size`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    run_command(name, arguments, place)


def damaged(place: Path, rng: np.random.Generator) -> tuple[Path, bytes] | None:
    """Flip a bit of a file that a command has left; return the file and what stood there."""
    files = [path for path in files_in(place) if path.name not in ("words.npy", "errors")]
    if not files:
        return None
    path = files[rng.integers(len(files))]
    content = path.read_bytes()
    path.write_bytes(flip(content, rng))
    return path, content


def befall(misfortune: str, name: str, place: Path, rng: np.random.Generator, seconds: float) -> str:
    """Let a misfortune befall a command, check how it ends, and return what was noticed."""
    if misfortune == "kill":
        return "killed" if stop(name, place, rng, signal.SIGKILL, seconds) else "was done before"
    if misfortune == "terminate":
        status = stop(name, place, rng, signal.SIGTERM, seconds)
        said = (place / "errors").read_text(encoding="utf-8")
        # Before the command answers signals itself, the system does.
        assert (status, "stopped; " in said) in ((143, True), (0, False), (-signal.SIGTERM, False)), (status, said)
        return "terminated" if status else "was done before"
    if misfortune == "full disk":
        size = int(10 ** rng.uniform(2, 5))
        process = commands.FORKS.Process(target=run_on_full_disk, args=(name, COMMANDS[name], place, size))
        process.start()
        process.join()
        said = (place / "errors").read_text(encoding="utf-8")
        # A disk without room for the sentence holds none.
        assert process.exitcode == 0 or "error:" in said or size < 1000, said
        return "refused by the disk" if process.exitcode else "was done before"
    if misfortune == "clock":
        stop(name, place, rng, signal.SIGKILL, seconds)
        moment = rng.choice([0.0, 4e9])
        for path in place.rglob("*"):
            os.utime(path, (moment, moment))
        return "times of files changed"
    if misfortune == "two at once":
        both = [start_command(name, COMMANDS[name], place) for _ in range(2)]
        for process in both:
            process.join()
        assert 0 in [process.exitcode for process in both]
        return "one of two refused" if any(process.exitcode for process in both) else "both done"
    if misfortune == "damage":
        stop(name, place, rng, signal.SIGKILL, seconds)
    else:
        assert finish(name, place)[0] == 0
    return "a bit flipped"


@pytest.mark.slow
def test_nothing_is_lost_and_everything_is_noticed(tmp_path):
    rng, ledger = np.random.default_rng(11), Counter()
    whole, seconds = {}, {}
    for name in COMMANDS:
        place, begun = prepared(tmp_path / f"whole-{name}"), time.perf_counter()
        status, said = finish(name, place)
        assert status == 0, said
        whole[name], seconds[name] = made(place), time.perf_counter() - begun
        assert len(whole[name]) > 1, name
    for number in range(ROUNDS):
        name = rng.choice(list(COMMANDS), p=[0.35, 0.3, 0.2, 0.15])
        misfortune = str(rng.choice(MISFORTUNES))
        place = prepared(tmp_path / f"round-{number}")
        noticed = befall(misfortune, name, place, rng, seconds[name])
        flipped = damaged(place, rng) if misfortune.startswith("damage") else None
        status, said = finish(name, place)
        if flipped and (status or made(place) != whole[name]):
            path, content = flipped
            if not status and ".zarr/" in str(path) and differing(place, whole[name]) == {path}:
                noticed = "damage of samples that the command does not read"
                with suppress(StoreError):
                    open_store(next(folder for folder in path.parents if folder.suffix == ".zarr")).verify()
                    # Of a finished store these say nothing: marker, table of blocks, descriptions of groups.
                    assert path.parent.name in ("committed", "checksums", "system", "T000", "T001"), path
                path.write_bytes(content)
                status, said = finish(name, place)
                flipped = None
        if flipped and (status or made(place) != whole[name]):
            assert status, f"round {number}: {name} made something else of a damaged {path.relative_to(place)}"
            assert path.name in said or str(path.parent.name) in said, f"{path.relative_to(place)}: {said}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            noticed = "the damaged file is named"
            status, said = finish(name, place)
        elif flipped:
            noticed = "damage without effect"
        assert status == 0, f"round {number}: {name}, {misfortune}: {said}"
        assert made(place) == whole[name], f"round {number}: {name}, {misfortune}"
        ledger[name, misfortune, noticed] += 1
        shutil.rmtree(place)
    for (name, misfortune, noticed), count in sorted(ledger.items()):
        print(f"{name:9} {misfortune:18} {noticed:28} {count}")
    assert ledger.total() == ROUNDS
