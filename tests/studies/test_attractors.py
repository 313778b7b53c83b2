"""Phases and basins of networks: tables and figures, against theory where it speaks."""

import numpy as np
import pytest

from vae_mf.plotting.attractors import PHASE_LINES, draw_basins, draw_phases
from vae_mf.studies.attractors import basin_tables, freezing_line, phase_tables, retrieval_lines
from vae_mf.systems.hopfield_theory import retrieval_state


def test_lines_end_where_they_must():
    lines = retrieval_lines(points=8)
    assert set(lines.line) == {"largest", "coexistence", "symmetric"}
    ends = lines.groupby("line").load.max()
    assert ends["largest"] == pytest.approx(0.138, abs=1e-3)
    assert ends["coexistence"] == pytest.approx(0.053, abs=1e-3)
    assert lines[lines.line == "symmetric"].temperature.max() < 0.1
    assert lines[lines.temperature > 0.99].load.max() < 1e-4
    assert freezing_line(5, 0.25).iloc[-1].temperature == 1.5


def test_networks_keep_the_overlap_of_theory_and_the_figure_shows_them():
    options = {"networks": 3, "starts": 3, "sweeps": 40, "seed": 1}
    tables = phase_tables(400, [0.02, 0.3], [0.4], points=4, largest_load=0.2, **options)
    kept = tables["phase_overlaps"]
    assert kept.overlap[0] == pytest.approx(retrieval_state(0.4, 0.02).overlap, abs=0.03)
    assert kept.overlap[1] < 0.6
    figure = draw_phases(tables)
    assert len(figure.axes[0].lines) == len(PHASE_LINES)
    assert [label.get_text() for label in figure.axes[0].get_legend().get_texts()] == [
        n for n, _ in PHASE_LINES.values()
    ]


def test_patterns_are_recalled_from_afar_at_a_small_load_alone():
    table = basin_tables([400], [0.01, 0.3], [0.2, 0.5, 1.0], seed=1, networks=4, starts=4)["basins"]
    small, large = (rows for _, rows in table.groupby("load"))
    assert (small.overlap[small.start >= 0.5] > 0.99).all()
    assert (large.overlap < 0.8).all()
    assert np.isfinite(table.error).all()
    figure = draw_basins({"basins": table})
    assert len(figure.axes) == 1
