"""Peak memory and processor time of the commands, beside what each says that it takes.

python scripts/benchmarks/memory.py    prints a row per command: GB at the peak of all its processes, GB that it said,
                                       and seconds
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

SECONDS = 0.1
"""Time between two looks at the processes of a command."""
PLACES = {"sample": ["data", "outputs"], "train": ["data", "outputs"], "evaluate": ["data"]}
"""Folders that commands take; all others write results alone."""
SAID = re.compile(r"memory: about ([\d.]+) GB")
SAYS_ALWAYS = (
    "import sys; from vae_mf import checks; checks.NOTABLE_SHARE = 0.0; sys.argv[0] = 'vae-mf'; "
    "from vae_mf.commands.main import main; main()"
)
"""Program that says what a command takes however little it is."""
SHORT = ["quick=true", "order=independent", "discovery.schedule.steps=20", "discovery.selection.largest_latents=2"]
SAMPLING = ["sampling.burn_in=2", "sampling.thinning=1", "sampling.anneal=0", "sampling.opposite_starts=0"]
FIT = ["training.epochs=1", "training.refit_steps=5", "logger=csv"]
RETINA = ["train", "experiment=retina", "split=random", "training.epochs=1", "training.encoder_refit_steps=5"]
COMMANDS = {
    "sample, hopfield, 200,000 x 1,024": ["sample", "system.sites=1024", *SAMPLING, "sampling.samples=200000"],
    "train, 10 T x 4,000 x 256": ["train", *FIT, *SAMPLING],
    "train, 10 T x 40,000 x 256": ["train", *FIT, *SAMPLING, "sampling.samples=40000"],
    "train, 300,000 x 150": [*RETINA, "dataset.path=300000x200.npy", "dataset.variables=150"],
    "evaluate, 300,000 x 150": ["evaluate", "outputs/retina-*"],
    "discover, 2,000 x 50": ["discover", "2000x50.npy", *SHORT],
    "discover, 20,000 x 200": ["discover", "20000x200.npy", *SHORT],
    "discover, 300,000 x 200": ["discover", "300000x200.npy", *SHORT],
    "discover, 20,000 x 1,000": ["discover", "20000x1000.npy", *SHORT],
    "compare, logistic autoregression, 300,000 x 40": [
        *["compare", "300000x200.npy", "dataset.variables=40", "density_models=logistic_autoregression"]
    ],
    "infer-couplings, pseudolikelihood, 300,000 x 200": [
        *["infer-couplings", "300000x200.npy", "inverse_ising=pseudolikelihood"]
    ],
}
"""Commands by the names of their rows; trainings are short, which changes no peak."""


def write_rows(path: Path, rows: int, variables: int) -> None:
    """Write rows of variables that three normal ones drive, 0 and 1."""
    random = np.random.default_rng(0)
    weights = 1.4 * random.choice([-1.0, 1.0], (3, variables))
    parts = [
        random.normal(size=(len(part), 3)) @ weights for part in np.array_split(np.empty(rows), 1 + rows // 10_000)
    ]
    np.save(path, np.concatenate([random.random(part.shape) < 1 / (1 + np.exp(-part)) for part in parts]))


def held(process: psutil.Process) -> int:
    """Return the bytes that a process and those that it has started hold; what they share is counted once."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total


def measured(words: list[str], folder: Path) -> tuple[float, str, float]:
    """Return GB at the peak, GB that the command said, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(folder / "said", "w+", encoding="utf-8") as said:
        places = [f"paths.{name}={folder}/{name}" for name in PLACES.get(words[0], ["outputs"])]
        process = psutil.Popen([sys.executable, "-c", SAYS_ALWAYS, *words, *places], cwd=folder, stdout=said)
        peak = 0
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, held(process))
            time.sleep(SECONDS)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words)
        said.seek(0)
        announced = SAID.findall(said.read())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return peak / 1e9, max(announced, key=float, default="-"), seconds


def main() -> None:
    """Print the table."""
    print("| command | GB at the peak | GB said | seconds |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows, variables in ((2_000, 50), (20_000, 200), (300_000, 200), (20_000, 1_000)):
            write_rows(folder / f"{rows}x{variables}.npy", rows, variables)
        for number, (command, words) in enumerate(COMMANDS.items(), 1):
            print(f"{number} of {len(COMMANDS)}: {command}", file=sys.stderr, flush=True)
            peak, announced, seconds = measured(words, folder)
            print(f"| {command} | {peak:.2f} | {announced} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
