"""The figures of a discovery: how many latents, which rivals, which patterns, and how well they come back."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_mf.plotting.assessment import draw_assessment
from vae_mf.plotting.correlations import draw_overlap_law
from vae_mf.plotting.panels import draw_overlaps
from vae_mf.plotting.recordings import draw_moments, draw_spike_counts
from vae_mf.plotting.rivals import FAMILIES, draw_gains
from vae_mf.plotting.style import COLOURS, house_style, new_figure

PIXEL = re.compile(r"\d+,\d+")
"""Names of variables that are pixels, "row,column"."""
NAMED = 60
"""Up to so many variables are named along an axis."""
REPETITIONS = {"seed": "o", "half": "s", "resampling": "^"}
"""Marker of every kind of repetition."""


def draw_discovery(tables: dict[str, pd.DataFrame], returning: float) -> dict[str, Figure]:
    """Return the figures that the tables of a discovery call for, by name.

    Args:
        tables: of `vae_mf.discovery.findings.Findings`.
        returning: share from which on a pattern has come back.
    """
    figures = {"gains": gains_figure(tables["sweep"], tables["rivals"])}
    if "patterns" in tables:
        figures["patterns"] = patterns_figure(tables["patterns"], tables["pattern_summary"])
        figures["likeness"] = likeness_figure(tables)
        figures["unexplained"] = draw_assessment({name: table for name, table in tables.items() if name != "overlaps"})
    if len(tables.get("stability", ())):
        figures["stability"] = stability_figure(tables["stability"], returning)
    if "overlaps" in tables:
        with house_style():
            figures["truth"], (ax,) = new_figure(1, 1)
            draw_overlaps(ax, tables["overlaps"], "vae")
    return figures


def gains_figure(sweep: pd.DataFrame, rivals: pd.DataFrame) -> Figure:
    """Draw what every number of latents, and every rival, gains over independent variables."""
    with house_style():
        figure, (first, second) = new_figure(1, 2)
        figure.set_size_inches(8.4, 3.2)
        draw_sweep(first, sweep)
        draw_gains(second, rivals)
        second.set_xlabel("gain over independent variables  [nats per row]")
        shown = [family for family in FAMILIES if family in set(rivals.family) - {"Independent"}]
        handles = [
            Line2D([], [], color=FAMILIES[name][0], marker="o", ls="", label=FAMILIES[name][1]) for name in shown
        ]
        second.legend(handles=handles, loc="upper left", fontsize=7)
    return figure


def draw_sweep(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the gain over independent variables against the number of latents; the chosen number is filled."""
    line: dict = {"color": COLOURS["model"], "linewidth": 0.8}
    ax.errorbar(table.latents, table.gain, table.gain_error, fmt="o-", mfc="white", capsize=2, **line)
    chosen = table[table.chosen]
    ax.plot(chosen.latents, chosen.gain, "o", color=COLOURS["model"], markersize=7, label="chosen")
    ax.axhline(0, color=COLOURS["independent"], linewidth=0.8)
    ax.set(xlabel="latent variables d", ylabel="gain on held-out rows  [nats per row]")
    ax.set_xticks(table.latents)
    ax.legend(loc="lower right")


def patterns_figure(patterns: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw every pattern over the variables, as pictures if these are pixels; those that do not return in grey.

    Args:
        patterns: a row per variable, columns variable and pattern_1, pattern_2, ...
        summary: of `evaluation.stability.pattern_table`.
    """
    pixels = all(PIXEL.fullmatch(str(name)) for name in patterns.variable)
    with house_style():
        columns = min(4, len(summary)) if pixels else 1
        figure, axes = new_figure(-(-len(summary) // columns), columns)
        figure.set_size_inches(
            *((2.1 * columns, 2.3 * len(axes) / columns) if pixels else (8.4, 1.25 * len(axes) + 0.5))
        )
        for ax, row in zip(axes, summary.to_dict("records"), strict=False):
            values, grey = patterns[f"pattern_{row['pattern']}"], row["returns"] is False
            if pixels:
                draw_picture(ax, patterns.variable, values, grey)
            else:
                draw_bars(ax, values, grey)
            ax.set_title(f"pattern {row['pattern']}{', does not come back' if grey else ''}", loc="left")
        for ax in axes[len(summary) :]:
            ax.remove()
        if not pixels:
            label_variables(axes, patterns.variable)
    return figure


def draw_bars(ax: Axes, values: pd.Series, grey: bool) -> None:
    """Draw a pattern as bars, one per variable."""
    colours = [COLOURS["independent"] if grey else COLOURS["vae" if value > 0 else "samples"] for value in values]
    ax.bar(np.arange(len(values)), values, color=colours, width=0.8)
    ax.axhline(0, color=COLOURS["exact"], linewidth=0.8)
    ax.set_xlim(-0.7, len(values) - 0.3)
    ax.set_xticks([])
    ax.set_ylabel("Δh")


def label_variables(axes: Sequence[Axes], names: pd.Series) -> None:
    """Name the variables below the last panel, or count them if there are too many."""
    last = axes[-1]
    if len(names) <= NAMED:
        last.set_xticks(np.arange(len(names)), names, rotation=90, fontsize=6)
    else:
        last.set_xticks(np.arange(0, len(names), 10 ** int(np.log10(len(names) / 2))))
    last.set_xlabel("variable")


def draw_picture(ax: Axes, names: pd.Series, values: pd.Series, grey: bool) -> None:
    """Draw a pattern of pixels as a picture, each at the place that its name gives."""
    places = np.array([[int(part) for part in name.split(",")] for name in names])
    picture = np.full(places.max(axis=0) + 1, np.nan)
    picture[places[:, 0], places[:, 1]] = values
    largest = float(values.abs().max())
    ax.imshow(picture, vmin=-largest, vmax=largest, cmap="Greys" if grey else "RdBu_r", interpolation="nearest")
    ax.set_axis_off()


def stability_figure(table: pd.DataFrame, returning: float) -> Figure:
    """Draw how much of every pattern lies in the space that each repetition finds."""
    with house_style():
        figure, (ax,) = new_figure(1, 1)
        figure.set_size_inches(4.2, 2.9)
        for kind, marker in REPETITIONS.items():
            rows = table[table.repetition.str.contains(kind)]
            if len(rows):
                shifts = np.linspace(-0.2, 0.2, rows.repetition.nunique() + 2)[1:-1]
                offsets = rows.repetition.map(dict(zip(rows.repetition.unique(), shifts, strict=True)))
                name = {"seed": "other seed", "half": "half of the data"}.get(kind, kind)
                ax.plot(rows.pattern + offsets, rows.share, marker, color=COLOURS["model"], mfc="none", label=name)
        ax.axhline(returning, color=COLOURS["infinite"], linewidth=0.8, linestyle="--", label="has come back")
        ax.set(xlabel="pattern", ylabel="share that comes back", ylim=(min(-0.03, table.share.min() - 0.03), 1.05))
        ax.set_xticks(table.pattern.unique())
        ax.set_xlim(0.4, table.pattern.max() + 0.6)
        ax.legend(loc="lower left")
    return figure


def likeness_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw P(K), P(q) and pair covariances of rows that the model draws beside those held out."""
    with house_style():
        figure, axes = new_figure(1, 3)
        figure.set_size_inches(11, 3)
        draw_spike_counts(axes[0], tables["spike_counts"])
        axes[0].set_xlabel("active variables K")
        draw_overlap_law(axes[1], tables["overlap_distribution"])
        draw_moments(axes[2], tables["moments"], order=2)
    return figure
