"""Figures of correlations: one panel per temperature and law, and a lattice's own."""

import numpy as np
import pandas as pd
import pytest
from helpers.figures import entries_of

from vae_mf.plotting.correlations import correlations_figure, spread
from vae_mf.statistics.correlations import compare_correlations
from vae_mf.statistics.overlaps import overlap_law_table
from vae_mf.systems.ising2d import Ising2D


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0])],
)
def test_temperatures_are_spread(values, expected):
    assert spread(values) == expected


def lattice_tables(temperatures):
    random = np.random.default_rng(1)
    spins = {
        s: {t: random.choice([-1, 1], (20, 16)).astype(np.int8) for t in temperatures} for s in ("samples", "model")
    }
    chains = {"samples": 20, "model": 20}
    functions, lengths = compare_correlations(Ising2D(4), spins, chains)
    return {
        "overlap_distribution": overlap_law_table(spins, chains),
        "correlation_function": functions,
        "observables": pd.DataFrame(lengths).assign(order_name="magnetisation m"),
    }


def test_few_temperatures_leave_no_empty_panel():
    for count in (1, 2):
        figure = correlations_figure(lattice_tables([1.5, 2.5][:count]))
        assert len(figure.axes) == 2 * count + 1
        assert all(ax.has_data() for ax in figure.axes)


def test_a_lattice_shows_its_correlations_and_their_length():
    tables = lattice_tables([1.5, 2.0, 2.5, 3.0, 4.0])
    axes = correlations_figure(tables).axes
    assert [ax.get_ylabel().split()[0] for ax in axes] == ["probability"] * 3 + ["correlation"] * 4
    assert axes[-1].get_ylabel() == "correlation length ξ\n[sites]"
    assert set(entries_of(axes[0].figure)) == {"exact", "N → ∞", "samples", "VAE"}
    exact = next(line for line in axes[3].lines if line.get_label() == "exact")
    assert exact.get_linestyle() == "None"
    del tables["correlation_function"]
    assert len(correlations_figure(tables).axes) == 3
