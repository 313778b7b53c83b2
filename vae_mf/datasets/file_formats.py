"""File formats: the registry of their readers, and the reading of a file by the one that it needs."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from vae_mf.checks import require_choice, require_positive
from vae_mf.datasets import readers
from vae_mf.datasets.files import DataError, Options, Raster, about, check_head, open_head, require_threshold, suffix_of
from vae_mf.datasets.foreign_formats import FOREIGN

USES = {
    "array": "arrays in npz, mat, h5 and zarr",
    "bin_width": "spike times in tables and arrays",
    "threshold": "images",
}
"""Purpose of each option."""


@runtime_checkable
class Reader(Protocol):
    """Contract of a reader of one file format: a function, registered where it stands.

    Modules below ``vae_mf/datasets/readers`` are found by themselves; anywhere else a reader counts from its
    registration on (docs/extend.md).

    >>> def read_bits(path: Path, options: Options) -> Raster:
    ...     lines = path.read_text("utf-8").split()
    ...     return Raster(np.array([[int(bit) for bit in line] for line in lines]), "text of bits")
    >>> isinstance(read_bits, Reader)
    True
    """

    def __call__(self, path: Path, options: Options, /) -> Raster:
        """Return what the file holds, not yet checked to be binary.

        Raises:
            DataError: The content cannot be used; one sentence, without the path, says why and what to do.
        """
        ...


@dataclass(frozen=True)
class FileFormat:
    """A reader and the files that it is for; see `register_reader`."""

    read: Reader
    suffixes: tuple[str, ...]
    markers: tuple[str, ...]
    starts: tuple[bytes, ...]
    options: tuple[str, ...]
    read_array: Callable[[Path, Options], np.ndarray] | None
    parts: tuple[str, ...]
    holds: Callable[[Path], bool] | None


MOST_FILES = 200_000
"""Files of a folder of data."""
MOST_FOLDERS = 200
"""Folders below one without data that are looked into."""
FORMATS: list[FileFormat] = []
"""All that are registered; of several for one file the last counts."""


def register_reader(
    *suffixes: str,
    markers: tuple[str, ...] = (),
    starts: tuple[bytes, ...] = (),
    options: tuple[str, ...] = (),
    read_array: Callable[[Path, Options], np.ndarray] | None = None,
    parts: tuple[str, ...] = ("*",),
    holds: Callable[[Path], bool] | None = None,
) -> Callable[[Reader], Reader]:
    """Register the decorated function as the reader of a format, before those registered earlier.

    >>> from vae_mf.datasets import read_recording
    >>> @register_reader(".bits")  # doctest: +SKIP
    ... def read_bits(path: Path, options: Options) -> Raster:
    ...     lines = path.read_text("utf-8").split()
    ...     return Raster(np.array([[int(bit) for bit in line] for line in lines]), "text of bits")
    >>> recording = read_recording("spikes.bits")  # doctest: +SKIP

    Args:
        suffixes: Endings of the names of its files, in lower case, such as ".npy".
        markers: Patterns of names in lower case, such as "*.png"; a folder with such a file is of this format.
        starts: First bytes that its files may have although they are known as those of other content (see
            `files.SIGNATURES`), such as those of a zip archive.
        options: Names of the fields of `Options` that it uses; any other that is given is refused.
        read_array: Function that returns one array of numbers of any shape, if the format has such.
        parts: Patterns of paths in lower case, of the files of a folder that it opens; others do not count as data.
        holds: Function that returns whether a folder with a marker is of this format, if the marker does not tell.

    Raises:
        ValueError: There is neither suffix nor marker, a suffix has no dot or capitals, or an option is not known.
    """
    wrong = [suffix for suffix in suffixes if suffix[:1] != "." or suffix != suffix.lower()]
    if wrong or not (suffixes or markers):
        raise ValueError(f"suffixes: expected endings in lower case such as '.npy', or markers, got {wrong}")
    for name in options:
        require_choice("options", name, Options._fields)

    def register(read: Reader) -> Reader:
        if not read.__module__.startswith(f"{readers.__name__}."):
            load_readers()  # first, so that the reader of a user counts
        FORMATS.append(FileFormat(read, suffixes, markers, starts, options, read_array, parts, holds))
        return read

    return register


@cache
def load_readers() -> None:
    """Import the modules of this package that register readers."""
    for module in iter_modules(readers.__path__, f"{readers.__name__}."):
        import_module(module.name)


def known_suffixes() -> list[str]:
    """Return the endings of all files that can be read, by alphabet.

    >>> known_suffixes()[:3]
    ['.a2m', '.a3m', '.afa']
    """
    load_readers()
    return sorted({suffix for known in FORMATS for suffix in known.suffixes})


def format_of(path: Path) -> FileFormat:
    """Return the format of a file or folder, after looking at its first bytes.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        DataError: It is empty, of none of the formats, or of another one than its name says.
    """
    load_readers()
    if path.is_dir():
        return _format_of_folder(path)
    head = open_head(path)
    suffix = suffix_of(path)
    found = next((known for known in reversed(FORMATS) if suffix in known.suffixes), None)
    if found is None and head and suffix in FOREIGN:
        raise foreign_error(path.name, suffix)
    check_head(head, found.starts if found else ())
    if found is None:
        advice = "save the data in one of these formats"
        raise DataError(f"expected a name ending in {', '.join(known_suffixes())}, got {path.suffix!r}: {advice}")
    return found


def parts_of(folder: Path) -> list[Path]:
    """Return the files in a folder that its reader opens, in their order; all of them if no reader knows it."""
    load_readers()
    known = _known_folder(folder) if folder.is_dir() else None
    patterns = known.parts if known else ("*",)
    paths = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    used = (path for path in paths if any(fnmatch(str(path.relative_to(folder)).lower(), part) for part in patterns))
    return sorted(path for path in islice(used, MOST_FILES + 1) if path.is_file())


def _known_folder(folder: Path) -> FileFormat | None:
    names = [file.name.lower() for file in folder.iterdir()]
    for known in reversed(FORMATS):
        marked = any(fnmatch(name, marker) for name in names for marker in known.markers)
        if marked and (known.holds is None or known.holds(folder)):
            return known
    return None


def _format_of_folder(path: Path) -> FileFormat:
    if known := _known_folder(path):
        return known
    foreign = next((name for name in sorted(os.listdir(path)) if suffix_of(Path(name)) in FOREIGN), None)
    if foreign is not None:
        raise foreign_error(f"a folder with {foreign}", suffix_of(Path(foreign)))
    inner = next((place for place in _folders_in(path) if _known_folder(place)), None)
    if inner is not None:
        raise DataError(f"expected a folder with data in it, found one further below: give the path of {inner}")
    markers = ", ".join(sorted({marker for known in FORMATS for marker in known.markers}))
    raise DataError(f"expected a folder with one of {markers} in it, found none: give the path of a file")


def _folders_in(path: Path) -> Iterator[Path]:
    """Return the first folders below a folder, those that are hidden left out."""
    inner = (Path(place) / name for place, names, _ in os.walk(path) for name in sorted(names) if name[0] != ".")
    return islice(inner, MOST_FOLDERS)


def foreign_error(found: str, suffix: str) -> DataError:
    """Return the error of a file of another program."""
    kind, advice = FOREIGN[suffix]
    return DataError(f"expected a format that can be read (docs/data.md), got {found}, {kind}: {advice}")


def read_array(path: str | os.PathLike, array: str | None = None) -> Shaped[np.ndarray, "..."]:
    """Return one array of real numbers or booleans, of any shape, from a container or a table.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "couplings.npy")
    ...     np.save(path, np.eye(3))
    ...     read_array(path).shape
    (3, 3)

    Args:
        path: An npy, npz, mat, h5, csv, tsv, txt or parquet file, or a zarr folder. Axes come in the order in which
            MATLAB shows them for every mat file: v7.3 stores them reversed, which is undone here.
        array: Name of the array in an npz, mat, h5 or zarr container; a path such as ``"group/array"`` in the last two,
            or ``"data.raster"`` in a struct of MATLAB. It may be omitted if exactly one array has two or more axes
            longer than one (MATLAB's scalars and vectors do not count).

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The suffix, the array or the content is not as described.
    """
    path = Path(path)
    options = Options(array)
    with reading(path):
        known = format_of(path)
        if known.read_array is None:
            raise DataError("expected an array or a table of numbers, got another format: save it as npy or csv")
        require_used(options, known)
        return known.read_array(path, options)


def read_raster(path: str | os.PathLike, options: Options) -> Raster:
    """Return what a file of any known format holds, before it is checked to be binary.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The suffix or the content is not as described, or an option is not for this format.
        ValueError: An option is out of range.
    """
    path = Path(path)
    if options.bin_width is not None:
        options = options._replace(bin_width=require_positive("bin_width", options.bin_width))
    if options.threshold is not None:
        require_threshold(options.threshold)
    with reading(path):
        known = format_of(path)
        require_used(options, known)
        return known.read(path, options)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into one sentence that begins with its path."""
    try:
        with about(path):
            yield
    except PermissionError as error:
        raise PermissionError(
            f"{path}: expected a file that may be read, got no permission: change its mode"
        ) from error
    except FileNotFoundError:
        raise
    except MemoryError as error:
        raise DataError(f"{path}: it does not fit into memory: give a part of it") from error
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, got {error.strerror}: copy it to another place") from error


def require_used(options: Options, known: FileFormat) -> None:
    """Raise DataError if an option is given that is for other formats."""
    for name, value in options._asdict().items():
        if value is not None and name not in known.options:
            raise DataError(f"expected no `{name}`, which is for {USES[name]}, got {value!r}: leave it out")
