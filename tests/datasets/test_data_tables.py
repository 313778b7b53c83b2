"""Tables: every way to write the same words is read as them, with the names that the file gives."""

import gzip

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from vae_mf.datasets import files
from vae_mf.datasets.files import DataError
from vae_mf.datasets.readers.entries import adjoining_entries
from vae_mf.datasets.readers.text import column_names, find_delimiter, is_header
from vae_mf.datasets.recording import read_recording
from vae_mf.density_models import ChowLiuTree, Independent
from vae_mf.inverse_ising import PseudoLikelihood

WORDS = np.random.default_rng(3).integers(0, 2, (40, 4))
NAMES = ["anna", "bob", "c 3", "d"]
FRAME = pd.DataFrame(WORDS, columns=NAMES)
NUMBERED = ["0", "1", "2", "3"]
CHANNELS = ["101", "205", "37", "409"]
ARROW = FRAME.astype(bool).convert_dtypes(dtype_backend="pyarrow")


def text(frame, separator=",", **options):
    return lambda path: frame.to_csv(path, sep=separator, **{"index": False, **options})


def indexed(values, name=None):
    return FRAME.set_axis(pd.Index(values, name=name), axis=0)


def lines(*content):
    return lambda path: path.write_text("\n".join(content))


ROWS = [" ".join(map(str, row)) for row in WORDS]
SEMICOLONS = FRAME.to_csv(index=False, sep=";").strip().split("\n")
STYLES = {
    "header": ("w.csv", text(FRAME), NAMES),
    "no header": ("w.csv", text(FRAME, header=False), NUMBERED),
    "tabs": ("w.tsv", text(FRAME, "\t"), NAMES),
    "semicolons": ("w.csv", text(FRAME, ";"), NAMES),
    "blanks": ("w.txt", text(FRAME, " ", header=False), NUMBERED),
    "blanks and header": ("w.txt", text(FRAME.rename(columns={"c 3": "c3"}), " "), ["anna", "bob", "c3", "d"]),
    "commas in txt": ("w.txt", text(FRAME), NAMES),
    "all quoted": ("w.csv", text(FRAME, quoting=1), NAMES),
    "commented header": ("w.csv", text(FRAME.rename(columns={"anna": "# anna"})), NAMES),
    "byte order mark": ("w.csv", text(FRAME, encoding="utf-8-sig"), NAMES),
    "windows lines": ("w.csv", text(FRAME, lineterminator="\r\n"), NAMES),
    "signs": ("w.csv", text(2 * FRAME - 1), NAMES),
    "decimals": ("w.csv", text(FRAME.astype(float)), NAMES),
    "booleans": ("w.csv", text(FRAME.astype(bool)), NAMES),
    "decimal commas": ("w.csv", text(FRAME.astype(float), ";", decimal=","), NAMES),
    "decimal commas without header": ("w.csv", text(FRAME.astype(float), ";", decimal=",", header=False), NUMBERED),
    "decimal commas and tabs": ("w.tsv", text(FRAME.astype(float), "\t", decimal=","), NAMES),
    "comments": (
        "w.csv",
        lambda path: path.write_text(f"# of 2019\n# bins\n{FRAME.to_csv(index=False)}# end\n"),
        NAMES,
    ),
    "comments of NumPy": ("w.txt", lambda path: np.savetxt(path, WORDS, header="a note\na b c d"), list("abcd")),
    "commas and a comment of NumPy": (
        "w.csv",
        lambda path: np.savetxt(path, WORDS, "%d", ",", header="a b c d"),
        list("abcd"),
    ),
    "comments of MATLAB": ("w.txt", lines("% of 2019", "% bins", *ROWS), NUMBERED),
    "names in a comment of MATLAB": ("w.txt", lines("% anna bob c3 d", *ROWS), ["anna", "bob", "c3", "d"]),
    "comments of other programs": ("w.csv", lines("// of 2019", *FRAME.to_csv(index=False).split("\n")), NAMES),
    "a percent sign in a name": ("w.csv", text(FRAME.rename(columns={"anna": "% on"})), ["% on", *NAMES[1:]]),
    "the separator of Excel": ("w.csv", lines("sep=;", *FRAME.to_csv(index=False, sep=";").split("\n")), NAMES),
    "empty lines of Excel": ("w.csv", lines(*FRAME.to_csv(index=False).split("\n"), ",,,", ",,,"), NAMES),
    "marks at the end of lines": ("w.csv", lines(*(f"{line};" for line in SEMICOLONS)), NAMES),
    "marks at the end without header": ("w.csv", lines(*(f"{line};;" for line in SEMICOLONS[1:])), NUMBERED),
    "marks at the end of rows alone": ("w.csv", lines(SEMICOLONS[0], *(f"{line};" for line in SEMICOLONS[1:])), NAMES),
    "digits without marks": ("w.txt", lines(*(row.replace(" ", "") for row in ROWS)), NUMBERED),
    "an index out of order": ("w.csv", text(indexed(np.arange(40) * 7 % 40), index=True), NAMES),
    "large numbers as header": ("w.csv", text(FRAME.set_axis(CHANNELS, axis=1)), CHANNELS),
    "large numbers and an index": ("w.csv", text(FRAME.set_axis(CHANNELS, axis=1), index=True), CHANNELS),
    "votes": ("w.csv", text(FRAME.replace({0: "N", 1: "Y"})), NAMES),
    "votes without header": ("w.csv", text(FRAME.replace({0: "nay", 1: "yea"}), header=False), NUMBERED),
    "votes of years": ("w.csv", text(FRAME.replace({0: "No", 1: "Yes"}).set_axis(CHANNELS, axis=1)), CHANNELS),
    "parquet of votes": ("w.parquet", FRAME.replace({0: "No", 1: "Yes"}).to_parquet, NAMES),
    "parquet of booleans of pyarrow": ("w.parquet", ARROW.to_parquet, NAMES),
    "booleans without header": ("w.csv", text(FRAME.astype(bool), header=False), NUMBERED),
    "numbers as header": ("w.csv", text(FRAME.set_axis(range(4), axis=1)), NUMBERED),
    "numbers and an index": ("w.csv", text(FRAME.set_axis(range(4), axis=1), index=True), NUMBERED),
    "unnamed index": ("w.csv", text(FRAME, index=True), NAMES),
    "named times": ("w.csv", text(indexed(np.linspace(0.5, 9, 40), "time"), index=True), NAMES),
    "dates": ("w.csv", text(indexed(pd.date_range("2020-01-01", periods=40)), index=True), NAMES),
    "names of rows": ("w.csv", text(indexed([f"item {k}" for k in range(40)]), index=True), NAMES),
    "compressed": ("w.csv.gz", text(FRAME, compression={"method": "gzip", "mtime": 0}), NAMES),
    "parquet": ("w.parquet", FRAME.to_parquet, NAMES),
    "parquet without index": ("w.parquet", lambda path: FRAME.to_parquet(path, index=False), NAMES),
    "parquet with names of rows": ("w.parquet", indexed([f"r{k}" for k in range(40)]).to_parquet, NAMES),
    "parquet of booleans": ("w.parquet", FRAME.astype(bool).to_parquet, NAMES),
    "parquet of nullable integers": ("w.parquet", FRAME.astype("Int8").to_parquet, NAMES),
    "parquet with times": ("w.parquet", FRAME.assign(t=range(5, 45))[["t", *NAMES]].to_parquet, NAMES),
}
LEADING = {
    "numbers and an index",
    "large numbers and an index",
    "unnamed index",
    "named times",
    "dates",
    "names of rows",
    "parquet with times",
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_gives_the_same_words(tmp_path, style):
    name, write, names = STYLES[style]
    write(tmp_path / name)
    recording = read_recording(tmp_path / name)
    np.testing.assert_array_equal(recording.rows > 0, WORDS > 0)
    assert list(recording.names) == names
    np.testing.assert_array_equal(recording.time, np.arange(40))
    left_out = [remark for remark in recording.remarks if remark.startswith("column ")]
    assert bool(left_out) == (style in LEADING), recording.remarks


def test_the_header_of_r_lacks_the_name_of_the_first_column(tmp_path):
    rows = [f'"r{k}" ' + " ".join(map(str, row)) for k, row in enumerate(WORDS)]
    (tmp_path / "w.txt").write_text("\n".join(['"a" "b" "c" "d"', *rows]))
    recording = read_recording(tmp_path / "w.txt")
    np.testing.assert_array_equal(recording.rows > 0, WORDS > 0)
    assert recording.names == ("a", "b", "c", "d")


def test_columns_are_chosen_by_name(tmp_path):
    FRAME.to_csv(tmp_path / "w.csv")
    recording = read_recording(tmp_path / "w.csv", variables=["d", "anna"])
    np.testing.assert_array_equal(recording.rows > 0, WORDS[:, [3, 0]] > 0)


def test_a_transposed_table_is_read_when_said(tmp_path):
    FRAME.T.to_csv(tmp_path / "w.csv", header=False, index=False)
    np.testing.assert_array_equal(read_recording(tmp_path / "w.csv", transpose=True).rows > 0, WORDS > 0)


def test_names_of_rows_are_those_of_the_variables_of_a_transposed_table(tmp_path):
    FRAME.T.to_csv(tmp_path / "w.csv")
    recording = read_recording(tmp_path / "w.csv", transpose=True)
    assert list(recording.names) == NAMES
    np.testing.assert_array_equal(recording.rows > 0, WORDS > 0)


def test_a_first_column_of_zeros_and_ones_is_a_variable_even_if_it_rises(tmp_path):
    words = np.vstack([[0, 1], [1, 0]] * 2)[:2]
    np.savetxt(tmp_path / "w.csv", words, delimiter=",", fmt="%d", header="a,b", comments="")
    assert read_recording(tmp_path / "w.csv", variables=[0]).rows.tolist() == [[-1], [1]]


@given(st.integers(0, 2**31), st.booleans(), st.booleans(), st.sampled_from([",", ";", "\t"]))
def test_any_table_that_pandas_writes_comes_back(tmp_path_factory, seed, header, index, separator):
    random = np.random.default_rng(seed)
    words = random.integers(0, 2, (random.integers(20, 40), random.integers(3, 7)))
    path = tmp_path_factory.mktemp("tables") / "w.csv"
    pd.DataFrame(words).add_prefix("x").to_csv(path, sep=separator, header=header, index=index)
    recording = read_recording(path, drop_unusable=True)
    np.testing.assert_array_equal(recording.rows > 0, words[:, recording.variables] > 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a,b", True),
        ("0,1", False),
        ("0,1,2", True),
        ("1,2,3", True),
        (",0,1", True),
        ("1,0,1", False),
        ("a,1", False),
        ("", False),
        ("true,false", False),
        ("nan,x", False),
    ],
)
def test_headers(line, expected):
    assert is_header(line.split(",")) == expected


