"""Lines of a table in text that are no rows: comments, the separator that Excel is told, and empty ones at the end."""

import re
from itertools import takewhile
from typing import NamedTuple

COMMENTS = (b"#", b"%", b"//")
"""Beginnings of a line that is a comment: of NumPy and R, of MATLAB, and of other programs."""
SEPARATOR = re.compile(rb'"?sep=(.)"?[\r\n]+', re.IGNORECASE)
MARKS = (b",", b";", b"\t")
BLANK = b',;\t "\r\n'
"""Letters of a line without entries."""
END = 2**12
"""Bytes at the end of a text that mostly hold its last entry."""


class Lines(NamedTuple):
    """A text of rows alone, and what stood beside them.

    Attributes:
        rows: Lines of the rows, and of the names of the columns.
        above: Comments above all rows.
        separator: Mark between the entries that the first line names, None if it does not.
        remarks: Sentences on other lines that were left out.
    """

    rows: bytes
    above: list[str]
    separator: str | None
    remarks: tuple[str, ...]


def find_rows(text: bytes) -> Lines:
    r"""Return the rows of a text, and what stands beside them.

    >>> find_rows(b"# one\n#a b\n1 0\n# end\n").rows, find_rows(b"sep=;\na;b\n1;0\n;\n").separator
    (b'1 0\n', ';')
    """
    text = text.lstrip(b"\r\n")
    named = SEPARATOR.match(text)
    if named:
        text = text[named.end() :]
    # Quotes and marks at the end of the last row stay.
    end = text.find(b"\n", end_of_entries(text)) + 1 or len(text)
    if not any(mark in text[end:] for mark in MARKS):
        end = len(text)  # of a single column such lines may be missing entries
    empty = sum(bool(line.strip(b"\r")) for line in text[end:].split(b"\n"))
    remarks = (f"{empty} lines without entries at the end were left out",) if empty else ()
    rows, above, others = without_comments(text[:end])
    remarks += (f"{others} lines that begin with #, % or // were left out",) if others else ()
    return Lines(rows, above, named[1].decode("latin-1") if named else None, remarks)


def end_of_entries(text: bytes) -> int:
    r"""Return the number of bytes up to the last entry of a text, of which the end alone is copied.

    >>> end_of_entries(b"1,0\n;;\n")
    3
    """
    end = text[-END:]
    kept = end.rstrip(BLANK)
    return len(text) - len(end) + len(kept) if kept else len(text.rstrip(BLANK))


def without_comments(text: bytes) -> tuple[bytes, list[str], int]:
    r"""Return a text without its comments, those above all other lines, and the number of the rest.

    >>> without_comments(b"% one\n1 0\n// end\n")
    (b'1 0\n', ['% one'], 1)
    """
    # One letter of each is looked for first, several times as fast as both.
    if not any(mark[0] in text for mark in COMMENTS):
        return text, [], 0
    lines = re.findall(rb"[^\r\n]+[\r\n]*", text)
    above = list(takewhile(is_comment, lines))
    rows = [line for line in lines if not is_comment(line)]
    return b"".join(rows), [line.decode().strip() for line in above], len(lines) - len(above) - len(rows)


def is_comment(line: bytes) -> bool:
    """Return True for a line that begins as a comment does."""
    return line.startswith(COMMENTS)
