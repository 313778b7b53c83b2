"""Figures of couplings found from data: each draws the tables of one experiment, nothing is computed but means."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above, legend_below
from vae_mf.plotting.style import COLOURS, PALETTE, looks, new_figure, new_panels
from vae_mf.plotting.ticks import mark_sizes

LOOKS = {
    "maximum likelihood": (PALETTE["red"], "o"),
    "exact mean field": (PALETTE["blue"], "s"),
    "TAP": (PALETTE["green"], "D"),
    "naive mean field": (PALETTE["tan"], "^"),
    "erasure machine": (PALETTE["red"], "o"),
    "pseudo-likelihood": (PALETTE["blue"], "s"),
    "Hebb": (PALETTE["grey"], "v"),
    "one state": (PALETTE["tan"], "^"),
    "two states": (PALETTE["red"], "o"),
    "naive": (PALETTE["tan"], "^"),
}
"""Colour and marker of every method."""


@house_figure(
    "Error of the couplings of a kinetic Ising model against the length of the data, a panel per strength g. "
    "Error bars: standard error over the disorder. Dashed: predicted for maximum likelihood."
)
def draw_kinetic_errors(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the error of every method against the length of the data, one panel per coupling strength."""
    table = tables["kinetic_errors"]
    strengths = table.strength.unique()
    figure, axes = new_panels(len(strengths), columns=3)
    for ax, strength in zip(axes, strengths, strict=True):
        chosen = table[table.strength == strength]
        draw_errors(ax, chosen, "length", "error")
        theory = chosen.dropna(subset="predicted").groupby("length").predicted.mean()
        ax.plot(theory.index, theory, "--", color=COLOURS["exact"], linewidth=0.8, label="predicted, max. likelihood")
        ax.set(
            title=f"g = {strength:g}",
            xlabel="length T  [steps]",
            ylabel="RMS error of J",
            xscale="log",
            yscale="log",
        )
    legend_below(figure, axes)
    return figure


def draw_errors(ax: Axes, table: pd.DataFrame, column: str, value: str) -> None:
    """Draw the mean over disorders of a value per method, with its standard error where there are several."""
    for method, rows in table.groupby("method", sort=False):
        colour, marker = LOOKS[str(method)]
        groups = rows.groupby(column)[value]
        mean = groups.mean()
        error = groups.sem().fillna(0)
        ax.errorbar(
            mean.index, mean, error, color=colour, marker=marker, label=method, capsize=2, linewidth=0.8,
        )  # fmt: skip


