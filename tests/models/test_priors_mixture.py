"""The mixture prior: its density and its draws against torch.distributions, its start, and its modes."""

import math

import pytest
import torch
from helpers.modules import perturbed
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from vae_mf.models.priors import mixture
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.mixture import GaussianMixture, MixturePrior
from vae_mf.models.priors.mixture_loops import BLOCK, log_density
from vae_mf.models.tensors import Condition, constant_condition

LEVELS, COMPONENTS, LATENTS = (0.5, 1.0, 2.0), 5, 3


def perturbed_prior(**options) -> MixturePrior:
    torch.manual_seed(0)
    return perturbed(MixturePrior(LATENTS, COMPONENTS, hidden=16, **options).double(), 0.2)


def condition_and_latents(batch: int) -> tuple[Condition, torch.Tensor]:
    z = 2 * torch.randn(batch, LATENTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Condition(torch.tensor(LEVELS, dtype=torch.float64), torch.arange(batch) % len(LEVELS)), z


def reference(mixture: GaussianMixture, level: int) -> MixtureSameFamily:
    log_weights, means, whitening = (part[level].detach() for part in mixture.components)
    precision = whitening.transpose(-1, -2) @ whitening
    return MixtureSameFamily(Categorical(logits=log_weights), MultivariateNormal(means, precision_matrix=precision))


def test_density_equals_that_of_torch():
    condition, z = condition_and_latents(60)
    mixture = perturbed_prior()(condition)
    log_prob = mixture.log_prob(z)
    for level in range(len(LEVELS)):
        part = condition.index == level
        torch.testing.assert_close(log_prob[part], reference(mixture, level).log_prob(z[part]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize(("distance", "deviation"), [(0.0, 1.0), (6.0, 1e-3), (300.0, 1e-2), (1e-4, 1e-4)])
def test_density_in_single_precision_is_that_in_double(levels, distance, deviation):
    """Narrow components far out, too, where squares of the means are 10^8 times the distances that count."""
    generator = torch.Generator().manual_seed(3)
    means = distance + torch.randn(levels, 7, 2, generator=generator)
    whitening = torch.randn(levels, 7, 2, 2, generator=generator).tril() / deviation
    whitening.diagonal(dim1=-2, dim2=-1).abs_().clamp_(min=0.1 / deviation)
    logits = torch.randn(levels, 7, generator=generator)
    whitening.diagonal(dim1=-2, dim2=-1).log_()
    outputs = torch.cat((logits[..., None], means, whitening.flatten(-2)), dim=-1)
    index = torch.arange(210) % levels
    noise = deviation * torch.randn(210, 2, generator=generator)
    z = means[index, torch.arange(210) % 7] + noise
    expected, *gradients = evaluated(outputs.double(), index, z.double())
    found, *found_gradients = evaluated(outputs, index, z)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=2e-5)
    require_close(found_gradients, gradients, 2e-5)


def evaluated(outputs: torch.Tensor, index: torch.Tensor, z: torch.Tensor) -> list[torch.Tensor]:
    """Return the density of rows and the gradients of its weighted sum by rows, logits, means and triangles."""
    rows, given = z.clone().requires_grad_(), outputs.clone().requires_grad_()
    density = GaussianMixture(given, index).log_prob(rows)
    weights = torch.linspace(-1, 2, len(z), dtype=z.dtype)
    by_rows, by_outputs = torch.autograd.grad((weights * density).sum(), (rows, given))
    return [density.detach(), by_rows, *by_outputs.split((1, z.shape[1], z.shape[1] ** 2), dim=-1)]


def require_close(found: list[torch.Tensor], expected: list[torch.Tensor], share: float) -> None:
    """Hold gradients against others, up to a share of their largest entry."""
    for one, other in zip(found, expected, strict=True):
        scale = other.abs().amax()
        torch.testing.assert_close(one / scale, (other / scale).to(one.dtype), rtol=0, atol=share)


@pytest.mark.parametrize(("levels", "rows"), [(1, 60), (1, BLOCK + 90), (3, 60)])
def test_loops_and_products_are_the_same_density_with_the_same_gradient(levels, rows, monkeypatch):
    condition = Condition(torch.tensor(LEVELS[:levels], dtype=torch.float64), torch.arange(rows) % levels)
    outputs = perturbed_prior()(condition).outputs.detach()
    z = 2 * torch.randn(LATENTS, rows, dtype=torch.float64).T  # not contiguous
    by_loops = evaluated(outputs, condition.index, z)
    monkeypatch.setattr(mixture, "can_loop", lambda z: False)
    by_products = evaluated(outputs, condition.index, z)
    require_close(by_loops, by_products, 1e-12)


def test_first_and_second_derivatives_are_those_of_differences():
    condition, z = condition_and_latents(4)
    outputs = perturbed_prior()(condition).outputs.detach()[:, :2].requires_grad_()
    given = (z.requires_grad_(), condition.index, outputs)
    assert torch.autograd.gradcheck(log_density, given)
    assert torch.autograd.gradgradcheck(log_density, given)
    assert torch.autograd.gradgradcheck(log_density, (z, condition.index, outputs.detach()))


def test_far_components_cost_no_more_than_near_ones():
    """Shares of components hundreds of nats below the highest would be too small for normal numbers.

    Nor do they pull, however narrow they are: a share that was not zero met the square of an inverse width.
    """
    outputs = torch.zeros(1, 64, 7)
    outputs[..., 1:3] = torch.linspace(0, 60, 64)[:, None]
    outputs[0, -1, [3, 6]] = 40
    z = torch.zeros(3, 2)
    (by_outputs,) = torch.autograd.grad(
        GaussianMixture(outputs.requires_grad_(), torch.zeros(3, dtype=torch.long)).log_prob(z).sum(), outputs
    )
    tiny = torch.finfo(torch.float32).tiny
    assert not ((by_outputs != 0) & (by_outputs.abs() < tiny)).any()
    assert not by_outputs[0, -1, 1:].any()


def test_densities_can_be_transformed():
    condition, z = condition_and_latents(6)
    density = perturbed_prior()(condition)
    _, slope = torch.func.vjp(density.log_prob, z)
    (gradient,) = torch.autograd.grad(density.log_prob(z.requires_grad_()).sum(), z)
    torch.testing.assert_close(slope(torch.ones(6, dtype=z.dtype))[0], gradient)


def test_draws_have_the_mean_and_the_covariance_of_their_level():
    condition, _ = condition_and_latents(30_000)
    mixture = perturbed_prior()(condition)
    draws = mixture.sample(torch.Generator().manual_seed(2))
    for level in range(len(LEVELS)):
        part, expected = draws[condition.index == level], reference(mixture, level)
        error = part.std(0) / math.sqrt(len(part))
        assert ((part.mean(0) - expected.mean).abs() < 5 * error).all()
        # The density of each component decides the off-diagonal moments too.
        peer = expected.sample((30_000,))
        products, peers = (torch.einsum("ni,nj->nij", each, each) for each in (part, peer))
        error = torch.hypot(products.std(0) / math.sqrt(len(part)), peers.std(0) / math.sqrt(len(peer)))
        assert ((products.mean(0) - peers.mean(0)).abs() < 5 * error).all()


@pytest.mark.parametrize("latents", [1, 2, 3])
def test_it_starts_close_to_the_standard_normal(latents):
    """KL(Normal(0, I) || start) by Monte Carlo, at every temperature alike."""
    torch.manual_seed(3)
    z = torch.randn(20_000, latents)
    condition = Condition(torch.tensor(LEVELS), torch.arange(len(z)) % len(LEVELS))
    with torch.no_grad():
        divergence = (
            GaussianPrior(latents)(condition).log_prob(z) - MixturePrior(latents)(condition).log_prob(z)
        ).mean()
    assert 0 < divergence < 0.05


def test_the_start_tells_the_components_apart():
    """Equal components would stay equal for ever."""
    torch.manual_seed(4)
    means = MixturePrior(2)(constant_condition(1.0, 1, torch.ones(1))).components.means[0].detach()
    assert torch.pdist(means).min() > 1e-3
    torch.testing.assert_close(means.mean(0), torch.zeros(2), atol=1e-6, rtol=0)


def test_it_finds_six_separate_modes_with_their_weights():
    """One of ±2 e_μ in three dimensions with noise of 0.15, pattern μ as often as μ: the entropy is known."""
    generator = torch.Generator().manual_seed(5)
    weights = torch.tensor([1.0, 2.0, 3.0]) / 6
    pattern = torch.multinomial(weights, 6000, replacement=True, generator=generator)
    sign = torch.where(torch.rand(6000, generator=generator) < 0.5, -1.0, 1.0)
    z = 2 * sign[:, None] * torch.eye(3)[pattern] + 0.15 * torch.randn(6000, 3, generator=generator)
    condition = constant_condition(0.5, 6000, like=z)
    torch.manual_seed(5)
    prior = MixturePrior(3)
    optimiser = torch.optim.Adam(prior.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
    for _ in range(300):
        part = torch.randint(6000, (300,), generator=generator)
        loss = -prior(condition.select(part)).log_prob(z[part]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        cross_entropy = -prior(condition).log_prob(z).mean()
        draws = prior(condition).sample(generator)
    entropy = 1.5 * math.log(2 * math.pi * math.e * 0.15**2) + math.log(2) - (weights * weights.log()).sum()
    assert cross_entropy == pytest.approx(float(entropy), abs=0.1)
    share = torch.bincount(draws.abs().argmax(1), minlength=3) / 6000
    torch.testing.assert_close(share, weights, atol=0.03, rtol=0)


def test_a_warp_changes_the_density_and_starts_without_effect():
    condition, z = condition_and_latents(30)
    torch.manual_seed(6)
    plain = MixturePrior(LATENTS, COMPONENTS).double()
    warped = MixturePrior(LATENTS, COMPONENTS, layers=2, bins=4).double()
    warped.network.load_state_dict(plain.network.state_dict())
    torch.testing.assert_close(warped(condition).log_prob(z), plain(condition).log_prob(z))
    with torch.no_grad():
        warped.warp.network[-1].bias += 0.5 * torch.randn(warped.warp.network[-1].bias.shape)
    assert (warped(condition).log_prob(z) - plain(condition).log_prob(z)).abs().max() > 0.01


@pytest.mark.parametrize(("name", "value"), [("components", 0), ("hidden", 0), ("layers", -1), ("components", True)])
def test_arguments_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        MixturePrior(2, **{name: value})


@pytest.mark.parametrize(("name", "value"), [("bins", 1), ("bound", 0.0)])
def test_arguments_of_the_warp_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        MixturePrior(2, layers=1, **{name: value})
