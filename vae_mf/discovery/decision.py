"""Answer about a data set, from the test of independence, the description that was chosen, and the verdict on it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.density_models.comparison import ModelScores
from vae_mf.discovery.copies import Copies
from vae_mf.discovery.model_selection import Description, gain
from vae_mf.statistics.averages import Average
from vae_mf.statistics.u_statistics import Estimate
from vae_mf.verdict.controls import REFIT, SHIFTED
from vae_mf.verdict.decision import FOUND, NOT_DECIDED, NOT_FOUND, Subject, Verdict
from vae_mf.verdict.independence import Independence
from vae_mf.verdict.readings import COLUMNS, reading

NOTHING = "nothing to find"
"""Beside those of `verdict.Verdict`: variables look independent to every test and every model."""


MORE_LATENTS = (
    "Of all numbers of latent variables the largest that was tried is the likeliest: that more of them would not "
    "explain what is left is not said."
)
UNSATURATED = (
    "Of all numbers of classes the largest that was tried is the likeliest: rows may vary continuously, in more "
    "dimensions than were tried, and classes only cover that."
)


class Decision(NamedTuple):
    """Answer about a data set."""

    answer: str
    """`NOTHING`, `verdict.FOUND`, `verdict.NOT_FOUND` or `verdict.NOT_DECIDED`."""
    drift: bool
    """True if rates of variables, or latent variables, follow the order of the rows."""
    latents_drift: bool
    """True if latent variables do."""
    drift_alone: bool
    """True if that is all there is."""
    groups: int
    """Number of latent variables that stand for few variables each: groups.

    None is counted where a description is refuted by what it leaves.
    """
    remarks: list[str]
    """Limits of the answer, a sentence each."""
    repeated: bool = False
    """True if rows are copies of each other, about which nothing is decided."""
    unsaturated: bool = False
    """True if the largest number of latent variables that was tried is the likeliest, and does not explain all."""


def lead_readings(
    own: ModelScores, others: list[ModelScores], latent: list[ModelScores], blocks: int, temperature: float
) -> pd.DataFrame:
    """Return the readings of other models that may be ahead of the description, on validation and test rows.

    Both were held out from all fits; validation rows favour the description a little, as they chose its number. The
    error of a lead holds that of ln Z.

    Args:
        own: scores of the description.
        others: scores of models of direct dependence, those in which variables depend on each other and not on latent
            variables alone.
        latent: scores of other latent descriptions, of which the likeliest counts.
        blocks: number of blocks of test rows, and of validation rows.
        temperature: condition of all rows.
    """
    lines = []
    nearest = sorted(latent, key=lambda scores: -held_out(scores).mean())[:1]
    for kind, compared in (("direct dependence", others), ("latent model", nearest)):
        for each in compared:
            lead = gain(held_out(each), held_out(own), 2 * blocks)
            error = float(np.hypot(lead.error, each.log_partition_error))
            line = reading(
                f"lead of {each.model}", kind, Estimate(lead.value, error, error), degrees=float(2 * blocks - 1)
            )
            lines.append(line | {"temperature": temperature})
    return pd.DataFrame(lines, columns=list(COLUMNS))


def held_out(scores: ModelScores) -> Float[np.ndarray, " rows"]:
    """Return the log-likelihoods of all held-out rows."""
    return np.concatenate([scores.validation, scores.test])


def is_nothing(independence: Independence, gains: list[Average]) -> bool:
    """Return True if variables look independent to the test and to all models, or only their rates drift."""
    ahead = any(each.value > independence.settings.gained * each.error for each in gains)
    return independence.drift_alone or not (independence.seen or ahead)


def decide(
    independence: Independence,
    gains: list[Average],
    description: Description,
    verdict: Verdict | None,
    controls: pd.DataFrame | None = None,
    *,
    copies: Copies | None = None,
    groups: int = 0,
    latents_drift: bool = False,
    saturated: bool = True,
) -> Decision:
    """Return the answer about a data set.

    Where variables look independent and no model predicts better there is nothing to find; where rates drift and that
    is all, neither. Where they depend on each other the verdict on the description decides; without a description there
    are correlations, but no collective variables. Few effective rows decide nothing, nor do rows that are repeated. A
    control that failed takes back "found", and one by which readings are overstated also "not found". A
    single set of variables apart from all others that shares more than is tolerable takes "found" back as well.

    Args:
        independence: test of independence of the variables.
        gains: gains of all models over independent variables on test rows, the errors of ln Z in theirs.
        description: latent description that was chosen.
        verdict: verdict on it; None if there is none.
        controls: table of `controls.controls`; None if there is none.
        copies: held-out rows that are copies of training rows; None if they were not counted.
        groups: number of latent variables that are carried by too few variables to be collective ones; where all are,
            nothing collective is found.
        latents_drift: True if latent variables follow the order of the rows.
        saturated: False if the largest number of latent variables, or of classes, that was tried is the likeliest.
            Classes that go on to gain may cover what varies continuously, and then no number of them is "found"; that
            so many latent variables do not explain all does not say that more would not, and that is said.

    Raises:
        ValueError: if there is a description and no verdict on it.
    """
    described = bool(description.latents or description.classes)
    if described and verdict is None:
        raise ValueError("verdict: expected one on the description that was chosen, got none")
    drift = independence.drifts or latents_drift
    if copies is not None and copies.repeated:
        return Decision(NOT_DECIDED, drift, latents_drift, False, 0, [copies.sentence], repeated=True)
    if is_nothing(independence, gains):
        return Decision(NOTHING, drift, latents_drift, independence.drift_alone, 0, few_remarks(independence))
    if verdict is None or not described:
        answer = NOT_DECIDED if independence.few or not independence.seen else NOT_FOUND
        return Decision(answer, drift, latents_drift, False, 0, few_remarks(independence))
    # That there is no ln Z of real data, nor a cut that theory knows, goes without saying; more rows that drift further
    # decide nothing.
    silent = {Subject.PARTITION_FUNCTION, Subject.CUTS} | ({Subject.ROWS} if drift else set())
    remarks = [remark.text for remark in verdict.remarks if remark.subject not in silent]
    if independence.few:
        return Decision(NOT_DECIDED, drift, latents_drift, False, groups, few_remarks(independence) + remarks)
    failed = failed_controls(verdict.answer, controls)
    if failed:
        return Decision(NOT_DECIDED, drift, latents_drift, False, groups, failed + remarks)
    if description.classes and not saturated and verdict.answer == FOUND:
        return Decision(NOT_DECIDED, drift, latents_drift, False, groups, [UNSATURATED, *remarks])
    apart = sets_apart(independence, verdict)
    if apart and verdict.answer == FOUND:
        return Decision(NOT_DECIDED, drift, latents_drift, False, groups, apart + remarks)
    if verdict.answer == NOT_FOUND:
        more = bool(description.latents) and not saturated
        remarks += [MORE_LATENTS] if more else []
        return Decision(NOT_FOUND, drift, latents_drift, False, 0, remarks, unsaturated=more)
    only_groups = verdict.answer == FOUND and 0 < description.latents <= groups
    return Decision(NOT_FOUND if only_groups else verdict.answer, drift, latents_drift, False, groups, remarks)


def failed_controls(answer: str, controls: pd.DataFrame | None) -> list[str]:
    """Return a sentence about every control that takes an answer back."""
    if controls is None or answer == NOT_DECIDED:
        return []
    # What residuals shifted in time show too much is taken off the readings, and what a second fit leaves.
    taken_off = controls.control.eq(REFIT) | (controls.control.eq(SHIFTED) & controls.overstated)
    counted = controls[~taken_off]
    failed = counted[~counted.passed] if answer == FOUND else counted[counted.overstated]
    said = []
    for row in failed.itertuples():
        read = f"{row.value:.2g} ± {row.error:.2g} nats were read where {row.known:.2g} are known"
        said.append(
            f"Rows are too few for a control, by {row.control}: {read}, which may be beyond the tolerance."
            if row.coarse
            else f"A control failed, by {row.control}: {read}."
        )
    return said


def sets_apart(independence: Independence, verdict: Verdict) -> list[str]:
    """Return a sentence about every set that shares more than is tolerable, and is correlated with nothing else.

    Classes may cover it, or hide it; a variable that many others carry is none of it.
    """
    return [
        f"A set of {each.order} variables shares {each.nats:.2g} nats, and none of them is correlated with another "
        "variable: what describes it beside the rest may be no collective variable."
        for each in independence.sets_seen
        if each.alone and each.nats > verdict.left.tolerance.iloc[-1]
    ]


def few_remarks(independence: Independence) -> list[str]:
    """Return a sentence about too few effective rows, if there are."""
    if not independence.few:
        return []
    return [
        f"Neighbouring rows resemble each other so much that there are only {independence.effective:.0f} independent "
        f"ones in effect; at least {independence.settings.fewest_effective:.0f} are needed."
    ]
