"""The contract of a reader of files, over all that are registered and a toy that a user adds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from helpers.data_files import FILES, FRAME, ROWS, write_hdf5, write_sequences
from hydra.utils import instantiate

from vae_mf.datasets import file_formats, readers
from vae_mf.datasets.file_formats import FORMATS, known_suffixes, load_readers, read_array, register_reader
from vae_mf.datasets.files import DataError, Options, Raster
from vae_mf.datasets.recording import read_recording

OPTIONS = {"array": "spikes", "bin_width": 0.5, "threshold": 40}
TOY = """
from vae_mf.datasets import DataError, Options, Raster, read_recording, register_reader

@register_reader(".bits")
def read_bits(path, options):
    import numpy as np
    lines = path.read_text().split()
    if set("".join(lines)) - set("01"):
        raise DataError("expected lines of 0 and 1, got other letters: export them again")
    return Raster(np.array([[int(bit) for bit in line] for line in lines]), "text of bits")
"""


WRITERS = {
    **{Path(name).suffix: write for name, write in FILES.items() if "." in name},
    ".npz": lambda path: np.savez(path, spikes=ROWS),
    ".mat": lambda path: scipy.io.savemat(path, {"spikes": ROWS}),
    ".xlsm": FILES["sheet.xlsx"],
    ".csv": lambda path: FRAME.to_csv(path, index=False),
    ".npy": FILES["rows.npy"],
    ".tsv": lambda path: FRAME.to_csv(path, sep="\t", index=False, header=False),
    **dict.fromkeys((".fa", ".fas", ".faa", ".fna", ".afa", ".a2m"), write_sequences),
    ".stk": FILES["family.sto"],
    **dict.fromkeys((".aln", ".msa"), lambda path: write_sequences(path, line="{1}\n")),
    **dict.fromkeys((".dat", ".asc"), lambda path: np.savetxt(path, ROWS, "%d")),
    **dict.fromkeys((".h5", ".hdf5"), lambda path: write_hdf5(path, spikes=ROWS)),
    "zarr.json": FILES["rows.zarr"],
    "*.png": FILES["pictures"],
    "spike_times.npy": FILES["phy"],
    "*spikes.times*.npy": FILES["alf"],
    ".zattrs": FILES["nwb.zarr"],
}
"""A good file of every format, by its suffix, or by the marker of a folder."""
del WRITERS[".zarr"]
SPIKES_ALONE = {"bin_width": 0.02}
"""Options of formats that hold nothing but spike times."""
load_readers()


def kind(name: str) -> file_formats.FileFormat:
    return next(known for known in FORMATS if name in (*known.suffixes, *known.markers))


@pytest.fixture(params=WRITERS)
def file(request, tmp_path):
    """A good file, and its format."""
    path = tmp_path / (f"rows{request.param}" if request.param[0] == "." else "rows")
    WRITERS[request.param](path)
    return path, kind(request.param)


@pytest.fixture
def registry(monkeypatch):
    """The registry and the imported modules, as they were again after the test."""
    monkeypatch.setattr(file_formats, "FORMATS", list(FORMATS))
    yield
    for name in ("my_readers", f"{readers.__name__}.bits"):
        sys.modules.pop(name, None)


def test_every_format_has_a_file_here():
    assert all(suffix in WRITERS for known in FORMATS for suffix in known.suffixes)
    assert all(set(known.markers) & set(WRITERS) for known in FORMATS if known.markers)


def test_the_rows_are_those_that_were_written(file):
    path, known = file
    before = sorted(path.parent.rglob("*"))
    needed = SPIKES_ALONE if known.read.__module__.endswith((".alf", ".nwb", ".spike_sorting")) else {}
    recording, again = read_recording(path, **needed), read_recording(path, **needed)
    np.testing.assert_array_equal(recording.rows > 0, ROWS > 0)
    np.testing.assert_array_equal(again.rows, recording.rows)
    assert recording.source
    assert sorted(path.parent.rglob("*")) == before


def test_options_of_other_formats_are_refused_by_name(file):
    path, known = file
    for name in set(OPTIONS) - set(known.options):
        with pytest.raises(DataError, match=rf"rows.*: expected no `{name}`, which is for .*: leave it out"):
            read_recording(path, **{name: OPTIONS[name]})


def test_arrays_of_numbers_are_returned_as_they_are(file):
    path, known = file
    if known.read_array is None:
        with pytest.raises(DataError, match="expected an array or a table of numbers"):
            read_array(path)
    else:
        np.testing.assert_array_equal(read_array(path), ROWS)


def test_an_empty_file_is_refused_by_its_path(file):
    path, known = file
    if known.suffixes:
        path.write_bytes(b"")
        with pytest.raises(DataError, match=rf"{path}: the file is empty"):
            read_recording(path)


@pytest.fixture
def bits(tmp_path):
    """A file of a format that the package does not know."""
    path = tmp_path / "rows.bits"
    path.write_text("\n".join("".join(map(str, row)) for row in ROWS))
    return path


def test_a_command_reads_by_the_module_of_a_user(compose_config, bits, tmp_path, monkeypatch, registry):
    (tmp_path / "my_readers.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"expected a name ending in \.a2m, .*, got '\.bits'"):
        read_recording(bits)
    target = "dataset.read._target_=my_readers.read_recording"
    recording = instantiate(compose_config("infer_couplings", f"dataset.path={bits}", target).dataset.read)
    np.testing.assert_array_equal(recording.rows > 0, ROWS > 0)
    assert recording.source == "text of bits; 60 rows of 4 variables"
    assert ".bits" in known_suffixes()
    bits.write_text("01x")
    with pytest.raises(DataError, match=rf"^{bits}: expected lines of 0 and 1"):
        read_recording(bits)


def test_a_new_file_in_the_folder_of_readers_is_found(bits, tmp_path, monkeypatch, registry):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "bits.py").write_text(TOY)
    monkeypatch.setattr(readers, "__path__", [*readers.__path__, str(folder)])
    load_readers.cache_clear()
    np.testing.assert_array_equal(read_recording(bits).rows > 0, ROWS > 0)


def test_the_last_reader_of_a_format_counts(tmp_path, registry):
    @register_reader(".npy", starts=(b"\x93NUMPY",))
    def read_inverted(path: Path, options: Options) -> Raster:
        return Raster(1 - np.load(path), "inverted")

    np.save(tmp_path / "rows.npy", ROWS)
    np.testing.assert_array_equal(read_recording(tmp_path / "rows.npy").rows > 0, ROWS == 0)


def test_the_reader_of_a_user_counts_though_it_is_registered_first(tmp_path):
    (tmp_path / "rows.csv").write_text("10\n01\n11\n")
    (tmp_path / "my_readers.py").write_text(TOY.replace(".bits", ".csv"))
    code = "from my_readers import read_recording; print(read_recording('rows.csv').source)"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "text of bits; 3 rows of 2 variables\n"


def test_memory_that_runs_out_is_told(bits, registry):
    @register_reader(".bits")
    def fail(path: Path, options: Options) -> Raster:
        raise MemoryError

    with pytest.raises(DataError, match="does not fit into memory: give a part of it"):
        read_recording(bits)


@pytest.mark.parametrize(
    ("suffixes", "declared", "expected"),
    [
        ((), {}, "or markers"),
        (("npy",), {}, r"got \['npy'\]"),
        ((".NPY",), {}, r"in lower case such as '\.npy', .*got \['\.NPY'\]"),
        ((".a",), {"options": ("width",)}, "options: expected one of array, bin_width, threshold, got 'width'"),
    ],
)
def test_declarations_that_cannot_be_meant_are_refused(suffixes, declared, expected):
    with pytest.raises(ValueError, match=expected):
        register_reader(*suffixes, **declared)
