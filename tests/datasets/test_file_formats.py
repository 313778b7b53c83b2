"""Each file format gives back the array that was written, and says in one line what is wrong with a bad file."""

import gzip
import json
import re
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.io
import zarr
from scipy import sparse

from vae_mf.datasets.file_formats import known_suffixes, read_array
from vae_mf.datasets.files import DataError
from vae_mf.datasets.foreign_formats import FOREIGN
from vae_mf.datasets.readers import tables
from vae_mf.datasets.recording import read_recording

TABLE = np.array([[0, 1, 1, 0], [1, 0, 1, 1], [0, 0, 1, 0]])
ROWS = np.random.default_rng(7).integers(0, 2, (60, 4)).astype(np.uint8)
CUBE = np.random.default_rng(1).integers(0, 2, (2, 3, 4)).astype(np.uint8)


def save_npz(path, **arrays):
    np.savez(path, **arrays)


def save_mat(path, **arrays):
    scipy.io.savemat(path, arrays)


def save_mat73(path, **arrays):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def save_zarr(path, **arrays):
    group = zarr.open_group(path, mode="w")
    for name, array in arrays.items():
        group.create_array(name, data=array)


CONTAINERS = {"a.npz": save_npz, "b.mat": save_mat, "c.mat": save_mat73, "d.zarr": save_zarr}


@pytest.fixture(params=CONTAINERS, ids=["npz", "mat v5", "mat v7.3", "zarr"])
def container(request, tmp_path):
    """Return a function that writes named arrays and returns the file's path."""

    def write(**arrays):
        path = tmp_path / request.param
        CONTAINERS[request.param](path, **arrays)
        return path

    return write


def message(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("array", [TABLE, CUBE, CUBE > 0, CUBE / 3], ids=["int", "uint8", "bool", "float"])
def test_container_returns_its_only_table(container, array):
    read = read_array(container(spikes=array))
    np.testing.assert_array_equal(read, array)


def test_container_returns_the_named_array(container):
    path = container(spikes=CUBE, other=TABLE)
    np.testing.assert_array_equal(read_array(path, "spikes"), CUBE)
    np.testing.assert_array_equal(read_array(path, array="other"), TABLE)


def test_scalars_and_vectors_are_no_candidates(container):
    path = container(rate=np.array([[50.0]]), names=np.arange(5.0)[None], spikes=CUBE)
    np.testing.assert_array_equal(read_array(path), CUBE)


def test_container_lists_its_arrays_when_the_choice_is_open(container):
    path = container(spikes=CUBE, other=TABLE)
    with pytest.raises(ValueError, match="exactly one array of two or more dimensions") as error:
        read_array(path)
    assert "spikes (2, 3, 4)" in message(error)
    assert "other (3, 4)" in message(error)


def test_container_lists_its_arrays_when_the_name_is_unknown(container):
    with pytest.raises(ValueError, match="got 'words'") as error:
        read_array(container(spikes=CUBE), "words")
    assert "spikes (2, 3, 4)" in message(error)


def test_npz_skips_pickled_members(tmp_path):
    np.savez(tmp_path / "a.npz", spikes=CUBE, labels=np.array([[{}, {}], [{}, {}]]))
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz"), CUBE)
    with pytest.raises(ValueError, match="expected numbers, got Python objects"):
        read_array(tmp_path / "a.npz", "labels")


def test_mat_skips_text_and_structs_and_fills_sparse_arrays(tmp_path):
    content = {"spikes": sparse.csc_matrix(TABLE.astype(float)), "text": ["ab", "cd"], "info": {"rate": TABLE}}
    scipy.io.savemat(tmp_path / "a.mat", content)
    np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), TABLE)


def test_mat73_without_matlab_block(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["spikes"] = CUBE.T
        file.create_group("#refs#")
    np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), CUBE)


