"""Rows of a table in text, by the parser of pandas or, where entries are 0 and 1 alone, byte by byte."""

import re
import warnings
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int8
from pandas.errors import DtypeWarning, EmptyDataError, ParserError

from vae_mf.datasets.files import DataError, parsing

ZERO, ONE, LINE_FEED = b"01\n"
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
SAMPLE = 2**20
"""Number of letters in which a decimal comma is looked for."""
NO_ROWS = "expected rows of numbers, found none: export the table again"


def read_entries(text: bytes, delimiter: str, skip: bool) -> pd.DataFrame:
    r"""Return the rows of a text, without the first line if that is to be skipped.

    >>> read_entries(b"a,b\n1,0\n0,0.5\n", ",", skip=True).to_numpy().tolist()
    [[1.0, 0.0], [0.0, 0.5]]

    Raises:
        DataError: There are none, or they differ in length.
    """
    ending = re.search(rb"\r\n?|\n|$", text) if skip else None
    start = ending.end() if ending else 0
    binary = binary_entries(text, b" " if delimiter == r"\s+" else delimiter.encode(), start)
    frame = parse(text[start:], delimiter, 1 + skip) if binary is None else pd.DataFrame(binary, copy=False)
    if frame.empty:
        raise DataError(NO_ROWS)
    return frame


def binary_entries(text: bytes, mark: bytes, start: int = 0) -> Int8[np.ndarray, "rows columns"] | None:
    r"""Return the entries of a text, None if it is not made of lines of 0 and 1 with one mark between them.

    This takes a third of the time of a parser of numbers, and a fifth of its memory.

    Args:
        start: Place of the first line in the text.

    >>> binary_entries(b"1,0\n0,1\n", b",").tolist()
    [[1, 0], [0, 1]]
    >>> binary_entries(b"1,0\n0,2\n", b",") is None
    True
    """
    end = text.find(b"\n", start) + 1
    ending = b"\r\n" if text[start:end].endswith(b"\r\n") else b"\n"
    body = np.frombuffer(text if text.endswith(ending) else text + ending, np.uint8, offset=start)
    width = end - start
    if width <= len(ending) or (width - len(ending)) % 2 == 0 or len(body) % width:
        return None
    lines = body.reshape(-1, width)
    entries = lines[:, : -len(ending) : 2]
    marks = lines[:, 1 : -len(ending) : 2]
    ended = (lines[:, -len(ending) :] == np.frombuffer(ending, np.uint8)).all()
    if not (ended and (marks == ord(mark)).all() and ((entries == ZERO) | (entries == ONE)).all()):
        return None
    return (entries - ZERO).view(np.int8)


def adjoining_entries(text: bytes) -> Int8[np.ndarray, "rows columns"] | None:
    r"""Return the entries of lines of 0 and 1 with nothing between them, None if they are not of one length or others.

    >>> adjoining_entries(b"011\n010\n").tolist(), adjoining_entries(b"1,0\n0,1\n"), adjoining_entries(b"0\n1\n")
    ([[0, 1, 1], [0, 1, 0]], None, None)
    """
    found = re.match(rb"[01]{2,}(?=[\r\n])", text)
    width = found.end() if found else 0
    lines = text.split() if found else []
    if not found or any(len(line) != width for line in lines):
        return None
    entries = np.frombuffer(b"".join(lines), np.uint8).reshape(-1, width)
    return (entries - ZERO).view(np.int8) if ((entries == ZERO) | (entries == ONE)).all() else None


def parse(rows: bytes, delimiter: str, first: int) -> pd.DataFrame:
    """Return the rows of a text of any entries.

    Args:
        first: Number of their first line in the file.
    """
    start = rows[:SAMPLE].decode(errors="ignore")
    comma = delimiter in (";", "\t") and DECIMAL_COMMA.search(start) and not re.search(r"\d\.\d", start)
    # To look for blanks in front of entries takes half as long as all else.
    blanks = delimiter != r"\s+" and b" " in rows
    options = {"header": None, "skipinitialspace": blanks, "sep": delimiter, "decimal": "," if comma else "."}
    with parsing("text"):
        try:
            frame = read_csv(rows, options)
        except EmptyDataError as error:
            raise DataError(NO_ROWS) from error
        except ParserError as error:
            raise unequal_lines(str(error), first) from error
    words = [name for name, column in frame.items() if column.dtype == object and are_words_of_truth(column)]
    return frame.astype(dict.fromkeys(words, "boolean")) if words else frame


def unequal_lines(message: str, first: int) -> DataError:
    """Return the error of lines that differ in length, from what the parser says of lines counted from the first."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    detail = ""
    if found:
        detail = f": line {int(found[2]) + first - 1} has {found[3]} entries, those before it {found[1]}"
    advice = "mend or delete such lines, or, if each line has the spike times of a cell, save columns neuron and time"
    return DataError(f"expected rows of numbers, all of one length{detail}: {advice}")


def is_entry(text: str) -> bool:
    """Return True if a text can be an entry of a table of numbers.

    >>> is_entry("1e3"), is_entry("1,0"), is_entry("true"), is_entry("anna")
    (True, True, True, False)
    """
    try:
        float(text)
    except ValueError:
        return text in ("true", "false") or DECIMAL_COMMA.fullmatch(text) is not None
    return True


def are_words_of_truth(column: pd.Series) -> bool:
    """Return True if a column holds nothing but True, False and missing entries."""
    return pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def read_csv(rows: bytes, options: dict[str, Any]) -> pd.DataFrame:
    """Return the table of a text, parsed piece by piece unless the pieces differ in their types."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DtypeWarning)
        try:
            return pd.read_csv(BytesIO(rows), **options)
        except DtypeWarning:
            return pd.read_csv(BytesIO(rows), low_memory=False, **options)
