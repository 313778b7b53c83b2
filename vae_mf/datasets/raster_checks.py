"""Checks that an array can be learned from: binary, oriented, with variables that vary and differ, and enough rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, Shaped, UInt8

from vae_mf.datasets.files import DataError, listed

TURNING = "set `transpose`"
IF_TURNED = "if the axes are (repeats, bins, variables)"
BLOCK = 4096
"""Rows that are packed at a time, a multiple of 8."""
FEW_ROWS = 10
"""Fewer rows than this for each variable leave wide error bars."""


class Usable(NamedTuple):
    """Positions (kept,) of the variables to keep, and a remark for each reason why others were left out."""

    kept: Int[np.ndarray, " kept"]
    remarks: tuple[str, ...]


def oriented(values: Shaped[np.ndarray, "..."], transpose: bool) -> Shaped[np.ndarray, "repeats variables bins"]:
    """Return an array with axes (repeats, variables, bins), the last two swapped first if that is asked.

    An array (rows, variables) is one repeat.

    Raises:
        DataError: The array has another number of axes, no entry, or no numbers.
    """
    if values.dtype.kind not in "biuf":
        raise DataError(f"expected numbers, got an array of {values.dtype}: turn the entries into 0 and 1")
    if values.ndim not in (2, 3):
        raise DataError(
            f"expected (repeats, variables, bins) or (rows, variables), got shape {values.shape}: "
            "reshape it to one of these"
        )
    if values.size == 0:
        raise DataError(f"expected at least one variable and one row, got shape {values.shape}: save the data again")
    swapped = values.swapaxes(-1, -2) if transpose else values
    return swapped if values.ndim == 3 else swapped.T[np.newaxis]


def active_entries(
    raster: Shaped[np.ndarray, "repeats variables bins"], names: Sequence[str]
) -> Bool[np.ndarray, "repeats variables bins"]:
    """Return where a raster is 1, after checking that all else is 0 or all else is -1.

    Raises:
        DataError: There are other values; the first of them is named.
    """
    active = raster == 1
    for silent in (0, -1):
        known = raster == silent
        known |= active
        if known.all():
            return active
    if np.isnan(raster).any():
        where = _position(~np.isnan(raster), names)
        raise DataError(
            f"expected entries 0 and 1 or -1 and +1, got nothing or NaN in {where}: "
            "fill such entries or delete their rows; infer-couplings takes them as they are"
        )
    if not np.isfinite(raster).all():
        where = _position(np.isfinite(raster), names)
        raise DataError(
            f"expected entries 0 and 1 or -1 and +1, got values that are not finite, first in {where}: "
            "fill such entries or delete their rows"
        )
    found = np.unique(raster)[:5]
    digits = ".3g" if not np.isin([float(f"{value:.3g}") for value in found], (-1, 0, 1)).all() else ".12g"
    seen = "[" + ", ".join(f"{value:{digits}}" for value in found) + "]"
    # An advice of x > 0 would make one class of 1 and 2.
    least = 0 if found[0] <= 0 < raster.max() else found[0]
    wrong = (raster != 0) & ~active & (raster != -1)
    where = f", first in {_position(~wrong, names)}" if wrong.any() else ""
    raise DataError(
        f"expected entries 0 and 1 or -1 and +1, got values such as {seen}{where}: "
        f"turn them into two classes, as in x > {least:{digits}}, or delete columns that are no binary variables"
    )


def missing_entries(
    raster: Shaped[np.ndarray, "repeats variables bins"],
) -> Bool[np.ndarray, "repeats variables bins"]:
    """Return where a raster is NaN."""
    return np.isnan(raster) if raster.dtype.kind == "f" else np.zeros(raster.shape, dtype=bool)


def _position(fine: Bool[np.ndarray, "repeats variables bins"], names: Sequence[str]) -> str:
    """Return a description of the first place where a raster is not fine."""
    repeat, variable, time = (int(index) for index in np.unravel_index(fine.argmin(), fine.shape))
    return f"row {time + 1}{f' of repeat {repeat + 1}' if len(fine) > 1 else ''}, column {names[variable]}"


def usable(rows: Int8[np.ndarray, "rows variables"], names: Sequence[str], drop: bool, hint: str = "") -> Usable:
    """Return the variables that vary and are neither the same as an earlier one nor its opposite; 0 is missing.

    Raises:
        DataError: Some are not, and ``drop`` is false; or none is left.
    """
    above, below = (packed_columns(rows, sign) for sign in (1, -1))
    constant = ~(above.any(axis=1) & below.any(axis=1))
    # Of an entry that is missing the sign is 0.
    signs = rows[0] if rows.all() else rows[(rows != 0).argmax(axis=0), np.arange(rows.shape[1])]
    repeated = _repeated(signs, above, below) & ~constant
    reasons = {"never change": constant, "repeat another one or its opposite": repeated}
    found = {
        reason: [names[k] for k in np.flatnonzero(which).tolist()] for reason, which in reasons.items() if which.any()
    }
    if found and not drop:
        clauses = " and ".join(f"{len(which)} that {reason} ({listed(which)})" for reason, which in found.items())
        advice = f"set `drop_unusable` to leave them out, or choose others by `variables`{hint}"
        raise DataError(f"expected variables that all vary and differ, got {clauses}: {advice}")
    kept = np.flatnonzero(~constant & ~repeated)
    if not kept.size:
        raise DataError("no variable changes from row to row: check that the right data were saved")
    return Usable(kept, tuple(f"{len(w)} variables {why} and were left out: {listed(w)}" for why, w in found.items()))


def packed_columns(rows: Int8[np.ndarray, "rows variables"], sign: int) -> UInt8[np.ndarray, "variables bytes"]:
    """Return where each column has a sign, as bits; block by block, which fits into the cache of a processor.

    >>> packed_columns(np.array([[1, -1], [-1, -1]], np.int8), 1).tolist()
    [[128], [0]]
    """
    blocks = (rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK))
    return np.concatenate([np.packbits(np.ascontiguousarray((block == sign).T), axis=1) for block in blocks], axis=1)


def _repeated(
    signs: Int8[np.ndarray, " variables"],
    above: UInt8[np.ndarray, "variables bytes"],
    below: UInt8[np.ndarray, "variables bytes"],
) -> Bool[np.ndarray, " variables"]:
    """Return True for every column that is, up to sign, the same as an earlier one.

    Args:
        signs: First entry of each column that is not missing.
        above: Where each is +1, as bits.
        below: Where each is -1, as bits.
    """
    columns = zip(signs, above, below, strict=True)
    # The first entry that is not missing is + in each key.
    keys = [(above.tobytes(), below.tobytes())[:: sign or 1] for sign, above, below in columns]
    first = {key: k for k, key in reversed(list(enumerate(keys)))}
    return np.array([first[key] != k for k, key in enumerate(keys)], dtype=bool)


def require_learnable(rows: Int8[np.ndarray, "rows variables"], turning: str = TURNING) -> None:
    """Raise DataError if there are fewer rows than variables, or only one row.

    Args:
        turning: Advice that turns rows and variables; empty if they cannot be swapped.

    >>> require_learnable(np.array([[1, -1, 1]], np.int8))
    Traceback (most recent call last):
    vae_mf.datasets.files.DataError: expected many rows, got one row of 3 variables: set `transpose` or give more rows
    """
    count, variables = rows.shape
    if count < 2:
        advice = f"{turning} or give more rows" if turning else "give more rows"
        raise DataError(f"expected many rows, got one row of {variables} variables: {advice}")
    if count < variables:
        more = f"give more rows or fewer `variables`, such as {max(1, count // 10)}"
        advice = f"{turning} if the variables are the rows, otherwise {more}" if turning else more
        raise DataError(
            f"expected at least as many rows as variables, got {count} rows of {variables} variables: {advice}"
        )


def turned(shape: tuple[int, ...]) -> bool:
    """Return True if there are more variables than bins in each repeat, so that the two axes may be swapped.

    >>> turned((10, 60, 9)), turned((10, 9, 60))
    (True, False)
    """
    repeats, variables, bins = shape
    return repeats > 1 and 1 < bins < variables


def advise(shape: tuple[int, ...], rows: Int8[np.ndarray, "rows variables"], turning: str = TURNING) -> tuple[str, ...]:
    """Return remarks about data that can be used but look unusual."""
    _, held, bins = shape
    count, variables = rows.shape
    remarks = []
    if turning and turned(shape):
        remarks.append(f"each repeat has more variables ({held}) than bins ({bins}): {turning} {IF_TURNED}")
    if count < FEW_ROWS * variables:
        remarks.append(f"{count} rows are few for {variables} variables: error bars will be wide")
    return tuple(remarks)
