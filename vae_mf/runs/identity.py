"""Digests of configurations, by which run folders and stores are named and found again.

The name of a run folder ends in a digest of everything that its results depend on: the same command finds its own
folder, to resume it or to skip it when it is finished, and a changed option never overwrites another run.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vae_mf.datasets.file_formats import MOST_FILES, format_of, parts_of, reading
from vae_mf.datasets.files import DataError, require_memory
from vae_mf.runs.names import ADDED, MOVED, PACKAGE, first_name, first_paths, found, pop, renamed

IDENTITY = (
    "seed",
    "system",
    "sampler",
    "tempering",
    "sampling",
    "dataset",
    "model",
    "training",
    "trainer",
    "evaluation",
    "callbacks",
)
"""Groups that results depend on; threads, paths and loggers are not among them."""
WITHOUT_EFFECT = ("sampler.device", "training.captured", "discovery.training.captured")
"""Options inside these groups that change nothing but the time that work takes."""
DIGEST_LENGTH = 10
BLOCK = 2**20
"""Bytes of a file that are hashed at a time."""
MOST_FILES_OF_OTHERS = 1_000
"""Files of a folder of which no reader knows the format; only the user's own reader may take it."""


def config_digest(config: dict[str, Any], paths: Iterable[str] = IDENTITY) -> str:
    """Return the digest of some options and groups of a configuration in plain containers; what is absent is null.

    >>> config_digest({"seed": 1, "threads": 2}) == config_digest({"threads": 3, "seed": 1})
    True
    """
    first = first_paths(config)
    for path in WITHOUT_EFFECT:
        pop(first, path)
    moves = dict(MOVED)
    places = [moves.get(path, path) for path in paths]
    # Groups that version 0.1 did not have come with the group that they were part of, or count where they are set.
    inside = {place for place in places if any(place.startswith(f"{other}.") for other in places)}
    absent = {path for path, _ in ADDED if not found(first, path)}
    return digest(*(next(iter(found(first, place)), None) for place in places if place not in inside | absent))


def digest(*parts: Any) -> str:
    """Return a short hash of plain containers.

    An input file counts by its content, a target by its first name and, if it is the user's own, the file it stands in.

    >>> names = ("vae_mf.models.GaussianPrior", "vae_mf.models.priors.GaussianPrior")
    >>> len({digest({"_target_": name}) for name in names})
    1
    """
    text = json.dumps([contents(renamed(part, counted_name)) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def counted_name(target: str) -> str:
    """Return the first name of a target, followed by a hash of the user's own file that it stands in."""
    source = own_source(target)
    first = first_name(target)
    return first if source is None else f"{first} {hashlib.sha256(source.read_bytes()).hexdigest()}"


def own_source(target: str) -> Path | None:
    """Return the file of a class or function that is neither of this package, nor of Python, nor of an installed one.

    An installed package has its record, a folder NAME.dist-info, beside it; a module of the user has none.
    """
    parts = target.split(".")
    if parts[0] == PACKAGE or parts[0] in sys.stdlib_module_names:
        return None
    files = [file for place in range(1, len(parts)) if (file := module_file(".".join(parts[:place])))]
    if not files:
        return None
    top = files[0].parent.parent if files[0].name == "__init__.py" else files[0].parent
    return None if any(top.glob("*.dist-info")) else files[-1]


def module_file(name: str) -> Path | None:
    """Return the Python file of a module, None if there is none; nothing is imported to find it.

    >>> module_file("vae_mf.runs.identity") == Path(__file__), module_file("sys.path") is None
    (True, True)
    """
    top, *inner = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # it is empty, or the program itself
        return None
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def contents(node: Any, key: str = "") -> Any:
    """Return ``node`` with every existing file or folder under a key "path" or "file" replaced by its hash."""
    if isinstance(node, dict):
        return {name: contents(value, name) for name, value in node.items()}
    if key not in ("path", "file") or not isinstance(node, str) or not Path(node).exists():
        return node
    root = Path(node)
    states = [(file, file.stat()) for file in input_files(root)]
    return content_hash(root, tuple((file, state.st_size, state.st_mtime_ns) for file, state in states))


def data_hash(path: str | None) -> str | None:
    """Return the hash of a file or folder of data, None if there is none at this path."""
    found = contents(path, "path")
    return None if found == path else found


def input_files(root: Path) -> list[Path]:
    """Return a file, or the files of a folder in their order, after checking that they may be read as data.

    Raises:
        DataError: It is neither file nor folder, a folder of too many files, or more than fits into memory.
    """
    with reading(root):
        if root.is_file():
            files = [root]
        else:
            files = parts_of(root)
            if len(files) > MOST_FILES_OF_OTHERS or not files:
                format_of(root)
        if len(files) > MOST_FILES:
            raise DataError(f"expected at most {MOST_FILES} files in a folder, got more: save it in larger pieces")
        require_memory(sum(file.stat().st_size for file in files), "give a part of it")
    return files


@lru_cache(maxsize=64)
def content_hash(root: Path, states: tuple[tuple[Path, int, int], ...]) -> str:
    """Return the hash of files of a folder, by their places and contents.

    Args:
        states: Each file, its size and the time of its last change, so that what has changed is read again.
    """
    fingerprint = hashlib.sha256()
    for file, *_ in states:
        fingerprint.update(str(file.relative_to(root)).encode())
        with file.open("rb") as content:
            while block := content.read(BLOCK):
                fingerprint.update(block)
    return fingerprint.hexdigest()
