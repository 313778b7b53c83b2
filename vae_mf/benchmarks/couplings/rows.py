"""Rows of a benchmark of times and errors against baselines, as a printed table and as a page."""

from typing import NamedTuple

from rich.table import Table

COLUMNS = ("subject", "size", "ours", "baseline", "theirs", "ratio", "target", "met")


class Row(NamedTuple):
    """A line of the table."""

    subject: str
    size: str
    ours: float
    baseline: str = "-"
    theirs: float | None = None
    ratio: float | None = None
    """Theirs to ours, the median over rounds."""
    target: float | None = None
    unit: str = "ns"
    at_most: bool = False
    """True if the target is an upper bound on ours, not a lower one on the ratio."""

    @property
    def met(self) -> bool | None:
        """True if the target is met; None without a target or a measurement."""
        value = self.ours if self.at_most else self.ratio
        if self.target is None or value is None:
            return None
        return bool(value <= self.target if self.at_most else value >= self.target)


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


def markdown(title: str, command: str, made_on: str, rows: list[Row]) -> str:
    """Return the table as a page."""
    return f"# {title}\n\n`{command}` on {made_on}.\n\n{table_of(rows)}\n"


def table_of(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(rows: list[Row], command: str, made_on: str) -> str:
    """Return the table as a section of a page, with a sentence about its targets."""
    known = [row for row in rows if row.met is not None]
    missed = [f"{row.subject} of {row.size}" for row in known if not row.met]
    said = f"{len(known) - len(missed)} of {len(known)} targets are met"
    said += f", all but {'; '.join(missed)}." if missed else "."
    about = (
        "CPU seconds of one thread and root mean square error of J, ours and the baseline's on the same rows; the "
        "ratio is theirs to ours."
    )
    return f"## Inverse Ising\n\n`{command}` on {made_on}.\n\n{about} {said}\n\n{table_of(rows)}\n"
