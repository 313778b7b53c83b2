"""Planted sign vectors are found in a space, and nothing that is not there is said to be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space

from vae_mf.analysis.stored_patterns import match_patterns
from vae_mf.statistics.sign_vectors import (
    Search,
    chance_residual,
    complement,
    distinct,
    ica_sources,
    orthonormal_basis,
    recover,
    residual,
    search_sign_vectors,
    sign_procrustes,
    unmix,
)


def planted(count: int, sites: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1, 1], (count, sites)).astype(np.int8)


def mixed(patterns: np.ndarray, seed: int, noise: float = 0.0) -> np.ndarray:
    """Return the patterns, every entry with noise of the given size, times a random matrix."""
    generator, (count, sites) = np.random.default_rng(seed), patterns.shape
    return (patterns.T + noise * generator.normal(size=(sites, count))) @ generator.normal(size=(count, count))


def recovered(found, patterns) -> int:
    """Return how many patterns were found without one wrong spin."""
    return int((match_patterns(found, patterns).matched == 1).sum())


@pytest.mark.parametrize(("sites", "count"), [(40, 1), (64, 10), (256, 24), (256, 36)])
def test_all_patterns_of_an_exact_space_are_found(sites, count):
    """N = 256, P = 36 is beyond 2 sqrt(N), where FastICA fails, and beyond the retrieval phase, 0.138 N."""
    patterns = planted(count, sites, 1)
    found = search_sign_vectors(mixed(patterns, 2), seed=3)
    assert len(found.vectors) == recovered(found.vectors, patterns) == count
    assert found.residuals.max() < 1e-5


@pytest.mark.slow
def test_more_patterns_than_twice_the_root_of_the_sites_are_found_in_a_large_space():
    patterns = planted(80, 1024, 1)
    assert recovered(search_sign_vectors(mixed(patterns, 2), 3, Search(200_000)).vectors, patterns) == 80


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_as_many_patterns_as_sites_are_found(seed):
    patterns = planted(51, 256, seed)
    assert recovered(search_sign_vectors(mixed(patterns, seed), seed, Search(200_000)).vectors, patterns) == 51


def test_fastica_fails_where_the_search_does_not():
    """The comparison that the search exists for."""
    patterns = planted(36, 256, 1)
    assert recovered(unmix(mixed(patterns, 2), 1, 3), patterns) < 9


@pytest.mark.parametrize(("count", "dimension"), [(0, 8), (0, 24), (2, 6), (8, 16)])
def test_what_a_space_does_not_hold_is_not_found(count, dimension):
    patterns = planted(count, 256, 4)
    directions = np.concatenate((patterns.T, np.random.default_rng(5).normal(size=(256, dimension - count))), axis=1)
    found = search_sign_vectors(directions, 6, Search(10_000))
    assert len(found.vectors) == recovered(found.vectors, patterns) == count


def test_patterns_are_found_in_a_noisy_space():
    patterns = planted(16, 256, 7)
    directions = mixed(patterns, 8, noise=0.25)
    found = search_sign_vectors(directions, 9)
    match = match_patterns(found.vectors, patterns)
    assert len(found.vectors) == 16
    assert match.matched.min() > 0.98
    # Of the noise, the part outside the space of the noisy patterns.
    np.testing.assert_allclose(found.residuals, 0.25**2 / (1 + 0.25**2) * (1 - 16 / 256), atol=0.015)


def test_a_pattern_that_the_space_holds_only_with_the_others_is_found():
    """A dead latent: the space holds no part of the sum of the 12 patterns, but a random direction."""
    patterns, generator = planted(12, 400, 1), np.random.default_rng(2)
    directions = np.concatenate((patterns.T @ null_space(np.ones((1, 12))), generator.normal(size=(400, 1))), axis=1)
    assert recovered(search_sign_vectors(directions, 4).vectors, patterns) == 12


@settings(max_examples=8)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_every_find_is_verified(count, seed):
    """It is a fixed point of s <- sign(Pi s), its residual is within tolerance, and no other find repeats it."""
    directions = mixed(planted(count, 60, seed), seed, noise=0.2)
    found = search_sign_vectors(directions, seed, Search(2048, 256))
    projector = directions @ np.linalg.pinv(directions)
    np.testing.assert_array_equal(np.sign(found.vectors @ projector), found.vectors)
    exact = 1 - np.einsum("ki,ij,kj->k", *(found.vectors.astype(float), projector, found.vectors.astype(float))) / 60
    np.testing.assert_allclose(found.residuals, exact, atol=1e-5)
    assert (found.residuals <= found.tolerance).all()
    overlaps = found.vectors.astype(float) @ found.vectors.T / 60
    assert np.abs(overlaps - np.eye(len(overlaps))).max(initial=0) < 0.9


def test_what_is_not_verified_fills_up_on_demand():
    """Noise that makes the residuals as large as the margin allows: the patterns are found, but nothing proves it."""
    patterns = planted(12, 256, 1)
    directions = mixed(patterns, 2, noise=0.45)
    strict, filled = (search_sign_vectors(directions, 3, Search(margin=0.3, fill=fill)) for fill in (False, True))
    assert strict.verified == len(strict.vectors) < 6
    assert filled.verified < 6
    assert len(filled.vectors) == 12
    assert match_patterns(filled.vectors, patterns).matched.min() > 0.9
    assert (filled.residuals[filled.verified :] > filled.tolerance).all()


def test_a_search_follows_its_seed():
    directions = mixed(planted(8, 100, 1), 2, noise=0.1)
    first, second, other = (search_sign_vectors(directions, seed).vectors for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_chance_is_far_from_a_pattern():
    """A sign vector at random leaves 1 - d / N, the best of many starts less: a pattern leaves nothing."""
    assert 0.1 < chance_residual(256, 24, seed=1) < 0.25 < 1 - 24 / 256


def test_the_residual_of_a_vector_outside_is_one():
    basis = np.eye(8, dtype=np.float32)[:, :2]
    signs = np.ones((1, 8), np.float32)
    np.testing.assert_allclose(residual(basis, signs), [0.75])
    np.testing.assert_allclose(residual(basis, 0 * signs), [1.0])


def test_the_complement_is_orthogonal_to_what_was_found():
    patterns = planted(5, 50, 1)
    basis = orthonormal_basis(mixed(patterns, 2))
    left = complement(basis, patterns[:2])
    assert left.shape == (50, 3)
    np.testing.assert_allclose(patterns[:2] @ left, 0, atol=1e-5)
    np.testing.assert_allclose(basis @ (basis.T @ left), left, atol=1e-5)


def test_what_is_known_is_not_new():
    patterns = planted(3, 40, 1).astype(np.float32)
    np.testing.assert_array_equal(distinct(patterns[[0, 1, 1, 2, 0]], -patterns[:1]), patterns[1:])


def test_directions_that_vanish_do_not_count():
    directions = np.concatenate((mixed(planted(2, 30, 1), 2), np.zeros((30, 2))), axis=1)
    assert orthonormal_basis(directions).shape == (30, 2)


@pytest.mark.parametrize("shape", [(4, 5), (5, 3)])
def test_impossible_directions_are_refused(shape):
    with pytest.raises(ValueError, match="directions: expected"):
        search_sign_vectors(np.zeros(shape), 1)


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"batch": 0}, {"tolerance": 1.0}, {"margin": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        Search(**wrong)


def test_recovery_completes_the_search_by_fastica():
    """Nothing is accepted at a tiny tolerance, and all is left to FastICA."""
    patterns = planted(4, 256, 1)
    directions = mixed(patterns, 2, noise=0.2)
    strict = recover(directions, 3, 3, Search(512, tolerance=1e-6, fill=False))
    assert match_patterns(strict, patterns).matched.min() > 0.9
    assert recovered(recover(directions, 3, 3), patterns) == 4


@pytest.mark.parametrize("count", [1, 4])
def test_recovery_gives_as_many_patterns_as_directions(count):
    directions = np.concatenate((planted(count, 100, 1).T, np.random.default_rng(2).normal(size=(100, 2))), axis=1)
    found = recover(directions, 2, 3, Search(2048))
    assert found.shape == (count + 2, 100)
    assert recovered(found, planted(count, 100, 1)) == count


def test_alternating_projections_find_few_patterns():
    patterns = planted(8, 256, 1)
    found = sign_procrustes(mixed(patterns, 2), 5, 3)
    assert recovered(found, patterns) == 8


def test_the_restart_whose_sources_are_nearest_to_signs_is_kept():
    """Twelve patterns in 64 sites, where restarts differ: the best of four is neither the first nor the last."""
    directions = mixed(planted(12, 64, 1), 2)
    sources = [ica_sources(directions, 4 + k) for k in range(4)]
    distances = [np.mean((np.abs(each) - 1) ** 2) for each in sources]
    assert np.argsort(distances)[0] == 2
    assert max(distances) > 1.5 * min(distances)
    kept = unmix(directions, 4, 4)
    np.testing.assert_array_equal(kept, np.sign(sources[2]).T)
    assert not np.array_equal(kept, unmix(directions, 2, 4))


def test_a_space_that_holds_every_sign_vector_proves_none():
    assert len(search_sign_vectors(np.random.default_rng(1).normal(size=(12, 12)), 2, Search(512)).vectors) == 0
