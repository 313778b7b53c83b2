"""Checks at the public edges: each raises a ValueError that names what was expected and what came."""

import math
import os
import reprlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vae_mf.memory import available_memory, own_memory

NOTABLE_BYTES = 10**9
"""Memory, beside that of Python and its libraries, that is told before it is taken."""
NOTABLE_SHARE = 0.1
"""Share of the free memory that is told, too."""
SMALLEST_ENERGY, LARGEST_ENERGY = 1e-30, 1e30
"""Bounds of temperatures and couplings, which networks take in single precision."""


class _Short(reprlib.Repr):
    """Representation on one line, of which long lists and texts are cut; arrays and their scalars are plain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 100

    def repr1(self, x: Any, level: int) -> str:
        listable = hasattr(x, "tolist") and not isinstance(x, type)
        return super().repr1(x.tolist() if listable else x, level)


def shown(value: Any) -> str:
    """Return what came, as a message shows it.

    >>> shown([np.float64(0.5), np.arange(9)])
    '[0.5, [0, 1, 2, 3, 4, 5, ...]]'
    """
    return " ".join(_Short().repr(value).splitlines())


def plain_number(value: Any) -> Any:
    """Return a scalar of NumPy or torch, or an array without axes, as Python's own number; anything else as it is.

    >>> plain_number(np.float32(0.5)), plain_number(np.array(3))
    (0.5, 3)
    """
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def require_integer(name: str, value: Any, minimum: int = 1) -> int:
    """Return ``value`` as an int, or raise ValueError unless it is an integer of at least ``minimum``.

    >>> require_integer("sites", 8)
    8
    """
    number = plain_number(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < minimum:
        raise ValueError(f"{name}: expected an integer >= {minimum}, got {shown(value)}")
    return number


def require_positive(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it is a finite number above zero."""
    if not (_is_real(number := plain_number(value)) and 0 < number < np.inf):
        raise ValueError(f"{name}: expected a finite number > 0, got {shown(value)}")
    return float(number)


def require_energy_scale(name: str, value: Any) -> float:
    """Return a temperature or a strength of couplings as a float, or raise ValueError unless 1e-30 <= value <= 1e30.

    Beyond, their ratios and the squares of these leave the numbers of a computer.
    """
    number = require_positive(name, value)
    if not SMALLEST_ENERGY <= number <= LARGEST_ENERGY:
        raise ValueError(
            f"{name}: expected a number from {SMALLEST_ENERGY:g} to {LARGEST_ENERGY:g}, got {number:g}: choose a unit "
            "of energy in which the couplings are near 1"
        )
    return number


def require_reduced_temperature(temperature: Any, coupling: float, coldest: float, hottest: float) -> float:
    """Return T / J, or raise ValueError unless it is between bounds within which a sum has digits left.

    >>> require_reduced_temperature(1.0, coupling=2.0, coldest=0.01, hottest=1e6)
    0.5
    """
    reduced = require_energy_scale("temperature", temperature) / coupling
    if not coldest <= reduced <= hottest:
        raise ValueError(f"temperature: expected T / J from {coldest:g} to {hottest:g}, got {reduced:g}")
    return reduced


def require_non_negative(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it is zero or a finite number above it."""
    if not (_is_real(number := plain_number(value)) and 0 <= number < np.inf):
        raise ValueError(f"{name}: expected a finite number >= 0, got {shown(value)}")
    return float(number)


def require_fraction(name: str, value: Any) -> float:
    """Return ``value`` as a float, or raise ValueError unless it lies strictly between 0 and 1."""
    if not (_is_real(number := plain_number(value)) and 0 < number < 1):
        raise ValueError(f"{name}: expected a number between 0 and 1, got {shown(value)}")
    return float(number)


def _is_real(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool)


def require_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool, or raise ValueError unless it is True or False."""
    if not isinstance(flag := plain_number(value), bool):
        raise ValueError(f"{name}: expected True or False, got {shown(value)}")
    return flag


def require_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value``, or raise ValueError unless it is one of ``choices``."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {shown(value)}")
    return value


