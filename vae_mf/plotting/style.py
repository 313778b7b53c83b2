"""One look for every figure: sizes, fonts, and colours that always mean the same thing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from unicodedata import category

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vae_mf.files import write_whole
from vae_mf.texts import shortened, visible

PALETTE = {
    "black": "#1a1a1a",
    "grey": "#757575",
    "blue": "#244a94",
    "red": "#b81c08",
    "green": "#9cc210",
    "sky": "#66b3ea",
    "violet": "#6a0fd4",
    "tan": "#c6b980",
}
"""All colours of lines and markers: any two differ for colour-blind readers, too (CIE 1976 distance above 30)."""
COLOURS = {
    "exact": PALETTE["black"],
    "infinite": PALETTE["grey"],
    "samples": PALETTE["blue"],
    "test": PALETTE["blue"],
    "model": PALETTE["red"],
    "vae": PALETTE["red"],
    "classical": PALETTE["green"],
    "independent": PALETTE["tan"],
    "train": PALETTE["sky"],
}
LABELS = {
    "exact": "exact",
    "infinite": "N → ∞",
    "samples": "samples",
    "test": "held-out rows",
    "train": "training rows",
    "model": "VAE",
    "vae": "VAE decoder",
    "classical": "PCA + FastICA",
    "independent": "independent variables",
}
TEMPERATURE = "temperature T"
"""Label of an axis of temperatures."""
CYCLE = tuple(PALETTE[name] for name in ("blue", "red", "green", "violet", "sky", "tan"))
"""Colours of lines in turn, where these have no meaning of their own."""
MARKERS = "osD^vP<>p*hX8"
SETTINGS: dict = {
    "font.size": 9,
    "axes.titlesize": 8,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "text.usetex": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "pdf.fonttype": 42,
    "axes.prop_cycle": cycler(color=CYCLE),
}
FONT = "DejaVu Sans"
"""Font that comes with matplotlib."""
FURTHER_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans",
)
"""Fonts of the machine, if it has them, for the letters that the first one lacks."""
NO_GLYPH = "□"
SHORT, MIDDLE, LONG = 16, 30, 48
"""Letters of a name at one of many ticks, at one of few, and beside a panel, at most."""
PANEL = (3.2, 2.7)
"""Width and height of one panel in inches."""
USUAL, FEW = 8, 3
"""Size of the names of few variables, and letters of names that stand side by side."""
TINY = 6
"""Size of the names of many variables, in points; one takes 0.1 inches of an axis."""
LETTER = 0.062
"""Width of a letter of a legend in inches."""
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata of a file without the time of day, by format, so that the same figure makes the same file."""
WHITE = 255
"""Value of each colour of a white pixel."""
MANY_COLOURS, CHANGING = 10_000, 20
"""Colours from which on one in so many pixels may still change its own when the search for few colours ends."""
RESOLUTION = 300
"""Dots per inch of a PNG, unless the settings of matplotlib, "savefig.dpi", say otherwise."""


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with the house settings, leaving matplotlib's own untouched.

    >>> with house_style():
    ...     size = mpl.rcParams["font.size"]
    >>> size != mpl.rcParams["font.size"]
    True
    """
    settings: dict = {**SETTINGS, "font.family": fonts()}
    with mpl.rc_context(settings):
        yield


@cache
def fonts() -> list[str]:
    """Return the fonts of all lettering, each for the letters that those before it lack."""
    installed = set(font_manager.get_font_names())
    return [FONT, *(name for name in FURTHER_FONTS if name in installed)]


@cache
def glyphs() -> frozenset[int]:
    """Return the code points of all letters that can be drawn."""
    files = [font_manager.findfont(name, fallback_to_default=False) for name in fonts()]
    return frozenset().union(*(font_manager.get_font(file).get_charmap() for file in files))


def in_figure(text: str, length: int = LONG) -> str:
    r"""Return a text from data for a label, tick, title or legend of a figure, which is not read as a formula.

    A long text is cut in its middle; the tables have it whole. A square stands for a letter that no font has.

    >>> print(in_figure("$x$"), in_figure("variable_of_a_long_name", 12))
    \$x\$ variab…_name
    """
    found = shortened(visible(text), length)
    drawn = "".join(letter if ord(letter) in glyphs() else drawn_instead(letter) for letter in found)
    # A label of a leading underscore would be left out of a legend.
    return (f" {drawn}" if drawn.startswith("_") else drawn).replace("$", r"\$")


def ticks_of(names: Iterable[object]) -> list[str]:
    """Return names of variables for the ticks of an axis.

    >>> ticks_of([7, "a name that is too long"])
    ['7', 'a name t…oo long']
    """
    return [in_figure(str(name), SHORT) for name in names]


def looks() -> Iterator[tuple[str, str]]:
    """Yield colour and marker of line after line, no two alike among the first 78.

    >>> from itertools import islice
    >>> len(set(islice(looks(), 78)))
    78
    """
    for number in count():
        yield CYCLE[number % len(CYCLE)], MARKERS[(number + number // len(CYCLE)) % len(MARKERS)]


def name_ticks(axis: Axis, names: Iterable[object], most: int) -> None:
    """Put names of variables at the ticks of an axis, of many only every second, third, ... one.

    Args:
        axis: axis on which the variables stand at 0, 1, ...
        names: names of the variables.
        most: number of names that have room.
    """
    texts = ticks_of(names)
    step = -(-len(texts) // most)
    short = max(map(len, texts), default=0) <= FEW and len(texts) <= most
    rotation = 90 if isinstance(axis, XAxis) and not short else 0
    axis.set_ticks(range(0, len(texts), step), texts[::step], fontsize=USUAL if short else TINY, rotation=rotation)


def drawn_instead(letter: str) -> str:
    """Return what stands for a letter that no font has, nothing for a mark on another one."""
    return "" if category(letter)[0] in "CM" else NO_GLYPH


def new_figure(rows: int, columns: int) -> tuple[Figure, list]:
    """Return a figure of ``rows`` x ``columns`` panels and its axes, row by row."""
    figure = empty_figure(PANEL[0] * columns, PANEL[1] * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def new_panels(count: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` panels in at most so many columns, the last row left open, and its axes.

    >>> figure, axes = new_panels(4, columns=3)
    >>> len(axes), len(figure.axes)
    (4, 4)
    """
    columns = min(columns, count)
    figure, axes = new_figure(-(-count // columns), columns)
    remove(axes[count:])
    return figure, axes[:count]


def remove(axes: Iterable[Axes]) -> None:
    """Remove panels that nothing is drawn on."""
    for ax in axes:
        ax.remove()


def empty_figure(width: float, height: float) -> Figure:
    """Return a figure of a width and height in inches; no display is needed."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def caption_of(figure: Figure) -> str:
    """Return the caption of a figure, empty for none."""
    return str(figure.get_label())


def save_figure(figure: Figure, folder: Path, name: str) -> Path:
    """Save a figure as PNG and PDF, and its caption as text, each whole or not at all, and return the path of the PNG.

    The files hold no date.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = save_figure(Figure(figsize=(1, 1)), Path(folder), "empty")
    ...     names = sorted(file.name for file in Path(folder).iterdir())
    >>> path.name, "empty.pdf" in names
    ('empty.png', True)

    Args:
        figure: figure to save.
        folder: folder of the files.
        name: name of the files, without an ending.
    """
    with house_style():
        layout = figure.get_layout_engine()
        # In memory first: on a full disk matplotlib fails in its own way.
        pdf = drawn_as(figure, "pdf")
        figure.set_layout_engine(None)  # panels stay where the first has put them, at half the cost
        resolution = mpl.rcParams["savefig.dpi"]
        resolution = RESOLUTION if resolution == "figure" else resolution
        pixels = drawn_as(figure, "tiff", dpi=resolution)  # not compressed, as it is at once below
        figure.set_layout_engine(layout)
    write_whole(folder / f"{name}.pdf", pdf)
    write_whole(folder / f"{name}.txt", f"{caption_of(figure)}\n")
    write_whole(folder / f"{name}.png", with_few_colours(pixels))
    return folder / f"{name}.png"


def drawn_as(figure: Figure, kind: str, **options: Any) -> bytes:
    """Return a figure as the bytes of a file of a format."""
    drawn = BytesIO()
    figure.savefig(drawn, format=kind, metadata=UNDATED.get(kind), **options)
    return drawn.getvalue()


def with_few_colours(picture: bytes) -> bytes:
    """Return a picture in a format that Pillow knows as a PNG of white and 255 further colours, a third of the size."""
    with Image.open(BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB"))
        dots = image.info.get("dpi")
    red, green, blue = np.moveaxis(pixels, -1, 0)
    inked = (red & green & blue) != WHITE  # few of them, which alone take part in the search for colours
    numbers = np.zeros(inked.shape, np.uint8)
    colours = [WHITE] * 3
    if inked.any():
        line = Image.fromarray(pixels[inked][None])
        # The search may go on until no pixel changes its colour, but takes minutes then where all of them differ.
        changing = 1 if line.getcolors(MANY_COLOURS) else line.width // CHANGING
        few = line.quantize(255, method=Image.Quantize.MEDIANCUT, kmeans=changing, dither=Image.Dither.NONE)
        numbers[inked] = np.asarray(few)[0] + 1
        colours += few.getpalette() or []
    painted = Image.fromarray(numbers, "P")
    painted.putpalette(colours)
    smaller = BytesIO()
    painted.save(smaller, "PNG", dpi=dots)
    return smaller.getvalue()
