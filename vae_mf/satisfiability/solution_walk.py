"""Random walks from a solution through those that single flips reach.

A variable that alone satisfies a clause cannot turn; any other one may. That leaves all solutions of a connected set
equally likely.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import require_integer, spin_array
from vae_mf.kernels import kernel
from vae_mf.rng import generator
from vae_mf.satisfiability.message_passing import clause_owners, factor_graph
from vae_mf.systems.k_sat import KSat, require_formula


def walk_overlaps(formula: KSat, solution: Spins, sweeps: int, seed: int) -> Float[np.ndarray, " sweeps"]:
    """Return the overlap sum_i s_i s_i(0) / N with the start after every sweep of a walk through solutions.

    >>> free = KSat.from_clauses([], sites=10_000)
    >>> bool(abs(walk_overlaps(free, np.ones(10_000, np.int8), sweeps=9, seed=1)[-1]) < 0.05)
    True

    Args:
        formula: formula with clauses of any lengths.
        solution: assignment that satisfies it, shape (N,).
        sweeps: number of sweeps of N attempted flips.
        seed: seed of the walk.

    Raises:
        ValueError: if a number is out of range or the assignment does not satisfy the formula.
    """
    require_integer("sweeps", sweeps)
    start = require_solution(formula, solution)
    random = generator(require_integer("seed", seed, minimum=0), "walk")
    overlaps = np.empty(sweeps)
    walk(overlaps, factor_graph(formula), clause_owners(formula), start.copy(), start, random)
    return overlaps


def require_solution(formula: KSat, solution: Any) -> Spins:
    """Return an assignment as an array, or raise ValueError unless it satisfies a formula."""
    require_formula(formula)
    spins = spin_array("solution", solution)
    if spins.shape != (formula.sites,) or (violated := int(formula.energy(spins))):
        came = f"{violated} violated" if spins.shape == (formula.sites,) else f"shape {spins.shape}"
        raise ValueError(f"solution: expected {formula.sites} spins that satisfy every clause, got {came}")
    return spins


@kernel()
def count_true(graph, owners, spins, clauses):
    """Return the number of true literals of every clause."""
    true = np.zeros(clauses, np.int64)
    for position in range(owners.shape[0]):
        literal = graph.literals[position]
        true[owners[position]] += (literal > 0) == (spins[abs(literal) - 1] > 0)
    return true


@kernel()
def is_needed(graph, owners, true, spins, variable):
    """Return True if a variable alone satisfies a clause."""
    for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
        position = graph.positions[edge]
        if true[owners[position]] == 1 and (graph.literals[position] > 0) == (spins[variable] > 0):
            return True
    return False


@kernel()
def walk(overlaps, graph, owners, spins, start, random):
    """Walk through solutions, and set the overlap with the start after every sweep."""
    sites = spins.shape[0]
    true = count_true(graph, owners, spins, graph.offsets.shape[0] - 1)
    overlap = sites
    for sweep in range(overlaps.shape[0]):
        for _ in range(sites):
            variable = random.integers(0, sites)
            # Half of the attempts rest: among free variables the parity of all flips would else be that of the time.
            if random.random() < 0.5 or is_needed(graph, owners, true, spins, variable):
                continue
            for edge in range(graph.bounds[variable], graph.bounds[variable + 1]):
                position = graph.positions[edge]
                satisfies = (graph.literals[position] > 0) == (spins[variable] > 0)
                true[owners[position]] += -1 if satisfies else 1
            overlap -= 2 * spins[variable] * start[variable]
            spins[variable] = -spins[variable]
        overlaps[sweep] = overlap / sites
