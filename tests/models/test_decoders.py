"""One battery over all decoders, then what is particular to each of spins."""

import pytest
import torch
from helpers.model_parts import BATCH, DECODERS, LATENTS, SITES, configurations, kind_of, latents
from helpers.modules import perturbed

from vae_mf.models.base import Decoder, LinearLogOdds, LinearStart, SiteDistribution, free_parameters
from vae_mf.models.decoders import CNNDecoder, LinearDecoder
from vae_mf.models.encoders import CNNEncoder
from vae_mf.models.site_families import site_family
from vae_mf.models.tensors import constant_condition

DRAWS = 2000
every_decoder = pytest.mark.parametrize("name", DECODERS)
every_own_decoder = pytest.mark.parametrize("name", [name for name in DECODERS if name != "toy"])


def new_decoder(name: str) -> torch.nn.Module:
    """A decoder away from its starting point, in evaluation mode."""
    torch.manual_seed(0)
    return perturbed(DECODERS[name](SITES, LATENTS))


@every_decoder
def test_the_contract_is_kept(name):
    decoder = new_decoder(name)
    assert isinstance(decoder, Decoder)
    assert isinstance(decoder(latents()), SiteDistribution)
    assert (decoder.kind, decoder.sites, decoder.latents) == (kind_of(name), SITES, LATENTS)


@every_decoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_law_per_row_and_site(name, dtype):
    likelihood = new_decoder(name).to(dtype)(latents(dtype))
    family = site_family(kind_of(name))
    log_prob = likelihood.log_prob(configurations(kind_of(name), dtype))
    assert likelihood.natural_parameters.shape == (BATCH, SITES, family.components)
    assert likelihood.mean.shape[:2] == (BATCH, SITES)
    assert log_prob.shape == (BATCH,)
    assert likelihood.natural_parameters.dtype == likelihood.mean.dtype == log_prob.dtype == dtype


@every_decoder
def test_densities_are_those_of_normalised_exponential_families(name):
    """Ln p(x|z) = sum_i η_i·t(x_i) - ln Z(η_i)."""
    likelihood = new_decoder(name).double()(latents(torch.float64))
    family, eta = site_family(kind_of(name)), likelihood.natural_parameters
    x = configurations(kind_of(name), torch.float64)
    expected = ((eta * family.statistics(x)).sum(-1) - family.log_normaliser(eta)).sum(1)
    torch.testing.assert_close(likelihood.log_prob(x), expected)


