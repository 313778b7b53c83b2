"""Formulas: energies clause by clause, counts against enumeration and a solver, files there and back, refusals."""

import gzip
import os
from inspect import unwrap

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.systems import KSat
from vae_mf.systems.base import HasOrderParameterLaw, HasThermodynamics, System
from vae_mf.systems.clause_counts import count_configurations, thermodynamics_of_counts
from vae_mf.systems.enumeration import enumerate_system

MIXED = KSat.from_clauses([[1, -2, 3], [-1], [2, 4, -3, -5], [-4, 5], [-4, 5]], sites=6)


def clauses_of(formula):
    return np.split(formula.literals, formula.offsets[1:-1])


def violated(formula, spins):
    return sum(not any(spins[abs(i) - 1] * i > 0 for i in clause) for clause in clauses_of(formula))


@pytest.mark.parametrize("formula", [MIXED, *(KSat.random(9, k, seed=k, clauses_per_site=3.5) for k in (1, 2, 7))])
def test_energy_is_the_number_of_violated_clauses(formula):
    spins = all_configurations(formula.sites)[::5]
    direct = [violated(formula, row) for row in spins]
    np.testing.assert_array_equal(formula.energy(spins), direct)
    np.testing.assert_array_equal(formula.energy(spins[:10].reshape(2, 5, -1)).ravel(), direct[:10])
    assert isinstance(formula, System)
    assert isinstance(formula, HasThermodynamics)
    assert isinstance(formula, HasOrderParameterLaw)


