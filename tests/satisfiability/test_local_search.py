"""Local search: violated clauses against the energy, laws of a single move, solutions, budgets, refusals."""

from contextlib import contextmanager
from inspect import unwrap

import numpy as np
import pytest

from vae_mf.satisfiability import focused_metropolis, local_search, prob_sat, walk_sat
from vae_mf.satisfiability.prob_sat import break_weights
from vae_mf.systems import KSat

ALGORITHMS = {"walk_sat": walk_sat, "prob_sat": prob_sat, "focused_metropolis": focused_metropolis}
every_algorithm = pytest.mark.parametrize("search", ALGORITHMS.values(), ids=ALGORITHMS)
MOVES = 700
R = (2.9 / 0.9) ** 2.06
MIXED = KSat.from_clauses([[1], [-2, 3], [-1, 2, -4], [4, 5, 6, 7, -3], [-7], [-3, -6]], sites=9)
UNSATISFIABLE = KSat.from_clauses([[1, 2], [1, -2], [-1, 2], [-1, -2]], sites=2)


@contextmanager
def watched(chunk):
    """The walks of the searches that begin, which make so many steps between two reports."""
    walks, begin = [], local_search.begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_search, "CHUNK", chunk)
        patch.setattr(local_search, "begin", lambda *given: walks.append(begin(*given)) or walks[-1])
        yield walks


def seen(formula, search, steps, chunk):
    """Result of a search, and the violated clauses on the way: as it counts them, and of the assignment it has then."""
    counts = []

    def look(_, violated):
        up = np.unpackbits(walks[0].bits.view(np.uint8), count=formula.sites, bitorder="little")
        counts.append((violated, int(formula.energy(2 * up.astype(np.int8) - 1))))

    with watched(chunk) as walks:
        return search(formula, 1, steps, progress=look), counts


@every_algorithm
@pytest.mark.parametrize("length", [2, 3, 5])
def test_the_list_of_violated_clauses_is_that_of_the_assignment(search, length):
    formula = KSat.random(60, length, seed=length, clauses_per_site=1.6 * 2**length)
    found, counts = seen(formula, search, 5000, chunk=97)
    assert len(counts) > 20
    assert all(counted == direct for counted, direct in counts)
    assert found.violated == formula.energy(found.assignment)
    assert found.violated <= min(counted for counted, _ in counts)


@every_algorithm
@pytest.mark.parametrize("formula", [MIXED, KSat.random(300, 3, seed=2, clauses=1100), KSat.random(5, 2, 1, clauses=0)])
def test_a_solution_ends_the_search(search, formula):
    found = search(formula, seed=3, steps=100_000)
    assert found.solved
    assert found.violated == formula.energy(found.assignment) == 0
    assert found.flips <= found.steps < 100_000
    np.testing.assert_array_equal(found.assignment, search(formula, seed=3, steps=200_000).assignment)
    np.testing.assert_array_equal(found.assignment, search(formula, 3, 9, start=found.assignment).assignment)


@every_algorithm
def test_a_budget_that_ends_keeps_the_best_assignment(search):
    found = search(UNSATISFIABLE, seed=1, steps=1000)
    assert found.violated == 1
    assert not found.solved
    assert found.steps == 1000
    hard = KSat.random(40, 3, seed=1, clauses=400)
    best, counts = seen(hard, search, 20_000, chunk=1)
    assert best.violated == hard.energy(best.assignment) == min(direct for _, direct in counts)
    start = np.ones(40, np.int8)
    unmoved = search(hard, seed=1, steps=0, start=start)
    np.testing.assert_array_equal(unmoved.assignment, start)
    assert unmoved.violated == hard.energy(start)


@every_algorithm
def test_the_length_of_a_chunk_changes_nothing(search, monkeypatch):
    formula = KSat.random(200, 3, seed=1, clauses=840)
    whole = search(formula, seed=4, steps=3000)
    monkeypatch.setattr(local_search, "CHUNK", 7)
    parts = search(formula, seed=4, steps=3000)
    np.testing.assert_array_equal(parts.assignment, whole.assignment)
    assert parts[1:] == whole[1:]


