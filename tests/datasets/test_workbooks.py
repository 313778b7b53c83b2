"""Excel workbooks: the rows of a sheet, as of the text that Excel would export."""

import sys

import numpy as np
import pandas as pd
import pytest

from vae_mf.datasets import files
from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import read_recording

openpyxl = pytest.importorskip("openpyxl")
WORDS = np.random.default_rng(3).integers(0, 2, (40, 4))
FRAME = pd.DataFrame(WORDS, columns=["anna", "bob", "c 3", "d"])
SHEETS = {
    "header": lambda path: FRAME.to_excel(path, index=False),
    "index": lambda path: FRAME.to_excel(path),
    "no header": lambda path: FRAME.to_excel(path, index=False, header=False),
    "words": lambda path: FRAME.replace({0: "no", 1: "yes"}).to_excel(path, index=False),
    "booleans": lambda path: FRAME.astype(bool).to_excel(path, index=False),
    "decimals": lambda path: FRAME.astype(float).to_excel(path, index=False),
    "dates": lambda path: FRAME.set_axis(pd.date_range("2020-01-01", periods=40), axis=0).to_excel(path),
    "counts": lambda path: FRAME.value_counts().reset_index().to_excel(path, index=False),
}


@pytest.mark.parametrize("kind", SHEETS)
def test_a_sheet_is_read_as_its_text_would_be(tmp_path, kind):
    SHEETS[kind](tmp_path / "w.xlsx")
    recording = read_recording(tmp_path / "w.xlsx")
    order = sorted if kind == "counts" else list
    assert order((recording.rows > 0).tolist()) == order((WORDS > 0).tolist())
    assert list(recording.names) == (["0", "1", "2", "3"] if kind == "no header" else list(FRAME.columns))
    assert "sheet Sheet1 of an Excel workbook" in recording.source


def test_spike_times_of_a_sheet(tmp_path):
    frame = pd.DataFrame({"unit": [0, 0, 1, 0, 1, 0], "time": [0.1, 0.3, 0.3, 0.5, 0.7, 0.9]})
    frame.to_excel(tmp_path / "s.xlsx", index=False)
    rows = read_recording(tmp_path / "s.xlsx", bin_width=0.2).rows
    np.testing.assert_array_equal(rows > 0, [[1, 0], [1, 1], [1, 0], [0, 1], [1, 0]])


def test_a_sheet_is_named_if_there_are_several(tmp_path):
    with pd.ExcelWriter(tmp_path / "w.xlsx") as book:
        FRAME.to_excel(book, sheet_name="first", index=False)
        (1 - FRAME).to_excel(book, sheet_name="second", index=False)
    with pytest.raises(DataError, match="sheets with entries, first, second, got none: give one"):
        read_recording(tmp_path / "w.xlsx")
    np.testing.assert_array_equal(read_recording(tmp_path / "w.xlsx", array="second").rows > 0, WORDS == 0)
    with pytest.raises(DataError, match="got 'third': give one"):
        read_recording(tmp_path / "w.xlsx", array="third")


def test_a_workbook_is_bounded_and_a_missing_library_named(tmp_path, monkeypatch):
    FRAME.to_excel(tmp_path / "w.xlsx")
    monkeypatch.setattr(files, "available_memory", lambda: 10_000)
    with pytest.raises(DataError, match="are available: save a part of the sheet, or save it as csv"):
        read_recording(tmp_path / "w.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        DataError, match="expected openpyxl, which reads Excel workbooks, got none: pip install openpyxl"
    ):
        read_recording(tmp_path / "w.xlsx")
    (tmp_path / "v.xlsx").write_bytes(b"PK\x03\x04 and nothing")
    monkeypatch.undo()
    with pytest.raises(DataError, match="not of the format xlsx: download it"):
        read_recording(tmp_path / "v.xlsx")
