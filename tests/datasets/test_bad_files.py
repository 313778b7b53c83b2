"""Every bad file gives one documented error with one sentence; bytes at random give a recording or such an error."""

import io
import os
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from helpers import PROJECT_ROOT
from helpers.bad_files import BAD_FILES, DOCUMENT, document, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vae_mf.datasets.file_formats import known_suffixes
from vae_mf.datasets.files import DataError
from vae_mf.datasets.recording import Recording, read_recording

DOCUMENTED = (DataError, FileNotFoundError, PermissionError)
WORDS = np.random.default_rng(2).integers(0, 2, (30, 3)).astype(np.uint8)


def test_there_are_many_kinds():
    assert len({bad.kind for bad in BAD_FILES}) == len(BAD_FILES) >= 30


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.kind)
def test_a_bad_file_gives_one_sentence_that_says_what_to_do(tmp_path, bad):
    error, said = sentence(bad, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert type(error) in DOCUMENTED
    assert bad.phrase in said
    assert said.startswith(f"{bad.name}: ")
    assert "\n" not in said
    # What is wrong, and what to do about it.
    assert said.count(": ") >= 2
    assert sorted(tmp_path.rglob("*")) == before


def test_the_document_is_up_to_date():
    assert DOCUMENT.read_text() == document()
    assert f"[{len(BAD_FILES)} examples](docs/bad_files.md)" in (PROJECT_ROOT / "README.md").read_text()


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "words.npy"
    np.save(path, WORDS)

    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"words\.npy: expected a file that may be read, got no permission"):
        read_recording(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_whose_mode_forbids_reading(tmp_path):
    path = tmp_path / "words.npy"
    np.save(path, WORDS)
    path.chmod(0)
    with pytest.raises(PermissionError, match="expected a file that may be read"):
        read_recording(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"bin_width": 0}, "bin_width: expected a finite number > 0, got 0"),
        ({"bin_width": "20 ms"}, "bin_width: expected a finite number > 0, got '20 ms'"),
        ({"threshold": "mean"}, "threshold: expected one of median, otsu, got 'mean'"),
        ({"threshold": True}, "threshold: expected a number, median or otsu, got True"),
        ({"variables": 7}, "variables: expected at most the 3 variables"),
    ],
)
def test_options_out_of_range_are_refused_by_name(tmp_path, options, expected):
    np.save(tmp_path / "words.npy", WORDS)
    with pytest.raises(ValueError, match=expected):
        read_recording(tmp_path / "words.npy", **options)


def outcome(content: bytes, suffix: str, **options) -> Recording | None:
    """Return what reading some bytes gives, None for a documented error of one sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"words{suffix}"
        path.write_bytes(content)
        result = attempt(path, **options)
        assert list(Path(folder).iterdir()) == [path]
    if isinstance(result, Recording):
        return result
    assert result.startswith(f"{path}: ")
    assert "\n" not in result
    return None


def attempt(path: Path, **options) -> Recording | str:
    """Return the recording of a path, or what a documented error says."""
    try:
        return read_recording(path, **options)
    except DOCUMENTED as error:
        return str(error)


def check(recording: Recording | None) -> None:
    """Assert that a recording is one: words of -1 and +1 that vary, enough of them, named."""
    if recording is None:
        return
    words = recording.rows
    assert words.dtype == np.int8
    assert set(np.unique(words)) == {-1, 1}
    assert (words.min(axis=0) < words.max(axis=0)).all()
    assert words.shape == (len(recording.repeat), len(recording.names))
    assert len(words) >= max(2, words.shape[1])
    assert recording.source


@given(st.binary(max_size=400), st.sampled_from([*known_suffixes(), ".csv.gz", ".png", ".zarr", ""]), st.booleans())
@settings(max_examples=400)
def test_any_bytes_give_a_recording_or_a_documented_error(content, suffix, spikes):
    check(outcome(content, suffix, **({"bin_width": 0.5} if spikes else {})))


SYMBOLS = st.sampled_from(
    [*"01,;\t\n.-+eE\"' #>ACG", "true", "nan", "inf", "1e999", "9e300", "neuron,time\n", "a,b\n", "\r\n", "0,1\n", "é"]
)


@given(st.lists(SYMBOLS, max_size=60), st.sampled_from([".csv", ".tsv", ".txt", ".fasta"]), st.booleans())
@settings(max_examples=400)
def test_any_text_gives_a_recording_or_a_documented_error(symbols, suffix, spikes):
    options = {"bin_width": 0.5} if spikes and suffix != ".fasta" else {"drop_unusable": spikes}
    check(outcome("".join(symbols).encode(), suffix, **options))


def saved(suffix: str) -> bytes:
    """Return the content of a good file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"good{suffix}"
        if suffix == ".npz":
            np.savez_compressed(path, words=WORDS, rate=20.0)
        elif suffix == ".mat":
            scipy.io.savemat(path, {"words": WORDS, "rate": 20.0}, do_compression=True)
        elif suffix == ".parquet":
            pd.DataFrame(WORDS, columns=list("abc")).to_parquet(path)
        elif suffix == "73.mat":
            with h5py.File(path, "w") as file:
                file["words"] = WORDS.T
        elif suffix == ".idx":
            images = np.repeat(np.repeat(WORDS, 2, axis=0), 2, axis=1).reshape(60, 2, 3) * 200
            path.write_bytes(bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes())
        elif suffix == ".fasta":
            path.write_text("".join(f">s{k}\n{''.join('AC'[entry] for entry in row)}\n" for k, row in enumerate(WORDS)))
        elif suffix == ".csv":
            pd.DataFrame(WORDS, columns=list("abc")).to_csv(path)
        else:
            np.save(path, WORDS)
        return path.read_bytes()


GOOD = {suffix: saved(suffix) for suffix in (".npy", ".npz", ".mat", "73.mat", ".csv", ".parquet", ".fasta", ".idx")}


@pytest.mark.parametrize("suffix", GOOD)
def test_the_good_files_are_read(suffix):
    recording = outcome(GOOD[suffix], suffix)
    assert recording is not None
    check(recording)


@pytest.mark.parametrize("suffix", GOOD)
@given(data=st.data())
@settings(max_examples=60)
def test_a_mutated_file_gives_a_recording_or_a_documented_error(suffix, data):
    content = bytearray(GOOD[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    check(outcome(bytes(content[:end]), suffix))


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10_000))
@settings(max_examples=60)
def test_a_mutated_picture_gives_a_recording_or_a_documented_error(splice, place):
    buffer = io.BytesIO()
    Image.fromarray(WORDS[:6] * 200).save(buffer, "png")
    content = bytearray(buffer.getvalue())
    place %= len(content)
    content[place : place + len(splice)] = splice
    with tempfile.TemporaryDirectory() as folder:
        for number in range(20):
            Image.fromarray(np.roll(WORDS, number, axis=0)[:6] * 200).save(Path(folder) / f"{number}.png")
        (Path(folder) / "5.png").write_bytes(content)
        result = attempt(Path(folder))
    if isinstance(result, Recording):
        check(result)
    else:
        assert "\n" not in result