def test_zarr_reads_nested_arrays_by_path(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_group("day").create_array("spikes", data=CUBE)
    np.testing.assert_array_equal(read_array(tmp_path / "a.zarr", "day/spikes"), CUBE)
    np.testing.assert_array_equal(read_array(tmp_path / "a.zarr"), CUBE)


def write_npy(path):
    # An open file, as np.save would append .npy to a name in capitals.
    with path.open("wb") as file:
        np.save(file, TABLE)


def write_zarr_array(path):
    zarr.save_array(path, TABLE)


def write_csv(path):
    np.savetxt(path, TABLE, delimiter=",", fmt="%d")


UNNAMED = {"a.npy": write_npy, "A.NPY": write_npy, "a.zarr": write_zarr_array, "a.csv": write_csv}


@pytest.mark.parametrize("name", UNNAMED)
def test_single_array_files(tmp_path, name):
    UNNAMED[name](tmp_path / name)
    np.testing.assert_array_equal(read_array(str(tmp_path / name)), TABLE)
    with pytest.raises(ValueError, match=r"expected no `array`.*got 'spikes'"):
        read_array(tmp_path / name, "spikes")


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("header", [[], ["a", "b", "c", "d"], ['"cell 1"', "", "c3", "d"], ["# a", "b", "c", "d"]])
@pytest.mark.parametrize("quote", ["", '"'])
def test_text_with_and_without_header(tmp_path, suffix, delimiter, header, quote):
    lines = [delimiter.join(header)] if header else []
    lines += [delimiter.join(f"{quote}{entry}{quote}" for entry in row) for row in TABLE]
    path = tmp_path / f"a.{suffix}"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    np.testing.assert_array_equal(read_array(path), TABLE)


def test_text_of_one_column_or_row_keeps_two_dimensions(tmp_path):
    (tmp_path / "column.csv").write_text("cell\n1\n0\n1\n")
    (tmp_path / "row.csv").write_text("1,0,1\n")
    assert read_array(tmp_path / "column.csv").shape == (3, 1)
    assert read_array(tmp_path / "row.csv").shape == (1, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,0\n1\n", "got nothing or NaN in row 2, column b"),
        ("1,0\n1,\n", "got nothing or NaN in row 2, column 1"),
        ("1,x\n1,0\n", "got 'x' in row 1, column 1"),
        ("a,b\nc,d\n1,0\n", "got a row of words in row 1: delete that row"),
        ("a,b\n", "expected rows of numbers, found none"),
        ("\n\n", "expected rows of numbers, found none"),
        ("1,0\n1,0,1\n", "all of one length: line 2 has 3 entries, those before it 2"),
    ],
    ids=["ragged", "missing", "stray word", "two headers", "header only", "empty", "long line"],
)
def test_bad_text_is_refused(tmp_path, text, expected):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_array(path)
    assert expected in message(error)
    assert message(error).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", ["npy", "npz", "mat", "zarr"])
@pytest.mark.parametrize("content", [b"", b"not an array " * 50], ids=["empty", "garbage"])
def test_unreadable_files_are_refused_by_path(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.{suffix}: ") as error:
        read_array(path)
    assert message(error).startswith(f"{path}: ")


def test_pickles_and_text_arrays_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="expected numbers, got Python objects"):
        read_array(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([["x"]]))
    with pytest.raises(ValueError, match="expected numbers, got text"):
        read_array(tmp_path / "a.npy")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.npy: expected a file or folder, found nothing"):
        read_array(tmp_path / "a.npy")


def test_a_format_of_another_program_is_refused_by_its_name(tmp_path):
    assert not set(FOREIGN) & set(known_suffixes())
    for suffix, (kind, advice) in FOREIGN.items():
        path = tmp_path / f"day{suffix.upper()}"
        path.write_bytes(gzip.compress(b"something"))
        with pytest.raises(DataError, match=re.escape(f"got {path.name}, {kind}: {advice}")):
            read_recording(path)


@pytest.mark.parametrize("name", ["a.new", "a"])
def test_unknown_suffix(tmp_path, name):
    (tmp_path / name).write_text("1,0")
    with pytest.raises(DataError, match=r"ending in .*\.csv, .*, got '(\.new)?'"):
        read_array(tmp_path / name)


@pytest.mark.parametrize("shards", [None, (2, 4)])
def test_absent_chunks_of_zarr_are_told(tmp_path, shards):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(60, 4), chunks=(1, 4) if shards else (20, 4), shards=shards, dtype="u1")[:] = ROWS
    assert read_recording(path).remarks == ()
    (path / "c" / "1" / "0").unlink()
    absent, total = (2, 60) if shards else (1, 3)
    assert read_recording(path).remarks == (f"{absent} of {total} chunks are absent and were taken as 0",)


