"""Belief and survey propagation on formulas: exact on trees, the infinite limit, and budgets that end."""

from inspect import unwrap

import numpy as np
import pytest
from helpers.formulas import random_tree

from vae_mf.packing import all_configurations
from vae_mf.satisfiability.message_passing import Schedule, belief_propagation, survey_propagation
from vae_mf.satisfiability.population_dynamics import Sizes, complexity, replica_symmetric_entropy
from vae_mf.systems.k_sat import KSat


@pytest.mark.parametrize("seed", range(12))
def test_belief_propagation_is_exact_on_trees(seed):
    formula = random_tree(seed)
    states = all_configurations(formula.sites)
    solutions = states[formula.energy(states) == 0]
    found = belief_propagation(formula, seed=seed)
    if not len(solutions):
        assert (found.converged, found.log_number) == (False, -np.inf)
        return
    assert found.converged
    assert found.log_number == pytest.approx(np.log(len(solutions)), abs=1e-9)
    np.testing.assert_allclose(found.biases, solutions.mean(0), atol=1e-9)
    assert not found.free.any()


@pytest.mark.parametrize("seed", range(12))
def test_survey_propagation_on_a_tree_freezes_what_unit_clauses_imply(seed):
    formula = random_tree(seed)
    states = all_configurations(formula.sites)
    solutions = states[formula.energy(states) == 0]
    found = survey_propagation(formula, seed=seed)
    assert found.converged == (len(solutions) > 0)
    if len(solutions):
        assert found.log_number == pytest.approx(0, abs=1e-9)  # a single cluster
        # On a tree nothing but unit clauses leaves a variable the same value in all solutions.
        np.testing.assert_allclose(found.biases, np.where(np.abs(solutions.mean(0)) == 1, solutions[0], 0), atol=1e-9)
        np.testing.assert_allclose(found.free, 1 - np.abs(found.biases), atol=1e-9)


def test_trees_are_of_both_sorts():
    counts = [random_tree(seed).solutions for seed in range(12)]
    assert 0 in counts
    assert max(counts) > 10


def test_large_formulas_follow_the_infinite_ones():
    formula = KSat.random(20_000, 3, 1, 3.0)
    found = belief_propagation(formula, seed=1)
    infinite = replica_symmetric_entropy(3, 3.0, Sizes(2000, 30, 20, 3), seed=1)
    assert found.converged
    assert found.log_number / formula.sites == pytest.approx(infinite.value, abs=4 * 0.7 / np.sqrt(formula.sites))


@pytest.mark.slow
def test_surveys_of_a_large_formula_follow_the_infinite_ones():
    formula = KSat.random(50_000, 3, 1, 4.2)
    found = survey_propagation(formula, 1, Schedule(tolerance=1e-4))
    assert found.converged
    assert found.log_number / formula.sites == pytest.approx(
        complexity(3, 4.2, Sizes(5000, 50, 20, 3), seed=1).value, abs=4 * 0.6 / np.sqrt(formula.sites)
    )


def test_damping_changes_the_way_and_not_the_fixed_point():
    formula = KSat.random(500, 3, 1, 3.0)
    plain, damped = (belief_propagation(formula, 1, Schedule(damping=damping)) for damping in (0.0, 0.5))
    assert plain.sweeps != damped.sweeps
    np.testing.assert_allclose(plain.biases, damped.biases, atol=1e-4)


def test_a_budget_that_ends_is_told():
    found = belief_propagation(KSat.random(500, 3, 1, 3.8), 1, Schedule(sweeps=3))
    assert (found.converged, found.sweeps) == (False, 3)
    assert found.change > 1e-6


def test_variables_without_clauses_are_free():
    found = survey_propagation(KSat.from_clauses([[1, 2]], sites=3), seed=1)
    assert (found.biases[2], found.free[2]) == (0, 1)
    assert belief_propagation(KSat.from_clauses([], sites=3), seed=1).log_number == pytest.approx(np.log(8))


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (Schedule(sweeps=0), "sweeps: expected an integer >= 1"),
        (Schedule(tolerance=0.0), "tolerance: expected a finite number > 0"),
        (Schedule(damping=1.0), "damping: expected a number from 0 to below 1"),
    ],
)
def test_bad_schedules_are_named(schedule, name):
    with pytest.raises(ValueError, match=name):
        belief_propagation(KSat.from_clauses([[1, 2]], sites=2), 1, schedule)


@pytest.mark.parametrize("clauses", [[[1], [-1]], [[1], [-1, 2], [-2]]])
@pytest.mark.parametrize("propagate", [belief_propagation, survey_propagation])
def test_damping_hides_no_contradiction(propagate, clauses):
    formula = KSat.from_clauses(clauses, sites=max(abs(k) for clause in clauses for k in clause))
    found = propagate(formula, seed=1, schedule=Schedule(damping=0.5))
    assert not found.converged
    assert found.log_number == -np.inf


def test_a_variable_with_thousands_of_clauses_is_no_contradiction():
    # A literal of it and its negation with every one of many pairs of others.
    pairs = 3000
    clauses = [[sign, 2 + 2 * k, 3 + 2 * k] for k in range(pairs) for sign in (1, -1)]
    found = survey_propagation(KSat.from_clauses(clauses, sites=1 + 2 * pairs), seed=1)
    assert found.converged
    assert np.isfinite(found.log_number)
    assert abs(found.biases[0]) < 1e-3


def test_the_count_of_a_star_with_thousands_of_clauses_is_exact():
    star = KSat.from_clauses([[1, 2 + k] for k in range(3000)], sites=3001)
    found = belief_propagation(star, seed=1)
    assert found.converged
    assert found.log_number == pytest.approx(3000 * np.log(2))  # x_0 true, and one solution besides
    assert found.biases[0] == pytest.approx(1.0)


def test_messages_that_have_not_converged_claim_no_number():
    for seed in range(40):
        found = belief_propagation(KSat.random(12, 3, seed, clauses_per_site=4.5), seed, Schedule(sweeps=60))
        assert found.log_number != np.inf
        assert not (found.converged and not np.isfinite(found.log_number))


@pytest.mark.parametrize("propagate", [belief_propagation, survey_propagation])
def test_what_is_no_formula_or_schedule_is_refused(propagate):
    formula = KSat.from_clauses([[1, 2]], sites=2)
    with pytest.raises(ValueError, match="formula: expected one with clauses, such as KSat, got None"):
        unwrap(propagate)(None, 1)
    for schedule in (None, (10, 1e-3, 0.0)):
        with pytest.raises(ValueError, match="schedule: expected one of class Schedule, got"):
            unwrap(propagate)(formula, 1, schedule)
    with pytest.raises(ValueError, match="damping: expected a finite number >= 0, got '0'"):
        unwrap(propagate)(formula, 1, Schedule(damping="0"))
