"""Folder of a discovery, which belongs to it alone and to one process at a time."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vae_mf.checks import require_path
from vae_mf.files import (
    LOCK,
    again_of,
    discarded_if_refused,
    only_one,
    partial_of,
    put_in_place,
    require_kept,
    require_unlinked,
    write_sealed,
    write_whole,
)
from vae_mf.runs.folder import CONFIG, DISCOVERY

RESULTS = ("models", "scores")
"""Folders of what takes long to make, which a later call goes on with."""


@contextmanager
def workplace(
    folder: str | Path | None,
    identity: dict[str, Any],
    waiting: Callable[[str], Any],
    closing: str | None = None,
    force: bool = False,
) -> Iterator[Path]:
    """Give a discovery a folder of its own to work in.

    Args:
        folder: folder to make or to go on in; None for one that goes at the end.
        identity: data and settings, written into the folder.
        waiting: called with a sentence if another process works there, whose end is waited for.
        closing: configuration, written last; None for none.
        force: True to work beside a folder that has its configuration, and to replace it at the end.

    Raises:
        ValueError: if the folder holds something else or links to other folders, or a stage that is kept there has
            changed.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    place = require_path("folder", folder)
    text = json.dumps(identity, indent=2)
    require_own(place, text)
    with discarded_if_refused(place, *RESULTS):
        with only_one(place, waiting):
            put_in_place(place, CONFIG)
        # Again, as what has been put in place brings a lock of its own.
        with only_one(place, waiting):
            require_own(place, text)
            work = again_of(place) if force and (place / CONFIG).exists() else place
            with discarded_if_refused(work, *RESULTS):
                begin(work, text)
                yield work
                if closing is not None:
                    write_sealed(work / CONFIG, closing)
            put_in_place(place, CONFIG)


def begin(place: Path, identity: str) -> None:
    """Write into a folder whose it is, after looking at what is kept there; raises as `workplace`."""
    require_own(place, identity)
    place.mkdir(exist_ok=True)
    require_unlinked(*place.iterdir())
    require_kept(place)
    write_whole(place / DISCOVERY, identity)


def require_own(folder: Path, identity: str) -> None:
    """Raise ValueError unless a folder is new, empty, or belongs to the discovery of this identity."""
    path = folder / DISCOVERY
    if path.exists():
        own = path.is_file() and path.read_bytes() == identity.encode()
    else:
        # A process that was killed before it said whose the folder is may have left the lock and half a file.
        begun = {LOCK, partial_of(path).name}
        own = not folder.exists() or (folder.is_dir() and {file.name for file in folder.iterdir()} <= begun)
    if not own:
        raise ValueError(f"folder: expected a new one or that of the same data and settings, got {folder}")


def remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Remove the files in a folder, as far as it exists, whose names without endings are not among those kept."""
    names = set(kept)
    for path in folder.glob("*"):
        if path.stem not in names:
            path.unlink()
