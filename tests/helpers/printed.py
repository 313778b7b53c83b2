"""Words and numbers that cells of notebooks have printed, compared across machines."""

import math
import re

from nbformat import NotebookNode

NUMBER = re.compile(r"[-\N{MINUS SIGN}]?\d[\d,]*\.?\d*(?:e[-+]\d+)?")
TOLERANCE = 0.05
"""Deviation of a number, as a share of itself or as it is, that another machine may cause."""


def printed(cell: NotebookNode) -> str:
    """Return what a cell has printed and answered in words, without pictures and pages."""
    return "\n".join(
        output.text if output.output_type == "stream" else output.data.get("text/plain", "") for output in cell.outputs
    )


def alike(first: str, second: str) -> bool:
    """Return True for texts of the same words whose numbers are the same within what machines differ by."""
    numbers = zip(NUMBER.findall(first), NUMBER.findall(second), strict=False)
    return words(first) == words(second) and all(
        math.isclose(value(one), value(other), rel_tol=TOLERANCE, abs_tol=TOLERANCE) for one, other in numbers
    )


def words(text: str) -> list[str]:
    """Return what stands between the numbers of a text, whatever its spacing."""
    return NUMBER.sub(" # ", text).split()


def value(number: str) -> float:
    """Return a number that is written with separators of thousands."""
    return float(number.replace(",", "").replace("\N{MINUS SIGN}", "-"))
