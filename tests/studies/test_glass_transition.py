"""Crossings of correlation lengths that are planted, and the tables of a small run."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.plotting.spin_glasses import draw_transition
from vae_mf.studies.glass_transition import crossing, transition_tables

LADDER = np.linspace(1.0, 1.5, 6)


def planted_rows(side, slope, samples=200, spread=0.05):
    """Samples whose means have xi / L = exp(-slope (T - 1.2)) / 2: all sides cross at 1.2."""
    random = np.random.default_rng(side)
    rows = []
    for temperature in LADDER:
        length = np.exp(-slope * (temperature - 1.2)) / 2
        ratio = 1 + (2 * side * np.sin(np.pi / side) * length) ** 2
        noise = 1 + spread * random.normal(size=samples)
        part = {
            "temperature": temperature,
            "sample": np.arange(samples),
            "q2": ratio * noise,
            "q2_wave": np.ones(samples),
        }
        rows.append(pd.DataFrame(part))
    return pd.concat(rows, ignore_index=True)


def test_a_planted_crossing_is_found_within_its_error():
    scores = []
    for number in range(12):
        small, large = planted_rows(100 + number, 1.0), planted_rows(200 + number, 2.0)
        found = crossing(small, large, (100 + number, 200 + number), (1.0, 1.5), seed=1)
        assert 0 < found["error"] < 0.02
        scores.append((found["temperature"] - 1.2) / found["error"])
    assert np.abs(scores).max() < 4
    assert 0.4 < np.std(scores) < 1.8


def test_curves_that_do_not_cross_are_told_so():
    small, large = planted_rows(4, 1.0), planted_rows(6, 1.0)
    large["q2"] *= 1.5
    found = crossing(small, large, (4, 6), (1.0, 1.5), seed=1)
    assert np.isnan(found["temperature"])
    assert found["resamples_that_cross"] < 0.1


@pytest.fixture(scope="module")
def tables():
    cubes = {"sides": [2, 4], "samples": [4, 4], "sweeps": [40, 40], "temperatures": [1.0, 1.4, 1.8, 2.2]}
    cubes |= {"window": (1.0, 2.2), "draws": 10, "chains": 2, "swap_every": 5}
    full = {"sizes": [8, 16, 32], "samples": 4, "temperatures": [0.5, 0.9, 1.5], "sweeps": 40, "draws": 10}
    return transition_tables(cubes, full, seed=1)


def test_tables_have_a_row_for_everything(tables):
    assert tables["transition"].groupby("side").size().to_dict() == {2: 4, 4: 4}
    assert list(zip(tables["crossings"].smaller, tables["crossings"].larger, strict=True)) == [(2, 4)]
    sources = tables["approach"].source.tolist()
    assert sources == ["samples"] * 3 + ["line", "parisi", "replica symmetric", "parisi, T = 0"]
    assert tables["approach"].set_index("source").energy["replica symmetric"] < tables["approach"].energy.iloc[4]


def test_the_figure_has_every_point(tables):
    lengths, binder, approach = draw_transition(tables).axes
    for ax in (lengths, binder):
        assert [len(container[0].get_xdata()) for container in ax.containers] == [4, 4]
    assert len(approach.containers[0][0].get_xdata()) == 3
