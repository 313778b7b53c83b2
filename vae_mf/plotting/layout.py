"""Letters, captions and legends of figures: every figure is finished here, in the same way."""

import re
from collections.abc import Callable, Iterable
from functools import wraps
from string import ascii_lowercase
from textwrap import wrap
from typing import Any, Literal, ParamSpec, cast

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from vae_mf.plotting.style import LETTER, caption_of, house_style
from vae_mf.plotting.ticks import fit_ticks

LETTER_PLACE = (-5, 8)
"""Place of the right end of the letter of a panel, in points from the upper left corner of its axes, and of titles."""
ROOM = 0.95
"""Share of the sides of a panel that its labels may take; the rest goes to ticks when the figure is laid out."""
LABEL = 0.068
"""Width of a letter of a label in inches."""
LINE = 0.155
"""Height of a line of a legend in inches."""
KEY = 7
"""Letters that have room in a legend beside those of an entry: its symbol and the space between columns."""
SHORTEST = 12
"""Letters of a line of a label at least."""
POINT = 7
"""Size of a point in a legend in points."""
BESIDE = 12
"""Entries of a legend beside a panel that stand below each other."""
TITLES: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "right")
TOGETHER = re.compile(r"\$[^$]*\$| [=/] \S+| \S{1,2}$")
"""Pieces that no line is broken inside: formulas, equations and quotients, and a short last word."""
NO_BREAK = "\N{NO-BREAK SPACE}"
COMPACT: dict[str, Any] = {"columnspacing": 0.9, "handlelength": 1.6, "labelspacing": 0.25}
"""Spaces in legends, in letters."""
COLOUR_BAR = "<colorbar>"
"""Label that matplotlib gives to the axes of a colour bar."""
Drawing = ParamSpec("Drawing")


def house_figure(caption: str) -> Callable[[Callable[Drawing, Figure]], Callable[Drawing, Figure]]:
    """Return a decorator of functions that draw a figure: in the house style, with letters and a caption.

    Args:
        caption: sentences on what is seen, units, error bars and source, for the file beside the figure and for readers
            who do not see it.
    """

    def decorate(draw: Callable[Drawing, Figure]) -> Callable[Drawing, Figure]:
        @wraps(draw)
        def finished(*args: Drawing.args, **kwargs: Drawing.kwargs) -> Figure:
            with house_style():
                figure = draw(*args, **kwargs)
                if not caption_of(figure):  # else it was drawn by another of these functions
                    finish(figure)
                    figure.set_label(caption)
            return figure

        return finished

    return decorate


def panels_of(figure: Figure) -> list[Axes]:
    """Return the axes of a figure but those of colour bars."""
    return [ax for ax in figure.axes if ax.get_label() != COLOUR_BAR]


def add_letters(figure: Figure) -> None:
    """Add a letter to every panel of a figure that has several."""
    panels = panels_of(figure)
    if len(panels) > 1:
        for number, ax in enumerate(panels):
            place: dict = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
            ax.annotate(letter_of(number), (0, 1), LETTER_PLACE, weight="bold", ha="right", gid="letter", **place)


def letter_of(number: int) -> str:
    """Return the letter of a panel.

    >>> letter_of(0), letter_of(26)
    ('a', 'aa')
    """
    before, own = divmod(number, len(ascii_lowercase))
    return (ascii_lowercase[before - 1] if before else "") + ascii_lowercase[own]


def finish(figure: Figure) -> None:
    """Fit ticks and labels, put titles above the legends of panels, make room for these, and add letters."""
    heights: dict[int, float] = {}
    for ax in figure.axes:
        fit_ticks(ax)
    for ax in panels_of(figure):
        fit_labels(ax)
        height = raise_titles(ax)
        place = ax.get_subplotspec()
        row = place.rowspan.start if place else 0
        heights[row] = max(heights.get(row, 0.0), height)
    figure.set_figheight(figure.get_figheight() + sum(heights.values()))
    add_letters(figure)


def fit_labels(ax: Axes) -> None:
    """Break the labels and the title of a panel into lines that are no longer than its sides."""
    width, height = (int(ROOM * side / ax.figure.dpi / LABEL) for side in (ax.bbox.width, ax.bbox.height))
    ax.set_xlabel(in_lines(ax.get_xlabel(), width))
    ax.set_ylabel(in_lines(ax.get_ylabel(), height))
    for place in TITLES:
        if title := ax.get_title(place):
            ax.set_title(in_lines(title, width), loc=place)


