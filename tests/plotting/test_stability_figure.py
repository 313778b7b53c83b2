"""The figure of the stability study: grey for what not recovered, a point per repetition, filled by the answer."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from vae_mf.plotting.stability import draw_shares, draw_stability_study
from vae_mf.plotting.style import COLOURS, new_figure

NAMES = ["bootstrap_1", "first_half", "second_half", "seed_1", "seed_2"]
ORDER = ["seed 1", "seed 2", "first half", "second half", "bootstrap 1"]
CELLS = 7


def stability() -> pd.DataFrame:
    pairs = [(name, pattern) for name in NAMES if name != "seed_1" for pattern in (1, 2)]
    table = pd.DataFrame(pairs, columns=["repetition", "pattern"])
    return table.assign(share=np.random.default_rng(1).random(len(table)))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(2)
    profiles = {f"{name}_{k}": random.normal(size=CELLS) for name in ("pattern", "spread") for k in (1, 2)}
    answers = ["found", "not found", "not decided", "not found", "not found"]
    numbers = {name: random.random(len(NAMES)) for name in ("correlation", "correlation_error", "gain", "gain_error")}
    return {
        "patterns": pd.DataFrame({"cell": range(20, 20 + CELLS), **profiles}).abs(),
        "pattern_summary": pd.DataFrame({"pattern": [1, 2], "recovered": [True, False], "threshold": 0.8}),
        "stability": stability(),
        "verdicts": pd.DataFrame({"repetition": NAMES, "answer": answers, "bound": 0.08, "floor": 0.1, **numbers}),
    }


@pytest.fixture(scope="module")
def axes(tables):
    figure = draw_stability_study(tables)
    figure.canvas.draw()
    return figure.axes


def test_patterns_are_bars_with_their_spread_and_grey_if_they_are_not_recovered(tables, axes):
    for number, colour, title in ((1, "vae", "pattern 1"), (2, "independent", "pattern 2, not recovered")):
        ax, table = axes[number - 1], tables["patterns"]
        assert ax.get_title(loc="left") == title
        assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {COLOURS[colour]}
        assert_allclose([bar.get_height() for bar in ax.patches], table[f"pattern_{number}"])
        (bars,) = ax.containers[-1].lines[2]
        lengths = [np.ptp(bar[:, 1]) for bar in bars.get_segments()]
        assert_allclose(lengths, 2 * table[f"spread_{number}"])
    assert [label.get_text() for label in axes[1].get_xticklabels()] == [str(cell) for cell in range(20, 27)]


def test_every_repetition_has_its_verdict_and_its_gain_in_the_order_of_kinds(tables, axes):
    verdicts = tables["verdicts"].set_index("repetition")
    fills = {"found": "none", "not found": "full", "not decided": "left"}
    for ax, column in ((axes[3], "correlation"), (axes[4], "gain")):
        assert [label.get_text() for label in ax.get_xticklabels()] == ORDER
        for name, drawn in zip(ORDER, ax.containers, strict=True):
            row = verdicts.loc[name.replace(" ", "_")]
            assert drawn.lines[0].get_ydata() == [row[column]]
            assert drawn.lines[0].get_fillstyle() == fills[row.answer]
            (bar,) = drawn.lines[2][0].get_segments()
            assert_allclose(np.ptp(bar[:, 1]), 2 * row[f"{column}_error"])
    (legend,) = [text.get_text() for text in axes[3].get_legend().get_texts()][:1]
    told = [text.get_text() for text in axes[3].get_legend().get_texts()]
    assert legend == "critic may miss of pairs"
    assert told[1:] == ["tolerated", "mean field not found", "mean field not decided", "mean field found"]


def test_shares_are_drawn_by_kind_beside_the_threshold():
    _, (ax,) = new_figure(1, 1)
    table = stability()
    draw_shares(ax, table, 0.75)
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert told == ["other seed", "half of the data", "bootstrap over repeats", "recovered"]
    drawn = np.concatenate([line.get_ydata() for line in ax.lines[:-1]])
    assert_allclose(np.sort(drawn), np.sort(table.share))
    places = np.concatenate([line.get_xdata() for line in ax.lines[:-1]])
    assert len(np.unique(places)) == len(table)
    assert np.abs(places - np.round(places)).max() < 0.3
    assert_allclose(ax.lines[-1].get_ydata(), 0.75)
