"""One battery over all encoders, then what is particular to each of spins."""

import numpy as np
import pytest
import torch
from helpers.exact_models import exact_vae
from helpers.model_parts import (
    BATCH,
    ENCODERS,
    LATENTS,
    SITES,
    TEMPERATURES,
    condition,
    configurations,
    kind_of,
    parameters,
)
from helpers.modules import perturbed

from vae_mf.models.base import Encoder
from vae_mf.models.convolutions import square_side
from vae_mf.models.encoders import CNNEncoder, LinearEncoder, MLPEncoder
from vae_mf.models.posterior import LOG_VARIANCE_RANGE, DiagonalGaussian
from vae_mf.models.tensors import Condition, constant_condition

every_encoder = pytest.mark.parametrize("name", ENCODERS)
every_own_encoder = pytest.mark.parametrize("name", [name for name in ENCODERS if name != "toy"])


def perturbed_encoder(name: str) -> torch.nn.Module:
    """An encoder away from its starting point, in evaluation mode."""
    torch.manual_seed(0)
    return perturbed(ENCODERS[name](SITES, LATENTS))


def given(name: str, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, Condition]:
    return configurations(kind_of(name), dtype), condition(dtype)


@every_encoder
def test_the_contract_is_kept(name):
    encoder = ENCODERS[name](SITES, LATENTS)
    assert isinstance(encoder, Encoder)
    assert (encoder.kind, encoder.sites, encoder.latents) == (kind_of(name), SITES, LATENTS)


@every_encoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_posterior_has_one_gaussian_per_row(name, dtype):
    posterior = perturbed_encoder(name).to(dtype)(*given(name, dtype))
    assert posterior.mean.shape == posterior.log_variance.shape == (BATCH, LATENTS)
    assert posterior.mean.dtype == posterior.log_variance.dtype == dtype


