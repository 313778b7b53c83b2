"""Couplings with their scale come out of the latent potential: exactly where the prior is the exact one."""

import numpy as np
import pytest
import torch

from vae_mf.analysis.latent_potential import (
    LinearMeanField,
    coupling_table,
    fit_quadratic,
    least_error,
    linear_mean_field,
    potential_couplings,
    prior_draws,
)
from vae_mf.models.decoders import LinearDecoder, SharedDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.likelihoods import IndependentSpins
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

SITES = 40
SIDE = 15.0
"""N / 2 of a magnet of 30 spins: E = -N m^2 / 2."""


class ExactPrior(torch.nn.Module):
    """p(z|T) ~ exp(-N T |z|^2 / 2 + l.z) prod_i 2cosh(xi_i.z + b_i), not normalised; draws of a law that covers it."""

    factorised = False

    def __init__(self, patterns: np.ndarray, linear: float, fields: np.ndarray):
        super().__init__()
        self.latents = len(patterns)
        self.linear = linear
        self.register_buffer("patterns", torch.from_numpy(patterns.astype(float)))
        self.register_buffer("fields", torch.from_numpy(fields))

    def forward(self, condition):
        self.condition = condition
        return self

    def log_prob(self, z):
        temperature, fields = self.condition.temperatures[0], z @ self.patterns + self.fields
        gaussian = -0.5 * self.patterns.shape[1] * temperature * z.square().sum(-1) + self.linear * z.sum(-1)
        return gaussian + torch.logaddexp(fields, -fields).sum(-1)

    def sample(self, generator=None):
        return torch.randn(len(self.condition.index), self.latents, generator=generator, dtype=torch.float64)


def exact_vae(patterns: np.ndarray, linear: float = 0.0, fields: np.ndarray | None = None) -> VAE:
    count, sites = patterns.shape
    fields = np.zeros(sites) if fields is None else fields
    vae = VAE(LinearEncoder(sites, count), LinearDecoder(sites, count), ExactPrior(patterns, linear, fields)).double()
    vae.requires_grad_(False)
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(2.0 * patterns.T))
    vae.decoder.log_odds.bias.copy_(torch.from_numpy(2.0 * fields))
    return vae


@pytest.mark.parametrize("latents", [1, 3])
def test_a_quadratic_is_fitted_exactly(latents):
    random = np.random.default_rng(1)
    root = random.normal(size=(latents, latents))
    precision, linear = root @ root.T, random.normal(size=latents)
    z = 5 + 0.01 * random.normal(size=(200, latents))
    fit = fit_quadratic(z, 7 + z @ linear - 0.5 * np.einsum("ri,ij,rj->r", z, precision, z))
    np.testing.assert_allclose(fit.precision, precision, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fit.linear, linear, rtol=1e-4, atol=1e-4)
    assert fit.constant == pytest.approx(7, rel=1e-3)
    assert fit.residual < 1e-9
    assert fit.r2 == pytest.approx(1)