def require_path(name: str, value: Any, advice: str = "") -> Path:
    """Return ``value`` as a path, or raise ValueError unless it is one or a text that is not empty."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(f"{name}: expected a path, got {shown(value)}{advice}")
    return Path(value)


def is_masked(values: Any) -> bool:
    """Return whether an array, or one in a list, has masked entries.

    >>> row = np.ma.array([1, 2], mask=[False, True])
    >>> is_masked([[1, 2], row]), is_masked(row[:1])
    (True, False)
    """
    if isinstance(values, list | tuple):
        return any(is_masked(part) for part in values if isinstance(part, list | tuple | np.ma.MaskedArray))
    return np.ma.is_masked(values)


def plain_array(values: Any) -> Any:
    """Return an array, or a list of such, not sparse and with NaN for masked entries; what is neither as it is.

    >>> plain_array(np.ma.array([1, 2], mask=[False, True])).tolist()
    [1.0, nan]

    Raises:
        ValueError: if a sparse matrix does not fit into memory as an array.
    """
    if isinstance(values, list | tuple) and (is_masked(values) or any(hasattr(part, "toarray") for part in values)):
        return [plain_array(part) for part in values]
    if hasattr(values, "toarray"):
        return from_sparse(values)
    return np.ma.filled(np.ma.array(values, np.float64), np.nan) if is_masked(values) else values


def from_sparse(matrix: Any) -> np.ndarray:
    """Return a sparse matrix of SciPy as an array, or raise ValueError if it does not fit into memory."""
    needed = math.prod(map(int, matrix.shape)) * matrix.dtype.itemsize
    require_memory("sparse matrix", needed, "leave some rows or columns out")
    return matrix.toarray()


def from_tensor(tensor: Any) -> Any:
    """Return a tensor of torch as NumPy takes it, which has no bfloat16."""
    here = tensor.detach().cpu()
    return here.float() if str(here.dtype) == "torch.bfloat16" else here


def require_array(name: str, values: Any) -> np.ndarray:
    """Return an array, a list, a table, a sparse matrix or a tensor as an array of real numbers or booleans.

    >>> require_array("rows", [[0, True], [1, False]]).tolist()
    [[0, 1], [1, 0]]

    Raises:
        ValueError: if it is the name of a file, is ragged or masked, or holds anything but real numbers.
    """
    if isinstance(values, str | os.PathLike):
        advice = "read the file first, with numpy.load or vae_mf.datasets.read_recording"
        raise ValueError(f"{name}: expected an array, got {shown(values)}: {advice}")
    if is_masked(values):
        raise ValueError(f"{name}: expected an array without gaps, got masked entries: fill them or delete their rows")
    dense: Any = from_sparse(values) if hasattr(values, "toarray") else values
    try:
        array = np.asarray(from_tensor(dense) if hasattr(dense, "detach") else dense)
        if array.dtype == object and hasattr(values, "isna"):
            array = np.where(values.isna(), np.nan, array)  # pandas has a value of its own for missing entries
        if array.dtype == object:  # a table of columns of several types
            array = np.asarray(array.tolist())
    except ValueError as error:
        raise ValueError(f"{name}: expected rows of one length, got {shown(values)}") from error
    if array.dtype.kind not in "biuf":
        entries = f" of {'text' if array.dtype.kind in 'SU' else array.dtype}" if array.ndim else ""
        raise ValueError(f"{name}: expected an array of numbers, got {type(values).__name__}{entries}")
    return array


def require_temperatures(values: Any) -> np.ndarray:
    """Return temperatures (k_B = 1) as a float64 array, or raise ValueError unless all are distinct and in range.

    >>> require_temperatures([0.5, 1]).tolist()
    [0.5, 1.0]
    """
    listed = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        raise ValueError(f"temperatures: expected a list of numbers > 0, got {shown(values)}")
    temperatures = np.array([require_energy_scale("temperatures", value) for value in listed])
    if temperatures.size == 0 or np.unique(temperatures).size != temperatures.size:
        raise ValueError(f"temperatures: expected at least one and no duplicates, got {shown(temperatures)}")
    return temperatures


def require_spins(name: str, values: np.ndarray) -> None:
    """Raise ValueError unless every entry of ``values`` is -1 or +1."""
    if not np.isin(values, (-1, 1)).all():
        raise ValueError(f"{name}: expected entries -1 and +1, got values such as {np.unique(values)[:5].tolist()}")


def spin_array(name: str, values: Any) -> np.ndarray:
    """Return an array, a list or a tensor of spins as an int8 array, or raise ValueError unless all are -1 or +1.

    >>> spin_array("start", [1, -1]).tolist()
    [1, -1]
    """
    array = require_array(name, values)
    if array.dtype == bool or not (np.abs(array) == 1).all():
        got = np.unique(array)[:5].tolist()
        raise ValueError(f"{name}: expected entries -1 and +1, got values such as {got}")
    return array.astype(np.int8, copy=False)


def require_kind(name: str, value: Any, kind: type) -> None:
    """Raise ValueError unless a value is of a class.

    >>> require_kind("steps", 3, int)
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected one of class {kind.__name__}, got {shown(value)}")


def require_memory(name: str, needed: int, advice: str) -> None:
    """Raise ValueError if arrays of about ``needed`` bytes are more than the memory that is free.

    >>> require_memory("spins", 10**18, "leave some out")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: spins: expected arrays that fit into memory, ... got 1e+09 GB: leave some out
    """
    available = available_memory()
    if needed > available:
        raise ValueError(
            f"{name}: expected arrays that fit into memory, of which {available / 1e9:.3g} GB are free, got "
            f"{needed / 1e9:.3g} GB: {advice}"
        )


def require_working_memory(name: str, needed: int, advice: str, say: Callable[[str], object]) -> None:
    """Raise ValueError if work of about ``needed`` bytes is more than the memory that is free; tell where it is much.

    Args:
        name: name of the work.
        needed: bytes at the peak of the work, beside those that the process holds.
        advice: advice for those who have less.
        say: called with a sentence about work that takes much.
    """
    require_memory(name, needed, advice)
    available = available_memory()
    if needed > min(NOTABLE_BYTES, NOTABLE_SHARE * available):
        peak, free = (count / 1e9 for count in (own_memory() + needed, available))
        say(f"memory: about {peak:.2g} GB at the peak, {free:.3g} GB are free beside those in use")
