"""Complete solver: its answers against exact counts, a budget that ends, and a package that is missing."""

import sys

import numpy as np
import pytest

from vae_mf.satisfiability import decide
from vae_mf.systems import KSat


def test_answers_are_those_of_the_count_of_solutions():
    pytest.importorskip("pysat")
    seen = set()
    for seed in range(30):
        formula = KSat.random(15, 3, seed, clauses_per_site=5.0)
        found = decide(formula)
        seen.add(found.status)
        assert found.status == ("satisfiable" if formula.solutions else "unsatisfiable")
        if found.assignment is None:
            assert found.status == "unsatisfiable"
        else:
            assert formula.energy(found.assignment) == 0
    assert len(seen) == 2


def test_a_budget_that_ends_is_no_proof():
    pytest.importorskip("pysat")
    formula = KSat.random(200, 3, seed=1, clauses_per_site=4.4)
    short = decide(formula, conflicts=50)
    assert short.status == "undecided"
    assert short.assignment is None
    assert 50 <= short.conflicts < 200
    assert short.decisions > 0


def test_variables_that_never_occur_have_a_value():
    pytest.importorskip("pysat")
    negated = decide(KSat.from_clauses([[-2]], sites=4)).assignment
    assert negated is not None
    assert negated[1] == -1
    assert np.abs(negated).tolist() == [1] * 4
    found = decide(KSat.random(6, 3, seed=1, clauses=0))
    assert found.status == "satisfiable"
    assert found.assignment is not None
    assert np.abs(found.assignment).tolist() == [1] * 6


def test_a_missing_package_and_a_wrong_number_are_named(monkeypatch):
    formula = KSat.from_clauses([[1]], sites=1)
    with pytest.raises(ValueError, match="conflicts: expected at most 2147483647"):
        decide(formula, conflicts=2**63)
    with pytest.raises(ValueError, match="conflicts: expected an integer >= 1, got 0"):
        decide(formula, conflicts=0)
    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    with pytest.raises(ValueError, match=r"expected the package python-sat, got none: pip install 'vae_mf\[sat\]'"):
        decide(formula)
