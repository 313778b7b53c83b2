"""Splits of a recording into rows to train on, to choose on and to judge on, and choices of training repeats."""

import re
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Int8

from vae_mf.arrays import Rows
from vae_mf.checks import require_choice, require_fraction, require_integer
from vae_mf.datasets.recording import Recording
from vae_mf.rng import generator

ALL = "all"
HALVES = ("first_half", "second_half")
BOOTSTRAP = re.compile(r"bootstrap_(\d+)", re.ASCII)
"""A bootstrap sample by its seed."""
PIECES = 20
"""Pieces of rows that follow each other, of which fewer training rows are made."""
UNITS = {"random": "rows", "time": "movie times", "repeat": "repeats"}
"""Units that each split holds out as a whole."""


class Split(NamedTuple):
    """Ascending indices of the rows of a recording: pairwise disjoint, together all unless repeats were chosen.

    >>> from vae_mf.datasets import make_recording, split_rows
    >>> split = split_rows(make_recording(np.arange(40).reshape(20, 2) % 3 % 2), "time", test=0.2)
    >>> split.train.shape, split.validation, split.test
    ((14,), array([14, 15]), array([16, 17, 18, 19]))
    """

    train: Rows
    """Rows of the chosen repeats, each as often as its repeat was drawn, or fewer of them."""
    validation: Rows
    """Rows to choose on, such as the epoch of a training."""
    test: Rows
    """Rows to judge on, once."""


def split_rows(
    recording: Recording,
    split: Any = "random",
    test: Any = 0.1,
    validation: Any = 0.1,
    seed: Any = 0,
    repeats: Any = ALL,
    folds: Any = 1,
    fold: Any = 0,
    training_rows: Any = ALL,
) -> Split:
    """Split a recording into training, validation and test rows.

    ``"random"`` holds random rows out. Where a stimulus is repeated they leak: a held-out row shares its movie time
    with training rows of other repeats, so that a model that only memorises the movie scores well, and the ranking of
    models can turn around on movie time that none of them has seen. Draw conclusions from ``"time"``.

    Args:
        recording: The recording to split.
        split: ``"random"`` rows; ``"time"``: the last part of the movie in all repeats is the test set, the part
            before it validation; or ``"repeat"``: the last repeats are the test set, those before them validation.
        test: Fraction of rows, movie time or repeats in the test set, rounded to a whole number of them.
        validation: Fraction of rows, movie time or repeats in the validation set, rounded likewise.
        seed: Seed of the random split; the other two draw nothing.
        folds: Number of equal parts of rows, movie time or repeats, each of which is the test set of one fold, in place
            of the fraction ``test``; 1 for that fraction. Validation is what comes before the test set, the last part
            before the first.
        fold: Number of the fold, from 0.
        repeats: Choice among the training rows alone, see `rows_of_repeats`: models are always judged on the same
            rows, and no row is in two parts; with the split ``"repeat"`` no repeat is either.
        training_rows: ``"all"``, or the number of these that are kept, see `in_pieces`: a point of a learning curve.

    Returns:
        Ascending indices of the training, validation and test rows.

    Raises:
        ValueError: An argument is out of range, a part would be empty, or a variable is constant in the training part.

    >>> from vae_mf.datasets import make_recording
    >>> split_rows(make_recording(np.arange(40).reshape(20, 2) % 3 % 2), "time").test
    array([18, 19])
    """
    units = units_of(recording, require_choice("split", split, UNITS))
    folds = require_integer("folds", folds)
    fold = require_integer("fold", fold, minimum=0)
    if fold >= folds:
        raise ValueError(f"fold: expected a number below {folds}, that of the folds, got {fold}")
    sizes = part_sizes(units, test, validation, folds)
    if min(sizes) < 1:
        parts = ", ".join(f"{name} {size}" for name, size in zip(Split._fields, sizes, strict=True))
        others = "other fractions of validation and test" if folds == 1 else "fewer folds, more validation"
        possible = " or ".join(possible_splits(recording, test, validation, folds)) or f"{others}, or more data"
        raise ValueError(
            f"split: expected {possible}, got {split} with too few {UNITS[split]}: {parts} of {sum(sizes)}"
        )
    part = np.repeat(np.arange(3), sizes) if folds == 1 else fold_parts(int(units.max()) + 1, sizes[1], folds, fold)
    if split == "random":
        part = generator(require_integer("seed", seed, minimum=0), "split").permutation(part)
    rows = Split(*(np.flatnonzero(part[units] == index) for index in range(3)))
    train = rows.train[rows_of_repeats(recording.repeat[rows.train], repeats)]
    rows = rows._replace(train=train if training_rows == ALL else in_pieces(train, training_rows))
    check_varying(recording.rows[rows.train], recording.variables, where="training part")
    return rows


