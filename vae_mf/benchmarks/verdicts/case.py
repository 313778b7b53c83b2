"""Case of the battery: how its rows are drawn, and which answers about them are right."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8

from vae_mf.arrays import Patterns, Spins
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND

from .laws import Law

NOTHING = "nothing to find"
TRIED, MENDED, FRESH = "tried before", "added after a fault", "fresh"
"""Origins of cases: nothing was tuned to a fresh one."""
CLASSES, DRIFT, GROUPS, REPEATS = "classes", "drift", "groups", "repeats"


class Data(NamedTuple):
    """Rows with the truth about them."""

    rows: Int8[np.ndarray, "..."]
    """Shape (rows, variables), or (repeats, variables, rows)."""
    law: Law | None = None
    """Exact ln p of a row, taken by itself; None where it is not known."""
    patterns: Patterns | None = None
    """Sign vectors of the latent variables, if they are ones."""


class Answer(NamedTuple):
    """An answer that is right."""

    answer: str
    """`FOUND`, `NOT_FOUND` or `NOTHING`; `NOT_DECIDED` where that alone is right, and not open."""
    named: frozenset[str] = frozenset()
    """All of `CLASSES`, `DRIFT`, `GROUPS` and `REPEATS` that the headline must name; it must name no other."""
    numbers: frozenset[int] = frozenset()
    """Numbers of latent variables, or of classes, that are right; empty where none is asked for."""


class Case(NamedTuple):
    """Data set of the battery."""

    name: str
    draw: Callable[[np.random.Generator], Data]
    right: tuple[Answer, ...]
    """Right answers, the plainest first."""
    origin: str
    """`TRIED` if thresholds were set on it, `MENDED` if it was added after a fault, or `FRESH`."""


def found(*numbers: int, named: str = "") -> Answer:
    """Return the answer that so many latent variables explain everything.

    >>> found(1, 2, named="drift").named
    frozenset({'drift'})
    """
    return Answer(FOUND, frozenset(named.split()), frozenset(numbers))


def classes(*numbers: int) -> Answer:
    """Return the answer that so many latent classes explain everything."""
    return found(*numbers, named=CLASSES)


NOT = Answer(NOT_FOUND)
NOTHING_AT_ALL = Answer(NOTHING)
NOTHING_BUT_DRIFT = (Answer(NOTHING, frozenset({DRIFT})), found(1, named=DRIFT))
NOTHING_IN_REPEATS = (Answer(NOT_DECIDED, frozenset({REPEATS})), NOTHING_AT_ALL)
ONLY_GROUPS = (NOT, Answer(NOT_FOUND, frozenset({GROUPS})), Answer(FOUND, frozenset({GROUPS})))
"""Pairs that belong together are no collective variable."""


def bernoulli(random: np.random.Generator, log_odds: Float[np.ndarray, "*rows sites"]) -> Spins:
    """Return independent variables with these log-odds."""
    up = random.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds))
    return np.where(up, 1, -1).astype(np.int8)


def random_signs(random: np.random.Generator, *shape: int) -> Int8[np.ndarray, "..."]:
    """Return independent fair signs."""
    return np.where(random.random(shape) < 0.5, 1, -1).astype(np.int8)
