"""Objects of a configuration: a node that names a class or function in ``_target_`` becomes what that returns."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from omegaconf import OmegaConf

from vae_mf.runs.names import PACKAGE, TARGET, present_name

PARTIAL = "_partial_"
"""Key of a node that becomes a function of the arguments that it lacks."""


def instantiate(node: Any, *, kind: type | None = None, **more: Any) -> Any:
    """Return the object that a node asks for; inner nodes are built first.

    >>> instantiate({"_target_": "vae_mf.systems.CurieWeiss", "sites": 8}).sites
    8

    Args:
        node: mapping with a ``_target_``, or containers of such mappings.
        kind: class of which everything from outside this package must be a subclass; None for no demand.
        more: further arguments, which replace those of the node.

    Raises:
        ValueError: if a target does not exist, is of another kind, or takes no such arguments.
    """
    plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True) if OmegaConf.is_config(node) else node
    return build(plain | more if more else plain, kind)  # pyright: ignore


def build(node: Any, kind: type | None) -> Any:
    """Return plain containers with every node built."""
    if isinstance(node, list):
        return [build(item, kind) for item in node]
    if not isinstance(node, dict):
        return node
    arguments = {key: build(value, kind) for key, value in node.items() if key not in (TARGET, PARTIAL)}
    if TARGET not in node:
        return arguments
    return call(node[TARGET], arguments, bool(node.get(PARTIAL)), kind)


def call(target: str, arguments: Mapping[str, Any], later: bool, kind: type | None) -> Any:
    """Call a target, or return a function that calls it later."""
    function = locate(target)
    own = target.partition(".")[0] == PACKAGE
    if not own and kind is not None and not (isinstance(function, type) and issubclass(function, kind)):
        raise ValueError(f"{TARGET}: expected a subclass of {kind.__module__}.{kind.__qualname__}, got {target}")
    require_arguments(target, function, arguments, later)
    if later:
        return partial(function, **arguments)
    try:
        return function(**arguments)
    except Exception as error:
        if own or isinstance(error, (ValueError, OSError, ImportError)):
            raise
        # Whatever a function of another package raises, it was asked for by an option.
        raise ValueError(f"{target}: {type(error).__name__}: {error}") from error


def require_arguments(target: str, function: Callable[..., Any], arguments: Mapping[str, Any], later: bool) -> None:
    """Raise ValueError unless a function takes these arguments and, if it is called now, lacks none."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some functions written in C
        return
    try:
        (signature.bind_partial if later else signature.bind)(**arguments)
    except TypeError as error:
        known = [name for name, option in signature.parameters.items() if option.kind != option.VAR_KEYWORD]
        raise ValueError(f"{target}: {error}; its options are {', '.join(known) or 'none'}") from None


def locate(target: str) -> Any:
    """Return the class or function of a dotted name, of today or of an earlier version.

    Raises:
        ValueError: if there is none, naming the nearest.
    """
    parts = present_name(target).split(".")
    found, place = None, 0
    for place in range(1, len(parts)):
        try:
            found = importlib.import_module(".".join(parts[:place]))
        except ModuleNotFoundError as error:
            if not ".".join(parts[:place]).startswith(str(error.name)):
                raise  # something that the module itself imports
            place -= 1
            break
    for part in parts[place:]:
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), 1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{TARGET}: expected a class or function that can be imported, got {target}{guess}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"{TARGET}: expected a class or function, got {target}, a {type(found).__name__}")
    return found
