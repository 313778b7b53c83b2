"""Panels of inferred couplings: a heat map, their distribution, and their scatter about the truth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.arrays import Couplings
from vae_mf.plotting.layout import house_figure
from vae_mf.plotting.style import COLOURS, LETTER, MIDDLE, PANEL, in_figure, name_ticks, new_figure, new_panels
from vae_mf.plotting.ticks import write_plain_ticks

LABELLED = 20
"""Largest number of variables of which every one has its name at a heat map."""
ROW = 0.19
"""Height of an estimator in a panel in inches."""
FAR = 300
"""Multiple of the median beyond which a positive number stands at the edge in words."""


@house_figure(
    "Couplings of one estimator: as a matrix over the variables, white at zero; their distribution, with the "
    "median standard error in grey; where the truth is known, inferred against true couplings with standard "
    "errors."
)
def couplings_figure(
    couplings: Couplings, table: pd.DataFrame, name: str, names: Sequence[str], unit: str = ""
) -> Figure:
    """Draw the couplings (N, N) of one estimator and its table of pairs, with the truth where the table has it.

    Args:
        names: Name of each variable.
        unit: Unit of the couplings, empty for none.
    """
    known = "truth" in table
    figure, axes = new_figure(1, 2 + known)
    limit = coupling_scale(table.truth if known else table.coupling, len(couplings))
    draw_coupling_matrix(axes[0], couplings, name, names, limit, unit)
    draw_coupling_histogram(axes[1], table, limit, unit)
    if known:
        draw_truth_scatter(axes[2], table, limit, unit)
    return figure


@house_figure(
    "Estimators of couplings on one data set: gain over independent variables on held-out rows in nats per row "
    "with its standard error, processor time in seconds, error of the couplings where the truth is known, and "
    "rank correlation between the couplings of every two."
)
def comparison_figure(estimators: pd.DataFrame, correlations: pd.DataFrame, unit: str = "") -> Figure:
    """Draw what several estimators make of one data set: held-out scores, accuracy, time, and how far they agree."""
    known = "rmse" in estimators
    figure, axes = new_panels(4 + known, columns=2)
    names = LETTER * max(len(in_figure(name, MIDDLE)) for name in estimators.estimator)
    height = max(PANEL[1], 1 + ROW * len(estimators))
    figure.set_size_inches(2 * PANEL[0] + names, -(-len(axes) // 2) * height)
    draw_gains(axes[0], estimators, "", "log-likelihood")
    draw_gains(axes[1], estimators, "pseudo_", "log-pseudo-likelihood")
    draw_positive(axes[2], estimators, estimators.seconds, "processor time of the fit  [s]")
    if known:
        draw_positive(axes[3], estimators, estimators.rmse, f"RMSE of couplings{in_brackets(unit)}")
    for ax in axes[1:-1:2]:
        ax.set_yticklabels([])
    draw_correlations(axes[-1], correlations, list(estimators.estimator))
    words = {
        "hollow: not converged": estimators.converged.map(str).eq("False"),
        "crosses: own rows in a phase that the data do not have": estimators.runaway.map(str).eq("True"),
    }
    figure.suptitle("; ".join(text for text, marked in words.items() if marked.any()), fontsize=9)
    return figure


def in_brackets(unit: str) -> str:
    """Return a unit for the label of an axis.

    >>> in_brackets("nats"), in_brackets("")
    ('  [nats]', '')
    """
    return f"  [{unit}]" if unit else ""


def coupling_scale(couplings: pd.Series, variables: int) -> float:
    """Return the largest |J| of an axis: that of all, or four times the (N / 2)th, so that few runaways do not set it.

    >>> coupling_scale(pd.Series([0.1, -0.2, 0.3]), 3), coupling_scale(pd.Series([-10.0, 0.1, 0.2, 0.1, 0.0, 0.0]), 4)
    (0.3, 0.8)
    """
    sizes = np.sort(np.abs(couplings[np.isfinite(couplings)]))[::-1]
    if not sizes.any():
        return 1.0
    usual = 4 * sizes[min(variables // 2, len(sizes)) - 1]
    return float(min(sizes[0], usual) or sizes[0])


def draw_gains(ax: Axes, table: pd.DataFrame, kind: str, label: str) -> None:
    """Draw the held-out gain of each estimator over independent variables, whose own is zero, with its error."""
    gains = table[f"{kind}gain_over_independent"].astype(float)
    ax.axvline(0.0, color=COLOURS["independent"], linewidth=0.8)
    found = gains[np.isfinite(gains)]
    # Losses beyond the best gain are words at the edge: the scale is that of models that gain, if there are any.
    span = (found.max() if found.max() > 0 else found.abs().median()) if len(found) else 1.0
    low = max(min(found.min(), 0.0), -span) if len(found) else 0.0
    high = max(found.max(), 0.0) if len(found) else 1.0
    margin = 0.08 * (high - low) or 1.0
    draw_values(ax, table, gains, (low, high), table[f"{kind}gain_over_independent_error"].astype(float))
    ax.set(xlabel=f"gain in {label}\n[nats per held-out row]", xlim=(low - margin, high + margin))


def draw_positive(ax: Axes, table: pd.DataFrame, values: pd.Series, label: str) -> None:
    """Draw one positive number of each estimator on a logarithmic axis, nothing where it is not known."""
    found = values[np.isfinite(values) & (values > 0)]
    ax.set(xscale="log", xlabel=label)
    if len(found):
        inside = found[found <= FAR * found.median()]
        limits = (0.7 * inside.min(), 1.4 * inside.max())
        draw_values(ax, table, values, (inside.min(), inside.max()))
        ax.set_xlim(limits)
        write_plain_ticks(ax.xaxis, limits)


def draw_values(
    ax: Axes, table: pd.DataFrame, values: pd.Series, limits: tuple[float, float], errors: pd.Series | None = None
) -> None:
    """Draw one number of each estimator, the first on top; a number beyond the limits stands at the edge in words.

    Points are hollow where an estimator has not converged, and crosses where its model runs away.
    """
    for place, (value, converged, runaway) in enumerate(zip(values, table.converged, table.runaway, strict=True)):
        if limits[0] <= value <= limits[1]:
            width = None if errors is None else errors.iloc[place]
            fill = "white" if converged is False or converged == "False" else COLOURS["model"]
            marker = "X" if runaway is True or runaway == "True" else "o"
            ax.errorbar(
                value, place, xerr=width, fmt=marker, color=COLOURS["model"], mfc=fill, markersize=5, elinewidth=0.8
            )
        elif not np.isnan(value):
            low = value < limits[0]
            text = f"◂ {value:.3g}" if low else f"{value:.3g} ▸"
            ax.text(0.02 if low else 0.98, place, text, transform=ax.get_yaxis_transform(), va="center",
                    ha="left" if low else "right", fontsize=7, color=COLOURS["model"])  # fmt: skip
    names = [f"{in_figure(name.replace('_', ' '), MIDDLE)}  {place + 1}" for place, name in enumerate(table.estimator)]
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_yticks(range(len(table)), names)
    ax.grid(axis="y", linewidth=0.4)


def draw_correlations(ax: Axes, table: pd.DataFrame, estimators: Sequence[str]) -> None:
    """Draw the correlation between the couplings of every two estimators as a heat map, blank where it is not known.

    Args:
        estimators: Names of all estimators, whose places are the numbers at the axes.
    """
    matrix = table.pivot(index="first", columns="second", values="correlation")
    names = list(dict.fromkeys(table["first"]))
    values = matrix.loc[names, names].to_numpy()
    image = ax.imshow(values, vmin=min(0.0, np.nanmin(values)), vmax=1, cmap="viridis")
    for axis in (ax.xaxis, ax.yaxis):
        name_ticks(axis, [estimators.index(name) + 1 for name in names], most=20)
    ax.set(xlabel="estimator", ylabel="estimator")
    ax.figure.colorbar(image, ax=ax, label="rank correlation of couplings", shrink=0.8)


def draw_coupling_matrix(
    ax: Axes, couplings: Couplings, name: str, names: Sequence[str], limit: float, unit: str
) -> None:
    """Draw J as a heat map, white at zero, with the names of the variables; grey where it is not finite."""
    finite = np.ma.masked_invalid(couplings)
    image = ax.imshow(finite, vmin=-limit, vmax=limit, cmap="RdBu_r", interpolation="nearest")
    ax.set_facecolor(COLOURS["independent"])
    ax.set(xlabel="variable j", ylabel="variable i", title=in_figure(name.replace("_", " ")))
    for axis in (ax.xaxis, ax.yaxis):
        name_ticks(axis, names, LABELLED)
    ax.figure.colorbar(image, ax=ax, label=f"coupling $J_{{ij}}${in_brackets(unit)}", shrink=0.8, extend="both")


def draw_coupling_histogram(ax: Axes, table: pd.DataFrame, limit: float, unit: str) -> None:
    """Draw the distribution of the couplings on a logarithmic scale, and their median standard error as a bar."""
    bins = int(np.clip(np.sqrt(len(table)), 10, 60))
    inside = table.coupling.abs() <= limit
    counts, _, _ = ax.hist(table.coupling[inside], bins=bins, histtype="stepfilled", color=COLOURS["model"], alpha=0.4)
    words = [] if inside.all() else [f"{(~inside).sum()} pairs outside"]
    if "error" in table and np.isfinite(middle := table.error.median()):
        ax.axvspan(-middle, middle, color=COLOURS["independent"], alpha=0.5)
        words.append(f"grey: median error ±{middle:.2g}")
    ax.set_title("\n".join(words))
    ax.set(xlabel=f"coupling $J_{{ij}}${in_brackets(unit)}", ylabel="number of pairs", yscale="log")
    ax.set_xlim(-1.05 * limit, 1.05 * limit)
    # A bar of one pair has a height too.
    heights = (0.5, 1.5 * max(np.max(counts), 1.0))
    ax.set_ylim(heights)
    write_plain_ticks(ax.yaxis, heights)


def draw_truth_scatter(ax: Axes, table: pd.DataFrame, limit: float, unit: str) -> None:
    """Scatter inferred against true couplings, with their errors where known."""
    limits = [table.truth.min(), table.truth.max()]
    ax.plot(limits, limits, "-", color=COLOURS["exact"], linewidth=0.8, zorder=3)
    shown = table[np.isfinite(table.coupling)]
    errors = shown.error.where(np.isfinite(shown.error)) if "error" in table and len(table) <= 500 else None
    ax.errorbar(
        shown.truth, shown.coupling, errors, fmt=".", color=COLOURS["model"], markersize=3, alpha=0.5,
        elinewidth=0.6, rasterized=True,
    )  # fmt: skip
    residual = float(np.sqrt(np.mean((table.coupling - table.truth) ** 2)))
    outside = int((table.coupling.abs() > 2 * limit).sum())
    title = f"RMSE {residual:.3g}" + (f", {outside} pairs outside" if outside else "")
    label = in_brackets(unit)
    ax.set(xlabel=f"true coupling{label}", ylabel=f"inferred coupling{label}", title=title)
    # Couplings of shrunken and of unregularised fits stay inside; only those that run away do not.
    low, high = (np.clip(edge, -2 * limit, 2 * limit) for edge in (shown.coupling.min(), shown.coupling.max()))
    ax.set_ylim(min(low, limits[0]) - 0.05 * limit, max(high, limits[1]) + 0.05 * limit)
