"""Probability that a random formula has a solution, against clauses per variable: curves, their crossings, effort.

Curves of two sizes cross near the threshold, and the ratio of their slopes there gives an exponent, dP/dalpha growing
as N^(1/nu). For K = 2 theory has the answer, alpha = 1 and nu = 3 (Bollobas et al. 2001). For K >= 3 it proves nu >= 2
(Wilson 2002), which is more than any size that a complete solver reaches has shown: the exponent is an effective one.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from vae_mf.rng import generator, integer
from vae_mf.satisfiability.complete import decide
from vae_mf.systems.k_sat import KSat

DEGREE = 2
"""Degree of the polynomial in the clauses per variable that the log-odds of a solution are fitted by."""
STEPS = 15
"""Newton steps of a fit, many more than it needs."""
REPEATS = 200
"""Repetitions of a parametric bootstrap."""


def threshold_tables(scans: Sequence[Mapping[str, Any]], seed: int) -> dict[str, pd.DataFrame]:
    """Return the curves of every scan, and the crossings of neighbouring sizes.

    Args:
        scans: a mapping for every clause length in "length", with clauses per variable in "ratios", numbers of
            variables in "sizes", numbers of formulas in "formulas", one for each size, and the known "threshold".
        seed: seed of all formulas.
    """
    curves = pd.concat([scan_curves(scan, seed) for scan in scans], ignore_index=True)
    return {"threshold": curves, "crossings": crossing_table(curves, seed)}


def scan_curves(scan: Mapping[str, Any], seed: int) -> pd.DataFrame:
    """Return one row for each size and ratio, with the share of formulas with a solution and the effort to decide."""
    rows = []
    for sites, formulas in zip(scan["sizes"], scan["formulas"], strict=True):
        for ratio in scan["ratios"]:
            row = {"length": scan["length"], "threshold": scan["threshold"], "sites": sites, "ratio": ratio}
            rows.append(row | decided_formulas(sites, scan["length"], ratio, formulas, seed))
    return pd.DataFrame(rows)


def decided_formulas(sites: int, length: int, ratio: float, formulas: int, seed: int) -> dict[str, Any]:
    """Return how many of a number of random formulas have a solution, and quartiles of the decisions it took."""
    satisfiable, decisions = 0, []
    for number in range(formulas):
        own = integer(seed, "formula", sites, length, round(1e6 * ratio), number)
        answer = decide(KSat.random(sites, length, own, clauses_per_site=float(ratio)))
        satisfiable += answer.status == "satisfiable"
        decisions.append(answer.decisions)
    share = satisfiable / formulas
    error = np.sqrt(share * (1 - share) / formulas)
    low, middle, high = np.percentile(decisions, [25, 50, 75])
    counts = {"formulas": formulas, "satisfiable": satisfiable, "probability": share, "error": error}
    return counts | {"decisions": middle, "decisions_low": low, "decisions_high": high}


def crossing_table(curves: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the crossing of every two neighbouring sizes and the exponent there, with errors of a bootstrap."""
    random = generator(seed, "crossings")
    rows = []
    for length, group in curves.groupby("length"):
        for sizes in pairwise(sorted(group.sites.unique().tolist())):
            pair = [group[group.sites == sites] for sites in sizes]
            ratios, counts, shares = (
                np.array([part[name] for part in pair]) for name in ("ratio", "formulas", "probability")
            )
            found = crossing(sizes, ratios[0], counts, shares * counts)
            drawn = [crossing(sizes, ratios[0], counts, random.binomial(counts, shares)) for _ in range(REPEATS)]
            errors = np.nanstd(np.array(drawn), axis=0)
            row = {"length": length, "threshold": group.threshold.iloc[0], "small": sizes[0], "large": sizes[1]}
            rows.append(row | {"ratio": found.ratio, "error": errors[0], "nu": found.nu, "nu_error": errors[1]})
    return pd.DataFrame(rows)


class Crossing(NamedTuple):
    """Crossing of the curves of two sizes, nan where they do not cross."""

    ratio: float
    nu: float
    """Exponent by the slopes there, nan if the curve of the larger size is no steeper."""


def crossing(sizes: Sequence[int], ratios: np.ndarray, formulas: np.ndarray, satisfiable: np.ndarray) -> Crossing:
    """Return the crossing of two sizes, from the numbers of formulas and of those with a solution (sizes, ratios)."""
    middle = ratios.mean()
    fits = [fitted_log_odds(ratios - middle, satisfiable[size], formulas[size]) for size in (0, 1)]
    roots = np.roots((fits[1] - fits[0])[::-1])
    inside = [root.real for root in roots if abs(root.imag) < 1e-12 and abs(root.real) < np.ptp(ratios) / 2]
    if not inside:
        return Crossing(np.nan, np.nan)
    place = min(inside, key=abs)
    slopes = [np.polynomial.Polynomial(fit).deriv()(place) for fit in fits]
    steeper = slopes[1] / slopes[0]
    nu = np.log(sizes[1] / sizes[0]) / np.log(steeper) if steeper > 1 else np.nan
    return Crossing(float(middle + place), float(nu))


def fitted_log_odds(
    ratios: Float[np.ndarray, " ratios"], satisfiable: np.ndarray, formulas: np.ndarray
) -> Float[np.ndarray, " coefficients"]:
    """Return the coefficients, lowest first, of the polynomial of largest likelihood for the log-odds of a solution."""
    powers = ratios[:, None] ** np.arange(DEGREE + 1)
    coefficients = np.zeros(DEGREE + 1)
    for _ in range(STEPS):
        expected = formulas / (1 + np.exp(-powers @ coefficients))
        # Half a formula more of each kind keeps curves finite that are all ones or zeros.
        weights = expected * (1 - expected / formulas) + 0.25
        slope = powers.T @ (satisfiable - expected)
        coefficients += np.linalg.solve(powers.T @ (powers * weights[:, None]), slope)
    return coefficients
