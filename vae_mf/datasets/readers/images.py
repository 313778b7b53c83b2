"""Images: files of the MNIST family, folders of pictures, and any picture cropped, subsampled and turned into spins."""

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Shaped, UInt8
from PIL import Image

from vae_mf.checks import require_integer
from vae_mf.datasets.file_formats import register_reader
from vae_mf.datasets.files import (
    BLOCK_BYTES,
    GZIP,
    IDX,
    MOST_VARIABLES,
    DataError,
    Options,
    Raster,
    about,
    read_bytes,
    require_few_variables,
    require_memory,
    require_threshold,
)

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""NumPy types by their code in idx files."""
PICTURES = (".png", ".jpg", ".jpeg")

AGAIN = "download or copy the file again"
Grey = UInt8[np.ndarray, "*images rows columns"]
"""Brightness from 0, black, to 255."""


def read_idx(path: str | os.PathLike) -> Shaped[np.ndarray, "..."]:
    """Return the array of an idx file, the format of MNIST, compressed with gzip or not.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        ValueError: The file is none of idx format, or longer or shorter than its header says.
    """
    with about(path):
        return parse_idx(read_bytes(Path(path)))


def parse_idx(data: bytes) -> Shaped[np.ndarray, "..."]:
    """Return the array that the content of an idx file describes."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES:
        raise DataError(f"expected an idx file, whose first bytes are 0, 0 and a type, got {data[:4]!r}: {AGAIN}")
    kind = np.dtype(IDX_TYPES[data[2]])
    axes = data[3]
    header, body = data[4 : 4 + 4 * axes], data[4 + 4 * axes :]
    if len(header) < 4 * axes:
        raise DataError(f"expected {axes} lengths in the header, got {len(header)} bytes: {AGAIN}")
    shape = np.frombuffer(header, ">u4").tolist()
    size = kind.itemsize * math.prod(shape)
    if len(body) != size:
        raise DataError(f"expected {size} bytes of data, got {len(body)}: {AGAIN}")
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))


@register_reader(IDX, options=("threshold",), starts=(GZIP,))
def read_idx_images(path: Path, options: Options) -> Raster:
    """Return the images of an idx file, a row for each of them and a variable for each pixel."""
    array = parse_idx(read_bytes(path))
    if array.ndim != 3 or array.dtype != np.uint8 or not array.size:
        advice = "give the file of the images, not of their labels"
        raise DataError(f"expected images (number, rows, columns) of uint8, got {array.dtype} {array.shape}: {advice}")
    return image_raster(array, options.threshold, f"idx file of {len(array)} images")


@register_reader(markers=tuple(f"*{suffix}" for suffix in PICTURES), options=("threshold",))
def read_folder(folder: Path, options: Options) -> Raster:
    """Return the pictures of a folder by name, a row for each of them and a variable for each pixel.

    Raises:
        DataError: It holds no pictures, or they differ in size, are damaged, or have more than 8 bits per pixel.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != ".")
    if not paths:
        raise DataError("expected pictures, got none but hidden ones: rename them without a dot in front")
    others = sum(path.name[0] != "." for path in folder.iterdir()) - len(paths)
    images = read_pictures(paths)
    remarks = (f"{others} other files in the folder were left alone",) if others else ()
    return image_raster(images, options.threshold, f"folder of {len(images)} pictures", remarks)


def read_pictures(paths: Sequence[Path]) -> UInt8[np.ndarray, "images rows columns"]:
    """Return the grey values of pictures of one size."""
    images, width, height = [], 0, 0
    for path in paths:
        with opened_picture(path) as picture:
            if not images:
                width, height = picture.size
                require_memory(6 * len(paths) * width * height, "give fewer or smaller pictures")
            if picture.size != (width, height):
                sizes = f"{path.name} of {picture.width} x {picture.height} after {width} x {height} pixels"
                raise DataError(f"expected pictures of one size, got {sizes}: crop or scale them first")
            if picture.mode.startswith(("I", "F")):
                raise DataError(f"expected pictures of 8 bits per pixel, got {path.name} of more: save it as 8 bit")
            images.append(np.asarray(picture.convert("L")))
    return np.stack(images)


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture of not too many pixels, of which none are loaded yet.

    Raises:
        DataError: It is too large, or turns out to be damaged.
    """
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            picture = Image.open(path)
        with picture:
            pixels = picture.width * picture.height
            require_few_variables(pixels, "pixels in a picture", "scale the pictures down")
            yield picture
    except (DataError, PermissionError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"expected at most {MOST_VARIABLES} pixels in a picture, got far more in {path.name}: scale it down"
        ) from error
    except Exception as error:  # Pillow raises errors of almost any type if the content is damaged
        raise DataError(f"picture {path.name} is damaged or no picture: replace or delete it") from error


