"""Files that are never half-written, and folders in which one process works at a time."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape, glob
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vae_mf.texts import has_undecoded

WEIGHTS = "model.safetensors"
"""Name of the file in the folder of a model."""
LOCK = ".lock"
SEAL = "SHA256SUMS"
"""File with the digests of a finished folder."""
SEALED = (".yaml", ".json", ".csv", ".safetensors", ".npz")
UNSEALED = ("logs", "checkpoints", "figures", "verdict")
"""Folders inside a run that are written by others, or read by people alone."""
DAMAGED = "copy it again, or remove it and run the command that writes it"
"""Advice about a file of ours that cannot be read."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a place beside ``path`` to write a file at; it takes the place of ``path`` at the end, in one step.

    A process that is killed leaves the former file or none, an error leaves nothing. Two processes that may write the
    same file need `only_one`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = partial_of(target)
    unfinished.unlink(missing_ok=True)  # in a folder that somebody sent it may be a link to a file of the user's
    try:
        with disk_errors(target):
            yield unfinished
            # On disk before it has its name: a rename may outlive a crash of the machine that the content does not.
            with open(unfinished, "rb") as written:
                os.fsync(written.fileno())
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def disk_errors(place: object) -> Iterator[None]:
    """Let an error such as a full disk, which may come without a name, say which file or folder it hit."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(place)
        raise


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file in one step, text as UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/runs/note.txt", "50 rows")
    ...     [path.name for path in Path(folder, "runs").iterdir()]
    ['note.txt']
    """
    with replacing(path) as place:
        place.write_bytes(content.encode() if isinstance(content, str) else content)


def matching(pattern: str | Path) -> list[Path]:
    """Return the paths that match a glob; as far as a folder of these very words exists, brackets are no pattern.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory(prefix="[v2] ") as folder:
    ...     write_whole(f"{folder}/run-1/note.txt", "50 rows")
    ...     [path.name for path in matching(f"{folder}/run-*")]
    ['run-1']
    """
    path = Path(pattern)
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    return [Path(found) for found in glob(os.path.join(escape(str(place)), path.relative_to(place)), recursive=True)]


