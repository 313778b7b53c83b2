"""Time the samplers against their rivals: every ratio that is promised, in one table.

Process CPU time on one thread in ns per spin (or director), wall time where threads or the first call are concerned.
Blocks of all contestants of a line alternate and ratios are medians over rounds, so they survive a busy machine; the
nanoseconds do not. Rivals that are not installed are left out (pip install mcising dwave-samplers).

    python scripts/benchmark_samplers.py
    python scripts/benchmark_samplers.py --subjects hopfield kinetic --repeats 15
"""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from contestants import curie_weiss, hopfield, ising2d, kinetic, machine, maier_saupe, spin_glass
from contestants.timing import Row
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

SUBJECTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "ising2d": ising2d.rows,
    "hopfield": hopfield.rows,
    "maier_saupe": maier_saupe.rows,
    "spin_glass": spin_glass.rows,
    "curie_weiss": curie_weiss.rows,
    "kinetic": kinetic.rows,
    "machine": machine.rows,
}
COLUMNS = ("subject", "size", "ours", "rival", "theirs", "ratio", "target", "met")
MARKDOWN = Path(__file__).parents[1] / "docs" / "benchmarks" / "samplers.md"


def cells(row: Row) -> list[str]:
    """Return the text of a line of the table."""

    def number(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.3g} {unit}".strip()

    bound = "-" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g}"
    met = {True: "yes", False: "no", None: "-"}[row.met]
    times = number(row.ours, row.unit), number(row.theirs, row.unit)
    return [row.subject, row.size, times[0], row.rival, times[1], number(row.ratio, ""), bound, met]


def conditions() -> str:
    """Return what the numbers depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processors = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    software = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} x {(processors or [platform.processor()])[0]}{load}, {software}"


def markdown(rows: list[Row], command: str) -> str:
    """Return the table as a page."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *map(cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# Speed of the samplers\n\n`{command}` on {conditions()}.\n\n{table}\n"


def main() -> None:
    """Measure what was asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--repeats", type=int, default=7, help="rounds per line")
    parser.add_argument("--write", action="store_true", help=f"save the table as docs/benchmarks/{MARKDOWN.name}")
    options = parser.parse_args()
    console, rows = Console(width=140), []
    with threadpool_limits(1):
        for subject in options.subjects:
            with console.status(subject):
                rows += SUBJECTS[subject](options.repeats)
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row))
    console.print(table, conditions())
    if options.write:
        MARKDOWN.write_text(markdown(rows, f"python scripts/benchmark_samplers.py --repeats {options.repeats}"))


if __name__ == "__main__":
    main()
