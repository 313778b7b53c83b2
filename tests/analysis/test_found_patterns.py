"""Patterns are found up to what cannot be known, and come back exactly when the space that they span does."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard
from scipy.stats import norm

from vae_mf.analysis.found_patterns import (
    AXIS,
    SIGN,
    FoundPatterns,
    captured_shares,
    concentrated_sets,
    matched_overlaps,
    partners,
    pattern_table,
    read_patterns,
    scaled_directions,
    separate,
    stability_table,
    variables_per_latent,
)
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE

SITES = 40


def random_patterns(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], (count, SITES))


def mixing(latents: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(latents, latents))


def model(weights: np.ndarray) -> VAE:
    """A model with a standard normal prior."""
    sites, latents = weights.shape
    decoder = LinearDecoder(sites, latents)
    with torch.no_grad():
        decoder.log_odds.weight.copy_(torch.from_numpy(2 * weights))
    return VAE(LinearEncoder(sites, latents), decoder, GaussianPrior(latents)).eval()


def test_mixed_sign_vectors_are_found_with_the_strengths_of_their_fields():
    patterns, weights = random_patterns(3), mixing(3)
    directions = patterns.T @ weights
    found = separate(directions, seed=3)
    assert found.kinds == [SIGN] * 3
    assert_allclose(found.residuals, 0, atol=1e-6)
    signs = np.sign(found.values)
    overlaps = np.abs(signs @ patterns.T) / SITES
    assert_array_equal(np.sort(overlaps.max(axis=1)), 1)
    # (1/N) sum_i s_i h_i with h = W z and z of unit covariance.
    assert_allclose(found.strengths, np.linalg.norm(signs @ directions / SITES, axis=1))
    assert (np.diff(found.strengths) <= 0).all()


def test_what_is_no_sign_vector_is_given_by_its_principal_axes():
    random = np.random.default_rng(4)
    directions = np.linalg.qr(random.normal(size=(SITES, 2)))[0] * [3.0, 1.0]
    found = separate(directions @ mixing_rotation(5), seed=5)
    assert found.kinds == [AXIS] * 2
    assert np.isnan(found.residuals).all()
    assert_allclose(matched_overlaps(found.values, directions.T), 1)
    assert_allclose(found.strengths, np.array([3.0, 1.0]) / np.sqrt(SITES))
    assert (found.values.sum(axis=1) >= 0).all()


def mixing_rotation(seed: int) -> np.ndarray:
    return np.linalg.qr(mixing(2, seed))[0]


def test_axes_beside_a_sign_vector_are_orthogonal_to_it_and_complete_the_space():
    sign, other = random_patterns(1, 6)[0], np.random.default_rng(7).normal(size=SITES)
    found = separate(np.stack([3 * sign, other], axis=1), seed=8)
    assert found.kinds == [SIGN, AXIS]
    assert_allclose(found.values[1] @ sign, 0, atol=1e-9)
    assert_allclose(captured_shares(found.values, np.stack([sign, other], axis=1)), 1)


def test_directions_are_in_units_of_the_prior():
    weights = np.random.default_rng(9).normal(size=(SITES, 2))
    found = scaled_directions(model(weights), seed=10)
    # 10,000 draws give the covariance of the prior, here 1, to about one per cent.
    assert_allclose(found @ found.T, weights @ weights.T, atol=0.08 * (weights**2).sum(axis=1).max())


def test_the_patterns_of_a_model_come_back_under_any_mixing_of_its_latents():
    patterns = random_patterns(2, 11)
    first = read_patterns(model(patterns.T @ mixing(2, 12)), seed=13)
    second = read_patterns(model(patterns[::-1].T @ mixing(2, 14)), seed=15)
    table = stability_table(first, {"seed 1": second})
    assert_allclose(table.overlap, 1)
    assert_allclose(table.share, 1, atol=1e-5)
    assert_allclose(table.angle, 0, atol=0.1)
    assert pattern_table(first, table, 0.8).recovered.tolist() == [True, True]


def test_overlaps_are_those_of_the_best_assignment():
    reference = np.eye(3, 5)
    other = np.array([[0.6, 0.8, 0, 0, 0], [-0.8, 0.6, 0, 0, 0]])
    # Each alone would take 0.8; a third pattern finds no partner.
    assert_allclose(matched_overlaps(reference, other), [0.8, 0.8, 0])


def test_a_random_space_holds_no_share_of_a_pattern_on_average():
    random = np.random.default_rng(16)
    shares = np.array([captured_shares(random_patterns(1), random.normal(size=(SITES, 4)))[0] for _ in range(400)])
    assert abs(shares.mean()) / (shares.std() / 20) < norm.isf(0.5e-3)
    assert_allclose(captured_shares(np.eye(1, 8), np.eye(8)[:, 1:3]), -1 / 3)


@pytest.mark.parametrize(("shares", "recovered"), [([0.9, 0.9, 0.1], True), ([0.9, 0.1], False), ([], None)], ids=str)
def test_a_pattern_is_recovered_if_most_repetitions_find_it(shares, recovered):
    reference = found_in(hadamard(8)[:1].astype(float))
    repetitions = {f"seed {k}": found_in(turned(share)) for k, share in enumerate(shares)}
    table = stability_table(reference, repetitions)
    assert_allclose(table.share.astype(float), shares, atol=1e-12)
    assert pattern_table(reference, table, 0.8).recovered.tolist() == [recovered]


def turned(share: float) -> np.ndarray:
    """A pattern of which a space of one dimension holds the given share, beyond chance."""
    first, second = hadamard(8)[:2].astype(float)
    squared = share + (1 - share) / 8
    return (np.sqrt(squared) * first + np.sqrt(1 - squared) * second)[None]


def found_in(values: np.ndarray) -> FoundPatterns:
    return FoundPatterns(values, [SIGN] * len(values), np.zeros(len(values)), values.T)


def test_partners_come_with_the_sign_of_their_pattern():
    reference = np.eye(3, 5)
    other = np.array([[0.6, 0.8, 0, 0, 0], [-0.8, 0.6, 0, 0, 0]])
    assert_array_equal(partners(reference, other), [-other[1], other[0], np.zeros(5)])
    assert_array_equal(partners(reference, 2 * reference[::-1]), 2 * reference)


def test_a_set_of_few_sites_is_found_whatever_the_mixing():
    random = np.random.default_rng(5)
    directions = random.normal(size=(24, 3))
    directions[:, 1] *= 0.03
    directions[[4, 19], 1] = 3.5, -3.5
    directions[:, 2] *= 0.03
    directions[[0, 7, 11], 2] = 2.0, 2.5, 1.5
    found = concentrated_sets(directions @ mixing(3), largest=3, share=0.95)
    assert sorted(found) == [(0, 7, 11), (4, 19)]
    assert concentrated_sets(directions @ mixing(3), largest=2, share=0.95) == [(4, 19)]
    assert concentrated_sets(directions[:, :1], largest=3, share=0.95) == []


def test_four_variables_carry_a_collective_variable_and_three_do_not():
    """However unequal their parts are, more than three that take part are at least four."""
    loads = np.array([0.9, 0.7, 1.1, 0.8])
    of_four, of_three = np.zeros((8, 2)), np.zeros((6, 2))
    of_four[:4, 0], of_four[4:, 1] = loads, loads[::-1]
    of_three[:3, 0], of_three[3:, 1] = loads[:3], loads[1:]
    assert 3 < variables_per_latent(model(of_four), seed=1) < 4
    assert variables_per_latent(model(of_three), seed=1) < 3


def test_variables_of_groups_do_not_hide_a_latent_variable_of_many():
    weights = np.zeros((24, 5))
    weights[:, 0] = 0.5
    pairs = [(2 * k, 2 * k + 1) for k in range(4)]
    for k, pair in enumerate(pairs):
        weights[list(pair), k + 1] = 2.5
    assert variables_per_latent(model(weights), seed=1) < 4
    assert variables_per_latent(model(weights), seed=1, groups=pairs) == pytest.approx(16, rel=0.05)
    assert variables_per_latent(model(weights[:, 1:]), seed=1, groups=pairs) == 0


def test_broad_directions_are_hardly_ever_taken_for_few_sites():
    random = np.random.default_rng(6)
    sets = [concentrated_sets(random.normal(size=(24, 3)), largest=3, share=0.95) for _ in range(20)]
    assert not any(sets)
