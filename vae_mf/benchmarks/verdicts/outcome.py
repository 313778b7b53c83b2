"""Right, open or wrong: a discovery's answer against the truth, and its intervals against exact values."""

from enum import Enum
from typing import Any, NamedTuple

from vae_mf.statistics.averages import Average
from vae_mf.verdict.decision import FOUND, NOT_DECIDED

from .case import CLASSES, DRIFT, GROUPS, NOTHING, REPEATS, Answer

STEMS = {CLASSES: "class", DRIFT: "drift", GROUPS: "group", REPEATS: "repeated"}
"""Beginnings of the words by which a headline names something."""
ERRORS = 2.0
"""Errors of an exact value, where it has one, that its interval need not hold."""


class Outcome(Enum):
    """Worth of an answer."""

    RIGHT = "right"
    OPEN = "open"
    WRONG = "wrong"


class Given(NamedTuple):
    """An answer as a reader of the report takes it."""

    answer: str
    named: frozenset[str]
    """Those of classes, drift, groups and repeats that the headline names."""
    number: int
    """Number of latent variables, of classes where these are named."""

    @property
    def text(self) -> str:
        """Answer and names in a few words."""
        return " + ".join([self.answer, *sorted(self.named)])


class Mark(NamedTuple):
    """Outcome of a run."""

    outcome: Outcome
    number_right: bool | None
    """None where no number is asked for, or the answer is not right."""


def given(run: dict[str, Any]) -> Given:
    """Return the answer of a run: its word, what its headline names, and its number.

    That something is made of classes or groups is part of the answer "found" alone.

    >>> run = {"answer": "found", "headline": "Six classes, and they explain the correlations", "latents": 5}
    >>> given(run | {"metrics": {"classes": 6}})
    Given(answer='found', named=frozenset({'classes'}), number=6)
    """
    headline = run["headline"].lower()
    named = frozenset(name for name, stem in STEMS.items() if stem in headline)
    if run["answer"] != FOUND:
        named &= {DRIFT, GROUPS, REPEATS}
    number = run["metrics"].get("classes") if CLASSES in named else run["latents"]
    return Given(run["answer"], named, int(number or 0))


def mark(right: tuple[Answer, ...], answer: Given) -> Mark:
    """Return what an answer is worth.

    It is right if word and names are those of a right answer, else open if it decides nothing, and wrong otherwise: a
    headline that names too much or too little is wrong. The number is marked by itself.
    """
    fitting = [each for each in right if (each.answer, each.named) == (answer.answer, answer.named)]
    if not fitting:
        return Mark(Outcome.OPEN if answer.answer == NOT_DECIDED else Outcome.WRONG, None)
    asked = [each.numbers for each in fitting if each.numbers]
    return Mark(Outcome.RIGHT, any(answer.number in numbers for numbers in asked) if asked else None)


def false_positive(answer: Given) -> bool:
    """Return True if independent variables are given collective variables, or classes, that are no drift."""
    return answer.answer != NOTHING and answer.number > 0 and DRIFT not in answer.named


class Side(Enum):
    """Place of an exact value by an interval that was stated for it."""

    INSIDE = "inside"
    BELOW = "below"
    ABOVE = "above"


def side(lower: float, upper: float, exact: Average) -> Side:
    """Return on which side of a stated interval an exact value lies, its own error granted.

    >>> side(0.1, 0.2, Average(0.25, 0.01)).value
    'above'
    """
    if exact.value + ERRORS * exact.error < lower:
        return Side.BELOW
    return Side.ABOVE if exact.value - ERRORS * exact.error > upper else Side.INSIDE
