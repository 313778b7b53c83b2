"""Words of figures, as tests ask for them."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def in_one_line(text: str) -> str:
    """Return a label without its breaks."""
    return " ".join(text.split())


def labels_of(figure: Figure) -> list[tuple[str, str]]:
    """Return both labels of all axes that have one below."""
    axes = [ax for ax in figure.axes if ax.get_xlabel()]
    return [(in_one_line(ax.get_xlabel()), in_one_line(ax.get_ylabel())) for ax in axes]


def words_of(ax: Axes) -> list[str]:
    """Return the texts inside a panel but for its letter."""
    return [text.get_text() for text in ax.texts if text.get_gid() != "letter"]


def entries_of(figure: Figure) -> list[str]:
    """Return the entries of the legend below a figure."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]