def test_a_path_in_hdf5_may_begin_with_a_slash(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["block/rows"] = np.eye(3)
    for path in ("block/rows", "/block/rows"):
        np.testing.assert_array_equal(read_array(tmp_path / "a.h5", path), np.eye(3))
        np.testing.assert_array_equal(read_recording(tmp_path / "a.h5", array=path).rows > 0, np.eye(3) > 0)


def test_chunks_of_hdf5_that_were_never_written_are_told(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("rows", (4, 60), "u1", chunks=(4, 20))[:, :40] = ROWS.T[:, :40]
    assert read_recording(tmp_path / "a.mat").remarks == ("1 of 3 chunks are absent and were taken as 0",)


@pytest.mark.parametrize(("name", "mark"), [("_FillValue", 0), ("_FillValue", [-9]), ("missing_value", 2.0)])
@pytest.mark.parametrize("kind", ["h5", "zarr"])
def test_entries_that_an_attribute_marks_are_missing(tmp_path, kind, name, mark):
    path = tmp_path / f"a.{kind}"
    values = np.where(np.arange(ROWS.size).reshape(ROWS.shape) % 7, ROWS, np.ravel(mark)[0]).astype(np.int8)
    with h5py.File(path, "w") if kind == "h5" else nullcontext(zarr.open_group(path)) as file:
        array = file.create_dataset("rows", data=values) if kind == "h5" else file.create_array("rows", data=values)
        array.attrs[name] = mark
    missing = values == np.ravel(mark)[0]
    np.testing.assert_array_equal(np.isnan(read_array(path)), missing)
    with pytest.raises(DataError, match=r"got nothing or NaN in .*infer-couplings takes them"):
        read_recording(path)
    if mark != 0:  # else nothing but ones is left
        np.testing.assert_array_equal(read_recording(path, allow_missing=True).rows == 0, missing)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([0, 1, 1], 16),
        ([True, False, True], 16),
        ([0.0, None, 1.0], 32),
        ([True, None, False], 32),
        (["y", "n", "y"], 32),
    ],
)
def test_memory_of_parquet_is_that_of_what_it_holds(tmp_path, monkeypatch, column, expected):
    """By measurement, entries without gaps take 6 to 10 bytes, others 20 to 30."""
    pd.DataFrame({"a": column, "b": column}).to_parquet(tmp_path / "a.parquet")
    needed = []
    monkeypatch.setattr(tables, "require_memory", lambda number, _: needed.append(number))
    tables.read_parquet(tmp_path / "a.parquet")
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        texts = file.metadata.row_group(0).total_byte_size
    assert needed == [6 * expected + tables.MEMORY_PER_TEXT * texts]


def test_zarr_of_too_many_chunks_is_refused(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(1_000_000, 4), chunks=(1, 4), dtype="u1")
    with pytest.raises(DataError, match="expected at most 100000 chunks, got 1000000: save it in larger ones"):
        read_recording(tmp_path / "a.zarr")


def test_sparse_arrays_of_matlab_are_read_and_checked(tmp_path):
    matrix = sparse.csc_matrix(ROWS)
    for name, last in (("a.mat", 0), ("b.mat", 10**6)):
        with h5py.File(tmp_path / name, "w") as file:
            group = file.create_group("rows")
            group.attrs["MATLAB_sparse"] = np.uint64(60)
            group.attrs["MATLAB_class"] = np.bytes_("logical")
            rows = matrix.indices.copy()
            rows[-1] += last
            for part, values in (("data", matrix.data), ("ir", rows), ("jc", matrix.indptr)):
                group[part] = values
    np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), ROWS)
    with pytest.raises(DataError, match="damaged"):
        read_array(tmp_path / "b.mat")


def test_text_of_matlab_is_no_array(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["rows"] = ROWS.T
        for name, kind in (("labels", "char"), ("title", "string")):
            file.create_dataset(name, data=ROWS.T.astype(np.uint16)).attrs["MATLAB_class"] = np.bytes_(kind)
    np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), ROWS)
    with pytest.raises(DataError, match="expected numbers, got text"):
        read_array(tmp_path / "a.mat", "labels")


