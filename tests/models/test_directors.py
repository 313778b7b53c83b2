"""Encoders and decoders of directors: densities and symmetries, then exactness for Maier-Saupe."""

import math

import numpy as np
import pytest
import torch
from helpers.model_parts import parameters
from helpers.modules import perturbed
from scipy.stats import special_ortho_group

from vae_mf.models.directors import likelihoods as module
from vae_mf.models.directors.bingham import Bingham
from vae_mf.models.directors.decoders import BinghamCNNDecoder, SharedBinghamDecoder, ordered_eigenvalues, rotation
from vae_mf.models.directors.encoders import DirectorCNNEncoder, DirectorLinearEncoder, DirectorMLPEncoder
from vae_mf.models.directors.likelihoods import ExchangeableDirectors, IndependentDirectors
from vae_mf.models.directors.symmetric_tensors import director_components, traceless_matrix
from vae_mf.models.tensors import Condition
from vae_mf.systems.maier_saupe import MaierSaupe, log_bingham_normaliser, mean_field_transition, tensor_eigenvalues

DECODERS = {
    "shared": SharedBinghamDecoder,
    "shared_in_a_field": lambda sites, latents: SharedBinghamDecoder(sites, latents, bias=True),
    "cnn": lambda sites, latents: BinghamCNNDecoder(sites, latents, channels=4),
    "periodic_cnn": lambda sites, latents: BinghamCNNDecoder(sites, latents, channels=4, periodic=True),
}
ENCODERS = {
    "linear": lambda sites, latents: DirectorLinearEncoder(sites, latents, hidden=8),
    "mlp": lambda sites, latents: DirectorMLPEncoder(sites, latents, hidden=16),
    "cnn": lambda sites, latents: DirectorCNNEncoder(sites, latents, channels=4),
    "periodic_cnn": lambda sites, latents: DirectorCNNEncoder(sites, latents, channels=4, periodic=True),
}
SITES, LATENTS, BATCH = 64, 3, 10
TEMPERATURES = (0.15, mean_field_transition().temperature, 0.3)
SIGMAS = 5.0
"""Below 1e-3 for the family of all z-tests of this file, some 800."""
every_decoder = pytest.mark.parametrize("name", DECODERS)
every_encoder = pytest.mark.parametrize("name", ENCODERS)


def perturbed_network(kind: dict, name: str) -> torch.nn.Module:
    """A model away from its starting point, in evaluation mode."""
    torch.manual_seed(0)
    return perturbed(kind[name](SITES, LATENTS))