@every_decoder
def test_draws_have_the_means_and_follow_the_generator(name):
    likelihood = new_decoder(name)(latents()[:1].expand(DRAWS, -1))
    first, again, other = (likelihood.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not first.requires_grad
    family = site_family(kind_of(name))
    statistics = family.statistics(first).double()
    deviation = statistics.mean(0) - family.mean(likelihood.natural_parameters[0].double())
    assert (deviation.abs() <= 5.5 * statistics.std(0) / DRAWS**0.5 + 5.5 / DRAWS).all()


@every_decoder
def test_gradients_reach_all_parameters_and_latents(name):
    decoder, z = new_decoder(name), latents().requires_grad_()
    decoder(z).log_prob(configurations(kind_of(name))).sum().backward()
    without = [key for key, parameter in decoder.named_parameters() if not parameter.grad.abs().max() > 1e-6]
    assert without == []
    assert (z.grad.abs() > 1e-6).all()


@every_decoder
def test_every_site_depends_on_the_latents(name):
    jacobian = torch.autograd.functional.jacobian(
        lambda point: new_decoder(name)(point[None]).natural_parameters[0], latents()[0]
    )
    assert (jacobian.abs().amax((1, 2)) > 0).all()


@every_decoder
def test_rows_are_independent(name):
    decoder, z, x = new_decoder(name), latents(), configurations(kind_of(name))
    together = decoder(z).log_prob(x)
    for row in range(BATCH):
        alone = decoder(z[row : row + 1]).log_prob(x[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-4)


@every_decoder
def test_half_precision_leaves_single_precision_densities(name):
    decoder, x = new_decoder(name), configurations(kind_of(name))
    expected = decoder(latents()).natural_parameters
    with torch.autocast("cpu", dtype=torch.bfloat16):
        likelihood = decoder(latents())
        assert likelihood.log_prob(x).dtype == likelihood.sample().dtype == torch.float32
    assert likelihood.natural_parameters.dtype == torch.float32
    torch.testing.assert_close(likelihood.natural_parameters, expected, rtol=0.1, atol=0.2)


@every_decoder
def test_all_weights_are_free(name):
    decoder = new_decoder(name)
    assert free_parameters(decoder) == sum(parameter.numel() for parameter in decoder.parameters())


@every_own_decoder
@pytest.mark.parametrize("value", [0, -1, -16, True])
def test_sites_and_latents_are_checked(name, value):
    with pytest.raises(ValueError, match=rf"sites: .* got {value}"):
        DECODERS[name](value, LATENTS)
    with pytest.raises(ValueError, match=rf"latents: .* got {value}"):
        DECODERS[name](SITES, value)


def test_capabilities_are_offered_by_those_that_have_them():
    decoders = {name: new_decoder(name) for name in DECODERS}
    linear = {name for name, decoder in decoders.items() if isinstance(decoder, LinearLogOdds)}
    starting = {name for name, decoder in decoders.items() if isinstance(decoder, LinearStart)}
    assert linear == {"linear", "linear_without_bias"}
    assert starting == {"linear", "linear_without_bias", "mlp"}


@pytest.mark.parametrize("name", ["linear", "linear_without_bias"])
def test_weights_and_fields_are_those_of_the_log_odds(name):
    decoder, z = new_decoder(name), latents()
    expected = z @ decoder.weights.T + decoder.fields
    torch.testing.assert_close(decoder(z).natural_parameters[..., 0], expected)


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_a_start_sets_the_linear_part_and_the_fields(name):
    decoder = new_decoder(name)
    weights, fields = torch.randn(SITES, 2), torch.randn(SITES)
    before = decoder(latents()).natural_parameters[..., 0].detach()
    last = (decoder.log_odds if name == "linear" else decoder.slope).weight[:, 2].clone()
    decoder.start_at(weights, fields)
    layer = decoder.log_odds if name == "linear" else decoder.slope
    torch.testing.assert_close(layer.weight[:, :2] / 2, weights)
    assert torch.equal(layer.weight[:, 2], last)
    bias = decoder.log_odds.bias if name == "linear" else decoder.network[-1].bias
    torch.testing.assert_close(bias / 2, fields)
    assert not torch.allclose(decoder(latents()).natural_parameters[..., 0], before)


@pytest.mark.parametrize("sites", [36, 60, 128])
def test_convolutions_need_a_square_with_a_side_divisible_by_four(sites):
    with pytest.raises(ValueError, match=f"L divisible by 4.*got {sites}"):
        CNNDecoder(sites, LATENTS)


@pytest.mark.parametrize("side", [4, 8, 20])
def test_the_cnn_decoder_mirrors_the_encoder(side):
    """The maps on the way down, input included, are those on the way up in reverse order."""
    spins = torch.ones(2, side * side)
    encoder, decoder = CNNEncoder(side * side, LATENTS, channels=4), CNNDecoder(side * side, LATENTS, channels=4)
    down, up = [], []
    for module in encoder.blocks:
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, output: down.extend([inputs[0].shape, output.shape]))
    for module in decoder.blocks:
        if isinstance(module, torch.nn.ConvTranspose2d):
            module.register_forward_hook(lambda _, inputs, output: up.extend([inputs[0].shape, output.shape]))
    decoder(encoder(spins, constant_condition(1.0, 2, like=spins)).mean)
    assert down == up[::-1]
    assert down[0] == (2, 2, side, side)


def test_the_cnn_decoder_orders_sites_as_the_encoder_does():
    """A change of the coarse map at the origin moves sites near x = y = 0 only: x + L y with x, y small."""
    decoder = new_decoder("cnn")
    coarse = torch.zeros(1, decoder.channels, 2, 2)
    corner = coarse.clone()
    corner[..., 0, 0] = 1
    difference = (decoder.blocks(corner) - decoder.blocks(coarse)).abs().sum(1)[0]
    spread = torch.zeros(1, SITES)
    spread[0] = difference.flatten()
    moved = {(int(site) % 8, int(site) // 8) for site in torch.nonzero(spread[0])}
    assert (0, 0) in moved
    assert all(x < 6 and y < 6 for x, y in moved)


@pytest.mark.parametrize("periodic", [True, False])
def test_only_a_periodic_lattice_looks_the_same_from_everywhere(periodic):
    torch.manual_seed(3)
    decoder = CNNDecoder(144, 2, channels=4, periodic=periodic).eval()
    coarse = torch.randn(5, 8, 3, 3)
    moved = decoder.blocks(coarse.roll((1, 2), (2, 3)))
    same = torch.allclose(moved, decoder.blocks(coarse).roll((4, 8), (2, 3)), atol=1e-6)
    assert same == periodic


def test_periodic_and_open_lattices_agree_away_from_the_edges():
    torch.manual_seed(4)
    wrapped, bare = (CNNDecoder(256, 2, channels=4, periodic=periodic).eval() for periodic in (True, False))
    weights = {
        name.replace("blocks.0.", "blocks.0.convolution.").replace("blocks.3.", "blocks.3.convolution."): value
        for name, value in bare.state_dict().items()
    }
    wrapped.load_state_dict(weights)
    z = torch.randn(3, 2)
    inside = (slice(None), slice(4, -4), slice(4, -4))
    first, second = (decoder(z).log_odds.view(3, 16, 16) for decoder in (wrapped, bare))
    torch.testing.assert_close(first[inside], second[inside])
    assert not torch.allclose(first, second)


def test_a_shared_decoder_does_not_tell_sites_apart():
    log_odds = new_decoder("shared")(latents()).log_odds
    assert (log_odds == log_odds[:, :1]).all()
    assert log_odds[:, 0].unique().numel() == BATCH


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_decoder_is_its_layer_with_the_same_gradient(bias):
    torch.manual_seed(1)
    decoder = LinearDecoder(SITES, LATENTS, bias)
    z, weights = latents(), torch.randn(BATCH, SITES)
    results = []
    for log_odds in (decoder.log_odds(z), decoder(z).log_odds):
        results.append([log_odds, *torch.autograd.grad((weights * log_odds).sum(), [*decoder.parameters()])])
    torch.testing.assert_close(*results)
