"""Tables of numbers in text (csv, tsv, txt) and parquet, with the names of their columns."""

import csv
import os
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.extensions import ExtensionDtype

from vae_mf.datasets.columns import (
    are_binary,
    are_votes,
    is_numeric,
    repeated_rows,
    without_counts,
    without_votes,
)
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import (
    GZIP,
    HEAD_BYTES,
    PARQUET,
    DataError,
    Options,
    Raster,
    check_head,
    listed,
    open_head,
    parsing,
    read_bytes,
    require_few_variables,
    require_memory,
    suffix_of,
)
from vae_mf.datasets.readers.entries import DECIMAL_COMMA, NO_ROWS, adjoining_entries, read_entries
from vae_mf.datasets.readers.lines import find_rows
from vae_mf.datasets.spike_times import SpikeColumns, spike_columns, spike_raster, table_of_spikes

PLAIN = (".txt", ".dat", ".asc")
"""Endings of files with blanks between the entries, if nothing else is there."""
MEMORY_PER_BYTE = 16
"""Bytes taken while a text is read: itself, its parts, and 8 bytes and more for every entry of two characters."""
MEMORY_PER_TEXT = 5
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MISSING = frozenset(["", "na", "n/a", "nan", "null", "none", "<na>"])
"""Entries that pandas takes as missing, in small letters."""
COLUMN_NUMBER = re.compile(r"\s*0*([2-9]|1\d)\d*\s*", re.ASCII)
"""Whole number above 1, of any length."""
MANY_COLUMNS = "save the table with rows and columns swapped, or as npy"


class Table(NamedTuple):
    """A table as it stands in a file.

    Attributes:
        frame: Its columns, of any type.
        named: True if the file names the columns; otherwise they are numbered from 0.
        source: Description of the file and of the way it was read, a clause.
        remarks: Peculiarities that a reader of the results should know.
    """

    frame: pd.DataFrame
    named: bool
    source: str
    remarks: tuple[str, ...] = ()


def register_tables(*suffixes: str, start: bytes) -> Callable[[Callable[[Path], Table]], Callable[[Path], Table]]:
    """Register the decorated function as the reader of tables, of rows of variables or of spike times."""

    def register(read_table: Callable[[Path], Table]) -> Callable[[Path], Table]:
        def read(path: Path, options: Options) -> Raster:
            return raster_of(read_table(path), options.bin_width)

        def read_numbers(path: Path, options: Options) -> np.ndarray:
            return numbers(without_votes(read_table(path).frame).frame)

        register_reader(*suffixes, starts=(start,), options=("bin_width",), read_array=read_numbers)(read)
        return read_table

    return register


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


@register_tables(".parquet", start=PARQUET)
def read_parquet(path: Path) -> Table:
    """Return the table of a parquet file; an index that pandas has saved beside the columns is left out."""
    with parsing("parquet"):
        with pq.ParquetFile(path) as file:
            require_readable(file)
        frame = pd.read_parquet(path, engine="pyarrow")
    if frame.empty:
        raise DataError(NO_ROWS)
    index = "" if isinstance(frame.index, pd.RangeIndex) else "the index saved with the table was left out"
    frame = frame.reset_index(drop=True).set_axis([str(name) for name in frame.columns], axis=1)
    return Table(frame, True, "parquet table", (index,) * bool(index))


def require_readable(file: pq.ParquetFile) -> None:
    """Raise DataError unless a parquet file has one entry in each row of each column, and fits into memory."""
    for field in file.schema_arrow:
        if pa.types.is_nested(field.type):
            raise DataError(
                f"expected one number in each row of column {field.name}, got {field.type}: make a column of each of "
                "its entries, or leave it out"
            )
    rows, columns = file.metadata.num_rows, file.metadata.num_columns
    groups = (file.metadata.row_group(place) for place in range(file.metadata.num_row_groups))
    # An entry is held twice in at most 8 bytes, and a text in all it takes unpacked, more than once.
    texts = sum(group.total_byte_size for group in groups)
    require_memory(16 * rows * columns + MEMORY_PER_TEXT * texts, "save fewer rows or columns")


def raster_of(table: Table, bin_width: float | None) -> Raster:
    """Return the raster of a table of rows, or of one of spike times if there is a width of bins."""
    return table_raster(table) if bin_width is None else table_spikes(table, bin_width)


def table_raster(table: Table) -> Raster:
    """Return the numbers of a table; a leading column of row names, of an index or of times is left out.

    Raises:
        DataError: Entries are words, or the table looks like one of spike times.
    """
    frame, remarks = without_votes(table.frame)
    remarks = table.remarks + remarks
    row_names = None
    # A column without a name is called after its place.
    unnamed = table.named and frame.columns[0] == "0" and "1" not in frame.columns
    if frame.shape[1] > 1 and (remark := index_remark(frame, unnamed)):
        row_names = None if is_numeric(frame.iloc[:, 0]) else frame.iloc[:, 0].astype(str).tolist()
        frame, remarks = frame.iloc[:, 1:], (*remarks, remark)
    elif found := without_counts(frame, table.named):
        rows = repeated_rows(numbers(found.frame, missing=True), found.counts)
        # Rows that were counted have no order in time: each is a repeat of one bin.
        names = list(found.frame.columns) if table.named else None
        return Raster(rows[:, :, np.newaxis], table.source, names, (*remarks, found.remark))
    values = numbers(frame, missing=True)
    counted = np.arange(frame.shape[1])
    if not table.named and frame.shape[1] <= 2 and len(values) > 1 and np.array_equal(values[0], counted):
        line = ",".join(map(str, counted))
        raise DataError(
            f"expected to know whether the first line, {line}, is a row or counts the columns: write a line of names "
            "above it if it is a row, or in its place if it is none"
        )
    if frame.shape == table.frame.shape and frame.shape[1] == 2 and not are_binary(values):
        raise DataError(
            "two columns that are not of 0 and 1 look like spike times: give `bin_width` in the unit of the times, "
            "or more columns"
        )
    return Raster(values, table.source, list(frame.columns) if table.named else None, remarks, row_names)


