"""The figure of a comparison shows the gains of the table, with their errors, in the colour of each family."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from vae_mf.plotting.density_models import FAMILIES, OTHER, draw_comparison

FEW = ["VAE", "BernoulliMixture", "Independent", "Unknown"]


def table(splits: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frames = [
        pd.DataFrame(
            {
                "split": split,
                "model": [f"{family} {split}" for family in FEW],
                "family": FEW,
                "gain_over_independent": random.normal(size=4),
                "gain_over_independent_error": random.random(4),
            }
        )
        for split in splits
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("splits", [["time"], ["random", "repeat", "time"]], ids=len)
def test_points_bars_and_colours_are_those_of_the_table(splits):
    given = table(splits)
    figure = draw_comparison(given)
    assert len(figure.axes) == len(splits)
    for ax, split in zip(figure.axes, splits, strict=True):
        rows = given[given.split == split].sort_values("gain_over_independent")
        assert [label.get_text() for label in ax.get_yticklabels()] == list(rows.model)
        for place, (container, row) in enumerate(zip(ax.containers, rows.itertuples(), strict=True)):
            assert_allclose(container.lines[0].get_xydata(), [[row.gain_over_independent, place]])
            (bar,) = container.lines[2][0].get_segments()
            assert_allclose(np.ptp(bar[:, 0]), 2 * row.gain_over_independent_error)
            expected = FAMILIES.get(row.family, OTHER)[0]
            assert to_hex(container.lines[0].get_color()) == expected


def test_the_legend_names_the_families_that_are_there():
    (legend,) = draw_comparison(table(["time"])).legends
    assert [text.get_text() for text in legend.get_texts()] == ["independent variables", "Bernoulli mixture", "VAE"]
