"""Ticks of axes: plain numbers without an offset or a factor, as many as have room beside each other."""

from collections.abc import Iterable, Sequence
from typing import SupportsFloat

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import (
    AutoLocator,
    FixedFormatter,
    FixedLocator,
    Formatter,
    FuncFormatter,
    LogFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    ScalarFormatter,
)

DIGIT, WIDE, NARROW, GAP = 0.08, "−×", ".⁻⁰¹²³⁴⁵⁶⁷⁸⁹", 0.06
"""Width of a digit of a tick in inches, letters that are a third wider or narrower, and a gap between two ticks."""
ROOM = 0.85
"""Share of the width of a panel that is left when the figure is laid out."""
PLAIN = (-4, 5)
"""Powers of ten between which numbers are written out."""
FEW_DECADES = 200
"""Ratio of its ends below which a logarithmic axis has numbers between the powers of ten."""
MOST = 9
"""Intervals of a linear axis at most."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class PlainNumbers(Formatter):
    """Numbers of as few digits as tell the ticks of an axis apart, a power of ten being written at each of them."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return a number by itself."""
        return plain_numbers([x])[0]

    def format_ticks(self, values: Iterable[SupportsFloat]) -> list[str]:
        """Return the numbers of all ticks of an axis."""
        return plain_numbers(list(values))


def plain_numbers(values: Sequence[SupportsFloat]) -> list[str]:
    """Return numbers in as few digits as tell them apart, in one power of ten if they are very large or small.

    >>> plain_numbers([2.269, 2.2690005]), plain_numbers([-0.5, 0.0, 0.5]), plain_numbers([0.0, 2e-7])
    (['2.2690000', '2.2690005'], ['−0.5', '0.0', '0.5'], ['0', '2×10⁻⁷'])
    """
    numbers = np.array(values, float)
    largest = np.abs(numbers).max(initial=0.0)
    power = int(np.floor(np.log10(largest))) if largest else 0
    power = 0 if PLAIN[0] <= power <= PLAIN[1] else power
    # In two steps: 10 to the power of 308 and of -308 can be written, more cannot.
    scaled = numbers / 10.0 ** (power // 2) / 10.0 ** (power - power // 2)
    digits = digits_of(scaled)
    after = f"×10{str(power).translate(RAISED)}" if power else ""
    texts = [f"{number:.{digits}f}" + after for number in np.round(scaled, digits) + 0.0]
    zeros = scaled == 0 if power else np.zeros(len(texts), bool)
    return ["0" if zero else text.replace("-", "−") for text, zero in zip(texts, zeros, strict=True)]


def digits_of(numbers: Float[np.ndarray, " ticks"]) -> int:
    """Return the number of digits after the point that tell numbers apart.

    >>> digits_of(np.array([0.25, 0.5])), digits_of(np.array([10.0, 20.0]))
    (2, 0)
    """
    steps = np.diff(np.unique(numbers)) if len(numbers) > 1 else np.abs(numbers)
    off = 0.01 * steps[steps > 0].min(initial=1.0)
    rough = (digits for digits in range(15) if np.abs(np.round(numbers, digits) - numbers).max(initial=0.0) <= off)
    return next(rough, 15)


def plain_number(value: float) -> str:
    """Return a number of a logarithmic axis.

    >>> plain_number(0.5), plain_number(2e-7)
    ('0.5', '2×10⁻⁷')
    """
    mantissa, _, power = f"{value:g}".replace("-", "−").partition("e")
    return mantissa + (f"×10{str(int(power.replace('−', '-'))).translate(RAISED)}" if power else "")


def fit_ticks(ax: Axes) -> None:
    """Write plain numbers at the axes of a panel that have none of their own, below it no more than have room."""
    for axis in (ax.xaxis, ax.yaxis):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(PlainNumbers())
        low, high = sorted(axis.get_view_interval())
        usual = isinstance(axis.get_major_formatter(), LogFormatter)
        if axis.get_scale() == "log" and usual and high < FEW_DECADES * low:
            write_plain_ticks(axis, (low, high))
    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, AutoLocator):
        thin_out(ax, locator)
    elif isinstance(locator, FixedLocator) or isinstance(ax.xaxis.get_major_formatter(), FuncFormatter):
        blank_colliding(ax)


def write_plain_ticks(axis: Axis, limits: tuple[float, float]) -> None:
    """Write plain numbers at a logarithmic axis, 1, 2 and 5 of every decade where there are few."""
    spread = limits[1] / limits[0]
    few = LogLocator(subs=(1,) if spread > FEW_DECADES else (1, 2, 5))
    axis.set_major_locator(few if spread > 5 else MaxNLocator(4))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(NullFormatter())


def mark_sizes(axis: Axis, sizes: Iterable[SupportsFloat]) -> None:
    """Put a tick at every size of a logarithmic axis; those whose numbers have no room stay without one."""
    places = sorted(set(map(float, sizes)))
    axis.set_ticks(places, list(map(plain_number, places)))
    axis.set_ticks([], minor=True)


def thin_out(ax: Axes, locator: AutoLocator) -> None:
    """Take so few ticks on the lower axis of a panel that their numbers have room beside each other."""
    low, high = sorted(ax.get_xlim())
    room = ROOM * ax.bbox.width / ax.figure.dpi
    for most in range(MOST, 0, -1):
        locator.set_params(nbins=most)
        places = [place for place in locator.tick_values(low, high) if low <= place <= high]
        if sum(width_of(text) + GAP for text in plain_numbers(places)) <= room:
            return


def blank_colliding(ax: Axes) -> None:
    """Leave out the texts at the ticks of the lower axis of a panel that would run into the one before."""
    axis = ax.xaxis
    labels = axis.get_majorticklabels()
    if len(labels) < 2 or any(label.get_rotation() for label in labels):
        return
    places = list(map(float, axis.get_majorticklocs()))
    texts = list(axis.get_major_formatter().format_ticks(places))
    drawn = ax.get_xaxis_transform().transform(np.column_stack([places, np.zeros_like(places)]))
    larger = mpl.rcParams["font.size"] / labels[0].get_fontsize()
    kept = without_collisions(larger * ROOM * drawn[:, 0] / ax.figure.dpi, texts)
    if kept != texts:
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FixedFormatter(kept))


def width_of(text: str) -> float:
    """Return the width of a text at a tick in inches.

    >>> round(width_of("−0.5"), 3)
    0.32
    """
    return DIGIT * (len(text) + (sum(map(text.count, WIDE)) - sum(map(text.count, NARROW))) / 3)


def without_collisions(middles: Float[np.ndarray, " ticks"], texts: list[str]) -> list[str]:
    """Return the texts about places in inches, empty where a text would run into one before it.

    >>> without_collisions(np.array([0.0, 0.1, 1.0]), ["1", "2", "10"])
    ['1', '', '10']
    """
    kept = list(texts)
    end = -np.inf
    for place in np.argsort(middles):
        half = width_of(texts[place]) / 2
        if middles[place] - half < end:
            kept[place] = ""
        elif texts[place]:
            end = middles[place] + half + GAP
    return kept
