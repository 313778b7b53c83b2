"""Spike words and the independent model, against sums over all words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.packing import all_configurations
from vae_mf.statistics.independent import independent_count_law, independent_log_likelihood, probabilities_up
from vae_mf.statistics.spike_counts import count_table, spike_count_law, total_variation

CELLS = 7
RATES = np.random.default_rng(1).uniform(0.02, 0.6, CELLS)


def words(rows: int, seed: int = 2) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random((rows, CELLS)) < RATES, 1, -1).astype(np.int8)


def test_the_independent_model_is_normalised():
    assert np.exp(independent_log_likelihood(all_configurations(CELLS), RATES)).sum() == pytest.approx(1, abs=1e-12)


def test_the_independent_model_multiplies_the_cells():
    word = np.array([[1, -1, -1, 1, -1, -1, 1]], np.int8)
    expected = np.prod(np.where(word[0] > 0, RATES, 1 - RATES))
    assert np.exp(independent_log_likelihood(word, RATES)) == pytest.approx(expected)


def test_the_count_law_sums_over_all_words():
    everything = all_configurations(CELLS)
    weights = np.exp(independent_log_likelihood(everything, RATES))
    expected = np.bincount((everything > 0).sum(1), weights)
    np.testing.assert_allclose(independent_count_law(RATES), expected, rtol=1e-10)


def test_the_count_law_of_equal_cells_is_binomial():
    np.testing.assert_allclose(independent_count_law(np.full(3, 0.5)), [1 / 8, 3 / 8, 3 / 8, 1 / 8])


def test_counts_of_words_are_frequencies():
    law = spike_count_law(np.array([[1, 1, -1], [-1, -1, -1], [1, -1, -1], [-1, -1, 1]], np.int8))
    np.testing.assert_allclose(law, [0.25, 0.5, 0.25, 0])


def test_probabilities_stay_inside_the_unit_interval():
    always, never, half = np.ones(9, np.int8), -np.ones(9, np.int8), np.array([1] * 4 + [-1] * 5, np.int8)
    np.testing.assert_allclose(probabilities_up(np.stack([always, never, half], 1)), [0.95, 0.05, 0.45])


@given(st.integers(1, 10), st.integers(0, 10**6))
def test_total_variation_is_a_distance_between_zero_and_one(size, seed):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(size), 2)
    distance = total_variation(p, q)
    assert 0 <= distance <= 1
    assert distance == pytest.approx(total_variation(q, p))
    assert distance == pytest.approx(np.maximum(p - q, 0).sum())
    assert total_variation(p, p) == 0


def test_disjoint_laws_are_at_distance_one():
    assert total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_sampled_counts_approach_the_exact_law():
    rows = 50_000
    distance = total_variation(spike_count_law(words(rows)), independent_count_law(RATES))
    assert distance < 5 * np.sqrt((CELLS + 1) / rows)


def test_the_count_table_lists_every_law():
    table = count_table({"test": np.array([0.5, 0.5]), "model": np.array([0.25, 0.75])})
    assert table["count"].tolist() == [0, 1, 0, 1]
    assert table[table.source == "model"].probability.tolist() == [0.25, 0.75]
