"""Decision on a mean-field description, found, not found or not decided, from an interval of what is left unexplained.

Everything is in nats per row. Several readings say how much a model leaves: the orders of residual information, a
fitted tilt, a critic, the exact identity, other models that are ahead. None of them alone bounds it from both sides;
`KINDS` says which ends each may set. The total correlation TC, all there is to explain, is at least the gain of
the model over independent variables and the least that it leaves, so that shares of it err on the high side.
"""

from enum import Enum
from math import factorial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import factorial2
from scipy.stats import norm, t

from vae_mf.verdict.settings import Thresholds

FOUND, NOT_FOUND, NOT_DECIDED = "found", "not found", "not decided"
POOLED = "all"
"""Entry of the column "temperature" for the mean over all conditions."""
EXACT_CUTS = ("half", "sublattice")
"""Cuts of `capacity.CUTS` whose information is known exactly."""
BY_ROWS = ("order 2", "exact identity")
"""Readings whose errors fall as 1 / rows."""
ORDER = "order "
"""Start of the name of a reading of residual information, before its order."""
ROOM = 0.2
"""Least distance of a reading from the tolerance, in units of it, that an estimate of rows reckons with."""


class Kind(NamedTuple):
    """Ends of the interval that a kind of reading may set."""

    lower: bool
    """True if it sets a lower end."""
    only_if_seen: bool
    """True if it sets ends only where it stands out itself."""


KINDS = {
    "pairs": Kind(lower=True, only_if_seen=False),
    "higher order": Kind(lower=True, only_if_seen=True),
    "tilt": Kind(lower=True, only_if_seen=False),
    "sets": Kind(lower=True, only_if_seen=True),
    "critic": Kind(lower=True, only_if_seen=True),
    "identity": Kind(lower=True, only_if_seen=False),
    "direct dependence": Kind(lower=True, only_if_seen=True),
    # Another latent description that is ahead says that the fit is poor, not that there is none.
    "latent model": Kind(lower=False, only_if_seen=False),
}
"""Kinds of readings."""


class Subject(Enum):
    """Subjects of the remarks on a verdict."""

    PARTITION_FUNCTION = "ln Z that no exact theory gives"
    EQUILIBRIUM = "samples out of equilibrium"
    BLINDNESS = "correlations that a critic does not see"
    SAMPLES = "samples that a critic lacks"
    DISAGREEMENT = "critic against identity"
    CUTS = "cuts of unknown information"
    ROWS = "rows that would decide"


class Remark(NamedTuple):
    """A sentence about the evidence of a verdict."""

    subject: Subject
    text: str


class Verdict(NamedTuple):
    """An answer with its evidence."""

    answer: str
    """`FOUND`, `NOT_FOUND` or `NOT_DECIDED`."""
    evidence: pd.DataFrame
    """Table of `explanation_criteria`, and the capacity criterion: criterion, temperature, value, lower, upper, bound,
    holds (True, False or None)."""
    remarks: list[Remark]
    """Gaps of the evidence, and their reasons."""
    left: pd.DataFrame
    """Table of `left_intervals`."""


def decide_mean_field(
    readings: pd.DataFrame,
    gains: pd.DataFrame,
    thresholds: Thresholds,
    correlation: pd.DataFrame | None = None,
    capacity: pd.DataFrame | None = None,
    sensitivity: pd.DataFrame | None = None,
) -> Verdict:
    """Decide whether the latent variables of a model explain the correlations, as those of a mean-field theory do.

    "Found" needs the upper end of what is left, in the mean over all conditions, below the tolerance; what is left only
    because parameters are estimated from so many rows does not count against it. "Not found" needs the lower end above
    the tolerance, there or at any one condition, or a rate below the information across an exactly known cut. All else
    is "not decided". Ends are two errors away, and more where there are many conditions.

    Args:
        readings: a row per condition and reading, columns temperature, reading, kind (of `KINDS`), value, error,
            null_error (that where nothing is left), allowance (nats that the upper end grants beyond), estimation
            (further nats that it grants, which the best model of the kind would not leave), misfit (nats that training
            leaves of rows of the model itself; no lower end counts them), degrees (of freedom of the error, infinite
            for most).
        gains: a row per condition, columns temperature, gain over independent variables, gain_error, rows, sites, most
            (nats that the total correlation cannot exceed, infinite if it has no such bound).
        thresholds: correlations that may be left, and which readings count.
        correlation: table of `total_correlation.conditional_total_correlation`; None if nothing was asked of it.
        capacity: table of `capacity.capacity_table`; None for a model without a rate.
        sensitivity: table of `total_correlation.sensitivity_table`; None without a critic.
    """
    left = left_intervals(readings, gains, thresholds)
    # A condition with hardly any correlations decides nothing: what is left there is held against those of all.
    whole = left.total.clip(lower=left.total.iloc[-1])
    bounds = np.minimum(thresholds.share * whole, thresholds.per_site * gains.sites.iloc[0])
    left = left.assign(tolerance=bounds)
    criteria = explanation_criteria(left)
    if capacity is not None:
        criteria.append(capacity_criterion(capacity))
    violated = any(row["holds"] is False for row in criteria)
    answer = NOT_FOUND if violated else FOUND if criteria[0]["holds"] else NOT_DECIDED
    remarks = [] if correlation is None else gaps(correlation)
    if sensitivity is not None and len(sensitivity):
        remarks.append(sight(sensitivity))
    if capacity is not None and not capacity.cut.isin(EXACT_CUTS).any():
        text = "No cut whose information is exactly known: the capacity criterion is left open."
        remarks.append(Remark(Subject.CUTS, text))
    if answer == NOT_DECIDED:
        rows = float(f"{rows_to_decide(left):.2g}")
        if np.isfinite(rows):
            remarks.append(Remark(Subject.ROWS, f"About {rows:,.0f} rows or more would decide."))
    return Verdict(answer, pd.DataFrame(criteria), remarks, left)


