"""The rows of a benchmark as a printed table and as a page."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.table import Table

from .timing import Row

COLUMNS = ("subject", "size", "ours", "baseline", "theirs", "ratio", "target", "met")
PAGES = Path(__file__).parents[3] / "docs" / "benchmarks"


def cells(row: Row) -> list[str]:
    """Return the text of a line of the table."""

    def number(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.3g} {unit}".strip()

    bound = "-" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g}"
    met = {True: "yes", False: "no", None: "-"}[row.met]
    times = number(row.ours, row.unit), number(row.theirs, row.unit)
    return [row.subject, row.size, times[0], row.baseline, times[1], number(row.ratio, ""), bound, met]


def printed(rows: list[Row]) -> Table:
    """Return the table for a terminal."""
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row))
    return table


def conditions(*packages: str) -> str:
    """Return what the numbers depend on: processor, load and versions of the packages."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    processors = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    software = ", ".join(f"{name} {version(name)}" for name in packages)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} x {(processors or [platform.processor()])[0]}{load}, {software}"


def markdown(title: str, command: str, made_on: str, rows: list[Row]) -> str:
    """Return the table as a page."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *map(cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {title}\n\n`{command}` on {made_on}.\n\n{table}\n"
