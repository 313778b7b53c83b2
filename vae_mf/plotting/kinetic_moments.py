"""Figure of the errors of Plefka expansions."""

import pandas as pd
from matplotlib.figure import Figure

from vae_mf.plotting.style import COLOURS, CYCLE, house_style, new_figure

NAMES = {
    "naive": "first order",
    "t-1,t": "Plefka[t−1, t]",
    "t": "Plefka[t]",
    "t-1": "Plefka[t−1]",
    "pairs": "pairs, Plefka2[t]",
}
LARGEST = 2.0
TITLES = {"magnetisations": "magnetisations m", "covariances": "covariances C", "delayed": "delayed covariances D"}


def draw_kinetic_moments(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the error of every expansion against the strength of the couplings, a panel per moment.

    Errors above `LARGEST` lie beyond the panel: an expansion that has diverged.
    """
    table = tables["kinetic_moments"]
    with house_style():
        figure, axes = new_figure(1, len(TITLES))
        for ax, (moment, title) in zip(axes, TITLES.items(), strict=True):
            chosen = table[table.moment == moment]
            for (expansion, name), (colour, marker) in zip(NAMES.items(), CYCLE, strict=False):
                rows = chosen[chosen.expansion == expansion]
                ax.plot(rows.beta, rows.error, color=colour, marker=marker, label=name)
            sampling = chosen.groupby("beta").sampling.mean()
            ax.plot(sampling.index, sampling, ":", color=COLOURS["infinite"], label="error of the samples")
            ax.set(xlabel="inverse temperature β", ylabel="RMS error", yscale="log", title=title)
            ax.set_ylim(0.5 * chosen.error.min(), LARGEST)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
