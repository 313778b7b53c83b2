"""Leaderboard of estimators of nats: a row for each of their answers, and a line about all rows of each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vae_mf.checks import require_non_negative

COVERING = 2.0
"""Errors within which an answer counts as covering the exact value."""
ROUNDING = 1e-9
"""Nats that an answer may be off whose error is said to be zero."""
ANSWERS, SCORES, BOARD = "answers", "scores", "leaderboard"
"""Tables: every answer that was ever given, those of this call, and a line for every estimator."""


@dataclass(frozen=True)
class Tolerances:
    """Distance from the exact value that is allowed: nats, or a share of it, whichever is larger."""

    absolute: float
    relative: float

    def __post_init__(self) -> None:
        require_non_negative("tolerance.absolute", self.absolute)
        require_non_negative("tolerance.relative", self.relative)

    def allowed(self, exact: pd.Series) -> pd.Series:
        """Return the distance that is allowed from every exact value."""
        return (self.relative * exact.abs()).clip(lower=self.absolute)


def scored(rows: list[dict[str, Any]], tolerances: Tolerances) -> pd.DataFrame:
    """Return the table of answers: ``off`` in nats, ``errors_off`` in their own errors, and ``within`` the tolerance.

    An estimator that gave no answer is not within.
    """
    table = pd.DataFrame(rows).drop(columns=["sources", "version"], errors="ignore")
    table["off"] = table.value - table.exact
    table["errors_off"] = table.off / table.error.where(table.error > 0)
    table["within"] = table.off.abs() <= tolerances.allowed(table.exact)
    return table


def leaderboard(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a line for every estimator, those with the largest share of rows within the tolerance first.

    Columns: ``asked``, rows; ``answered``; ``within`` the tolerance; ``with_error``, answers that have one;
    ``covered``, those of them whose interval of two errors holds the exact value; ``largest_within``, the most nats
    that were met; ``median_off``, the median of |off| over the exact value, of rows above a tenth of a nat;
    ``cpu_seconds`` of all.
    """
    lines = []
    for name, own in scores.groupby("estimator", sort=False):
        answered = own[own.value.notna()]
        large = answered[answered.exact > 0.1]
        covered = answered.off.abs() <= COVERING * answered.error + ROUNDING
        lines.append(
            {
                "estimator": name,
                "asked": len(own),
                "answered": len(answered),
                "within": int(own.within.sum()),
                "with_error": int(answered.error.notna().sum()),
                "covered": int(covered.sum()),
                "largest_within": float(own.exact[own.within].max()) if own.within.any() else np.nan,
                "median_off": float((large.off.abs() / large.exact).median()) if len(large) else np.nan,
                "cpu_seconds": float(own.cpu_seconds.sum()),
            }
        )
    table = pd.DataFrame(lines).assign(share=lambda each: each.within / each.asked)
    ordered = table.sort_values(["share", "median_off"], ascending=[False, True], kind="stable")
    return ordered.drop(columns="share").reset_index(drop=True)


def in_bits(scores: pd.DataFrame) -> list[str]:
    """Return the estimators that may answer in bits: half of their answers are about 1 / ln 2 times the exact nats."""
    large = scores[scores.value.notna() & (scores.exact > 0.1)]
    ratios = (large.value / large.exact * np.log(2)).groupby(large.estimator)
    typical = ratios.median()[ratios.count() >= 3]
    return [str(name) for name in typical[(typical - 1).abs() < 0.02].index]


def failures(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows in which every estimator is outside the tolerance, the largest distance first."""
    outside = scores[~scores.within]
    ordered = outside.assign(far=outside.off.abs()).sort_values("far", ascending=False)
    return {str(name): ordered[ordered.estimator == name] for name in outside.estimator.unique()}
