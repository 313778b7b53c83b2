"""The figure of retrieval against load: tables, panel and command."""

import numpy as np
import pandas as pd
import pytest
from helpers.commands import only, run
from helpers.figures import entries_of, labels_of, words_of
from scipy.special import erf

from vae_mf.plotting.runs import draw_retrieval
from vae_mf.samplers.retrieval import LoadCurve, load_curve
from vae_mf.studies.retrieval import COLD, infinite_overlaps, retrieval_tables, simulated_overlaps
from vae_mf.systems.hopfield_theory import retrieval_overlap

LOADS = np.array([0.05, 0.1, 0.15])
TINY = {"sizes": [40, 60], "loads": [0.05, 0.2], "networks": 2, "starts": 2, "sweeps": 5, "theory_loads": 5}


def curve(sites):
    overlaps = np.array([0.99, 0.9, 0.4]) - 1 / sites
    return LoadCurve(LOADS, overlaps, np.full(3, 0.01), np.ones(3))


def table():
    parts = [infinite_overlaps(np.linspace(0.01, 0.2, 39), t) for t in (0.0, 0.3)]
    parts += [simulated_overlaps(curve(sites), sites, t) for t in (0.0, 0.3) for sites in (100, 400)]
    return pd.concat(parts, ignore_index=True)


def test_tables_hold_the_curves():
    rows = simulated_overlaps(load_curve(50, LOADS.tolist(), networks=3, starts=2, seed=1), 50, 0.0)
    np.testing.assert_allclose(rows.load, [0.06, 0.1, 0.16], atol=0.02)
    assert rows[["source", "temperature", "sites"]].drop_duplicates().to_numpy().tolist() == [["samples", 0.0, 50]]
    theory = infinite_overlaps(LOADS, 0.0)
    assert theory.overlap.tolist() == [retrieval_overlap(COLD, load) for load in LOADS]
    assert infinite_overlaps(LOADS, 0.3).overlap[1] == retrieval_overlap(0.3, 0.1)


def test_the_theory_at_zero_temperature_is_that_of_amit_gutfreund_and_sompolinsky():
    """M = erf(x), x^2 = m^2 / (2 alpha r), r = 1 / (1 - C)^2 with C = 2 x exp(-x^2) / (sqrt(pi) m)."""
    for load in (0.05, 0.1, 0.13, 0.137):
        overlap, noise = 1.0, 1.0
        for _ in range(5000):
            x = overlap / np.sqrt(2 * load * noise)
            slope = 2 * x * np.exp(-(x**2)) / (np.sqrt(np.pi) * overlap)
            overlap, noise = (overlap + erf(x)) / 2, (noise + 1 / (1 - slope) ** 2) / 2
        assert infinite_overlaps(np.array([load]), 0.0).overlap[0] == pytest.approx(overlap, abs=1e-3)


def test_every_size_has_its_curve_and_the_critical_load_is_marked():
    drawn = table()
    axes = draw_retrieval({"retrieval": drawn}).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["T = 0", "T = 0.3"]
    for ax, temperature, critical in zip(axes, (0.0, 0.3), (0.138, 0.103), strict=True):
        assert labels_of(ax.figure)[0] == ("load α = P / N", "overlap with the pattern m")
        assert entries_of(ax.figure) == ["N → ∞", "N = 100", "N = 400"]
        handles = ax.get_legend_handles_labels()[0]
        for handle, sites in zip(handles[1:], (100, 400), strict=True):
            rows = drawn[(drawn.sites == sites) & (drawn.temperature == temperature)]
            np.testing.assert_allclose(handle.lines[0].get_xydata(), rows[["load", "overlap"]])
        assert words_of(ax) == [f"α$_c$ = {ax.texts[0].xy[0]:.3f}"]
        assert ax.texts[0].xy[0] == pytest.approx(critical, abs=0.006)


def test_the_study_has_every_temperature_size_and_load_and_the_theory():
    (found,) = retrieval_tables(temperatures=[0.0, 0.3], seed=1, corruption=0.1, **TINY).values()
    assert len(found) == 2 * (5 + 2 * 2)
    assert set(found[found.source == "samples"].sites) == {40, 60}
    again = retrieval_tables(temperatures=[0.0, 0.3], seed=1, corruption=0.1, threads=1, **TINY)["retrieval"]
    pd.testing.assert_frame_equal(found, again)


@pytest.mark.slow
def test_the_figure_is_one_of_those_that_are_reproduced(tmp_path):
    options = [f"figures.retrieval.tables.{name}={value}".replace(" ", "") for name, value in TINY.items()]
    result = run("reproduce", "retrieval", *options, f"paths.outputs={tmp_path}")
    assert result.code == 0, result.err
    folder = only(tmp_path / "reproduced", "retrieval-*")
    assert len(pd.read_csv(folder / "tables" / "retrieval.csv")) == 2 * (5 + 2 * 2)
    assert (folder / "figures" / "retrieval.png").read_bytes().startswith(b"\x89PNG")
