"""Tables of numbers: their rows or spike times as a raster, and the reader of parquet."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.extensions import ExtensionDtype

from vae_mf.datasets.columns import (
    are_binary,
    count_place,
    is_numeric,
    repeated_rows,
    without_counts,
    without_votes,
)
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import (
    PARQUET,
    DataError,
    Options,
    Raster,
    listed,
    parsing,
    require_memory,
)
from vae_mf.datasets.readers.entries import NO_ROWS, is_entry
from vae_mf.datasets.spike_times import SpikeColumns, spike_columns, spike_raster, table_of_spikes

MEMORY_PER_TEXT = 5
BYTES_WHOLE, BYTES_OTHERS = 16, 32
"""Bytes for an entry of a parquet file at the peak: of whole numbers alone, and where some are missing or others."""
ENTRIES_AT_ONCE, FEWEST_AT_ONCE = 2**21, 2**12
"""Entries of a parquet file that are unpacked at once, and rows of them."""


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


@register_tables(".parquet", start=PARQUET)
def read_parquet(path: Path) -> Table:
    """Return the table of a parquet file; an index that pandas has saved beside the columns is left out."""
    with parsing("parquet"):
        with pq.ParquetFile(path) as file:
            require_readable(file)
            texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        # Of a text that many rows share there is one copy, however long it is.
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            rows = max(FEWEST_AT_ONCE, ENTRIES_AT_ONCE // max(1, file.metadata.num_columns))
            parts = [narrow(part.to_pandas(), texts) for part in file.iter_batches(rows) if part.num_rows]
    pa.default_memory_pool().release_unused()
    if not parts or not parts[0].shape[1]:
        raise DataError(NO_ROWS)
    index = "" if isinstance(parts[0].index, pd.RangeIndex) else "the index saved with the table was left out"
    frame = pd.concat(parts, ignore_index=True).set_axis([str(name) for name in parts[0].columns], axis=1)
    return Table(frame, True, "parquet table", (index,) * bool(index))


def narrow(part: pd.DataFrame, texts: Collection[str]) -> pd.DataFrame:
    """Return rows of a table, columns of -1, 0 and 1 alone in one byte for an entry, and texts as such."""
    wide = [place for place, dtype in enumerate(part.dtypes) if dtype.kind in "iuf" and dtype.itemsize > 1]
    for place in wide:
        values = part.iloc[:, place].to_numpy()
        if ((values == 0) | (np.abs(values) == 1)).all():
            part.isetitem(place, values.astype(np.int8))
    for place in np.flatnonzero(part.columns.isin(texts)):
        part.isetitem(place, part.iloc[:, place].astype(object))
    return part


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
    # A text is held in all it takes unpacked, more than once.
    texts = sum(group.total_byte_size for group in groups)
    per_entry = BYTES_WHOLE if holds_whole_numbers(file) else BYTES_OTHERS
    require_memory(per_entry * rows * columns + MEMORY_PER_TEXT * texts, "save fewer rows or columns")


def holds_whole_numbers(file: pq.ParquetFile) -> bool:
    """Return whether all columns are of whole numbers or booleans, and the file says that none is missing."""
    whole = all(pa.types.is_integer(field.type) or pa.types.is_boolean(field.type) for field in file.schema_arrow)
    groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
    counts = [group.column(place).statistics for group in groups for place in range(group.num_columns)]
    return whole and all(count is not None and count.has_null_count and not count.null_count for count in counts)


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
    counts = count_place(frame) if table.named else None
    if frame.shape[1] > 1 and (remark := index_remark(frame, unnamed, counts)):
        row_names = None if is_numeric(frame.iloc[:, 0]) else frame.iloc[:, 0].astype(str).tolist()
        frame, remarks = frame.iloc[:, 1:], (*remarks, remark)
    if (table.named or frame.shape == table.frame.shape) and (found := without_counts(frame, table.named)):
        rows = repeated_rows(numbers(found.frame, missing=True), found.counts)
        # Rows that were counted have no order in time: each is a repeat of one bin.
        names = list(found.frame.columns) if table.named else None
        return Raster(rows[:, :, np.newaxis], table.source, names, (*remarks, found.remark), turnable=False)
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


def index_remark(frame: pd.DataFrame, unnamed: bool, counts: int | None = None) -> str | None:
    """Return a remark if the first column is no variable but labels the rows, else None.

    Args:
        unnamed: True if the first line names the other columns alone.
        counts: Place of the column of counts; the first one may be an index even if it is headed so.
    """
    first = frame.iloc[:, 0]
    name = frame.columns[0]
    others = [column for place, (_, column) in enumerate(frame.items()) if place not in (0, counts)]
    if first.isna().any() or not all(map(is_numeric, others)):
        return None
    if not is_numeric(first):
        labels = first.is_unique and not any(is_entry(str(text).lower()) for text in first)
        return f"column {name} holds another word in every row and was taken as names of the rows" if labels else None
    steps = first.to_numpy(np.float64)
    # Any table with such a first column but other numbers, such as couplings, is left as it is.
    if are_binary(steps) or not all(map(are_binary, others)):
        return None
    if counts == 0 and not (np.diff(steps) == 1).all():
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
    absent = any(column.hasnans for _, column in frame.items())
    if absent and missing:
        return frame.to_numpy(np.float64, na_value=np.nan)
    if absent:
        row, column = np.argwhere(frame.isna())[0]
        where = f"row {row + 1}, column {frame.columns[column]}"
        raise DataError(
            f"expected rows of numbers, all of one length, got nothing or NaN in {where}: fill it or delete it"
        )
    dtypes = [dtype.numpy_dtype if isinstance(dtype, ExtensionDtype) else dtype for dtype in frame.dtypes]
    return frame.to_numpy(np.result_type(*(np.int8 if dtype.kind == "b" else dtype for dtype in dtypes)))


def entry_error(frame: pd.DataFrame, name: str, column: pd.Series) -> DataError:
    """Return the error of a column that holds other things than numbers."""
    codes, entries = pd.factorize(column)
    words = pd.to_numeric(pd.Series(entries).astype(str), errors="coerce").isna()
    bad = np.append(words, False)[codes]  # missing entries have the code -1, the last place
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
