"""Runs of the battery: which there are, their files, and their lines."""

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from .cases import FRESH_CASES, MENDED_CASES, TRIED_CASES, null

SETS = {
    name: [case.name for case in cases]
    for name, cases in (("tried", TRIED_CASES), ("mended", MENDED_CASES), ("fresh", FRESH_CASES))
}
"""Names of cases by their origin."""


class Job(NamedTuple):
    """A case, and the number of its draw."""

    case: str
    draw: int

    def path(self, folder: Path) -> Path:
        """Return the file of its line."""
        return folder / f"{self.case}@{self.draw}.json"


def jobs(cases: Sequence[str], draws: int, nulls: int) -> list[Job]:
    """Return the draws of the cases, draw by draw, and the independent sets, of one draw each."""
    chosen = [Job(name, draw) for draw, name in product(range(draws), cases)]
    return chosen + [Job(null(number).name, 0) for number in range(nulls)]


def lines(folder: Path, chosen: Sequence[Job]) -> Iterator[dict[str, Any]]:
    """Yield the lines of runs, as far as they are there, by their names."""
    for path in sorted(job.path(folder) for job in chosen):
        if path.exists():
            yield json.loads(path.read_text(encoding="utf-8"))


def ran(case: str, draw: int) -> Iterator[dict[str, Any]]:
    """Yield the line of a run, for a process of its own."""
    from .run import run  # which loads all of discovery

    yield run(case, draw)
