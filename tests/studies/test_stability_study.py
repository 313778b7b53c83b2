"""The stability study reads patterns and verdicts of runs from their tables and puts them side by side."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from vae_mf.analysis.found_patterns import read_patterns, scaled_directions
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.studies.stability import study_tables
from vae_mf.tables import ANSWER, VERDICT, write_metrics, write_tables
from vae_mf.verdict.recording import variable_table

SITES = 30
AXES = np.linalg.qr(np.random.default_rng(1).normal(size=(SITES, 4)))[0]
"""Orthonormal columns."""


def write_run(folder, space: np.ndarray, cells=range(SITES), correlation: float = 0.5, answer: str = "not found"):
    columns = {f"direction_{k + 1}": column for k, column in enumerate(space.T)}
    table = pd.DataFrame({"cell": list(cells), "field": 0.0, "pattern_1": 1.0, **columns})
    write_tables(folder, {"cells": table})
    write_metrics(folder, {"test_gain_over_independent": 1.4, "test_gain_over_independent_error": 0.1})
    left = pd.DataFrame([{"correlation": correlation, "correlation_error": 0.02, "floor": 0.05}])
    carried = pd.DataFrame([{"rate": 1.2, "rate_error": 0.01}])
    write_tables(folder / VERDICT, {"conditional_correlation": left, "capacity": carried})
    told = {"mean_field_description": answer, "evidence": [{"bound": 0.08}, {"bound": None}]}
    (folder / VERDICT / ANSWER).write_text(json.dumps(told))


def turn(degrees: float) -> np.ndarray:
    """The second axis turned towards the fourth."""
    angle = np.radians(degrees)
    return np.stack([3 * AXES[:, 0], np.cos(angle) * AXES[:, 1] + np.sin(angle) * AXES[:, 3]], axis=1)


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "seed_1", turn(0))
    for name, degrees in {"seed_2": 0, "first_half": 80, "bootstrap_10": 80, "bootstrap_2": 80}.items():
        # Latents are known up to a rotation.
        rotation = np.array([[0.6, 0.8], [-0.8, 0.6]])
        write_run(tmp_path / name, turn(degrees) @ rotation, correlation=0.6, answer="not decided")
    write_run(tmp_path / "unjudged", turn(0))
    (tmp_path / "unjudged" / VERDICT / ANSWER).unlink()
    return tmp_path


def test_a_pattern_comes_back_whatever_the_mixing_and_only_where_its_space_does(runs):
    tables = study_tables(str(runs), "seed_1", 0.8, seed=1)
    stability = tables["stability"].set_index(["repetition", "pattern"])
    names = ["bootstrap_2", "bootstrap_10", "first_half", "seed_2"]
    assert list(stability.index.get_level_values(0).unique()) == names
    assert_allclose(stability.overlap.xs(1, level=1), 1)
    chance = 2 / SITES
    turned = (np.cos(np.radians(80)) ** 2 - chance) / (1 - chance)
    assert_allclose(stability.share.xs(2, level=1), [turned] * 3 + [1])
    assert_allclose(stability.angle.xs(2, level=1)[names], [80, 80, 80, 0], atol=1e-5)
    summary = tables["pattern_summary"]
    assert summary.recovered.tolist() == [True, False]
    assert summary.threshold.tolist() == [0.8, 0.8]


def test_the_spread_is_that_of_the_partners(runs):
    table = study_tables(str(runs), "seed_1", 0.8, seed=1)["patterns"]
    assert table.cell.tolist() == list(range(SITES))
    sign = np.sign(AXES[:, 1].sum())
    assert_allclose(table.pattern_2, sign * AXES[:, 1])
    assert_allclose(table.spread_1, 0, atol=1e-9)
    # Three of four repetitions are turned.
    assert_allclose(table.spread_2, np.sqrt(0.75) * np.abs(turn(80)[:, 1] - AXES[:, 1]))


def test_the_verdicts_of_all_runs_stand_side_by_side(runs):
    table = study_tables(str(runs), "seed_1", 0.8, seed=1)["verdicts"].set_index("repetition")
    assert list(table.index) == ["bootstrap_2", "bootstrap_10", "first_half", "seed_1", "seed_2"]
    expected = {"answer": "not found", "correlation": 0.5, "correlation_error": 0.02, "bound": 0.08, "floor": 0.05}
    expected |= {"rate": 1.2, "rate_error": 0.01, "gain": 1.4, "gain_error": 0.1}
    assert table.loc["seed_1"].to_dict() == expected
    assert table.answer["seed_2"] == "not decided"


def test_runs_of_other_cells_or_without_directions_are_refused(runs):
    write_run(runs / "other", turn(0), cells=range(1, SITES + 1))
    with pytest.raises(ValueError, match=r"other: expected the cells \[0, 1, .* got \[1, 2, "):
        study_tables(str(runs), "seed_1", 0.8, seed=1)
    write_run(runs / "other", turn(0)[:, :0])
    with pytest.raises(ValueError, match=r"other: expected columns direction_1 ... .* train it again"):
        study_tables(str(runs), "seed_1", 0.8, seed=1)


def test_a_study_needs_its_reference_and_a_repetition(runs, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected unjudged and other runs with verdicts in"):
        study_tables(str(runs), "unjudged", 0.8, seed=1)
    write_run(tmp_path / "alone" / "seed_1", turn(0))
    with pytest.raises(FileNotFoundError, match=r"got \['seed_1'\]"):
        study_tables(str(tmp_path / "alone"), "seed_1", 0.8, seed=1)


def test_the_table_of_cells_holds_the_directions_of_the_model(tmp_path):
    generator = np.random.default_rng(2)
    vae = VAE(LinearEncoder(SITES, 2), LinearDecoder(SITES, 2), GaussianPrior(2)).eval()
    with torch.no_grad():
        vae.decoder.log_odds.weight.copy_(torch.from_numpy(generator.normal(size=(SITES, 2))))
    table = variable_table(vae, np.arange(SITES), np.full(SITES, 0.5), draws=1, seed=3)
    found = table[["direction_1", "direction_2"]].to_numpy()
    assert_allclose(found, scaled_directions(vae, seed=3), rtol=1e-5)
    # What a run saves suffices: the study finds the patterns that the model has.
    for name in ("seed_1", "seed_2"):
        write_run(tmp_path / name, found)
    patterns = study_tables(str(tmp_path), "seed_1", 0.8, seed=3)["patterns"]
    assert_allclose(patterns[["pattern_1", "pattern_2"]].T, read_patterns(vae, seed=3).values, atol=1e-5)
