"""Images: idx files written by hand, crops that lose nothing they should keep, thresholds; MNIST where it is at hand.

VAE_MF_MNIST names a folder with the four files of MNIST; without it their test is skipped.
"""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vae_mf.datasets.readers.images import binarise, centred_box, otsu_level, read_idx, read_image
from vae_mf.datasets.recording import read_recording

MNIST = os.environ.get("VAE_MF_MNIST")


def idx_bytes(code, shape, body):
    return bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes() + body


@pytest.mark.parametrize(("code", "kind"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
@pytest.mark.parametrize("compressed", [False, True])
def test_idx_files_round_trip(tmp_path, code, kind, compressed):
    values = np.arange(24).reshape(2, 3, 4).astype(f">{kind}")
    data = idx_bytes(code, values.shape, values.tobytes())
    path = tmp_path / "images.idx"
    path.write_bytes(gzip.compress(data, mtime=0) if compressed else data)
    found = read_idx(path)
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.dtype(kind)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello", "expected an idx file"),
        (b"", "expected an idx file"),
        (idx_bytes(8, (2, 2), b"abc"), "expected 4 bytes of data, got 3"),
        (idx_bytes(8, (2, 2), b"abcd")[:9], "expected 2 lengths in the header, got 5 bytes"),
        (gzip.compress(idx_bytes(8, (2, 2), b"abcd"), mtime=0)[:-9], "the gzip data are damaged or cut short"),
    ],
    ids=["text", "empty", "short", "short header", "cut gzip"],
)
def test_broken_idx_files_are_refused(tmp_path, data, message):
    path = tmp_path / "broken"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_pictures_are_cropped_to_the_centre_and_averaged(tmp_path):
    grey = np.zeros((40, 100), np.uint8)
    grey[:20, 30:70] = 200
    Image.fromarray(grey).convert("RGB").save(tmp_path / "picture.png")
    found = read_image(tmp_path / "picture.png", 4, 4)
    np.testing.assert_array_equal(found, [[200] * 4] * 2 + [[0] * 4] * 2)
    assert read_image(tmp_path / "picture.png", 40, 100).tolist() == grey.tolist()


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.1, 10))
def test_boxes_lie_inside_touch_two_borders_and_have_the_ratio(rows, columns, ratio):
    left, top, right, bottom = centred_box(rows, columns, ratio)
    assert min(left, top, columns - right, rows - bottom) > -1e-9
    assert (bottom - top) / (right - left) == pytest.approx(ratio)
    assert left + right == pytest.approx(columns)
    assert top + bottom == pytest.approx(rows)
    assert min(left, top) == pytest.approx(0, abs=1e-9)


def test_pictures_that_cannot_serve_are_refused(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="expected a picture that Pillow reads"):
        read_image(tmp_path / "text.png", 4, 4)
    Image.new("L", (10, 5)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match="expected 6 x 6 pixels or more, got 5 x 10"):
        read_image(tmp_path / "small.png", 6, 6)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "absent.png", 4, 4)


def test_thresholds():
    image = np.array([[0, 10, 12], [200, 210, 250]], np.uint8)
    np.testing.assert_array_equal(binarise(image, 11), [[-1, -1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(binarise(image, "median"), [[-1] * 3, [1] * 3])
    np.testing.assert_array_equal(binarise(image), [[-1] * 3, [1] * 3])
    assert 12 <= otsu_level(image) < 200
    assert set(np.unique(binarise(np.full((3, 3), 7, np.uint8)))) <= {-1, 1}
    for wrong in ("mean", None, True):
        with pytest.raises(ValueError, match="threshold: expected"):
            binarise(image, wrong)


@pytest.mark.skipif(MNIST is None, reason="VAE_MF_MNIST does not name the folder of MNIST")
def test_mnist_is_read_as_published():
    folder = Path(str(MNIST))
    images, labels = (read_idx(folder / f"train-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    assert images.shape == (60_000, 28, 28)
    assert (labels == 8).sum() == 5851
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    assert hashlib.md5(header + images.tobytes()).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"


def save_folder(folder, images, suffix=".png"):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}{suffix}")


@pytest.mark.parametrize("form", ["idx", "idx.gz", "png", "rgb"])
def test_images_are_words_of_their_pixels(tmp_path, form):
    grey = (np.random.default_rng(0).integers(0, 2, (40, 2, 3)) * 180 + 20).astype(np.uint8)
    if form.startswith("idx"):
        data = idx_bytes(8, grey.shape, grey.tobytes())
        path = tmp_path / f"digits.{form}"
        path.write_bytes(gzip.compress(data, mtime=0) if form == "idx.gz" else data)
    else:
        path = tmp_path / "faces"
        save_folder(path, grey if form == "png" else np.repeat(grey[..., None], 3, axis=-1))
        (path / "readme.md").write_text("faces")
    recording = read_recording(path)
    np.testing.assert_array_equal(recording.rows > 0, grey.reshape(40, 6) > 100)
    assert recording.names == ("0,0", "0,1", "0,2", "1,0", "1,1", "1,2")
    np.testing.assert_array_equal(recording.repeat, np.arange(40))
    assert not recording.time.any()
    assert "2 x 3 pixels" in recording.source
    assert any("1 other files" in remark for remark in recording.remarks) == (form in ("png", "rgb"))


def test_the_threshold_of_a_file_of_images_is_the_users(tmp_path):
    grey = np.random.default_rng(1).integers(0, 256, (60, 1, 3)).astype(np.uint8)
    (tmp_path / "a.idx").write_bytes(idx_bytes(8, grey.shape, grey.tobytes()))
    np.testing.assert_array_equal(read_recording(tmp_path / "a.idx", threshold=40).rows > 0, grey[:, 0] > 40)
    median = read_recording(tmp_path / "a.idx", threshold="median")
    np.testing.assert_array_equal(median.rows > 0, grey[:, 0] > np.median(grey, axis=(1, 2))[:, None])
    assert any("brighter than 40" in remark for remark in read_recording(tmp_path / "a.idx", threshold=40).remarks)


def test_dark_borders_are_left_out_and_told(tmp_path):
    grey = np.random.default_rng(1).integers(0, 2, (60, 2, 2)).astype(np.uint8) * 255
    save_folder(tmp_path / "a", np.pad(grey, ((0, 0), (1, 0), (0, 0))))
    recording = read_recording(tmp_path / "a")
    np.testing.assert_array_equal(recording.rows > 0, grey.reshape(60, 4) > 0)
    assert any("2 variables never change and were left out: 0,0, 0,1" in remark for remark in recording.remarks)
