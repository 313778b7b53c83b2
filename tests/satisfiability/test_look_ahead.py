"""Look-ahead search against exact counts and a solver that learns clauses, its budgets, formulas with units."""

import numpy as np
import pytest

from vae_mf.satisfiability import look_ahead
from vae_mf.satisfiability.complete import decide
from vae_mf.systems import KSat


@pytest.mark.parametrize(("length", "ratio"), [(2, 1.2), (3, 4.8), (4, 11.0)])
def test_answers_are_those_of_exact_counts(length, ratio):
    answers = set()
    for seed in range(150):
        formula = KSat.random(14, length, seed, clauses_per_site=ratio)
        found = look_ahead(formula)
        answers.add(found.status)
        assert found.status == ("satisfiable" if formula.solutions else "unsatisfiable")
        if found.assignment is not None:
            assert formula.energy(found.assignment) == 0
    assert answers == {"satisfiable", "unsatisfiable"}


def test_clauses_of_mixed_lengths_are_decided_as_by_clause_learning():
    pytest.importorskip("pysat")
    random = np.random.default_rng(1)
    for _ in range(200):
        clauses = []
        for length in random.integers(1, 5, 60):
            variables = 1 + random.choice(40, length, replace=False)
            clauses.append((variables * random.choice([-1, 1], length)).tolist())
        formula = KSat.from_clauses([clause for clause in clauses if len(clause) > 1 or random.random() < 0.3], 40)
        assert look_ahead(formula).status == decide(formula).status


def test_a_budget_ends_without_an_answer():
    formula = KSat.random(150, 3, 1, clauses_per_site=5.0)
    found = look_ahead(formula, conflicts=3)
    assert found.status == "undecided"
    assert found.assignment is None
    assert look_ahead(formula).status == "unsatisfiable"
    with pytest.raises(ValueError, match="conflicts: expected an integer >= 1, got 0"):
        look_ahead(formula, conflicts=0)


def test_nothing_to_satisfy_and_units():
    assert look_ahead(KSat.from_clauses([], sites=3)).status == "satisfiable"
    assert look_ahead(KSat.from_clauses([[1], [-1]], sites=1)).status == "unsatisfiable"
    chain = look_ahead(KSat.from_clauses([[1], [-1, 2], [-2, -3]], sites=3))
    assert chain.assignment is not None
    assert chain.assignment.tolist() == [1, 1, -1]
