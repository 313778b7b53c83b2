"""Processor time per variable of local searches for a solution of random formulas."""

from collections.abc import Mapping, Sequence
from itertools import product
from time import process_time
from typing import Any

import pandas as pd

from vae_mf.rng import integer
from vae_mf.satisfiability.focused_metropolis import focused_metropolis
from vae_mf.satisfiability.prob_sat import prob_sat
from vae_mf.satisfiability.walk_sat import walk_sat
from vae_mf.systems.k_sat import KSat

ALGORITHMS = {"WalkSAT": walk_sat, "ProbSAT": prob_sat, "focused Metropolis": focused_metropolis}


def search_tables(
    length: int,
    threshold: float,
    ratios: Mapping[int, Sequence[float]],
    formulas: int,
    steps_per_variable: int,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return for each size, ratio and algorithm the mean time and steps per variable, and how many formulas it solved.

    Args:
        length: number of literals K in a clause.
        threshold: known threshold in clauses per variable.
        ratios: clauses per variable, for each number of variables N.
        formulas: random formulas at each size and ratio, the same for all algorithms.
        steps_per_variable: budget of a search over N.
        seed: seed of formulas and searches.
    """
    small = KSat.random(100, length, seed, clauses_per_site=1.0)
    for search in ALGORITHMS.values():
        search(small, seed, 100)  # compiled here, beside the clock
    rows = []
    for sites, own in ratios.items():
        for ratio, name in product(own, ALGORITHMS):
            row = {"threshold": threshold, "sites": int(sites), "ratio": ratio, "algorithm": name, "formulas": formulas}
            rows.append(row | timed(name, int(sites), length, ratio, formulas, steps_per_variable, seed))
    return {"search": pd.DataFrame(rows)}


def timed(
    name: str, sites: int, length: int, ratio: float, formulas: int, steps_per_variable: int, seed: int
) -> dict[str, Any]:
    """Return what an algorithm takes for a number of formulas, those included that it does not solve."""
    seconds, steps, solved = 0.0, 0, 0
    for number in range(formulas):
        own = integer(seed, "formula", sites, round(1e6 * ratio), number)
        formula = KSat.random(sites, length, own, clauses_per_site=float(ratio))
        begun = process_time()
        found = ALGORITHMS[name](formula, own, steps_per_variable * sites)
        seconds += process_time() - begun
        steps += found.steps
        solved += found.solved
    each = sites * formulas
    return {"solved": solved, "seconds_per_variable": seconds / each, "steps_per_variable": steps / each}
