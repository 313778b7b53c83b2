"""Planted patterns are found again: from mixed directions, from decoders, from samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from vae_mf.analysis.stored_patterns import (
    classical_patterns,
    coupling_error,
    decoder_patterns,
    logit_jacobian,
    match_patterns,
    overlap_table,
)
from vae_mf.models.decoders import CNNDecoder, LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE
from vae_mf.statistics.sign_vectors import unmix
from vae_mf.systems.hopfield import Hopfield, hebbian_couplings

SITES = 400


def planted(count: int, seed: int, sites: int = SITES) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1, 1], (count, sites)).astype(np.int8)


def new_vae(decoder: torch.nn.Module, sites: int, latents: int) -> VAE:
    return VAE(LinearEncoder(sites, latents), decoder, GaussianPrior(latents)).double().eval().requires_grad_(False)


@settings(max_examples=12)
@given(st.integers(1, 4), st.integers(0, 10**6))
def test_patterns_survive_an_invertible_mixing(count, seed):
    """Directions are patterns times a random matrix of condition below 10, and a little noise."""
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.normal(size=(count, count)))[0] for _ in range(2))
    mixing = left * generator.uniform(0.5, 5, count) @ right
    patterns = planted(count, seed)
    directions = patterns.T @ mixing + 0.02 * generator.normal(size=(SITES, count))
    match = match_patterns(unmix(directions, 3, seed % 1000), patterns)
    assert match.matched.min() > 0.97


def test_unmixing_follows_its_seed():
    directions = np.random.default_rng(1).normal(size=(60, 3))
    np.testing.assert_array_equal(unmix(directions, 2, 5), unmix(directions, 2, 5))


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(0, 2), st.integers(0, 10**6))
def test_matching_undoes_order_and_signs(count, extra, seed):
    generator = np.random.default_rng(seed)
    truth = planted(count, seed, 64)
    surplus = planted(extra, seed + 1, 64)
    shuffled = np.concatenate([truth * generator.choice([-1, 1], (count, 1)), surplus]).astype(np.int8)
    match = match_patterns(generator.permutation(shuffled), truth)
    np.testing.assert_array_equal(match.patterns, truth)
    np.testing.assert_allclose(match.matched, 1.0)
    np.testing.assert_allclose(match.overlaps, truth.astype(float) @ truth.T / 64)


def test_matching_maximises_the_total_overlap():
    """Greedy matching would give the first recovered pattern to the first true one, and lose."""
    truth = planted(2, 3, 100)
    both = np.where(np.arange(100) < 55, truth[0], truth[1]).astype(np.int8)
    match = match_patterns(np.stack([both, truth[0]]), truth)
    np.testing.assert_array_equal(match.patterns[0], truth[0])


def test_matched_overlaps_are_never_negative():
    match = match_patterns(planted(4, 5, 30), planted(3, 6, 30))
    assert (match.matched >= 0).all()


def test_a_pattern_that_was_not_recovered_has_no_overlap():
    truth = planted(3, 1)
    match = match_patterns(-truth[[2, 0]], truth)
    np.testing.assert_allclose(match.matched, [1, 0, 1])
    np.testing.assert_array_equal(match.patterns, truth * np.array([[1], [0], [1]]))


def test_the_jacobian_of_a_linear_decoder_is_its_matrix():
    vae = new_vae(LinearDecoder(20, 3), 20, 3)
    found = logit_jacobian(vae, 0.7, 100, seed=1)
    np.testing.assert_allclose(found, vae.decoder.log_odds.weight.numpy(), rtol=1e-12)


@pytest.mark.parametrize("draws", [5, 100])
def test_the_jacobian_of_a_cnn_is_the_average_of_finite_differences(draws):
    torch.manual_seed(1)
    vae = new_vae(CNNDecoder(16, 2, channels=3), 16, 2)
    condition = constant_condition(0.7, draws, like=torch.zeros(1, dtype=torch.float64))
    points = vae.sample_latents(condition, torch.Generator().manual_seed(2)).numpy()

    def log_odds(point):
        return vae.decoder(torch.from_numpy(point)[None]).log_odds[0].numpy()

    expected = np.mean([approx_fprime(point, log_odds, 1e-6) for point in points], axis=0)
    np.testing.assert_allclose(logit_jacobian(vae, 0.7, draws, seed=2), expected, atol=1e-5)


def test_patterns_are_read_off_a_mixed_decoder():
    patterns = planted(3, 4)
    vae = new_vae(LinearDecoder(SITES, 3), SITES, 3)
    mixing = np.random.default_rng(5).normal(size=(3, 3))
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(patterns.T @ mixing))
    match = match_patterns(decoder_patterns(vae, 0.7, 10, 3, seed=6), patterns)
    assert match.matched.min() > 0.98


@pytest.mark.filterwarnings("error")
def test_a_latent_that_the_decoder_ignores_does_no_harm():
    patterns = planted(2, 4)
    directions = np.concatenate(
        [patterns.T @ np.array([[1.0, 0.4], [-0.3, 1.0]]), 1e-7 * np.random.default_rng(5).normal(size=(SITES, 1))],
        axis=1,
    )
    assert match_patterns(unmix(directions, 3, 7), patterns).matched.min() > 0.95


def test_patterns_are_found_in_samples():
    """Mixtures of noisy patterns: every configuration is one pattern with a tenth of its spins turned."""
    generator = np.random.default_rng(7)
    patterns = planted(3, 8)
    chosen = patterns[generator.integers(3, size=3000)] * generator.choice([-1, 1], (3000, 1))
    spins = np.where(generator.random(chosen.shape) < 0.1, -chosen, chosen).astype(np.int8)
    assert match_patterns(classical_patterns(spins, 3, 3, seed=9), patterns).matched.min() > 0.95


def test_the_coupling_error_is_relative():
    truth = Hopfield(planted(2, 1, 30)).couplings
    assert coupling_error(truth, truth) == 0
    assert coupling_error(np.zeros_like(truth), truth) == pytest.approx(1)
    assert coupling_error(1.5 * truth, truth) == pytest.approx(0.5)


def test_aligned_patterns_give_back_the_couplings():
    truth = planted(3, 2, 50)
    match = match_patterns(-truth[[2, 0, 1]], truth)
    assert coupling_error(hebbian_couplings(match.patterns), Hopfield(truth).couplings) == pytest.approx(0, abs=1e-12)


def test_the_overlap_table_holds_every_pair_of_every_route():
    matches = {route: match_patterns(planted(3, seed), planted(3, 1)) for route, seed in (("vae", 1), ("classical", 2))}
    table = overlap_table(matches)
    assert len(table) == 2 * 9
    for route, match in matches.items():
        pivot = table[table.route == route].pivot(index="recovered", columns="true", values="overlap")
        np.testing.assert_allclose(pivot, match.overlaps)
