"""Panels of decoded structure (recovered patterns, cumulants, latent laws, couplings, tensors); the map of recovery."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_above, legend_below
from vae_mf.plotting.style import COLOURS, PALETTE, looks, new_panels

SPACES = {
    "exact": "exact space",
    "vae": "VAE decoder",
    "pca": "PCA",
    "naive_mean_field": "naive mean field",
    "pseudo_likelihood": "pseudo-likelihood",
}
SPACE_COLOURS = {
    "exact": COLOURS["exact"],
    "vae": COLOURS["vae"],
    "pca": COLOURS["classical"],
    "naive_mean_field": COLOURS["samples"],
    "pseudo_likelihood": PALETTE["violet"],
}
UNMIXINGS = {
    "search": {"label": "sign-vector search", "marker": "o", "linestyle": "-"},
    "fastica": {"label": "FastICA", "marker": "s", "linestyle": "--", "markerfacecolor": "none"},
    "procrustes": {"label": "sign-Procrustes", "marker": "^", "linestyle": ":", "markerfacecolor": "none"},
}
THRESHOLDS = ((0.138, "0.138 N"),)
"""Loads P / N to mark."""
LATENT_LAWS = {
    "exact": ("exact", "-", COLOURS["exact"]),
    "prior": ("prior p(z|T)", "--", COLOURS["model"]),
    "aggregated": ("encoded data q(z|T)", ":", COLOURS["samples"]),
}
"""Label, line and colour of every law of the latent."""


def draw_recovery(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the share of recovered patterns against their number, per space (colour) and unmixing (line)."""
    for (space, unmixing), rows in table.groupby(["space", "unmixing"], sort=False):
        style: dict = UNMIXINGS[unmixing] | {"color": SPACE_COLOURS[space], "linewidth": 1.0, "markersize": 3.5}
        style["label"] = f"{SPACES[space]} + {style['label']}"
        ax.errorbar(rows.patterns, rows.recovered, rows.error, capsize=2, **style)
    sites = int(table.sites.iloc[0])
    for load, label in THRESHOLDS:
        if table.patterns.min() < load * sites < table.patterns.max():
            ax.axvline(load * sites, color=COLOURS["infinite"], linewidth=0.8, linestyle=":")
            place = {"rotation": 90, "ha": "left", "va": "center", "fontsize": 7, "color": COLOURS["infinite"]}
            ax.text(load * sites, 0.5, f" {label}", **place)
    ax.set(xlabel="stored patterns P", ylabel="share of patterns recovered", ylim=(-0.03, 1.03))
    source = "exact space" if (table.space == "exact").all() else "from samples"
    ax.set_title(f"N = {sites}, {source}", loc="left")


@house_figure(
    "Share of stored patterns that are recovered against their number, by the space in which they are sought "
    "(colour) and the way of unmixing (line). Error bars: standard error over networks. Dotted: the load at which"
    " retrieval ceases."
)
def draw_unmixing(table: pd.DataFrame) -> Figure:
    """Draw the map of recovery: one panel per size for exact spaces, one for trained decoders and classical routes."""
    exact, trained = table[table.space == "exact"], table[table.space != "exact"]
    panels = [rows for part in (exact, trained) for _, rows in part.groupby("sites")]
    figure, axes = new_panels(len(panels), columns=3)
    for ax, rows in zip(axes, panels, strict=True):
        draw_recovery(ax, rows)
    legend_below(figure, axes)
    return figure


def draw_cumulant(ax: Axes, table: pd.DataFrame) -> None:
    """Draw K(u) along every axis beside the parabola that it would be, were the tilted prior Gaussian."""
    for (axis, rows), (colour, _) in zip(table.groupby("axis"), looks(), strict=False):
        ax.errorbar(rows.tilt, rows.cumulant, rows.error, color=colour, label=f"K, axis {axis}", linewidth=1.0)
        ax.plot(rows.tilt, rows.gaussian, "--", color=colour, linewidth=0.8)
    ax.plot([], [], "--", color=COLOURS["infinite"], linewidth=0.8, label="Gaussian baseline")
    ax.set(xlabel="tilt u from its mean, along principal axes", ylabel="cumulants K(u)  [nats]")
    legend_above(ax)


def draw_latent_density(ax: Axes, table: pd.DataFrame) -> None:
    """Draw prior, aggregated posterior and exact law of a single latent at the lowest and the highest temperature."""
    temperatures = table.temperature.unique()
    for temperature in dict.fromkeys(temperatures[[0, -1]].tolist()):
        rows = table[table.temperature == temperature]
        for name, (_, style, colour) in LATENT_LAWS.items():
            if rows[name].notna().any():
                ax.plot(rows.z, rows[name] / rows[name].max(), style, color=colour, linewidth=1.0)
        top = rows.loc[rows.prior.idxmax()]
        ax.annotate(
            f"T = {temperature:g}", (top.z, 1.0), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    for name, (label, style, colour) in LATENT_LAWS.items():
        if table[name].notna().any():
            ax.plot([], [], style, color=colour, label=label)
    ax.set(xlabel="latent variable z", ylabel="density / maximum", ylim=(0, 1.15))
    legend_above(ax)


def draw_coupling(ax: Axes, table: pd.DataFrame) -> None:
    """Draw beta J from the latent potential against the truth."""
    limits = [0.9 * table.exact.min(), 1.05 * table.exact.max()]
    ax.plot(limits, limits, color=COLOURS["exact"], linewidth=0.8, label="exact")
    errors = table.get("beta_j_error")
    label = "latent potential" if errors is None else "latent potential ± least error"
    ax.errorbar(table.exact, table.beta_j, errors, fmt="s", color=COLOURS["vae"], capsize=2, label=label)
    ax.set(xlabel="βJ of the system", ylabel="βJ from the latent potential")
    legend_above(ax)


def draw_tensor_scores(ax: Axes, table: pd.DataFrame) -> None:
    """Draw 1 - R² per component of the tensor, pooled over temperatures, per regressor and target."""
    chosen = table[table.temperature.astype(str) == "pooled"]
    styles = {"mlp": ("s", COLOURS["vae"], "MLP"), "linear": ("^", COLOURS["classical"], "linear map")}
    targets = {"expected": ("E[A|x]", None), "sampled": ("sampled A", "none")}
    for (regressor, target), rows in chosen.groupby(["regressor", "target"], sort=False):
        (marker, colour, name), (symbol, face) = styles[regressor], targets[target]
        label = f"{name}, {symbol}"
        ax.plot(rows.component, 1 - rows.r2, marker, color=colour, markerfacecolor=face, label=label)
    noise = chosen[(chosen.target == "sampled") & (chosen.regressor == "linear")]
    ax.plot(noise.component, 1 - noise.ceiling, "_", color=COLOURS["exact"], markersize=12, label="noise of A alone")
    ax.axhline(0.01, color=COLOURS["infinite"], linewidth=0.8, linestyle=":")
    ax.set(xlabel="component of the tensor", ylabel="1 − R² on held-out configurations", yscale="log")
    ax.set_xticks(range(1, 6))
    legend_above(ax)
