"""Files that cannot be used, each with a phrase of the sentence that its user reads.

python tests/helpers/bad_files.py    writes the table docs/bad_files.md
"""

# ruff: noqa: E501 - a table, one bad file to a row

import gzip
import os
import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest.mock import patch

import h5py
import numpy as np
import pandas as pd
import scipy.io
import zarr
from PIL import Image

from vae_mf.datasets import files
from vae_mf.datasets.recording import read_recording

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bad_files.md"
AVAILABLE = 16 * 10**9
"""Bytes of memory that the table is written for, whatever the machine has."""
WORDS = np.random.default_rng(7).integers(0, 2, (60, 4)).astype(np.uint8)
TIMES = np.sort(np.random.default_rng(8).random(200))
UNITS = {"units/spike_times": TIMES, "units/spike_times_index": [200], "units/id": [0]}


class BadFile(NamedTuple):
    """What is wrong, the name of the file, how to write it, words of the sentence, and options of the user."""

    kind: str
    name: str
    write: Callable[[Path], Any]
    phrase: str
    options: Mapping[str, Any] = MappingProxyType({})


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], Any]:
    return lambda path: path.write_text(content, encoding=encoding)


def raw(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


def array(values: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        # An open file: a pickled array must be written too, under any name.
        with path.open("wb") as file:
            np.save(file, np.asarray(values), allow_pickle=True)

    return write


def arrays(**values: Any) -> Callable[[Path], Any]:
    return lambda path: np.savez(path, **values)


def mat(**values: Any) -> Callable[[Path], Any]:
    return lambda path: scipy.io.savemat(path, values)


def csv(values: np.ndarray, **options: Any) -> Callable[[Path], Any]:
    return lambda path: pd.DataFrame(values).to_csv(path, **{"index": False, "header": False, **options})


def cut(write: Callable[[Path], Any], fraction: float = 0.6) -> Callable[[Path], Any]:
    def write_part(path: Path) -> None:
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(fraction * len(content))])

    return write_part


def mat73(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["bint"] = np.repeat(WORDS, 50, axis=0).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def huge_npy(path: Path) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**8, 1000)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)


def huge_zarr(path: Path) -> None:
    zarr.create_array(path, shape=(10**8, 1000), dtype="u1", chunks=(10**6, 1000))


def hdf5(values: Mapping[str, Any]) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name, array in values.items():
                file[name] = array

    return write