@house_figure(
    "Mean squared error and mean energy of the erasure machine against its iterations and against its parameter "
    "epsilon; circled: the epsilon of the largest mean energy. After figure 1 of Jo, Hoang and Periwal (2019)."
)
def draw_learning(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 1 of the erasure machine, a row per generator: error and mean energy against steps and epsilon."""
    learning, final = tables["learning"], tables["epsilons"]
    generators = learning.generator.unique()
    figure, axes = new_figure(len(generators), 4)
    for row, kind in enumerate(generators):
        panels = axes[4 * row : 4 * row + 4]
        few = learning[(learning.generator == kind) & (learning.samples == learning.samples.min())]
        for ax, value in zip(panels[:2], ("error", "energy"), strict=True):
            draw_steps(ax, few, value)
        for ax, value in zip(panels[2:], ("error", "energy"), strict=True):
            draw_epsilons(ax, final[final.generator == kind], value)
        for ax in panels:
            ax.set_title(f"{kind} data")
    for ax in axes[1:3]:
        legend_above(ax)
    return figure


SYMBOLS = {"error": "mean squared error of w", "energy": "mean energy ⟨E⟩  [$k_B T$]"}


def draw_steps(ax: Axes, table: pd.DataFrame, value: str) -> None:
    """Draw error or mean energy against iterations, for four epsilons at most."""
    epsilons = table.epsilon.unique()
    shown = epsilons[np.unique(np.linspace(0, len(epsilons) - 1, 4).round().astype(int))]
    for (colour, _), epsilon in zip(looks(), shown, strict=False):
        rows = table[table.epsilon == epsilon]
        ax.plot(rows.iteration, rows[value], color=colour, label=f"ε = {epsilon:g}")
    ax.set(xlabel="iteration", ylabel=SYMBOLS[value], yscale="log" if value == "error" else "linear")


def draw_epsilons(ax: Axes, table: pd.DataFrame, value: str) -> None:
    """Draw error or mean energy at the end against epsilon; circle the epsilon of largest mean energy."""
    for (samples, rows), (colour, marker) in zip(table.groupby("samples"), looks(), strict=False):
        ax.plot(rows.epsilon, rows[value], f"{marker}-", color=colour, linewidth=0.8, label=f"{samples} samples")
        chosen = rows[rows.chosen]
        ax.plot(chosen.epsilon, chosen[value], "o", mfc="none", color=COLOURS["exact"], markersize=10)
    ax.set(xlabel="ε  (circled: chosen)", ylabel=SYMBOLS[value], yscale="log" if value == "error" else "linear")


@house_figure(
    "Inferred against true couplings at many and at few samples, and mean squared error against the number of "
    "samples, a row per distribution and strength of the couplings. Error bars: standard error over repetitions. "
    "After figure 2 of Jo, Hoang and Periwal (2019)."
)
def draw_accuracy(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 2 of the erasure machine, per generator and strength: couplings at few and many samples, errors."""
    accuracy, couplings = tables["accuracy"], tables["couplings"]
    cases = list(accuracy.groupby(["generator", "strength"], sort=False).groups)
    figure, axes = new_figure(len(cases), 3)
    for row, (kind, strength) in enumerate(cases):
        panels, name = axes[3 * row : 3 * row + 3], f"{kind}, g = {strength:g}"
        found = couplings[(couplings.generator == kind) & (couplings.strength == strength)]
        for ax, samples in zip(panels, (accuracy.samples.max(), accuracy.samples.min()), strict=False):
            draw_scatter(ax, found[found.samples == samples])
            ax.set_title(f"{name}, {samples} samples")
        errors = accuracy[(accuracy.generator == kind) & (accuracy.strength == strength)]
        draw_errors(panels[2], errors, "samples", "error")
        panels[2].set(title=name, xlabel="samples M", ylabel="mean squared error of w", xscale="log", yscale="log")
    legend_below(figure, axes)
    return figure


def draw_scatter(ax: Axes, table: pd.DataFrame) -> None:
    """Scatter inferred against true couplings of the erasure machine and pseudo-likelihood."""
    for method in ("pseudo-likelihood", "erasure machine"):
        rows = table[table.method == method]
        ax.plot(rows.true, rows.inferred, ".", color=LOOKS[method][0], markersize=2, alpha=0.5, label=method)
    if len(table):
        limit = 1.5 * table.true.abs().max()
        ax.plot([-limit, limit], [-limit, limit], color=COLOURS["exact"], linewidth=0.8)
        outside = int((table[table.method.isin(["pseudo-likelihood", "erasure machine"])].inferred.abs() > limit).sum())
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
        if outside:
            ax.text(0.03, 0.93, f"{outside} outside", transform=ax.transAxes, fontsize=7)
    ax.set(xlabel="true coupling", ylabel="inferred coupling")


@house_figure(
    "Processor time of estimators of couplings in seconds against the number of spins. Error bars: standard error"
    " over repetitions. After figure 3 of Jo, Hoang and Periwal (2019)."
)
def draw_times(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 3 of the erasure machine: processor time against the number of spins."""
    table = tables["times"]
    figure, (ax,) = new_figure(1, 1)
    draw_errors(ax, table, "sites", "seconds")
    ax.set(xlabel="spins N", ylabel=f"processor time, {table.samples.iloc[0]} samples  [s]")
    ax.set(xscale="log", yscale="log")
    mark_sizes(ax.xaxis, table.sites)
    legend_above(ax)
    return figure


@house_figure(
    "Handwritten digits whole, torn (missing pixels green) and filled by inferred couplings (errors red). After "
    "figure 4 of Jo, Hoang and Periwal (2019)."
)
def draw_digits(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 4 of the erasure machine: images whole, torn (missing pixels green) and filled (errors red)."""
    pixels, completion = tables["pixels"], tables["completion"]
    stages = list(dict.fromkeys(pixels.stage))
    missing = completion.missing.iloc[0]
    figure, axes = new_figure(pixels.image.nunique(), len(stages))
    for row, (_, image) in enumerate(pixels.groupby("image")):
        values = image.pivot(index="pixel", columns="stage", values="value")
        for ax, stage in zip(axes[len(stages) * row :], stages, strict=False):
            draw_image(ax, values, stage)
            wrong = int((values[stage] != values.original).sum())
            counts = {"original": "", "torn": f": {missing} pixels missing"}
            ax.set_title(stage + counts.get(stage, f": {wrong} wrong"))
    rates = 1 - completion.wrong / (completion.missing * completion.images)
    shares = ", ".join(f"{method} {rate:.1%}" for method, rate in zip(completion.method, rates, strict=True))
    figure.suptitle(f"missing pixels of {completion.images.iloc[0]} images filled rightly: {shares}", fontsize=9)
    return figure


def draw_image(ax: Axes, values: pd.DataFrame, stage: str) -> None:
    """Draw one stage of an image; green where pixels are missing, red where they were filled wrongly."""
    side = round(len(values) ** 0.5)
    value = values[stage].to_numpy()
    colours = np.repeat((value[:, None] + 1) / 2, 3, axis=1)
    colours[value != values.original.to_numpy()] = (0.8, 0.2, 0.07)
    colours[value == 0] = (0.13, 0.53, 0.2)
    ax.imshow(colours.reshape(side, side, 3))
    ax.set_axis_off()


@house_figure(
    "Deviation of the couplings of a Curie-Weiss ferromagnet from samples, a panel per method, against the "
    "inverse temperature. Error bars: standard error over repetitions. After figure 1 of Nguyen and Berg (2012)."
)
def draw_ferromagnet(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 1 of Nguyen and Berg: deviation of Curie-Weiss couplings against beta, a panel per method."""
    table = tables["ferromagnet"]
    figure, axes = new_panels(table.method.nunique(), columns=3)
    for ax, (method, rows) in zip(axes, table.groupby("method", sort=False), strict=True):
        for (samples, chosen), (colour, marker) in zip(rows.groupby("samples"), looks(), strict=False):
            groups = chosen.groupby("beta").deviation
            error = groups.sem().fillna(0)
            ax.errorbar(
                groups.mean().index, groups.mean(), error, fmt=f"{marker}-", color=colour, label=f"M = {samples}"
            )
        ax.axvline(1, color=COLOURS["exact"], linewidth=0.8, linestyle=":")
        ax.set(xlabel="inverse temperature β", ylabel="RMS deviation of J / β", yscale="log", title=method)
        ax.set_ylim(0.8 * table.deviation.min(), 1.25 * table.deviation.max())
    legend_below(figure, axes)
    return figure


@house_figure(
    "Couplings of the Sherrington-Kirkpatrick model from samples by the naive and the TAP equations of every "
    "state: 1 - r of found and true couplings, and slope, against the inverse temperature. Points: medians over "
    "the disorder; bars: its range. After figure 2 of Nguyen and Berg (2012)."
)
def draw_glass(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw figure 2 of Nguyen and Berg: 1 - r and slope of SK couplings against beta per number of clusters.

    Points are medians over the realisations of the disorder, bars the range.
    """
    table = tables["glass"]
    reference = table[table.method == "pseudo-likelihood"]
    figure, axes = new_figure(2, 2)
    for column, method in enumerate(("naive", "TAP")):
        for ax, value in zip(axes[column::2], ("one_minus_r", "slope"), strict=True):
            for (k, rows), (colour, marker) in zip(
                table[table.method == method].groupby("clusters"), looks(), strict=False
            ):
                label = f"k = {k}, M = {rows.samples.iloc[0]:,}"
                draw_range(ax, rows.groupby("beta")[value], label, color=colour, marker=marker)
            label = f"pseudo-likelihood, M = {reference.samples.iloc[0]:,}"
            style = {"color": COLOURS["exact"], "marker": "s", "mfc": "none", "linestyle": "--"}
            draw_range(ax, reference.groupby("beta")[value], label, **style)
            ax.set(xlabel="inverse temperature β", title=f"{method} equations of every state")
    for ax in axes[:2]:
        ax.set(ylabel="1 − r", yscale="log", ylim=(0.7 * table.one_minus_r.min(), 1.4 * table.one_minus_r.max()))
    for ax in axes[2:]:
        ax.axhline(1, color=COLOURS["exact"], linewidth=0.8, linestyle=":")
        ax.set_ylabel("slope of found on true couplings")
    legend_below(figure, axes)
    count = table.disorder.nunique()
    if count > 1:
        figure.suptitle(f"{count} realisations of the disorder: median and range", fontsize=9)
    return figure


def draw_range(ax: Axes, groups: Any, label: str, **style: Any) -> None:
    """Draw the median of every group, with a bar from the smallest to the largest value."""
    middle = groups.median()
    bars = np.array([middle - groups.min(), groups.max() - middle])
    ax.errorbar(middle.index, middle, bars, label=label, capsize=2, linewidth=0.8, **style)