def image_raster(
    images: UInt8[np.ndarray, "images rows columns"], threshold: Any, source: str, remarks: tuple[str, ...] = ()
) -> Raster:
    """Return images as a raster: each image a repeat of its own, as there is no time among them."""
    number, rows, columns = images.shape
    require_few_variables(rows * columns, "pixels in a picture", "scale the pictures down")
    level = "otsu" if threshold is None else threshold
    level = otsu_level(images) if level == "otsu" else level
    names = [f"{row},{column}" for row in range(rows) for column in range(columns)]
    values = binarise(images, level).reshape(number, rows * columns, 1)
    remark = f"a pixel is 1 where it is brighter than {'the median of its image' if level == 'median' else level}"
    described = f"{source} of {rows} x {columns} pixels"
    return Raster(values, described, names, (*remarks, remark), prunable=True, turnable=False)


def read_image(path: str | os.PathLike, rows: int, columns: int) -> Grey:
    """Return a picture as grey values (rows, columns): its largest centred part of that shape, averaged down.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        ValueError: Pillow cannot read the file, or the picture is smaller than the shape.
    """
    require_integer("rows", rows)
    require_integer("columns", columns)
    try:
        with Image.open(path) as picture:
            grey = picture.convert("L")
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path}: expected a picture that Pillow reads, got a damaged one or another file: replace it"
        ) from error
    if grey.width < columns or grey.height < rows:
        raise ValueError(f"{path}: expected {rows} x {columns} pixels or more, got {grey.height} x {grey.width}")
    box = centred_box(grey.height, grey.width, rows / columns)
    return np.asarray(grey.resize((columns, rows), Image.Resampling.BOX, box=box))


def centred_box(rows: int, columns: int, ratio: float) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the largest centred box with rows / columns = ratio.

    >>> centred_box(4, 10, 1.0)
    (3.0, 0.0, 7.0, 4.0)
    """
    height = min(rows, columns * ratio)
    width = min(columns, rows / ratio)
    left, top = (columns - width) / 2, (rows - height) / 2
    return left, top, left + width, top + height


def binarise(images: Grey, threshold: Any = "otsu") -> Int8[np.ndarray, "*images rows columns"]:
    """Return +1 where an image is brighter than a threshold and -1 elsewhere.

    Args:
        threshold: A number, "median" of each image, or "otsu", the value for all that separates best.

    >>> binarise(np.array([[0, 200], [10, 255]], np.uint8), 128)
    array([[-1,  1],
           [-1,  1]], dtype=int8)
    """
    require_threshold(threshold)
    level = threshold
    if isinstance(threshold, str):
        level = np.median(images, axis=(-2, -1), keepdims=True) if threshold == "median" else otsu_level(images)
    return np.where(images > level, np.int8(1), np.int8(-1))


def otsu_level(images: Grey) -> int:
    """Return the grey value that splits the histogram into two classes of largest variance between (Otsu 1979).

    >>> otsu_level(np.array([[10, 12, 11], [200, 203, 201]], np.uint8))
    12
    """
    greys = images.ravel()
    counts = np.zeros(256)
    # Piece by piece, as numbers of 8 bytes are counted.
    for start in range(0, greys.size, BLOCK_BYTES):
        counts += np.bincount(greys[start : start + BLOCK_BYTES], minlength=256)
    values = np.arange(256)
    below = counts.cumsum()
    above = counts.sum() - below
    sums = (counts * values).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nanargmax(np.where(np.isfinite(between), between, -1.0)))
