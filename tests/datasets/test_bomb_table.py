"""Seventeen files of few bytes that stand for very many: each is refused, or read, in bounded time and memory."""

import gzip
import resource
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
import scipy.io
import zarr
from helpers.commands import FORKS

from vae_mf.datasets import files
from vae_mf.datasets.file_formats import load_readers
from vae_mf.datasets.recording import read_recording
from vae_mf.runs.folder import find_run

FREE = 10**8
"""Bytes that are free, as far as the readers know."""
MEGABYTES, SECONDS = 300, 2.0
"""Memory and processor time that a bomb may take; SciPy unpacks 128 kB of a file of MATLAB at a time, twice 130 MB."""
XML = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
LONG = b"ACDE" * 1_250_000
FAR = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
ALIASES = "a0: &a0 [1, 1]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 8))


class Read(NamedTuple):
    """What a reader said of a file, and what it took."""

    said: str
    seconds: float
    megabytes: float


def npy(shape: str) -> Callable[[Path], object]:
    """A header that claims an array of this shape, above a few bytes."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


def zeros_in(path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("rows", shape=shape, dtype="u1", chunks=chunks, compression="gzip")


def compressed(path: Path, *parts: tuple[bytes, int]) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for part, times in parts:
            for _ in range(times):
                file.write(part)


def picture(path: Path) -> None:
    """A folder of pictures of 10^10 pixels."""
    path.mkdir()
    size = b"IHDR" + (10**5).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    chunks = [size, b"IDAT" + zlib.compress(bytes(10**6)), b"IEND"]
    framed = [(len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") for chunk in chunks]
    for name in ("a.png", "b.png"):
        (path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))


def many_arrays(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"a{number}.npy", b"\x93NUMPY\x01\x00")


def sheet(path: Path, rows: bytes, times: int) -> None:
    """A workbook, the sheet of which repeats some rows."""
    openpyxl = pytest.importorskip("openpyxl")
    small = path.with_name("small.xlsx")
    openpyxl.Workbook().save(small)
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            if part.filename != "xl/worksheets/sheet1.xml":
                target.writestr(part.filename, source.read(part))
        with target.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            file.write(XML)
            for _ in range(times):
                file.write(rows)
            file.write(b"</sheetData></worksheet>")


BOMBS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "10^12 rows": ("a.npy", npy(f"({10**12}, 8)")),
    "rows beyond whole numbers": ("a.npy", npy(f"({2**62}, {2**62})")),
    "a header that lies": ("a.npy", npy(f"({10**7}, 100)")),
    "zeros in npz": ("a.npz", lambda path: np.savez_compressed(path, rows=np.zeros((3 * 10**6, 100), np.uint8))),
    "20,000 arrays": ("a.npz", many_arrays),
    "zeros of MATLAB": (
        "a.mat", lambda path: scipy.io.savemat(path, {"s": {"rows": np.zeros((10**5, 300))}}, do_compression=True)
    ),
    "HDF5 of 10^12": ("a.h5", lambda path: zeros_in(path, (10**9, 1000), (1000, 1000))),
    "10^10 pixels": ("pictures", picture),
    "IDX of 10^28": (
        "train-images-idx3-ubyte",
        lambda path: path.write_bytes(bytes([0, 0, 8, 3]) + (2**31 - 1).to_bytes(4, "big") * 3 + bytes(100)),
    ),
    "rows in csv.gz": ("a.csv.gz", lambda path: compressed(path, (b"0,1,1,0\n" * 10**5, 375))),
    "10^6 columns": ("a.csv", lambda path: path.write_text(("0,1," * 500_000 + "1\n") * 3)),
    "two long sequences": ("a.fasta", lambda path: path.write_bytes(b">a\n" + LONG + b"\n>b\n" + LONG)),
    "10^6 chunks": (
        "a.zarr", lambda path: zarr.create_array(path, shape=(10**6, 10), dtype="u1", chunks=(1, 10))
    ),
    "aliases of aliases": ("run", lambda path: (path.mkdir(), (path / "config.yaml").write_text(ALIASES),
                                               (path / "run.json").write_text("{}"))),
    "long sequences in gzip": (
        "a.fasta.gz", lambda path: compressed(path, (b">a\n", 1), (b"A" * 10**6, 300))
    ),
    "a long sheet": ("a.xlsx", lambda path: sheet(path, (b"<row>" + b"<c><v>1</v></c>" * 100 + b"</row>") * 100, 1500)),
    "an entry beyond the sheet": (
        "a.xlsx",
        lambda path: sheet(path, FAR, 1),
    ),
}  # fmt: skip
"""Name of the file, and what writes it."""


def read(path: Path, answer) -> None:
    """Send what a reader says of a file; called in a process of its own."""
    load_readers()
    files.available_memory = lambda: FREE
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        said = repr(find_run(path) if path.name == "run" else read_recording(path))
    except ValueError as error:
        said = f"refused: {error}"
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer.send(Read(said, seconds, (after.ru_maxrss - before.ru_maxrss) / 1024))


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_bounded(tmp_path, kind):
    name, write = BOMBS[kind]
    write(tmp_path / name)
    answers, answer = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=read, args=(tmp_path / name, answer))
    process.start()
    answer.close()
    found = answers.recv()
    process.join()
    print(f"{kind:28} {found.seconds:5.2f} s {found.megabytes:5.0f} MB  {found.said[:100]}")
    assert found.said.startswith(f"refused: {tmp_path / name}")
    assert "\n" not in found.said
    assert found.seconds < SECONDS
    assert found.megabytes < MEGABYTES
