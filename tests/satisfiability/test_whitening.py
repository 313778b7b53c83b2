"""Frozen variables: by definition on small formulas, and against what single flips free."""

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.satisfiability.whitening import frozen_share
from vae_mf.systems import KSat


def whitened(formula, row):
    """The definition, clause by clause."""
    clauses = np.split(formula.literals, formula.offsets[1:-1])
    white = np.zeros(formula.sites, bool)
    while True:
        free = [
            i
            for i in range(formula.sites)
            if not white[i]
            and all(
                any((row[abs(k) - 1] * k > 0 and abs(k) - 1 != i) or white[abs(k) - 1] for k in clause)
                for clause in clauses
                if (i + 1) * row[i] in clause
            )
        ]
        if not free:
            return 1 - white.mean()
        white[free[0]] = True


@pytest.mark.parametrize("seed", range(4))
def test_frozen_variables_are_those_of_the_definition(seed):
    formula = KSat.random(12, 3, seed=seed, clauses_per_site=3.0)
    rows = all_configurations(12)
    solutions = rows[formula.energy(rows) == 0][:40]
    assert len(solutions)
    expected = [whitened(formula, row.astype(int)) for row in solutions]
    np.testing.assert_allclose(frozen_share(formula, solutions), expected)


def test_the_only_solution_is_frozen_and_no_clauses_freeze_nothing():
    chain = KSat.from_clauses([[1], [-1, 2], [-2, 3]], sites=3)
    assert frozen_share(chain, np.ones((1, 3), np.int8)).tolist() == [1.0]
    assert frozen_share(KSat.from_clauses([], sites=3), np.ones((2, 3), np.int8)).tolist() == [0.0, 0.0]


def test_rows_that_violate_a_clause_are_refused():
    with pytest.raises(ValueError, match="rows that satisfy every clause, got 1 that do not"):
        frozen_share(KSat.from_clauses([[1]], sites=1), np.array([[-1], [1]], np.int8))
    with pytest.raises(ValueError, match=r"solutions: expected shape \(rows, 3\), got \(1, 2\)"):
        frozen_share(KSat.from_clauses([[3]], sites=3), np.ones((1, 2), np.int8))
    with pytest.raises(ValueError, match="solutions: expected"):
        frozen_share(KSat.from_clauses([[1]], sites=1), np.array([[0]], np.int8))
