"""Entries of text: what is read byte by byte or piece by piece is what a parser reads in one."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vae_mf.datasets.files import DataError
from vae_mf.datasets.readers.entries import binary_entries, read_entries
from vae_mf.datasets.recording import read_recording

ENTRY = st.sampled_from(["0", "1", "1", "0", "2", "-1", "", " 1", "11", "x"])
LINE = st.lists(ENTRY, min_size=1, max_size=4)


@given(st.lists(LINE, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]), st.booleans())
@example([["0", "1"], ["1", "1"]], "\r\n", True)
@example([["01"], ["1"]], "\n", True)
def test_entries_read_byte_by_byte_are_those_that_a_parser_reads(lines, ending, ended):
    content = (ending.join(",".join(line) for line in lines) + ending * ended).encode()
    found = binary_entries(content, b",")
    plain = all(entry in ("0", "1") for line in lines for entry in line) and len({len(line) for line in lines}) == 1
    plain &= ended or len(lines) > 1
    assert (found is not None) == plain
    if plain:
        np.testing.assert_array_equal(found, pd.read_csv(BytesIO(content), header=None))


def test_words_far_below_numbers_are_named_by_their_row(tmp_path):
    rows = [f"{k % 2},{k % 3 % 2}" for k in range(200_000)]
    rows[150_000] = "1,often"
    path = tmp_path / "late.csv"
    path.write_text("\n".join(["a,b", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"'often' in row 150001, column b"):
        read_recording(path)


def test_missing_entries_far_below_whole_numbers_are_read(tmp_path):
    rows = [f"{k % 2},{k % 3 % 2}" for k in range(200_000)]
    rows[150_000] = "1,"
    path = tmp_path / "late.csv"
    path.write_text("\n".join(["a,b", *rows]), encoding="utf-8")
    read = read_recording(path, allow_missing=True).rows
    assert read[150_000].tolist() == [1, 0]
    assert (read != 0).sum() == 2 * len(rows) - 1


def test_a_line_that_is_too_long_is_named_as_it_is_counted_in_the_file():
    with pytest.raises(DataError, match="line 4 has 3 entries, those before it 2"):
        read_entries(b"a,b\n1,0\n0,1\n1,1,1\n", ",", skip=True)
