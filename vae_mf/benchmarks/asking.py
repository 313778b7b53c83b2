"""Questions to an estimator of nats: a function of rows that answers with a value and its error.

Whoever has an estimator writes

    def my_estimator(rows, given=None):
        ...
        return nats, error

with ``rows`` (M, N) int8 of signs or (M, N, 3) of directors, and ``given`` (M, d) the latent variables of C(x|z). A
function without ``given`` is not asked for C(x|z); one with ``cut``, an array (N,) that is true for the variables of
part A, is asked for I(A; B) itself, and any other for TC(x) - TC(x_A) - TC(x_B); one with ``side`` is given the side of
a periodic lattice, None where there is none.
"""

import importlib
import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_mf.benchmarks.problems import Problem
from vae_mf.packing import pack_spins, unpack_spins
from vae_mf.statistics.averages import Average

Estimator = Callable[..., Any]


class Answer(NamedTuple):
    """Answer of an estimator, and the processor time that it took."""

    value: float
    error: float
    cpu_seconds: float


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
    takes = inspect.signature(estimator).parameters
    if problem.given is not None and "given" not in takes:
        raise ValueError("does not take latent variables")
    options = {"given": problem.given} if problem.given is not None else {}
    if problem.cut is None or "cut" in takes:
        own = {name: getattr(problem, name) for name in ("cut", "side") if name in takes}
        return checked(estimator(problem.rows, **options, **own))
    parts = [problem.rows, problem.rows[:, problem.cut], problem.rows[:, ~problem.cut]]
    whole, *rest = (checked(estimator(part, **options)) for part in parts)
    errors = [whole.error, *(each.error for each in rest)]
    return Average(whole.value - sum(each.value for each in rest), float(np.hypot.reduce(errors)))


def checked(answer: Any) -> Average:
    """Return an answer as value and error; an error of None is unknown.

    Raises:
        ValueError: unless it is two numbers, the value finite and the error not below zero.
    """
    try:
        value, error = answer
        found = Average(float(value), float("nan") if error is None else float(error))
    except (TypeError, ValueError):
        raise ValueError(f"expected a value and its error in nats, got {answer!r:.60}") from None
    if not np.isfinite(found.value):
        raise ValueError(f"expected a finite number of nats, got {found.value}")
    if found.error < 0 or np.isinf(found.error):
        raise ValueError(f"expected an error of at least 0 nats, finite, or None if it is unknown, got {found.error}")
    return found


def located(name: str) -> Estimator:
    """Return the function that ``module:function`` or ``file.py:function`` names.

    Raises:
        ValueError: if there is none.
    """
    place, colon, function = name.rpartition(":")
    if not colon:
        raise ValueError(f"estimator: expected module:function or file.py:function, got {name}")
    module = module_of(place)
    if not callable(found := vars(module).get(function)):
        raise ValueError(f"estimator: expected a function {function} in {place}, got none")
    return found


def module_of(place: str) -> Any:
    """Return the module of a name or of a file, which is run."""
    path = Path(place)
    if path.suffix != ".py":
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"estimator: expected a module or a file.py, got {place}: {error}") from error
    if not path.is_file():
        raise ValueError(f"estimator: expected a file, got {place}, which is not there")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a file of Python has a loader"
    assert spec.loader is not None, "a file of Python has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def answers(build: Callable[[Any], Estimator], named: Any, path: str) -> Iterator[Answer]:
    """Yield the answer of an estimator about the problem of a file, for a process of its own.

    Args:
        build: makes the estimator from ``named``.
        named: name or node of an estimator.
        path: file of the problem.
    """
    problem = read_problem(Path(path))
    estimator = build(named)
    start = time.process_time()
    found = ask(estimator, problem)
    yield Answer(*found, time.process_time() - start)
