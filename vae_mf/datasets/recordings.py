"""Words: which cells fired in each time bin, or any other binary variables, and how to hold some words out."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, Shaped

from vae_mf.arrays import Rows
from vae_mf.checks import require_choice, require_fraction, require_integer
from vae_mf.datasets.files import Options, Raster, about
from vae_mf.datasets.raster_checks import IF_TURNED, active_entries, advise, oriented, require_learnable, turned, usable
from vae_mf.datasets.repeats import ALL, rows_of_repeats
from vae_mf.datasets.user_arrays import read_raster
from vae_mf.rng import generator


@dataclass(frozen=True)
class Recording:
    """The words of the chosen cells, one row per time bin of each repeat, ordered by repeat and then by time.

    A cell stands for any binary variable. Rows without an order in time, such as images and sequences, are a repeat
    each, of one bin.

    Attributes:
        words: Spins (bins, cells), +1 where a cell fired in a bin and -1 where it was silent.
        cells: Indices (cells,) of the chosen cells in the file.
        repeat: Repeat (bins,) that each word comes from.
        time: Bin (bins,) within the repeat, counted from 0: with a repeated stimulus, the time in the movie.
        names: One name per chosen cell, its index in the file if that names none.
        source: How the words were read, one sentence.
        remarks: What a reader of the results should know about the data, a sentence each.
    """

    words: Int8[np.ndarray, "bins cells"]
    cells: Int[np.ndarray, " cells"]
    repeat: Int[np.ndarray, " bins"]
    time: Int[np.ndarray, " bins"]
    names: tuple[str, ...]
    source: str
    remarks: tuple[str, ...]


class Split(NamedTuple):
    """Ascending rows of a recording's words: pairwise disjoint, together all of them unless repeats were chosen."""

    train: Rows
    """Of the chosen repeats; a row comes as often as its repeat was drawn."""
    validation: Rows
    test: Rows


def read_recording(
    path: str | os.PathLike,
    cells: Any = "all",
    variable: str | None = None,
    *,
    transpose: bool = False,
    bin_width: Any = None,
    threshold: Any = None,
    drop_unusable: bool = False,
) -> Recording:
    """Read words from a file: an array or table of 0 and 1 or of -1 and +1, spike times, aligned sequences or images.

    Args:
        path: An npy, npz, mat (v5, v7.3), csv, tsv, txt, parquet, FASTA or idx file, a zarr folder, or a folder of
            pictures. Text, FASTA and idx may be compressed with gzip.
        cells: See `make_recording`.
        variable: Name of the array in an npz, mat or zarr container, if it holds several.
        transpose: Whether to swap the axes of variables and bins.
        bin_width: Width of a time bin in the unit of the file, which then holds spike times: a table with a column for
            the cell and one for the time, a vector of times per cell, or a cell array of vectors.
        threshold: Grey level above which a pixel counts as 1, "median" of each image, or "otsu" (the default).
        drop_unusable: Leave out constant and repeated variables, and say so in the remarks, instead of refusing them;
            of images and sequences they always are.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        PermissionError: It may not be read.
        DataError: The content cannot be used; one sentence says what to do.
        ValueError: An argument is out of range.
    """
    raster = read_raster(path, Options(variable, bin_width, threshold))
    with about(Path(path)):
        return build_recording(raster, cells, transpose, drop_unusable)


def make_recording(
    raster: Shaped[np.ndarray, "..."],
    cells: Any = "all",
    *,
    names: Sequence[str] | None = None,
    transpose: bool = False,
    drop_unusable: bool = False,
) -> Recording:
    """Return the words of the chosen cells of a raster, an array of 0 and 1 or of -1 and +1, of any dtype.

    Args:
        raster: Array (repeats, cells, bins), or (bins, cells) for one repeat.
        cells: ``"all"``, the number of most active cells to keep (by decreasing rate, ties by index), or a list of
            indices or names (kept in its order).
        names: Names of all cells, unless ``transpose`` is set.
        transpose: See `read_recording`.
        drop_unusable: See `read_recording`.

    Raises:
        DataError: The raster is empty, of another dimension or not binary, has fewer words than chosen cells, or a
            chosen cell is always silent, always active, or the same as another one.
        ValueError: ``cells`` does not fit the raster.

    >>> make_recording(np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0]]), cells=[2, 0]).words
    array([[ 1, -1],
           [-1, -1],
           [-1,  1]], dtype=int8)
    """
    with about("raster"):
        return build_recording(Raster(raster, f"array of shape {raster.shape}", names), cells, transpose, drop_unusable)


def build_recording(
    raster: Raster, cells: Any = "all", transpose: bool = False, drop_unusable: bool = False
) -> Recording:
    """Return the words of what a file held; see `make_recording`."""
    drop_unusable |= raster.prunable
    values = oriented(raster.values, transpose)
    held = raster.row_names if transpose else raster.names
    names = [str(k) for k in range(values.shape[1])] if held is None else list(held)
    if len(names) != values.shape[1]:
        raise ValueError(f"names: expected one for each of {values.shape[1]} cells, got {len(names)}")
    active = active_entries(values, names)
    chosen = _choose_cells(active, cells, names)
    repeats, _, bins = active.shape
    hint = f", or set `transpose` {IF_TURNED}" if turned(active.shape) else ""
    words = active[:, chosen].transpose(0, 2, 1).reshape(repeats * bins, chosen.size).astype(np.int8)
    words *= 2
    words -= 1
    if not drop_unusable:
        # First, as a few rows of many variables repeat each other, which would hide a probable transposition.
        require_learnable(words)
    kept, dropped = usable(words, [names[cell] for cell in chosen], drop_unusable, hint)
    words, chosen = words[:, kept], chosen[kept]
    require_learnable(words)
    return Recording(
        words,
        chosen,
        np.repeat(np.arange(repeats), bins),
        np.tile(np.arange(bins), repeats),
        tuple(names[cell] for cell in chosen),
        f"{raster.source}; {len(words)} words of {len(chosen)} variables",
        (*raster.remarks, *dropped, *advise(active.shape, words)),
    )


def _choose_cells(active: Bool[np.ndarray, "repeats cells bins"], cells: Any, names: list[str]) -> np.ndarray:
    """Return the indices that ``cells`` stands for."""
    total = active.shape[1]
    if isinstance(cells, str):
        if cells != "all":
            raise ValueError(f'cells: expected "all", a number of cells or a list of indices or names, got {cells!r}')
        return np.arange(total)
    if isinstance(cells, Iterable):
        return _listed_cells([_index(cell, names) for cell in cells], total)
    if require_integer("cells", cells) > total:
        raise ValueError(f"cells: expected at most the {total} cells of the recording, got {cells}")
    return np.argsort(-active.sum(axis=(0, 2)), kind="stable")[:cells]


def _index(cell: Any, names: list[str]) -> Any:
    """Return the index of a cell that is given by its name; anything else as it is."""
    if not isinstance(cell, str):
        return cell
    if names.count(cell) != 1:
        near = get_close_matches(cell, names, n=1) or names
        raise ValueError(f"cells: expected names that the file has once, such as {near[0]!r}, got {cell!r}")
    return names.index(cell)


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
    recording: Recording,
    split: Any = "random",
    test: Any = 0.1,
    validation: Any = 0.1,
    seed: Any = 0,
    repeats: Any = ALL,
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
        repeats: Of the training words alone, see `repeats.rows_of_repeats`: whatever is chosen, models are judged on
            the same words, and no word is in two parts; with the split ``"repeat"`` no repeat is either.

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
    rows = rows._replace(train=rows.train[rows_of_repeats(recording.repeat[rows.train], repeats)])
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
