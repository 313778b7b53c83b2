"""Complete solver by conflict-driven clause learning: a solution, a proof that there is none, or an ended budget."""

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int8

from vae_mf.checks import require_choice, require_integer
from vae_mf.systems.base import HasClauses

SOLVERS = ("minisat22", "glucose4")
"""Solvers of python-sat that keep a budget; the first is the faster one on random formulas near their threshold."""


Status = Literal["satisfiable", "unsatisfiable", "undecided"]
STATUS: dict[bool | None, Status] = {True: "satisfiable", False: "unsatisfiable", None: "undecided"}
"""Name of every answer of a solver."""


class Decision(NamedTuple):
    """Answer of a complete solver, and its effort."""

    status: Status
    """"undecided" if the budget ended before either was proved."""
    assignment: Int8[np.ndarray, " sites"] | None
    """Solution, None without one."""
    conflicts: int
    decisions: int


def decide(formula: HasClauses, conflicts: int | None = None, solver: str = "minisat22") -> Decision:
    """Return whether a formula has a solution, within a budget of conflicts.

    >>> from vae_mf.systems import KSat
    >>> decide(KSat.from_clauses([[1, 2], [1, -2], [-1, 2], [-1, -2]], sites=2)).status
    'unsatisfiable'

    Args:
        formula: formula to decide.
        conflicts: number of conflicts after which the solver gives up, None for no limit.
        solver: solver of python-sat, "minisat22" or "glucose4".

    Raises:
        ValueError: if the budget is no positive integer, the solver is another, or python-sat is not installed.
    """
    require_choice("solver", solver, SOLVERS)
    if conflicts is not None:
        require_integer("conflicts", conflicts)
    with solver_class()(name=solver, bootstrap_with=clause_lists(formula)) as engine:
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
