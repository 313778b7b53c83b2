"""One battery over all priors, then what is particular to the spline prior."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.model_parts import PRIORS
from helpers.modules import perturbed
from torch.nn import functional

from vae_mf.models.base import LatentDistribution, Prior
from vae_mf.models.priors.autoregressive import AutoregressiveSplinePrior
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.tensors import Condition, constant_condition

TEMPERATURES = (0.4, 2.3, 5.0)
STARTS_NORMAL = {
    "spline": lambda latents, bins: SplinePrior(latents, bins=bins),
    "spline_nflows": lambda latents, bins: SplinePrior(latents, bins=bins, backend="nflows"),
    "autoregressive": lambda latents, bins: AutoregressiveSplinePrior(latents, bins=bins),
}
every_prior = pytest.mark.parametrize("name", PRIORS)
every_own_prior = pytest.mark.parametrize("name", [name for name in PRIORS if name != "toy"])
every_learned_prior = pytest.mark.parametrize("name", [name for name in PRIORS if name != "gaussian"])


def perturbed_prior(name: str, latents: int) -> torch.nn.Module:
    """A prior away from its starting point."""
    torch.manual_seed(0)
    return perturbed(PRIORS[name](latents), 0.15)


def condition_and_latents(
    batch: int = 30, latents: int = 2, dtype: torch.dtype = torch.float32
) -> tuple[Condition, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(0, len(TEMPERATURES), (batch,), generator=generator)
    z = torch.randn(batch, latents, generator=generator, dtype=dtype)
    return Condition(torch.tensor(TEMPERATURES, dtype=dtype), index), z


def grid(temperature: float, latents: int) -> tuple[Condition, torch.Tensor, float]:
    """Points that cover the prior, and the volume of a cell."""
    line = torch.linspace(-9, 9, 18_001 if latents == 1 else 401, dtype=torch.float64)
    z = torch.cartesian_prod(*[line] * latents).reshape(-1, latents)
    return constant_condition(temperature, len(z), like=z), z, float(line[1] - line[0]) ** latents


@every_prior
def test_the_contract_is_kept(name):
    prior = perturbed_prior(name, 2)
    condition, _ = condition_and_latents()
    assert isinstance(prior, Prior)
    assert isinstance(prior(condition), LatentDistribution)
    assert prior.latents == 2


@every_prior
def test_a_factorised_prior_is_a_product_over_the_latents(name):
    condition, z = condition_and_latents(2)
    condition = condition.select(torch.tensor([0, 0, 0, 0]))
    corners = torch.stack([z[0], z[1], torch.stack([z[0, 0], z[1, 1]]), torch.stack([z[1, 0], z[0, 1]])])
    first, second, third, fourth = perturbed_prior(name, 2)(condition).log_prob(corners).double()
    assert (abs(first + second - third - fourth) < 1e-5) == perturbed_prior(name, 2).factorised


@every_own_prior
def test_draws_carry_no_gradient(name):
    condition, _ = condition_and_latents()
    assert not perturbed_prior(name, 2)(condition).sample().requires_grad


@every_prior
def test_log_prob_has_one_finite_number_per_row(name):
    condition, z = condition_and_latents()
    log_prob = perturbed_prior(name, 2)(condition).log_prob(z)
    assert log_prob.shape == (len(z),)
    assert log_prob.dtype == torch.float32
    assert log_prob.isfinite().all()


@every_prior
@pytest.mark.parametrize(("latents", "temperature"), [(1, 0.4), (1, 2.3), (1, 5.0), (2, 2.3)])
def test_density_is_normalised_and_that_of_the_samples(name, latents, temperature):
    """Means of z, of the products of its parts and of log p(z|T), over draws against quadrature, within 5 errors."""
    prior = perturbed_prior(name, latents).double()
    condition, z, cell = grid(temperature, latents)
    first = condition.select(torch.arange(15_000))

    @torch.no_grad()
    def statistics(condition, z):
        products = (z[:, :, None] * z[:, None, :]).flatten(1)
        return torch.column_stack((z, products, prior(condition).log_prob(z)))

    table = statistics(condition, z)
    density = table[:, -1:].exp()
    assert abs(cell * density.sum().item() - 1) < (1e-5 if latents == 1 else 1e-3)
    draws = statistics(first, prior(first).sample(torch.Generator().manual_seed(2)))
    errors = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - cell * (table * density).sum(0)).abs() < 5 * errors).all()


@every_prior
def test_samples_have_one_draw_per_row_and_follow_the_generator(name):
    condition, z = condition_and_latents()
    distribution = perturbed_prior(name, 2)(condition)
    first, again, other = (distribution.sample(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert first.shape == z.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert distribution.sample().shape == z.shape


@every_prior
def test_rows_are_independent(name):
    condition, z = condition_and_latents()
    prior = perturbed_prior(name, 2)
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(5))
    log_prob = prior(condition).log_prob(z)
    torch.testing.assert_close(prior(condition.select(order)).log_prob(z[order]), log_prob[order])
    for level, temperature in enumerate(TEMPERATURES):
        members = condition.index == level
        alone = prior(constant_condition(temperature, int(members.sum()), like=z)).log_prob(z[members])
        torch.testing.assert_close(alone, log_prob[members])


@every_prior
def test_autocast_leaves_float32(name):
    condition, z = condition_and_latents()
    prior = perturbed_prior(name, 2)
    z = z.bfloat16()
    expected = prior(condition).log_prob(z.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distribution = prior(condition)
        log_prob, sample = distribution.log_prob(z), distribution.sample()
    assert log_prob.dtype == sample.dtype == torch.float32
    assert torch.equal(log_prob, expected)


@every_own_prior
@pytest.mark.parametrize("latents", [0, -1, True])
def test_latents_are_checked(name, latents):
    with pytest.raises(ValueError, match="latents"):
        PRIORS[name](latents)


@every_learned_prior
def test_every_parameter_and_the_latents_get_a_finite_gradient(name):
    condition, z = condition_and_latents()
    prior = perturbed_prior(name, 2)
    prior(condition).log_prob(z.requires_grad_()).sum().backward()
    for each in (z, *prior.parameters()):
        assert each.grad.isfinite().all()
        assert each.grad.any()


@every_prior
@pytest.mark.parametrize("distance", [1e-30, 8.0, 1e4])
def test_far_and_near_points_leave_density_and_gradients_finite(name, distance):
    condition, z = condition_and_latents()
    prior = perturbed_prior(name, 2)
    z[:, 0] = distance * z[:, 0].sign()
    log_prob = prior(condition).log_prob(z.requires_grad_())
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in prior.parameters())


@every_learned_prior
def test_density_depends_on_temperature(name):
    z = torch.ones(9, 2)
    prior = perturbed_prior(name, 2)
    cold, warm = (prior(constant_condition(temperature, 9, like=z)).log_prob(z) for temperature in (0.5, 4.0))
    assert (cold - warm).abs().min() > 1e-3


@pytest.mark.slow  # tests/cuda compiles whole steps
def test_log_prob_compiles_to_one_graph():
    """In a process of its own, because the run-time checks of the shapes under pytest are no part of any graph."""
    script = """
