"""Tables of numbers in text, with the names of their columns: csv, tsv, txt, dat, asc."""

import csv
import os
import re
from itertools import islice
from pathlib import Path

import pandas as pd

from vae_mf.datasets.columns import (
    are_binary,
    are_votes,
    is_numeric,
    without_votes,
)
from vae_mf.datasets.files import (
    GZIP,
    HEAD_BYTES,
    DataError,
    check_head,
    listed,
    open_head,
    read_bytes,
    require_few_variables,
    require_memory,
    suffix_of,
)
from vae_mf.datasets.readers.entries import DECIMAL_COMMA, adjoining_entries, is_entry, read_entries
from vae_mf.datasets.readers.lines import find_rows
from vae_mf.datasets.readers.tables import Table, register_tables

PLAIN = (".txt", ".dat", ".asc")
"""Endings of files with blanks between the entries, if nothing else is there."""
MEMORY_PER_BYTE = 16
"""Bytes taken while a text is read: itself, its parts, and 8 bytes and more for every entry of two characters."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MISSING = frozenset(["", "na", "n/a", "nan", "null", "none", "<na>"])
"""Entries that pandas takes as missing, in small letters."""
COLUMN_NUMBER = re.compile(r"\s*0*([2-9]|1\d)\d*\s*", re.ASCII)
"""Whole number above 1, of any length."""
MANY_COLUMNS = "save the table with rows and columns swapped, or as npy"


@register_tables(".csv", ".tsv", *PLAIN, start=GZIP)
def read_text(path: Path) -> Table:
    """Return the table of a text file with commas, semicolons, tabs or blanks between the entries.

    The first line names the columns if none of its fields is a number, if it only counts the columns, or if it has
    other numbers above rows of 0 and 1; so does a line after # above the rows, as NumPy writes it.

    Raises:
        DataError: The text is not UTF-8, has no rows, or rows of different lengths.
    """
    if not (head := open_head(path)).startswith(GZIP):
        refuse_binary(head)  # signals of any size have such names too
    require_memory(MEMORY_PER_BYTE * os.path.getsize(path), "give a part of the table, or save it as npy or parquet")
    return text_table(read_bytes(path, MEMORY_PER_BYTE), suffix_of(path))


def text_table(content: bytes, suffix: str) -> Table:
    """Return the table of a text, see `read_text`; the suffix of its file tells of marks that may be meant."""
    text, above, separator, left_out = find_rows(utf8(content))
    if (digits := adjoining_entries(text)) is not None:
        remarks = (*left_out, "every digit was taken for an entry, as there is nothing between them")
        return Table(pd.DataFrame(digits).rename(columns=str), False, "text of lines of 0 and 1", remarks)
    if (joined := with_names_on_one_line(text)) != text:
        left_out += ("line breaks in names of columns were taken for blanks",)
    text = joined
    first, second = (*first_lines(text, 2), "", "")[:2]
    delimiter = separator or find_delimiter(first, suffix)
    fields = split_line(first, delimiter)
    votes = are_votes(fields) and are_votes(split_line(second, delimiter))
    names = fields if is_header(fields) and not votes else None
    frame = read_entries(text, delimiter, skip=names is not None)
    if frame.shape[1] == 1 and b"" in (lines := text.splitlines()):
        blank = lines.index(b"") + 1
        raise DataError(f"expected an entry in every line, got line {blank} without: write NA into it, or delete it")
    if names is None and above and (names := names_in_comment(above[-1], delimiter, frame.shape[1])):
        above.pop()
    remarks = left_out
    if names is None and is_numeric_header(fields, frame):
        names = fields
        frame = frame.iloc[1:].reset_index(drop=True)
        remarks += (f"the first line, {listed(fields)}, was taken as names of the columns",)
    if above:
        remarks += (f"{len(above)} lines of comments above the rows were left out",)
    names, frame, unnamed = without_empty_end(names, frame)
    marks = {",": "commas", ";": "semicolons", "\t": "tabs", r"\s+": "blanks"}[delimiter]
    source = f"text with {marks} between the entries, {'one row of' if names else 'no'} column names"
    return Table(
        frame.set_axis(column_names(names, frame.shape[1]), axis=1), names is not None, source, remarks + unnamed
    )


def without_empty_end(
    names: list[str] | None, frame: pd.DataFrame
) -> tuple[list[str] | None, pd.DataFrame, tuple[str, ...]]:
    """Return names and rows without columns that a mark at the end of every line opens, and a remark on these."""
    columns = frame.shape[1]
    while columns > 1 and frame.iloc[:, columns - 1].isna().all() and not "".join((names or [])[columns - 1 :]).strip():
        columns -= 1
    if names is not None and len(names) > columns and not "".join(names[columns:]).strip():
        names = names[:columns]
    empty = frame.shape[1] - columns
    remarks = (f"{empty} columns at the end without name and entries were left out",) if empty else ()
    return names, frame.iloc[:, :columns], remarks


def with_names_on_one_line(text: bytes) -> bytes:
    r"""Return a text in which there is a blank for every line break that quotes in the first line hold, as in Excel.

    >>> with_names_on_one_line(b'"left\nside",b\n1,0')
    b'"left side",b\n1,0'
    """
    first = re.match(rb"[^\r\n]*", text)
    if first is None or first[0].count(b'"') % 2 == 0:
        return text
    record = re.match(rb'(?:[^"\r\n]|"[^"]*")*(?=[\r\n])', text)
    return text if record is None else re.sub(rb"\r\n?|\n", b" ", record[0]) + text[record.end() :]


def first_lines(text: bytes, count: int) -> list[str]:
    r"""Return the first lines that are not empty.

    >>> first_lines(b"a,b\r\n1,0\r\n0,0", 2)
    ['a,b', '1,0']
    """
    return [line[0].decode() for line in islice(re.finditer(rb"[^\r\n]+", text), count)]


def names_in_comment(line: str, delimiter: str, columns: int) -> list[str] | None:
    """Return the names of the columns that a line after # holds, None if there are other things in it.

    >>> names_in_comment("# a b", ",", 2), names_in_comment("# bins of 20 ms", ",", 2)
    (['a', 'b'], None)
    """
    split = (split_line(line.lstrip(marks), mark) for marks in ("# ", "#%/ ") for mark in (delimiter, r"\s+"))
    return next((names for names in split if len(names) == columns and is_header(names)), None)


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line.

    Raises:
        DataError: They are too many, or one is too long.
    """
    blanks = delimiter == r"\s+"
    require_few_variables(line.count(" " if blanks else delimiter) + 1, "columns", MANY_COLUMNS)
    if blanks:
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(
            f"expected entries of at most {csv.field_size_limit()} letters, got a longer one in {line[:20]!r}...: "
            "check that it is the right file"
        ) from error