def latents(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(BATCH, LATENTS, generator=torch.Generator().manual_seed(1), dtype=dtype)


def random_directors(*shape: int, seed: int = 2, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    raw = torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return raw / raw.norm(dim=-1, keepdim=True)


def heads(directors: torch.Tensor) -> torch.Tensor:
    """Turn half of the directors round."""
    sign = torch.where(torch.rand(directors.shape[:-1], generator=torch.Generator().manual_seed(3)) < 0.5, -1.0, 1.0)
    return directors * sign[..., None].to(directors.dtype)


def condition(dtype: torch.dtype = torch.float32) -> Condition:
    return Condition(torch.tensor(TEMPERATURES, dtype=dtype), torch.arange(BATCH) % 3)


def spatial_rotation(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(special_ortho_group.rvs(3, random_state=seed))


def tensor_rotation(turn: torch.Tensor) -> torch.Tensor:
    """The 5 x 5 matrix that turns components as ``turn`` turns space."""
    basis = traceless_matrix(torch.eye(5, dtype=turn.dtype))
    return torch.einsum("iab,ac,jcd,bd->ij", basis, turn, basis, turn)


def test_components_are_those_of_an_orthonormal_basis():
    directors = random_directors(50, dtype=torch.float64)
    basis = traceless_matrix(torch.eye(5, dtype=torch.float64))
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(torch.einsum("iab,jab->ij", basis, basis), torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(basis.mT, basis)
    outer = directors[:, :, None] * directors[:, None, :] - identity / 3
    torch.testing.assert_close(traceless_matrix(director_components(directors)), outer, rtol=0, atol=1e-15)
    assert torch.equal(director_components(-directors), director_components(directors))


def test_rotations_of_space_rotate_the_components():
    directors, turn = random_directors(50, dtype=torch.float64), spatial_rotation()
    turned = director_components(directors @ turn.T)
    torch.testing.assert_close(turned, director_components(directors) @ tensor_rotation(turn).T, rtol=0, atol=1e-14)


def test_rotations_are_by_gram_schmidt():
    vectors = torch.randn(100, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    axes = rotation(vectors)
    torch.testing.assert_close(axes.mT @ axes, torch.eye(3, dtype=torch.float64).expand(100, 3, 3))
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(100, dtype=torch.float64))
    # The triangular factor of the two vectors has a positive diagonal, and nothing along the third axis.
    factor = axes.mT @ vectors.view(100, 2, 3).mT
    assert (factor[:, 0, 0] > 0).all()
    assert (factor[:, 1, 1] > 0).all()
    torch.testing.assert_close(factor[:, [1, 2, 2], [0, 0, 1]], torch.zeros(100, 3).double(), rtol=0, atol=1e-14)


def test_eigenvalues_are_ordered_below_zero():
    gaps = 5 * torch.randn(100, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    eigenvalues = ordered_eigenvalues(gaps)
    assert (eigenvalues[:, 2] == 0).all()
    torch.testing.assert_close(eigenvalues.diff(dim=-1).flip(-1), torch.log1p(gaps.exp()))


@every_decoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_densities_are_those_of_bingham_distributions_of_all_sites(name, dtype):
    """Against NumPy: sum_i n_i . B_i n_i - ln c(B_i), with B_i from the expected n nᵀ of the likelihood's own class."""
    likelihood = perturbed_network(DECODERS, name).to(dtype)(latents(dtype))
    directors = random_directors(BATCH, SITES, dtype=dtype)
    log_prob = likelihood.log_prob(directors)
    assert log_prob.shape == (BATCH,)
    assert log_prob.dtype == dtype
    if isinstance(likelihood, ExchangeableDirectors):
        matrix = traceless_matrix(likelihood.components)[:, None].expand(-1, SITES, 3, 3).detach().double().numpy()
    else:
        matrix = likelihood.bingham.matrix.detach().double().numpy()
    n = directors.double().numpy()
    exponents = np.einsum("bia,biac,bic->bi", n, matrix, n)
    expected = (exponents - log_bingham_normaliser(np.linalg.eigvalsh(matrix))).sum(-1)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-3
    np.testing.assert_allclose(log_prob.detach().double().numpy(), expected, rtol=0, atol=tolerance)


@every_decoder
def test_densities_differ_between_latents_and_see_no_heads(name):
    likelihood, directors = perturbed_network(DECODERS, name)(latents()), random_directors(BATCH, SITES)
    log_prob = likelihood.log_prob(directors)
    assert log_prob.std() > 0.1
    assert torch.equal(likelihood.log_prob(heads(directors)), log_prob)


@every_decoder
def test_gradients_are_those_of_finite_differences(name):
    decoder, directors = perturbed_network(DECODERS, name).double(), random_directors(2, SITES, dtype=torch.float64)
    z = latents(torch.float64)[:2].requires_grad_()
    assert torch.autograd.gradcheck(lambda point: decoder(point).log_prob(directors), z)


@every_decoder
def test_draws_have_the_expected_second_moments(name):
    decoder, draws = perturbed_network(DECODERS, name), 2000
    likelihood = decoder(latents()[:1].expand(draws, -1))
    directors = likelihood.sample(torch.Generator().manual_seed(4))
    assert directors.shape == (draws, SITES, 3)
    torch.testing.assert_close(directors.norm(dim=-1), torch.ones(draws, SITES))
    assert likelihood.mean.shape == (draws, SITES, 3, 3)
    # Pooled over the sites where they are alike; else only the sum over sites, to keep the family small.
    outer = (directors[..., :, None] * directors[..., None, :]).double().mean(1)
    exact = likelihood.mean[0].double().mean(0)
    z_scores = (outer.mean(0) - exact) / (outer.std(0) / draws**0.5)
    assert z_scores.abs().max() < SIGMAS
    every_site = directors.double().square().mean(0) - likelihood.mean[0].double().diagonal(dim1=-2, dim2=-1)
    scale = directors.double().square().std(0) / draws**0.5
    assert (every_site / scale).abs().max() < SIGMAS


@pytest.mark.parametrize("model", [BinghamCNNDecoder, DirectorCNNEncoder])
def test_convolutions_need_a_square_with_a_side_divisible_by_four(model):
    with pytest.raises(ValueError, match=r"L divisible by 4.*got 36"):
        model(36, LATENTS)
    with pytest.raises(ValueError, match="channels"):
        model(SITES, LATENTS, channels=0)


@pytest.mark.parametrize("model", [DirectorLinearEncoder, DirectorMLPEncoder])
def test_the_hidden_width_is_checked(model):
    with pytest.raises(ValueError, match="hidden"):
        model(SITES, LATENTS, hidden=0)


def test_directors_that_share_a_distribution_are_independent_ones_that_are_alike():
    components = 2 * torch.randn(BATCH, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    shared = ExchangeableDirectors(components, SITES)
    alike = IndependentDirectors(Bingham(traceless_matrix(components)[:, None].expand(-1, SITES, 3, 3)))
    directors = random_directors(BATCH, SITES, dtype=torch.float64)
    torch.testing.assert_close(shared.log_prob(directors), alike.log_prob(directors))
    torch.testing.assert_close(shared.mean, alike.mean)


def test_the_shared_normaliser_is_evaluated_once_per_row(monkeypatch):
    shapes = []
    original = module.matrix_log_normaliser
    monkeypatch.setattr(
        module, "matrix_log_normaliser", lambda matrix: (shapes.append(matrix.shape), original(matrix))[1]
    )
    perturbed_network(DECODERS, "shared")(latents()).log_prob(random_directors(BATCH, SITES))
    assert shapes == [(BATCH, 3, 3)]


def test_the_shared_decoder_turns_with_the_latents():
    """With five latents that are the components of B, rotating z and all directors changes no density."""
    decoder = SharedBinghamDecoder(SITES, 5).double()
    torch.nn.init.eye_(decoder.tensor.weight)
    z = 3 * torch.randn(BATCH, 5, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    directors, turn = random_directors(BATCH, SITES, dtype=torch.float64), spatial_rotation(1)
    turned = decoder(z @ tensor_rotation(turn).T).log_prob(directors @ turn.T)
    torch.testing.assert_close(turned, decoder(z).log_prob(directors))
    assert (decoder(z).log_prob(directors @ turn.T) - turned).abs().max() > 1


def exact_model(system: MaierSaupe) -> tuple[DirectorLinearEncoder, SharedBinghamDecoder]:
    """Z = 3 beta J A / 2: weights that make encoder and decoder exact at the temperatures of this file, in float64."""
    encoder, decoder = DirectorLinearEncoder(system.sites, 5).double(), SharedBinghamDecoder(system.sites, 5).double()
    levels = torch.tensor(TEMPERATURES, dtype=torch.float64)
    slope = (1.5 * system.coupling / levels).log()[:, None].expand(-1, 5)
    linear = encoder.encoder
    with torch.no_grad():
        decoder.tensor.weight.copy_(torch.eye(5))
        linear.projection.weight.copy_(torch.eye(5))
        linear.projection.bias.zero_()
        hidden = linear.thermal[:-1](torch.stack([levels, 1 / levels], dim=-1))
        # The variance of the components of A is 1 / (slope N), that of z slope / N.
        target = torch.cat([slope, slope - math.log(system.sites)], -1)
        linear.thermal[-1].weight.copy_((torch.linalg.pinv(hidden) @ target).T)
    return encoder, decoder


@pytest.mark.parametrize("level", range(3))
def test_the_exact_model_gives_the_probability_of_every_configuration(level):
    """Bayes' theorem, ln p(n|z) + ln p(z) - ln q(z|n) = -beta E(n) - ln Z, at any n and z."""
    system, temperature = MaierSaupe(SITES, 1.3), TEMPERATURES[level]
    encoder, decoder = exact_model(system)
    directors = random_directors(BATCH, SITES, dtype=torch.float64)
    directors[1:, :, 2] *= torch.arange(1, BATCH, dtype=torch.float64)[:, None]
    directors /= directors.norm(dim=-1, keepdim=True)
    levels = torch.tensor(TEMPERATURES, dtype=torch.float64)
    posterior = encoder(directors, Condition(levels, torch.full((BATCH,), level)))
    z = posterior.sample(torch.Generator().manual_seed(7))
    slope, variance = 1.5 * system.coupling / temperature, system.field_variance(temperature)
    log_partition = system.thermodynamics(temperature).log_partition
    normaliser = log_bingham_normaliser(np.linalg.eigvalsh(traceless_matrix(z).detach().numpy()))
    log_prior = SITES * torch.from_numpy(normaliser) - 0.5 * SITES / slope * z.square().sum(-1)
    log_prior = log_prior - log_partition - 2.5 * math.log(2 * math.pi * variance) - 5 * math.log(slope)
    found = decoder(z).log_prob(directors) + log_prior - posterior.log_prob(z)
    expected = -system.energy(directors.numpy()) / temperature - log_partition
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_exact_fields_are_decoded_to_the_exact_energy(temperature):
    """Eigenvalues of A from their exact law, axes at random: one draw of the directors each."""
    system, draws = MaierSaupe(16), 3000
    law, random = system.tensor_law(temperature), np.random.default_rng(8)
    chosen = random.choice(len(law.probabilities), draws, p=law.probabilities / law.probabilities.sum())
    node = ((1 - law.shape[chosen]) / 2) ** 0.25
    axes = special_ortho_group.rvs(3, draws, random)
    matrix = np.einsum("bik,bk,bjk->bij", axes, tensor_eigenvalues(law.radius[chosen], node), axes)
    basis = traceless_matrix(torch.eye(5, dtype=torch.float64)).numpy()
    z = torch.from_numpy(1.5 / temperature * np.einsum("bij,kij->bk", matrix, basis))
    directors = ExchangeableDirectors(z, 16).sample(torch.Generator().manual_seed(9)).numpy()
    energies, exact = system.energy(directors), system.thermodynamics(temperature)
    assert abs(energies.mean() - exact.energy) < SIGMAS * energies.std() / draws**0.5
    error = (((energies - exact.energy) ** 2).std()) / draws**0.5
    assert abs(((energies - exact.energy) ** 2).mean() - temperature**2 * exact.heat_capacity) < SIGMAS * error


@every_encoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_posterior_has_one_gaussian_per_row_and_sees_no_heads(name, dtype):
    encoder, directors = perturbed_network(ENCODERS, name).to(dtype), random_directors(BATCH, SITES, dtype=dtype)
    posterior = encoder(directors, condition(dtype))
    assert posterior.mean.shape == posterior.log_variance.shape == (BATCH, LATENTS)
    assert posterior.mean.dtype == posterior.log_variance.dtype == dtype
    assert torch.equal(parameters(encoder(heads(directors), condition(dtype))), parameters(posterior))


def test_the_linear_encoder_sees_no_order_of_the_sites():
    encoder, directors = perturbed_network(ENCODERS, "linear"), random_directors(BATCH, SITES)
    shuffled = directors[:, torch.randperm(SITES, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(parameters(encoder(shuffled, condition())), parameters(encoder(directors, condition())))


def test_the_cnn_encoder_sees_sites_row_by_row():
    """A 3x3 kernel of stride 2 at row 0, column 1 sees sites x + L y with 1 <= x <= 3 and y <= 1, and no other."""
    encoder, directors = perturbed_network(ENCODERS, "cnn"), random_directors(BATCH, SITES).requires_grad_()
    outputs = []
    encoder.blocks[0].register_forward_hook(lambda _, inputs, output: outputs.append(output))
    encoder(directors, condition())
    outputs[0][:, :, 0, 1].sum().backward()
    assert set(torch.nonzero(directors.grad[0].abs().sum(-1))[:, 0].tolist()) == {1, 2, 3, 9, 10, 11}


def test_the_cnn_decoder_orders_sites_as_the_encoder_does():
    """A change of the coarse map at row 0, column 1 moves sites x + L y with 1 <= x <= 7 and y <= 3, and no other."""
    decoder = perturbed_network(DECODERS, "cnn")
    coarse = torch.zeros(2, decoder.channels, 2, 2)
    coarse[1, :, 0, 1] = 1
    decoder.spread = torch.nn.Identity()
    first, second = decoder(coarse.flatten(1)).bingham.eigenvalues
    moved = {(int(site) % 8, int(site) // 8) for site in torch.nonzero((first - second).abs().sum(-1) > 1e-7)}
    assert moved == {(x, y) for x in range(1, 8) for y in range(4)}


@pytest.mark.parametrize("periodic", [True, False])
def test_periodic_convolutions_move_with_the_lattice(periodic):
    """A shift of the directors by four sites shifts the coarse map by one, and the other way round."""
    torch.manual_seed(0)
    encoder = DirectorCNNEncoder(256, LATENTS, channels=4, periodic=periodic).eval()
    decoder = BinghamCNNDecoder(256, LATENTS, channels=4, periodic=periodic).eval()
    lattice, coarse = torch.randn(1, 6, 16, 16), torch.randn(1, decoder.channels, 4, 4)
    down, up = encoder.blocks[:-1], decoder.blocks
    moved_down = torch.allclose(down(lattice.roll(4, -1)), down(lattice).roll(1, -1), atol=1e-5)
    moved_up = torch.allclose(up(coarse.roll(1, -2)), up(coarse).roll(4, -2), atol=1e-5)
    assert moved_down == moved_up == periodic
