"""Complete solver by conflict-driven clause learning: a solution, a proof that there is none, or an ended budget."""

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int8

from vae_mf.checks import require_integer
from vae_mf.systems.base import HasClauses
from vae_mf.systems.k_sat import require_formula

SOLVER = "minisat22"
"""Solver of python-sat that keeps a budget of conflicts, as not all of them do."""
LARGEST_BUDGET = 2**31 - 1
Status = Literal["satisfiable", "unsatisfiable", "undecided"]
STATUS: dict[bool | None, Status] = {True: "satisfiable", False: "unsatisfiable", None: "undecided"}
"""Name of every answer of a solver."""


class Decision(NamedTuple):
    """Answer of a complete solver, and its effort.

    >>> from vae_mf.satisfiability import decide
    >>> from vae_mf.systems import KSat
    >>> found = decide(KSat.from_clauses([[1], [-1, 2], [-2, -3]], sites=3))
    >>> found.status, found.assignment
    ('satisfiable', array([ 1,  1, -1], dtype=int8))
    """

    status: Status
    """"undecided" if the budget ended before either was proved."""
    assignment: Int8[np.ndarray, " sites"] | None
    """Solution, None without one."""
    conflicts: int
    """Conflicts that were met."""
    decisions: int
    """Variables that were set by choice."""


def decide(formula: HasClauses, conflicts: int | None = None) -> Decision:
    """Return whether a formula has a solution, within a budget of conflicts.

    >>> from vae_mf.systems import KSat
    >>> decide(KSat.from_clauses([[1, 2], [1, -2], [-1, 2], [-1, -2]], sites=2)).status
    'unsatisfiable'

    Args:
        formula: formula to decide.
        conflicts: number of conflicts after which the solver gives up, None for no limit.

    Raises:
        ValueError: if the budget is no integer from 1 to 2^31 - 1, python-sat is not installed, or the formula is none.
    """
    require_formula(formula)
    if conflicts is not None and require_integer("conflicts", conflicts) > LARGEST_BUDGET:
        raise ValueError(f"conflicts: expected at most {LARGEST_BUDGET}, got {conflicts}")
    with solver_class()(name=SOLVER, bootstrap_with=clause_lists(formula)) as engine:
        if conflicts is not None:
            engine.conf_budget(conflicts)
        answer = engine.solve_limited()
        effort = engine.accum_stats()
        assignment = filled(engine.get_model(), formula.sites) if answer else None
    return Decision(STATUS[answer], assignment, effort["conflicts"], effort["decisions"])


def solver_class() -> Any:
    """Return the class of all solvers of python-sat.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        from pysat.solvers import Solver
    except ImportError as error:
        raise ValueError("solver: expected the package python-sat, got none: pip install 'vae_mf[sat]'") from error
    return Solver


def clause_lists(formula: HasClauses) -> list[list[int]]:
    """Return the clauses as lists of literals."""
    literals = formula.literals.tolist()
    offsets = formula.offsets.tolist()
    return [literals[first:last] for first, last in pairwise(offsets)]


def filled(model: list[int], sites: int) -> Int8[np.ndarray, " sites"]:
    """Return a list of true literals as spins; variables that it leaves open are true."""
    spins = np.ones(sites, np.int8)
    false = np.array([-literal for literal in model if literal < 0], np.int64)
    spins[false - 1] = -1
    return spins
