"""Lines of finished runs, and tables of Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from .cases import case_of
from .outcome import Mark, given, mark

Run = dict[str, Any]
"""A line of `run.run`."""


def table(heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table of Markdown.

    >>> print(table(("a", "b"), [(1, "x")]))
    | a | b |
    |---|---|
    | 1 | x |
    """
    rule = f"|{'---|' * len(heads)}"
    return "\n".join([f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(map(str, line))} |" for line in lines)])


def marked(run: Run) -> Mark:
    """Return what the answer of a run is worth."""
    return mark(case_of(run["case"]).right, given(run))
