"""Figures of a discovery: number of latents, other models, patterns and their recovery."""

import re
from functools import partial
from itertools import combinations, cycle, islice
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.correlations import draw_overlap_law
from vae_mf.plotting.density_models import draw_gains
from vae_mf.plotting.layout import house_figure, legend_above, legend_below, legend_beside
from vae_mf.plotting.observables import draw_overlaps
from vae_mf.plotting.recordings import draw_moments, draw_spike_counts
from vae_mf.plotting.stability import draw_bars, draw_patterns, draw_shares, label_variables, room_for
from vae_mf.plotting.style import COLOURS, CYCLE, in_figure, new_figure

PIXEL = re.compile(r"\d{1,9},\d{1,9}")
"""Names of variables that are pixels, "row,column"."""
MOST_PIXELS = 1_000_000
"""Pixels of a picture that is drawn, at most: other such names are coordinates."""
FEW = 12
"""Up to so many numbers of latent variables, each has a tick."""
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "+++")
"""Fillings that tell classes of one colour apart."""
SIGNED: dict[str, Any] = {"cmap": "RdBu_r", "interpolation": "nearest"}
"""Look of values of either sign."""


def draw_discovery(tables: dict[str, pd.DataFrame], recovered: float) -> dict[str, Figure]:
    """Return the figures that the tables of a discovery call for, by name.

    >>> from pathlib import Path
    >>> from vae_mf.tables import read_tables
    >>> figures = draw_discovery(read_tables(Path("outputs/discovery")), recovered=0.8)  # doctest: +SKIP
    >>> figures["gains"].savefig("gains.png")  # doctest: +SKIP

    Args:
        tables: tables of a discovery by name, as `vae_mf.tables.read_tables` reads them from its folder.
        recovered: share of a pattern in a repetition from which on it counts as recovered.
    """
    figures = {"gains": gains_figure(tables["sweep"], tables["models"])}
    if "patterns" in tables:
        figures["patterns"] = patterns_figure(tables["patterns"], tables["pattern_summary"])
        figures["predictive_check"] = predictive_figure(tables)
        figures["latents"] = latents_figure(tables["latents"])
        if "z_2" in tables["latents"]:
            figures["planes"] = planes_figure(tables["latents"])
    if "class_shifts" in tables:
        figures["classes"] = classes_figure(tables["class_shifts"], tables["class_summary"])
        figures["latents"] = class_areas_figure(tables["latents"])
    if "readings" in tables:
        figures["left"] = left_figure(tables["readings"], tables["left"])
    if len(tables.get("stability", ())):
        figures["stability"] = stability_figure(tables["stability"], recovered)
    if "overlaps" in tables:
        figures["truth"] = truth_figure(tables["overlaps"])
    return figures


@house_figure("Overlaps of the patterns with those that are known. No error bars: one model.")
def truth_figure(overlaps: pd.DataFrame) -> Figure:
    """Draw the overlaps of patterns with known ones."""
    figure, (ax,) = new_figure(1, 1)
    draw_overlaps(ax, overlaps, "vae")
    return figure


@house_figure(
    "Held-out gain over independent variables in nats per row by the number of latent variables, how far each "
    "falls behind the best on validation rows (paired differences), and the gain of other models. Filled: chosen."
    " Error bars: standard error over blocks of rows."
)
def gains_figure(sweep: pd.DataFrame, models: pd.DataFrame) -> Figure:
    """Draw the gains of every number of latents, and of every other model, over independent variables."""
    figure, (first, between, *below) = new_figure(2, 2)
    for ax in below:
        ax.remove()
    second = figure.add_subplot(below[0].get_gridspec()[1, :])
    figure.set_size_inches(7.6, 3.2 + 1.2 + 0.2 * len(models))
    draw_sweep(first, sweep, sweep.gain, sweep.gain_error)
    first.set_ylabel("gain on test rows  [nats per row]")
    tried = sweep[sweep.latents > 0]
    draw_sweep(between, tried, -tried.behind, tried.behind_error)
    between.set_ylabel("behind the best, validation  [nats]")
    draw_gains(second, models)
    second.tick_params(axis="y", labelsize=8)
    second.set_xlabel("gain over independent variables  [nats per row]")
    return figure


