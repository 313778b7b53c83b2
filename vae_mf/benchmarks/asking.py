"""Questions to an estimator of nats: a function of rows that answers with a value and its error.

Whoever has an estimator writes

    def my_estimator(rows, given=None):
        ...
        return nats, error

with ``rows`` (M, N) int8 of signs or (M, N, 3) of directors, and ``given`` (M, d) the latent variables of C(x|z), None
where TC(x) is asked for. A function without ``given`` is not asked for C(x|z); one with ``cut``, an array (N,) that is
true for the variables of part A, is asked for I(A; B) itself, and any other for TC(x) - TC(x_A) - TC(x_B); one with
``side`` is given the side of a periodic lattice, None where there is none.
"""

import inspect
import math
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from vae_mf.benchmarks.problems import Problem
from vae_mf.checks import plain_number, shown
from vae_mf.packing import pack_spins, unpack_spins
from vae_mf.statistics.averages import Average

Estimator = Callable[..., Any]
OPTIONAL = ("given", "cut", "side")
"""Parameters that an estimator may have beside the rows."""


def taken(estimator: Estimator) -> set[str]:
    """Return those of the optional parameters that a function takes by their names.

    One with ``**others`` is given the latent variables, without which it would answer another question; a cut is asked
    of it as a difference, which is right whether or not it knows of cuts.

    >>> sorted(taken(lambda rows, cut, **others: 0))
    ['cut', 'given']
    """
    parameters = inspect.signature(estimator).parameters.values()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {each.name for each in parameters if each.kind in by_name} & set(OPTIONAL)
    return named | ({"given"} if any(each.kind is each.VAR_KEYWORD for each in parameters) else set())


def save_problem(path: Path, problem: Problem) -> None:
    """Write a problem to a file, signs as bits."""
    signs = problem.rows.ndim == 2
    arrays = {"rows": pack_spins(problem.rows) if signs else problem.rows, "variables": problem.rows.shape[1]}
    others = {name: getattr(problem, name) for name in ("given", "cut", "side")}
    with open(path, "wb") as file:
        np.savez(file, **arrays, **{name: value for name, value in others.items() if value is not None})


def read_problem(path: Path) -> Problem:
    """Return the problem of a file that `save_problem` wrote."""
    with np.load(path) as found:
        rows = found["rows"]
        signs = rows if rows.ndim == 3 else unpack_spins(rows, int(found["variables"]))
        side = int(found["side"]) if "side" in found else None
        return Problem(signs, given=found.get("given"), cut=found.get("cut"), side=side)


def ask(estimator: Estimator, problem: Problem) -> Average:
    """Return what an estimator says about a problem, value and error in nats.

    >>> rows = np.ones((4, 2), np.int8)
    >>> ask(lambda rows: (0.5, 0.1), Problem(rows))
    Average(value=0.5, error=0.1)

    Raises:
        ValueError: if it does not take what the problem gives, or answers with anything but two numbers.
    """
    takes = taken(estimator)
    if problem.given is not None and "given" not in takes:
        raise ValueError("does not take latent variables")
    if problem.cut is None or "cut" in takes:
        return checked(estimator(problem.rows, **{name: getattr(problem, name) for name in takes}))
    options = {name: None if name == "side" else getattr(problem, name) for name in takes}
    parts = [problem.rows, problem.rows[:, problem.cut], problem.rows[:, ~problem.cut]]
    whole, *rest = (checked(estimator(part, **options)) for part in parts)
    errors = [whole.error, *(each.error for each in rest)]
    return checked((whole.value - sum(each.value for each in rest), math.hypot(*errors)))


def checked(answer: Any) -> Average:
    """Return an answer as value and error; an error of None is unknown.

    >>> checked((0.5, None))
    Average(value=0.5, error=nan)

    Raises:
        ValueError: unless it is two numbers, the value finite and the error not below zero.
    """
    try:
        if isinstance(answer, str | bytes | dict | set):
            raise TypeError
        value, error = answer
        found = Average(real(value), np.nan if error is None else real(error))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a value and its error in nats, or None for that, got {shown(answer)}") from None
    if not np.isfinite(found.value):
        raise ValueError(f"expected a finite number of nats, got {found.value}")
    if found.error < 0 or np.isinf(found.error):
        raise ValueError(f"expected an error of at least 0 nats, finite, or None if it is unknown, got {found.error}")
    return found


def real(value: Any) -> float:
    """Return a real number.

    >>> real(np.float32(0.5))
    0.5

    Raises:
        TypeError: if it is none, such as a complex number, a truth value or a text.
        OverflowError: if it is an integer beyond all floating-point numbers.
    """
    number = plain_number(value)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"expected a real number, got {shown(value)}")
    return float(number)