@pytest.mark.parametrize("formula", [MIXED, KSat.random(10, 3, seed=1, clauses=40), KSat.random(10, 3, 1, clauses=0)])
@pytest.mark.parametrize("temperature", [0.02, 0.7])
def test_counts_of_configurations_are_those_of_enumeration(formula, temperature):
    spins = all_configurations(formula.sites)
    joint = np.zeros_like(formula.configuration_counts)
    np.add.at(joint, (formula.energy(spins).astype(int), (spins > 0).sum(1)), 1)
    np.testing.assert_array_equal(formula.configuration_counts, joint)
    exact = enumerate_system(formula, temperature)
    np.testing.assert_allclose(formula.thermodynamics(temperature), exact.thermodynamics, atol=1e-9)
    law = formula.order_parameter_law(temperature)
    expected = np.bincount((spins > 0).sum(1), exact.probabilities)
    np.testing.assert_allclose(law.probabilities, expected, atol=1e-12)
    assert law.values[[0, -1]].tolist() == [-1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_solutions_are_those_that_a_solver_enumerates(seed):
    solvers = pytest.importorskip("pysat.solvers")
    formula = KSat.random(22, 3, seed=seed, clauses_per_site=3.6)
    with solvers.Glucose4(bootstrap_with=[clause.tolist() for clause in clauses_of(formula)]) as solver:
        assert formula.solutions == sum(1 for _ in solver.enum_models())


def test_entropy_at_low_temperature_is_that_of_the_solutions():
    formula = KSat.random(24, 3, seed=2, clauses_per_site=3.0)
    assert formula.configuration_counts.sum() == 2**24
    assert formula.thermodynamics(0.02).entropy == pytest.approx(np.log(formula.solutions))
    with pytest.raises(ValueError, match="counting: expected at most 24 variables, got 25"):
        _ = KSat.random(25, 3, seed=2, clauses=3).solutions


def test_the_mean_count_of_solutions_is_the_annealed_one():
    counts = np.array([KSat.random(12, 3, seed, clauses=24).solutions for seed in range(400)])
    annealed = 2**12 * (1 - 2**-3) ** 24
    assert abs(counts.mean() - annealed) < 4 * counts.std() / np.sqrt(len(counts))


def test_random_clauses_hold_distinct_variables_with_fair_signs():
    formula = KSat.random(sites=7, length=3, seed=5, clauses=35_000)
    rows = np.abs(formula.literals.reshape(-1, 3))
    assert (np.diff(np.sort(rows)) > 0).all()
    sets, counts = np.unique(np.sort(rows), axis=0, return_counts=True)
    assert len(sets) == 35
    assert ((counts - 1000) ** 2 / 1000).sum() < 34 + 4 * np.sqrt(2 * 34)
    signs = (formula.literals.reshape(-1, 3) > 0) @ [1, 2, 4]
    assert ((np.bincount(signs) - 4375) ** 2 / 4375).sum() < 7 + 4 * np.sqrt(14)
    assert (KSat.random(7, 7, seed=1, clauses=9).offsets == 7 * np.arange(10)).all()
    np.testing.assert_array_equal(formula.literals, KSat.random(7, 3, 5, clauses_per_site=5000.0).literals)


def test_occurrences_are_the_places_of_every_variable():
    places, (bounds, positions) = np.abs(MIXED.literals), MIXED.occurrences
    for variable in range(6):
        expected = np.flatnonzero(places == variable + 1)
        np.testing.assert_array_equal(positions[bounds[variable] : bounds[variable + 1]], expected)


@pytest.mark.parametrize("ending", ["cnf", "cnf.gz", "cnf.bz2", "cnf.xz"])
@pytest.mark.parametrize("formula", [MIXED, KSat.random(50, 3, 1, clauses=200), KSat.random(3, 3, 1, clauses=0)])
def test_a_formula_returns_from_its_file(formula, ending, tmp_path):
    formula.to_file(tmp_path / f"formula.{ending}")
    read = KSat.from_file(tmp_path / f"formula.{ending}")
    assert read.sites == formula.sites
    np.testing.assert_array_equal(read.literals, formula.literals)
    np.testing.assert_array_equal(read.offsets, formula.offsets)


@pytest.mark.parametrize(
    "text",
    [
        "c a comment\nc p cnf 9 9\n\n p  cnf 3 2 \r\n1 -2 0\r\n3 0\r\n",
        "p cnf 3 2\n1\n-2 0 3\nc between clauses\n0",
        "p cnf 3 2\nc\n1 -2 0 3 0\n%\n0\n\n",
    ],
)
def test_the_dialects_of_dimacs_are_read(text, tmp_path):
    path = tmp_path / "formula.cnf"
    path.write_bytes(text.encode())
    read = KSat.from_file(path)
    assert [clause.tolist() for clause in clauses_of(read)] == [[1, -2], [3]]
    assert read.sites == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header 'p cnf VARIABLES CLAUSES' before the clauses, got ''"),
        ("1 2 0\n", "expected a header .* got '1 2 0'"),
        ("p cnf 2\n1 0", "expected a header .* got 'p cnf 2'"),
        ("p dnf 2 1\n1 0", "expected a header .* got 'p dnf 2 1'"),
        ("p cnf 2 2\n1 0\n", "expected 2 clauses, as the header says, got 1"),
        ("p cnf 2 1\n1 0\n2 0\n", "expected 1 clauses, as the header says, got 2"),
        ("p cnf 2 1\n1 2\n", "expected every clause to end with 0"),
        ("p cnf 2 1\n1 x 0\n", "expected literals that are integers, at most 2147483647, on line 2, got 'x 0'"),
        ("p cnf 2 1\n1 2- 0\n", "expected literals that are integers, at most 2147483647, on line 2, got '2- 0'"),
        ("p cnf 2 1\n1\n- 0\n", "expected literals that are integers, at most 2147483647, on line 3, got '- 0'"),
        ("p cnf 2 2\n1 0\n1 -3 0\n", "clause 2: expected literals from 1 to 2 or their negatives, got -3"),
        ("p cnf 2 1\n99999999999999999999 0\n", "on line 2, got '99999999999999999999"),
        ("p cnf 2 1\n1 \0 0\n", "at most 2147483647, on line 2, got"),
        ("p cnf 2 2\n1 0\n0\n", "clause 2: expected at least one literal, got none"),
        ("p cnf 2 1\n2 1 2 0\n", "clause 1: expected each variable once, got variable 2 again"),
        ("p cnf 2 2\n1 0\n2 -2 0\n", "clause 2: expected each variable once, got variable 2 again"),
        ("p cnf 0 0\n", "sites: expected an integer >= 1, got 0"),
        ("p cnf 3000000000 0\n", "sites: expected at most 2147483647"),
    ],
)
def test_a_file_that_is_no_formula_is_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "formula.cnf"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        KSat.from_file(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path):
    for content in (gzip.compress(b"p cnf 3 1\n1 0\n")[:-9], b"p cnf 3 1\n1 0\n"):
        (tmp_path / "formula.cnf.gz").write_bytes(content)
        with pytest.raises(ValueError, match=r"expected a whole file compressed as \.gz, got one that is not"):
            KSat.from_file(tmp_path / "formula.cnf.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 11}, "length: expected at most the number of variables, 10, got 11"),
        ({"length": 0}, "length: expected an integer >= 1, got 0"),
        ({"sites": 0}, "sites: expected an integer >= 1, got 0"),
        ({"clauses": None}, "expected exactly one of clauses_per_site and clauses, got None and None"),
        ({"clauses_per_site": 2.0}, "expected exactly one of clauses_per_site and clauses, got 2.0 and 5"),
        ({"clauses": -1}, "clauses: expected an integer >= 0, got -1"),
        ({"clauses": None, "clauses_per_site": float("nan")}, "clauses_per_site: expected a finite number >= 0"),
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        ({"sites": 2**50, "clauses": 1}, "sites: expected arrays that fit into memory"),
        ({"clauses": None, "clauses_per_site": 1e308}, "clauses_per_site: expected a smaller number"),
    ],
)
def test_a_formula_that_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        KSat.random(**{"sites": 10, "length": 3, "seed": 1, "clauses": 5} | arguments)


