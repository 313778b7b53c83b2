"""The folder of a discovery: whose it is, that one process works in it, and files that are never half-written."""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

IDENTITY = "discovery.json"
LOCK = ".lock"


@contextmanager
def workplace(folder: str | Path | None, identity: dict[str, Any], waiting: Callable[[str], Any]) -> Iterator[Path]:
    """Give a folder to work in, which is this discovery's alone.

    Args:
        folder: to make or to go on in; None for one that goes at the end.
        identity: of the discovery, written into the folder.
        waiting: is told if another process works there, whose end is waited for.

    Raises:
        ValueError: if the folder holds something else.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    place, told = Path(folder), json.dumps(identity, indent=2)
    require_own(place, told)
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / LOCK)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        waiting(f"waiting for another process that works on {place}")
        held = lock.acquire()
    with held:
        require_own(place, told)
        write_text(place / IDENTITY, told)
        yield place


def require_own(folder: Path, told: str) -> None:
    """Raise ValueError unless a folder is new, empty, or of the discovery that is ``told`` of."""
    path = folder / IDENTITY
    if path.exists():
        own = path.read_text(encoding="utf-8") == told
    else:
        # A process that was killed before it said whose the folder is may have left the lock and half a file.
        begun = {LOCK, partial(path).name}
        own = not folder.exists() or (folder.is_dir() and {file.name for file in folder.iterdir()} <= begun)
    if not own:
        raise ValueError(f"folder: expected a new one or that of the same data and settings, got {folder}")


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: a process that is killed leaves the whole file or none."""
    unfinished = partial(path)
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def partial(path: Path) -> Path:
    """Return where a file is while it is written."""
    return path.with_name(f"{path.name}.partial")


def remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Remove the files in a folder, as far as it exists, whose names without endings are not among those kept."""
    names = set(kept)
    for path in folder.glob("*"):
        if path.stem not in names:
            path.unlink()
