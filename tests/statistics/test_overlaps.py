"""P(q): pairs of independent chains only, and the exact law of exchangeable spins against enumeration."""

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.statistics.overlaps import (
    independent_overlaps,
    overlap_law_table,
    overlaps,
    random_overlaps,
)
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system


def test_overlaps_are_means_over_sites():
    first, second = np.array([[1, 1, -1, -1]], np.int8), np.array([[1, -1, -1, -1]], np.int8)
    assert overlaps(first, second) == pytest.approx([0.5])
    along, across = np.eye(3, dtype=np.float32)[[[0, 0]]], np.eye(3, dtype=np.float32)[[[0, 1]]]
    assert overlaps(along, along) == pytest.approx([1.0])
    assert overlaps(along, across) == pytest.approx([0.25])


def test_pairs_come_from_different_chains():
    chain = np.repeat(np.arange(6), 5)  # six chains of five draws, each with its own pattern
    patterns = np.random.default_rng(0).choice([-1, 1], (6, 32)).astype(np.int8)
    found = independent_overlaps(patterns[chain], 6)
    expected = np.repeat((patterns[:3] * patterns[3:]).mean(1), 5)
    np.testing.assert_allclose(found, expected)
    assert len(independent_overlaps(patterns[chain], 1)) == 15
    with pytest.raises(ValueError, match="chains: expected a divisor of the 30 rows, got 4"):
        independent_overlaps(patterns[chain], 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_exchangeable_law_agrees_with_enumeration(temperature):
    system = CurieWeiss(7)
    probabilities = enumerate_system(system, temperature).probabilities
    spins = all_configurations(7).astype(float)
    agreeing = np.rint((spins @ spins.T + 7) / 2).astype(int)
    expected = np.bincount(agreeing.ravel(), np.outer(probabilities, probabilities).ravel(), minlength=8)
    found = system.overlap_law(temperature).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tables_of_exact_draws_scatter_about_the_exact_law_as_their_errors_say():
    """Errors over 20 groups: the deviations have the mean square of Student's t with 19 degrees of freedom."""
    system, temperature, pulls = CurieWeiss(64), 0.9, []
    law, random = system.order_parameter_law(temperature), np.random.default_rng(3)
    for _ in range(40):
        up = random.choice(65, 4000, p=law.probabilities)
        order = random.permuted(np.tile(np.arange(64), (4000, 1)), axis=1)
        spins = np.where(order < up[:, None], 1, -1).astype(np.int8)
        table = overlap_law_table(
            {"samples": {temperature: spins}}, {"samples": 4000}, {temperature: system.overlap_law(temperature)}
        )
        drawn, exact = (table[table.source == source].reset_index() for source in ("samples", "exact"))
        step = np.diff(exact.q).mean()
        assert (drawn.density.sum() * step, exact.density.sum() * step) == pytest.approx((1, 1))
        pulls.append(((drawn.density - exact.density) / drawn.error)[exact.density > 0.1])
    assert np.abs(pulls).max() < 5.5
    assert np.mean(np.square(pulls)) == pytest.approx(19 / 17, rel=0.25)


def test_directors_have_overlaps_from_minus_a_half_to_one():
    directors = np.random.default_rng(4).standard_normal((50, 8, 3)).astype(np.float32)
    directors /= np.linalg.norm(directors, axis=-1, keepdims=True)
    table = overlap_law_table({"model": {1.0: directors}}, {"model": 50})
    assert table.q.between(-0.5, 1).all()
    assert table.density.sum() * np.diff(table.q).mean() == pytest.approx(1)


def test_random_pairs_are_of_different_rows_and_of_the_pooled_law():
    """Two stretches, one silent and one active: chains would be compared with each other only."""
    words = np.concatenate([-np.ones((500, 8)), np.ones((500, 8))]).astype(np.int8)
    assert (independent_overlaps(words, 2) == -1).all()
    found = random_overlaps(words, seed=1)
    assert np.mean(found == 1) == pytest.approx(0.5, abs=0.06)
    assert (random_overlaps(np.array([[1, 1], [-1, -1]], np.int8), seed=1) == -1).all()


def test_errors_of_random_pairs_are_those_of_a_mean_over_all_pairs():
    """The rate of silent rows varies from block to block: P(q = 1) of 400 recordings scatters as its errors say."""
    random, values, errors = np.random.default_rng(5), [], []
    for seed in range(400):
        rates = np.repeat(random.uniform(0.6, 1, 20), 1000)
        words = np.where(random.random(20_000) < rates, -1, 1).astype(np.int8)[:, None] * np.ones((1, 2), np.int8)
        table = overlap_law_table({"test": {1.0: words}}, {"test": 20}, shuffle=seed)
        silent = table.iloc[table.q.sub(1).abs().argmin()]
        values.append(silent.density)
        errors.append(silent.error)
    # Of long blocks: in short ones the noise of single rows, which a mean over all pairs has not, makes them too large.
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