def test_delimiters():
    assert find_delimiter("1 0", ".txt") == r"\s+"
    assert find_delimiter("1;0", ".csv") == ";"
    assert find_delimiter("1", ".csv") == ","
    assert find_delimiter("a,b", ".tsv") == "\t"


def test_columns_without_a_name_are_called_by_their_number():
    assert column_names(["# a", "", ' "c" '], 3) == ["a", "1", "c"]
    assert column_names(None, 2) == ["0", "1"]


def test_gzip_made_elsewhere_is_read(tmp_path):
    rows = "\n".join(",".join(map(str, row)) for row in WORDS)
    (tmp_path / "w.csv.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))
    np.testing.assert_array_equal(read_recording(tmp_path / "w.csv.gz").rows > 0, WORDS > 0)


def test_votes_that_are_missing_are_missing(tmp_path):
    votes = FRAME.replace({0: "n", 1: "y"})
    votes.iloc[0] = ["?", "absent", None, "Not Voting"]
    votes.to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(DataError, match="got nothing or NaN in row 1, column anna: fill such entries"):
        read_recording(tmp_path / "w.csv")
    recording = read_recording(tmp_path / "w.csv", allow_missing=True)
    np.testing.assert_array_equal(recording.rows[1:], 2 * WORDS[1:] - 1)
    assert not recording.rows[0].any()
    read = "words were read as numbers: y as 1, n as 0, ?, Not Voting, absent were taken as missing"
    assert recording.remarks[0] == read


def test_missing_entries_among_numbers_and_booleans_are_missing(tmp_path):
    for entries in ({0: "FALSE", 1: "TRUE"}, {0: "0", 1: "1"}, {0: "-1", 1: "1"}):
        for absent in ("NA", "absent", "-"):
            values = FRAME.replace(entries).mask(np.eye(40, 4) == 1, absent)
            values.to_csv(tmp_path / "w.csv", index=False)
            recording = read_recording(tmp_path / "w.csv", allow_missing=True)
            np.testing.assert_array_equal(recording.rows, (2 * WORDS - 1) * (np.eye(40, 4) != 1))


def test_a_party_beside_the_votes_is_named(tmp_path):
    votes = FRAME.replace({0: "n", 1: "y"})
    votes.insert(0, "party", ["red", "green"] * 20)
    for header in (False, True):
        votes.to_csv(tmp_path / "w.csv", index=False, header=header)
        name = "party" if header else "0"
        with pytest.raises(DataError, match=f"got 'red' in row 1, column {name}: .*or delete that column"):
            read_recording(tmp_path / "w.csv")


COUNTED = FRAME.value_counts()
"""Counts of the different rows, most frequent first."""


@pytest.mark.parametrize("name", ["count", "Freq", "n", "multiplicity"])
def test_a_column_of_counts_repeats_the_rows(tmp_path, name):
    COUNTED.rename(name).reset_index().to_csv(tmp_path / "w.csv", index=False)
    check_counted(read_recording(tmp_path / "w.csv"), NAMES, name)


@pytest.mark.parametrize(
    ("style", "remark"),
    [
        ("comments of MATLAB", "2 lines of comments above the rows were left out"),
        ("empty lines of Excel", "2 lines without entries at the end were left out"),
        ("marks at the end of lines", "1 columns at the end without name and entries were left out"),
        ("digits without marks", "every digit was taken for an entry, as there is nothing between them"),
        ("an index out of order", "the first column, without a name, holds another whole number in every row"),
    ],
)
def test_lines_and_columns_that_are_left_out_are_told(tmp_path, style, remark):
    name, write, _ = STYLES[style]
    write(tmp_path / name)
    assert remark in "".join(read_recording(tmp_path / name).remarks)


def test_present_and_absent_are_1_and_0_unless_somebody_votes(tmp_path):
    FRAME.replace({0: "absent", 1: "Present"}).to_csv(tmp_path / "w.csv", index=False)
    recording = read_recording(tmp_path / "w.csv")
    np.testing.assert_array_equal(recording.rows > 0, WORDS > 0)
    assert "words were read as numbers: Present as 1, absent as 0" in recording.remarks
    votes = FRAME.replace({0: "no", 1: "yes"}).assign(d=["absent", "present"] * 20)
    votes.to_csv(tmp_path / "w.csv", index=False)
    recording = read_recording(tmp_path / "w.csv", allow_missing=True, drop_unusable=True)
    assert list(recording.names) == NAMES[:3]
    assert any("absent, present were taken as missing" in remark for remark in recording.remarks)


@pytest.mark.parametrize("content", ["01\n0\n", "011\n102\n", "01,1\n11,0\n", "10\n11\n100\n"])
def test_digits_of_other_lines_are_numbers(content):
    assert adjoining_entries(content.encode()) is None


@pytest.mark.parametrize("end", ['""\n', '""', '""\n""\n'])
def test_missing_entries_at_the_end_of_one_column_stay(tmp_path, end):
    (tmp_path / "w.csv").write_text(f"a\n1\n0\n{end}")
    assert len(read_recording(tmp_path / "w.csv", allow_missing=True).rows) == 2 + end.count('""')


def test_missing_entries_at_the_end_of_the_last_row_stay(tmp_path):
    (tmp_path / "w.csv").write_text("a,b,c\n1,0,1\n0,1,1\n1,1,0\n0,,\n")
    recording = read_recording(tmp_path / "w.csv", allow_missing=True)
    assert recording.rows[-1].tolist() == [-1, 0, 0]


def test_a_first_column_of_counts_without_a_name_repeats_the_rows(tmp_path):
    frame = 2 * FRAME - 1
    frame.value_counts().rename("k").reset_index()[["k", *NAMES]].to_csv(tmp_path / "w.csv", index=False, header=False)
    check_counted(read_recording(tmp_path / "w.csv"), NUMBERED, "0")


@pytest.mark.parametrize("label", [np.arange(len(COUNTED)), [f"word {k}" for k in range(len(COUNTED))]])
def test_counts_stand_beside_an_index_or_names_of_the_rows(tmp_path, label):
    frame = COUNTED.rename("count").reset_index()
    frame.insert(0, "label", label)
    frame.to_csv(tmp_path / "w.csv", index=False)
    check_counted(read_recording(tmp_path / "w.csv"), NAMES, "count")


@pytest.mark.parametrize(("step", "rows"), [(1, 16), (2, 256)])
def test_a_first_column_that_is_headed_n_is_an_index_if_it_counts_the_rows(tmp_path, step, rows):
    frame = pd.DataFrame(np.indices((2, 2, 2, 2)).reshape(4, 16).T, columns=NAMES)
    frame.insert(0, "n", 1 + step * np.arange(16))
    frame.to_csv(tmp_path / "w.csv", index=False)
    assert len(read_recording(tmp_path / "w.csv").rows) == rows


def test_counted_rows_are_not_transposed(tmp_path):
    COUNTED.rename("count").reset_index().to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(DataError, match="expected no `transpose`, as the file says which are its variables"):
        read_recording(tmp_path / "w.csv", transpose=True)


def test_a_parquet_table_may_have_a_name_twice(tmp_path):
    columns = [pyarrow.array(column) for column in WORDS.T]
    pyarrow.parquet.write_table(pyarrow.table(columns, names=["a", "a", "b", "c"]), tmp_path / "w.parquet")
    recording = read_recording(tmp_path / "w.parquet")
    assert recording.names == ("a", "a", "b", "c")
    assert "names that several variables have: a" in recording.remarks


def check_counted(recording, names, column):
    assert list(recording.names) == names
    found = pd.DataFrame(recording.rows > 0, columns=NAMES).astype(int)
    assert sorted(map(tuple, found.to_numpy())) == sorted(map(tuple, WORDS))
    np.testing.assert_array_equal(recording.repeat, np.arange(40))
    assert not recording.time.any()
    seen = f"number of times that each row was seen: {len(COUNTED)} rows of the file, 40 in all, put in random order"
    assert f"column {column} was taken as the {seen}" in recording.remarks


def test_blocks_of_counted_rows_are_no_copies_of_one_row(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(1).integers(0, 2, (64, 3)), columns=list("abc"))
    frame.value_counts().rename("n").reset_index().to_csv(tmp_path / "w.csv", index=False)
    rows = read_recording(tmp_path / "w.csv").rows
    assert len(np.unique(rows[:16], axis=0)) > 4  # of 8, each of which is seen about 8 times
    changes = (rows[1:] != rows[:-1]).any(axis=1).mean()
    assert changes > 0.7


@pytest.mark.filterwarnings("ignore:PseudoLikelihood seems to predict")
def test_counted_rows_lead_where_their_weights_do(tmp_path):
    COUNTED.rename("count").reset_index().to_csv(tmp_path / "w.csv", index=False)
    recording = read_recording(tmp_path / "w.csv")
    known, counts = 2 * np.array(COUNTED.index.tolist()) - 1, COUNTED.to_numpy()
    for model in (PseudoLikelihood(), Independent(), ChowLiuTree()):
        repeated, weighted = clone(model).fit(recording), clone(model).fit(known, sample_weight=counts)
        np.testing.assert_allclose(repeated.score(known), weighted.score(known), rtol=1e-9)


def test_counts_of_repeated_rows_without_a_name_are_no_counts(tmp_path):
    ages = FRAME.copy()
    ages.insert(0, "age", np.arange(40) * 7 % 11 + 20)
    ages.to_csv(tmp_path / "w.csv", index=False, header=False)
    with pytest.raises(DataError, match=r"expected entries 0 and 1 .*first in row 1, column 0"):
        read_recording(tmp_path / "w.csv")


def test_counts_that_are_no_whole_numbers_are_refused(tmp_path):
    FRAME.assign(count=np.arange(40) / 2 + 1).to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(DataError, match=r"expected whole numbers in column count, .* got 1\.5: multiply them by"):
        read_recording(tmp_path / "w.csv")


@pytest.mark.parametrize("first", ["NA,,nan", ",,", '"","",""'])
def test_a_first_row_of_missing_entries_is_no_header(tmp_path, first):
    (tmp_path / "w.csv").write_text(f"{first}\n1,0,1\n0,1,1\n1,1,0\n0,0,1\n")
    recording = read_recording(tmp_path / "w.csv", allow_missing=True)
    assert recording.rows.shape == (5, 3)
    assert not recording.rows[0].any()


def test_a_blank_line_of_one_column_is_asked_about(tmp_path):
    (tmp_path / "w.csv").write_text("a\n1\n\n0\n1\n")
    with pytest.raises(DataError, match="got line 3 without: write NA into it, or delete it"):
        read_recording(tmp_path / "w.csv")


def test_a_compressed_table_is_bounded_by_what_it_unpacks_to(tmp_path, monkeypatch):
    (tmp_path / "w.csv.gz").write_bytes(gzip.compress(b"0,1,1\n" * 10_000))
    monkeypatch.setattr(files, "available_memory", lambda: 16 * 59_000)
    with pytest.raises(DataError, match=r"unpacked it exceeds the 5\.9e-05 GB that the memory available allows"):
        read_recording(tmp_path / "w.csv.gz")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_name_of_several_lines_in_quotes_is_one_name(tmp_path, end):
    path = tmp_path / "words.csv"
    path.write_bytes(end.join(['"left', 'side","5"" probe",c', "1,0,1", "0,1,1", "1,1,0", "0,0,0"]).encode())
    recording = read_recording(path)
    assert recording.names == ("left side", '5" probe', "c")
    assert recording.rows.shape == (4, 3)
    assert "line breaks in names of columns were taken for blanks" in recording.remarks
