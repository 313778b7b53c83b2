"""Spike words: one meaning for every accepted raster, refusals that name the cause, and splits that part the rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import Recording, make_recording, read_recording
from vae_mf.datasets.splits import check_varying, split_rows

REPEATS, CELLS, BINS = 4, 5, 30


@pytest.fixture(scope="module")
def raster():
    rates = np.array([0.2, 0.5, 0.3, 0.5, 0.1])
    return (np.random.default_rng(3).random((REPEATS, CELLS, BINS)) < rates[None, :, None]).astype(np.uint8)


@pytest.fixture(scope="module")
def recording(raster):
    return make_recording(raster)


def test_rows_are_ordered_by_repeat_then_time(raster, recording):
    assert recording.rows.shape == (REPEATS * BINS, CELLS)
    for row in (0, 1, BINS, 2 * BINS + 7, REPEATS * BINS - 1):
        word = raster[recording.repeat[row], :, recording.time[row]]
        np.testing.assert_array_equal(recording.rows[row], 2 * word.astype(int) - 1)
    np.testing.assert_array_equal(recording.repeat * BINS + recording.time, np.arange(REPEATS * BINS))


def test_two_dimensions_are_bins_by_cells(raster):
    recording = make_recording(raster[0].T)
    np.testing.assert_array_equal(recording.rows > 0, raster[0].T)
    np.testing.assert_array_equal(recording.repeat, np.zeros(BINS))
    np.testing.assert_array_equal(recording.time, np.arange(BINS))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, np.float64])
def test_dtype_and_sign_convention_do_not_matter(raster, recording, dtype):
    np.testing.assert_array_equal(make_recording(raster.astype(dtype)).rows, recording.rows)
    if dtype is not bool:
        np.testing.assert_array_equal(make_recording(2 * raster.astype(dtype) - 1).rows, recording.rows)
    assert recording.rows.dtype == np.int8


FORMS = {
    "list": np.ndarray.tolist,
    "objects": lambda rows: rows.astype(object),
    "table": pd.DataFrame,
    "mixed table": lambda rows: pd.DataFrame(rows).astype({0: bool, 1: float}),
    "sparse matrix": sparse.csr_matrix,
    "sparse table": lambda rows: pd.DataFrame(rows).astype(pd.SparseDtype("int8", 0)),
    "tensor": torch.as_tensor,
    "tensor with gradients": lambda rows: torch.as_tensor(rows).double().requires_grad_(),
    "recording": lambda rows: make_recording(rows),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rows_in_any_form_are_the_same_recording(form):
    rows = np.random.default_rng(3).integers(0, 2, (60, 4)).astype(np.int8)
    expected = make_recording(rows)
    made = make_recording(form(rows))
    np.testing.assert_array_equal(made.rows, expected.rows)
    assert (made.names, made.source) == (expected.names, expected.source)
    np.testing.assert_array_equal(np.asarray(made), expected.rows)
    assert repr(made) == "Recording(array of shape (60, 4); 60 rows of 4 variables)"


def test_a_table_names_its_variables_and_so_does_a_turned_one():
    rows = np.random.default_rng(3).integers(0, 2, (60, 3))
    table = pd.DataFrame(rows, columns=["a", "b", 7])
    assert make_recording(table).names == ("a", "b", "7")
    assert make_recording(table.T, transpose=True).names == ("a", "b", "7")
    assert make_recording(rows.T, names=["x", "y", "z"], transpose=True).names == ("x", "y", "z")
    assert make_recording(table, names=["x", "y", "z"]).names == ("x", "y", "z")
    with pytest.raises(DataError, match="first in row 1, column b: turn them"):
        make_recording(table.assign(b=2.5))


class ForeignTable:
    """A table as other libraries have it, such as Polars: names of columns, none of rows."""

    columns = ("a", "b", "c")

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_a_name_of_several_variables_is_told():
    words = np.random.default_rng(6).integers(0, 2, (60, 4))
    assert "names that several variables have: a" in make_recording(words, names=["a", "b", "a", "c"]).remarks


def test_a_table_of_another_library_names_its_variables():
    rows = np.random.default_rng(3).integers(0, 2, (60, 3))
    assert make_recording(ForeignTable(rows)).names == ("a", "b", "c")
    assert make_recording(ForeignTable(rows.T), transpose=True).names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_recording("spikes.npy"), "raster: expected an array, got 'spikes.npy': read the file first"),
        (lambda: make_recording([[0, 1], [1]]), "raster: expected rows of one length"),
        (
            lambda: make_recording(np.eye(3), names="abc"),
            "names: expected a list with one for each variable, got 'abc'",
        ),
        (lambda: make_recording(np.eye(3), transpose="no"), "transpose: expected True or False, got 'no'"),
        (lambda: make_recording(np.eye(3), drop_unusable=1), "drop_unusable: expected True or False, got 1"),
        (lambda: read_recording(np.eye(3)), "path: expected a path, got .*; make_recording takes arrays"),
        (lambda: read_recording(None), "path: expected a path, got None"),
    ],
)
def test_other_arguments_are_refused(call, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        call()


def test_reading_a_file_is_reading_its_array(tmp_path, raster, recording):
    np.savez(tmp_path / "a.npz", spikes=raster, other=raster)
    read = read_recording(tmp_path / "a.npz", variables=[4, 0], array="spikes")
    np.testing.assert_array_equal(read.rows, recording.rows[:, [4, 0]])
    np.testing.assert_array_equal(read.variables, [4, 0])


def test_most_active_cells_come_by_rate_and_ties_by_index():
    raster = np.array([[1, 0, 1, 0, 1], [0, 1, 1, 0, 1], [0, 0, 0, 1, 1], [0, 0, 1, 0, 0]])
    np.testing.assert_array_equal(make_recording(raster, variables=1).variables, [2])
    np.testing.assert_array_equal(make_recording(raster, variables=4).variables, [2, 4, 0, 1])
    np.testing.assert_array_equal(make_recording(raster, variables=4).rows > 0, raster[:, [2, 4, 0, 1]])


def test_many_tied_cells_come_by_index():
    np.testing.assert_array_equal(make_recording(np.eye(100), variables=30).variables, np.arange(30))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("most", "expected \"all\", a number or a list of indices or names, got 'most'"),
        (6, "expected at most the 5 variables of the recording, got 6"),
        (0, "expected an integer >= 1, got 0"),
        (2.5, "expected an integer >= 1, got 2.5"),
        (None, "expected an integer >= 1, got None"),
        ([0, 5], r"expected different indices from 0 to 4, got \[0, 5\]"),
        ([0, 2, 0], r"expected different indices from 0 to 4, got \[0, 2, 0\]"),
        ([], r"expected different indices from 0 to 4, got \[\]"),
        ([-1], "expected an integer >= 0, got -1"),
        ([True, False], "expected an integer >= 0, got True"),
    ],
)
def test_cells_that_do_not_fit_are_refused(raster, cells, expected):
    with pytest.raises(ValueError, match=f"variables: {expected}"):
        make_recording(raster, cells)


@pytest.mark.parametrize(
    ("raster", "expected"),
    [
        (np.array([[0, 1], [3, 2]]), r"expected entries 0 and 1 or -1 and \+1, got values such as \[0, 1, 2, 3\]"),
        (np.array([[0, 1], [-1, 1]]), r"got values such as \[-1, 0, 1\]"),
        (np.array([[0.0, 1.0], [0.5, 1.0]]), r"got values such as \[0, 0.5, 1\]"),
        (np.array([[0, 2], [2, 0]], dtype=np.uint8), r"got values such as \[0, 2\]"),
        (np.array([[0, 255], [1, 1]], dtype=np.uint8), r"got values such as \[0, 1, 255\]"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "got nothing or NaN in row 2, column 0: fill such entries"),
        (np.array([[0.0, 1.0], [np.inf, 1.0]]), "got values that are not finite"),
        (np.zeros((0, 3)), r"expected at least one variable and one row, got shape \(0, 3\)"),
        (np.zeros((2, 3, 0)), r"expected at least one variable and one row, got shape \(2, 3, 0\)"),
        (np.zeros(4), r"expected \(repeats, variables, bins\) or \(rows, variables\), got shape \(4,\)"),
        (
            np.zeros((1, 2, 3, 4)),
            r"expected \(repeats, variables, bins\) or \(rows, variables\), got shape \(1, 2, 3, 4\)",
        ),
    ],
)
def test_rasters_that_are_no_words_are_refused(raster, expected):
    with pytest.raises(ValueError, match=f"raster: .*{expected}"):
        make_recording(raster)


def test_constant_and_repeated_cells_are_named_by_their_index_in_the_file():
    raster = np.array([[0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 0, 1]])
    with pytest.raises(DataError, match=r"got 3 that never change \(4, 3, 0\): set `drop_unusable`"):
        make_recording(raster, variables=[4, 2, 3, 0])
    with pytest.raises(DataError, match=r"got 1 that repeat another one or its opposite \(2\): "):
        make_recording(np.hstack([raster[:, 1:2], raster[:, 5:], 1 - raster[:, 1:2]]))
    np.testing.assert_array_equal(make_recording(raster, variables=[2]).variables, [2])


def test_unusable_cells_are_left_out_when_asked_and_told():
    raster = np.array([[0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    recording = make_recording(np.hstack([raster, 1 - raster]), names=list("abcdefgh"), drop_unusable=True)
    assert recording.names == ("b", "c", "d")
    np.testing.assert_array_equal(recording.rows > 0, raster[:, 1:])
    told = [remark.partition(" and were left out: ") for remark in recording.remarks]
    assert ("2 variables never change", "a, e") in [(what, which) for what, _, which in told]
    assert ("3 variables repeat another one or its opposite", "f, g, h") in [(what, which) for what, _, which in told]


def test_cells_by_name_come_in_the_order_asked(raster):
    recording = make_recording(raster, ["on", "c"], names=["a", "on", "b", "c", "off"])
    np.testing.assert_array_equal(recording.variables, [1, 3])
    assert recording.names == ("on", "c")
    with pytest.raises(ValueError, match="variables: expected names that the file has once, such as 'on', got 'onn'"):
        make_recording(raster, ["onn"], names=["a", "on", "b", "c", "off"])


def test_transposed_rasters_are_the_same_recording(raster, recording):
    np.testing.assert_array_equal(make_recording(raster.swapaxes(1, 2), transpose=True).rows, recording.rows)
    flat = raster[0].T
    np.testing.assert_array_equal(make_recording(flat.T, transpose=True).rows, make_recording(flat).rows)


def test_probable_transposition_is_told(raster):
    with pytest.raises(DataError, match="got 5 rows of 30 variables: set `transpose` if the variables are the rows"):
        make_recording(raster[0])
    turned = make_recording(np.random.default_rng(0).integers(0, 2, (100, 30, 20)))
    assert any("each repeat has more variables (30) than bins (20)" in remark for remark in turned.remarks)


def test_few_rows_are_told(raster):
    recording = make_recording(1 - raster[0].T)
    assert any("30 rows are few for 5 variables" in remark for remark in recording.remarks)
    assert make_recording(raster).remarks == ()


def test_a_cell_constant_in_the_training_part_is_named(raster):
    quiet = raster.copy()
    quiet[:, 2, : BINS - 3] = 0
    quiet[:, 2, BINS - 3 :] = 1
    recording = make_recording(quiet, variables=[3, 2])
    with pytest.raises(ValueError, match=r"in the training part, got always silent: \[2\]"):
        split_rows(recording, "time", test=0.1, validation=0.1)


def test_check_varying_accepts_cells_that_vary():
    check_varying(np.array([[-1, 1], [1, -1]], dtype=np.int8), np.array([7, 9]))


def parted(recording: Recording, split) -> bool:
    return np.array_equal(np.sort(np.concatenate(split)), np.arange(len(recording.rows)))


@pytest.mark.parametrize("split", ["random", "time", "repeat"])
def test_parts_are_disjoint_complete_ascending_and_reproducible(recording, split):
    first, second = (split_rows(recording, split, test=0.25, validation=0.25, seed=5) for _ in range(2))
    assert parted(recording, first)
    for rows, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(rows, again)
        assert (np.diff(rows) > 0).all()


def test_random_parts_depend_on_the_seed_and_only_they_do(recording):
    def test_rows(split, seed):
        return split_rows(recording, split, test=0.25, validation=0.25, seed=seed).test.tolist()

    assert test_rows("random", 0) != test_rows("random", 1)
    assert test_rows("time", 0) == test_rows("time", 1)


@given(bins=st.integers(100, 400), test=st.floats(0.05, 0.4), validation=st.floats(0.05, 0.4))
def test_random_parts_have_the_asked_sizes(bins, test, validation):
    recording = make_recording(np.random.default_rng(bins).integers(0, 2, (bins, 2)))
    split = split_rows(recording, "random", test, validation)
    assert parted(recording, split)
    assert (len(split.test), len(split.validation)) == (round(bins * test), round(bins * validation))


def test_time_split_holds_out_the_same_end_of_the_movie_in_every_repeat(recording):
    split = split_rows(recording, "time", test=0.2, validation=0.1)
    expected = {"train": range(21), "validation": range(21, 24), "test": range(24, 30)}
    for name, times in expected.items():
        rows = getattr(split, name)
        assert set(recording.time[rows]) == set(times)
        assert len(rows) == REPEATS * len(times)


def test_time_split_of_one_repeat_is_contiguous(raster):
    split = split_rows(make_recording(raster[0].T), "time", test=0.2, validation=0.1)
    np.testing.assert_array_equal(np.concatenate(split), np.arange(BINS))


def test_repeat_split_holds_out_the_last_repeats(recording):
    split = split_rows(recording, "repeat", test=0.25, validation=0.25)
    assert set(recording.repeat[split.test]) == {3}
    assert set(recording.repeat[split.validation]) == {2}
    assert set(recording.repeat[split.train]) == {0, 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"split": "cells"}, "split: expected one of random, time, repeat, got 'cells'"),
        ({"test": 0}, "test: expected a number between 0 and 1, got 0"),
        ({"validation": 1.0}, "validation: expected a number between 0 and 1, got 1.0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        (
            {"test": 0.5, "validation": 0.5},
            "random with too few rows: train 0, validation 60, test 60 of 120",
        ),
        ({"test": 0.9, "validation": 0.9}, "random with too few rows: train -96"),
        (
            {"split": "time", "test": 0.01},
            "expected random, got time with too few movie times: train 27, validation 3, test 0 of 30",
        ),
        (
            {"split": "repeat"},
            "expected random or time, got repeat with too few repeats: train 4, validation 0, test 0 of 4",
        ),
    ],
)
def test_splits_that_cannot_be_made_are_refused(recording, arguments, expected):
    with pytest.raises(ValueError, match=expected):
        split_rows(recording, **arguments)


def test_missing_entries_pass_where_they_are_allowed(tmp_path):
    words = np.random.default_rng(5).integers(0, 2, (60, 4)).astype(float)
    words[3, 1] = words[:6, 2] = np.nan
    expected = np.nan_to_num(2 * words - 1).astype(np.int8)
    np.save(tmp_path / "words.npy", words)
    frame = pd.DataFrame(words, columns=list("abcd"))
    frame.to_csv(tmp_path / "words.csv", index=False)
    frame.replace({1.0: "TRUE", 0.0: "FALSE"}).to_csv(tmp_path / "truth.csv", index=False)
    frame.astype("boolean").to_parquet(tmp_path / "words.parquet")
    pd.DataFrame(2 * words - 1).to_csv(tmp_path / "spins.csv", index=False, na_rep="NA")
    for name in ("words.npy", "words.csv", "truth.csv", "words.parquet", "spins.csv"):
        found = read_recording(tmp_path / name, allow_missing=True)
        np.testing.assert_array_equal(found.rows, expected)
        assert "2.92% of the entries are missing" in found.remarks
        with pytest.raises(DataError, match=r"got nothing or NaN in row [14], column [b12c]"):
            read_recording(tmp_path / name)
    # A variable's rate of activity is that among the entries that were seen.
    words[:40, 0] = np.nan
    words[40:, 0] = np.arange(20) > 0
    np.save(tmp_path / "words.npy", words)
    assert read_recording(tmp_path / "words.npy", 1, allow_missing=True).variables.tolist() == [0]
    # Columns that differ only in what is missing are two variables; a variable of one value and gaps is constant.
    words[:, 3] = words[:, 1]
    words[10, 3] = np.nan
    words[:, 0] = np.where(np.arange(60) % 3 > 0, 1, np.nan)
    np.save(tmp_path / "words.npy", words)
    found = read_recording(tmp_path / "words.npy", allow_missing=True, drop_unusable=True)
    assert found.variables.tolist() == [1, 2, 3]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "dat", "asc"])
@pytest.mark.parametrize("format", ["%d", "%.18e"])
def test_blanks_between_numbers_are_read_under_any_name(tmp_path, suffix, format):
    words = np.random.default_rng(6).integers(0, 2, (60, 4))
    np.savetxt(tmp_path / f"words.{suffix}", words, fmt=format)
    np.testing.assert_array_equal(read_recording(tmp_path / f"words.{suffix}").rows, 2 * words - 1)


def test_a_value_close_to_one_is_shown_as_it_is():
    with pytest.raises(DataError, match=r"got values such as \[0, 0.99999999\]"):
        make_recording([[0, 1 - 1e-8], [1 - 1e-8, 0]])


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_lie_one_after_the_other_whatever_the_order_of_the_raster(order):
    raster = np.asarray(np.random.default_rng(2).integers(0, 2, (60, 5)), order=order)
    rows = make_recording(raster).rows
    assert rows.flags.c_contiguous
    assert not np.shares_memory(rows, raster)
    np.testing.assert_array_equal(rows, 2 * raster - 1)