def index_remark(frame: pd.DataFrame, unnamed: bool) -> str | None:
    """Return a remark if the first column is no variable but labels the rows, else None.

    Args:
        unnamed: True if the first line names the other columns alone.
    """
    first = frame.iloc[:, 0]
    name = frame.columns[0]
    others = [column for _, column in frame.iloc[:, 1:].items()]
    if first.isna().any() or not all(map(is_numeric, others)):
        return None
    if not is_numeric(first):
        labels = first.is_unique and not any(is_entry(str(text).lower()) for text in first)
        return f"column {name} holds another word in every row and was taken as names of the rows" if labels else None
    steps = first.to_numpy(np.float64)
    # Any table with such a first column but other numbers, such as couplings, is left as it is.
    if are_binary(steps) or not all(map(are_binary, others)):
        return None
    if (steps[1:] > steps[:-1]).all():
        return f"column {name} rises from row to row and was taken as an index or time, not as a variable"
    if unnamed and first.is_unique and (steps == np.floor(steps)).all():
        return "the first column, without a name, holds another whole number in every row and was taken as an index"
    return None


def numbers(frame: pd.DataFrame, missing: bool = False) -> np.ndarray:
    """Return a frame as an array of numbers (rows, columns).

    Args:
        missing: True to let missing entries pass, as NaN.

    Raises:
        DataError: An entry is a word, or missing; it is named.
    """
    for name, column in frame.items():
        if not is_numeric(column):
            raise entry_error(frame, str(name), column)
    absent = frame.isna().to_numpy()
    if absent.any() and missing:
        return frame.to_numpy(np.float64, na_value=np.nan)
    if absent.any():
        row, column = np.argwhere(absent)[0]
        where = f"row {row + 1}, column {frame.columns[column]}"
        raise DataError(
            f"expected rows of numbers, all of one length, got nothing or NaN in {where}: fill it or delete it"
        )
    dtypes = [dtype.numpy_dtype if isinstance(dtype, ExtensionDtype) else dtype for dtype in frame.dtypes]
    return frame.to_numpy(np.result_type(np.int8, *dtypes))


def entry_error(frame: pd.DataFrame, name: str, column: pd.Series) -> DataError:
    """Return the error of a column that holds other things than numbers."""
    bad = pd.to_numeric(column.astype(str), errors="coerce").isna() & column.notna()
    if not bad.any():
        return DataError(
            f"expected numbers in column {name}, got {column.dtype}: delete the column or turn it into 0 and 1"
        )
    row = int(np.flatnonzero(bad)[0])
    advice = "delete that row" + ", or the line above it if that is a title" * (row == 0)
    if bad.sum() == 1 and not any(is_entry(str(entry).strip().lower()) for entry in frame.iloc[row]):
        return DataError(f"expected words in the first line only, got a row of words in row {row + 1}: {advice}")
    found = f"{str(column.iloc[row])[:30]!r} in row {row + 1}, column {name}"
    return DataError(f"expected rows of numbers, got {found}: write 0 and 1 instead of words, or delete that column")


def times_by_column(frame: pd.DataFrame) -> dict[str, np.ndarray] | None:
    """Return the spike times of the cells of a table with a column for each, empty below the last; None for others."""
    if frame.shape[1] < 2 or not all(is_numeric(column) for _, column in frame.items()):
        return None
    times = {str(name): column.to_numpy(np.float64, na_value=np.nan) for name, column in frame.items()}
    ends = {name: int(np.isfinite(own).sum()) for name, own in times.items()}
    times = {name: own[: ends[name]] for name, own in times.items()}
    # Cells that all have as many spikes are more likely something else.
    if len(set(ends.values())) < 2 or not all((np.diff(own) > 0).all() for own in times.values()):
        return None
    return times


def table_spikes(table: Table, bin_width: float) -> Raster:
    """Return the raster of a table with one row per spike, cell and time; without names in this order.

    Raises:
        DataError: There are no two such columns.
    """
    frame = table.frame
    columns = spike_columns(list(frame.columns)) if table.named else None
    if columns is None and (times := times_by_column(frame)):
        remark = f"each of {len(times)} columns was taken for the spike times of a cell"
        return spike_raster(times, bin_width, table.source, (*table.remarks, remark))
    if columns is None and frame.shape[1] != 2:
        raise DataError(
            "expected spike times in two columns, named neuron and time, got columns "
            f"{listed(list(frame.columns))}: name them so, or leave out `bin_width`"
        )
    columns = columns or SpikeColumns(0, 1, None)
    times = numbers(frame.iloc[:, [columns.time]])[:, 0]
    raster = table_of_spikes(frame, times, columns, bin_width, table.source)
    return raster._replace(remarks=table.remarks + raster.remarks)
