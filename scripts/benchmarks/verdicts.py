"""Answers of a quick discovery on data whose truth is known: right, open or wrong, with their intervals and their cost.

Every case and draw runs in a process of its own and leaves a line of JSON in the work folder: what is there is not run
again, so that a benchmark that was stopped goes on. The page is written from all lines that are there.

    python scripts/benchmarks/verdicts.py
    python scripts/benchmarks/verdicts.py --cases ring cw_weak --draws 1 --nulls 0 --again
    python scripts/benchmarks/verdicts.py --one ring 0
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from baselines.table import PAGES, conditions
from battery.cases import CASES, FRESH_CASES, MENDED_CASES, TRIED_CASES, null
from battery.page import page
from battery.run import run
from rich.console import Console
from rich.progress import track

from vae_mf.files import write_whole
from vae_mf.paths import workplace

SETS = {"tried": TRIED_CASES, "mended": MENDED_CASES, "fresh": FRESH_CASES}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""CPU seconds of threads that wait for each other on a busy machine say nothing."""
SAID = 2000
"""Last characters of a failed run that are printed."""


class Job(NamedTuple):
    """A case, and the number of its draw."""

    case: str
    draw: int

    def path(self, folder: Path) -> Path:
        """Return the file of its line."""
        return folder / f"{self.case}@{self.draw}.json"


def jobs(cases: list[str], draws: int, nulls: int) -> list[Job]:
    """Return the draws of the cases, draw by draw, and the independent sets, of one draw each."""
    names = [each.name for name in cases for each in SETS.get(name, (CASES.get(name),)) if each]
    chosen = [Job(name, draw) for draw, name in product(range(draws), dict.fromkeys(names))]
    return chosen + [Job(null(number).name, 0) for number in range(nulls)]


def computed(job: Job, folder: Path) -> str:
    """Run a job on one thread of its own process and keep its line; return what it said if it failed."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", job.case, str(job.draw)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    if done.returncode:
        return f"{job.case}, draw {job.draw}: {(done.stderr or f'exit status {done.returncode}')[-SAID:]}"
    line = done.stdout.strip().splitlines()[-1]
    write_whole(job.path(folder), f"{line}\n")
    return ""


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of the work folder, by their names."""
    for path in sorted(folder.glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Run what is missing, say what failed, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*SETS, *CASES]
    parser.add_argument("--cases", nargs="*", choices=names, default=list(SETS), metavar="CASE", help=", ".join(names))
    parser.add_argument("--draws", type=int, default=3, help="draws of every case")
    parser.add_argument("--nulls", type=int, default=200, help="number of independent data sets")
    parser.add_argument("--processes", type=int, default=2, help="runs at the same time")
    parser.add_argument("--again", action="store_true", help="run what is there again")
    parser.add_argument("--folder", type=Path, default=workplace() / "outputs" / "verdicts", help="work folder")
    parser.add_argument("--output", type=Path, default=PAGES / "verdicts.md", help="page that is written")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "DRAW"), help="run one draw here and print its line")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.one[0], int(options.one[1]))))
        return
    console = Console()
    chosen = jobs(options.cases, options.draws, options.nulls)
    todo = [job for job in chosen if options.again or not job.path(options.folder).exists()]
    with ThreadPoolExecutor(options.processes) as pool:
        running = pool.map(lambda job: computed(job, options.folder), todo)
        failed = [said for said in track(running, "verdicts", total=len(todo), console=console) if said]
    for said in failed:
        console.print(said, style="red", markup=False)
    command = f"python scripts/benchmarks/verdicts.py --draws {options.draws} --nulls {options.nulls}"
    write_whole(options.output, page(list(lines(options.folder)), command, conditions("torch", "numpy"), len(failed)))
    console.print(f"page: {options.output}", soft_wrap=True)


if __name__ == "__main__":
    main()
