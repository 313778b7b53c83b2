"""One battery over all decoders, then what is particular to each."""

import pytest
import torch

from vae_mf.models.decoders import CNNDecoder, LinearDecoder, MLPDecoder, SharedDecoder
from vae_mf.models.encoders import CNNEncoder
from vae_mf.models.tensors import constant_condition

DECODERS = {
    "linear": LinearDecoder,
    "linear_without_bias": lambda sites, latents: LinearDecoder(sites, latents, bias=False),
    "cnn": lambda sites, latents: CNNDecoder(sites, latents, channels=4),
    "cnn_periodic": lambda sites, latents: CNNDecoder(sites, latents, channels=4, periodic=True),
    "mlp": MLPDecoder,
    "shared": SharedDecoder,
}
SITES, LATENTS, BATCH = 64, 3, 10
every_decoder = pytest.mark.parametrize("name", DECODERS)


def new_decoder(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return DECODERS[name](SITES, LATENTS).eval()


def latents(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(BATCH, LATENTS, generator=torch.Generator().manual_seed(1), dtype=dtype)


@every_decoder
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_log_odds_per_row_and_site(name, dtype):
    log_odds = new_decoder(name).to(dtype)(latents(dtype)).log_odds
    assert log_odds.shape == (BATCH, SITES)
    assert log_odds.dtype == dtype


@every_decoder
def test_gradients_reach_all_parameters(name):
    decoder = new_decoder(name)
    decoder(latents()).log_odds.square().sum().backward()
    without = [key for key, parameter in decoder.named_parameters() if not parameter.grad.abs().max() > 1e-6]
    assert without == []


@every_decoder
def test_gradients_reach_every_latent_from_every_site(name):
    z = latents().requires_grad_()
    (gradient,) = torch.autograd.grad(new_decoder(name)(z).log_odds.square().sum(), z)
    assert (gradient.abs() > 1e-6).all()
    jacobian = torch.autograd.functional.jacobian(
        lambda point: new_decoder(name)(point[None]).log_odds[0], latents()[0]
    )
    assert (jacobian.abs().amax(1) > 0).all()


@every_decoder
def test_rows_are_independent(name):
    z = latents()
    decoder = new_decoder(name)
    together = decoder(z).log_odds
    for row in range(BATCH):
        torch.testing.assert_close(decoder(z[row : row + 1]).log_odds[0], together[row])


@every_decoder
def test_half_precision_leaves_single_precision_log_odds(name):
    decoder = new_decoder(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        likelihood = decoder(latents())
    assert likelihood.log_odds.dtype == torch.float32
    torch.testing.assert_close(likelihood.log_odds, decoder(latents()).log_odds, rtol=0.1, atol=0.1)


@every_decoder
@pytest.mark.parametrize("value", [0, -1, -16, True])
def test_sites_and_latents_are_checked(name, value):
    with pytest.raises(ValueError, match="sites"):
        DECODERS[name](value, LATENTS)
    with pytest.raises(ValueError, match="latents"):
        DECODERS[name](SITES, value)


def test_the_linear_decoder_is_linear():
    decoder, z = new_decoder("linear"), latents()
    expected = z @ decoder.log_odds.weight.T + decoder.log_odds.bias
    torch.testing.assert_close(decoder(z).log_odds, expected)
    assert (new_decoder("linear_without_bias")(torch.zeros(1, LATENTS)).log_odds == 0).all()


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
