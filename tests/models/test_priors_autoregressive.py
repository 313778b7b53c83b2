"""The autoregressive spline prior: parity with the flow of nflows, its Jacobian, and the order of its latents."""

import pytest
import torch
from helpers.modules import perturbed
from nflows.transforms.autoregressive import MaskedPiecewiseRationalQuadraticAutoregressiveTransform
from torch.nn import functional

from vae_mf.models.priors.autoregressive import AutoregressiveSplinePrior
from vae_mf.models.priors.spline import SplineLayer
from vae_mf.models.priors.splines import UNIT_DERIVATIVE
from vae_mf.models.temperature import temperature_features
from vae_mf.models.tensors import Condition

LATENTS, BINS, BOUND, BATCH = 3, 6, 4.0, 50


def perturbed_prior(layers: int = 2) -> AutoregressiveSplinePrior:
    torch.manual_seed(0)
    return perturbed(AutoregressiveSplinePrior(LATENTS, layers, BINS, BOUND, hidden=16).double(), 0.3)


def condition_and_latents() -> tuple[Condition, torch.Tensor]:
    """Points inside and outside the splines' interval at two temperatures."""
    z = 2 * torch.randn(BATCH, LATENTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Condition(torch.tensor([0.5, 2.0], dtype=torch.float64), torch.arange(BATCH) % 2), z


def only_layer(prior: AutoregressiveSplinePrior, condition: Condition) -> SplineLayer:
    (layer,) = prior(condition).layers
    return layer


def test_a_layer_equals_the_transform_of_nflows():
    prior, (condition, z) = perturbed_prior(layers=1), condition_and_latents()
    context = temperature_features(condition.temperatures, like=z)[condition.index]
    peer = MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        LATENTS, 16, 2, BINS, "linear", BOUND, num_blocks=1, activation=functional.silu
    ).double()
    peer.autoregressive_net.load_state_dict(prior.networks[0].state_dict())
    with torch.no_grad():
        # nflows has no offset that makes zeros the identity.
        peer.autoregressive_net.final_layer.bias.view(LATENTS, -1)[:, 2 * BINS :] += UNIT_DERIVATIVE
        expected, log_determinant = peer(z, context)
        value, log_derivative = only_layer(prior, condition).forward(z)
    torch.testing.assert_close(value.flip(-1), expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(log_derivative.sum(-1), log_determinant, rtol=1e-11, atol=1e-11)


def test_each_latent_depends_on_those_before_it_and_no_others():
    prior, (condition, z) = perturbed_prior(layers=1), condition_and_latents()
    layer = only_layer(prior, condition)
    jacobian = torch.autograd.functional.jacobian(lambda z: layer.forward(z).value.flip(-1).sum(0), z)
    upper = torch.triu(torch.ones(LATENTS, LATENTS, dtype=torch.bool), 1)[:, None, :].expand_as(jacobian)
    lower = torch.tril(torch.ones(LATENTS, LATENTS, dtype=torch.bool), -1)[:, None, :].expand_as(jacobian)
    assert not jacobian[upper].any()
    assert jacobian[lower].view(-1, BATCH).any(1).all()


def test_density_is_that_of_the_change_of_variables():
    """The full Jacobian of all layers: log p(z) = log Normal(u; 0, I) + log |det ∂u/∂z|."""
    prior, (condition, z) = perturbed_prior(), condition_and_latents()
    distribution = prior(condition)

    def noise(z):
        for layer in distribution.layers:
            z = layer.forward(z).value
        return z

    jacobian = torch.autograd.functional.jacobian(lambda z: noise(z).sum(0), z).transpose(0, 1)
    expected = distribution.base.log_prob(noise(z)) + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(distribution.log_prob(z), expected, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_the_inverse_undoes_a_layer():
    prior, (condition, z) = perturbed_prior(layers=1), condition_and_latents()
    layer = only_layer(prior, condition)
    forward = layer.forward(z)
    inverse = layer.inverse(forward.value)
    torch.testing.assert_close(inverse.value, z, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse.log_derivative.flip(-1), -forward.log_derivative, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "value"),
    [("layers", 0), ("bins", 1), ("bins", 1000), ("bound", 0.0), ("hidden", 0), ("blocks", 0), ("blocks", True)],
)
def test_arguments_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        AutoregressiveSplinePrior(2, **{name: value})