def test_what_is_not_quadratic_is_left():
    z = np.linspace(-1, 1, 401)[:, None]
    fit = fit_quadratic(z, z[:, 0] ** 3)
    # The cube less its best line, 3/5 z.
    assert fit.residual == pytest.approx(np.sqrt(1 / 7 - 3 * 0.6**2 / 9), rel=0.01)
    assert fit.precision[0, 0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_curie_weiss_gives_back_its_coupling(temperature):
    table = coupling_table(exact_vae(np.ones((1, SITES), np.int8)), CurieWeiss(SITES), [temperature], 200, seed=1)
    assert table.beta_j[0] == pytest.approx(1 / temperature, rel=1e-6)
    assert table.relative_error[0] == pytest.approx(0, abs=1e-6)
    assert table.r2[0] == pytest.approx(1)
    assert table.residual[0] < 1e-6


def test_hopfield_gives_back_its_couplings_whatever_the_scale_of_the_latents():
    """Latents z' = B z: W' = W B^-1, and the prior carries the rest."""
    system, temperature = Hopfield.random(SITES, 2, seed=3), 0.8
    vae = exact_vae(system.patterns)
    found = potential_couplings(vae, temperature, 300, seed=2)
    np.testing.assert_allclose(found.couplings, system.couplings / temperature, atol=1e-7)
    np.testing.assert_allclose(found.fields, 0, atol=1e-7)
    model, z = linear_mean_field(vae, temperature), prior_draws(vae, temperature, 300, seed=2)
    mixing = np.array([[2.0, 0.3], [-0.5, 0.7]])
    other = LinearMeanField(
        model.weights @ np.linalg.inv(mixing), model.field, lambda x: model.log_prior(x @ np.linalg.inv(mixing).T)
    )
    fit = fit_quadratic(z @ mixing.T, other.potential(z @ mixing.T))
    couplings = other.weights @ np.linalg.solve(fit.precision, other.weights.T)
    np.testing.assert_allclose(couplings - np.diag(np.diag(couplings)), system.couplings / temperature, atol=1e-6)


def test_a_shifted_potential_is_a_field():
    """Phi has the slope l, the couplings 1 / (N T) between all spins: h_i = l / (N T)."""
    found = potential_couplings(exact_vae(np.ones((1, SITES), np.int8), linear=6.0), 1.5, 300, seed=2)
    np.testing.assert_allclose(found.fields, 6 / (SITES * 1.5), rtol=1e-6)


def test_fields_of_the_decoder_add_to_that_of_the_potential():
    """p(x) ~ exp((xi.x)^2 / (2 N T) + sum_i (b_i + l xi_i / (N T)) x_i) for one pattern xi."""
    pattern = np.random.default_rng(4).choice([-1, 1], (1, SITES)).astype(np.int8)
    fields = np.random.default_rng(5).normal(size=SITES)
    found = potential_couplings(exact_vae(pattern, 6.0, fields), 1.5, 300, seed=2)
    np.testing.assert_allclose(found.fields, fields + 6 * pattern[0] / (SITES * 1.5), atol=1e-7)
    exact = pattern.T @ pattern.astype(float) / (SITES * 1.5)
    np.testing.assert_allclose(found.couplings, exact - np.diag(np.diag(exact)), atol=1e-7)


class StrongDecoder(torch.nn.Module):
    """A decoder of a third party, linear in its log-odds through weights that carry gradients."""

    kind, sites, latents = "spins", 5, 2

    def __init__(self):
        super().__init__()
        self.root = torch.nn.Parameter(torch.arange(10.0, dtype=torch.float64).view(5, 2) / 10)

    @property
    def weights(self):
        return self.root**2

    @property
    def fields(self):
        return self.root.sum(1)

    def forward(self, z):
        return IndependentSpins(2 * (z @ self.weights.T + self.fields))


def test_any_decoder_with_linear_log_odds_is_read():
    vae = VAE(LinearEncoder(5, 2), StrongDecoder(), GaussianPrior(2)).double()
    z = np.random.default_rng(1).normal(size=(7, 2))
    fields = vae.decoder(torch.from_numpy(z)).natural_parameters[..., 0].detach().numpy()
    expected = -0.5 * (z**2).sum(1) - np.log(2 * np.pi) - np.log(2 * np.cosh(fields)).sum(1)
    np.testing.assert_allclose(linear_mean_field(vae, 1.0).potential(z), expected)


def test_the_potential_is_the_density_over_the_product_of_cosines():
    vae = VAE(LinearEncoder(5, 2), LinearDecoder(5, 2), GaussianPrior(2)).double()
    z = np.random.default_rng(1).normal(size=(7, 2))
    log_odds = vae.decoder(torch.from_numpy(z)).log_odds.detach().numpy()
    expected = -0.5 * (z**2).sum(1) - np.log(2 * np.pi) - np.log(2 * np.cosh(log_odds / 2)).sum(1)
    np.testing.assert_allclose(linear_mean_field(vae, 1.0).potential(z), expected)


def test_what_cannot_be_read_is_refused():
    vae = VAE(LinearEncoder(16, 2), SharedDecoder(16, 2), GaussianPrior(2))
    with pytest.raises(ValueError, match="LinearDecoder, got SharedDecoder"):
        potential_couplings(vae, 1.0, 100, seed=1)
    with pytest.raises(ValueError, match="at least 6 points, got 5"):
        fit_quadratic(np.zeros((5, 2)), np.zeros(5))


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_the_least_error_is_that_of_the_likeliest_coupling(temperature):
    """The likeliest beta J of a Curie-Weiss magnet has the mean energy of the rows."""
    system, rows = CurieWeiss(30), 400
    random = np.random.default_rng(6)
    grid = np.linspace(0.5, 1.5, 201) / temperature
    laws = [system.order_parameter_law(1 / beta) for beta in grid]
    means = [-(SIDE * law.values**2) @ law.probabilities for law in laws]
    law = system.order_parameter_law(temperature)
    energies = -SIDE * random.choice(law.values, (200, rows), p=law.probabilities) ** 2
    found = np.interp(-energies.mean(1), -np.array(means), grid)
    errors = [least_error(drawn, 1.0, rows, 2 * rows) for drawn in energies]
    assert np.mean(errors) * np.sqrt(2) == pytest.approx(found.std(), rel=0.15)


def test_energies_that_are_all_alike_tell_nothing_of_the_coupling():
    assert np.isnan(least_error(np.full(10, -3.0), 1.0, 10, 10))
