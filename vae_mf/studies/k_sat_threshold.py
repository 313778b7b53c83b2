"""Probability that a random formula has a solution, against clauses per variable: curves, their crossings, effort.

Curves of two sizes cross near the threshold, and the nearer the larger they are: crossings of sizes with one ratio lie
at alpha_s + b N^(-omega), a law that is fitted to them. The ratio at which half of the formulas have a solution comes
down to the threshold from above, for K = 3 as N^(-5/3) (Crawford and Auton 1996). The ratio of the slopes at a crossing
gives an exponent, dP/dalpha growing as N^(1/nu). For K = 2 theory has the answer, alpha = 1 and nu = 3 (Bollobas et al.
2001). For K >= 3 it proves nu >= 2 (Wilson 2002), which is more than any size that a complete solver reaches has shown:
the exponent is an effective one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from scipy.special import expit

from vae_mf.checks import require_choice, require_integer, require_positive, shown
from vae_mf.rng import generator, integer
from vae_mf.satisfiability.complete import Decision, decide
from vae_mf.satisfiability.look_ahead import look_ahead
from vae_mf.systems.k_sat import KSat

DEGREE = 2
"""Degree of the polynomial in the clauses per variable that the log-odds of a solution are fitted by."""
STEPS = 50
"""Newton steps of a fit at most; a dozen are enough."""
SETTLED = 1e-9
"""Largest step of a coefficient at which a fit has ended."""
REPEATS = 100
"""Repetitions of a parametric bootstrap."""
SOLVERS = {"look_ahead": look_ahead, "clause_learning": decide}
"""Complete solvers by their names."""
PARTIAL = (0.1, 0.9)
"""Shares of formulas with a solution between which a ratio shows a part of the fall."""
BETWEEN_RATIOS = 0.05
"""Error of a half point by the form of the fall, as a share of the step between the ratios about it (by simulation)."""
OMEGAS = np.linspace(0.5, 2.0, 31)
"""Exponents of the law of the crossings that are tried."""


def threshold_tables(scans: Sequence[Mapping[str, Any]], seed: int) -> dict[str, pd.DataFrame]:
    """Return the curves of every scan, the crossings of two sizes, what these tend to, and the half point of each.

    Args:
        scans: a mapping for every clause length in "length", with clauses per variable in "ratios", numbers of
            variables in "sizes", numbers of formulas in "formulas", one for each size, the name of a complete "solver",
            the "factor" between two sizes whose crossing is looked for, and the known "threshold".
        seed: seed of all formulas.

    Raises:
        ValueError: if a scan has fewer than three ratios, no formulas, or a number that is out of range.
    """
    for scan in scans:
        require_scan(scan)
    curves = pd.concat([scan_curves(scan, seed) for scan in scans], ignore_index=True)
    random = generator(seed, "crossings")
    tables = [crossing_tables(curves[curves.length == scan["length"]], scan["factor"], random) for scan in scans]
    crossings, halves, limits = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return {"threshold": curves, "crossings": crossings, "halves": halves, "limits": limits}


def require_scan(scan: Mapping[str, Any]) -> None:
    """Raise ValueError unless a scan has what curves are fitted to."""
    length = require_integer("length", scan["length"])
    require_integer("factor", scan["factor"], minimum=2)
    ratios = [require_positive("ratios", ratio) for ratio in scan["ratios"]]
    if len(set(ratios)) <= DEGREE or len(set(ratios)) < len(ratios):
        raise ValueError(f"ratios: expected {DEGREE + 1} or more, all different, to fit curves to, got {shown(ratios)}")
    if not scan["sizes"] or len(scan["sizes"]) != len(scan["formulas"]):
        raise ValueError(
            f"formulas: expected a number for each of the sizes {shown(scan['sizes'])}, got {shown(scan['formulas'])}"
        )
    for sites, formulas in zip(scan["sizes"], scan["formulas"], strict=True):
        require_integer("sizes", sites, minimum=length)
        require_integer("formulas", formulas)


def scan_curves(scan: Mapping[str, Any], seed: int) -> pd.DataFrame:
    """Return one row for each size and ratio, with the share of formulas with a solution and the effort to decide."""
    solve = SOLVERS[require_choice("solver", scan["solver"], SOLVERS)]
    rows = []
    for sites, formulas in zip(scan["sizes"], scan["formulas"], strict=True):
        for ratio in scan["ratios"]:
            row = {"length": scan["length"], "threshold": scan["threshold"], "sites": sites, "ratio": ratio}
            rows.append(row | decided_formulas(sites, scan["length"], ratio, formulas, solve, seed))
    return pd.DataFrame(rows)


def decided_formulas(
    sites: int, length: int, ratio: float, formulas: int, solve: Callable[[KSat], Decision], seed: int
) -> dict[str, Any]:
    """Return how many of a number of random formulas have a solution, and quartiles of the decisions it took."""
    satisfiable, decisions = 0, []
    for number in range(formulas):
        own = integer(seed, "formula", sites, length, round(1e6 * ratio), number)
        answer = solve(KSat.random(sites, length, own, clauses_per_site=float(ratio)))
        satisfiable += answer.status == "satisfiable"
        decisions.append(answer.decisions)
    share = satisfiable / formulas
    error = np.sqrt(share * (1 - share) / formulas)
    low, middle, high = np.percentile(decisions, [25, 50, 75])
    counts = {"formulas": formulas, "satisfiable": satisfiable, "probability": share, "error": error}
    return counts | {"decisions": middle, "decisions_low": low, "decisions_high": high}


class Crossings(NamedTuple):
    """Crossings of one clause length, and the threshold that they tend to."""

    crossings: pd.DataFrame
    """Two sizes, the "ratio" of clauses to variables and the exponent "nu" of each crossing, with errors."""
    halves: pd.DataFrame
    """For each size the "ratio" at which half of the formulas have a solution, with its error."""
    limits: pd.DataFrame
    """One row: the "ratio" for infinite size, its error and the exponent "omega", nan below three crossings."""


def crossing_tables(curves: pd.DataFrame, factor: int, random: np.random.Generator) -> Crossings:
    """Return the crossings of all sizes N and ``factor`` N of one clause length, with errors of a bootstrap."""
    parts = {int(sites): part for sites, part in curves.groupby("sites")}
    pairs = [(sites, factor * sites) for sites in parts if factor * sites in parts]
    found = points_of(parts, {sites: part.satisfiable.to_numpy() for sites, part in parts.items()}, pairs)
    repeats = []
    for _ in range(REPEATS):
        # One draw for all points, which share sizes.
        drawn = {sites: random.binomial(part.formulas, part.probability) for sites, part in parts.items()}
        repeats.append(points_of(parts, drawn, pairs))
    same = {"length": curves.length.iloc[0], "threshold": curves.threshold.iloc[0]}
    errors = Points(*(np.array([spread(one) for one in np.array(v).T]) for v in zip(*repeats, strict=True)))
    crossings = {"small": [pair[0] for pair in pairs], "large": [pair[1] for pair in pairs]}
    crossings |= {"ratio": found.crossings, "error": errors.crossings, "nu": found.nus, "nu_error": errors.nus}
    steps = [step_about(part.ratio, half) for part, half in zip(parts.values(), found.halves, strict=True)]
    half_errors = np.hypot(errors.halves, BETWEEN_RATIOS * np.array(steps))
    halves = {"sites": list(parts), "ratio": found.halves, "error": half_errors}
    small = np.array([pair[0] for pair in pairs], np.int64)
    limit = limit_with_error(small, found.crossings, errors.crossings, [one.crossings for one in repeats])
    return Crossings(pd.DataFrame(same | crossings), pd.DataFrame(same | halves), pd.DataFrame([same | limit]))


class Points(NamedTuple):
    """Crossings of pairs of sizes with their exponents, and the half point of each size."""

    crossings: Float[np.ndarray, " pairs"]
    nus: Float[np.ndarray, " pairs"]
    halves: Float[np.ndarray, " sizes"]


def points_of(
    parts: Mapping[int, pd.DataFrame], satisfiable: Mapping[int, np.ndarray], pairs: Sequence[tuple[int, int]]
) -> Points:
    """Return crossings and half points of a scan, from the numbers of formulas with a solution."""
    found = [crossing_of(parts, satisfiable, pair) for pair in pairs]
    halves = [half_point(part.ratio.to_numpy(), part.formulas.to_numpy(), satisfiable[n]) for n, part in parts.items()]
    return Points(np.array([one.ratio for one in found]), np.array([one.nu for one in found]), np.array(halves))


def limit_with_error(sizes: np.ndarray, points: np.ndarray, errors: np.ndarray, repeats: list[np.ndarray]) -> dict:
    """Return what points tend to with the size, its error by the repetitions of a bootstrap, and the exponent."""
    limit = limit_of_points(sizes, points, errors)
    others = [limit_of_points(sizes, one, errors).ratio for one in repeats]
    return {"ratio": limit.ratio, "error": spread(np.array(others)), "omega": limit.omega}


def spread(values: np.ndarray) -> float:
    """Return the standard deviation of the values that are numbers, nan without any."""
    known = values[np.isfinite(values)]
    return float(known.std()) if known.size else np.nan


class Limit(NamedTuple):
    """Threshold of infinite size and exponent of the approach to it, nan where there are too few points."""

    ratio: float
    omega: float


def limit_of_points(
    sizes: Int64[np.ndarray, " points"],
    ratios: Float[np.ndarray, " points"],
    errors: Float[np.ndarray, " points"],
) -> Limit:
    """Return the law ratio + b N^(-omega) of smallest squares, omega from 0.5 to 2, of three points or more.

    >>> limit = limit_of_points(np.array([50, 100, 200]), 4.2 - 1 / np.array([50, 100, 200]), np.full(3, 0.01))
    >>> round(limit.ratio, 6), round(limit.omega, 2)
    (4.2, 1.0)
    """
    known = np.isfinite(ratios) & (errors > 0)
    if known.sum() < 3:
        return Limit(np.nan, np.nan)
    weights = 1 / errors[known]
    fits = []
    for omega in OMEGAS:
        design = np.stack([weights, weights * sizes[known] ** -omega], axis=1)
        solution, *_ = np.linalg.lstsq(design, weights * ratios[known])
        misfit = np.sum((design @ solution - weights * ratios[known]) ** 2)
        fits.append((float(misfit), float(solution[0]), float(omega)))
    return Limit(*min(fits)[1:])


def crossing_of(
    parts: Mapping[int, pd.DataFrame], satisfiable: Mapping[int, np.ndarray], pair: tuple[int, int]
) -> "Crossing":
    """Return the crossing of two sizes of a scan, from the numbers of formulas with a solution."""
    formulas = np.array([parts[sites].formulas for sites in pair])
    return crossing(pair, parts[pair[0]].ratio.to_numpy(), formulas, np.array([satisfiable[sites] for sites in pair]))


class Crossing(NamedTuple):
    """Crossing of the curves of two sizes, nan where they do not cross or one falls between two ratios."""

    ratio: float
    nu: float
    """Exponent by the slopes there, nan if the curve of the larger size is no steeper."""


def crossing(sizes: Sequence[int], ratios: np.ndarray, formulas: np.ndarray, satisfiable: np.ndarray) -> Crossing:
    """Return the crossing of two sizes, from the numbers of formulas and of those with a solution (sizes, ratios)."""
    middle = ratios.mean()
    fits = [fitted_log_odds(ratios - middle, satisfiable[size], formulas[size]) for size in (0, 1)]
    inside = real_roots(np.roots((fits[1] - fits[0])[::-1]), ratios - middle)
    if not (inside and all(shows_its_fall(satisfiable[size], formulas[size]) for size in (0, 1))):
        return Crossing(np.nan, np.nan)
    place = min(inside, key=abs)
    slopes = [np.polynomial.Polynomial(fit).deriv()(place) for fit in fits]
    steeper = slopes[1] / slopes[0]
    nu = np.log(sizes[1] / sizes[0]) / np.log(steeper) if steeper > 1 else np.nan
    return Crossing(float(middle + place), float(nu))


def real_roots(roots: np.ndarray, places: np.ndarray) -> list[float]:
    """Return the real ones of some roots that lie between the least and the largest of some places."""
    return [root.real for root in roots if abs(root.imag) < 1e-12 and places.min() <= root.real <= places.max()]


def half_point(ratios: np.ndarray, formulas: np.ndarray, satisfiable: np.ndarray) -> float:
    """Return the ratio at which half of the formulas of one size have a solution, nan if those tried do not tell.

    They do not if it is outside of them, or the whole fall lies between two of them, where any ratio may be it.

    >>> ratios = np.array([4.0, 4.2, 4.4])
    >>> round(half_point(ratios, np.full(3, 1000), np.array([900, 500, 100])), 2)
    4.2
    """
    middle = ratios.mean()
    roots = np.roots(fitted_log_odds(ratios - middle, satisfiable, formulas)[::-1])
    inside = real_roots(roots, ratios - middle)
    return float(middle + min(inside, key=abs)) if inside and shows_its_fall(satisfiable, formulas) else np.nan


def shows_its_fall(satisfiable: np.ndarray, formulas: np.ndarray) -> bool:
    """Return whether at one ratio at least some formulas, but not nearly all, have a solution."""
    shares = satisfiable / formulas
    return bool(((shares > PARTIAL[0]) & (shares < PARTIAL[1])).any())


def step_about(ratios: Any, place: float) -> float:
    """Return the distance of the two neighbouring ratios about a place, nan for no place.

    >>> step_about([1.0, 2.0, 4.0], 3.0)
    2.0
    """
    ordered = np.sort(ratios)
    upper = int(np.clip(np.searchsorted(ordered, place), 1, len(ordered) - 1))
    return float(ordered[upper] - ordered[upper - 1]) if np.isfinite(place) else np.nan


def fitted_log_odds(
    ratios: Float[np.ndarray, " ratios"], satisfiable: np.ndarray, formulas: np.ndarray
) -> Float[np.ndarray, " coefficients"]:
    """Return the coefficients, lowest first, of the polynomial of largest likelihood for the log-odds of a solution."""
    # Half a formula more of each kind keeps curves finite that are all ones or zeros.
    satisfiable, formulas = satisfiable + 0.5, formulas + 1
    powers = ratios[:, None] ** np.arange(DEGREE + 1)

    def likelihood(coefficients: Float[np.ndarray, " coefficients"]) -> float:
        odds = powers @ coefficients
        return float(satisfiable @ odds - formulas @ np.logaddexp(0, odds))

    coefficients = np.zeros(DEGREE + 1)
    for _ in range(STEPS):
        expected = formulas * expit(powers @ coefficients)
        slope = powers.T @ (satisfiable - expected)
        curvature = powers.T @ (powers * (expected * (1 - expected / formulas))[:, None])
        step = np.linalg.solve(curvature, slope)
        # Where all formulas of either side are alike a whole step overshoots, to where nothing has a slope.
        height = likelihood(coefficients)
        while likelihood(coefficients + step) < height and np.abs(step).max() > SETTLED:
            step /= 2
        coefficients = coefficients + step
        if np.abs(step).max() < SETTLED:
            break
    return coefficients
