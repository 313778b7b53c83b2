"""The figure of a comparison shows the gains of the table, with their errors, in the colour of each family."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from vae_mf.plotting.density_models import FAMILIES, OTHER, draw_comparison, draw_learning_curves

FEW = ["VAE", "BernoulliMixture", "Independent", "Unknown"]


def table(splits: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frames = [
        pd.DataFrame(
            {
                "split": split,
                "model": [f"{family} {split}" for family in FEW],
                "family": FEW,
                "training_rows": 100,
                "validation_log_likelihood": -9.0,
                "gain_over_independent": random.random(4),
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


def test_a_large_loss_is_an_arrow_at_the_edge_with_its_number():
    gains = [1.0, 0.5, 0.0, -3.0]
    (ax,) = draw_comparison(table(["time"]).assign(gain_over_independent=gains)).axes
    assert len(ax.containers) == 3
    (label,) = ax.texts
    assert label.get_text() == "−3.00"
    assert ax.get_xlim()[0] > -1
    assert ax.get_yticklabels()[0].get_text() == "Unknown time"


def test_the_legend_names_the_families_that_are_there():
    (legend,) = draw_comparison(table(["time"])).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "independent variables",
        "Bernoulli mixture",
        "VAE",
        "other",
    ]


def test_a_learning_curve_follows_the_member_of_a_family_that_validation_chooses():
    few, many = table(["time"]), table(["time"]).assign(training_rows=1000)
    better = many.assign(validation_log_likelihood=-8.0, gain_over_independent=many.gain_over_independent + 1)
    both = pd.concat([few, many, better], ignore_index=True)
    (ax,) = draw_learning_curves(both).axes
    shown = [table(["time"]).family != "Independent", few.family != "Independent"]
    gains = {to_hex(line.lines[0].get_color()): line.lines[0].get_xydata() for line in ax.containers}
    assert len(gains) == shown[0].sum()
    for family in ("VAE", "BernoulliMixture"):
        own = FAMILIES[family][0]
        expected = [
            [100, few.gain_over_independent[few.family == family].item()],
            [1000, better.gain_over_independent[better.family == family].item()],
        ]
        assert_allclose(gains[own], expected)
    # The figure of all models shows the largest number of rows.
    (panel,) = draw_comparison(pd.concat([few, many])).axes
    assert {container.lines[0].get_xdata()[0] for container in panel.containers} == set(many.gain_over_independent)
