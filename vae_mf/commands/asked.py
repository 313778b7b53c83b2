"""Estimators that are asked in a process of their own, those of the user's too: import, errors, prints and files."""

import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import psutil

import vae_mf
from vae_mf.benchmarks.asking import OPTIONAL, Estimator, ask, read_problem, taken
from vae_mf.checks import shown
from vae_mf.memory import limit_memory

FORM = "module:function or file.py:function"
INSTALLED = ("site-packages", "dist-packages")
STANDARD = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
PACKAGE = Path(vae_mf.__file__).parent
MAIN = ("__main__", "__mp_main__")
"""Names of the program itself, which is no part of an estimator."""


class Answer(NamedTuple):
    """Answer of an estimator, and the processor time that it took with the processes that it started."""

    value: float
    error: float
    cpu_seconds: float
    sources: str = ""
    """Digests of the user's files that it came from, as JSON; empty for an estimator of this package."""


def parted(name: Any) -> tuple[str, str]:
    """Return the place and the function that the name of an estimator holds.

    >>> parted("a.b:nats"), parted("C:/x.py:nats")
    (('a.b', 'nats'), ('C:/x.py', 'nats'))

    Raises:
        ValueError: if it is no such name.
    """
    place, _, function = name.rpartition(":") if isinstance(name, str) else ("", "", "")
    if not (place and function.isidentifier()):
        raise ValueError(f"estimator: expected {FORM}, got {shown(name)}")
    return place, function


def located(name: str) -> Estimator:
    """Return the function that a name stands for.

    Raises:
        ValueError: if its place cannot be imported, or has no such function, or one that asks for more than rows.
    """
    place, function = parted(name)
    module = imported(place)
    found = getattr(module, function) if hasattr(module, function) else None
    if not callable(found):
        every = inspect.getmembers(module, inspect.isfunction)
        there = [name for name, each in every if each.__module__ == module.__name__]
        known = f"which has {', '.join(there)}" if there else "which has none"
        raise ValueError(f"estimator: expected a function of {place}, {known}, got {function}")
    require_rows_alone(name, found)
    return found


def tried(name: str) -> Iterator[None]:
    """Yield nothing after the function that a name stands for is found, for a process of its own."""
    located(name)
    yield from ()


def require_rows_alone(name: str, estimator: Estimator) -> None:
    """Raise ValueError unless a function can be called with rows, and what it takes beside them."""
    try:
        inspect.signature(estimator).bind(None, **dict.fromkeys(taken(estimator)))
    except (TypeError, ValueError) as error:
        expected = f"a function of rows and, if it likes, {', '.join(OPTIONAL)}"
        advice = "give its other parameters defaults, or wrap it in a function"
        raise ValueError(f"estimator: expected {expected}, got {name}, {error}: {advice}") from error


def imported(place: str) -> ModuleType:
    """Return the module of a name or of a file, with what lies beside it, or in this folder, first in the search.

    Raises:
        ValueError: whatever its import raises, and if there is none.
    """
    path = Path(place)
    of_file = path.suffix == ".py"
    if of_file and not path.is_file():
        raise ValueError(f"estimator: expected a file, got {place}, which is not there")
    sys.path.insert(0, str((path.parent if of_file else Path()).resolve()))
    try:
        return run_file(path) if of_file else importlib.import_module(place)
    except BaseException as error:  # sys.exit in a file of the user's ends no benchmark
        absent = isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}.")
        expected = "a module or a file.py" if absent else "a module without errors"
        raise ValueError(f"estimator: expected {expected}, got {place}: {sentence_of(error)}") from error


