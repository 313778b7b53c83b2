"""Population dynamics of random K-SAT: exact limits, exact counts, published thresholds, and bad numbers."""

import numpy as np
import pytest

from vae_mf.satisfiability.population_dynamics import (
    Sizes,
    complement_of_product,
    complexity,
    first_moment_entropy,
    mean_log_complement,
    replica_symmetric_entropy,
)
from vae_mf.systems.k_sat import KSat

SIZES = Sizes(members=2000, discarded=30, kept=20, populations=4)


def test_few_clauses_do_not_meet():
    """Each of them then excludes its share of all assignments; the next order is the square of their ratio."""
    for length in (2, 3, 5):
        found = replica_symmetric_entropy(length, 0.02, SIZES, seed=1)
        assert found.value == pytest.approx(first_moment_entropy(length, 0.02), abs=3e-5)


@pytest.mark.parametrize(("length", "ratio"), [(2, 0.5), (3, 1.0)])
def test_the_entropy_is_that_of_exact_counts(length, ratio):
    """Means of ln(solutions) / N over formulas, freed from their first finite-size term by two sizes."""
    means, errors = [], []
    for sites, formulas in ((8, 800), (16, 300)):
        counts = np.array([KSat.random(sites, length, seed, ratio).solutions for seed in range(formulas)])
        values = np.log(counts[counts > 0]) / sites
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(formulas))
    found = replica_symmetric_entropy(length, ratio, SIZES, seed=1)
    error = np.hypot(2 * errors[1], errors[0]) + found.error
    assert 2 * means[1] - means[0] == pytest.approx(found.value, abs=4 * error)
    assert error < 0.008


def test_survey_propagation_counts_no_clusters_far_below_clustering():
    found = complexity(3, 3.0, SIZES._replace(discarded=60), seed=1)
    assert abs(found.value) < 1e-4
    assert found.message < 1e-3


def test_the_complexity_vanishes_at_the_satisfiability_threshold():
    for length, threshold, slope in ((3, 4.267, 0.08), (4, 9.931, 0.052)):
        found = complexity(length, threshold, SIZES, seed=1)
        assert abs(found.value) < 0.02 * slope
    assert complexity(3, 4.2, SIZES, seed=1).value == pytest.approx(0.067 * 0.08, rel=0.2)


def test_populations_agree_and_their_number_of_threads_changes_nothing():
    found = complexity(3, 4.2, SIZES, seed=3)
    assert found == complexity(3, 4.2, SIZES, seed=3)
    assert found.error < 3e-4
    assert found.stationary > 1e-3


def test_a_population_that_still_moves_is_told():
    assert complexity(3, 3.8, Sizes(2000, 0, 20, 8), seed=1).stationary < 1e-4


def test_the_average_of_the_logarithm_is_unbiased_and_exact_where_messages_are_certain():
    random = np.random.default_rng(1)
    first, second = random.uniform(0, 1, (2, 300)) ** 3
    exact = np.log(1 - np.outer(1 - first, 1 - second)).mean()
    found = [mean_log_complement([first, second], random) for _ in range(200)]
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.std(found) / np.sqrt(200))
    assert complement_of_product([np.array([1e-20]), np.array([3e-20])])[0] == pytest.approx(4e-20)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((1, 4.2, SIZES, 1), "length: expected an integer >= 2"),
        ((3, 0.0, SIZES, 1), "ratio: expected a finite number > 0"),
        ((3, 4.2, SIZES._replace(populations=1), 1), "populations: expected an integer >= 2"),
        ((3, 4.2, SIZES._replace(kept=1), 1), "kept: expected an integer >= 2"),
        ((3, 4.2, SIZES, -1), "seed: expected an integer >= 0"),
    ],
)
def test_bad_numbers_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        complexity(*arguments)


def test_belief_propagation_says_where_its_messages_contradict_each_other():
    sizes = Sizes(members=2000, discarded=60, kept=20, populations=2)
    with pytest.raises(ValueError, match="ratio: expected one at which formulas have solutions, got 5"):
        replica_symmetric_entropy(3, 5.0, sizes, seed=1)


def test_populations_without_a_message_stand_still():
    found = complexity(3, 3.0, Sizes(members=1000, discarded=40, kept=10, populations=2), seed=1)
    assert found == (0.0, 0.0, 1.0, 0.0)


def test_a_ratio_whose_sweeps_never_end_is_refused():
    with pytest.raises(ValueError, match=r"ratio: expected at most 6\.67e"):
        complexity(30, 1e8, Sizes(members=500, discarded=1, kept=2, populations=2), seed=1)
