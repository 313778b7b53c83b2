"""Faults of a drawn figure that a reader would see."""

import re
from collections.abc import Iterator
from itertools import combinations, pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from vae_mf.plotting.layout import letter_of, panels_of

NEEDS_UNIT = re.compile(
    r"\b(time|gain|rate|information|misfit|ELBO|entropy|length)\b|KL\(|C\(x\|z\)|TC\(x\)|log-likelihood"
)
"""Quantities that have a unit, in brackets."""
NUMBERS_ALONE = re.compile(r"ξ / L|xi / L|\\xi / L")
"""Quotients without a unit."""
APART = 0.25
"""Space between numbers at an axis, in units of their height."""
TOLERANCE = 1.5
"""Pixels by which texts may touch each other or the edge."""


Boxes = list[tuple[Bbox, Text]]


def faults_of(figure: Figure) -> list[str]:
    """Return all faults of a figure, in words."""
    for ax in figure.axes:
        for artist in (*ax.lines, *ax.collections, *ax.images, *ax.patches):
            artist.set_visible(False)  # data take time to draw, and none of these faults is in them
    figure.draw_without_rendering()
    boxes = sorted(((text.get_window_extent(), text) for text in texts_of(figure)), key=lambda pair: pair[0].x0)
    found = [fault for check in CHECKS for fault in check(figure)]
    return found + [fault for check in CHECKS_OF_TEXTS for fault in check(figure, boxes)]


def texts_of(figure: Figure) -> list[Text]:
    """Return all texts that are seen."""
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    # Ticks outside the limits of their axis are not drawn.
    hidden = {id(text) for ax in figure.axes for text in ticks_outside(ax)}
    return [text for text in texts if id(text) not in hidden]


def ticks_outside(ax: Axes) -> Iterator[Text]:
    for axis in (ax.xaxis, ax.yaxis):
        if not ax.axison:
            yield from axis.findobj(Text)
            continue
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        drawn = {id(tick) for tick in axis._update_ticks()}  # pyright: ignore[reportAttributeAccessIssue]
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if id(tick) not in drawn or not low - slack <= tick.get_loc() <= high + slack:
                yield from (tick.label1, tick.label2)


def texts_outside(figure: Figure, boxes: Boxes) -> Iterator[str]:
    """Yield texts beyond the edge of the figure."""
    edge = figure.bbox.padded(TOLERANCE)
    for box, text in boxes:
        if not (edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1):
            yield f"outside: {text.get_text()!r}"


def texts_overlapping(figure: Figure, boxes: Boxes) -> Iterator[str]:
    """Yield pairs of texts that lie over each other."""
    for number, (box, text) in enumerate(boxes):
        for other, second in boxes[number + 1 :]:
            if other.x0 >= box.x1 - TOLERANCE:
                break
            if overlap(box, other):
                yield f"over each other: {text.get_text()!r} and {second.get_text()!r}"


def overlap(first: Bbox, second: Bbox) -> bool:
    """Return True if boxes share more than their edges."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return width > TOLERANCE and height > TOLERANCE


def ticks_crowded(figure: Figure, boxes: Boxes) -> Iterator[str]:
    """Yield numbers below a panel that are nearer to each other than half a digit."""
    for ax in figure.axes:
        ticks = [*ax.xaxis.get_major_ticks(), *ax.xaxis.get_minor_ticks()]
        own = {id(tick.label1) for tick in ticks if tick.label1.get_rotation() == 0}
        for (first, text), (second, other) in pairwise(pair for pair in boxes if id(pair[1]) in own):
            if second.x0 < first.x1 + APART * first.height:
                yield f"run together: {text.get_text()!r} and {other.get_text()!r}"


def factors_at_axes(figure: Figure) -> Iterator[str]:
    """Yield numbers at the end of an axis that are to be added to its ticks, or multiplied with them."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if text := axis.get_offset_text().get_text():
                yield f"at the end of an axis: {text!r}"


def legends_over_data(figure: Figure) -> Iterator[str]:
    """Yield legends that lie over any panel."""
    for legend in figure.findobj(Legend):
        for ax in panels_of(figure):
            if overlap(legend.get_window_extent(), ax.get_window_extent()):
                yield f"over data: the legend {[text.get_text() for text in legend.get_texts()]}"


def symbols_too_small(figure: Figure) -> Iterator[str]:
    """Yield entries of legends whose symbol is a point that shows no colour."""
    for legend in figure.findobj(Legend):
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            if isinstance(handle, Line2D) and handle.get_marker() == "." and handle.get_markersize() < 5:
                yield f"a point in the legend for {text.get_text()!r}"


def panels_over_each_other(figure: Figure) -> Iterator[str]:
    """Yield panels that overlap, or are too small to be read."""
    for first, second in combinations(figure.axes, 2):
        if overlap(first.get_window_extent(), second.get_window_extent()):
            yield "panels over each other"
    for ax in panels_of(figure):
        size = ax.get_window_extent()
        if min(size.width, size.height) < 0.4 * figure.dpi:
            yield f"a panel of {size.width / figure.dpi:.2f} x {size.height / figure.dpi:.2f} inches"


def letters_missing(figure: Figure) -> Iterator[str]:
    """Yield panels of several that have no letter."""
    panels = panels_of(figure)
    for number, ax in enumerate(panels):
        if len(panels) > 1 and letter_of(number) not in [text.get_text() for text in ax.texts]:
            yield f"no letter in panel {number + 1}"


def labels_missing(figure: Figure) -> Iterator[str]:
    """Yield axes with numbers but without a name, or without a unit where one is due."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            label = axis.get_label_text()
            shown = [text for text in axis.get_ticklabels() if text.get_visible()]
            numbers = [text for text in shown if re.fullmatch(r"[−\d.]+", text.get_text())]
            if ax.axison and numbers and not label:
                yield f"an axis without a name, of numbers {numbers[0].get_text()} ..."
            if NEEDS_UNIT.search(label) and "[" not in label and not NUMBERS_ALONE.search(label):
                yield f"without a unit: {label!r}"


def entries_missing(figure: Figure) -> Iterator[str]:
    """Yield what has a label but stands in no legend."""
    shown = {text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()}
    for ax in panels_of(figure):
        for label in set(ax.get_legend_handles_labels()[1]) - shown:
            yield f"in no legend: {label!r}"


def caption_missing(figure: Figure) -> Iterator[str]:
    """Yield a caption that says too little."""
    caption = str(figure.get_label())
    if len(caption) < 40 or not caption.endswith("."):
        yield f"no caption: {caption!r}"


CHECKS_OF_TEXTS = (texts_outside, texts_overlapping, ticks_crowded)
CHECKS = (
    factors_at_axes,
    legends_over_data,
    symbols_too_small,
    panels_over_each_other,
    letters_missing,
    labels_missing,
    entries_missing,
    caption_missing,
)
