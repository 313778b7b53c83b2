"""Decimation by messages: its bookkeeping against plain Python, what it solves, and the endings that it tells."""

import numpy as np
import pytest
from helpers.formulas import random_tree

from vae_mf.packing import all_configurations
from vae_mf.satisfiability.decimation import (
    CONTRADICTED,
    DECIMATED,
    SPENT,
    UNBIASED,
    Rules,
    belief_decimation,
    fix,
    largest,
    nothing_assigned,
    remainder,
    survey_decimation,
    unfix,
)
from vae_mf.satisfiability.message_passing import Schedule, factor_graph, first_messages
from vae_mf.systems.k_sat import KSat

NONE = np.empty(0, np.int64)


def clauses_of(formula):
    return [formula.literals[a:b].tolist() for a, b in zip(formula.offsets[:-1], formula.offsets[1:], strict=True)]


def recounted(formula, spins):
    values = [[spins[abs(literal) - 1] * np.sign(literal) for literal in clause] for clause in clauses_of(formula)]
    return [row.count(1) for row in values], [row.count(0) for row in values]


def propagated(formula, spins):
    """Unit propagation in plain Python; None at a contradiction."""
    spins = spins.copy()
    while True:
        forced = []
        for clause in clauses_of(formula):
            if not any(spins[abs(literal) - 1] * literal > 0 for literal in clause):
                left = [literal for literal in clause if spins[abs(literal) - 1] == 0]
                if not left:
                    return None
                forced += left if len(left) == 1 else []
        if not forced:
            return spins
        for literal in forced:
            if spins[abs(literal) - 1] * literal < 0:
                return None
            spins[abs(literal) - 1] = np.sign(literal)


@pytest.mark.parametrize("seed", range(20))
def test_fixed_variables_propagate_and_can_be_freed(seed):
    formula = KSat.random(12, 3, seed, 3.0)
    graph = factor_graph(formula)
    random = np.random.default_rng(seed)
    messages = first_messages(graph, random)
    state = nothing_assigned(formula)
    owners = np.repeat(np.arange(formula.clauses), 3)
    variables = random.permutation(12)[:4]
    values = random.choice(np.array([-1, 1], np.int8), 4)
    expected = np.zeros(12, np.int8)
    for variable, value in zip(variables, values, strict=True):
        if expected is not None and expected[variable] == 0:
            expected[variable] = value
            expected = propagated(formula, expected)
    consistent = fix(graph, messages, state, owners, variables, values, NONE)
    assert consistent == (expected is not None)
    if expected is None:
        return
    np.testing.assert_array_equal(state.spins, expected)
    assert recounted(formula, state.spins) == (state.satisfied.tolist(), state.open.tolist())
    assert (messages.needs[graph.places[state.satisfied[owners] > 0]] == 0).all()
    unfix(graph, messages, state, owners, variables[:2])
    assert (state.spins[variables[:2]] == 0).all()
    assert recounted(formula, state.spins) == (state.satisfied.tolist(), state.open.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_solutions_of_the_rest_are_those_of_the_formula(seed):
    formula = KSat.random(10, 3, seed, 2.5)
    spins = np.zeros(10, np.int8)
    spins[:3] = [1, -1, 1]
    free = np.flatnonzero(spins == 0)
    states = all_configurations(10)
    chosen = states[(states[:, :3] == spins[:3]).all(1)]
    untouched = np.bincount(np.repeat(np.arange(formula.clauses), 3), np.abs(formula.literals) > 3) > 0
    assert untouched.all()  # no clause of the three alone
    rest = remainder(formula, spins, free)
    np.testing.assert_array_equal(rest.energy(np.ascontiguousarray(chosen[:, 3:])), formula.energy(chosen))


@pytest.mark.parametrize("decimation", [belief_decimation, survey_decimation])
def test_a_tree_is_solved_or_contradicted(decimation):
    for seed in range(8):
        formula = random_tree(seed)
        found = decimation(formula, seed)
        assert found.solved == (formula.solutions > 0)
        assert found.violated == formula.energy(found.assignment)
        if not found.solved:
            assert found.ending == CONTRADICTED


def test_surveys_solve_beyond_the_reach_of_beliefs():
    formula = KSat.random(4000, 3, 2, 4.15)
    found = survey_decimation(formula, 1, Rules(fraction=0.02))
    assert found.solved
    assert found.ending == UNBIASED
    assert 0 < found.fixed < formula.sites
    assert formula.energy(found.assignment) == 0


def test_beliefs_solve_where_clauses_are_few():
    found = belief_decimation(KSat.random(2000, 3, 1, 3.5), 1, Rules(fraction=0.02))
    assert found.solved
    assert found.ending == DECIMATED


def test_backtracking_frees_variables_and_solves():
    formula = KSat.random(2000, 3, 3, 4.1)
    plain, back = (survey_decimation(formula, 1, Rules(0.02, backtracking)) for backtracking in (0.0, 0.5))
    assert back.solved
    assert back.rounds > plain.rounds


def test_endings_are_told_and_the_assignment_is_kept():
    hard = KSat.random(300, 3, 1, 6.0)
    found = survey_decimation(hard, 1, Rules(steps=100))
    assert (found.solved, found.ending) == (False, CONTRADICTED)
    assert found.violated == hard.energy(found.assignment) < 60
    short = survey_decimation(KSat.random(1000, 3, 1, 4.2), 1, Rules(rounds=2, steps=0))
    assert (short.ending, short.rounds) == (SPENT, 2)
    unconverged = survey_decimation(
        KSat.random(1000, 3, 1, 4.2), 1, Rules(rounds=1, steps=0, schedule=Schedule(2, 0.01))
    )
    assert unconverged.unconverged == 1


def test_equal_seeds_make_equal_assignments():
    formula = KSat.random(1000, 3, 1, 4.0)
    first, second = (survey_decimation(formula, 7, Rules(0.05, 0.2)) for _ in range(2))
    np.testing.assert_array_equal(first.assignment, second.assignment)


def test_the_largest_come_first():
    assert largest(np.array([0.1, 0.9, 0.5, 0.7]), 3).tolist() == [1, 3, 2]


@pytest.mark.slow
def test_survey_decimation_solves_a_hundred_thousand_variables_close_to_the_threshold():
    assert survey_decimation(KSat.random(100_000, 3, 1, 4.23), 1).solved


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"fraction": 0.0}, "fraction: expected a finite number > 0, got 0.0"),
        ({"fraction": 1.5}, "fraction: expected a number above 0 and at most 1, got 1.5"),
        ({"backtracking": 1.0}, "backtracking: expected a number from 0 to below 1"),
        ({"rounds": 0}, "rounds: expected an integer >= 1"),
        ({"steps": -1}, "steps: expected an integer >= 0"),
    ],
)
def test_bad_rules_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        Rules(**arguments)
