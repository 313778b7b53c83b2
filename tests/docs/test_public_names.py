"""Public names: each has a page of the reference, made of its docstring alone, and the page has all that it needs."""

import ast
import inspect
import re
import textwrap
from doctest import DocTestParser, Example
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import PROJECT_ROOT

import vae_mf
from vae_mf.discovery.settings import discovery_config

STUBS = sorted((PROJECT_ROOT / "vae_mf").glob("**/__init__.pyi"))
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)+)", re.M)
ENTRY = re.compile(r"^    (\*{0,2}\w+(?:, \w+)*):\s", re.M)
ROWS = {"spins", "rows", "trajectories", "raster", "configurations"}
"""Names of arguments that are arrays although anything is taken for one."""
SKIPPED = "+SKIP"


class Public(NamedTuple):
    """A public name and where it stands."""

    room: str
    name: str
    thing: Any


def public_names() -> list[Public]:
    """Return the classes and functions of all stubs, each once."""
    found: dict[int, Public] = {}
    for stub in STUBS:
        room = ".".join(["vae_mf", *stub.parent.relative_to(PROJECT_ROOT / "vae_mf").parts])
        for name in import_module(room).__all__:
            thing = getattr(import_module(room), name)
            if not inspect.ismodule(thing):
                found[id(thing)] = Public(room, name, thing)
    return list(found.values())


PUBLIC = public_names()
each = pytest.mark.parametrize("public", PUBLIC, ids=lambda public: f"{public.room}.{public.name}")
SKIPPING = [public for public in PUBLIC if "+SKIP" in (public.thing.__doc__ or "")]


def documented(thing: Any) -> str:
    """Return the docstring of a thing itself, never that of a base."""
    return inspect.cleandoc(vars(thing).get("__doc__") or "" if inspect.isclass(thing) else thing.__doc__ or "")


def examples(text: str) -> list[Example]:
    return DocTestParser().get_examples(text)


def described(thing: Any) -> dict[str, str]:
    """Return the descriptions of arguments and attributes, of a class those of its public bases too."""
    known = {id(public.thing) for public in PUBLIC} | {id(thing)}
    found: dict[str, str] = {}
    for part in reversed([base for base in thing.__mro__ if id(base) in known] if inspect.isclass(thing) else [thing]):
        for section in SECTION.findall(documented(part)):
            starts = [*ENTRY.finditer(section)]
            for start, end in zip(starts, [*(match.start() for match in starts[1:]), len(section)], strict=True):
                names = str(start[1]).replace("*", "").split(", ")
                found |= {name: str(section[start.end() : end]) for name in names}
        found |= described_fields(part) if inspect.isclass(part) else {}
    return found


def described_fields(part: type) -> dict[str, str]:
    """Return the texts below the fields of a class."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    found = {}
    for field, text in pairwise(definition.body if isinstance(definition, ast.ClassDef) else []):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = str(text.value.value)
    return found


def parameters(thing: Any) -> list[inspect.Parameter]:
    """Return what a caller of a function, or of a class that is no protocol, gives it."""
    if getattr(thing, "_is_protocol", False) or issubclass(thing if inspect.isclass(thing) else object, Exception):
        return []
    return list(inspect.signature(thing).parameters.values())


def flaws(thing: Any) -> list[str]:
    """Return what the docstring of a public thing lacks."""
    text = documented(thing)
    entries = described(thing)
    head = text.partition("\n\n")[0]
    found = [] if head.endswith(".") and "\n" not in head else ["a sentence"]
    found += [] if examples(text) else ["an example"]
    for parameter in parameters(thing):
        entry = entries.get(parameter.name)
        if entry is None:
            found.append(f"an entry for {parameter.name}")
        elif shapeless(parameter) and "(" not in entry:
            found.append(f"the shape of {parameter.name}")
    if not inspect.isclass(thing) and not re.search(r"\breturns?:?\b", text, re.I):
        found += [] if "Iterator" in str(inspect.signature(thing).return_annotation) else ["what it returns"]
    return found


def shapeless(parameter: inspect.Parameter) -> bool:
    """True for an array whose annotation has no shape."""
    return parameter.annotation is np.ndarray or (parameter.name in ROWS and parameter.annotation is Any)


@each
def test_a_public_name_has_a_sentence_an_example_and_an_entry_for_every_argument(public):
    assert flaws(public.thing) == []


def test_flaws_are_seen():
    def planted(spins: Any, count: int) -> None:
        """Return nothing.

        Args:
            spins: configurations.
        """

    assert flaws(planted) == ["an example", "the shape of spins", "an entry for count"]
    planted.__doc__ = "Adds\n\n>>> 1 + 1\n2\n\nArgs:\n    spins: shape (M, N).\n    count: number of rows."
    assert flaws(planted) == ["a sentence", "what it returns"]


@pytest.mark.parametrize("public", SKIPPING, ids=lambda public: public.name)
def test_examples_that_are_not_run_call_with_arguments_that_exist(public):
    """Those would need a network, minutes or a file of the user's."""
    places = vars(import_module(inspect.unwrap(public.thing).__module__)) | vars(vae_mf)
    names = places | {other.name: other.thing for other in PUBLIC}
    for example in examples(documented(public.thing)):
        for call in (node for node in ast.walk(ast.parse(example.source)) if isinstance(node, ast.Call)):
            if SKIPPED in example.source and isinstance(call.func, ast.Name) and call.func.id in names:
                given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
                bound = inspect.signature(names[call.func.id]).bind(*call.args, **given)
                discovery_config(**bound.arguments.get("settings", {}))
