"""Stability of patterns and verdict over repetitions of one run, from their saved tables."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.analysis.found_patterns import DIRECTION, FoundPatterns, partners, pattern_table, separate, stability_table
from vae_mf.files import read_json
from vae_mf.tables import ANSWER, VERDICT, read_metrics, read_tables

GAIN = "test_gain_over_independent"


def study_tables(folder: str, reference: str, recovered: float, seed: int) -> dict[str, pd.DataFrame]:
    """Return the patterns of one run that are recovered in its repetitions, and the verdicts on all of them.

    Returns:
        "patterns" (`profile_table`), "pattern_summary" (`found_patterns.pattern_table`, with the ``threshold``),
        "stability" (`found_patterns.stability_table`) and "verdicts" (`verdict_table`).

    Raises:
        FileNotFoundError: if the reference is missing, or has no repetition beside it.
        ValueError: if the runs are not of the same cells, or hold no directions.
    """
    runs = {
        path.name: path for path in sorted(Path(folder).glob("*"), key=natural) if (path / VERDICT / ANSWER).exists()
    }
    if reference not in runs or len(runs) < 2:
        raise FileNotFoundError(
            f"folder: expected {reference} and other runs with verdicts in {folder}, got {list(runs)}"
        )
    cells = {name: read_tables(run)["cells"] for name, run in runs.items()}
    found = {name: separate(directions(name, table, cells[reference]), seed) for name, table in cells.items()}
    first = found.pop(reference)
    stability = stability_table(first, found)
    return {
        "patterns": profile_table(cells[reference].cell, first, found),
        "pattern_summary": pattern_table(first, stability, recovered).assign(threshold=recovered),
        "stability": stability,
        "verdicts": verdict_table(runs),
    }


def natural(path: Path) -> list[tuple[str, int]]:
    """Return a key that sorts names by the numbers in them.

    >>> sorted(map(Path, ("seed_10", "seed_9")), key=natural)[0].name
    'seed_9'
    """
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", path.name)]


def directions(name: str, cells: pd.DataFrame, reference: pd.DataFrame) -> Float[np.ndarray, "cells latents"]:
    """Return W L of a run, see `found_patterns.scaled_directions`, from its table of cells."""
    columns = [column for column in cells if str(column).startswith(DIRECTION)]
    if not columns:
        raise ValueError(f"{name}: expected columns {DIRECTION}_1 ... in its table of cells, got none; train it again")
    if list(cells.cell) != list(reference.cell):
        raise ValueError(f"{name}: expected the cells {list(reference.cell)}, got {list(cells.cell)}")
    return cells[columns].to_numpy(np.float64)


def profile_table(cells: pd.Series, reference: FoundPatterns, repetitions: Mapping[str, FoundPatterns]) -> pd.DataFrame:
    """Return every pattern of the reference on the cells, and the distance of its partners.

    Columns cell and, for each k, ``pattern_k``, in half log-odds per standard deviation of the latents, and
    ``spread_k``, the root mean square difference of its partners in the repetitions (`found_patterns.partners`).
    """
    differences = [partners(reference.values, other.values) - reference.values for other in repetitions.values()]
    spreads = np.sqrt(np.mean(np.square(differences), axis=0))
    columns = {"pattern": reference.values, "spread": spreads}
    profiles = {f"{name}_{k + 1}": row for name, rows in columns.items() for k, row in enumerate(rows)}
    return pd.DataFrame({"cell": cells, **profiles})


def verdict_table(runs: Mapping[str, Path]) -> pd.DataFrame:
    """Return the verdict on every run.

    Columns repetition, ``answer``; C(x|z) in nats per row as ``correlation`` with error, the ``bound`` that it must
    not exceed and the ``floor``, nats of pairs that the critic may miss; the ``rate`` with error; and the ``gain`` over
    independent variables on held-out rows, in nats per row, with error.
    """
    return pd.DataFrame([{"repetition": name, **verdict_row(run)} for name, run in runs.items()])


def verdict_row(run: Path) -> dict[str, str | float]:
    """Return the verdict on one run."""
    verdict = read_json(run / VERDICT / ANSWER)
    tables = read_tables(run / VERDICT)
    metrics = read_metrics(run)
    left, carried = tables["conditional_correlation"].iloc[0], tables["capacity"].iloc[0]
    return {
        "answer": verdict["mean_field_description"],
        "correlation": left.correlation,
        "correlation_error": left.correlation_error,
        "bound": verdict["evidence"][0]["bound"],
        "floor": left.floor,
        "rate": carried.rate,
        "rate_error": carried.rate_error,
        "gain": metrics[GAIN],
        "gain_error": metrics[f"{GAIN}_error"],
    }
