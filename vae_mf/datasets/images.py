"""Binary images: files of the MNIST family, and any picture cropped, subsampled and turned into spins."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Shaped, UInt8
from PIL import Image, UnidentifiedImageError

from vae_mf.checks import require_choice, require_integer

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""NumPy types by their code in idx files."""

Grey = UInt8[np.ndarray, "*images rows columns"]
"""Brightness from 0, black, to 255."""


def read_idx(path: str | os.PathLike) -> Shaped[np.ndarray, "..."]:
    """Return the array of an idx file, the format of MNIST, compressed with gzip or not.

    Raises:
        FileNotFoundError: if nothing is at ``path``.
        ValueError: if the file is none of idx format, or longer or shorter than its header says.
    """
    path = Path(path)
    raw = path.read_bytes()
    try:
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise ValueError(f"{path}: expected a complete gzip file, got: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_TYPES:
        raise ValueError(f"{path}: expected an idx file, whose first bytes are 0, 0 and a type, got {data[:4]!r}")
    kind, axes = np.dtype(IDX_TYPES[data[2]]), data[3]
    header, body = data[4 : 4 + 4 * axes], data[4 + 4 * axes :]
    if len(header) < 4 * axes:
        raise ValueError(f"{path}: expected {axes} lengths in the header, got {len(header)} bytes")
    shape = np.frombuffer(header, ">u4").astype(int)
    if len(body) != kind.itemsize * shape.prod():
        raise ValueError(f"{path}: expected {kind.itemsize * shape.prod()} bytes of data, got {len(body)}")
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))


def read_image(path: str | os.PathLike, rows: int, columns: int) -> Grey:
    """Return a picture as grey values (rows, columns): its largest centred part of that shape, averaged down.

    Raises:
        FileNotFoundError: if nothing is at ``path``.
        ValueError: if Pillow cannot read the file, or it is smaller than the shape.
    """
    require_integer("rows", rows)
    require_integer("columns", columns)
    try:
        with Image.open(path) as picture:
            grey = picture.convert("L")
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: expected a picture that Pillow reads, got another file") from error
    if grey.width < columns or grey.height < rows:
        raise ValueError(f"{path}: expected {rows} x {columns} pixels or more, got {grey.height} x {grey.width}")
    box = centred_box(grey.height, grey.width, rows / columns)
    return np.asarray(grey.resize((columns, rows), Image.Resampling.BOX, box=box))


def centred_box(rows: int, columns: int, ratio: float) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the largest centred box with rows / columns = ratio."""
    height, width = min(rows, columns * ratio), min(columns, rows / ratio)
    left, top = (columns - width) / 2, (rows - height) / 2
    return left, top, left + width, top + height


def binarise(images: Grey, threshold: Any = "otsu") -> Int8[np.ndarray, "*images rows columns"]:
    """Return +1 where an image is brighter than a threshold and -1 elsewhere.

    Args:
        images: grey values, shape (..., rows, columns).
        threshold: a number, "median" of each image, or "otsu", the value for all that separates best.

    Raises:
        ValueError: if the threshold is neither a number nor one of these words.

    >>> binarise(np.array([[0, 200], [10, 255]], np.uint8), 128)
    array([[-1,  1],
           [-1,  1]], dtype=int8)
    """
    if isinstance(threshold, str):
        rule = require_choice("threshold", threshold, ("median", "otsu"))
        level = np.median(images, axis=(-2, -1), keepdims=True) if rule == "median" else otsu_level(images)
    elif isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool):
        level = threshold
    else:
        raise ValueError(f"threshold: expected a number, median or otsu, got {threshold!r}")
    return np.where(images > level, np.int8(1), np.int8(-1))


def otsu_level(images: Grey) -> int:
    """Return the grey value that splits the histogram into two classes of largest variance between (Otsu 1979)."""
    counts = np.bincount(images.ravel(), minlength=256).astype(np.float64)
    values = np.arange(256)
    below, above = counts.cumsum(), counts.sum() - counts.cumsum()
    sums = (counts * values).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nanargmax(np.where(np.isfinite(between), between, -1.0)))