def is_numeric_header(fields: list[str], frame: pd.DataFrame) -> bool:
    """Return True if the first line has different whole numbers above 1, and all below it are -1, 0 or 1.

    >>> is_numeric_header(["101", "205"], pd.DataFrame([[101, 205], [0, 1], [1, 1]]))
    True
    """
    named = fields[1:] if fields and not fields[0].strip() else fields
    numbered = all(map(COLUMN_NUMBER.fullmatch, named)) and len(set(named)) == len(named)
    body = without_votes(frame.iloc[1:, len(fields) - len(named) :]).frame
    binary = (is_numeric(column) and are_binary(column) for _, column in body.items())
    return bool(named) and numbered and len(body) > 1 and all(binary)


def utf8(content: bytes, starts: tuple[bytes, ...] = ()) -> bytes:
    """Return the text of a file in UTF-8, without a byte order mark.

    Args:
        starts: First bytes that it may have, see `check_head`.

    Raises:
        DataError: It is in another encoding, or no text.
    """
    check_head(content[:HEAD_BYTES], starts)
    refuse_binary(content)
    try:
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f'byte {error.start} of the text is not UTF-8: save it as "CSV UTF-8"') from error
    return content.removeprefix(BYTE_ORDER_MARK)


def refuse_binary(content: bytes) -> None:
    """Raise DataError if a content, or the beginning of one, is no text of single bytes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError('the text is UTF-16 (in Excel "Unicode Text"): save it as "CSV UTF-8"')
    if b"\0" in content:
        raise DataError("the content is binary, not text: check that the suffix names its format")


def find_delimiter(line: str, suffix: str) -> str:
    r"""Return the mark between the entries of a line, a regular expression if it is blanks.

    Blanks part numbers in a file of any name, as NumPy writes them, but words only in a txt file.

    >>> find_delimiter("1,0;0,0", ".csv"), find_delimiter("1", ".csv"), find_delimiter("1 0", ".csv")
    (';', ',', '\\s+')
    """
    if suffix == ".tsv" and "\t" in line:
        return "\t"
    if ";" in line and all(DECIMAL_COMMA.fullmatch(part.strip()) or "," not in part for part in line.split(";")):
        return ";"
    found = [mark for mark in ",;\t" if mark in line and suffix != ".tsv"]
    parts = line.split()
    blanks = suffix in PLAIN or (len(parts) > 1 and all(is_entry(part.lower()) for part in parts))
    return found[0] if found else r"\s+" if blanks else "\t" if suffix == ".tsv" else ","


def is_header(fields: list[str]) -> bool:
    """Return True if fields name columns: none is a number, or they count 0, 1, 2 ... or 1, 2, 3 ... as pandas does.

    One word among numbers is an error and no header, 0,1 is a row of data, and so is one of missing entries alone.

    >>> is_header(["anna", "bob"]), is_header(["0", "1"]), is_header(["0", "1", "2"]), is_header(["NA", ""])
    (True, False, True, False)
    """
    texts = [field.strip().strip('"').lower() for field in fields]
    counted = texts[1:] if texts and not texts[0] else texts
    enough = len(counted) < len(texts) or len(texts) > 2
    counts = [[str(start + k) for k in range(len(counted))] for start in (0, 1)]
    named = [text for text in texts if text not in MISSING]
    return (enough and bool(counted) and counted in counts) or (bool(named) and not any(map(is_entry, texts)))


def column_names(names: list[str] | None, columns: int) -> list[str]:
    """Return the names of the columns: those of the header, or their numbers from 0 where it has none.

    >>> column_names(["anna", ""], 2)
    ['anna', '1']
    """
    if names is None:
        names = [""] * columns
    if len(names) == columns - 1:
        names = ["", *names]  # R leaves out the heading of the names of the rows.
    if len(names) != columns:
        counts = f"{len(names)} names and rows of {columns} entries"
        advice = "complete the first line, or delete it if it is a title"
        raise DataError(f"expected as many column names as columns, got {counts}: {advice}")
    stripped = [name.strip().strip('"').removeprefix("#").strip() for name in names]
    return [name or str(position) for position, name in enumerate(stripped)]
