"""The study of Plefka expansions: its errors are those of the expansions and not of the samples."""

import numpy as np
import pytest
from helpers.kinetic_enumeration import exact_moments

from vae_mf.plotting.kinetic_moments import NAMES, draw_kinetic_moments
from vae_mf.studies.kinetic_moments import moment_errors, moment_tables, sampled_halves
from vae_mf.systems.kinetic_plefka import EXPANSIONS, kinetic_moments

SIZES = {"sites": 12, "mean": 1.0, "spread": 0.1, "field": 0.5, "steps": 4, "repeats": 2000}


def test_errors_are_those_against_exact_moments():
    random = np.random.default_rng(1)
    couplings = random.normal(0.2, 0.3, (5, 5))
    fields = random.normal(0, 0.5, 5)
    exact = exact_moments(couplings, fields, 3, np.ones(5))
    halves = sampled_halves(couplings, fields, 3, 400_000, seed=1)
    found = kinetic_moments(couplings, fields, 3, "naive", np.ones(5))[-1]
    for row, expected, value in zip(moment_errors(found, halves), exact, found, strict=True):
        assert row["error"] == pytest.approx(np.sqrt(np.mean((expected - value) ** 2)), rel=0.05)
        assert float(row["sampling"]) < 0.003


def test_the_figure_has_a_line_for_every_expansion():
    tables = moment_tables(betas=[0.5, 1.0], seed=1, **SIZES)
    assert len(tables["kinetic_moments"]) == 2 * 3 * len(EXPANSIONS)
    assert set(NAMES) == set(EXPANSIONS)
    axes = draw_kinetic_moments(tables).axes
    assert [len(ax.lines) for ax in axes] == [len(EXPANSIONS) + 1] * 3
