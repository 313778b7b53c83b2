"""Panels of total correlation and capacity: what a table says is what is drawn."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.plotting.style import new_figure
from vae_mf.plotting.total_correlation import (
    draw_capacity,
    draw_conditional_correlation,
    draw_displacement_residuals,
    draw_pair_residuals,
    draw_scaling,
    draw_total_correlation,
)

TEMPERATURES = [1.0, 2.0, 3.0]


@pytest.fixture
def ax():
    figure, (panel,) = new_figure(1, 1)
    yield panel
    figure.canvas.draw()


def labels(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def conditional(**changes) -> pd.DataFrame:
    columns = {"temperature": TEMPERATURES, "train": [1.0, 2, 3], "test": [0.9, 1.9, 2.9], "test_error": 0.1}
    columns |= {"floor": 0.2, "identity": [1.0, 2, 3], "identity_error": 0.1, "decided": True}
    return pd.DataFrame(columns | changes)


def test_undecided_temperatures_are_crossed(ax):
    draw_conditional_correlation(ax, conditional(decided=[True, False, True]))
    assert ax.get_title() == "crossed: not decided"
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    np.testing.assert_array_equal(crosses[0].get_xydata(), [[2.0, 1.9]])
    assert "exact identity" in labels(ax)


def test_an_unknown_identity_is_not_drawn(ax):
    draw_conditional_correlation(ax, conditional(identity=np.nan, identity_error=np.nan))
    assert "exact identity" not in labels(ax)
    assert not ax.get_title()


def test_total_correlation_of_both_sources(ax):
    rows = {"temperature": TEMPERATURES, "test": [3.0, 2, 1], "test_error": 0.1}
    tables = [pd.DataFrame(rows | {"source": s, "exact": e}) for s, e in (("samples", [3.1, 2, 1]), ("model", np.nan))]
    draw_total_correlation(ax, pd.concat(tables))
    assert labels(ax) == ["exact", "samples, critic", "VAE, critic"]


def capacity(**changes) -> pd.DataFrame:
    unknown = {"half": np.nan, "area_law_half": np.nan, "sublattice": np.nan, "sampled_half": np.nan, "field": np.nan}
    columns = {"temperature": TEMPERATURES, "rate": [1.0, 1.5, 0.5], "rate_error": 0.1, "satisfied": True}
    errors = {f"{name}_error": 0.0 for name in list(unknown)[:4]}
    return pd.DataFrame(columns | unknown | errors | changes)


def test_short_rates_are_circled_and_unknown_cuts_left_out(ax):
    draw_capacity(ax, capacity(half=[0.8, 2.0, 0.4], satisfied=[True, False, True]))
    assert labels(ax) == ["cut into halves, exact", "rate R"]
    assert "circled" in ax.get_title()
    circles = [line for line in ax.lines if line.get_markersize() == 9 and line.get_marker() == "o"]
    np.testing.assert_array_equal(circles[0].get_xydata(), [[2.0, 1.5]])


def test_nothing_is_circled_where_nothing_is_known(ax):
    draw_capacity(ax, capacity(satisfied=[None, None, None], field=[1.0, 1.6, 0.6]))
    assert labels(ax) == ["Hubbard-Stratonovich field", "rate R"]
    assert not ax.get_title()


def test_the_map_of_pairs_is_symmetric(ax):
    table = pd.DataFrame({"first": [0, 0, 1], "second": [1, 2, 2], "significance": [1.0, -2.0, 3.0]})
    draw_pair_residuals(ax, table, range(3))
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 1, -2], [1, 0, 3], [-2, 3, 0]])


def test_displacements_are_put_in_their_place(ax):
    table = pd.DataFrame({"dy": [0, -1, 1], "dx": [1, 0, -1], "coefficient": [0.5, -0.25, 0.1]})
    draw_displacement_residuals(ax, table)
    found = ax.images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(found, [[np.nan, -0.25, np.nan], [np.nan, np.nan, 0.5], [0.1, np.nan, np.nan]])
    assert list(ax.images[0].get_extent()) == [-1.5, 1.5, 1.5, -1.5]


def test_scaling_has_a_line_per_number_of_latents(ax):
    rows = [
        {"sites": n, "latents": d, "temperature": 2.0, "rate": d, "rate_error": 0.1, "information": n / 50}
        for d in (1, 2)
        for n in (64, 256)
    ]
    draw_scaling(ax, pd.DataFrame(rows), 2.0)
    assert labels(ax) == ["information of a cut", "rate, d = 1", "rate, d = 2"]