def fold_parts(units: int, validation: int, folds: int, fold: int) -> Int[np.ndarray, " units"]:
    """Return the part of every unit, 0 to train on, 1 validation, 2 test, the units in a circle.

    >>> fold_parts(8, 1, folds=4, fold=0)
    array([2, 2, 0, 0, 0, 0, 0, 1])
    """
    part = np.zeros(units, dtype=int)
    tested = np.array_split(np.arange(units), folds)[fold]
    part[tested] = 2
    part[(tested[0] - 1 - np.arange(validation)) % units] = 1
    return part


def in_pieces(rows: Rows, count: Any) -> Int[np.ndarray, " kept"]:
    """Return so many of some rows, in pieces that follow each other and are spread over all of them.

    >>> in_pieces(np.arange(1000), 60)[:6]
    array([ 0,  1,  2, 50, 51, 52])

    Raises:
        ValueError: if there are fewer rows.
    """
    count = require_integer("training_rows", count)
    if count > len(rows):
        raise ValueError(f"training_rows: expected at most the {len(rows)} that there are, or all, got {count}")
    sizes = map(len, np.array_split(np.arange(count), PIECES))
    return np.concatenate([piece[:size] for piece, size in zip(np.array_split(rows, PIECES), sizes, strict=True)])


def units_of(recording: Recording, split: str) -> Rows:
    """Return the number of the unit, held out as a whole by a split, that each row belongs to."""
    return {"random": np.arange(len(recording.rows)), "time": recording.time, "repeat": recording.repeat}[split]


def part_sizes(units: Rows, test: Any, validation: Any, folds: int = 1) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test units, those of the smallest fold if there are several."""
    count = int(units.max()) + 1
    validation_size = round(require_fraction("validation", validation) * count)
    test_size = count // folds if folds > 1 else round(require_fraction("test", test) * count)
    return count - validation_size - test_size, validation_size, test_size


def possible_splits(recording: Recording, test: Any, validation: Any, folds: int = 1) -> list[str]:
    """Return the splits of which no part would be empty.

    >>> from vae_mf.datasets import make_recording
    >>> possible_splits(make_recording(np.arange(40).reshape(20, 2) % 3 % 2), 0.1, 0.1)
    ['random', 'time']
    """
    return [split for split in UNITS if min(part_sizes(units_of(recording, split), test, validation, folds)) >= 1]


def rows_of_repeats(repeat: Int[np.ndarray, " total"], chosen: Any) -> Rows:
    """Return the ascending rows of the chosen repeats; those of a repeat that was drawn n times come n times each.

    Rows of one repeat follow each other in time, and rows of different repeats are drawn anew from the same stimulus:
    whole repeats are what another recording of the same experiment would bring more of.

    Args:
        repeat: Repeat (total,) that each row comes from.
        chosen: ``"all"``; ``"first_half"`` or ``"second_half"`` of the repeats in their order, the middle one of an odd
            number in the second; or ``"bootstrap_SEED"``: as many as there are, drawn with replacement.

    Raises:
        ValueError: ``chosen`` is none of these, or there is one repeat only.

    >>> rows_of_repeats(np.array([0, 0, 1, 1, 2]), "second_half")
    array([2, 3, 4])
    """
    drawn = BOOTSTRAP.fullmatch(str(chosen))
    if chosen == ALL:
        return np.arange(len(repeat))
    if chosen not in HALVES and not drawn:
        expected = ", ".join((ALL, *HALVES))
        raise ValueError(f"repeats: expected {expected} or bootstrap_SEED such as bootstrap_1, got {chosen!r}")
    names, index = np.unique(repeat, return_inverse=True)
    total = len(names)
    if total < 2:
        raise ValueError(f"repeats: expected at least 2 repeats to take {chosen} of, got {total}; set repeats to all")
    if drawn:
        picked = generator(int(drawn[1]), "repeats").integers(total, size=total)
    else:
        picked = np.array_split(np.arange(total), [total // 2])[HALVES.index(chosen)]
    return np.repeat(np.arange(len(repeat)), np.bincount(picked, minlength=total)[index])


def check_varying(
    rows: Int8[np.ndarray, "rows variables"], variables: Int[np.ndarray, " variables"], where: str = "recording"
) -> None:
    """Raise ValueError if a variable is constant over all rows, naming it by its entry in ``variables``.

    >>> check_varying(np.array([[1, -1], [1, 1]], np.int8), np.array([7, 9]))
    Traceback (most recent call last):
    ValueError: variables: expected each to be both silent and active in the recording, got always active: [7]
    """
    silent = variables[rows.max(axis=0) == -1].tolist()
    active = variables[rows.min(axis=0) == 1].tolist()
    found = [f"always {state}: {which}" for state, which in (("silent", silent), ("active", active)) if which]
    if found:
        raise ValueError(
            f"variables: expected each to be both silent and active in the {where}, got {', '.join(found)}"
        )
