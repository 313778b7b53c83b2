"""Files from outside: the checks before one is read, and the error that says in one sentence what is wrong with it."""

import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_mf.checks import require_choice
from vae_mf.memory import available_memory


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence that says what to do.

    >>> from vae_mf.datasets import make_recording
    >>> make_recording([[0, 1], [0, 0], [0, 1]])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: raster: expected variables that all vary and differ, got 1 that never change...
    """


class Raster(NamedTuple):
    """Content of a file, not yet checked.

    >>> raster = Raster(np.array([[0, 1], [1, 0], [1, 1]]), source="three rows typed by hand", names=("a", "b"))
    >>> raster.values.shape, raster.names
    ((3, 2), ('a', 'b'))

    Attributes:
        values: Array (rows, variables), or (repeats, variables, bins).
        source: Description of the file and of the way it was read, a clause.
        names: Names of the variables, None if the file has none.
        remarks: Peculiarities that a reader of the results should know, a sentence each.
        row_names: Names of the rows, which are the variables of a transposed table.
        prunable: True if constant variables are in the nature of the data, as the corners of pictures are.
        turnable: False if the format says which are the variables, as one of spike times or sequences does.
    """

    values: np.ndarray
    source: str
    names: Sequence[str] | None = None
    remarks: tuple[str, ...] = ()
    row_names: Sequence[str] | None = None
    prunable: bool = False
    turnable: bool = True


class Options(NamedTuple):
    """Options of readers: name of an array, width of time bins, grey level that parts dark from bright.

    >>> Options(bin_width=0.02)
    Options(array=None, bin_width=0.02, threshold=None)
    """

    array: str | None = None
    """Name of the array in a container that holds several."""
    bin_width: Any = None
    """Width of a time bin in the unit of the file, of one with spike times."""
    threshold: Any = None
    """Grey level above which a pixel counts as 1, "median" or "otsu"."""


class Signature(NamedTuple):
    """First bytes of a kind of content, and what to do with a file that begins so under a name of another format."""

    start: bytes
    kind: str
    advice: str


GZIP = b"\x1f\x8b"
IDX = ".idx"
NUMPY = b"\x93NUMPY"
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
HDF5 = b"\x89HDF"
MATLAB = b"MATLAB 5.0"
ONE_PICTURE = "give the path of a folder that holds all pictures"
UNPACK = "unpack it first"
SIGNATURES = (
    Signature(b"version https://git-lfs", "a Git LFS pointer", "run git lfs pull to get the data"),
    Signature(NUMPY, "an npy array", "rename it to end in .npy"),
    Signature(PARQUET, "a parquet table", "rename it to end in .parquet"),
    Signature(b"ARROW1", "a table of Arrow", "save it as parquet, with to_parquet of pandas"),
    Signature(ZIP, "a zip archive", UNPACK),
    Signature(b"\xd0\xcf\x11\xe0", "an Excel workbook", 'save the sheet as "CSV UTF-8"'),
    Signature(HDF5, "HDF5 data", "rename it to end in .h5, .nwb, or .mat if MATLAB wrote it"),
    Signature(MATLAB, "a MATLAB file", "rename it to end in .mat"),
    Signature(b"\x89PNG", "one picture", ONE_PICTURE),
    Signature(b"\xff\xd8\xff", "one picture", ONE_PICTURE),
    Signature(GZIP, "compressed with gzip", UNPACK),
    Signature(b"BZh", "compressed with bzip2", UNPACK),
    Signature(b"\xfd7zXZ", "compressed with xz", UNPACK),
    Signature(b"\x28\xb5\x2f\xfd", "compressed with zstd", UNPACK),
    Signature(b"7z\xbc\xaf", "a 7z archive", UNPACK),
    Signature(b"Rar!", "a rar archive", UNPACK),
    Signature(b"CDF", "NetCDF data of version 3", "save its array with numpy.save"),
    Signature(b"%PDF", "a PDF document", "export the table behind it as CSV"),
    *(
        Signature(bytes([0x80, version]), "a Python pickle", "save the array with numpy.save")
        for version in range(2, 6)
    ),
)
"""Content that is known by its first bytes; a reader says which of them its files may have."""
SEQUENCES = b">"
"""First byte of an alignment; one of other formats counts as this."""
ALIGNMENT = re.compile(rb">[^\r\n]*[\r\n]+[A-Za-z.*-]+\s|# STOCKHOLM|CLUSTAL ")
MARKUP = (b"<!doctype", b"<html", b"<head", b"<?xml")
HEAD_BYTES = 4096
BLOCK_BYTES = 2**20
"""Bytes that are unpacked at a time."""
MOST_VARIABLES = 200_000
"""Columns of a table or an alignment, and pixels of a picture; more than can be learned from any number of rows."""


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put what an error is about in front of the sentence of every DataError raised within."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{subject}: {error}") from error.__cause__


@contextmanager
def parsing(kind: str) -> Iterator[None]:
    """Turn what the parser of a format says about a damaged file into one sentence.

    Parsers of other projects raise errors of almost any type then; our own code stays outside, as its errors are
    defects.
    """
    try:
        yield
    except (DataError, PermissionError, MemoryError):
        raise
    except Exception as error:
        again = "download it or save it again"
        raise DataError(f"the content is damaged, cut short or not of the format {kind}: {again}") from error


def suffix_of(path: Path) -> str:
    """Return the suffix that names the format in lower case, seen through .gz; .idx for the names of MNIST.

    >>> suffix_of(Path("Words.CSV.gz")), suffix_of(Path("train-images-idx3-ubyte"))
    ('.csv', '.idx')
    """
    name = path.name.lower().removesuffix(".gz")
    return IDX if re.search(r"idx\d(-ubyte)?$", name) else Path(name).suffix


def open_head(path: Path) -> bytes:
    """Return the first bytes of a file."""
    if not path.exists():
        near = get_close_matches(path.name, [file.name for file in path.parent.glob("*")], n=1)
        advice = f"did you mean {near[0]}?" if near else f"check the path, seen from {Path.cwd()}"
        raise FileNotFoundError(f"{path}: expected a file or folder, found nothing: {advice}")
    if not path.is_file():
        raise DataError("expected a file, got neither file nor folder: copy the data into a file")
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def check_head(head: bytes, starts: Sequence[bytes]) -> None:
    """Raise DataError if the first bytes of a file are known, but not among those that its format may have.

    >>> check_head(b"%PDF-1.7", ())
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: the content is a PDF document: export the table behind it as CSV
    """
    if not head:
        raise DataError("the file is empty (0 bytes): export or download it again")
    if head.lstrip().lower().startswith(MARKUP):
        raise DataError("the content is a web page or an XML message in place of the data: download the file itself")
    if head.startswith(ZIP) and ZIP not in starts:
        refuse_office(head)
    if ALIGNMENT.match(head) and SEQUENCES not in starts:
        advice = "rename it to end in .fasta, .sto (Stockholm) or .aln (Clustal)"
        raise DataError(f"the content is aligned sequences: {advice}")
    for signature in SIGNATURES:
        if head.startswith(signature.start) and signature.start not in starts:
            raise DataError(f"the content is {signature.kind}: {signature.advice}")


def refuse_office(head: bytes) -> None:
    """Raise DataError if a zip archive is a document of an office program."""
    if any(part in head for part in (b"word/", b"ppt/", b"opendocument")):
        raise DataError("the content is a document: export its table as csv")
    if b"[Content_Types].xml" in head or b"xl/" in head:
        raise DataError('the content is an Excel workbook: save the sheet as "CSV UTF-8"')


def require_threshold(threshold: Any) -> None:
    """Raise ValueError unless a threshold is a number, "median" or "otsu"."""
    if isinstance(threshold, str):
        require_choice("threshold", threshold, ("median", "otsu"))
    elif not isinstance(threshold, int | float | np.number) or isinstance(threshold, bool):
        raise ValueError(f"threshold: expected a number, median or otsu, got {threshold!r}")


def is_number(dtype: np.dtype) -> bool:
    """Return True if an array of this type holds real numbers or booleans.

    >>> is_number(np.dtype("u1")), is_number(np.dtype("c8"))
    (True, False)
    """
    return dtype.kind in "biuf"


def require_memory(needed: int, advice: str) -> None:
    """Raise DataError if ``needed`` bytes are more than are available."""
    available = available_memory()
    if needed > available:
        gigabytes = f"{needed / 1e9:.3g} GB of memory, {available / 1e9:.3g} GB are available"
        raise DataError(f"reading it takes {gigabytes}: {advice}")


def require_array_memory(shape: Sequence[int], dtype: np.dtype) -> None:
    """Raise DataError if an array of this shape, and its rows of spins beside it, do not fit into memory."""
    entries = int(np.prod([int(length) for length in shape], dtype=object))
    # The check for two values needs three arrays of one byte per entry, the spins are the fourth.
    require_memory(entries * (dtype.itemsize + 4), "save fewer rows or variables, or a smaller type such as uint8")


def require_few_variables(count: int, kind: str, advice: str) -> None:
    """Raise DataError if there are more variables than can be read one by one and learned from.

    >>> require_few_variables(10**6, "columns", "save rows and columns swapped")
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: expected at most 200000 columns, got 1000000: save rows and columns swapped
    """
    if count > MOST_VARIABLES:
        raise DataError(f"expected at most {MOST_VARIABLES} {kind}, got {count}: {advice}")


def read_bytes(path: Path, memory: int = 1, check: Callable[[bytes], None] = lambda _: None) -> bytes:
    """Return the content of a file, unpacked if it is compressed with gzip.

    Args:
        memory: Bytes of memory that each byte of the content takes while it is read.
        check: Refuses a compressed content by one of its blocks, which come in their order.

    Raises:
        DataError: It does not fit into memory, or the compressed data are damaged.
    """
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    require_memory(memory * os.path.getsize(path), "give a part of the file")
    if not packed:
        return path.read_bytes()
    try:
        content = unpacked(path, available_memory() // memory, check)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("the gzip data are damaged or cut short: download or compress the file again") from error
    if not content:
        raise DataError("the file is empty once unpacked: export or download it again")
    return content


def unpacked(path: Path, limit: int, check: Callable[[bytes], None]) -> bytes:
    """Return the content of a gzip file, block by block, as a few bytes may stand for very many.

    Raises:
        DataError: It is longer than a limit.
    """
    content = io.BytesIO()
    size = 0
    with gzip.open(path) as file:
        while block := file.read(BLOCK_BYTES):
            check(block)
            size += content.write(block)
            if size > limit:
                raise DataError(
                    f"unpacked it exceeds the {limit / 1e9:.3g} GB that the memory available allows: give a part of it"
                )
    return content.getvalue()


def listed(names: Sequence[Any], limit: int = 5) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(str(name) for name in names[:limit]) + more