def draw_sweep(ax: Axes, table: pd.DataFrame, values: pd.Series, errors: pd.Series) -> None:
    """Draw values with their errors against the number of latents; the chosen number is filled."""
    line: dict = {"color": COLOURS["model"], "linewidth": 0.8}
    ax.errorbar(table.latents, values, errors, fmt="o-", mfc="white", capsize=2, **line)
    ax.plot(
        table.latents[table.chosen],
        values[table.chosen],
        "o",
        color=COLOURS["model"],
        markersize=7,
        label="chosen",
    )
    ax.axhline(0, color=COLOURS["independent"], linewidth=0.8)
    ax.set(xlabel="latent variables d")
    if len(table) <= FEW:
        ax.set_xticks(table.latents)
    legend_above(ax)


@house_figure(
    "Patterns over the variables, strongest first: half the change of the log-odds per standard deviation of the "
    "latent variables. Red raises a variable, blue lowers it; grey: not recovered in repetitions."
)
def patterns_figure(patterns: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw every pattern over the variables, as pictures if these are pixels; those that are not recovered in grey."""
    names = patterns.variable
    pixels = are_pixels(names)
    columns = min(4, len(summary)) if pixels else 1
    figure, axes = new_figure(-(-len(summary) // columns), columns)
    rows = len(axes) / columns
    size = (2.1 * columns, 2.3 * rows) if pixels else (8.4, 1.25 * rows + 0.4 + room_for(names))
    figure.set_size_inches(*size)
    draw_patterns(axes, patterns, summary, partial(draw_picture, names) if pixels else draw_bars)
    if not pixels:
        largest = 1.1 * patterns.drop(columns="variable").abs().to_numpy().max()
        for ax in axes:
            ax.set_ylim(-largest, largest)
    for ax in axes[len(summary) :]:
        ax.remove()
    if not pixels:
        label_variables(axes[-1], names, "variable")
    return figure


def draw_picture(names: pd.Series, ax: Axes, values: pd.Series, grey: bool) -> None:
    """Draw a pattern of pixels as a picture, each at the place that its name gives."""
    largest = float(values.abs().max())
    ax.imshow(
        as_picture(names, values),
        vmin=-largest,
        vmax=largest,
        cmap="Greys" if grey else "RdBu_r",
        interpolation="nearest",
    )
    ax.set_axis_off()


def are_pixels(names: pd.Series) -> bool:
    """Return whether names are the places of pixels, each once, in a picture that can be drawn.

    >>> [are_pixels(pd.Series(names)) for names in (["0,1", "1,0"], ["0,1", "0,1"], ["1,0", "99999,99999"], ["a"])]
    [True, False, False, False]
    """
    texts = [str(name) for name in names]
    if len(set(texts)) < len(texts) or not all(map(PIXEL.fullmatch, texts)):
        return False
    rows, columns = zip(*(map(int, text.split(",")) for text in texts), strict=True)
    return (max(rows) + 1) * (max(columns) + 1) <= MOST_PIXELS


def as_picture(names: pd.Series, values: pd.Series) -> Float[np.ndarray, "height width"]:
    """Return values of pixels, each at the place that its name gives.

    >>> as_picture(pd.Series(["0,1", "1,0"]), pd.Series([1.0, 2.0])).tolist()
    [[nan, 1.0], [2.0, nan]]
    """
    places = np.array([[int(part) for part in name.split(",")] for name in names])
    picture = np.full(places.max(axis=0) + 1, np.nan)
    picture[places[:, 0], places[:, 1]] = values
    return picture


@house_figure(
    "Share of every pattern that lies in the space that each repetition finds: 1 all of it, 0 no more than by "
    "chance. Dashed: from here on a pattern counts as recovered."
)
def stability_figure(table: pd.DataFrame, recovered: float) -> Figure:
    """Draw how much of every pattern lies in the space that each repetition finds."""
    figure, (ax,) = new_figure(1, 1)
    figure.set_size_inches(4.2, 2.9)
    draw_shares(ax, table, recovered)
    return figure


@house_figure(
    "Readings of what the latent variables leave unexplained in nats per row, beside the tolerance. Error bars: "
    "two standard errors. Shaded: the interval that follows."
)
def left_figure(readings: pd.DataFrame, left: pd.DataFrame) -> Figure:
    """Draw the readings of what is left with two errors each, the interval that follows, and the tolerance.

    Args:
        readings: table of `verdict.decision.decide_mean_field`.
        left: table of `verdict.decision.left_intervals` with the tolerance.
    """
    higher = readings.kind.eq("higher order")
    whole = left.iloc[-1]
    # The centre is the largest reading of pairs, unless that is more than can be left: it then is no number of nats.
    beyond = readings.kind.eq("pairs") & (readings.value > whole.centre) & (len(left) == 1) & (whole.centre > 0)
    shown = readings[~higher & ~beyond].iloc[::-1]
    figure, (ax,) = new_figure(1, 1)
    figure.set_size_inches(8.4, 1.2 + 0.24 * len(shown))
    # Orders above the second detect: an interval that rests on them is not one of nats.
    if not {whole.least, whole.most} & set(readings.reading[higher]):
        ax.axvspan(whole.lower, whole.upper_best, color=COLOURS["model"], alpha=0.2, lw=0, label="left unexplained")
        by_estimation = whole.upper_best, whole.upper
        ax.axvspan(*by_estimation, color=COLOURS["model"], alpha=0.08, lw=0, label="left by estimation")
    ax.axvline(0, color=COLOURS["independent"], linewidth=0.8)
    ax.axvline(whole.tolerance, color=COLOURS["exact"], linestyle=":", label="tolerance")
    ax.errorbar(
        shown.value,
        range(len(shown)),
        xerr=2 * shown.error,
        fmt="o",
        color=COLOURS["model"],
        markersize=4,
        capsize=2,
    )
    ax.set_yticks(range(len(shown)), list(map(in_figure, shown.reading)))
    linear = 10 ** np.ceil(np.log10(max(whole.tolerance, 1e-3)))
    if np.abs(ax.get_xlim()).max() > linear:
        ax.set_xscale("symlog", linthresh=linear)
    ax.set(xlabel="nats per row", ylim=(-0.6, len(shown) - 0.4))
    legend_above(ax)
    return figure


@house_figure(
    "Mean of every latent variable given the row, over time (averages over repeats) or over the rows in their "
    "order. Thin: rows or short averages; thick: averages over a hundredth of them."
)
def latents_figure(table: pd.DataFrame) -> Figure:
    """Draw each latent variable over time, averaged over repeats, or over the rows in their order.

    Args:
        table: a row per row of the data, columns repeat, time, z_1, z_2, ...
    """
    series, label = over_time(table, "z_")
    points = 2000
    fine = series.groupby(np.arange(len(series)) * min(points, len(series)) // len(series)).mean()
    coarse = series.groupby(np.arange(len(series)) * min(100, len(series)) // len(series)).mean()
    figure, axes = new_figure(series.shape[1], 1)
    figure.set_size_inches(8.4, 1.1 * series.shape[1] + 0.5)
    for ax, name in zip(axes, series, strict=True):
        for part, width, alpha in ((fine, 0.4, 0.4), (coarse, 1.2, 1.0)):
            places = (np.arange(len(part)) + 0.5) * len(series) / len(part)
            ax.plot(places, part[name], color=COLOURS["model"], linewidth=width, alpha=alpha)
        ax.set_ylabel(f"$z_{{{name[2:]}}}$")
        ax.tick_params(labelbottom=ax is axes[-1])
    axes[-1].set_xlabel(label)
    return figure


@house_figure("Number of rows at every pair of values of the first latent variables, on a logarithmic scale.")
def planes_figure(table: pd.DataFrame) -> Figure:
    """Draw how many rows there are at every pair of values of the first latent variables, three of them at most.

    Args:
        table: a row per row of the data, with columns z_1, z_2, ...
    """
    names = [name for name in table if name.startswith("z_")][:3]
    figure, axes = new_figure(1, len(names) * (len(names) - 1) // 2)
    figure.set_size_inches(2.9 * len(axes), 2.6)
    for ax, (first, second) in zip(axes, combinations(names, 2), strict=True):
        counts, x, y = np.histogram2d(table[first], table[second], bins=60)
        shown = np.ma.masked_equal(counts.T, 0)
        image = ax.pcolormesh(x, y, shown, cmap="viridis", norm="log", rasterized=True)
        figure.colorbar(image, ax=ax, label="rows", pad=0.02)
        ax.set(xlabel=f"$z_{{{first[2:]}}}$", ylabel=f"$z_{{{second[2:]}}}$")
    return figure


@house_figure(
    "Classes of rows over the variables: half the change of the log-odds of a variable in the class against all "
    "rows. Red: on more often than on the average; blue: less often."
)
def classes_figure(shifts: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw half the change of the log-odds of every variable in each class, as pictures if variables are pixels.

    Args:
        shifts: columns variable, class_1, class_2, ...
        summary: columns class and weight.
    """
    names = shifts.variable
    titles = [f"class {number}, {weight:.0%}" for number, weight in zip(summary["class"], summary.weight, strict=True)]
    values = shifts.drop(columns="variable").set_axis(titles, axis=1)
    if are_pixels(names):
        return class_pictures(names, values)
    figure, (ax,) = new_figure(1, 1)
    figure.set_size_inches(8.4, 1.0 + 0.26 * len(titles) + room_for(names))
    largest = values.abs().to_numpy().max()
    image = ax.imshow(values.T, vmin=-largest, vmax=largest, aspect="auto", **SIGNED)
    ax.set_yticks(range(len(titles)), titles)
    label_variables(ax, names, "variable")
    figure.colorbar(image, ax=ax, label="Δh", pad=0.01)
    return figure


@house_figure(
    "Classes of rows as pictures: half the change of the log-odds of a pixel in the class against all rows. Red: "
    "on more often than on the average; blue: less often."
)
def class_pictures(names: pd.Series, values: pd.DataFrame) -> Figure:
    """Draw the values of every column as a picture, pixels being at the places that their names give."""
    largest = values.abs().to_numpy().max()
    columns = min(4, values.shape[1])
    figure, axes = new_figure(-(-values.shape[1] // columns), columns)
    figure.set_size_inches(2.1 * columns, 2.3 * len(axes) / columns)
    for ax, title in zip(axes, values, strict=False):
        ax.imshow(as_picture(names, values[title]), vmin=-largest, vmax=largest, **SIGNED)
        ax.set_title(title)
    for ax in axes:
        ax.set_axis_off()
    return figure


@house_figure(
    "Probability of every class given the row, over time (averages over repeats) or over the rows in their order,"
    " averaged over a hundredth of them."
)
def class_areas_figure(table: pd.DataFrame) -> Figure:
    """Draw the probabilities of the classes over time, averaged over repeats, or over the rows, as areas.

    Args:
        table: a row per row of the data, columns repeat, time, class_1, class_2, ...
    """
    series, label = over_time(table, "class_")
    areas = series.groupby(np.arange(len(series)) * min(100, len(series)) // len(series)).mean()
    figure, (ax,) = new_figure(1, 1)
    figure.set_size_inches(7.4, 2.4)
    edges = np.linspace(0, len(series), len(areas) + 1)
    steps = np.vstack([areas, areas.tail(1)]).T
    colours = list(islice(cycle(CYCLE), len(steps)))
    hatches = [HATCHES[number // len(CYCLE) % len(HATCHES)] for number in range(len(steps))]
    labels = [name.removeprefix("class_") for name in areas]
    ax.stackplot(
        edges, steps, step="post", colors=colours, labels=labels, hatch=hatches, edgecolor="white", linewidth=0
    )
    ax.set(xlabel=label, ylabel="probability of the class", xlim=(0, len(series)), ylim=(0, 1))
    legend_beside(ax, title="class")
    return figure


def over_time(table: pd.DataFrame, prefix: str) -> tuple[pd.DataFrame, str]:
    """Return columns over time, averaged over repeats, or over the rows in their order, and the name of that axis."""
    values = table.filter(like=prefix)
    if table.repeat.nunique() > 1 and table.time.nunique() > 1:
        return values.groupby(table.time).mean(), "time  [bins]"
    return values.reset_index(drop=True), "row"


@house_figure(
    "Rows drawn from the model beside held-out and training rows: number of active variables, overlap of two "
    "rows, covariances of pairs. Error bars: standard error over blocks of rows."
)
def predictive_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw P(K), P(q) and pair covariances of rows that the model draws beside those held out."""
    figure, axes = new_figure(1, 3)
    figure.set_size_inches(11, 3)
    draw_spike_counts(axes[0], tables["spike_counts"])
    draw_overlap_law(axes[1], tables["overlap_distribution"])
    draw_moments(axes[2], tables["moments"], 2)
    legend_below(figure, axes)
    return figure
