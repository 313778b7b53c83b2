"""Configurations of folders that somebody may have sent: values, and objects of this package alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import yaml

from vae_mf.checks import shown
from vae_mf.runs.names import PACKAGE, TARGET, present_name

ROOMS = ("analysis", "datasets", "device_samplers", "models", "samplers", "systems", "training", "verdict")
"""Rooms whose public classes and functions a run may name; none of them writes, or runs what it is given."""
MAKERS = ("random", "from_file")
"""Class methods of systems that are drawn, and of formulas that are read from a text."""
LOADERS = {"numpy.load": {TARGET, "file"}, "scipy.sparse.load_npz": {TARGET, "file"}}
"""Functions of other packages that a run may name with these options alone: with others they would unpickle."""
TRAINING_ONLY = ("callbacks", "logger")
"""Groups that nothing but `train` builds, from its own command line."""
INTERPOLATION = re.compile(r"(?<!\\)(\\\\)*\$\{")


def require_values(config: Mapping[str, Any], source: object) -> None:
    """Raise ValueError if a configuration has values that would be computed where it is read, as from the environment.

    >>> require_values({"seed": "${oc.env:HOME}"}, "config.yaml")
    Traceback (most recent call last):
    ValueError: config.yaml: expected values, got seed='${oc.env:HOME}', which would be computed: write the value

    Args:
        config: plain containers.
        source: where it stands.
    """
    for place, value in inner(config):
        if isinstance(value, str) and INTERPOLATION.search(value):
            got = f"{place}={shown(value)}, which would be computed"
            raise ValueError(f"{source}: expected values, got {got}: write the value")


def require_no_aliases(text: str, source: object) -> None:
    r"""Raise ValueError if values in a text of YAML stand for others, which may grow beyond any memory.

    >>> require_no_aliases("a: &x [1, 1]\nb: [*x, *x]", "config.yaml")
    Traceback (most recent call last):
    ValueError: config.yaml: expected every value to be written out, got aliases: write the values
    """
    # To look for them takes as long as to read the text, which has none if nothing in it may be an anchor.
    if "&" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        raise ValueError(f"{source}: expected every value to be written out, got aliases: write the values")


def require_harmless(config: Mapping[str, Any], source: object, extensions: Sequence[str]) -> None:
    """Raise ValueError unless all that is built of a configuration are public objects of this package.

    >>> require_harmless({"prior": {"_target_": "os.system", "command": "ls"}}, "config.yaml", ())
    Traceback (most recent call last):
    ValueError: config.yaml: expected objects of vae_mf, got prior._target_=os.system, which would be run: if you know \
what it does, give extensions=[os]

    Args:
        config: plain containers.
        source: where it stands.
        extensions: packages or modules whose objects the user allows, too.
    """
    built = {group: node for group, node in config.items() if group not in TRAINING_ONLY}
    for place, node in inner(built):
        if isinstance(node, Mapping) and TARGET in node and not is_allowed(node, extensions):
            target = node[TARGET]
            package = str(target).partition(".")[0]
            advice = f": if you know what it does, give extensions=[{package}]" if package != PACKAGE else ""
            raise ValueError(
                f"{source}: expected objects of {PACKAGE}, got {place}.{TARGET}={target}, which would be run{advice}"
            )


def inner(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a node and all inside it, with the dotted name of each.

    >>> [place for place, _ in inner({"a": {"b": [1]}})]
    ['', 'a', 'a.b', 'a.b[0]']
    """
    yield place, node
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from inner(value, f"{place}.{key}".lstrip("."))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from inner(value, f"{place}[{number}]")


def is_allowed(node: Mapping[str, Any], extensions: Sequence[str]) -> bool:
    """Return True if a node asks for an object of this package, a harmless loader or an extension."""
    target = node[TARGET]
    if not isinstance(target, str):
        return False
    if target in LOADERS:
        return set(node) <= LOADERS[target]
    return any(f"{target}.".startswith(f"{extension}.") for extension in extensions) or is_public(target)


def is_public(target: str) -> bool:
    """Return True for the name, old or new, of a public class, class method or function of a room.

    >>> is_public("vae_mf.systems.Hopfield.random"), is_public("vae_mf.files.write_whole")
    (True, False)
    """
    package, _, name = present_name(target).partition(".")
    room, _, name = name.partition(".")
    if package != PACKAGE or room not in ROOMS:
        return False
    name, _, method = name.partition(".")
    return name in import_module(f"{PACKAGE}.{room}").__all__ and method in ("", *MAKERS)
