"""Claims of a report on the past: said where a past is planted, and not where rows are shuffled."""

import numpy as np
import pandas as pd
import pytest
from helpers.discovery import TINY

from vae_mf.datasets.recording import make_recording
from vae_mf.density_models.comparison import score_density_model
from vae_mf.density_models.hidden_markov import HiddenMarkov
from vae_mf.density_models.independent import Independent
from vae_mf.density_models.lagged_autoregression import LaggedAutoregression
from vae_mf.discovery.document import memory
from vae_mf.discovery.findings import Findings
from vae_mf.discovery.memory import latent_time, memory_table, timed_parts
from vae_mf.discovery.report import discover
from vae_mf.discovery.sentences import predictable
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.discovery.split import prepare

SETTINGS = discovery_settings(*discovery_config(quick=True))
RATES = np.array([[0.2] * 6, [0.8] * 6])
STAY = 0.95


def switching(rows: int, seed: int) -> np.ndarray:
    """Rows of 0 and 1 of two states, each of which stays with probability .95."""
    random = np.random.default_rng(seed)
    state = (random.random(rows) > STAY).cumsum() % 2
    return (random.random((rows, 6)) < RATES[state]).astype(np.int8)


def exact_information(rows: np.ndarray) -> float:
    """Mean of ln p(s_t | past) - ln p(s_t) under the law that the rows are drawn from, written out."""
    likelihoods = np.where(rows[:, None] > 0, RATES, 1 - RATES).prod(axis=2)
    law = np.array([0.5, 0.5])
    total = 0.0
    for own in likelihoods:
        total += np.log(law @ own) - np.log(own.mean())
        law = law * own / (law @ own)
        law = STAY * law + (1 - STAY) * law[::-1]
    return total / len(rows)


EXACT = exact_information(switching(60_000, seed=1))


def table_of(rows: np.ndarray, order: str = "time"):
    """The table of a discovery whose model of single rows is poor: independent variables."""
    split = prepare(make_recording(rows), order, SETTINGS)
    static = score_density_model("independent", Independent(), split.train, split.validation, split.test)
    models = {"states": HiddenMarkov(3, tolerance=1e-4), "autoregression": LaggedAutoregression()}
    return memory_table(timed_parts(split, SETTINGS.memory.rows), models, static, 20)


def findings(metrics: dict, table=None) -> Findings:
    """Findings of which nothing else is known."""
    found = object.__new__(Findings)
    found.__dict__.update(metrics=metrics, settings=SETTINGS, tables={"memory": table})
    return found


def test_the_nats_that_are_said_are_those_that_there_are():
    """In most of 6 recordings within two errors, though the model of single rows is a poor one."""
    z = []
    for seed in range(6):
        chosen = table_of(switching(6000, 10 + seed)).query("chosen").iloc[0]
        assert chosen.model == "states"
        assert chosen.memory > SETTINGS.memory.seen * chosen.memory_error
        z.append((chosen.memory - EXACT) / chosen.memory_error)
    assert np.sum(np.abs(z) < 2) >= 4
    assert abs(np.mean(z)) < 1.5


def test_nothing_is_said_of_shuffled_rows():
    """Chance exceeds two errors once in 44 (of 80 recordings of 1,500 rows once)."""
    said = []
    for seed in range(6):
        rows = np.random.default_rng(seed).permutation(switching(3000, 30 + seed))
        chosen = table_of(rows).query("chosen").iloc[0]
        metrics = {"memory": chosen.memory, "memory_error": chosen.memory_error, "memory_of": 3.0}
        said += predictable(findings(metrics | {"memory_blocks": chosen.blocks}))
    assert len(said) <= 1


def test_repeats_are_told_from_each_other():
    """Held out by repeat, the first rows of repeats have no past and do not count."""
    repeats = switching(8000, seed=2).reshape(40, 200, 6).transpose(0, 2, 1)
    chosen = table_of(repeats, order="repeat").query("chosen").iloc[0]
    assert abs(chosen.memory - EXACT) < 4 * chosen.memory_error
    split = prepare(make_recording(repeats), "repeat", SETTINGS)
    parts = timed_parts(split, 4000)
    assert set(parts.held_out.lengths) == {200}
    assert len(parts.train.rows) <= 4000
    assert parts.train.transitions > 3900
    assert not np.isin(parts.train.rows, parts.held_out.rows).any()
    assert not np.isin(split.rows.test, parts.train.rows).any()
    assert (split.recording.time[parts.later] > 0).all()


def test_the_slowest_latent_variable_gives_the_time():
    random = np.random.default_rng(3)
    slow = np.repeat(random.normal(size=(4, 100)), 10, axis=1)
    z = np.stack([slow, random.normal(size=slow.shape)], axis=2).reshape(-1, 2)
    places = pd.DataFrame({"repeat": np.repeat(np.arange(4), 1000), "time": np.tile(np.arange(1000), 4)})
    assert latent_time(z, places) == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize(
    ("value", "error", "blocks", "said"),
    [(0.5, 0.1, 20, True), (0.5, 0.24, 20, False), (0.28, 0.1, 5, False), (0.6, 0.1, 6, True), (0.5, np.nan, 1, False)],
)
def test_the_sentence_stands_where_it_is_beyond_doubt(value, error, blocks, said):
    metrics = {"memory": value, "memory_error": error, "memory_of": 3.25, "memory_blocks": blocks}
    found = findings(metrics)
    size = f"{value:.2f} ± 0.10"
    expected = f"Of the 3.25 nats per row that the likeliest model of single rows leaves, {size} are predictable"
    assert predictable(found) == ([f"{expected} from the rows before."] if said else [])
    assert predictable(findings({})) == []


def test_the_section_shows_every_model_in_time():
    table = table_of(switching(3000, seed=6))
    metrics = {"memory": 0.5, "memory_error": 0.1, "memory_of": 3.25, "memory_blocks": 20}
    metrics["latent_correlation_time"] = 12.34
    page = memory(findings(metrics, table))
    assert page.count("<tr") == 3
    assert page.count('<tr class="chosen">') == 1
    assert "predictable from the rows before." in page
    assert "keeps its value over 12.3 rows" in page


@pytest.mark.slow
def test_the_report_says_so_where_it_holds():
    rows = switching(3000, seed=4)
    report = discover(rows, quick=True, **TINY)
    said = "predictable from the rows before."
    assert said in report.html
    assert report.metrics["memory"] > 3 * report.metrics["memory_error"] > 0
    shuffled = discover(np.random.default_rng(5).permutation(rows), quick=True, **TINY)
    assert f"Nothing is seen beyond doubt to be {said}" in shuffled.html
    assert shuffled.html.count(said) == 1
    unordered = discover(rows, quick=True, order="independent", **TINY)
    assert "memory" not in unordered.tables
    assert said not in unordered.html
    assert "memory" not in unordered.metrics
