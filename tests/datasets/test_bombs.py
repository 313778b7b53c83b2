"""Files of few bytes that stand for very many: each is bounded by what it unpacks to, before it is unpacked."""

import gzip
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from helpers.bad_files import hdf5
from helpers.memory import peak_bytes
from PIL import Image, PngImagePlugin
from scipy import sparse

from vae_mf.datasets import files
from vae_mf.datasets.file_formats import read_array
from vae_mf.datasets.files import DataError
from vae_mf.datasets.readers import containers
from vae_mf.datasets.readers.images import read_image
from vae_mf.datasets.recording import read_recording

LENGTH = 10**6
UNITS = {"units/spike_times": np.arange(9.0), "units/spike_times_index": [9], "units/id": [0]}


@pytest.fixture
def scarce(monkeypatch):
    """A tenth of a megabyte of memory, as far as the readers know."""
    monkeypatch.setattr(files, "available_memory", lambda: 10**5)


def refusal(path: Path, **options) -> str:
    """Return what the sentence about a file says, which no error of another library may be behind."""
    with pytest.raises(DataError) as caught:
        read_recording(path, **options)
    return str(caught.value)


def zeros(path: Path, name: str, length: int = LENGTH) -> None:
    """Add an array without values, which takes hardly any room."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file.create_dataset(name, shape=(length,), dtype="f8", chunks=(1000,), compression="gzip")


def test_a_header_that_claims_to_be_long_is_not_read_whole(tmp_path):
    path = tmp_path / "rows.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + (2**31 - 1).to_bytes(4, "little") + b" " * 20 * LENGTH)

    def read() -> None:
        assert "damaged, cut short or not of the format npy" in refusal(path)

    assert peak_bytes(read) < 5 * LENGTH


def test_a_gzip_file_is_unpacked_as_far_as_the_memory_goes(tmp_path, scarce):
    (tmp_path / "rows.fasta.gz").write_bytes(gzip.compress(b">a\n" + b"A" * 10 * LENGTH))

    def read() -> None:
        assert "unpacked it exceeds the" in refusal(tmp_path / "rows.fasta.gz")

    assert peak_bytes(read) < 5 * LENGTH


def test_a_long_table_is_refused_before_its_columns_are_parsed(tmp_path):
    (tmp_path / "rows.csv").write_text(("0,1," * 125_000 + "1\n") * 3)

    def read() -> None:
        assert "at most 200000 columns, got 250001" in refusal(tmp_path / "rows.csv")

    assert peak_bytes(read) < 10 * LENGTH


def test_a_number_of_many_digits_is_a_number(tmp_path):
    (tmp_path / "rows.csv").write_text(f"{'7' * 5000},2\n" + "1,0\n0,1\n0,0\n" * 9)
    assert read_recording(tmp_path / "rows.csv").names == ("7" * 5000, "2")


CELLS = np.empty((1, 1), object)
CELLS[0, 0] = np.zeros(LENGTH)


@pytest.mark.parametrize("content", [{"s": {"rows": np.zeros(LENGTH)}}, {"s": CELLS}])
@pytest.mark.parametrize("compressed", [False, True])
def test_structs_and_cells_of_matlab_are_counted_before_they_are_unpacked(tmp_path, scarce, content, compressed):
    path = tmp_path / "rows.mat"
    scipy.io.savemat(path, content, do_compression=compressed)
    said = refusal(path, bin_width=0.1)
    assert "reading it takes 0.008 GB of memory" in said
    assert "save each variable in a file of its own" in said


def test_matlab_files_of_version_4_say_no_sizes_and_are_read(tmp_path):
    scipy.io.savemat(tmp_path / "rows.mat", {"rows": np.eye(5)}, format="4")
    assert np.array_equal(read_array(tmp_path / "rows.mat"), np.eye(5))


def test_an_empty_array_of_matlab_has_a_few_axes(tmp_path):
    with h5py.File(tmp_path / "rows.mat", "w") as file:
        file.create_dataset("rows", shape=(LENGTH,), dtype="u8", chunks=(1000,)).attrs["MATLAB_empty"] = 1
    assert f"axes of an empty array, got {LENGTH} numbers" in refusal(tmp_path / "rows.mat")


def test_parts_of_a_sparse_matrix_are_counted(tmp_path, scarce):
    rows = sparse.coo_matrix((np.ones(LENGTH), (np.zeros(LENGTH, int), np.zeros(LENGTH, int))), (9, 2))
    sparse.save_npz(tmp_path / "rows.npz", rows)
    assert "save fewer entries" in refusal(tmp_path / "rows.npz")


def test_hdf5_is_read_in_parts_of_few_chunks(tmp_path, monkeypatch):
    rows = np.random.default_rng(1).integers(0, 2, (60, 3, 2))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("rows", data=rows, chunks=(7, 2, 1))
    monkeypatch.setattr(containers, "CHUNKS_AT_ONCE", 5)
    assert np.array_equal(read_array(tmp_path / "rows.h5"), rows)
    monkeypatch.setattr(containers, "MOST_HDF5_CHUNKS", 35)
    with pytest.raises(DataError, match="expected at most 35 chunks, got 36: save it in larger ones"):
        read_array(tmp_path / "rows.h5")


def test_a_chunk_larger_than_the_memory_is_not_unpacked(tmp_path, scarce):
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("rows", shape=(9, 2), maxshape=(None, None), chunks=(LENGTH, 1), dtype="u1")
    assert "save it in smaller chunks" in refusal(tmp_path / "rows.h5")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("units/spike_times", "as many spikes as spike_times_index tells of, got 1000000"),
        ("units/spike_times_index", "an id for each of 1000000 units, got 1"),
        ("units/id", "an id for each of 1 units, got 1000000"),
        ("intervals/trials/start_time", "reading it takes"),
    ],
)
def test_every_part_of_an_nwb_file_is_bounded(tmp_path, scarce, name, said):
    path = tmp_path / "session.nwb"
    hdf5({**UNITS, "intervals/trials/stop_time": [1.0], "intervals/trials/start_time": [0.0]})(path)
    zeros(path, name)
    assert said in refusal(path, bin_width=0.1, array="trials")


def test_files_beside_spikes_are_short(tmp_path):
    np.save(tmp_path / "spike_times.npy", np.arange(9))
    np.save(tmp_path / "spike_clusters.npy", np.zeros(9, int))
    (tmp_path / "params.py").write_text("#" * 2**21)
    assert "expected a short text in params.py, got 2097152 bytes" in refusal(tmp_path, bin_width=0.1)


def test_counted_rows_are_counted_in_the_bytes_that_they_take(tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text("count,a,b\n300000,1,0\n200000,0,1\n100000,,1\n")

    def read() -> None:
        assert len(read_recording(tmp_path / "rows.csv", allow_missing=True, drop_unusable=True).rows) == 6 * 10**5

    peak = peak_bytes(read)
    monkeypatch.setattr(files, "available_memory", lambda: peak - 1)
    assert "reading it takes 0.024 GB of memory" in refusal(tmp_path / "rows.csv")


def test_a_long_text_in_every_row_of_parquet_is_kept_once(tmp_path):
    rows = {"site": ["A" * 10**5] * 2000, "a": [0, 1] * 1000, "b": [0, 1, 1, 0] * 500}
    pd.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")

    def read() -> None:
        assert "expected rows of numbers, got 'AAA" in refusal(tmp_path / "rows.parquet")

    assert peak_bytes(read) < 2 * LENGTH


def test_whole_numbers_of_parquet_take_no_more_than_bytes(tmp_path):
    pd.DataFrame(np.random.default_rng(1).integers(0, 2, (10**5, 20))).add_prefix("v").to_parquet(
        tmp_path / "rows.parquet"
    )
    assert peak_bytes(lambda: read_recording(tmp_path / "rows.parquet")) < 7 * 20 * 10**5


def test_letters_of_an_alignment_take_few_bytes_and_many_names_are_counted(tmp_path, monkeypatch):
    letters = np.where(np.random.default_rng(1).random((10**4, 200)) < 0.4, b"A", b"C").astype("S1")
    path = tmp_path / "family.fasta"
    path.write_bytes(b"".join(b">%d\n%s\n" % (number, row.tobytes()) for number, row in enumerate(letters)))
    assert peak_bytes(lambda: read_recording(path)) < 7 * letters.size
    monkeypatch.setattr(files, "available_memory", lambda: 5 * letters.size // 4)
    assert "give fewer sequences" in refusal(path)


def picture(path: Path, **options) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (4, 4)).astype(np.uint8)).save(path, **options)


def test_pictures_are_bounded_before_their_pixels_are_unpacked(tmp_path):
    wide = b"IHDR" + (10**5).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    chunks = [wide, b"IDAT" + zlib.compress(bytes(LENGTH)), b"IEND"]
    framed = [(len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") for chunk in chunks]
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    assert "expected at most 200000 pixels in a picture, got far more in a.png" in refusal(tmp_path)


def test_texts_in_pictures_are_bounded(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("note", " " * 10 * LENGTH, zip=True)
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, pnginfo=text)
    assert "picture a.png is damaged or no picture" in refusal(tmp_path)
    with pytest.raises(ValueError, match="expected a picture that Pillow reads, got a damaged one or another file"):
        read_image(tmp_path / "a.png", 2, 2)