@every_encoder
def test_draws_follow_the_generator_and_their_density(name):
    """The mean of ln q over draws is minus the entropy."""
    posterior = DiagonalGaussian(*(part.repeat(2000, 1) for part in parameters(perturbed_encoder(name)(*given(name)))))
    first, again, other = (posterior.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    excess = posterior.log_prob(first) + 0.5 * (posterior.log_variance + np.log(2 * np.pi * np.e)).sum(-1)
    assert excess.mean().abs() < 5 * excess.std() / len(excess) ** 0.5
    noise = torch.randn(3, *posterior.mean.shape, dtype=posterior.mean.dtype)
    densities = torch.stack([posterior.log_prob(z) for z in posterior.at(noise)])
    torch.testing.assert_close(posterior.log_prob_at(noise), densities, atol=1e-4, rtol=1e-4)


@every_encoder
def test_gradients_reach_all_parameters(name):
    encoder = perturbed_encoder(name)
    posterior = encoder(*given(name))
    (posterior.mean.square().sum() + posterior.log_variance.square().sum()).backward()
    without = [key for key, parameter in encoder.named_parameters() if not parameter.grad.abs().max() > 1e-6]
    assert without == []


@every_encoder
def test_rows_depend_on_their_own_configuration_and_temperature_only(name):
    x, levels = given(name)
    encoder = perturbed_encoder(name)
    together = parameters(encoder(x, levels))
    for row in range(BATCH):
        alone = constant_condition(float(levels.temperature[row]), 1, like=x)
        torch.testing.assert_close(parameters(encoder(x[row : row + 1], alone))[:, 0], together[:, row])


@every_encoder
def test_both_moments_depend_on_the_temperature_of_the_row(name):
    x, levels = given(name)
    encoder = perturbed_encoder(name)
    before = parameters(encoder(x, levels))
    index = levels.index.clone()
    index[4] = (index[4] + 1) % 3
    change = (parameters(encoder(x, Condition(levels.temperatures, index))) - before).abs()
    assert (change[:, 4] > 1e-5).all()
    change[:, 4] = 0
    assert change.max() < 1e-6


@every_encoder
def test_the_mean_depends_on_every_site(name):
    x, levels = given(name)
    x.requires_grad_()
    perturbed_encoder(name)(x, levels).mean.square().sum().backward()
    assert (x.grad.abs().amax(0) > 0).all()


@every_encoder
def test_half_precision_leaves_a_single_precision_posterior(name):
    encoder = perturbed_encoder(name)
    expected = parameters(encoder(*given(name)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posterior = encoder(*given(name))
    assert posterior.mean.dtype == posterior.log_variance.dtype == torch.float32
    torch.testing.assert_close(parameters(posterior), expected, rtol=0.1, atol=0.1)


@every_own_encoder
@pytest.mark.parametrize("value", [0, -1, -16, True])
def test_sites_and_latents_are_checked(name, value):
    with pytest.raises(ValueError, match=rf"sites: .* got {value}"):
        ENCODERS[name](value, LATENTS)
    with pytest.raises(ValueError, match=rf"latents: .* got {value}"):
        ENCODERS[name](SITES, value)


def spins_and_condition(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, Condition]:
    return given("linear", dtype)


@pytest.mark.parametrize(("sign", "limit"), [(-1, LOG_VARIANCE_RANGE[0]), (1, LOG_VARIANCE_RANGE[1])])
@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("linear", lambda encoder: encoder.thermal[-1]),
        ("mlp", lambda encoder: encoder.network[-1]),
        ("cnn", lambda encoder: encoder.log_variance),
        ("director_cnn", lambda encoder: encoder.log_variance),
    ],
)
def test_log_variance_is_clamped(name, head, sign, limit):
    encoder = perturbed_encoder(name)
    with torch.no_grad():
        head(encoder).bias += sign * 1e4
    assert (encoder(*given(name)).log_variance == limit).all()


@pytest.mark.parametrize("encoder", [LinearEncoder, MLPEncoder])
def test_the_hidden_width_is_checked(encoder):
    with pytest.raises(ValueError, match="hidden"):
        encoder(SITES, LATENTS, hidden=0)


@pytest.mark.parametrize("sites", [36, 60, 65, 128])
def test_convolutions_need_a_square_with_a_side_divisible_by_four(sites):
    with pytest.raises(ValueError, match=f"L divisible by 4.*got {sites}"):
        CNNEncoder(sites, LATENTS)


@pytest.mark.parametrize("side", [4, 8, 12, 128])
def test_square_side_is_the_root(side):
    assert square_side(side * side) == side


def test_the_cnn_sees_sites_row_by_row():
    """A 3x3 kernel of stride 2 at the origin sees sites x + L y with x, y <= 1, and no other."""
    spins, condition = spins_and_condition()
    spins.requires_grad_()
    first = perturbed_encoder("cnn").blocks[0]
    lattice = torch.stack([spins.view(-1, 8, 8), condition.temperature.view(-1, 1, 1).expand(-1, 8, 8)], dim=1)
    first(lattice)[:, :, 0, 0].sum().backward()
    assert set(torch.nonzero(spins.grad[0])[:, 0].tolist()) == {0, 1, 8, 9}


@pytest.mark.parametrize("count", [1, 3])
def test_the_linear_encoder_holds_the_hubbard_stratonovich_posterior(count):
    """Z = beta phi is Normal(beta m, beta / N) given s, at all temperatures at once (theory.md, section 1)."""
    patterns = np.random.default_rng(1).choice([-1, 1], (count, SITES)).astype(np.int8)
    vae = exact_vae(patterns, list(TEMPERATURES))
    spins, condition = spins_and_condition(torch.float64)
    posterior = vae.encode(spins, condition)
    overlaps = spins @ torch.from_numpy(patterns).double().T / SITES
    temperature = condition.temperature[:, None]
    torch.testing.assert_close(posterior.mean, overlaps / temperature)
    torch.testing.assert_close(posterior.log_variance.exp(), (1 / (SITES * temperature)).expand(-1, count))
