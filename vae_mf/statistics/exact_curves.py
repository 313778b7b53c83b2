"""Curves of exact theory between the temperatures of samples."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

Theory = Callable[[float], tuple[float, ...] | None]
"""Numbers at a temperature, None where no exact sum is feasible."""
INTERVALS = 10
"""Parts of the range at least, each of which is looked into."""
HALVINGS = 6
"""Times that an interval is cut into halves, at most."""
OF_RANGE, OF_VALUE = 0.005, 0.03
"""Shares of the range of values, and of the value itself, by which a straight line may miss theory."""


def exact_curve(temperatures: Iterable[float], theory: Theory) -> dict[float, tuple[float, ...]]:
    """Return theory at the temperatures and at so many between them that straight lines through all are the curve.

    An interval is cut into halves until theory in its middle lies on the line between its ends. A single value may cost
    seconds, and smooth curves have few.

    Returns:
        numbers by temperature, ascending; of a single temperature and where theory is not known only those given.

    >>> curve = exact_curve([1.0, 2.0], lambda t: (t**2,))
    >>> len(curve), curve[1.5]
    (21, (2.25,))
    """
    given = sorted(set(temperatures))
    found = {t: values for t in given if (values := theory(t)) is not None}
    if len(given) < 2 or len(found) < len(given):
        return found
    grid = {*given, *np.linspace(given[0], given[-1], INTERVALS + 1).tolist()}
    found |= {t: values for t in grid - set(given) if (values := theory(t)) is not None}
    intervals = list(pairwise(sorted(found)))
    for _ in range(HALVINGS):
        intervals = halved(intervals, found, theory)
    return dict(sorted(found.items()))


def halved(
    intervals: list[tuple[float, float]], found: dict[float, tuple[float, ...]], theory: Theory
) -> list[tuple[float, float]]:
    """Add theory in the middle of intervals, and return the halves of those across which it is no straight line."""
    table = np.array(list(found.values()))
    close = OF_RANGE * (table.max(0) - table.min(0))
    bent = []
    for low, high in intervals:
        middle = (low + high) / 2
        values = theory(middle)
        if values is None:
            continue
        found[middle] = values
        line = (np.array(found[low]) + found[high]) / 2
        if (np.abs(values - line) > np.minimum(close, OF_VALUE * np.abs(values))).any():
            bent += [(low, middle), (middle, high)]
    return bent