def left_intervals(readings: pd.DataFrame, gains: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """Return the interval of what is left at every condition, and in the mean over them in the last row.

    Columns: temperature; centre, lower and upper in nats; upper_best, the upper end of the best model of the kind,
    whose parameters are not estimated; least and most, the readings that set the ends; gain; total, the least total
    correlation; share_lower and share_upper of it; rows. Independent deviations of several conditions add in squares.
    No end exceeds what there can be at most.
    """
    errors = family_errors(readings, len(gains), thresholds.errors)
    lines = []
    for row in gains.itertuples():
        ends = interval(readings[readings.temperature == row.temperature], errors, thresholds)
        # What is left is all there is but what is explained.
        unexplained = max(row.most - max(row.gain - thresholds.errors * row.gain_error, 0.0), 0.0)
        possible = {name: min(ends[name], unexplained) for name in ("centre", "lower", "upper", "upper_best")}
        explained = {"gain": max(float(row.gain), 0.0), "rows": int(row.rows), "possible": float(row.most)}
        lines.append({"temperature": row.temperature, **ends} | possible | explained)
    table = pd.DataFrame(lines)
    if len(table) > 1:
        table = pd.concat([table, pd.DataFrame([pooled(table)])], ignore_index=True)
    table["total"] = np.minimum(table.gain + np.maximum(table.lower, table.centre), table.possible)
    known = table.total > 0
    table["share_lower"] = (table.lower / table.total).where(known, 0.0)
    largest = table.total + table.upper - np.minimum(table.lower, table.upper)
    bounded = np.isfinite(table.upper) & (largest > 0)
    table["share_upper"] = (table.upper / largest).where(bounded, 1.0).clip(upper=1.0)
    return table.drop(columns="possible")


def family_errors(readings: pd.DataFrame, looks: int, errors: float) -> Float[np.ndarray, " readings"]:
    """Return the number of errors to either end of each reading, for one level over all conditions, or models.

    Args:
        readings: table of readings.
        looks: number of conditions or models, of which any may be off by chance.
        errors: number of normal errors for a single one.
    """
    degrees = readings.degrees.to_numpy(dtype=float)
    return t.isf(norm.sf(errors) / looks, np.where(np.isfinite(degrees), degrees, 1e9))


def interval(
    readings: pd.DataFrame, errors: Float[np.ndarray, " all_readings"], thresholds: Thresholds
) -> dict[str, Any]:
    """Return centre and ends of what is left at one condition, and the readings that set them.

    Where the identity gives it exactly nothing else is asked. A reading of unknown error sets no lower end, and an
    upper end that is infinite.
    """
    exact = readings[readings.kind == "identity"]
    used = exact if len(exact) else readings
    places = zip(used.index, used.iterrows(), strict=True)
    ends = [reading_ends(row, float(errors[place]), thresholds) for place, (_, row) in places]
    lower = np.array([end[0] for end in ends])
    upper = np.array([end[1] for end in ends])
    names = used.reading.to_numpy()
    pairs = used[used.kind.isin(("identity", "pairs"))].value
    # Correlations of different orders add up, and what one reading of pairs sees another need not see again.
    higher = (used.kind.eq("higher order") & np.isfinite(upper)).to_numpy()
    beyond = higher | used.kind.eq("sets").to_numpy()
    centre = float(pairs.clip(lower=0).max()) if len(pairs) else 0.0
    # Sets that depend on each other make products of theirs do so at twice the order: only the first is new.
    lower[np.flatnonzero(higher)[1:]] = -np.inf
    for place in np.flatnonzero(higher)[:1]:
        beyond_pairs = lower[place] - made_of_pairs(int(names[place].removeprefix(ORDER)), centre)
        lower[place] = beyond_pairs if beyond_pairs > 0 else -np.inf
    upper = np.where(beyond, upper + centre, upper)
    known = np.where(np.isnan(upper), -np.inf, upper)
    bounded = not np.isneginf(known).all()
    best = known - used.estimation.to_numpy()
    return {
        "centre": centre,
        "lower": max(float(lower.max()), 0.0),
        "upper": max(float(known.max()), 0.0) if bounded else np.inf,
        "upper_best": max(float(best.max()), 0.0) if bounded else np.inf,
        "least": str(names[lower.argmax()]),
        "most": str(names[known.argmax()]),
    }


def made_of_pairs(order: int, nats: float) -> float:
    """Return the information of an order, at most, that pairs which share these nats make as products of theirs.

    With 2 I_2 = sum rho² of normal variables it is (k - 1)!! (2 I_2)^(k/2) / 2 (k/2)!, by the Cauchy-Schwarz inequality
    for the (k - 1)!! pairings of k variables. Odd orders are no products of pairs.

    >>> made_of_pairs(4, 1.0), made_of_pairs(3, 1.0)
    (3.0, 0.0)
    """
    if order % 2:
        return 0.0
    half = order // 2
    return factorial2(order - 1, exact=True) * (2 * nats) ** half / (2 * factorial(half))


def reading_ends(row: pd.Series, errors: float, thresholds: Thresholds) -> tuple[float, float]:
    """Return the ends that a reading sets: -inf for no lower end, NaN for no upper one."""
    kind = KINDS[row.kind]
    if not np.isfinite(row.error):
        return -np.inf, np.nan if kind.only_if_seen else np.inf
    # Heavy tails of the residuals of the data show in the error alone.
    spread = max(row.null_error, row.error)
    least = thresholds.order_seen * spread if row.kind == "higher order" else thresholds.ahead * row.error
    if kind.only_if_seen and row.value <= least:
        return -np.inf, np.nan
    of_pairs = row.kind == "pairs"
    low = row.value - errors * row.error - (row.allowance if row.kind == "identity" else 0.0)
    low = low / (thresholds.pairs_over if of_pairs else 1.0) - row.misfit
    factors = {"pairs": thresholds.pairs_under, "sets": thresholds.sets_under}
    under = factors.get(row.kind, 1.0) if row.value > 0 else 1.0
    high = max(under * row.value + errors * row.error, 0.0) + row.allowance
    return low if kind.lower and low > 0 else -np.inf, high + row.estimation


def pooled(table: pd.DataFrame) -> dict[str, float | str]:
    """Return the mean over all conditions, whose deviations are independent of each other."""
    count = len(table)
    below = np.sqrt(((table.centre - table.lower).clip(lower=0) ** 2).sum()) / count
    above, above_best = (
        np.sqrt(((table[name] - table.centre).clip(lower=0) ** 2).sum()) / count for name in ("upper", "upper_best")
    )
    centre = float(table.centre.mean())
    worst = table.upper.idxmax()
    return {
        "temperature": POOLED,
        "centre": centre,
        "lower": max(float(np.maximum(table.centre, table.lower).mean()) - below, 0.0),
        "upper": centre + above,
        "upper_best": centre + above_best,
        "least": str(table.least[table.lower.idxmax()]),
        "most": str(table.most[worst]),
        "gain": float(table.gain.mean()),
        "possible": float(table.possible.mean()),
        "rows": int(table.rows.sum()),
    }


def explanation_criteria(left: pd.DataFrame) -> list[dict]:
    """Return the evidence of what is left in the mean over all conditions, and at the worst of them."""
    whole = left.iloc[-1]
    rows = [criterion("left unexplained", whole, found_possible=True)]
    if len(left) > 1:
        single = left.iloc[:-1]
        worst = single.loc[(single.lower - single.tolerance).idxmax()]
        rows.append(criterion("left unexplained at one condition", worst, found_possible=False))
    return rows


def criterion(name: str, row: pd.Series, *, found_possible: bool) -> dict:
    """Return the line of one criterion: it holds if the upper end is within the tolerance, not if the lower is above.

    The upper end is that of the best model of the kind.

    Args:
        name: name of the criterion.
        row: line of the table of intervals.
        found_possible: False where it can only speak against a description.
    """
    holds = False if row.lower > row.tolerance else True if row.upper_best <= row.tolerance else None
    return {
        "criterion": name,
        "temperature": row.temperature,
        "value": row.centre,
        "lower": row.lower,
        "upper": row.upper_best,
        "bound": row.tolerance,
        "holds": None if holds and not found_possible else holds,
    }


def capacity_criterion(table: pd.DataFrame) -> dict:
    """Return the evidence of the temperature at which the rate falls most short of information that is exactly known.

    Information that a critic reads, or that is extrapolated, is an estimate and no bound: it decides nothing.
    """
    row = {"criterion": "rate at least the information across any known cut"}
    known = table[table.information.notna() & table.cut.isin(EXACT_CUTS)]
    if known.empty:
        return row | dict.fromkeys(("temperature", "value", "lower", "upper", "bound"), np.nan) | {"holds": None}
    worst = known.loc[(known.rate - known.information).idxmin()]
    margin = 2 * worst.rate_error
    return row | {
        "temperature": worst.temperature,
        "value": worst.rate,
        "lower": worst.rate - margin,
        "upper": worst.rate + margin,
        "bound": worst.information,
        "holds": False if known.satisfied.eq(False).any() else None if known.satisfied.isna().any() else True,
    }


def is_near(left: pd.DataFrame, factor: float) -> bool:
    """Return True if what is left may lie within a factor of the tolerance, in the mean over all conditions."""
    whole = left.iloc[-1]
    return bool(whole.lower <= factor * whole.tolerance and whole.upper_best >= whole.tolerance / factor)


def rows_to_decide(left: pd.DataFrame) -> float:
    """Return about how many rows would bring the upper end within the tolerance, whose excess falls as 1 / rows.

    It is infinite where another reading than that of pairs, or the identity, sets the upper end, which rows need not
    lower.
    Where the reading itself lies near the tolerance or above it, the number is a way to say: more than there are.
    """
    whole = left.iloc[-1]
    if whole.most not in BY_ROWS:
        return np.inf
    room = max(whole.tolerance - whole.centre, ROOM * whole.tolerance)
    return float(whole.rows) * max(1.0, (whole.upper_best - whole.centre) / room)


def gaps(correlation: pd.DataFrame) -> list[Remark]:
    """Return a remark on everything that the evidence lacks, with the reason.

    Args:
        correlation: table of `total_correlation.conditional_total_correlation`.
    """
    said = []
    if correlation.identity.isna().all():
        text = "ln Z is not known: there is no exact KL divergence, and what is left is read off the rows."
        said.append(Remark(Subject.PARTITION_FUNCTION, text))
    elif correlation.identity.isna().any():
        out = ", ".join(f"{t:g}" for t in correlation.temperature[correlation.identity.isna()])
        text = f"Not in equilibrium at T = {out}: there what is left is read off the rows."
        said.append(Remark(Subject.EQUILIBRIUM, text))
    by_critic = correlation[(correlation.source == "critic") & ~correlation.decided]
    if by_critic.samples_needed.isna().any():
        text = "The error of the critic is not known: its rows are those of a single chain."
        said.append(Remark(Subject.SAMPLES, text))
    elif len(by_critic):
        needed = float(f"{by_critic.samples_needed.max():.2g}")
        each = " at every temperature" if len(correlation) > 1 else ""
        text = f"Too few samples for the critic: it would need about {needed:,.0f} to learn from{each}."
        said.append(Remark(Subject.SAMPLES, text))
    apart = correlation[correlation.agrees.eq(False)]
    if len(apart):
        listed = ", ".join(f"{t:g}" for t in apart.temperature)
        text = f"The critic disagrees with the exact identity at T = {listed}; the identity counts."
        said.append(Remark(Subject.DISAGREEMENT, text))
    return said


def sight(sensitivity: pd.DataFrame) -> Remark:
    """Return a remark on the planted correlations that the critic saw, and those to which it is blind.

    Args:
        sensitivity: table of `total_correlation.sensitivity_table`, with at least one line.
    """
    seen, blind = [], []
    for order, lines in sensitivity.groupby("order"):
        last = lines.drop_duplicates("temperature", keep="last")
        if last.floor.isna().any():
            unseen = last.planted[last.floor.isna()].max()
            blind.append(f"order {order} ({unseen:.2g} nats went unseen)")
        else:
            worst = last.loc[last.floor.idxmax()]
            seen.append(f"{worst.floor:.2g} of {worst.planted:.2g} nats of order {order}")
    parts = [f"the critic may miss {', '.join(seen)}"] if seen else []
    parts += [f"the critic is blind to {' and '.join(blind)} and may miss any amount"] if blind else []
    text = f"Of correlations planted in products of neighbours, {'; '.join(parts)}."
    return Remark(Subject.BLINDNESS, text)
