"""Digests of configurations, by which run folders and stores are named and found again.

The name of a run folder ends in a digest of everything that its results depend on: the same command finds its own
folder, to resume it or to skip it when it is finished, and a changed option never overwrites another run.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vae_mf.runs.names import ADDED, MOVED, first_names, first_paths, found

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
)
"""Groups that results depend on; threads and paths are not among them."""
DIGEST_LENGTH = 10


def config_digest(config: dict[str, Any], paths: Iterable[str] = IDENTITY) -> str:
    """Return the digest of some options and groups of a configuration in plain containers; what is absent is null."""
    first, moves = first_paths(config), dict(MOVED)
    places = [moves.get(path, path) for path in paths]
    # Groups that version 0.1 did not have come with the group that they were part of, or count where they are set.
    inside = {place for place in places if any(place.startswith(f"{other}.") for other in places)}
    absent = {path for path, _ in ADDED if not found(first, path)}
    return digest(*(next(iter(found(first, place)), None) for place in places if place not in inside | absent))


def digest(*parts: Any) -> str:
    """Return a short hash of plain containers; an input file counts by its content, a target by its first name.

    >>> names = ("vae_mf.models.GaussianPrior", "vae_mf.models.priors.GaussianPrior")
    >>> len({digest({"_target_": name}) for name in names})
    1
    """
    text = json.dumps([contents(first_names(part)) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def contents(node: Any, key: str = "") -> Any:
    """Return ``node`` with every existing file or folder under a key "path" or "file" replaced by its hash."""
    if isinstance(node, dict):
        return {name: contents(value, name) for name, value in node.items()}
    if key not in ("path", "file") or not isinstance(node, str) or not Path(node).exists():
        return node
    root = Path(node)
    files = sorted(file for file in root.rglob("*") if file.is_file()) if root.is_dir() else [root]
    fingerprint = hashlib.sha256()
    for file in files:
        fingerprint.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return fingerprint.hexdigest()