def test_objects_in_zarr_are_not_loaded(tmp_path):
    header = {
        "zarr_format": 2,
        "shape": [3],
        "chunks": [3],
        "dtype": "|O",
        "compressor": None,
        "fill_value": "",
        "order": "C",
    }
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zarray").write_text(json.dumps(header | {"filters": [{"id": "vlen-bytes"}]}))
    with pytest.raises(DataError, match="Python objects, which could run any code"):
        read_recording(tmp_path / "a.zarr", bin_width=0.1)


def write_struct(path: Path, fields: dict) -> None:
    """Write a struct named data as MATLAB v7.3 does, a list of vectors as a struct array."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("data")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for name, values in fields.items():
            if isinstance(values, dict):
                for inner, held in values.items():
                    group[f"{name}/{inner}"] = np.asarray(held).T
                continue
            if isinstance(values, list):
                parts = [file.create_dataset(f"#refs#/{name}{k}", data=each) for k, each in enumerate(values)]
                values = np.array([part.ref for part in parts], h5py.ref_dtype)[None]
            group[name] = np.asarray(values).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_arrays_in_structs_of_matlab_go_by_their_paths(tmp_path, version):
    path = tmp_path / "rows.mat"
    fields = {"raster": ROWS, "other": {"rows": ROWS[:50], "rate": 20.0}}
    scipy.io.savemat(path, {"data": fields}) if version == "v5" else write_struct(path, fields)
    for name, rows in {"data.raster": ROWS, "data.other.rows": ROWS[:50]}.items():
        np.testing.assert_array_equal(read_recording(path, array=name).rows > 0, rows > 0)
    held = r"data\.other\.rate \(.*\).*"
    with pytest.raises(DataError, match=rf"got .*{held}: name the right one by `array`"):
        read_recording(path)
    with pytest.raises(DataError, match=r"among those that the file holds \(.*data\.raster \(\d+, 4\).*\), got 'data'"):
        read_recording(path, array="data")


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_a_struct_array_of_matlab_holds_a_vector_of_times_in_each(tmp_path, version):
    path = tmp_path / "spikes.mat"
    times = [np.array([0.5, 2.5, 3.5]), np.array([1.5, 3.5])]
    if version == "v5":
        units = np.empty((1, 2), [("times", object), ("depth", object)])
        units["times"][0, :] = times
        units["depth"][0, :] = 1.0
        scipy.io.savemat(path, {"data": units})
    else:
        write_struct(path, {"times": times, "depth": [np.ones(1), np.ones(1)]})
    recording = read_recording(path, array="data.times", bin_width=1.0)
    np.testing.assert_array_equal(recording.rows > 0, [[1, 0], [0, 1], [1, 0], [1, 1]])


def test_an_array_beside_a_struct_is_the_one_that_is_meant(tmp_path):
    scipy.io.savemat(tmp_path / "rows.mat", {"rows": ROWS, "session": {"map": np.eye(4), "times": np.arange(5.0)}})
    np.testing.assert_array_equal(read_recording(tmp_path / "rows.mat").rows > 0, ROWS > 0)
    spikes = {"a": np.array([0.5, 2.5]), "b": np.array([1.5, 2.5]), "session": {"times": np.arange(5.0)}}
    scipy.io.savemat(tmp_path / "spikes.mat", spikes)
    assert read_recording(tmp_path / "spikes.mat", bin_width=1.0).names == ("a", "b")


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_matrices_of_scipy_are_read(tmp_path, layout):
    sparse.save_npz(tmp_path / "rows.npz", sparse.csr_array(ROWS.astype(bool)).asformat(layout))
    np.testing.assert_array_equal(read_recording(tmp_path / "rows.npz").rows > 0, ROWS > 0)


def test_a_sparse_matrix_that_is_damaged_is_refused(tmp_path):
    matrix = sparse.csr_array(ROWS)
    matrix.indices[0] = 10**6
    sparse.save_npz(tmp_path / "rows.npz", matrix)
    with pytest.raises(DataError, match="damaged, cut short or not of the format npz"):
        read_recording(tmp_path / "rows.npz")
