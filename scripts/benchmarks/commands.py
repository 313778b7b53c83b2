"""Processor time and peak memory of whole commands by two checkouts of the project.

git worktree add ../before COMMIT
python scripts/benchmarks/commands.py ../before .                     prints medians of three rounds
python scripts/benchmarks/commands.py ../before . --only retina --rounds 5
python scripts/benchmarks/commands.py ../before . --recording bint_fishmovie32_100.mat    trains on it, too

The checkouts take turns, so that both meet the same load of the machine. Numba compiles in the first round, which is
not counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from baselines.table import conditions

ROWS, VARIABLES, LATENTS = 40_000, 50, 3
COMMANDS = {
    "train experiment=hopfield_quick": ["train", "experiment=hopfield_quick"],
    "train experiment=maier_saupe_quick": ["train", "experiment=maier_saupe_quick"],
    "train experiment=retina, 40 of 50 variables": ["train", "experiment=retina", "dataset.path=rows.npy"],
    "discover quick=true, 40,000 rows of 50 variables": ["discover", "rows.npy", "quick=true"],
}
"""Commands by their names in the table."""
WITH_RECORDING = {"train experiment=retina, the recording": ["train", "experiment=retina"]}
"""Those that read a file of the user."""


class Use(NamedTuple):
    """Resources of a command and all that it started."""

    seconds: float
    """Processor time, user and system."""
    gigabytes: float
    """Memory of its largest process at the peak."""


def write_rows(path: Path) -> None:
    """Write rows of variables that a few normal ones drive, 0 and 1."""
    random = np.random.default_rng(1)
    latents = random.normal(size=(ROWS, LATENTS))
    log_odds = 0.8 * latents @ random.normal(size=(LATENTS, VARIABLES)) + random.normal(-1.5, 0.5, VARIABLES)
    np.save(path, (random.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds))).astype(np.uint8))


def measured(checkout: Path, words: list[str], rows: Path) -> Use:
    """Run a command of a checkout in an empty folder and return what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / rows.name).symlink_to(rows)
        places = [f"paths.{place}={folder}/{place}" for place in ("outputs", "data")[: 1 + (words[0] == "train")]]
        environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "vae_mf", *words, *places], cwd=folder, env=environment, stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)
    return Use(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9)


def compared(checkouts: list[Path], words: list[str], rows: Path, rounds: int, uncounted: int) -> list[Use]:
    """Return the medians of what a command took, by every checkout."""
    taken = [[measured(checkout, words, rows) for checkout in checkouts] for _ in range(uncounted + rounds)]
    return [Use(*map(median, zip(*own, strict=True))) for own in zip(*taken[uncounted:], strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--only", default="", help="part of the names of the commands that are run")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are counted")
    parser.add_argument("--recording", type=Path, help="file of the recording of the retina")
    parser.add_argument("--uncounted", type=int, default=1, help="rounds before these, 0 where Numba has compiled")
    options = parser.parse_args()
    checkouts = [options.before.resolve(), options.after.resolve()]
    commands = dict(COMMANDS)
    if options.recording:
        path = f"dataset.path={options.recording.resolve()}"
        commands |= {name: [*words, path] for name, words in WITH_RECORDING.items()}
    print("| command | before, s | after, s | ratio | before, GB | after, GB |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.npy")
        write_rows(rows)
        for name in filter(lambda name: options.only in name, commands):
            before, after = compared(checkouts, commands[name], rows, options.rounds, options.uncounted)
            ratio = after.seconds / before.seconds
            print(
                f"| {name} | {before.seconds:.1f} | {after.seconds:.1f} | {ratio:.2f} | {before.gigabytes:.2f} | "
                f"{after.gigabytes:.2f} |",
                flush=True,
            )
    print(conditions("torch", "pytorch-lightning"))


if __name__ == "__main__":
    main()
