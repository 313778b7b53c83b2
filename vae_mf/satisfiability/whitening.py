"""Frozen variables of solutions: those that whitening leaves, which no chain of single flips frees."""

import numpy as np
from jaxtyping import Float

from vae_mf.arrays import Spins
from vae_mf.checks import spin_array
from vae_mf.kernels import kernel
from vae_mf.samplers.k_sat import signed_clauses
from vae_mf.systems.base import HasClauses
from vae_mf.systems.k_sat import require_formula


def frozen_share(formula: HasClauses, solutions: Spins) -> Float[np.ndarray, " rows"]:
    """Return the share of the variables of each solution that whitening leaves.

    A variable turns white if every clause that it satisfies has another true literal or a white variable, until none
    is left that could. Those that stay are frozen in the cluster of the solution, as far as messages can tell.

    Source: Parisi 2002, arXiv:cs/0212047; Achlioptas and Ricci-Tersenghi, SIAM J. Comput. 39, 260 (2009).

    >>> from vae_mf.systems import KSat
    >>> formula = KSat.from_clauses([[1, 2], [-1, 2], [2, 3]], sites=3)
    >>> frozen_share(formula, np.array([[1, 1, 1]], np.int8)).round(3).tolist()
    [0.0]

    Args:
        formula: formula that the rows satisfy.
        solutions: spins, shape (rows, N).

    Raises:
        ValueError: if the shape is another, a value no spin, or a row violates a clause.
    """
    require_formula(formula)
    rows = np.ascontiguousarray(spin_array("solutions", solutions))
    if rows.ndim != 2 or rows.shape[1] != formula.sites:
        raise ValueError(f"solutions: expected shape (rows, {formula.sites}), got {rows.shape}")
    starts, clauses = signed_clauses(formula)
    frozen = np.empty(len(rows))
    violated = whiten(frozen, rows, starts, clauses, formula.offsets.size - 1)
    if violated:
        raise ValueError(f"solutions: expected rows that satisfy every clause, got {violated} that do not")
    return frozen


@kernel()
def whiten(frozen, rows, starts, clauses, count):
    """Set the share of variables that stay, and return the number of rows that are no solutions."""
    violated = 0
    sites = rows.shape[1]
    for row in range(rows.shape[0]):
        true_literals = np.zeros(count, np.int32)
        white_ones = np.zeros(count, np.int32)
        white = np.zeros(sites, np.bool_)
        for i in range(sites):
            count_literals(true_literals, clauses[starts[i] : starts[i + 1]], rows[row, i] > 0, 1)
        violated += true_literals.min() == 0 if count else 0
        left = sites
        before = left + 1
        while left < before:
            before = left
            for i in range(sites):
                own = clauses[starts[i] : starts[i + 1]]
                if not white[i] and is_free(own, true_literals, white_ones, rows[row, i] > 0):
                    white[i] = True
                    left -= 1
                    count_literals(true_literals, own, rows[row, i] > 0, -1)
                    for clause in own:
                        white_ones[abs(clause) - 1] += 1
        frozen[row] = left / sites
    return violated


@kernel(inline="always")
def count_literals(true_literals, clauses, up, change):
    """Add to the true literals of the clauses that a variable satisfies."""
    for clause in clauses:
        if (clause > 0) == up:
            true_literals[abs(clause) - 1] += change


@kernel(inline="always")
def is_free(clauses, true_literals, white_ones, up):
    """Return whether every clause that a variable satisfies does without it."""
    for clause in clauses:
        place = abs(clause) - 1
        if (clause > 0) == up and true_literals[place] == 1 and white_ones[place] == 0:
            return False
    return True
