"""The study of walks through solutions: its tables and its figure."""

import numpy as np
import pytest

from vae_mf.plotting.solution_walks import draw_solution_walks
from vae_mf.studies.solution_walks import walk_tables


@pytest.fixture(scope="module")
def tables():
    thresholds = {"clustering": 9.38}
    return walk_tables(4, [200, 400], [6.0, 8.5, 14.0], 2, 500, sweeps=300, thresholds=thresholds, seed=1)


def test_walks_go_less_far_the_more_clauses_there_are(tables):
    solutions = tables["solutions"]
    assert solutions.solved.tolist() == 2 * [True, True, True, True, False, False]
    ends = solutions[solutions.sites == 400].groupby("ratio").end.mean()
    assert ends[6.0] < 0.35
    assert ends[8.5] > ends[6.0] + 0.2
    assert np.isnan(ends[14.0])


def test_walks_end_with_the_overlaps_of_the_table(tables):
    walks, solutions = tables["walks"], tables["solutions"].dropna(subset="end")
    last = walks[walks.sweeps == 300].reset_index(drop=True)
    np.testing.assert_allclose(last.overlap, solutions.end)
    assert not walks.groupby(["sites", "ratio", "formula"]).sweeps.apply(lambda times: times.duplicated().any()).any()


def test_the_overlap_of_solutions_at_random_is_that_at_the_end_of_free_walks(tables):
    chosen = tables["solutions"].query("ratio == 6.0 and sites == 400")
    assert chosen.converged.all()
    assert chosen.end.mean() == pytest.approx(chosen.beliefs.mean(), abs=0.2)


def test_the_figure_has_a_line_for_every_ratio_and_size(tables):
    left, right = draw_solution_walks(tables).axes
    assert left.get_legend_handles_labels()[1] == ["6 clauses", "8.5 clauses"]
    labels = right.get_legend_handles_labels()[1]
    assert {"N = 200", "N = 400", "solutions at random", "clustering: 9.38"} <= set(labels)


def test_formulas_that_are_all_too_hard_are_told():
    with pytest.raises(
        ValueError, match="ratios: expected formulas that ProbSAT solves in 5 moves per variable, got none"
    ):
        walk_tables(4, [50], [20.0], 1, 5, sweeps=10, thresholds={}, seed=1)