import torch
from models.test_priors import condition_and_latents, perturbed_prior
from vae_mf.models.tensors import Condition
for name in ("spline", "autoregressive", "mixture_warped"):
    prior, (condition, z) = perturbed_prior(name, 2), condition_and_latents()
    def log_prob(levels, index, z):
        return prior(Condition(levels, index)).log_prob(z)
    compiled = torch.compile(log_prob, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*condition, z), log_prob(*condition, z))
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize(("name", "bins"), [(name, bins) for name in STARTS_NORMAL for bins in (2, 8, 16)])
def test_spline_priors_start_from_the_standard_normal(name, bins):
    condition, z = condition_and_latents(200, latents=3, dtype=torch.float64)
    z[0, 0], z[1, 0], z[2, 0], z[3, 0] = 8.0, -8.0, 20.0, 0.0
    actual = STARTS_NORMAL[name](3, bins).double()(condition).log_prob(z)
    torch.testing.assert_close(actual, GaussianPrior(3)(condition).log_prob(z), rtol=1e-12, atol=1e-12)


def corners(count: int) -> tuple[Condition, torch.Tensor]:
    """One of the points ±2 e_1 and ±2 e_2 with noise of 0.2: like one of two patterns and its sign."""
    generator = torch.Generator().manual_seed(7)
    sign, pattern = torch.randint(0, 2, (2, count), generator=generator)
    z = 2.0 * (2 * sign - 1)[:, None] * functional.one_hot(pattern, 2) + 0.2 * torch.randn(
        count, 2, generator=generator
    )
    return constant_condition(0.5, count, like=z), z


SEVERAL_SECONDS = pytest.param("autoregressive", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["spline", SEVERAL_SECONDS, "mixture", "mixture_warped"])
def test_which_priors_hold_exactly_one_pattern(name):
    """The entropy is known; a product of the marginals lacks the total correlation of the two latents, ln 2."""
    condition, z = corners(2000)
    torch.manual_seed(7)
    prior = PRIORS[name](2)
    optimiser = torch.optim.Adam(prior.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 200)
    for step in range(200):
        part = torch.arange(250 * (step % 8), 250 * (step % 8) + 250)
        loss = -prior(condition.select(part)).log_prob(z[part]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        excess = -prior(condition).log_prob(z).mean() - math.log(4 * 2 * math.pi * math.e * 0.2**2)
    assert excess == pytest.approx(math.log(2) if prior.factorised else 0.0, abs=0.1)


def test_spline_backends_agree_on_the_same_weights():
    condition, z = condition_and_latents(200, dtype=torch.float64)
    fast = perturbed(SplinePrior(2), 0.15).double()
    nflows = SplinePrior(2, backend="nflows").double()
    nflows.load_state_dict(fast.state_dict())
    results = []
    for prior in (fast, nflows):
        log_prob = prior(condition).log_prob(z)
        log_prob.square().sum().backward()
        sample = prior(condition).sample(torch.Generator().manual_seed(6))
        results.append([log_prob, sample, *(parameter.grad for parameter in prior.parameters())])
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


def test_spline_prior_learns_two_modes():
    """Two narrow modes at the low temperature, one at the high: entropies known, the standard Normal far behind."""
    torch.manual_seed(7)
    index = torch.arange(400) % 2
    condition = Condition(torch.tensor([0.5, 4.0]), index)
    sign = torch.where(torch.rand(400) < 0.5, -1.0, 1.0)
    z = ((1 - index) * 2 * sign + 0.3 * torch.randn(400))[:, None]
    prior = SplinePrior(1, layers=2, bins=8)
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -prior(condition).log_prob(z).mean()
        loss.backward()
        optimizer.step()
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.3**2) + 0.5 * math.log(2)
    assert -GaussianPrior(1)(condition).log_prob(z).mean() > entropy + 1
    assert abs(loss.item() - entropy) < 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layers", 0),
        ("bins", 1),
        ("bins", 1000),
        ("bound", 0.0),
        ("bound", math.inf),
        ("hidden", 0),
        ("backend", "zuko"),
    ],
)
def test_spline_prior_checks_its_arguments(name, value):
    with pytest.raises(ValueError, match=name):
        SplinePrior(2, **{name: value})
