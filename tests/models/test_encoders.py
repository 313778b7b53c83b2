"""One battery over all encoders, then what is particular to each."""

import numpy as np
import pytest
import torch
from helpers.exact_models import exact_vae
from helpers.modules import perturbed

from vae_mf.models.convolutions import square_side
from vae_mf.models.encoders import CNNEncoder, LinearEncoder, MLPEncoder
from vae_mf.models.posterior import LOG_VARIANCE_RANGE
from vae_mf.models.tensors import Condition, constant_condition

ENCODERS = {
    "linear": lambda sites, latents: LinearEncoder(sites, latents, hidden=8),
    "mlp": lambda sites, latents: MLPEncoder(sites, latents, hidden=16),
    "cnn": lambda sites, latents: CNNEncoder(sites, latents, channels=4),
}
SITES, LATENTS, BATCH = 64, 3, 10
TEMPERATURES = (0.3, 1.0, 2.5)
every_encoder = pytest.mark.parametrize("name", ENCODERS)


def perturbed_encoder(name: str) -> torch.nn.Module:
    """An encoder away from its starting point, in evaluation mode."""
    torch.manual_seed(0)
    return perturbed(ENCODERS[name](SITES, LATENTS))


def spins_and_condition(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, Condition]:
    generator = torch.Generator().manual_seed(1)
    spins = torch.where(torch.rand(BATCH, SITES, generator=generator) < 0.5, -1.0, 1.0).to(dtype)
    return spins, Condition(torch.tensor(TEMPERATURES, dtype=dtype), torch.arange(BATCH) % 3)


def parameters(posterior) -> torch.Tensor:
    return torch.stack([posterior.mean, posterior.log_variance])


@every_encoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_posterior_has_one_gaussian_per_row(name, dtype):
    spins, condition = spins_and_condition(dtype)
    posterior = perturbed_encoder(name).to(dtype)(spins, condition)
    assert posterior.mean.shape == posterior.log_variance.shape == (BATCH, LATENTS)
    assert posterior.mean.dtype == posterior.log_variance.dtype == dtype


@every_encoder
def test_gradients_reach_all_parameters(name):
    encoder = perturbed_encoder(name)
    posterior = encoder(*spins_and_condition())
    (posterior.mean.square().sum() + posterior.log_variance.square().sum()).backward()
    without = [key for key, parameter in encoder.named_parameters() if not parameter.grad.abs().max() > 1e-6]
    assert without == []


@every_encoder
@pytest.mark.parametrize(("sign", "limit"), [(-1, LOG_VARIANCE_RANGE[0]), (1, LOG_VARIANCE_RANGE[1])])
def test_log_variance_is_clamped(name, sign, limit):
    encoder = perturbed_encoder(name)
    head = {"linear": lambda e: e.thermal[-1], "mlp": lambda e: e.network[-1], "cnn": lambda e: e.log_variance}[name](
        encoder
    )
    with torch.no_grad():
        head.bias += sign * 1e4
    assert (encoder(*spins_and_condition()).log_variance == limit).all()


@every_encoder
def test_rows_depend_on_their_own_spins_and_temperature_only(name):
    spins, condition = spins_and_condition()
    encoder = perturbed_encoder(name)
    together = parameters(encoder(spins, condition))
    for row in range(BATCH):
        alone = constant_condition(float(condition.temperature[row]), 1, like=spins)
        torch.testing.assert_close(parameters(encoder(spins[row : row + 1], alone))[:, 0], together[:, row])


@every_encoder
def test_both_moments_depend_on_the_temperature_of_the_row(name):
    spins, condition = spins_and_condition()
    encoder = perturbed_encoder(name)
    before = parameters(encoder(spins, condition))
    index = condition.index.clone()
    index[4] = (index[4] + 1) % 3
    change = (parameters(encoder(spins, Condition(condition.levels, index))) - before).abs()
    assert (change[:, 4] > 1e-4).all()
    change[:, 4] = 0
    assert change.max() < 1e-6


@every_encoder
def test_the_mean_depends_on_every_site(name):
    spins, condition = spins_and_condition()
    spins.requires_grad_()
    perturbed_encoder(name)(spins, condition).mean.square().sum().backward()
    assert (spins.grad.abs().amax(0) > 0).all()


@every_encoder
def test_half_precision_leaves_a_single_precision_posterior(name):
    encoder = perturbed_encoder(name)
    expected = parameters(encoder(*spins_and_condition()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posterior = encoder(*spins_and_condition())
    assert posterior.mean.dtype == posterior.log_variance.dtype == torch.float32
    torch.testing.assert_close(parameters(posterior), expected, rtol=0.1, atol=0.1)


@every_encoder
@pytest.mark.parametrize("value", [0, -1, -16, True])
def test_sites_and_latents_are_checked(name, value):
    with pytest.raises(ValueError, match="sites"):
        ENCODERS[name](value, LATENTS)
    with pytest.raises(ValueError, match="latents"):
        ENCODERS[name](SITES, value)


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
