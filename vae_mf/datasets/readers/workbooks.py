"""Sheets of Excel workbooks, as the text that Excel would export."""

import csv
import io
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import numpy as np

from vae_mf.datasets.columns import without_votes
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import ZIP, DataError, Options, Raster, listed, parsing, require_memory
from vae_mf.datasets.readers.tables import Table, numbers, raster_of
from vae_mf.datasets.readers.text import MEMORY_PER_BYTE, text_table

LARGEST_RATIO = 100
"""Bytes that a byte of a workbook unpacks to, and entries of a sheet for each that is filled."""
MOST_BYTES, MOST_EMPTY = 2**25, 10**6
"""Bytes, and entries, that are read at any ratio."""


def read_numbers(path: Path, options: Options) -> np.ndarray:
    """Return the numbers of a sheet."""
    return numbers(without_votes(read_sheet(path, options.array).frame).frame)


@register_reader(".xlsx", ".xlsm", starts=(ZIP,), options=("array", "bin_width"), read_array=read_numbers)
def read_workbook(path: Path, options: Options) -> Raster:
    """Return the rows or the spike times of a sheet, which ``array`` names if there are several."""
    return raster_of(read_sheet(path, options.array), options.bin_width)


def read_sheet(path: Path, name: str | None) -> Table:
    """Return the table of a sheet.

    Raises:
        DataError: There is no such sheet, there are several and none is named, or openpyxl is not installed.
    """
    excel = load_openpyxl()
    with parsing("xlsx"):
        with ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        require_memory(MEMORY_PER_BYTE * size, "save a part of the sheet, or save it as csv")
        require_plausible(size, path.stat().st_size)
        book = excel.load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = {sheet.title: text for sheet in book.worksheets if (text := sheet_text(sheet)).strip(", \n")}
        finally:
            book.close()
    if name is None and len(sheets) == 1:
        (name,) = sheets
    if name not in sheets:
        got = "none" if name is None else repr(name)
        raise DataError(f"expected `array` among the sheets with entries, {listed(list(sheets))}, got {got}: give one")
    table = text_table(sheets[name].encode(), ".csv")
    return table._replace(
        source=f"sheet {name} of an Excel workbook, {'one row of' if table.named else 'no'} column names"
    )


def require_plausible(size: int, packed: int) -> None:
    """Raise DataError if a workbook unpacks to far more than a table of numbers does.

    >>> require_plausible(10**9, 10**6)
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: expected a workbook, got 0.001 GB that unpack to 1 GB: save the sheet as csv
    """
    if size > MOST_BYTES and size > LARGEST_RATIO * packed:
        raise DataError(
            f"expected a workbook, got {packed / 1e9:.1g} GB that unpack to {size / 1e9:.3g} GB: save the sheet as csv"
        )


def load_openpyxl() -> ModuleType:
    """Return the library of Excel workbooks, which is an extra of this package."""
    try:
        import openpyxl
    except ImportError as error:
        advice = 'pip install openpyxl, or save the sheet as "CSV UTF-8"'
        raise DataError(f"expected openpyxl, which reads Excel workbooks, got none: {advice}") from error
    return openpyxl


def sheet_text(sheet: Any) -> str:
    """Return the entries of a sheet with commas between them; of formulas their values."""
    sheet.reset_dimensions()  # that some programs write wrongly
    rows, entries, filled = [], 0, 0
    for row in sheet.iter_rows(values_only=True):
        rows.append(row)
        entries += len(row)
        filled += len(row) - row.count(None)
        require_filled(entries, filled)
    width = max(map(len, rows), default=0)
    require_filled(len(rows) * width, filled)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((*row, *[None] * (width - len(row))) for row in rows)
    return text.getvalue()


def require_filled(entries: int, filled: int) -> None:
    """Raise DataError if hardly any entry of a sheet is filled, as with one far beyond the table.

    >>> require_filled(10**9, 2)
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: expected a table, got 2 entries in a sheet of 1000000000: save it as csv
    """
    if entries > MOST_EMPTY + LARGEST_RATIO * filled:
        raise DataError(f"expected a table, got {filled} entries in a sheet of {entries}: save it as csv")
