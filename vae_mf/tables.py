"""Named tables as CSV and a flat set of numbers as JSON, on disk."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from pandas.errors import EmptyDataError, ParserError

from vae_mf.files import read_json, require_unchanged, require_unlinked, whole, write_sealed, write_whole
from vae_mf.texts import from_csv, in_csv

METRICS = "metrics.json"
TABLES = "tables"
VERDICT, ANSWER = "verdict", "verdict.json"
"""Folder of the verdict inside that of the run, and the file in it that is written last."""


@dataclass
class Evaluation:
    """Numbers that summarise an evaluated model and the tables behind them."""

    metrics: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write every table to ``folder``/tables/NAME.csv; ValueError if that is a link to another folder."""
    require_unlinked(folder / TABLES)
    for name, table in tables.items():
        write_whole(folder / TABLES / f"{name}.csv", as_csv(table))


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV in which no text is one that a spreadsheet would execute.

    >>> print(as_csv(pd.DataFrame({"variable": ["=1+1", "rest"], "h": [-0.5, None]})), end="")
    variable,h
    '=1+1,-0.5
    rest,
    """
    safe = with_texts(table, in_csv)
    written = safe.to_csv(index=False)
    # The writer quotes no text for the sake of a carriage return, which would end its row.
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC) if "\r" in written else written


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Return the table that `as_csv` has written; only an entry of no characters is missing.

    Raises:
        ValueError: if it is damaged.
    """
    with whole(path, EmptyDataError, ParserError, UnicodeDecodeError):
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], **options)
    return with_texts(table, from_csv)


def with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a table in which every text, heads of columns among them, is changed."""

    def changed(entry: Any) -> Any:
        return change(entry) if isinstance(entry, str) else entry

    found = table.rename(columns=changed)
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind):
            found.isetitem(place, found.iloc[:, place].map(changed))
    return found


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read every table of a run folder.

    Raises:
        FileNotFoundError: if it holds none.
        ValueError: if one is damaged, or a file of the finished folder has changed.
    """
    require_unchanged(folder)
    files = sorted((folder / TABLES).glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"tables: expected CSV files in {folder / TABLES}, found none")
    return {file.stem: read_csv(file) for file in files}


def read_runs(folder: str, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of several runs and of their verdicts, the name of each run before that of the table."""
    places = [(name, place) for name in names for place in (Path(folder, name), Path(folder, name, VERDICT))]
    return {f"{name}_{key}": table for name, place in places for key, table in read_tables(place).items()}


def tables_of(name: str, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables of one of several runs by their own names, out of those of `read_runs`.

    >>> list(tables_of("retina", {"retina_moments": pd.DataFrame(), "hopfield_overlaps": pd.DataFrame()}))
    ['moments']
    """
    return {key.removeprefix(f"{name}_"): table for key, table in tables.items() if key.startswith(f"{name}_")}


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write metrics.json in one step, so that its presence means that the run is complete; NaN becomes null."""
    write_sealed(folder / METRICS, json.dumps(finite(metrics), indent=2) + "\n")


def read_metrics(folder: Path) -> dict[str, Any]:
    """Read the metrics of a finished run; raises as `read_json`."""
    return read_json(folder / METRICS)


def format_metrics(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Return name and text of every metric, for a person to read.

    >>> format_metrics({"test_elbo": -110.81571, "kl_per_temperature": {"0.4": 1.4943, "0.6": None}})
    [('test_elbo', '-110.8'), ('kl_per_temperature', '0.4: 1.49  0.6: not known')]
    >>> format_metrics({"ensemble_per_temperature": {"0.4": "basin"}})
    [('ensemble_per_temperature', '0.4: basin')]
    """

    def text(value: Any, digits: int) -> str:
        if isinstance(value, str):
            return value
        return "not known" if value is None else f"{value:.{digits}g}"

    def line(value: Any) -> str:
        return "  ".join(f"{k}: {text(v, 3)}" for k, v in value.items()) if isinstance(value, dict) else text(value, 4)

    return [(name, line(value)) for name, value in metrics.items()]


def finite(value: Any) -> Any:
    """Return ``value`` with every NaN or infinity inside replaced by None, which JSON can hold.

    >>> finite({0.5: [float("nan"), 1.0]})
    {'0.5': [None, 1.0]}
    """
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
