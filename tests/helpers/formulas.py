"""Formulas whose answers are known."""

import numpy as np

from vae_mf.systems.k_sat import KSat


def random_tree(seed: int) -> KSat:
    """Return a formula without loops: every clause takes one variable from before, and up to two new ones."""
    random = np.random.default_rng(seed)
    clauses, sites = [], 2
    for _ in range(random.integers(4, 7)):
        variables = [random.integers(sites), *range(sites, sites + random.integers(0, 3))]
        sites += len(variables) - 1
        clauses.append([int(random.choice([-1, 1]) * (1 + variable)) for variable in variables])
    return KSat.from_clauses(clauses, sites)
