"""Draws of z from the posterior of a VAE, and what its residuals leave, for spins and for directors."""

import numpy as np
import pytest
import torch
from helpers.exact_models import exact_vae
from numpy.testing import assert_allclose

from vae_mf.analysis.posterior_draws import LatentVAE, isotropic, posterior_draws
from vae_mf.models import (
    VAE,
    BinghamCNNDecoder,
    DirectorMLPEncoder,
    GaussianPrior,
    LinearDecoder,
    LinearEncoder,
    SharedBinghamDecoder,
)
from vae_mf.models.site_families import site_family
from vae_mf.models.tensors import constant_condition
from vae_mf.packing import all_configurations
from vae_mf.statistics.latent_model import LatentModel
from vae_mf.statistics.residual_information import pair_information, pair_sums
from vae_mf.statistics.row_order import row_blocks

PATTERN = np.int8([[1, 1, -1, 1, -1, 1]])


def spins(seed: int = 1) -> VAE:
    """A decoder of middling strength behind an encoder that knows nothing of it."""
    torch.manual_seed(seed)
    vae = VAE(LinearEncoder(6, 1), LinearDecoder(6, 1), GaussianPrior(1)).eval()
    with torch.no_grad():
        vae.decoder.log_odds.weight.copy_(torch.tensor([[1.5], [-1.0], [2.0], [0.5], [1.0], [-2.0]]))
    return vae


def directors(sites: int = 16) -> VAE:
    torch.manual_seed(2)
    decoder = SharedBinghamDecoder(sites, 3, bias=True)
    torch.nn.init.normal_(decoder.tensor.weight, 0, 1)
    return VAE(DirectorMLPEncoder(sites, 3, hidden=16), decoder, GaussianPrior(3)).eval()


def information(model: LatentVAE, rows: np.ndarray, count: int, draws: int = 4):
    own = model.draw_rows(count, 11)
    blocks = [row_blocks(len(part), most=400) for part in (rows, own)]
    parts = [model.residuals(rows, draws, 12), model.residuals(own, draws, 13)]
    data, zero = (pair_sums(*part, model.variables) for part in zip(parts, blocks, strict=True))
    return pair_information(data, zero, model.variance_products())


def test_the_contract_is_kept():
    assert isinstance(LatentVAE(spins()), LatentModel)


def test_resampled_draws_follow_the_posterior_whatever_the_encoder():
    """E[z|x] and E[z²|x] of two rows by quadrature, against 4,000 draws out of 400 proposals each."""
    vae = spins()
    x = torch.tensor([[1.0, -1, 1, 1, 1, -1], [-1.0, 1, -1, 1, -1, 1]])
    grid = torch.linspace(-6, 6, 2001)[:, None]
    copies = x.repeat_interleave(200, 0)
    with torch.no_grad():
        logs = torch.stack([vae.decoder(grid).log_prob(row.expand(2001, 6)) for row in x])
        weights = (logs - grid[:, 0] ** 2 / 2).softmax(1)
        z = posterior_draws(
            vae, copies, constant_condition(1.0, 400, copies), 20, 400, torch.Generator().manual_seed(3)
        )
    z = z.view(2, -1)
    assert_allclose(z.mean(1), weights @ grid[:, 0], atol=0.06)
    assert_allclose((z**2).mean(1), weights @ grid[:, 0] ** 2, atol=0.1)


def test_an_exact_posterior_needs_no_resampling():
    """z|s of a Hopfield network is Normal(β m, β / N): all weights are the same."""
    vae = exact_vae(PATTERN, [0.8])
    x = torch.from_numpy(all_configurations(6)).double()
    with torch.no_grad():
        z = posterior_draws(vae, x, constant_condition(0.8, 64, x), 400, 50, torch.Generator().manual_seed(4))
    overlap = x.numpy() @ PATTERN[0] / 6
    assert_allclose(z.mean((1, 2)), overlap / 0.8, atol=5 * (1 / 0.8 / 6 / 50) ** 0.5)
    model = LatentVAE(vae, temperature=0.8)
    assert abs(information(model, model.draw_rows(1500, 5), 3000).significance) < 3


def test_rows_of_the_model_leave_nothing_and_a_coupled_pair_is_seen():
    model = LatentVAE(spins(), proposals=8)
    rows = model.draw_rows(3000, 6)
    assert abs(information(model, rows, 6000).significance) < 3
    rows[:, 1] = np.where(np.random.default_rng(7).random(3000) < 0.3, rows[:, 0], rows[:, 1])
    assert information(model, rows, 6000).significance > 5


def test_residuals_are_the_same_for_the_same_seed_and_latents_are_rows():
    model = LatentVAE(spins())
    rows = model.draw_rows(5000, 8)
    first, again, other = (np.concatenate(list(model.residuals(rows, 2, seed))) for seed in (1, 1, 2))
    assert first.shape == (5000, 2, 6)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert model.latents(rows, 1).shape == (5000, 1)
    with torch.no_grad():
        z = torch.as_tensor(model.latents(rows, 1), dtype=torch.float32)
        agreement = np.corrcoef(model.vae.decoder(z).mean[:, 2].numpy(), rows[:, 2])[0, 1]
    assert agreement > 0.3


def test_products_of_spins_are_averages_over_the_prior():
    model = LatentVAE(spins())
    decoder = model.vae.decoder
    with torch.no_grad():
        means = decoder(torch.randn(200000, 1, generator=torch.Generator().manual_seed(9))).mean.numpy()
    variances = 1 - means**2
    assert_allclose(model.variance_products(), variances.T @ variances / 200000, atol=0.03)


@pytest.mark.parametrize("kind", ["spins", "directors"])
def test_covariances_of_a_site_are_those_of_draws(kind):
    family = site_family(kind)
    parameters = torch.randn(3, family.components, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    draws = family.sample(parameters[None].repeat(100000, 1, 1), torch.Generator().manual_seed(2)).numpy()
    for site, expected in enumerate(family.covariance(parameters)):
        assert_allclose(np.cov(draws[:, site].T).reshape(expected.shape), expected, atol=0.01)


def test_components_are_made_equal_on_the_average():
    covariance = torch.tensor([[[2.0, 0.5], [0.5, 1.0]], [[3.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    turned = isotropic(covariance)
    whole = turned @ covariance @ turned.mT
    assert_allclose(whole[0], 1.5 * np.eye(2), atol=1e-12)
    assert_allclose(whole[1], [[1.5, 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("decoder", ["shared", pytest.param("sites", marks=pytest.mark.slow)])
def test_directors_have_five_components_and_coupled_ones_are_seen(decoder):
    """A model's own configurations leave nothing; a director that often copies another is seen."""
    vae = directors()
    if decoder == "sites":
        torch.manual_seed(5)
        vae = VAE(vae.encoder, BinghamCNNDecoder(16, 3, channels=4), vae.prior).eval()
    model = LatentVAE(vae, proposals=64)
    rows = model.draw_rows(700, 3)
    assert model.variables.tolist() == np.repeat(np.arange(16), 5).tolist()
    assert next(model.residuals(rows, 2, 1)).shape == (700, 2, 80)
    null = information(model, rows, 1400, draws=2)
    assert abs(null.significance) < 3
    copied = rows.copy()
    chosen = np.random.default_rng(4).random(700) < 0.6
    copied[chosen, 1] = -rows[chosen, 0]
    assert information(model, copied, 1400, draws=2).significance > 4
