"""Walks through solutions, against all solutions of small formulas."""

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.satisfiability.solution_walk import walk_overlaps
from vae_mf.satisfiability.walk_sat import walk_sat
from vae_mf.systems.k_sat import KSat


def connected(solutions, first):
    """Solutions that single flips reach from one of them."""
    known = {row.tobytes() for row in solutions}
    reached, waiting = {first.tobytes()}, [first]
    while waiting:
        row = waiting.pop()
        for site in range(row.size):
            other = row.copy()
            other[site] *= -1
            if other.tobytes() in known - reached:
                reached.add(other.tobytes())
                waiting.append(other)
    return np.array([np.frombuffer(row, np.int8) for row in reached])


def test_a_walk_visits_all_solutions_within_reach_alike():
    formula = KSat.random(10, 3, 2, 3.0)
    states = all_configurations(10)
    solutions = states[formula.energy(states) == 0]
    start = solutions[0]
    near = connected(solutions, start)
    assert len(near) > 4
    expected = (near.astype(float) @ start / 10).mean()
    found = walk_overlaps(formula, start, 40_000, seed=1)
    assert found.mean() == pytest.approx(expected, abs=0.02)


def test_a_walk_leaves_its_start_where_clauses_are_few():
    formula = KSat.random(3000, 4, 1, 5.0)
    solution = walk_sat(formula, seed=1, steps=1_000_000).assignment
    overlaps = walk_overlaps(formula, solution, 200, seed=1)
    assert overlaps[0] > 0.5
    assert overlaps[-1] < 0.2


def test_an_assignment_that_is_no_solution_is_refused():
    formula = KSat.from_clauses([[1, 2]], sites=2)
    with pytest.raises(ValueError, match="solution: expected 2 spins that satisfy every clause, got 1 violated"):
        walk_overlaps(formula, np.array([-1, -1], np.int8), 1, seed=1)
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        walk_overlaps(formula, np.ones(3, np.int8), 1, seed=1)
