"""Walks from solutions of random K-SAT through their clusters, across the ratio at which clusters part."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from vae_mf.rng import integer
from vae_mf.satisfiability.message_passing import Schedule, belief_propagation
from vae_mf.satisfiability.prob_sat import prob_sat
from vae_mf.satisfiability.solution_walk import walk_overlaps
from vae_mf.satisfiability.whitening import frozen_share
from vae_mf.systems.k_sat import KSat

SCHEDULE = Schedule(sweeps=500, tolerance=1e-4, damping=0.2)
"""Iteration of the beliefs, whose squares are the overlap of two solutions drawn at random."""


def walk_tables(
    length: int,
    sizes: Sequence[int],
    ratios: Sequence[float],
    formulas: int,
    steps: int,
    sweeps: int,
    thresholds: dict[str, float],
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return overlaps along the walks, what is known of the solutions, and the thresholds.

    Args:
        length: literals K in a clause.
        sizes: numbers of variables N.
        ratios: clauses per variable.
        formulas: formulas at every point.
        steps: moves at most of ProbSAT, per variable, for each of two solutions.
        sweeps: sweeps of a walk.
        thresholds: published thresholds by name.
        seed: seed of everything.

    Raises:
        ValueError: if the searches solve no formula.
    """
    walks, solutions = [], []
    for sites, ratio, number in product(sizes, ratios, range(formulas)):
        place = {"sites": sites, "ratio": ratio, "formula": number}
        formula = KSat.random(sites, length, integer(seed, "formula", sites, str(ratio), number), ratio)
        first, second = (prob_sat(formula, integer(seed, "search", start), steps * sites) for start in range(2))
        found = {"solved": first.solved and second.solved}
        if found["solved"]:
            overlaps = walk_overlaps(formula, first.assignment, sweeps, integer(seed, "walk"))
            times = np.unique(np.geomspace(1, sweeps, 40).astype(int))
            walks.append(pd.DataFrame(place | {"sweeps": times, "overlap": overlaps[times - 1]}))
            beliefs = belief_propagation(formula, integer(seed, "beliefs"), SCHEDULE)
            found |= {
                "end": float(overlaps[-1]),
                "frozen": float(frozen_share(formula, first.assignment[None])[0]),
                "independent": float(np.mean(first.assignment.astype(float) * second.assignment)),
                "converged": beliefs.converged,
                "beliefs": float(np.mean(beliefs.biases**2)),
            }
        solutions.append(place | found)
    if not walks:
        raise ValueError(f"ratios: expected formulas that ProbSAT solves in {steps} moves per variable, got none")
    known = pd.DataFrame({"name": list(thresholds), "ratio": list(thresholds.values())})
    return {"walks": pd.concat(walks, ignore_index=True), "solutions": pd.DataFrame(solutions), "thresholds": known}
