"""Answers of the same runs by other thresholds, from the readings that were kept."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from vae_mf.discovery.decision import failed_controls
from vae_mf.discovery.settings import discovery_config, discovery_settings
from vae_mf.verdict.decision import NOT_DECIDED, decide_mean_field
from vae_mf.verdict.settings import Thresholds

from .lines import Run, marked, table
from .outcome import Outcome

VARIED = (
    "The decision is taken again from the same readings, one threshold of `conf/evaluation/assessment.yaml` at a time "
    "being another. Thresholds of the test of independence and of the number of variables are not varied, and runs "
    "without a description keep their answers."
)
VALUES: dict[str, Sequence[float]] = {
    "share": (0.01, 0.03, 0.05),
    "per_site": (0.001, 0.004),
    "errors": (1.5, 3.0),
    "pairs_over": (1.0, 1.5),
    "pairs_under": (1.0, 1.5),
    "sets_under": (1.0, 3.0),
    "order_seen": (3.0, 5.0),
    "ahead": (2.0, 4.0),
}
"""Other values of the thresholds."""


def threshold_table(runs: Sequence[Run]) -> str:
    """Return the numbers of right, open and wrong answers by other thresholds."""
    usual = discovery_settings(*discovery_config(quick=True)).assessment.thresholds
    lines = []
    for name, thresholds, allowed in variations(usual):
        answers = [run | {"answer": answer_by(run, usual, thresholds, allowed)} for run in runs]
        counts = Counter(marked(each).outcome for each in answers)
        lines.append([name, *(counts[outcome] for outcome in Outcome)])
    return table(("threshold", *(outcome.value for outcome in Outcome)), lines)


def variations(usual: Thresholds) -> Iterator[tuple[str, Thresholds, float]]:
    """Yield names, thresholds and factors on what is allowed for rows that were fitted to."""
    yield "as they are", usual, 1.0
    for name, values in VALUES.items():
        for value in values:
            yield f"{name} = {value:g} instead of {getattr(usual, name):g}", replace(usual, **{name: value}), 1.0
    yield "nothing allowed for rows that were fitted to", usual, 0.0
    yield "twice as much allowed for it", usual, 2.0


def answer_by(run: Run, usual: Thresholds, thresholds: Thresholds, allowed: float) -> str:
    """Return the answer of a run by other thresholds; that of the run if its description did not decide it."""
    if "readings" not in run["tables"] or described(run, usual, 1.0) != run["answer"]:
        return run["answer"]
    return described(run, thresholds, allowed)


def described(run: Run, thresholds: Thresholds, allowed: float) -> str:
    """Return the answer that follows from the readings of what a description leaves."""
    tables: dict[str, Any] = {name: pd.DataFrame(columns) for name, columns in run["tables"].items()}
    readings = tables["readings"]
    readings = readings.assign(**{name: allowed * readings[name] for name in ("allowance", "estimation")})
    answer = decide_mean_field(readings, tables["gains"], thresholds).answer
    return NOT_DECIDED if failed_controls(answer, tables["controls"]) else answer