def in_lines(text: str, length: int) -> str:
    r"""Return a text in lines of at most so many letters if it can be, its unit on a line of its own.

    >>> in_lines("time  [s]", 20), in_lines("processor time  [s]", 16), in_lines("C(x|z)\n[nats]", 20)
    ('time  [s]', 'processor time\n[s]', 'C(x|z)\n[nats]')
    """
    if len(text) <= length or "\n" in text:
        return text
    quantity, _, unit = text.partition("  [")
    whole = TOGETHER.sub(lambda found: found.group().replace(" ", NO_BREAK), quantity)
    lines = wrap(whole, max(length, SHORTEST), break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, f"[{unit}"] if unit else lines).replace(NO_BREAK, " ")


def raise_titles(ax: Axes) -> float:
    """Put the titles of a panel above its legend if that stands above it, and return the height of both in inches."""
    legend = ax.get_legend()
    inches = 0.0
    if legend is not None and legend.get_gid():
        renderer = cast(FigureCanvasAgg, ax.figure.canvas).get_renderer()
        inches = legend.get_window_extent(renderer).height / ax.figure.dpi
    lines = 0
    for place in TITLES:
        if title := ax.get_title(place):
            ax.set_title(title, loc=place, pad=72 * inches + LETTER_PLACE[1])
            lines = max(lines, title.count("\n") + 1)
    return inches + LINE * lines


def legend_above(ax: Axes, handles: Iterable[Any] | None = None, title: str | None = None) -> None:
    """Put the legend of a panel above it, where no data are, in as many columns as have room."""
    entries = named(handles) if handles is not None else labelled([ax])
    if not entries:
        return
    columns = columns_for(entries, ax.bbox.width / ax.figure.dpi / LETTER)
    place: dict = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1}
    legend = ax.legend(entries.values(), entries, ncols=columns, title=title, **COMPACT, **place)
    legend.set_gid("above")
    enlarge_points(legend)


def legend_beside(ax: Axes, title: str | None = None) -> None:
    """Put the legend of a panel on its right, in columns of a dozen entries."""
    entries = labelled([ax])
    columns = -(-len(entries) // BESIDE)
    ax.legend(entries.values(), entries, title=title, ncols=columns, loc="upper left", bbox_to_anchor=(1, 1))
    figure = cast(Figure, ax.figure)
    figure.set_figwidth(figure.get_figwidth() + columns * LETTER * (max(map(len, entries)) + KEY))


def legend_below(figure: Figure, axes: Iterable[Axes], handles: Iterable[Any] = ()) -> None:
    """Put one legend for several panels, and further artists, below all of them."""
    entries = labelled(axes) | named(handles)
    if entries:
        columns = columns_for(entries, figure.get_figwidth() / LETTER)
        legend = figure.legend(entries.values(), entries, loc="outside lower center", ncols=columns, **COMPACT)
        enlarge_points(legend)
        figure.set_figheight(figure.get_figheight() + LINE * -(-len(entries) // columns))


def enlarge_points(legend: Legend) -> None:
    """Draw the points of a legend so large that their colours are seen."""
    for handle in legend.legend_handles:
        if isinstance(handle, Line2D) and handle.get_marker() == ".":
            handle.set(markersize=POINT, alpha=1)


def labelled(axes: Iterable[Axes]) -> dict[str, Any]:
    """Return what is drawn by its label, each label once."""
    pairs = [zip(*reversed(ax.get_legend_handles_labels()), strict=True) for ax in axes]
    return {label: handle for some in pairs for label, handle in some}


def named(handles: Iterable[Any]) -> dict[str, Any]:
    """Return artists by their label."""
    return {handle.get_label(): handle for handle in handles}


def columns_for(labels: Iterable[str], width: float) -> int:
    """Return the number of columns of a legend that has room for so many letters beside each other.

    >>> columns_for(["exact", "samples", "VAE"], width=40.0), columns_for(["a" * 60], width=40.0)
    (2, 1)
    """
    lengths = [len(label) for label in labels]
    return max(1, min(len(lengths), int(width // (max(lengths) + KEY))))
