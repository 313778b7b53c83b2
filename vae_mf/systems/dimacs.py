"""Formulas in DIMACS files: a header `p cnf VARIABLES CLAUSES`, then the literals of every clause, ended by 0."""

import bz2
import gzip
import lzma
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Int64

from vae_mf.checks import require_memory, require_path, shown
from vae_mf.files import write_whole
from vae_mf.kernels import kernel

OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""Functions that open compressed files, by the endings of their names."""
PIECE = 2**26
BYTES = 12
"""Bytes of memory for each of a text: its pieces, the whole, and numbers of two letters in 64 bits."""
HEADER = re.compile(rb"(?:[ \t\r]*(?:c[^\n]*)?\n)*([^\n]*)")
"""Lines of comments and without content, and the first one that is neither."""
PROBLEM = re.compile(rb"\s*p\s+cnf\s+(\d{1,18})\s+(\d{1,18})\s*")
BEYOND = np.int64(2**31)
"""Smallest number that no literal can have; its digits are no longer added up."""
MARK = b"\xef\xbb\xbf"
"""Mark of a text in UTF-8 that some editors set before it."""
NEWLINE, SPACE, MINUS, ZERO, NINE, COMMENT, END, TAB, RETURN = map(ord, "\n -09c%\t\r")


class Formula(NamedTuple):
    """Literals of all clauses, the bounds of these, and the number of variables."""

    sites: int
    literals: Int64[np.ndarray, " literals"]
    offsets: Int64[np.ndarray, " bounds"]


def read_dimacs(path: str | Path) -> Formula:
    """Return the formula in a DIMACS file, plain or compressed (.gz, .bz2, .xz).

    Comments may stand on any line of their own, and a line that begins with % ends the clauses, as in SATLIB.

    Raises:
        ValueError: if the header is missing, something is no number, or the number of clauses is another.
    """
    text = content_of(require_path("path", path)).removeprefix(MARK)
    head = HEADER.match(text)
    line = head[1] if head else b""
    header = PROBLEM.fullmatch(line)
    if not head or not header:
        got = shown(line.decode(errors="replace"))
        raise ValueError(f"{path}: expected a header 'p cnf VARIABLES CLAUSES' before the clauses, got {got}")
    values = integers_of(text, head.end(), path)
    ends = np.flatnonzero(values == 0)
    clauses = int(header[2])
    if values.size and values[-1] != 0:
        raise ValueError(f"{path}: expected every clause to end with 0, got a last one that does not: is the file cut?")
    if ends.size != clauses:
        raise ValueError(f"{path}: expected {clauses} clauses, as the header says, got {ends.size}: correct either")
    offsets = np.concatenate([[0], ends + 1 - np.arange(1, clauses + 1)])
    return Formula(int(header[1]), values[values != 0], offsets)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, decompressed by the ending of its name.

    Raises:
        ValueError: if it is no file, a damaged one, or longer than there is memory for.
    """
    if not path.exists():
        raise FileNotFoundError(f"path: expected a file with a formula, found no {path}")
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, got a folder, a pipe or a device")
    pieces: list[bytes] = []
    try:
        with OPEN.get(path.suffix.lower(), open)(path, "rb") as file:
            while piece := file.read(PIECE):
                pieces.append(piece)
                # A small file may unfold into any number of bytes.
                require_memory(str(path), BYTES * sum(map(len, pieces)), "give a smaller formula")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if path.suffix.lower() not in OPEN:
            raise
        raise ValueError(f"{path}: expected a whole file compressed as {path.suffix}, got one that is not") from error
    return b"".join(pieces)


def integers_of(text: bytes, start: int, path: str | Path) -> Int64[np.ndarray, " values"]:
    """Return the integers in a text of clauses from ``start`` on.

    Raises:
        ValueError: if something else stands there.
    """
    characters = np.frombuffer(text, np.uint8)[start:]
    values = np.empty(characters.size // 2 + 1, np.int64)
    found = np.zeros(2, np.int64)
    parse_integers(characters, values, found)
    if found[1] >= 0:
        place = start + int(found[1])
        number = text.count(b"\n", 0, place) + 1
        got = shown(text[place : place + 20].split(b"\n")[0].decode(errors="replace"))
        raise ValueError(
            f"{path}: expected literals that are integers, at most {BEYOND - 1}, on line {number}, got {got}"
        )
    return values[: found[0]]


@kernel()
def parse_integers(characters, values, found):
    """Set ``values`` to the integers of a text, ``found`` to their number and the place of what is none, else -1."""
    size = characters.shape[0]
    found[1] = -1
    place = next_number(characters, 0, True)
    while place < size:
        first = place
        place += characters[place] == MINUS
        digits = place
        value = 0
        while place < size and ZERO <= characters[place] <= NINE:
            value = min(10 * value + (characters[place] - ZERO), BEYOND)
            place += 1
        if place == digits or value == BEYOND or (place < size and not is_space(characters[place])):
            found[1] = first
            return
        values[found[0]] = value if digits == first else -value
        found[0] += 1
        place = next_number(characters, place, False)


@kernel(inline="always")
def is_space(letter):
    """Return True for a space, a tabulator and an end of a line."""
    return letter == SPACE or TAB <= letter <= RETURN


@kernel()
def next_number(characters, place, line_begins):
    """Return the next place that is neither space nor comment, the end of the text where a line begins with %."""
    while place < characters.shape[0]:
        letter = characters[place]
        space = is_space(letter)
        if not space and not (line_begins and letter == COMMENT):
            return characters.shape[0] if line_begins and letter == END else place
        if not space:
            while place < characters.shape[0] and characters[place] != NEWLINE:
                place += 1
        else:
            line_begins = line_begins or letter == NEWLINE
            place += 1
    return place


def write_dimacs(
    path: str | Path, sites: int, literals: Int[np.ndarray, " literals"], offsets: Int64[np.ndarray, " bounds"]
) -> None:
    """Write a formula, one clause on a line, compressed if the name ends in .gz, .bz2 or .xz."""
    path = require_path("path", path)
    ended = np.insert(literals, offsets[1:], 0)
    # Zero stands nowhere but at the end of a clause.
    lines = " ".join(map(str, ended.tolist())).replace(" 0 ", " 0\n")
    text = f"p cnf {sites} {offsets.size - 1}\n{lines}\n".encode()
    compress = {".gz": lambda content: gzip.compress(content, mtime=0), ".bz2": bz2.compress, ".xz": lzma.compress}
    write_whole(path, compress.get(path.suffix.lower(), bytes)(text))
