"""The page on data: every example reads the rows that were written, and no format is missing."""

import re

import numpy as np
import pytest
from helpers import PROJECT_ROOT
from helpers.data_files import FILES, FRAME, ROWS, TRIAL_BINS
from helpers.documents import blocks

from vae_mf.datasets import read_recording
from vae_mf.datasets.file_formats import FORMATS, known_suffixes

PAGE = (PROJECT_ROOT / "docs" / "data.md").read_text()
EXAMPLES = re.findall(r'\| `(read_recording\("(\S+)".*?\))` \|', PAGE)


def test_every_file_and_every_format_has_an_example():
    assert {name for _, name in EXAMPLES} == set(FILES)
    assert [suffix for suffix in known_suffixes() if not re.search(rf"\b{suffix[1:]}\b", PAGE)] == []
    markers = {marker for known in FORMATS for marker in known.markers} - {"zarr.json", ".zarray", ".zgroup"}
    assert [marker for marker in markers if marker.removeprefix("*.") not in PAGE] == []


@pytest.mark.parametrize(("example", "name"), EXAMPLES, ids=[example for example, _ in EXAMPLES])
def test_an_example_reads_the_rows_that_were_written(example, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FILES[name](tmp_path / name)
    found = eval(example, {"read_recording": read_recording})
    rows = (found.rows + 1) // 2
    expected = ROWS
    if name == "counts.csv":
        rows, expected = (np.array(sorted(map(tuple, values))) for values in (rows, ROWS))
    np.testing.assert_array_equal(rows, expected)
    if "trial" in example:
        np.testing.assert_array_equal(found.time, np.arange(len(ROWS)) % TRIAL_BINS)
    if name.endswith((".csv", "numpy.txt", ".parquet", "cells.npz")) and "bin_width" not in example:
        assert list(found.names) == list(FRAME.columns)


def test_the_examples_in_python_run():
    (block,) = blocks(PAGE, "python")
    exec(compile(block, "docs/data.md", "exec"), {})
