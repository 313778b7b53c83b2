"""Whether what repetitions of one run find comes back, patterns and verdict, from their saved tables alone."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.analysis.found_patterns import (
    DIRECTION,
    FoundPatterns,
    partners,
    pattern_table,
    separate,
    stability_table,
)
from vae_mf.tables import ANSWER, VERDICT, read_metrics, read_tables

GAIN = "test_gain_over_independent"


def study_tables(folder: str, reference: str, returning: float, seed: int) -> dict[str, pd.DataFrame]:
    """Return what comes back of the patterns of one run in its repetitions, and the verdicts on all of them.

    Args:
        folder: that holds the run folders of recordings, each with a verdict.
        reference: name of the run whose patterns are looked for in the others.
        returning: share of a pattern in the space of a repetition from which on it has come back.
        seed: of the search for sign vectors.

    Returns:
        "patterns" (`profile_table`), "pattern_summary" (`stability.pattern_table`, with the threshold ``returning``),
        "stability" (`stability.stability_table`) and "verdicts" (`verdict_table`).

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
        "pattern_summary": pattern_table(first, stability, returning).assign(returning=returning),
        "stability": stability,
        "verdicts": verdict_table(runs),
    }


def natural(path: Path) -> list[tuple[str, int]]:
    """Return what sorts names by the numbers in them."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", path.name)]


def directions(name: str, cells: pd.DataFrame, reference: pd.DataFrame) -> Float[np.ndarray, "cells latents"]:
    """Return W L of a run, see `stability.scaled_directions`, from its table of cells."""
    columns = [column for column in cells if str(column).startswith(DIRECTION)]
    if not columns:
        raise ValueError(f"{name}: expected columns {DIRECTION}_1 ... in its table of cells, got none; train it again")
    if list(cells.cell) != list(reference.cell):
        raise ValueError(f"{name}: expected the cells {list(reference.cell)}, got {list(cells.cell)}")
    return cells[columns].to_numpy(np.float64)


def profile_table(cells: pd.Series, reference: FoundPatterns, repetitions: Mapping[str, FoundPatterns]) -> pd.DataFrame:
    """Return every pattern of the reference on the cells, and how far its partners are from it.

    Columns cell and, for each k, ``pattern_k``, in half log-odds per standard deviation of the latents, and
    ``spread_k``, the root mean square over the repetitions of the difference of its partner (`stability.partners`).
    """
    differences = [partners(reference.values, other.values) - reference.values for other in repetitions.values()]
    spreads = np.sqrt(np.mean(np.square(differences), axis=0))
    columns = {"pattern": reference.values, "spread": spreads}
    profiles = {f"{name}_{k + 1}": row for name, rows in columns.items() for k, row in enumerate(rows)}
    return pd.DataFrame({"cell": cells, **profiles})


def verdict_table(runs: Mapping[str, Path]) -> pd.DataFrame:
    """Return the verdict on every run.

    Columns repetition, ``answer``; C(x|z) in nats per word as ``correlation`` with error, the ``bound`` that it must
    not exceed and the ``floor``, what the critic may miss; the ``rate`` with error; and the ``gain`` over independent
    cells on held-out words, in nats per word, with error.
    """
    return pd.DataFrame([{"repetition": name, **verdict_row(run)} for name, run in runs.items()])


def verdict_row(run: Path) -> dict[str, str | float]:
    """Return what the verdict on one run says."""
    told = json.loads((run / VERDICT / ANSWER).read_text())
    tables = read_tables(run / VERDICT)
    metrics = read_metrics(run)
    left, carried = tables["conditional_correlation"].iloc[0], tables["capacity"].iloc[0]
    return {
        "answer": told["mean_field_description"],
        "correlation": left.correlation,
        "correlation_error": left.correlation_error,
        "bound": told["evidence"][0]["bound"],
        "floor": left.floor,
        "rate": carried.rate,
        "rate_error": carried.rate_error,
        "gain": metrics[GAIN],
        "gain_error": metrics[f"{GAIN}_error"],
    }
