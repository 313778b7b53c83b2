"""The figure of a sweep shows means, errors and single runs of every line where they belong."""

from itertools import islice

import numpy as np
import pandas as pd
import pytest
from helpers.figures import in_one_line
from matplotlib.colors import to_hex

from vae_mf.plotting.style import looks
from vae_mf.plotting.sweeps import GAP, draw_collection


def tables(values: list, lines: tuple[str, ...] = ("a", "b"), seeds: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and averages of a metric that was measured at every value for every line."""
    generator = np.random.default_rng(1)
    points = [(line, value) for line in lines for value in values]
    runs = pd.DataFrame(
        [(line, value, score) for line, value in points for score in generator.random(seeds)],
        columns=["line", "option", "test_elbo"],
    )
    averages = runs.groupby(["line", "option"], sort=False).test_elbo.agg(["mean", "sem", "count"]).reset_index()
    return runs, averages.rename(columns={"sem": "error", "count": "runs"})


def draw(*arguments, **options):
    runs, averages = tables(*arguments, **options)
    (ax,) = draw_collection(runs, averages, "test_elbo", "option").axes
    return ax, runs, averages


def test_means_errors_and_single_runs_are_those_of_the_tables():
    ax, runs, averages = draw([8, 3])
    assert [container.get_label() for container in ax.containers] == ["a", "b"]
    for line, container in zip("ab", ax.containers, strict=True):
        means = averages[averages.line == line].sort_values("option")
        np.testing.assert_allclose(container.lines[0].get_xydata(), means[["option", "mean"]])
        heights = [np.ptp(segment[:, 1]) for segment in container.lines[2][0].get_segments()]
        np.testing.assert_allclose(heights, 2 * means.error)
    faint = np.concatenate([line.get_xydata() for line in ax.lines if line.get_alpha()])
    np.testing.assert_allclose(faint, runs[["option", "test_elbo"]])


def test_everything_drawn_lies_inside_the_axes():
    ax, runs, _ = draw([3, 8])
    (low, high), (left, right) = ax.get_ylim(), ax.get_xlim()
    assert low < runs.test_elbo.min() < runs.test_elbo.max() < high
    assert left < 3 < 8 < right


def test_lines_have_their_own_colour_marker_and_place():
    ax, _, _ = draw([3, 8], lines=("a", "b", "c"))
    means = [container.lines[0] for container in ax.containers]
    assert [(to_hex(line.get_color()), line.get_marker()) for line in means] == list(islice(looks(), 3))
    shifts = [(line.get_transform().transform((0, 0)) - ax.transData.transform((0, 0)))[0] for line in means]
    gap = GAP * ax.figure.dpi
    np.testing.assert_allclose(shifts, [-gap, 0, gap], atol=1e-9)


def test_labels_name_metric_option_and_lines():
    ax, _, _ = draw([3, 8])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("option", "ELBO, held-out configurations\n[nats per configuration]")
    assert in_one_line(ax.get_title()) == "mean ± standard error over 3 seeds; faint: single runs"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_the_title_tells_how_many_seeds_were_averaged():
    runs, averages = tables([3, 8])
    averages.loc[0, "runs"] = 2
    (ax,) = draw_collection(runs, averages, "test_elbo", "option").axes
    assert in_one_line(ax.get_title()).startswith("mean ± standard error over 2 to 3 seeds")


def test_one_line_of_single_runs_needs_neither_legend_nor_title():
    ax, _, _ = draw([3, 8], lines=("",), seeds=1)
    assert ax.get_legend() is None
    assert ax.get_title() == ""


def test_texts_stand_side_by_side_and_are_not_connected():
    ax, _, averages = draw(["spline", "gaussian"])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["spline", "gaussian"]
    for line, container in zip("ab", ax.containers, strict=True):
        points = dict(container.lines[0].get_xydata())
        assert container.lines[0].get_linestyle() == "None"
        means = averages[averages.line == line].set_index("option")["mean"]
        assert points == {0: means["spline"], 1: means["gaussian"]}


@pytest.mark.parametrize(("values", "scale"), [([1, 50], "linear"), ([0.001, 0.1], "log"), ([-1, 100], "linear")])
def test_numbers_over_decades_get_a_logarithmic_axis(values, scale):
    ax, _, _ = draw(values)
    assert ax.get_xscale() == scale
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(value) for value in values]


def test_many_numbers_get_ordinary_ticks():
    ax, _, _ = draw(list(range(1, 21)))
    assert len(ax.get_xticks()) < 20
