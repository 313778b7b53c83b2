"""Figures of benchmarks whose answers are known: estimates against exact nats, and accuracy against cost."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_below
from vae_mf.plotting.style import COLOURS, in_figure, looks, new_figure

LEAST = 0.003
"""Nats below which a ratio to the exact value says nothing."""
SOON, CLOSE, FAR = 0.1, 1e-3, 1e3
"""Seconds, and median error over the exact value, that are drawn of less, and the error that is drawn of more."""


@house_figure(
    "Estimators whose answers are known: every estimate over its exact value, within 5 % in grey, against the exact "
    "value in nats; and median error over the exact value against the mean processor time of an answer in seconds, "
    "over the problems that each has answered. No error bars: every answer is a point. Values are cut at 0 and 2, "
    "short times, and errors below a thousandth or above a thousand times the exact value, at the edges."
)
def leaderboard_figure(scores: pd.DataFrame, board: pd.DataFrame) -> Figure:
    """Return two panels: every estimate over its exact value, and the median error against the time of an answer.

    Args:
        scores: every answer: estimator, exact, value.
        board: a line for every estimator: median_off, answered, cpu_seconds of all answers.
    """
    figure, (left, right) = new_figure(1, 2)
    seconds = board.cpu_seconds / board.answered.where(board.answered > 0)
    board = board.assign(seconds=seconds, median_off=board.median_off.clip(CLOSE, FAR))
    for name, (colour, marker) in zip(board.estimator, looks(), strict=False):
        style = {"color": colour, "marker": marker}
        own = scores[(scores.estimator == name) & scores.value.notna() & (scores.exact > LEAST)]
        ratio = (own.value / own.exact).clip(0, 2)
        left.plot(own.exact, ratio, linestyle="none", label=in_figure(name), **style)
        line = board[board.estimator == name].iloc[0]
        if not np.isnan(line.median_off):
            right.plot([max(line.seconds, SOON)], [line.median_off], linestyle="none", **style)
    left.set(xscale="log", xlim=(LEAST, 2 * max(scores.exact.max(), 1)))
    right.set(xscale="log", xlim=(SOON / 2, 2 * np.nanmax([1, *board.seconds])))
    right.set(yscale="log", ylim=(CLOSE / 2, 2 * np.nanmax([1, *board.median_off])))
    name_axes(left, right)
    legend_below(figure, (left, right))
    return figure


def name_axes(left: Axes, right: Axes) -> None:
    """Label the axes and mark the tolerance."""
    left.axhspan(0.95, 1.05, color=COLOURS["infinite"], alpha=0.25, zorder=0)
    left.axhline(1, color=COLOURS["exact"], linewidth=0.8, zorder=0)
    left.set(xlabel="exact nats", ylabel="estimate / exact", ylim=(-0.08, 2.08))
    left.set_title("estimates, cut at 0 and 2", loc="left")
    right.set(xlabel="processor time of an answer  [s]", ylabel="median |error| / exact")
    right.axhline(0.05, color=COLOURS["infinite"], linewidth=0.8, zorder=0)
    right.set_title("accuracy and cost", loc="left")
