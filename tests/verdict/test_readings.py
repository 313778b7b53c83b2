"""Readings of what a model leaves: nothing of its own rows, and of a coupled pair what it is worth."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers.memory import peak_bytes

from vae_mf.density_models import BernoulliMixture
from vae_mf.density_models.latent_classes import LatentClasses
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.packing import all_configurations
from vae_mf.statistics import residual_information
from vae_mf.statistics.averages import Average
from vae_mf.statistics.latent_model import IndependentColumns
from vae_mf.statistics.row_order import row_blocks
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.assessment import assess_latent_model
from vae_mf.verdict.controls import KnownRows, controls, read_too_much, shifted_control
from vae_mf.verdict.decision import left_intervals, reading_ends
from vae_mf.verdict.evidence import recorded
from vae_mf.verdict.readings import BlockedRows, reading, what_is_left
from vae_mf.verdict.time_order import time_order

ROWS, VARIABLES = 6000, 8
ASSESSMENT = discovery_settings(
    *discovery_config(assessment={"readings": {"orders": 3, "order_rows": 600, "permutations": 60}})
).assessment
SETTINGS = ASSESSMENT.readings
THRESHOLDS = ASSESSMENT.thresholds


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(1)
    rates = np.where(random.random((2, VARIABLES)) < 0.5, 0.2, 0.8)
    rows = np.where(random.random((4000, VARIABLES)) < rates[random.integers(2, size=4000)], 1, -1).astype(np.int8)
    return LatentClasses(BernoulliMixture(2, random_state=1).fit(rows))


def blocked(rows: np.ndarray, share: float = 0.0) -> BlockedRows:
    return BlockedRows(rows, row_blocks(len(rows)), share)


def coupled(model, strength: float, seed: int, rows: int = ROWS) -> np.ndarray:
    """Rows of the model of which the last two variables are the same more often than given the class."""
    random = np.random.default_rng(seed)
    x = model.draw_rows(rows, seed)
    copied = random.random(rows) < strength
    x[copied, -1] = x[copied, -2]
    return x


def readings(model, rows, share=0.0):
    return what_is_left(model, blocked(rows, share), blocked(rows[-1000:]), SETTINGS, seed=2)


def test_nothing_is_left_of_the_rows_of_the_model(model):
    left = readings(model, model.draw_rows(ROWS, 5))
    lines = left.readings.set_index("reading")
    assert abs(lines.value["order 2"]) < 4 * lines.null_error["order 2"]
    assert abs(lines.value["order 3"]) < 5 * lines.null_error["order 3"]
    assert lines.value["fitted tilt"] <= 2 * lines.error["fitted tilt"]


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.5])
def test_a_coupled_pair_is_named_and_worth_what_the_interval_says(model, strength):
    """Left by a model that was fitted to the coupled rows, against a sum over all states."""
    rows = coupled(model, strength, seed=3)
    fitted = LatentClasses(BernoulliMixture(2, random_state=1).fit(rows))
    left = readings(fitted, rows)
    first = left.pairs.iloc[0]
    assert (first["first"], first["second"]) == (VARIABLES - 2, VARIABLES - 1)
    gains = pd.DataFrame([{"temperature": 1.0, "gain": 1.0, "gain_error": 0.1, "rows": ROWS, "most": np.inf}])
    table = left_intervals(left.readings.assign(temperature=1.0), gains, THRESHOLDS)
    exact = divergence(model, strength, fitted)
    assert table.lower[0] <= exact <= table.upper[0]
    assert table.lower[0] > 0


def test_a_set_of_four_is_named_and_refutes_the_model(model):
    """Beside two classes four variables whose product is +1 in 80 % of the rows: ln 2 less its entropy is left."""
    random = np.random.default_rng(4)
    apart = random.choice(np.int8([-1, 1]), (ROWS, 4))
    apart[:, 3] = apart[:, :3].prod(1) * np.where(random.random(ROWS) < 0.8, 1, -1)
    rows = np.hstack([model.draw_rows(ROWS, 4), apart])
    left = readings(LatentClasses(BernoulliMixture(2, random_state=1).fit(rows)), rows)
    first = left.sets.iloc[0]
    assert [first["first"], first["second"], first["third"], first["fourth"]] == [8, 9, 10, 11]
    assert left.pairs.empty
    gains = pd.DataFrame([{"temperature": 1.0, "gain": 1.0, "gain_error": 0.1, "rows": ROWS, "most": np.inf}])
    table = left_intervals(left.readings.assign(temperature=1.0), gains, THRESHOLDS)
    exact = np.log(2) + 0.8 * np.log(0.8) + 0.2 * np.log(0.2)
    assert 0.8 * exact < table.lower[0] <= exact <= table.upper[0]
    assert table.least[0] == "tilt of sets"
    assert left.scan.detectable[0] < 0.01


def test_too_many_sets_are_not_looked_through(model):
    rows = model.draw_rows(ROWS, 5)
    left = what_is_left(model, blocked(rows), blocked(rows[-1000:]), replace(SETTINGS, sets=10), seed=2)
    assert left.scan.order[0] == 0
    assert left.sets.empty
    assert "sets" not in set(left.readings.kind)


def divergence(model, strength: float, fitted) -> float:
    """KL of the rows of `coupled` from another model, by a sum over all states."""
    states = all_configurations(VARIABLES)
    mixture = model.mixture
    own = np.exp(mixture.score_samples(states))
    # A copied row has the law of all variables but the last, which repeats the one before.
    flipped = states.copy()
    flipped[:, -1] *= -1
    without = own + np.exp(mixture.score_samples(flipped))
    copied = np.where(states[:, -1] == states[:, -2], without, 0.0)
    law = (1 - strength) * own + strength * copied
    return float(law @ (np.log(law) - fitted.mixture.score_samples(states)))


def test_rows_that_a_model_was_fitted_to_are_granted_an_allowance(model):
    rows = model.draw_rows(ROWS, 7)
    share = 0.35 * 18 / (2 * ROWS)
    assert readings(model, rows, share).readings.allowance[0] == share
    # A large allowance costs more than fewer rows: held-out ones alone are read.
    assert readings(model, rows, 1.0).readings.allowance[0] == 0


def test_controls_pass_and_an_overstated_reading_does_not(model):
    rows = model.draw_rows(ROWS, 8)
    table = controls(model, blocked(rows), SETTINGS, THRESHOLDS, 0.02, 4).set_index("control")
    assert table.passed.all()
    assert not table.overstated.any()
    # Pairs do not show all that rows may differ by.
    own = KnownRows(model.draw_rows(2000, 9), Average(0.5, 0.001))
    table = controls(model, blocked(rows), SETTINGS, THRESHOLDS, 0.02, 4, own).set_index("control")
    assert table.passed["rows of the pairwise model"]
    # Rows that differ and are called the same.
    far = KnownRows(coupled(model, 0.5, 10, 4000), Average(0.0, 0.001))
    failed = controls(model, blocked(rows), SETTINGS, THRESHOLDS, 0.02, 4, far).set_index("control")
    assert not failed.passed["rows of the pairwise model"]
    assert failed.overstated["rows of the pairwise model"]
    # A divergence below zero is that of a ln Z that is off: the model's own rows are not overstated by it.
    below = KnownRows(model.draw_rows(4000, 9), Average(-0.1, 0.001))
    assert controls(model, blocked(rows), SETTINGS, THRESHOLDS, 0.02, 4, below).passed.all()
    # Rows that the model itself fails on.
    blind = controls(model, blocked(rows), SETTINGS, THRESHOLDS, 1e-6, 4).set_index("control")
    assert not blind.passed["rows of the latent model"]
    assert not blind.overstated["rows of the latent model"]
    assert blind.coarse["rows of the latent model"]
    assert not table.coarse.any()


def drifting() -> np.ndarray:
    """Rates that drift, but not as the classes go, survive a shift of the residuals."""
    random = np.random.default_rng(1)
    slow = np.linspace(-2, 2, ROWS)[:, None] * np.ones(VARIABLES)
    return np.where(random.random(slow.shape) < 1 / (1 + np.exp(-slow)), 1, -1).astype(np.int8)


def test_columns_that_stay_dependent_when_shifted_fail_the_control(model):
    rows = drifting()
    order = time_order(rows, np.zeros(ROWS, int))
    line = shifted_control(model, rows, order, THRESHOLDS, seed=6)
    assert line["control"] == "residuals shifted in time"
    assert line["overstated"]
    assert shifted_control(model, model.draw_rows(ROWS, 8), order, THRESHOLDS, seed=6)["passed"]
    # Slow change that the model explains is none of its residuals.
    rates = model.mixture.probabilities_.repeat(ROWS // 2, axis=0)
    switched = np.where(np.random.default_rng(2).random(rates.shape) < rates, 1, -1).astype(np.int8)
    assert shifted_control(model, switched, order, THRESHOLDS, seed=6)["passed"]


def test_the_control_holds_the_residuals_of_all_rows_once(monkeypatch):
    monkeypatch.setattr(residual_information, "SUMS", 100_000)  # for rows that are few
    rows = np.random.default_rng(3).choice(np.int8([-1, 1]), (60_000, 100))
    order = time_order(rows, np.zeros(len(rows), int))
    control = partial(shifted_control, IndependentColumns(rows), rows, order, THRESHOLDS, seed=6)
    assert peak_bytes(control) < 2.5 * 4 * rows.size


def test_a_reading_of_pairs_is_lowered_by_the_factor_that_the_pairwise_model_shows():
    line = {"control": "rows of the pairwise model", "known": 1.0, "value": 2.0, "overstated": True}
    too_much = read_too_much(pd.DataFrame([line]), 3.0, THRESHOLDS)
    assert 3.0 / THRESHOLDS.pairs_over - too_much == pytest.approx(1.5)
    assert read_too_much(pd.DataFrame([line | {"known": -1.0}]), 3.0, THRESHOLDS) == 3.0 / THRESHOLDS.pairs_over
    assert read_too_much(pd.DataFrame([line | {"overstated": False}]), 3.0, THRESHOLDS) == 0
    assert read_too_much(pd.DataFrame([line | {"value": 1.1}]), 3.0, THRESHOLDS) == 0


@pytest.mark.parametrize("drifts", [True, False])
def test_every_verdict_on_a_recording_takes_off_what_shifted_columns_show(model, drifts):
    rows = drifting() if drifts else model.draw_rows(ROWS, 8)
    parts = np.arange(ROWS // 2), np.arange(ROWS // 2, ROWS)
    data = recorded(rows, np.arange(ROWS), *parts, blocks=20)
    settings = discovery_settings(*discovery_config()).assessment
    own = np.zeros(len(data.groups[0].in_blocks))
    lead = reading("lead of another", "direct dependence", Estimate(0.1, 0.01, 0.01)) | {"temperature": 1.0}
    tables = assess_latent_model(model, 0, own, data, settings, pd.DataFrame([lead])).tables
    (control,) = tables["controls"].itertuples()
    assert control.overstated == drifts
    misfit = tables["readings"].set_index("kind").misfit
    # Of larger sets the nats are not those of all variables: they detect, and here they would detect drift. Held-out
    # rows are those of another law.
    unknown = ["higher order", "direct dependence"]
    assert set(misfit.drop(unknown)) == {control.value if drifts else 0}
    assert set(misfit[unknown]) == {np.inf if drifts else 0}
    large = tables["readings"][tables["readings"].kind.isin(("pairs", *unknown))].assign(value=9.0)
    lower = [np.isfinite(reading_ends(row, 0.0, THRESHOLDS)[0]) for _, row in large.iterrows()]
    assert lower == [not drifts or kind == "pairs" for kind in large.kind]
