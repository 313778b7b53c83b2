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
            needed = MEMORY_PER_BYTE * sum(part.file_size for part in parts.infolist())
        require_memory(needed, "save a part of the sheet, or save it as csv")
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
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    width = max(map(len, rows), default=0)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(row + [None] * (width - len(row)) for row in rows)
    return text.getvalue()
