"""What a judgement leaves on disk can be read back, and is whole or absent."""

import json
import math
import os

import numpy as np
import pandas as pd
import pytest

from vae_mf.files import SEAL
from vae_mf.tables import METRICS, format_metrics, read_metrics, read_tables, write_metrics, write_tables

TABLES = {
    "numbers": pd.DataFrame({"x": [0.1, 1 / 3, np.nan], "n": [1, 2, 3]}),
    "names": pd.DataFrame({"source": ["exact", "model"], "value": [1e-300, -2.5]}),
}


def test_tables_survive_the_disk(tmp_path):
    write_tables(tmp_path / "run", TABLES)
    read = read_tables(tmp_path / "run")
    assert read.keys() == TABLES.keys()
    for name, table in TABLES.items():
        pd.testing.assert_frame_equal(read[name], table, check_exact=True)


def test_missing_tables_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected CSV files in .*tables, found none"):
        read_tables(tmp_path)


def test_metrics_survive_the_disk_and_what_is_not_finite_becomes_null(tmp_path):
    metrics = {"a": 0.1, "b": math.nan, "c": {"0.5": math.inf, "1.0": 2.0}, "d": [1.0, -math.inf], "e": 3, "f": "x"}
    write_metrics(tmp_path, metrics)
    expected = {"a": 0.1, "b": None, "c": {"0.5": None, "1.0": 2.0}, "d": [1.0, None], "e": 3, "f": "x"}
    assert read_metrics(tmp_path) == expected
    assert {path.name for path in tmp_path.iterdir()} == {METRICS, SEAL}


def test_numpy_numbers_are_metrics_too(tmp_path):
    write_metrics(tmp_path, {"a": np.float64(0.5), "b": np.float64(np.nan), "c": {0.5: np.float64(2)}})
    assert read_metrics(tmp_path) == {"a": 0.5, "b": None, "c": {"0.5": 2.0}}


def test_the_summary_holds_names_and_numbers():
    metrics = {"ensemble": {"0.4": "basin", "0.6": "equilibrium"}, "kl": {"0.4": None, "0.6": 0.1234}, "elbo": -110.816}
    assert format_metrics(metrics) == [
        ("ensemble", "0.4: basin  0.6: equilibrium"),
        ("kl", "0.4: not known  0.6: 0.123"),
        ("elbo", "-110.8"),
    ]


def test_metrics_appear_in_one_step(tmp_path, monkeypatch):
    write_metrics(tmp_path, {"run": 1})
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("stop"))
    with pytest.raises(pytest.fail.Exception):
        write_metrics(tmp_path, {"run": 2})
    assert read_metrics(tmp_path) == {"run": 1}


def test_what_json_cannot_hold_leaves_no_metrics(tmp_path):
    with pytest.raises(TypeError):
        write_metrics(tmp_path, {"a": object()})
    assert not (tmp_path / METRICS).exists()


def test_metrics_are_strict_json(tmp_path):
    write_metrics(tmp_path, {"a": math.nan})
    json.loads((tmp_path / METRICS).read_text(), parse_constant=pytest.fail)
