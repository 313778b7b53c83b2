"""Panels of what was decoded show what their tables hold."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from vae_mf.plotting.decoding import (
    SPACE_COLOURS,
    draw_coupling,
    draw_cumulant,
    draw_recovery,
    draw_tensor_scores,
    draw_unmixing,
)
from vae_mf.plotting.style import new_figure


def curve(space: str, unmixing: str, sites: int, loads=(8, 16, 36)) -> pd.DataFrame:
    shares = np.linspace(1, 0, len(loads))
    columns = {"patterns": loads, "recovered": shares, "error": 0.1, "instances": 3}
    return pd.DataFrame({"space": space, "unmixing": unmixing, "sites": sites} | columns)


def drawn(draw, *arguments):
    figure, axes = new_figure(1, 1)
    draw(axes[0], *arguments)
    figure.canvas.draw()
    return axes[0]


def test_recovery_is_drawn_per_route():
    table = pd.concat([curve("vae", "search", 256), curve("pca", "fastica", 256)])
    ax = drawn(draw_recovery, table)
    lines = {line.get_label(): line for line in ax.get_legend_handles_labels()[0]}
    assert set(lines) == {"VAE decoder + sign-vector search", "PCA + FastICA"}
    assert to_rgb(lines["PCA + FastICA"][0].get_color()) == to_rgb(SPACE_COLOURS["pca"])
    np.testing.assert_allclose(lines["PCA + FastICA"][0].get_xydata(), [(8, 1), (16, 0.5), (36, 0)])
    assert "P" in ax.get_xlabel()
    assert any(abs(line.get_xdata()[0] - 0.138 * 256) < 1e-9 for line in ax.lines if len(line.get_xdata()) == 2)


def test_the_map_has_a_panel_for_each_size_and_one_for_trained_decoders():
    table = pd.concat([curve("exact", "search", 64), curve("exact", "search", 256), curve("vae", "search", 256)])
    figure = draw_unmixing(table)
    assert [ax.get_title("left") for ax in figure.axes] == [
        "N = 64, exact space",
        "N = 256, exact space",
        "N = 256, from samples",
    ]
    assert len(figure.legends) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "exact space + sign-vector search",
        "VAE decoder + sign-vector search",
    ]


def test_the_cumulant_is_drawn_beside_its_baseline():
    tilt = np.linspace(-1, 1, 5)
    table = pd.DataFrame({"axis": 1, "tilt": tilt, "cumulant": tilt**2, "error": 0.0, "gaussian": tilt**2 / 2})
    ax = drawn(draw_cumulant, table)
    np.testing.assert_allclose(ax.lines[-2].get_ydata(), tilt**2 / 2)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Gaussian baseline", "K, axis 1"]


def test_couplings_are_drawn_against_the_truth():
    ax = drawn(draw_coupling, pd.DataFrame({"exact": [0.5, 1.0], "beta_j": [0.6, 1.1]}))
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [(0.5, 0.6), (1.0, 1.1)])


def test_scores_of_the_tensor_are_drawn_as_what_is_missing():
    rows = [
        (regressor, target, temperature, component, 0.9, 0.95)
        for regressor in ("mlp", "linear")
        for target in ("expected", "sampled")
        for temperature in ("pooled", "0.2")
        for component in range(1, 6)
    ]
    table = pd.DataFrame(rows, columns=["regressor", "target", "temperature", "component", "r2", "ceiling"])
    ax = drawn(draw_tensor_scores, table)
    for line in ax.lines[:4]:
        np.testing.assert_allclose(line.get_xydata(), [(k, 0.1) for k in range(1, 6)])
    assert len(ax.get_legend().get_texts()) == 5
