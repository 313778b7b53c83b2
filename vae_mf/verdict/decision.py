"""Decision on a mean-field description, found, not found or not decided, with its evidence."""

from enum import Enum
from typing import NamedTuple

import numpy as np
import pandas as pd

FOUND, NOT_FOUND, NOT_DECIDED = "found", "not found", "not decided"


class Subject(Enum):
    """Subjects of the remarks on a verdict."""

    PARTITION_FUNCTION = "ln Z that no exact theory gives"
    EQUILIBRIUM = "samples out of equilibrium"
    SAMPLES = "samples that a critic lacks"
    DISAGREEMENT = "critic against identity"
    CUTS = "cuts of unknown information"


class Remark(NamedTuple):
    """A sentence about the evidence of a verdict."""

    subject: Subject
    text: str


class Verdict(NamedTuple):
    """An answer with its evidence."""

    answer: str
    """`FOUND`, `NOT_FOUND` or `NOT_DECIDED`."""
    evidence: pd.DataFrame
    """Columns criterion, temperature (of the worst case), value, error, bound, holds (True, False or None)."""
    remarks: list[Remark]
    """Gaps of the evidence, and their reasons."""


def decide_mean_field(correlation: pd.DataFrame, capacity: pd.DataFrame, tolerance: float) -> Verdict:
    """Decide whether the latent variables of a model explain all correlations, as those of a mean-field theory do.

    Two criteria, at every temperature: what is left unexplained, C(x|z), is at most ``tolerance`` nats per site, and
    the rate is at least the information that the data share across the worst known cut. One violation beyond two errors
    is enough for "not found". "Found" needs the first criterion met everywhere; where it rests on the critic, with the
    nats that the critic may miss added.
    """
    unexplained = correlation_criterion(correlation, tolerance * float(capacity.sites.iloc[0]))
    evidence = pd.DataFrame([worst_case(unexplained), capacity_criterion(capacity)])
    explained, carried = evidence.holds
    violated = explained is False or carried is False
    answer = NOT_FOUND if violated else FOUND if explained else NOT_DECIDED
    return Verdict(answer, evidence, gaps(correlation, capacity))


def correlation_criterion(table: pd.DataFrame, bound: float) -> pd.DataFrame:
    """Return per temperature whether C(x|z) is at most ``bound``, None where that is open.

    False: it is above by two errors and the bracket of the identity. True: it is not above by two errors; the critic,
    which gives a lower bound, must be trusted for that, and what it may have missed counts as found.
    """
    by_identity = table.source == "identity"
    least = table.correlation - 2 * table.correlation_error.fillna(0)
    missed = table.floor.where(~by_identity, 0.0)
    bracket = table.bracket.where(by_identity, 0.0)
    within = (by_identity | table.decided) & (least + missed <= bound)
    above = least - bracket > bound
    holds = pd.Series(
        [False if no else True if yes else None for no, yes in zip(above, within, strict=True)], dtype=object
    )
    return table.assign(bound=bound, margin=bound - least, holds=holds.set_axis(table.index))


def worst_case(table: pd.DataFrame) -> dict:
    """Return the evidence of the temperature with the smallest margin; the criterion holds if it does everywhere."""
    worst = table.loc[table.margin.idxmin()]
    states = list(table.holds)
    holds = False if False in states else True if all(states) else None
    return {
        "criterion": "unexplained correlation C(x|z)",
        "temperature": worst.temperature,
        "value": worst.correlation,
        "error": worst.correlation_error,
        "bound": worst.bound,
        "holds": holds,
    }


def capacity_criterion(table: pd.DataFrame) -> dict:
    """Return the evidence of the temperature at which the rate falls most short of the known information."""
    row = {"criterion": "rate R at least the information I of the worst cut"}
    known = table[table.information.notna()]
    if known.empty:
        return row | dict.fromkeys(("temperature", "value", "error", "bound"), np.nan) | {"holds": None}
    worst = known.loc[(known.rate - known.information).idxmin()]
    return row | {
        "temperature": worst.temperature,
        "value": worst.rate,
        "error": worst.rate_error,
        "bound": worst.information,
        "holds": bool(known.satisfied.astype(bool).all()),
    }


def gaps(correlation: pd.DataFrame, capacity: pd.DataFrame) -> list[Remark]:
    """Return a remark on everything that the evidence lacks, with the reason."""
    said = []
    if correlation.source.eq("none").all():
        text = "ln Z is not known and no critic was asked: C(x|z) is not known."
        said.append(Remark(Subject.SAMPLES, text))
    elif correlation.identity.isna().all():
        text = "ln Z is not known: C(x|z) rests on the critic alone, and there is no exact KL divergence."
        said.append(Remark(Subject.PARTITION_FUNCTION, text))
    elif correlation.identity.isna().any():
        out = ", ".join(f"{t:g}" for t in correlation.temperature[correlation.identity.isna()])
        text = f"Not in equilibrium at T = {out}: there C(x|z) rests on the critic."
        said.append(Remark(Subject.EQUILIBRIUM, text))
    by_critic = correlation[(correlation.source == "critic") & ~correlation.decided]
    if len(by_critic):
        needed = float(f"{by_critic.samples_needed.max():.2g}")
        each = " at every temperature" if len(correlation) > 1 else ""
        text = f"Too few samples for the critic: it would need about {needed:,.0f} to learn from{each}."
        said.append(Remark(Subject.SAMPLES, text))
    apart = correlation[correlation.agrees.eq(False)]
    if len(apart):
        listed = ", ".join(f"{t:g}" for t in apart.temperature)
        text = f"The critic disagrees with the exact identity at T = {listed}; the identity counts."
        said.append(Remark(Subject.DISAGREEMENT, text))
    if capacity.information.isna().all():
        text = "No cut whose information is known: the capacity criterion is left open."
        said.append(Remark(Subject.CUTS, text))
    return said
