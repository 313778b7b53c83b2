"""One battery over all priors, then what is particular to the spline prior."""

import math
import subprocess
import sys

import pytest
import torch

from vae_mf.models.priors import GaussianPrior, SplinePrior
from vae_mf.models.tensors import Condition, constant_condition

PRIORS = {
    "gaussian": GaussianPrior,
    "spline": lambda latents: SplinePrior(latents, layers=2, bins=8, hidden=16),
    "spline_nflows": lambda latents: SplinePrior(latents, layers=2, bins=8, hidden=16, backend="nflows"),
}
TEMPERATURES = (0.1, 2.3, 5.0)
every_prior = pytest.mark.parametrize("name", PRIORS)


def trained(name: str, latents: int) -> torch.nn.Module:
    """A prior away from its starting point."""
    torch.manual_seed(0)
    return perturb(PRIORS[name](latents))


def perturb(prior: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += 0.15 * torch.randn(parameter.shape, generator=generator)
    return prior


def rows(batch: int = 30, latents: int = 2, dtype: torch.dtype = torch.float32) -> tuple[Condition, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(0, len(TEMPERATURES), (batch,), generator=generator)
    z = torch.randn(batch, latents, generator=generator, dtype=dtype)
    return Condition(torch.tensor(TEMPERATURES, dtype=dtype), index), z


def grid(temperature: float) -> tuple[Condition, torch.Tensor]:
    z = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]
    return constant_condition(temperature, len(z), like=z), z


@every_prior
def test_log_prob_has_one_finite_number_per_row(name):
    condition, z = rows()
    log_prob = trained(name, 2)(condition).log_prob(z)
    assert log_prob.shape == (len(z),)
    assert log_prob.dtype == torch.float32
    assert log_prob.isfinite().all()


@every_prior
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_density_integrates_to_one(name, temperature):
    condition, z = grid(temperature)
    density = trained(name, 1).double()(condition).log_prob(z).exp()
    torch.testing.assert_close(torch.trapezoid(density, z[:, 0]).item(), 1.0, rtol=0, atol=1e-5)


@every_prior
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_samples_follow_the_density(name, temperature):
    """Means of z, z² and log p(z) over draws against quadrature, within five standard errors."""
    prior = trained(name, 1).double()
    condition, z = grid(temperature)
    draws = prior(condition).sample(torch.Generator().manual_seed(2))

    def statistics(z):
        return torch.stack((z[:, 0], z[:, 0].square(), prior(condition).log_prob(z).detach()))

    density = prior(condition).log_prob(z).exp().detach()
    expected = torch.trapezoid(statistics(z) * density, z[:, 0])
    measured = statistics(draws)
    assert ((measured.mean(1) - expected).abs() < 5 * measured.std(1) / math.sqrt(len(draws))).all()


@every_prior
def test_samples_have_one_draw_per_row_and_follow_the_generator(name):
    condition, z = rows()
    distribution = trained(name, 2)(condition)
    first, again, other = (distribution.sample(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert first.shape == z.shape
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert distribution.sample().shape == z.shape


@every_prior
def test_rows_are_independent(name):
    condition, z = rows()
    prior = trained(name, 2)
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(5))
    log_prob = prior(condition).log_prob(z)
    torch.testing.assert_close(prior(condition.select(order)).log_prob(z[order]), log_prob[order])
    for level, temperature in enumerate(TEMPERATURES):
        members = condition.index == level
        alone = prior(constant_condition(temperature, int(members.sum()), like=z)).log_prob(z[members])
        torch.testing.assert_close(alone, log_prob[members])


@every_prior
def test_autocast_leaves_float32(name):
    condition, z = rows()
    prior = trained(name, 2)
    z = z.bfloat16()
    expected = prior(condition).log_prob(z.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distribution = prior(condition)
        log_prob, sample = distribution.log_prob(z), distribution.sample()
    assert log_prob.dtype == sample.dtype == torch.float32
    assert torch.equal(log_prob, expected)


@every_prior
@pytest.mark.parametrize("latents", [0, -1, True])
def test_latents_are_checked(name, latents):
    with pytest.raises(ValueError, match="latents"):
        PRIORS[name](latents)


@pytest.mark.parametrize("backend", ["fast", "nflows"])
@pytest.mark.parametrize("bins", [2, 8, 16])
def test_spline_prior_starts_from_the_standard_normal(backend, bins):
    condition, z = rows(200, latents=3, dtype=torch.float64)
    z[0, 0], z[1, 0], z[2, 0], z[3, 0] = 8.0, -8.0, 20.0, 0.0
    actual = SplinePrior(3, bins=bins, backend=backend).double()(condition).log_prob(z)
    torch.testing.assert_close(actual, GaussianPrior(3)(condition).log_prob(z), rtol=1e-12, atol=1e-12)


def test_spline_backends_agree_on_the_same_weights():
    condition, z = rows(200, dtype=torch.float64)
    fast = perturb(SplinePrior(2)).double()
    nflows = SplinePrior(2, backend="nflows").double()
    nflows.load_state_dict(fast.state_dict())
    results = []
    for prior in (fast, nflows):
        log_prob = prior(condition).log_prob(z)
        log_prob.square().sum().backward()
        sample = prior(condition).sample(torch.Generator().manual_seed(6))
        results.append([log_prob, sample, *(parameter.grad for parameter in prior.parameters())])
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-9)


def test_spline_prior_depends_on_temperature():
    z = torch.ones(9, 2)
    prior = trained("spline", 2)
    cold, warm = (prior(constant_condition(temperature, 9, like=z)).log_prob(z) for temperature in (1.0, 2.0))
    assert (cold - warm).abs().min() > 1e-3


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


def test_fast_spline_log_prob_compiles_to_one_graph():
    """In a process of its own, because the run-time checks of the shapes under pytest are no part of any graph."""
    script = """
import torch
from vae_mf.models.priors import SplinePrior
from vae_mf.models.tensors import Condition
prior = SplinePrior(2, layers=2, bins=8)
def log_prob(levels, index, z):
    return prior(Condition(levels, index)).log_prob(z)
arguments = torch.tensor([0.5, 2.0]), torch.arange(30) % 2, torch.randn(30, 2)
compiled = torch.compile(log_prob, fullgraph=True, backend="eager")
torch.testing.assert_close(compiled(*arguments), log_prob(*arguments))
"""
    subprocess.run([sys.executable, "-c", script], check=True)


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
