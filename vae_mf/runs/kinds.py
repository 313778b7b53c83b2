"""Kinds of values that the options of a class or function take, as its annotations say."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vae_mf.checks import shown

WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    NoneType: "null",
    list: "a list",
    dict: "options and their values",
}
"""Kinds of plain values, for a person to read."""
MANY = {bool: "truth values", int: "integers", float: "numbers", str: "texts"}
"""Kinds of what lists hold."""


def require_kinds(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raise ValueError if an option is of another kind than the annotation of its parameter.

    This is for values that a class would find out later, or never; those that it checks itself it describes better.

    >>> def fit(epochs: int, start: str | None = None) -> None: ...
    >>> require_kinds(fit, {"epochs": "ten"})
    Traceback (most recent call last):
    ValueError: epochs: expected an integer, got 'ten'

    Args:
        values: plain values, or objects, which are not looked at.
    """
    try:
        hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except (NameError, TypeError, AttributeError):  # annotations that are known to a checker of types alone
        return
    for name, value in values.items():
        if name in hints and not accepts(hints[name], value):
            kinds = " or ".join(dict.fromkeys(kinds_of(hints[name])))
            raise ValueError(f"{name}: expected {kinds}, got {shown(value)}")


def accepts(hint: Any, value: Any) -> bool:
    """Return True unless a plain value is of another kind than an annotation.

    >>> accepts(float | None, 1), accepts(int, True), accepts(int, 0.5), accepts(tuple[int, ...], "12")
    (True, False, False, False)
    """
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(accepts(each, value) for each in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    kind = plain_kind(hint)
    if kind is None or (type(value) not in WORDS and not isinstance(value, tuple)):
        return True
    if kind is list:
        inner = [each for each in get_args(hint) if each is not Ellipsis]
        return isinstance(value, list | tuple) and all(accepts(inner[0], each) for each in value if len(inner) == 1)
    if kind is float:
        return type(value) in (int, float) and value == value
    return type(value) is kind


def plain_kind(hint: Any) -> type | None:
    """Return the kind of plain values that an annotation takes, None if it takes objects or anything."""
    origin = get_origin(hint) or hint
    if origin in (bool, int, float, str, NoneType):
        return origin
    if not inspect.isclass(origin):
        return None
    if origin in (os.PathLike, Path):
        return str
    if issubclass(origin, Mapping):
        return dict
    return list if origin.__module__ in ("collections.abc", "builtins") and issubclass(origin, Iterable) else None


def kinds_of(hint: Any) -> list[str]:
    """Return the kinds of values that an annotation takes, in words."""
    if get_origin(hint) in (Union, UnionType):
        return [word for each in get_args(hint) for word in kinds_of(each)]
    if get_origin(hint) is Literal:
        return [str(each) for each in get_args(hint)]
    kind = plain_kind(hint)
    of_one_kind = [MANY[each] for each in get_args(hint) if each in MANY]
    if kind is list and of_one_kind:
        return [f"a list of {of_one_kind[0]}"]
    return ["an object"] if kind is None else [WORDS[kind]]
