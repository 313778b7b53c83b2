"""The decoder's Hamiltonian is the model: against enumeration, quadrature and the exact Hopfield energy."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit, logsumexp

from vae_mf.analysis.generalized_hopfield import (
    GeneralizedHopfield,
    cumulant_table,
    from_mean_field,
    generalized_hopfield,
)
from vae_mf.analysis.latent_potential import LinearMeanField
from vae_mf.models.decoders import CNNDecoder, LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.vae import VAE
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SITES, DRAWS, SEED = 8, 2000, 3
STATES = (2 * ((np.arange(2**SITES)[:, None] >> np.arange(SITES)) & 1) - 1).astype(np.int8)


def linear_vae(latents: int, prior: torch.nn.Module, scale: float = 1.5) -> VAE:
    """Return a VAE of 8 spins whose p~ is far from Gaussian: large patterns, a field."""
    random = np.random.default_rng(latents)
    vae = VAE(LinearEncoder(SITES, latents), LinearDecoder(SITES, latents), prior).double().eval()
    vae.requires_grad_(False)
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(scale * random.normal(size=(SITES, latents))))
    vae.decoder.log_odds.bias.copy_(torch.from_numpy(0.4 * random.normal(size=SITES)))
    return vae


def by_quadrature(vae: VAE, states: np.ndarray, nodes: int | None = None) -> np.ndarray:
    """Return ln p(x) of states, E_z prod_i p(x_i|z) by Gauss-Hermite quadrature over z ~ Normal(0, I)."""
    latents = vae.prior.latents
    points, weights = np.polynomial.hermite_e.hermegauss(nodes or {1: 200, 2: 96, 3: 48}[latents])
    z = np.stack(np.meshgrid(*[points] * latents, indexing="ij"), axis=-1).reshape(-1, latents)
    log_weights = (
        np.log(np.stack(np.meshgrid(*[weights] * latents, indexing="ij"), axis=-1)).reshape(-1, latents).sum(1)
    )
    log_odds = vae.decoder(torch.from_numpy(z)).log_odds.numpy()
    terms = np.array([log_expit(log_odds * x).sum(1) for x in states])
    return logsumexp(terms + log_weights - 0.5 * latents * np.log(2 * np.pi), axis=1)


def hopfield_model(patterns: np.ndarray, temperature: float) -> GeneralizedHopfield:
    """Return the exact decoder of Hopfield: z = beta phi, p(z) ~ exp(-N z^2 / (2 beta)) prod_i 2cosh(xi_i.z)."""
    count, sites = patterns.shape

    def log_prior(z: np.ndarray) -> np.ndarray:
        fields = z @ patterns
        return -0.5 * sites * temperature * (z**2).sum(1) + np.logaddexp(fields, -fields).sum(1)

    model = LinearMeanField(patterns.T.astype(float), np.zeros(sites), log_prior)
    return from_mean_field(model, np.random.default_rng(1).normal(size=(500, count)), DRAWS, SEED)


def some_states(latents: int) -> np.ndarray:
    """Return all 256 states where the integrals are sums on a grid, every eighth where they are sampled."""
    return STATES if latents < 3 else STATES[::8]


@pytest.mark.parametrize("latents", [1, 2, 3])
def test_the_probabilities_are_those_of_the_model(latents):
    """Grid (d = 1, 2) and importance sampling (d = 3) against Gauss-Hermite quadrature."""
    vae, states = linear_vae(latents, GaussianPrior(latents)), some_states(latents)
    found = generalized_hopfield(vae, 1.0, DRAWS, SEED)
    cumulant = found.cumulant(states.astype(float) @ found.model.weights)
    deviation = found.log_likelihood(states) - by_quadrature(vae, states)
    if latents < 3:
        assert (cumulant.error == 0).all()
        np.testing.assert_allclose(deviation, 0, atol=2e-5)
    else:
        # The error of K holds that of the zero point twice as much as that of ln p: five of them, family-wise.
        assert (np.abs(deviation) < 5 * cumulant.error).all()
        assert 0 < cumulant.error.max() < 0.1


@pytest.mark.parametrize("latents", [1, 2])
def test_a_mixture_gives_probabilities_that_add_up(latents):
    torch.manual_seed(latents)
    vae = linear_vae(latents, MixturePrior(latents, components=5))
    total = logsumexp(generalized_hopfield(vae, 0.7, DRAWS, SEED).log_likelihood(STATES))
    assert total == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("temperature", [0.6, 1.3])
def test_the_exact_decoder_of_hopfield_has_the_energy_of_hopfield(count, temperature):
    """H(x) = beta E(x) up to a constant, and K is its Gaussian baseline."""
    system, states = Hopfield.random(SITES, count, seed=5), some_states(count)
    found = hopfield_model(system.patterns, temperature)
    tilts = states.astype(float) @ system.patterns.T
    exact = (tilts**2).sum(1) / (2 * SITES * temperature)
    cumulant = found.cumulant(tilts)
    np.testing.assert_array_less(np.abs(cumulant.value - exact), 5 * cumulant.error + 1e-6)
    energy = system.energy(states) / temperature
    np.testing.assert_array_less(np.abs(found.energy(states) - energy), 5 * cumulant.error + 1e-6)
    assert cumulant.error.max() < (0.03 if count > 2 else 1e-12)
    np.testing.assert_allclose(
        cumulant.gaussian, exact, rtol=1e-6 if count < 3 else 0.02, atol=1e-6 if count < 3 else 0.05
    )


def test_the_exact_decoder_of_a_large_network_has_its_energy():
    """Five patterns in 200 spins: energies differ by tens, the estimates agree within their errors."""
    system, temperature = Hopfield.random(200, 5, seed=7), 0.8
    found = hopfield_model(system.patterns, temperature)
    flips = np.where(np.random.default_rng(3).random((10, 200)) < np.linspace(0, 0.5, 10)[:, None], -1, 1)
    spins = (system.patterns[np.arange(10) % 5] * flips).astype(np.int8)
    exact = 200 / (2 * temperature) * (system.overlaps(spins) ** 2).sum(1)
    cumulant = found.cumulant(spins.astype(float) @ system.patterns.T)
    assert np.ptp(exact) > 50
    assert (np.abs(cumulant.value - exact) < 4.5 * cumulant.error).all()
    assert cumulant.error.max() < 0.05


def test_one_site_with_one_latent_by_hand():
    """W = 0: K vanishes, and p(x) is that of the field alone."""
    model = LinearMeanField(np.zeros((1, 1)), np.array([0.3]), lambda z: -0.5 * z[:, 0] ** 2 - 0.5 * np.log(2 * np.pi))
    draws = np.random.default_rng(1).normal(size=(5000, 1))
    found = from_mean_field(model, 2 * draws, DRAWS, SEED)
    up, down = np.exp(found.log_likelihood(np.array([[1], [-1]], np.int8)))
    assert up == pytest.approx(expit(0.6), abs=1e-6)
    assert down == pytest.approx(expit(-0.6), abs=1e-6)


def test_the_baseline_is_that_of_the_fitted_potential():
    """The integral of exp(c + l.z - z A z / 2 + u.z) dz on a grid; a decoder of steep odds leaves it."""
    found = generalized_hopfield(linear_vae(1, GaussianPrior(1)), 1.0, DRAWS, SEED)
    tilts = np.linspace(-3, 3, 5)[:, None]
    z = np.linspace(-30, 30, 20_001)
    fit = found.fit
    exponents = fit.constant + (fit.linear + tilts) * z - 0.5 * fit.precision[0] * z**2 + np.log(z[1] - z[0])
    origin = found.integral(np.zeros((1, 1))).log_integral
    cumulant = found.cumulant(tilts)
    np.testing.assert_allclose(cumulant.gaussian, logsumexp(exponents, axis=1) - origin, atol=1e-6)
    assert np.abs(cumulant.value - cumulant.gaussian).max() > 0.02


def test_the_enumerated_law_agrees_with_that_of_the_system():
    """The exact decoder of a network, through its own log-likelihood, gives the Boltzmann probabilities."""
    system = Hopfield.random(SITES, 2, seed=5)
    found = hopfield_model(system.patterns, 0.8)
    exact = enumerate_system(system, 0.8)
    log_weights = -found.energy(exact.spins)
    np.testing.assert_allclose(np.exp(log_weights - logsumexp(log_weights)), exact.probabilities, atol=1e-7)


def test_the_table_follows_the_axes_of_the_tilts():
    """A network at equilibrium reaches as far as its configurations; its parabola has the curvature 1 / (N T)."""
    system = Hopfield.random(SITES, 2, seed=5)
    table = cumulant_table(hopfield_model(system.patterns, 0.8), STATES, points=5)
    assert table.axis.tolist() == [1] * 5 + [2] * 5
    np.testing.assert_allclose(table.cumulant, table.tilt**2 / (2 * SITES * 0.8), atol=1e-6)
    np.testing.assert_allclose(table.cumulant, table.gaussian, atol=1e-6)
    tilts = STATES.astype(float) @ system.patterns.T
    assert 0.5 * np.abs(tilts).max() < table.tilt.max() <= np.linalg.norm(tilts, axis=1).max() + 1e-9


def test_other_decoders_are_refused():
    vae = VAE(LinearEncoder(16, 2), CNNDecoder(16, 2, channels=3), GaussianPrior(2))
    with pytest.raises(ValueError, match="LinearDecoder, got CNNDecoder"):
        generalized_hopfield(vae, 1.0)


def test_impossible_settings_are_refused():
    vae = linear_vae(1, GaussianPrior(1))
    with pytest.raises(ValueError, match="temperature: expected"):
        generalized_hopfield(vae, 0.0)
    with pytest.raises(ValueError, match="count: expected"):
        generalized_hopfield(vae, 1.0, draws=0)