def first_moves(search, clauses, **options):
    """Shares of the first moves from all variables false that turn variable 1, 2 and 3, and none."""
    formula = KSat.from_clauses(clauses, sites=5)
    turned = np.zeros(8)
    with watched(chunk=1) as walks:
        for seed in range(MOVES):
            search(formula, seed, 1, start=-np.ones(5, np.int8), **options)
            turned[walks[-1].bits[0]] += 1
    return turned[[1, 2, 4, 0]] / MOVES


@pytest.mark.parametrize(
    ("search", "options", "breaks", "law"),
    [
        (walk_sat, {"noise": 0.3}, (0, 1, 2), [1, 0, 0, 0]),
        (walk_sat, {"noise": 0.3}, (2, 1, 1), [0.1, 0.45, 0.45, 0]),
        (prob_sat, {"base": 2.0}, (0, 1, 2), np.array([4, 2, 1, 0]) / 7),
        (prob_sat, {}, (2, 0, 0), np.array([1, R, R, 0]) / (1 + 2 * R)),
        (focused_metropolis, {"eta": 0.4}, (0, 1, 2), [1 / 3, 1 / 3, 0.4 / 3, 0.6 / 3]),
    ],
)
def test_a_move_has_the_law_of_its_algorithm(search, options, breaks, law):
    clauses = [[1, 2, 3], *([-variable, 4] for variable, count in enumerate(breaks, 1) for _ in range(count))]
    np.testing.assert_allclose(first_moves(search, clauses, **options), law, atol=4 * 0.5 / np.sqrt(MOVES))


def test_weights_of_long_clauses_fall_by_their_base():
    np.testing.assert_allclose(break_weights(5, None)[:3], [1, 1 / 3.7, 3.7**-2])
    np.testing.assert_allclose(break_weights(90, None)[1], 1 / 5.4)


def test_every_violated_clause_is_drawn_alike():
    formula = KSat.from_clauses([[i] for i in range(1, 12)], sites=11)
    start = -np.ones(11, np.int8)
    turned = np.sum([walk_sat(formula, seed, 1, start=start).assignment > 0 for seed in range(800)], axis=0)
    assert turned.sum() == 800
    assert np.abs(turned - 800 / 11).max() < 4.5 * np.sqrt(800 / 11)


@pytest.mark.parametrize(
    ("search", "options", "message"),
    [
        (walk_sat, {"noise": 1.5}, "noise: expected a number between 0 and 1, got 1.5"),
        (prob_sat, {"base": 1.0}, "base: expected a finite number > 1, got 1.0"),
        (focused_metropolis, {"eta": 0.0}, "eta: expected a number between 0 and 1, got 0.0"),
        (prob_sat, {"steps": -1}, "steps: expected an integer >= 0, got -1"),
        (prob_sat, {"seed": -1}, "seed: expected an integer >= 0, got -1"),
        (prob_sat, {"start": np.ones(8, np.int8)}, "start: expected one spin for each of 9 variables, got shape"),
        (prob_sat, {"start": np.zeros(9, np.int8)}, "start: expected"),
    ],
)
def test_what_no_search_can_use_is_refused(search, options, message):
    with pytest.raises(ValueError, match=message):
        search(MIXED, **{"seed": 1, "steps": 10} | options)


@pytest.mark.parametrize("search", [walk_sat, prob_sat, focused_metropolis])
def test_lists_are_starts_and_what_is_no_formula_is_refused(search):
    assert unwrap(search)(MIXED, 1, 0, start=[1] * 9).assignment.tolist() == [1] * 9
    with pytest.raises(ValueError, match="formula: expected one with clauses, such as KSat, got None"):
        unwrap(search)(None, 1, 10)
    with pytest.raises(ValueError, match="start: expected an array"):
        unwrap(search)(MIXED, 1, 10, start="up")


def test_a_base_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="base: expected a finite number > 1, got '3'"):
        unwrap(prob_sat)(MIXED, 1, 10, base="3")
