"""Figure of the errors of Plefka expansions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vae_mf.plotting.layout import house_figure, legend_below
from vae_mf.plotting.style import COLOURS, looks, new_figure

NAMES = {
    "naive": "first order",
    "t-1,t": "Plefka[t−1, t]",
    "t": "Plefka[t]",
    "t-1": "Plefka[t−1]",
    "pairs": "pairs, Plefka2[t]",
}
LARGEST = 2.0
TITLES = {"magnetisations": "magnetisations m", "covariances": "covariances C", "delayed": "delayed covariances D"}


@house_figure(
    "Root mean square error of Plefka expansions of a kinetic Ising model against the inverse temperature, a "
    "panel per moment. Dotted: error of the samples themselves; no point where it hides that of the expansion."
)
def draw_kinetic_moments(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the error of every expansion against the strength of the couplings, a panel per moment.

    Errors above `LARGEST` lie beyond the panel: an expansion that has diverged.
    """
    table = tables["kinetic_moments"]
    figure, axes = new_figure(1, len(TITLES))
    for ax, (moment, title) in zip(axes, TITLES.items(), strict=True):
        chosen = table[table.moment == moment]
        for (expansion, name), (colour, marker) in zip(NAMES.items(), looks(), strict=False):
            rows = chosen[chosen.expansion == expansion]
            ax.plot(rows.beta, rows.error, color=colour, marker=marker, label=name)
        sampling = chosen.groupby("beta").sampling.mean()
        ax.plot(sampling.index, sampling, ":", color=COLOURS["infinite"], label="error of the samples")
        ax.set(xlabel="inverse temperature β", ylabel="RMS error", yscale="log", title=title)
        ax.set_ylim(0.5 * np.nanmin([chosen.error.min(), sampling.min()]), LARGEST)
    legend_below(figure, axes)
    return figure