@contextmanager
def whole(path: str | Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a parser raises about a damaged file of ours into a sentence that names it.

    Raises:
        ValueError: in place of one of these errors, or if it is a pipe or a folder, which would not be read to its end.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path}: expected a file, got something else: {DAMAGED}")
    try:
        yield
    except errors as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{path}: expected a whole file, got one that is cut or damaged ({said}): {DAMAGED}"
        ) from error


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the content of a file of JSON that `write_whole` wrote.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged.
    """
    with whole(path, ValueError, RecursionError):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected names and values, got {type(content).__name__}: {DAMAGED}")
    return content


def write_sealed(path: str | Path, content: str) -> None:
    """Write the last file of a folder, which is finished by it, behind the digests of all that it is read with.

    A process that is killed between them leaves the last file as `partial_of` it, an error leaves no digests.
    """
    last = Path(path)
    try:
        with replacing(last) as place:
            place.write_bytes(content.encode())
            seal(last.parent, **{last.name: sha256(content.encode())})
    except BaseException:
        (last.parent / SEAL).unlink(missing_ok=True)
        raise


def seal(folder: Path, **more: str) -> None:
    """Write the digests of what is read in a folder again beside it, in the format of the tool sha256sum.

    Args:
        folder: folder that is finished.
        more: digests of files that are yet to be written, by name.
    """
    digests = {file.relative_to(folder).as_posix(): sha256(file.read_bytes()) for file in sealed_files(folder)} | more
    write_digests(folder, digests)


def write_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Write the seal of a folder, its digests by the names of files."""
    write_whole(folder / SEAL, "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))


def sealed_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are read again: settings, numbers, tables and weights."""
    inside = (path.relative_to(folder) for ending in SEALED for path in folder.rglob(f"*{ending}"))
    return [folder / path for path in inside if not any(part in UNSEALED or part[0] == "." for part in path.parts)]


def require_unchanged(folder: Path) -> None:
    """Raise ValueError if a folder does not hold what it was sealed with; older ones have no seal.

    It may lack the last file, which would have finished it, where that is still `partial_of` it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_sealed(f"{folder}/metrics.json", "{}")
    ...     require_unchanged(Path(folder))
    """
    advice = f"copy the folder again or, if the change is yours, remove {SEAL}"
    require_digests(folder, lambda path: path.is_file() or (not path.exists() and partial_of(path).is_file()), advice)


def require_kept(folder: Path) -> None:
    """Raise ValueError if a file that is kept in an unfinished folder has changed; a missing one is made again.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = Path(place)
    ...     with kept(folder, folder / "a.json"):
    ...         write_whole(folder / "a.json", "{}")
    ...     require_kept(folder)
    ...     (folder / "a.json").unlink()
    ...     require_kept(folder)
    """
    advice = "copy it again, or remove it, and the same command makes it again"
    require_digests(folder, lambda path: path.is_file() or not path.exists(), advice)


def require_digests(folder: Path, may_be: Callable[[Path], bool], advice: str) -> None:
    """Raise ValueError if a file is not as the seal of a folder tells.

    Args:
        folder: folder that may have a seal.
        may_be: function that tells from the path of a file if it may be as it is, whatever it holds.
        advice: what to do about another content.
    """
    for name, digest in digests_in(folder).items():
        inside = name and not Path(name).is_absolute() and ".." not in Path(name).parts
        path = folder / name if inside else folder / SEAL
        if not inside or not may_be(path) or (path.exists() and sha256(path.read_bytes()) != digest):
            raise ValueError(f"{path}: expected the content that its folder was finished with, got another: {advice}")


def digests_in(folder: Path) -> dict[str, str]:
    """Return the digests in the seal of a folder by the names of files; older folders have none."""
    seal = folder / SEAL
    if not seal.exists():
        return {}
    with whole(seal):
        lines = seal.read_text(encoding="utf-8", errors="replace").splitlines()
    parts = [line.partition("  ") for line in lines]
    return {name: digest for digest, _, name in parts}


@contextmanager
def kept(folder: Path, *parts: Path) -> Iterator[None]:
    """Let the seal of a folder that is not finished hold the digests of what is made inside, or was before.

    A process that is killed leaves a file without a digest rather than one with that of another.

    Args:
        folder: the folder.
        parts: files, or folders, in it.
    """
    before = digests_in(folder)
    lasting = {name: digest for name, digest in before.items() if (folder / name).exists()}
    if lasting != before:
        write_digests(folder, lasting)
    yield
    files = [file for part in parts for file in (sealed_files(part) if part.is_dir() else [part]) if file.exists()]
    made = {file.relative_to(folder).as_posix(): file for file in files}
    new = {name: sha256(file.read_bytes()) for name, file in made.items() if name not in lasting}
    if new:
        write_digests(folder, lasting | new)


def sha256(content: bytes) -> str:
    """Return the SHA-256 digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


def partial_of(path: Path) -> Path:
    """Return where a file is while it is written."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def only_one(folder: str | Path, waiting: Callable[[str], Any] = lambda _: None) -> Iterator[None]:
    """Work in a folder, which is made if need be, alone: while another process does, tell ``waiting`` so and wait.

    Raises:
        ValueError: if its path is no text in the encoding of file names, for which PyTorch and others have no use, or
            its lock is a link.
    """
    place = Path(folder)
    if has_undecoded(str(place)):
        advice = "rename the folder, or take a locale of UTF-8, as in LC_ALL=C.UTF-8"
        raise ValueError(f"folder: expected a path in {sys.getfilesystemencoding()}, got {place}: {advice}")
    place.mkdir(parents=True, exist_ok=True)
    if (place / LOCK).is_symlink():
        raise ValueError(f"{place / LOCK}: expected a file, got a link to {(place / LOCK).readlink()}: remove the link")
    lock = FileLock(place / LOCK)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        waiting(f"waiting for another process that works on {place}")
        held = lock.acquire()
    with held:
        yield


@contextmanager
def discarded_if_refused(folder: Path, *results: str) -> Iterator[None]:
    """Remove a folder that was not there before, if an error comes before there is any of these results in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as outputs:
    ...     try:
    ...         with discarded_if_refused(Path(outputs, "run"), "model.npz"):
    ...             write_whole(f"{outputs}/run/settings.json", "{}")
    ...             raise ValueError
    ...     except ValueError:
    ...         list(Path(outputs).iterdir())
    []
    """
    new = not folder.exists()
    try:
        yield
    except Exception:
        if new and not any((folder / name).exists() for name in results):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def require_unlinked(*paths: Path) -> None:
    """Raise ValueError if one of these paths inside a folder that somebody may have sent, or below, links to a folder.

    Files that are written into it would replace those of the user elsewhere; a link to a file is itself replaced.
    """
    for path in paths:
        inside = (Path(place, name) for place, names, files in os.walk(path) for name in [*names, *files])
        for found in (path, *inside):
            if found.is_symlink() and not found.is_file():
                raise ValueError(f"{found}: expected a folder, got a link to {found.readlink()}: remove the link")


def again_of(folder: Path) -> Path:
    """Return where the content of a folder is made again while the former content still counts.

    >>> again_of(Path("outputs/run-1")).name
    '.run-1.again'
    """
    return folder.with_name(f".{folder.name}.again")


def put_in_place(folder: Path, last: str) -> None:
    """Put what has been made again in the place of a folder, if it is complete, and remove the former content."""
    again = again_of(folder)
    former = folder.with_name(f".{folder.name}.former")
    if not (again / last).exists():
        return
    if folder.exists():
        remove(former)
        folder.rename(former)
    again.rename(folder)
    remove(former)


def remove(folder: Path) -> None:
    """Remove a folder with its content as far as possible, of a link the link alone."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
