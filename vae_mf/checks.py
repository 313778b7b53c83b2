"""Checks at the public edges: each raises a ValueError that names what was expected and what came."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def require_integer(name: str, value: Any, minimum: int = 1) -> int:
    """Return ``value`` as an int, or raise ValueError unless it is an integer of at least ``minimum``.

    >>> require_integer("sites", 8)
    8
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name}: expected an integer >= {minimum}, got {value!r}")
    return int(value)


def require_positive(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it is a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ValueError(f"{name}: expected a finite number > 0, got {value!r}")
    return float(value)


def require_non_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it is zero or a finite number above it."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise ValueError(f"{name}: expected a finite number >= 0, got {value!r}")
    return float(value)


def require_fraction(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it lies strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ValueError(f"{name}: expected a number between 0 and 1, got {value!r}")
    return float(value)


def require_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value``, or raise ValueError unless it is one of ``choices``."""
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def require_temperatures(values: Any) -> np.ndarray:
    """Return temperatures (k_B = 1) as a float64 array, or raise ValueError unless all are distinct and above zero.

    >>> require_temperatures([0.5, 1]).tolist()
    [0.5, 1.0]
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"temperatures: expected a list of numbers > 0, got {values!r}")
    temperatures = np.array([require_positive("temperatures", value) for value in values])
    if temperatures.size == 0 or np.unique(temperatures).size != temperatures.size:
        raise ValueError(f"temperatures: expected at least one and no duplicates, got {list(values)!r}")
    return temperatures


def require_spins(name: str, values: np.ndarray) -> None:
    """Raise ValueError unless every entry of ``values`` is -1 or +1."""
    if not np.isin(values, (-1, 1)).all():
        raise ValueError(f"{name}: expected entries -1 and +1, got values such as {np.unique(values)[:5].tolist()}")
