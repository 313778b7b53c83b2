"""Spike words: which cells of a recording fired in each time bin, and how to hold some of the words out."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, Shaped

from vae_mf.arrays import Rows
from vae_mf.checks import require_choice, require_fraction, require_integer
from vae_mf.datasets.user_arrays import read_array
from vae_mf.rng import generator


@dataclass(frozen=True)
class Recording:
    """The words of the chosen cells, one row per time bin of each repeat, ordered by repeat and then by time.

    Attributes:
        words: Spins (bins, cells), +1 where a cell fired in a bin and -1 where it was silent.
        cells: Indices (cells,) of the chosen cells in the file.
        repeat: Repeat (bins,) that each word comes from.
        time: Bin (bins,) within the repeat, counted from 0: with a repeated stimulus, the time in the movie.
    """

    words: Int8[np.ndarray, "bins cells"]
    cells: Int[np.ndarray, " cells"]
    repeat: Int[np.ndarray, " bins"]
    time: Int[np.ndarray, " bins"]


class Split(NamedTuple):
    """Ascending rows of a recording's words: pairwise disjoint, together all of them."""

    train: Rows
    validation: Rows
    test: Rows


def read_recording(path: str | os.PathLike, cells: Any = "all", variable: str | None = None) -> Recording:
    """Read a recording from a file; see `read_array` for formats and ``variable``, `make_recording` for the rest."""
    return make_recording(read_array(path, variable), cells)


def make_recording(raster: Shaped[np.ndarray, "..."], cells: Any = "all") -> Recording:
    """Return the words of the chosen cells of a raster, an array of 0 and 1 or of -1 and +1, of any dtype.

    Args:
        raster: Array (repeats, cells, bins), or (bins, cells) for one repeat.
        cells: ``"all"``, the number of most active cells to keep (by decreasing rate, ties by index), or a list of
            indices (kept in its order).

    Raises:
        ValueError: The raster is empty, of another dimension or not binary, ``cells`` does not fit it, or a chosen cell
            is always silent or always active.

    >>> make_recording(np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0]]), cells=2).words
    array([[ 1, -1],
           [ 1, -1],
           [-1,  1]], dtype=int8)
    """
    active = _active(_with_repeats(raster))
    chosen = _choose_cells(active, cells)
    repeats, _, bins = active.shape
    words = active[:, chosen].transpose(0, 2, 1).reshape(repeats * bins, chosen.size).astype(np.int8)
    words *= 2
    words -= 1
    check_varying(words, chosen)
    return Recording(words, chosen, np.repeat(np.arange(repeats), bins), np.tile(np.arange(bins), repeats))


def _with_repeats(raster: np.ndarray) -> np.ndarray:
    """Return the raster as (repeats, cells, bins)."""
    if raster.ndim not in (2, 3):
        raise ValueError(f"raster: expected (repeats, cells, bins) or (bins, cells), got shape {raster.shape}")
    if raster.size == 0:
        raise ValueError(f"raster: expected at least one cell and one bin, got shape {raster.shape}")
    return raster if raster.ndim == 3 else raster.T[np.newaxis]


def _active(raster: np.ndarray) -> Bool[np.ndarray, "repeats cells bins"]:
    """Return where a raster is 1, after checking that all else is 0 or all else is -1."""
    active = raster == 1
    if any((active | (raster == silent)).all() for silent in (0, -1)):
        return active
    if not np.isfinite(raster).all():
        raise ValueError("raster: expected entries 0 and 1 or -1 and +1, got values that are not finite")
    seen = np.unique(raster)[:5].tolist()
    raise ValueError(f"raster: expected entries 0 and 1 or -1 and +1, got values such as {seen}")


def _choose_cells(active: Bool[np.ndarray, "repeats cells bins"], cells: Any) -> np.ndarray:
    """Return the indices that ``cells`` stands for."""
    total = active.shape[1]
    if isinstance(cells, str):
        if cells != "all":
            raise ValueError(f'cells: expected "all", a number of cells or a list of indices, got {cells!r}')
        return np.arange(total)
    if isinstance(cells, Iterable):
        return _listed_cells(cells, total)
    if require_integer("cells", cells) > total:
        raise ValueError(f"cells: expected at most the {total} cells of the recording, got {cells}")
    return np.argsort(-active.sum(axis=(0, 2)), kind="stable")[:cells]


def _listed_cells(cells: Iterable, total: int) -> np.ndarray:
    listed = np.array([require_integer("cells", cell, minimum=0) for cell in cells], dtype=np.intp)
    if listed.size == 0 or listed.max() >= total or np.unique(listed).size != listed.size:
        raise ValueError(f"cells: expected different indices from 0 to {total - 1}, got {listed.tolist()}")
    return listed


def check_varying(
    words: Int8[np.ndarray, "bins cells"], cells: Int[np.ndarray, " cells"], where: str = "recording"
) -> None:
    """Raise ValueError if a cell is constant over all words, naming it by its entry in ``cells``."""
    silent = cells[words.max(axis=0) == -1].tolist()
    active = cells[words.min(axis=0) == 1].tolist()
    found = [f"always {state}: {which}" for state, which in (("silent", silent), ("active", active)) if which]
    if found:
        raise ValueError(f"cells: expected each to be both silent and active in the {where}, got {', '.join(found)}")


def split_words(
    recording: Recording, split: Any = "random", test: Any = 0.1, validation: Any = 0.1, seed: Any = 0
) -> Split:
    """Split the words of a recording into training, validation and test rows.

    ``"random"`` holds random bins out. Where a stimulus is repeated they leak: the words of a held-out bin share their
    movie time with training words of other repeats, so that a model that only memorises the movie scores well, and
    the ranking of models can turn around on movie time that none of them has seen. Draw conclusions from ``"time"``.

    Args:
        recording: The words to split.
        split: ``"random"`` bins; ``"time"``: the last stretch of the movie in all repeats is the test set, the stretch
            before it validation; or ``"repeat"``: the last repeats are the test set, those before them validation.
        test: Fraction of bins, movie time or repeats in the test set, rounded to a whole number of them.
        validation: The same for the validation set.
        seed: Seed of the random split; the other two draw nothing.

    Raises:
        ValueError: An argument is out of range, a part would be empty, or a cell is constant in the training part.
    """
    require_choice("split", split, ["random", "time", "repeat"])
    units = {"random": np.arange(len(recording.words)), "time": recording.time, "repeat": recording.repeat}[split]
    count = int(units.max()) + 1
    sizes = _part_sizes(split, count, test, validation)
    part = np.repeat(np.arange(3), sizes)
    if split == "random":
        part = generator(require_integer("seed", seed, minimum=0), "split").permutation(part)
    rows = Split(*(np.flatnonzero(part[units] == index) for index in range(3)))
    check_varying(recording.words[rows.train], recording.cells, where="training part")
    return rows


def _part_sizes(split: str, count: int, test: Any, validation: Any) -> tuple[int, int, int]:
    """Return how many of ``count`` bins, movie times or repeats go to training, validation and test."""
    validation_size = round(require_fraction("validation", validation) * count)
    test_size = round(require_fraction("test", test) * count)
    sizes = (count - validation_size - test_size, validation_size, test_size)
    if min(sizes) < 1:
        unit = {"random": "bins", "time": "movie times", "repeat": "repeats"}[split]
        parts = ", ".join(f"{name} {size}" for name, size in zip(Split._fields, sizes, strict=True))
        raise ValueError(f"split: expected enough {unit} for each part, got {parts} of {count}")
    return sizes