def run_file(path: Path) -> ModuleType:
    """Return the module of a file, which is run."""
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None, "a file of Python has a loader"
    assert spec.loader is not None, "a file of Python has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def sentence_of(error: BaseException) -> str:
    """Return an error of the user's code on one line, with the place in its files; a refusal is a sentence itself.

    >>> sentence_of(ValueError("does not take directors")), sentence_of(KeyError("a")), sentence_of(SystemExit(3))
    ('does not take directors', "KeyError: 'a'", 'it calls sys.exit(3)')
    """
    said = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(Path(frame.filename))]
    if type(error) is ValueError and said and all(is_refusal(frame) for frame in frames[-1:]):
        return said
    if isinstance(error, SystemExit):
        said = f"it calls sys.exit({'' if error.code is None else repr(error.code)})"
    else:
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{said} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else said


def is_refusal(frame: traceback.FrameSummary) -> bool:
    """Return whether an error comes from a statement that raises it, of the user's or of this package."""
    return (frame.line or "").startswith("raise ") and not is_installed(Path(frame.filename))


def is_installed(file: Path) -> bool:
    """Return whether a file is one of Python or of an installed package."""
    places = STANDARD.union(INSTALLED)
    return not (places.isdisjoint(file.parts) and places.isdisjoint(map(str, file.parents)) and file.is_file())


def is_own(file: Path) -> bool:
    """Return whether a file belongs to the user: it is neither installed nor of this package."""
    return not is_installed(file) and PACKAGE not in file.parents


def sources(name: str) -> dict[str, str]:
    """Return digests of the user's files that are loaded, of that of an estimator, and of all in its package."""
    place = Path(parted(name)[0])
    top = place.name.partition(".")[0]
    loaded = {
        key: Path(file)
        for key, module in list(sys.modules.items())
        if inspect.ismodule(module) and (file := vars(module).get("__file__")) and key not in MAIN
    }
    files = {file for key, file in loaded.items() if is_own(file) or key.partition(".")[0] == top}
    own = {place.resolve()} if place.suffix == ".py" else set()  # a module of the same name may be loaded
    return {str(file): file_digest(file) for file in sorted(files | own)}


def file_digest(file: Path) -> str:
    """Return a digest of a file, empty if there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else ""


def answers(build: Callable[[Any], Estimator], named: Any, path: str) -> Iterator[Answer]:
    """Yield the answer of an estimator about the problem of a file, for a process of its own.

    Args:
        build: makes the estimator from ``named``.
        named: name or node of an estimator.
        path: file of the problem.

    Raises:
        ValueError: in the place of whatever the estimator raises.
    """
    problem = read_problem(Path(path))
    with in_a_sentence():
        estimator = build(named)
        start = spent()
        found = ask(estimator, problem)
        seconds = spent() - start
    yield Answer(*found, seconds)


def own_answers(name: str, path: str, log: str) -> Iterator[Answer]:
    """Yield the answer of an estimator of one's own, as `answers` does, within the memory that is free.

    Args:
        name: ``module:function`` or ``file.py:function``.
        path: file of the problem.
        log: file that it prints to.
    """
    limit_memory()
    with printing_to(Path(log)):
        (answer,) = answers(located, name, path)
    yield answer._replace(sources=json.dumps(sources(name)))


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Turn what an estimator raises, sys.exit too, into a sentence that another process can read."""
    try:
        yield
    except BaseException as error:
        raise ValueError(sentence_of(error)) from None


def spent() -> float:
    """Return the processor seconds of this process and of those that it has started."""
    seconds = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            seconds += sum(process.cpu_times()[:2])
    return seconds


@contextmanager
def printing_to(file: Path) -> Iterator[None]:
    """Append to a file what is printed meanwhile, also by processes that are started; there is none if nothing is."""
    kept = {number: os.dup(number) for number in (1, 2)}
    with open(file, "ab") as log:
        sys.stdout.flush()
        try:
            for number in kept:
                os.dup2(log.fileno(), number)
            yield
        finally:
            sys.stdout.flush()
            for number, before in kept.items():
                os.dup2(before, number)
                os.close(before)
    if not file.stat().st_size:
        file.unlink()