def phy(params: str, label: str = "good") -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        path.mkdir()
        np.save(path / "spike_times.npy", np.arange(9))
        np.save(path / "spike_clusters.npy", np.zeros(9, int))
        (path / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n0\t{label}\n")
        (path / "params.py").write_text(params)

    return write


def alf(path: Path) -> None:
    path.mkdir()
    np.save(path / "spikes.times.npy", TIMES)


def zarr_group(path: Path) -> None:
    zarr.open_group(path, mode="w").create_array("labels", data=np.arange(5))


def pictures(*shapes: tuple[int, int], mode: str = "L") -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        path.mkdir()
        for number, shape in enumerate(shapes):
            grey = (
                np.random.default_rng(number).integers(0, 256, shape).astype(np.uint16 if mode == "I;16" else np.uint8)
            )
            Image.fromarray(grey).save(path / f"{number}.png")

    return write


def broken_picture(path: Path) -> None:
    pictures((4, 4), (4, 4))(path)
    (path / "1.png").write_bytes((path / "1.png").read_bytes()[:40])


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.astype(np.uint8).tobytes()


def fasta(*sequences: str) -> Callable[[Path], Any]:
    return text("".join(f">s{number}\n{sequence}\n" for number, sequence in enumerate(sequences)))


def parquet(frame: pd.DataFrame) -> Callable[[Path], Any]:
    return frame.to_parquet


def spikes(cells: Any, times: Any) -> Callable[[Path], Any]:
    return csv(np.column_stack([cells, times]), header=["neuron", "time"])


EVERY_SECOND = np.arange(200) % 2
WITH_CONSTANT = np.column_stack([WORDS, np.zeros(60, int)])
WITH_DUPLICATE = np.column_stack([WORDS, WORDS[:, 1]])
ROWS = "\n".join(",".join(map(str, row)) for row in WORDS)
PAIRS = "\n".join(f"{row[0]},{row[1]}" for row in WORDS)
TRIALS = pd.DataFrame({"neuron": EVERY_SECOND, "trial": EVERY_SECOND.cumsum() // 20, "time": TIMES})
CELLS = np.empty((2, 3), object)
CELLS.flat = [TIMES[k::6] for k in range(6)]
XLSX = b"PK\x03\x04" + b"\0" * 26 + b"[Content_Types].xml"

BAD_FILES = [
    BadFile("nothing there", "recording.npy", lambda path: None, "found nothing: check the path"),
    BadFile("a misspelt name", "words.npz", lambda path: arrays(x=WORDS)(path.with_name("word.npz")), "did you mean word.npz?"),
    BadFile("empty", "words.csv", raw(b""), "the file is empty (0 bytes)"),
    BadFile("blank lines only", "words.csv", text("\n\n"), "expected rows of numbers, found none"),
    BadFile("a header and no rows", "words.csv", text("a,b,c\n"), "expected rows of numbers, found none"),
    BadFile("a folder without data", "folder", lambda path: path.mkdir(), "expected a folder with one of"),
    BadFile("a pipe", "words.npy", lambda path: os.mkfifo(path), "got neither file nor folder"),
    BadFile("an unknown suffix", "words.new", raw(b"words"), "expected a name ending in .a2m, .a3m"),
    BadFile("spikes of another program", "session.plx", raw(b"PLEX"), "a recording of Plexon: export its spike times"),
    BadFile("signals of another program", "day.rhd", raw(b"signals"), "signals of Intan: sort its spikes, or threshold"),
    BadFile("a folder of another program", "day", lambda path: [path.mkdir(), raw(b"signals")(path / "a.ncs")], "a folder with a.ncs"),
    BadFile("a movie", "mouse.avi", raw(b"RIFF"), "a movie: save its frames as npy"),
    BadFile("objects of R", "table.rds", raw(gzip.compress(b"X", mtime=0)), "objects of R: save the table in R with write.csv"),
    BadFile("a spreadsheet", "words.ods", raw(b"PK\x03\x04"), "a spreadsheet: export its table as csv"),
    BadFile("an alignment of another format", "family.phy", raw(b" 2 3"), "another format: export the alignment as FASTA"),
    BadFile("NetCDF named csv", "words.csv", raw(b"CDF\x01"), "is NetCDF data of version 3: save its array"),
    BadFile("a document named csv", "words.csv", raw(b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml"), "is a document: export its table"),
    BadFile("no suffix", "words", raw(b"1,0"), "got ''"),
    BadFile("ragged rows, too long", "words.csv", text("1,0\n0,1\n1,0,1\n"), "line 3 has 3 entries, those before it 2"),
    BadFile("ragged rows, too short", "words.csv", text("a,b\n1,0\n0\n"), "got nothing or NaN in row 2, column b"),
    BadFile("missing entries", "words.tsv", text("1\t0\n\t1\n"), "got nothing or NaN in row 2, column 0"),
    BadFile("NaN in an array", "words.npy", array(np.where(WORDS == 0, np.nan, 1.0)), "got nothing or NaN in row 3, column 0"),
    BadFile("words among numbers", "votes.csv", text("a,b\n1,0\nperhaps,0\n"), "got 'perhaps' in row 2, column a"),
    BadFile("a header row in an odd place", "words.csv", text(f"0,1,1,0\na,b,c,d\n{ROWS}\n"), "got a row of words in row 2"),
    BadFile("a first line that may be a header", "words.csv", text(f"0,1\n{PAIRS}\n"), "whether the first line, 0,1, is a row"),
    BadFile("a blank line of one column", "words.csv", text("1\n0\n\n1\n"), "got line 3 without: write NA"),
    BadFile("too few names in the header", "words.csv", text(f"a,b\n{ROWS}\n"), "2 names and rows of 4 entries"),
    BadFile("counts", "counts.npy", array(WORDS * 3), "got values such as [0, 3], first in row"),
    BadFile("real numbers", "voltages.csv", csv(np.random.default_rng(1).normal(size=(9, 3))), "turn them into two classes"),
    BadFile("classes 1 and 2", "states.npy", array(WORDS + 1), "such as [1, 2], first in row 1, column 0: turn them into two classes, as in x > 1"),
    BadFile("three states", "states.npy", array(WORDS.astype(int) - (np.arange(4) > 2)), "such as [-1, 0, 1]"),
    BadFile("frequencies in place of counts", "counts.csv", text("count,a,b\n0.5,1,0\n0.3,0,1\n0.2,1,1\n"), "got 0.5: multiply them"),
    BadFile("rows and columns swapped in a long table", "words.csv", text(f"{'0,1,' * 100_000}0\n" * 3), "got 200001: save the table with rows"),
    BadFile("an entry of a million letters", "words.csv", text(f"{'a' * 10**6},b\n1,0\n"), "got a longer one in 'aaaaaaaaaaaaaaaaaaaa'..."),
    BadFile("constant columns", "words.csv", csv(WITH_CONSTANT), "got 1 that never change (4): set `drop_unusable`"),
    BadFile("nothing but constants", "words.npy", array(np.zeros((9, 3))), "no variable changes", {"drop_unusable": True}),
    BadFile("duplicate columns", "words.npy", array(WITH_DUPLICATE), "1 that repeat another one or its opposite (4)"),
    BadFile("a column and its opposite", "votes.npy", array(np.hstack([WORDS, 1 - WORDS[:, :1]])), "or its opposite (4)"),
    BadFile("transposed by mistake", "words.npy", array(WORDS.T), "set `transpose` if the variables are the rows"),
    BadFile("repeats transposed", "movie.npy", array(np.zeros((10, 60, 9))), "set `transpose` if the axes are"),
    BadFile("one row", "words.csv", text("1,0,1,0\n"), "got one row of 4 variables"),
    BadFile("fewer rows than columns", "words.csv", csv(WORDS[:3]), "got 3 rows of 4 variables"),
    BadFile("one dimension", "words.npy", array(WORDS[:, 0]), "got shape (60,): reshape it"),
    BadFile("four dimensions", "words.npy", array(np.zeros((2, 3, 4, 5))), "got shape (2, 3, 4, 5): reshape it"),
    BadFile("no entries", "words.npy", array(np.zeros((0, 4))), "expected at least one variable and one row"),
    BadFile("complex numbers", "words.npy", array(WORDS * 1j), "got complex numbers"),
    BadFile("text in an array", "words.npy", array(WORDS.astype(str)), "got text"),
    BadFile("pickled objects", "words.npy", array(np.array([[{}]])), "got Python objects"),
    BadFile("a pickle", "words.npy", raw(pickle.dumps(WORDS)), "is a Python pickle: save the array with numpy.save"),
    BadFile("a cut npy file", "words.npy", cut(array(WORDS)), "damaged, cut short or not of the format npy"),
    BadFile("a cut npz file", "words.npz", cut(arrays(x=WORDS)), "damaged, cut short or not of the format npz"),
    BadFile("a cut MATLAB v5 file", "words.mat", cut(mat(bint=np.repeat(WORDS, 50, axis=0))), "damaged, cut short or not of the format mat"),
    BadFile("a cut MATLAB v7.3 file", "words.mat", cut(mat73), "damaged, cut short or not of the format mat"),
    BadFile("a cut parquet file", "words.parquet", cut(parquet(pd.DataFrame(WORDS))), "damaged, cut short or not of the format parquet"),
    BadFile("a cut gzip file", "words.csv.gz", raw(gzip.compress(ROWS.encode(), mtime=0)[:50]), "gzip data are damaged or cut"),
    BadFile("gzip in name only", "words.csv.gz", raw(b"\x1f\x8b" + b"1" * 50), "gzip data are damaged or cut short"),
    BadFile("compressed twice", "words.csv.gz", raw(gzip.compress(gzip.compress(ROWS.encode(), mtime=0), mtime=0)), "gzip: unpack it first"),
    BadFile("compressed where it must not be", "words.npy.gz", raw(gzip.compress(b"x", mtime=0)), "gzip: unpack it first"),
    BadFile("a wrong name of an array", "words.mat", mat(bint=WORDS), "holds (bint (60, 4)), got 'bins'", {"array": "bins"}),
    BadFile("several MATLAB arrays", "words.mat", mat(a=WORDS, b=WORDS), "a (60, 4), b (60, 4): name the right one"),
    BadFile("MATLAB text only", "words.mat", mat(title="retina"), "got no array of numbers: save an array (rows, variables)"),
    BadFile("a zarr group without a table", "words.zarr", zarr_group, "got labels (5,): save an array (rows, variables)"),
    BadFile("a broken zarr folder", "words.zarr", lambda path: [path.mkdir(), raw(b"{")(path / "zarr.json")], "not of the format zarr"),
    BadFile("a name of an array in csv", "words.csv", csv(WORDS), "expected no `array`", {"array": "bint"}),
    BadFile("too large for the memory", "words.npy", huge_npy, "takes 500 GB of memory, 16 GB are available"),
    BadFile("a zarr array too large for the memory", "words.zarr", huge_zarr, "takes 500 GB of memory"),
    BadFile("UTF-16 text", "words.csv", text("a,b\n1,0\n", "utf-16"), 'UTF-16 (in Excel "Unicode Text")'),
    BadFile("Latin-1 text", "words.csv", text("größe,b\n1,0\n", "latin-1"), "not UTF-8"),
    BadFile("binary content named csv", "words.csv", raw(bytes(range(256))), "binary, not text"),
    BadFile("an Excel workbook named csv", "words.csv", raw(XLSX), "is an Excel workbook"),
    BadFile("an old Excel workbook named csv", "words.csv", raw(b"\xd0\xcf\x11\xe0\xa1\xb1"), "is an Excel workbook"),
    BadFile("a web page saved as csv", "words.csv", text("<!DOCTYPE html>\n<title>404</title>"), "is a web page"),
    BadFile("a web page saved as mat", "words.mat", text("\n<html><body>Sign in</body></html>"), "is a web page"),
    BadFile("a Git LFS pointer", "words.npy", text("version https://git-lfs.github.com/spec/v1\n"), "run git lfs pull"),
    BadFile("an npy file under another name", "words.csv", array(WORDS), "is an npy array: rename it"),
    BadFile("a zip archive", "words.csv", raw(b"PK\x03\x04" + b"\0" * 60), "is a zip archive: unpack it first"),
    BadFile("signals named dat", "signals.dat", raw(np.arange(999, dtype="<i2").tobytes()), "binary, not text"),
    BadFile("an alignment named txt", "family.txt", fasta("ACGT", "AC-T"), "is aligned sequences: rename it to end in .fasta"),
    BadFile("a PDF", "words.txt", raw(b"%PDF-1.7"), "is a PDF document"),
    BadFile("lists in parquet", "words.parquet", parquet(pd.DataFrame({"a": [[1, 0]] * 9, "b": 1})), "column a, got list<"),
    BadFile("dates in parquet", "words.parquet", parquet(pd.DataFrame({"day": pd.to_datetime(["2020-01-01"] * 9), "a": 1})), "column day"),
    BadFile("an alignment that is none", "family.fasta", text("ACGT\nAC-T\n"), "expected FASTA"),
    BadFile("sequences of unequal lengths", "family.fasta", fasta("ACGT", "ACG"), "'s1' of length 3 after 's0' of length 4"),
    BadFile("an empty sequence", "family.fasta", fasta("", "ACG"), "sequence 's0' is empty"),
    BadFile("two alignments in one file", "family.sto", text("# STOCKHOLM 1.0\na AC\n//\n# STOCKHOLM 1.0\na AC\n//\n"), "expected one alignment"),
    BadFile("an alignment without sequences", "family.aln", text("CLUSTAL W\n\n"), "expected lines of a name and a sequence"),
    BadFile("two whole genomes", "genomes.fasta", fasta("AC" * 150_000, "AT" * 150_000), "at most 200000 columns, got 300000"),
    BadFile("lower-case letters", "family.fasta", fasta("ACGT", "ACgT"), "got 'g' in column 3 of 's1': write capitals"),
    BadFile("unknown letters", "family.fasta", fasta("ACGT", "AC?T"), "got '?' in column 3 of 's1': write X"),
    BadFile("nothing but gaps", "family.fasta", fasta("A--", "---", "---"), "every column is a gap in most sequences"),
    BadFile("transposed sequences", "family.fasta", fasta("ACGT", "AC-T", "TCGA"), "expected no `transpose`", {"transpose": True}),
    BadFile("fewer sequences than columns", "family.fasta", fasta("CAAACCC", "ACAACAA", "AACAACA", "AAACAAC"), "got 4 rows of 7 variables: give more rows or fewer"),
    BadFile("fully conserved sequences", "family.fasta", fasta(*["ACGT"] * 6), "no variable changes from row to row"),
    BadFile("pictures of different sizes", "faces", pictures((4, 4), (4, 5)), "1.png of 5 x 4 after 4 x 4 pixels"),
    BadFile("photographs", "faces", pictures((600, 400), (600, 400)), "at most 200000 pixels in a picture, got 240000"),
    BadFile("a damaged picture", "faces", broken_picture, "picture 1.png is damaged"),
    BadFile("pictures of 16 bits", "faces", pictures((4, 4), mode="I;16"), "0.png of more: save it as 8 bit"),
    BadFile("a single picture", "face.png", raw(b"\x89PNG\r\n"), "folder that holds all pictures"),
    BadFile("labels instead of images", "train-labels-idx1-ubyte", raw(idx(np.arange(9))), "not of their labels"),
    BadFile("a cut idx file", "train-images-idx3-ubyte", raw(idx(np.ones((9, 3, 3)))[:-4]), "expected 81 bytes of data, got 77"),
    BadFile("a missing bin width", "spikes.csv", spikes(EVERY_SECOND, TIMES), "look like spike times: give `bin_width`"),
    BadFile("a missing bin width in npz", "spikes.npz", arrays(a=TIMES, b=TIMES), "give `bin_width` if these are spike times"),
    BadFile("a bin width for words", "words.csv", csv(WORDS), "got columns 0, 1, 2, 3", {"bin_width": 0.1}),
    BadFile("a bin width for an array of words", "words.npy", array(WORDS), "got an array of shape (60, 4)", {"bin_width": 0.1}),
    BadFile("a bin width for sequences", "family.fasta", fasta("AC", "AD"), "expected no `bin_width`", {"bin_width": 0.1}),
    BadFile("transposed spike times", "spikes.csv", spikes(EVERY_SECOND, TIMES), "expected no `transpose`", {"bin_width": 0.003, "transpose": True}),
    BadFile("unsorted spike times", "spikes.csv", spikes(EVERY_SECOND, TIMES[::-1]), "ascending spike times", {"bin_width": 0.1}),
    BadFile("negative spike times", "spikes.csv", spikes(EVERY_SECOND, TIMES - 0.5), "spike times >= 0", {"bin_width": 0.1}),
    BadFile("NaN among spike times", "spikes.npz", arrays(a=TIMES, b=TIMES * np.nan), "finite numbers", {"bin_width": 0.1}),
    BadFile("cells and times swapped", "spikes.npy", array(np.column_stack([TIMES, EVERY_SECOND])), "put cells first", {"bin_width": 0.1}),
    BadFile("a bin width in the wrong unit", "spikes.csv", spikes(EVERY_SECOND, TIMES), "give a wider `bin_width`", {"bin_width": 1e-13}),
    BadFile("a bin width longer than the recording", "spikes.csv", spikes(EVERY_SECOND, TIMES), "got 1 of 2 in which all fire: give a narrower `bin_width`", {"bin_width": 2.0}),
    BadFile("times stored too coarsely", "spikes.npz", arrays(a=(TIMES + 1e3).astype("f4"), b=TIMES[::3] + 1e3), "expected times finer", {"bin_width": 1e-4}),
    BadFile("times and cells of different lengths", "spikes.npz", arrays(spike_times=TIMES, unit=EVERY_SECOND[:9]), "got 9 in unit and 200", {"bin_width": 0.1}),
    BadFile("an index beyond its times", "spikes.npz", arrays(times=TIMES, times_index=[90, 201]), "where each cell ends", {"bin_width": 0.1}),
    BadFile("trials that follow each other", "spikes.csv", lambda path: TRIALS.to_csv(path, index=False), "subtract the start of each", {"bin_width": 0.1}),
    BadFile("a cell array of cells and trials", "spikes.mat", mat(spikes=CELLS), "with an axis of trials", {"bin_width": 0.1}),
    BadFile("NWB without a bin width", "session.nwb", hdf5(UNITS), "got none: give it in seconds"),
    BadFile("NWB without sorted units", "session.nwb", hdf5({"acquisition/voltage": TIMES}), "got acquisition: sort the spikes", {"bin_width": 0.1}),
    BadFile("NWB without such trials", "session.nwb", hdf5(UNITS), "that the file holds (none)", {"bin_width": 0.1, "array": "trials"}),
    BadFile("HDF5 named npy", "rows.npy", hdf5({"rows": WORDS}), "rename it to end in .h5, .nwb, or .mat"),
    BadFile("ALF without clusters", "alf", alf, "expected spikes.clusters.npy in the folder, found none: download it", {"bin_width": 0.1}),
    BadFile("a folder above the data", "subject", lambda path: [path.mkdir(), alf(path / "probe00")], "give the path of subject/probe00"),
    BadFile("Phy without a sample rate", "phy", phy("dat_path = 'a.dat'"), "write the line sample_rate = 30000", {"bin_width": 0.1}),
    BadFile("Phy without good clusters", "phy", phy("sample_rate = 9.", "mua"), "got 1 mua: label them in Phy", {"bin_width": 0.1}),
    BadFile("no spikes", "spikes.npz", arrays(a=TIMES[:0], b=TIMES[:0]), "expected spike times, found none", {"bin_width": 0.1}),
]  # fmt: skip


def sentence(bad: BadFile, folder: Path) -> tuple[Exception, str]:
    """Return what reading a bad file raises and says, the folder left out."""
    path = folder / bad.name
    bad.write(path)
    try:
        with patch.object(files, "available_memory", lambda: AVAILABLE):
            recording = read_recording(path, **bad.options)
    except Exception as error:
        return error, str(error).replace(f"{folder}{os.sep}", "").replace(str(Path.cwd()), "the working folder")
    raise AssertionError(f"{bad.kind}: expected an error, got {recording}")


def document() -> str:
    """Return the table of all bad files as Markdown."""
    lines = ["# What a file that cannot be used gives", "", "Written by `python tests/helpers/bad_files.py`.", ""]
    lines += ["| The file | Options | What its user reads |", "|---|---|---|"]
    for bad in BAD_FILES:
        with tempfile.TemporaryDirectory() as folder:
            _, said = sentence(bad, Path(folder))
        options = ", ".join(f"`{name}={value}`" for name, value in bad.options.items())
        lines.append(f"| {bad.kind} | {options} | {said.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
