"""Objects of a configuration: a node that names a class or function in ``_target_`` becomes what that returns."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import Any

from omegaconf import OmegaConf

from vae_mf.checks import require_path
from vae_mf.datasets.file_formats import reading
from vae_mf.datasets.files import DataError
from vae_mf.runs.foreign import LOADERS
from vae_mf.runs.kinds import require_kinds
from vae_mf.runs.names import PACKAGE, TARGET, present_name

PARTIAL = "_partial_"
"""Key of a node that becomes a function of the arguments that it lacks."""


def instantiate(node: Any, *, kind: type | None = None, place: str = "", **more: Any) -> Any:
    """Return the object that a node asks for; inner nodes are built first.

    >>> instantiate({"_target_": "vae_mf.systems.CurieWeiss", "sites": 8}).sites
    8

    Args:
        node: mapping with a ``_target_``, or containers of such mappings.
        kind: class of which everything from outside this package must be a subclass; None for no demand.
        place: dotted name of a node in plain containers; one of a configuration knows its own.
        more: further arguments, which replace those of the node.

    Raises:
        ValueError: if a target does not exist, is of another kind, takes no such arguments or refuses their values;
            an option is called by its whole name.
    """
    plain = node
    if OmegaConf.is_config(node):
        plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        place = node._get_full_key(None)
    return build(plain, kind, place, build(more, kind, ""))


def build(node: Any, kind: type | None, place: str, more: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return plain containers with every node built, the outermost with more arguments."""
    if isinstance(node, list):
        return [build(item, kind, f"{place}[{number}]") for number, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    inside = {key: value for key, value in node.items() if key not in (TARGET, PARTIAL, *more)}
    own = {key: build(value, kind, f"{place}.{key}".lstrip(".")) for key, value in inside.items()}
    if TARGET not in node:
        return {**own, **more}
    return call(node[TARGET], own, more, bool(node.get(PARTIAL)), kind, place)


def call(
    target: str, own: Mapping[str, Any], more: Mapping[str, Any], later: bool, kind: type | None, place: str
) -> Any:
    """Call a target with arguments of its own and more, or return a function that calls it later."""
    function = call_naming(locate, place, (TARGET,), target, kind)
    arguments = {**own, **more}
    require_arguments(target, function, arguments, later)
    check = partial(call_naming, require_kinds, place, tuple(own), function, own)
    if target in LOADERS:
        function = partial(loaded, target, function)
    if later:
        check()
        return partial(call_naming, function, place, tuple(own), **arguments)
    try:
        found = call_naming(function, place, tuple(own), **arguments)
    except Exception as error:
        if not isinstance(error, ValueError):
            check()  # says better what a value of a wrong kind has led to
        if target.startswith(f"{PACKAGE}.") or isinstance(error, (ValueError, OSError, ImportError)):
            raise
        # Whatever a function of another package raises, it was asked for by an option.
        raise ValueError(f"{target}: {type(error).__name__}: {error}") from error
    check()  # last, as what is built says better what is wrong
    return found


def loaded(target: str, function: Callable[..., Any], file: Any, **options: Any) -> Any:
    """Return what a function of another package loads from a file, by whose path whatever is wrong with it is told.

    Raises:
        DataError: if it is no file, which might never end, or the function cannot read it.
    """
    path = require_path("file", file)
    with reading(path):
        if path.exists() and not path.is_file():
            raise DataError("expected a file, got a folder, a pipe or a device")
        try:
            return function(path, **options)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # each of them has its own
            raise DataError(f"expected an array for {target}, got a damaged file or one of another format") from error


def call_naming(
    function: Callable[..., Any], place: str, options: Sequence[str], /, *arguments: Any, **more: Any
) -> Any:
    """Call a function; a refusal that begins with the name of one of its options begins with the whole name then."""
    try:
        return function(*arguments, **more)
    except ValueError as error:
        if not place or str(error).partition(":")[0] not in options:
            raise
        raise ValueError(f"{place}.{error}") from error


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


def locate(target: str, kind: type | None = None) -> Any:
    """Return the class or function of a dotted name, of today or of an earlier version.

    Raises:
        ValueError: if there is none, naming the nearest, or it is from outside this package and of another kind.
    """
    if not isinstance(target, str):
        raise ValueError(f"{TARGET}: expected a class or function, got {target!r}")
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
    ours = target.startswith(f"{PACKAGE}.")
    if not ours and kind is not None and not (isinstance(found, type) and issubclass(found, kind)):
        raise ValueError(f"{TARGET}: expected a subclass of {kind.__module__}.{kind.__qualname__}, got {target}")
    return found
