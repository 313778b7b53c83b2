"""Figures of benchmarks whose answers are known: estimates against exact nats, and accuracy against time."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.style import CYCLE, in_figure, new_figure

LEAST = 0.003
"""Nats below which a ratio to the exact value says nothing."""
SOON, CLOSE = 0.1, 1e-3
"""Seconds, and median error over the exact value, that are drawn of less."""


def leaderboard_figure(scores: pd.DataFrame, board: pd.DataFrame) -> Figure:
    """Return two panels: every estimate over its exact value, and the median error against processor time.

    Args:
        scores: every answer: estimator, exact, value.
        board: a line for every estimator: median_off, cpu_seconds.
    """
    figure, (left, right) = new_figure(1, 2)
    for number, name in enumerate(board.estimator):
        colour, marker = CYCLE[number % len(CYCLE)]
        style = {"color": colour, "marker": marker, "fillstyle": "none" if number >= len(CYCLE) else "full"}
        own = scores[(scores.estimator == name) & scores.value.notna() & (scores.exact > LEAST)]
        ratio = (own.value / own.exact).clip(0, 2)
        left.plot(own.exact, ratio, linestyle="none", label=in_figure(name), **style)
        line = board[board.estimator == name].iloc[0]
        if np.isfinite(line.median_off):
            right.plot([max(line.cpu_seconds, SOON)], [max(line.median_off, CLOSE)], linestyle="none", **style)
    left.set(xscale="log", xlim=(LEAST, 2 * max(scores.exact.max(), 1)))
    right.set(xscale="log", xlim=(SOON / 2, 2 * np.nanmax([1, *board.cpu_seconds])))
    right.set(yscale="log", ylim=(CLOSE / 2, 2 * np.nanmax([1, *board.median_off])))
    finish(left, right)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def finish(left: Axes, right: Axes) -> None:
    """Label the axes and mark the tolerance."""
    left.axhspan(0.95, 1.05, color="#dddddd", zorder=0)
    left.axhline(1, color="#222222", linewidth=0.8, zorder=0)
    left.set(xlabel="exact nats", ylabel="estimate / exact (cut at 0 and 2)", ylim=(-0.08, 2.08))
    left.set_title("a  estimates; within 5 % in grey", loc="left")
    right.set(xlabel="processor time of all answers (s)", ylabel="median |error| / exact")
    right.axhline(0.05, color="#999999", linewidth=0.8, zorder=0)
    right.set_title("b  accuracy and cost", loc="left")