@pytest.mark.parametrize(
    ("literals", "offsets", "message"),
    [
        (np.array([1, 2]), np.array([0, 3]), "offsets: expected numbers that rise from 0 to 2"),
        (np.array([1, 2]), np.array([1, 2]), "offsets: expected numbers that rise from 0 to 2"),
        (np.array([1, 2]), np.array([0, 2, 1, 2]), "offsets: expected numbers that rise from 0 to 2"),
        (np.array([1, 0]), np.array([0, 2]), "clause 1: expected literals from 1 to 3 or their negatives, got 0"),
    ],
)
def test_arrays_that_are_no_formula_are_refused(literals, offsets, message):
    with pytest.raises(ValueError, match=message):
        KSat(literals, offsets, 3)


def test_configurations_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"spins: expected 6 in the last axis, got shape \(2, 5\)"):
        MIXED.energy(np.ones((2, 5), np.int8))


def test_compiled_counts_are_the_interpreted_ones():
    formula = KSat.random(6, 2, seed=1, clauses=9)
    energies = [violated(formula, row) for row in all_configurations(6)]
    counts = count_configurations(formula.literals, formula.offsets, 6).sum(1)
    np.testing.assert_array_equal(counts, np.bincount(energies, minlength=10))
    found = thermodynamics_of_counts(counts, 1.5)
    weights = np.exp(-np.array(energies) / 1.5)
    assert found.log_partition == pytest.approx(np.log(weights.sum()))
    assert found.energy == pytest.approx(weights @ energies / weights.sum())


def test_what_is_no_file_or_unfolds_beyond_all_memory_is_refused(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe.cnf"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(ValueError, match="expected a file, got a folder, a pipe or a device"):
            KSat.from_file(path)
    bomb = tmp_path / "bomb.cnf.gz"
    bomb.write_bytes(gzip.compress(b" " * 10**6))
    monkeypatch.setattr("vae_mf.checks.available_memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"bomb.cnf.gz: expected arrays that fit into memory"):
        KSat.from_file(bomb)


@pytest.mark.parametrize("clauses", [None, 5, [None], [1, 2]])
def test_what_is_no_list_of_clauses_is_refused(clauses):
    with pytest.raises(ValueError, match="clauses: expected a list of lists of literals, got"):
        unwrap(KSat.from_clauses.__func__)(KSat, clauses, 3)


@pytest.mark.parametrize("spins", [[0, 1, 1, 1, 1, 1], [True] * 6, [2.0, 1, 1, 1, 1, 1]])
def test_energies_are_those_of_spins_alone(spins):
    with pytest.raises(ValueError, match=r"spins: expected entries -1 and \+1, got"):
        unwrap(KSat.energy)(MIXED, spins)
    assert unwrap(KSat.energy)(MIXED, [1] * 6) == violated(MIXED, np.ones(6))


def test_a_mark_before_the_text_and_capital_endings_are_read(tmp_path):
    (tmp_path / "marked.cnf").write_bytes(b"\xef\xbb\xbfp cnf 2 1\n1 -2 0\n")
    assert KSat.from_file(tmp_path / "marked.cnf").literals.tolist() == [1, -2]
    MIXED.to_file(tmp_path / "FORMULA.CNF.GZ")
    assert (tmp_path / "FORMULA.CNF.GZ").read_bytes()[:2] == b"\x1f\x8b"
    np.testing.assert_array_equal(KSat.from_file(tmp_path / "FORMULA.CNF.GZ").literals, MIXED.literals)


def test_a_missing_file_is_named_with_its_option(tmp_path):
    with pytest.raises(FileNotFoundError, match="path: expected a file with a formula, found no"):
        KSat.from_file(tmp_path / "none.cnf")


def test_more_variables_than_memory_are_refused(tmp_path, monkeypatch):
    (tmp_path / "huge.cnf").write_text("p cnf 2147483647 0\n")
    monkeypatch.setattr("vae_mf.checks.available_memory", lambda: 10**9)
    with pytest.raises(ValueError, match="sites: expected arrays that fit into memory"):
        KSat.from_file(tmp_path / "huge.cnf")
