"""Solutions across the clustering transition: their law is uniform, tables and figure hold them."""

import numpy as np

from vae_mf.packing import all_configurations
from vae_mf.plotting.k_sat_clusters import draw_clusters
from vae_mf.studies.k_sat_clusters import Fits, Ladders, cluster_tables, solutions_of
from vae_mf.systems import KSat

TEMPERATURES = [0.15, 0.2, 0.3, 0.5, 1.0]


def test_solutions_are_drawn_alike():
    formula = KSat.random(10, 3, seed=3, clauses_per_site=3.0)
    rows = all_configurations(10)
    known = rows[formula.energy(rows) == 0]
    found = np.concatenate(solutions_of(formula, Ladders(TEMPERATURES, 8, 4000, 400), seed=1))
    counts = (found[:, None] == known[None]).all(-1).sum(0)
    assert counts.sum() == len(found)
    expected = len(found) / len(known)
    assert 5 < len(known) < 60
    assert ((counts - expected) ** 2 / expected).mean() < 4  # draws ten sweeps apart hold fewer than they are


def test_tables_and_figure_hold_every_ratio():
    ladders = Ladders(TEMPERATURES, 4, 400, 100)
    tables = cluster_tables(3, 16, [2.0, 3.5], 2, ladders, Fits([1, 2], [1], 2), seed=1)
    assert tables["frozen"].solved.sum() >= 3
    one = tables["gains"][tables["gains"].law == "mixture"]
    assert set(one.ratio) == {2.0, 3.5}
    single = one[one["size"] == 1]
    assert np.abs(single.gain).max() < 0.05  # one class are independent variables
    sums = tables["overlaps"].groupby(["ratio", "formula"]).density.sum()
    assert np.allclose(sums * 2 / 25, 1)
    figure = draw_clusters(tables)
    assert [ax.get_title(loc="left") for ax in figure.axes[2:]] == ["α = 2", "α = 3.5"]
