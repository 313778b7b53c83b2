"""Refitting the prior: it closes the gap to the aggregated posterior, touches nothing else, and never harms."""

import copy
import math

import pytest
import torch

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder, MLPEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.mixture import MixturePrior
from vae_mf.models.tensors import Batch, Condition
from vae_mf.models.vae import VAE
from vae_mf.training.prior_refit import encode, mean_rate, refit_prior

SITES, ROWS = 10, 1600
LEVELS = torch.tensor([0.5, 1.5])
SETTINGS = {"steps": 150, "learning_rate": 2e-2, "batch_size": 256, "seed": 3}


def batches(seed: int, rows: int = ROWS, size: int = 500) -> list[Batch]:
    """Spins that are nearly all equal at the low temperature and independent at the high one."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.arange(rows) % 2
    magnetisation = (0.9 - 0.9 * index) * torch.where(torch.rand(rows, generator=generator) < 0.5, -1.0, 1.0)
    up = torch.rand(rows, SITES, generator=generator) < 0.5 * (1 + magnetisation[:, None])
    spins, condition = torch.where(up, 1.0, -1.0), Condition(LEVELS, index)
    parts = torch.arange(rows).split(size)
    return [Batch(spins[part], condition.select(part)) for part in parts]


def new_vae(prior: torch.nn.Module | None = None) -> VAE:
    """The latent is the magnetisation, up to a factor: two narrow modes at the low temperature."""
    torch.manual_seed(1)
    vae = VAE(LinearEncoder(SITES, 1), LinearDecoder(SITES, 1), prior or MixturePrior(1, components=8, hidden=16))
    with torch.no_grad():
        vae.encoder.projection.weight.fill_(2 / SITES)
        vae.encoder.thermal[-1].bias.copy_(torch.tensor([0.0, 2 * math.log(0.2)]))
    return vae


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@torch.no_grad()
def information(vae: VAE, seed: int) -> float:
    """I_q(x; z|T), the smallest rate of any prior, with the aggregated posterior as a mixture over other encodings."""
    held_out, others = encode(vae, batches(2)), encode(vae, batches(seed))
    generator = torch.Generator().manual_seed(4)
    total = 0.0
    for level in range(len(LEVELS)):
        rows, pool = ((each.condition.index == level).nonzero()[:, 0] for each in (held_out, others))
        posterior, _ = held_out.posterior(rows)
        z = posterior.sample(generator)
        components = torch.distributions.Normal(others.mean[pool, 0], (0.5 * others.log_variance[pool, 0]).exp())
        aggregated = torch.logsumexp(components.log_prob(z), -1) - math.log(len(pool))
        total += float((posterior.log_prob(z) - aggregated).mean()) / len(LEVELS)
    return total


def test_the_rate_falls_to_the_information_of_the_latents():
    vae = new_vae()
    result = refit_prior(vae, batches(1), batches(2), **SETTINGS)
    limit = information(vae, seed=1)
    assert result.kept
    assert result.rate_before > limit + 0.3
    assert result.rate_after == pytest.approx(limit, abs=0.05)


def test_the_rates_are_those_of_the_old_and_the_new_prior():
    vae = new_vae()
    held_out, before = encode(vae, batches(2)), mean_rate(vae.prior, encode(vae, batches(2)), seed=3)
    result = refit_prior(vae, batches(1), batches(2), **SETTINGS)
    assert result.rate_before == before
    assert result.rate_after == mean_rate(vae.prior, held_out, seed=3)
    with torch.no_grad():
        terms = [vae.elbo(*batch, torch.Generator().manual_seed(5)).rate for batch in batches(2)]
    error = torch.cat(terms).std().item() / math.sqrt(ROWS)
    assert abs(torch.cat(terms).mean().item() - result.rate_after) < 5 * error


def test_nothing_but_the_prior_changes():
    vae = new_vae()
    vae.encoder = MLPEncoder(SITES, 1, hidden=8)
    vae.encoder.network.insert(1, torch.nn.BatchNorm1d(8))
    before, state = copy.deepcopy(vae.state_dict()), torch.random.get_rng_state()
    assert vae.training
    refit_prior(vae, batches(1), batches(2), **SETTINGS | {"steps": 5})
    after = vae.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("prior.") for name in changed)
    assert all(parameter.grad is None for parameter in (*vae.encoder.parameters(), *vae.decoder.parameters()))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert vae.training


def test_a_worse_prior_is_not_kept():
    vae = new_vae()
    before = copy.deepcopy(vae.state_dict())
    result = refit_prior(vae, batches(1), batches(2), **SETTINGS | {"learning_rate": 1e3, "steps": 5})
    assert not result.kept
    assert not result.rate_after < result.rate_before
    assert same(before, vae.state_dict())


def test_the_seed_decides_the_result():
    first, again, other = new_vae(), new_vae(), new_vae()
    results = [
        refit_prior(vae, batches(1), batches(2), **SETTINGS | {"steps": 5, "seed": seed})
        for vae, seed in ((first, 3), (again, 3), (other, 4))
    ]
    assert results[0] == results[1] != results[2]
    assert same(first.state_dict(), again.state_dict())
    assert not same(first.state_dict(), other.state_dict())


def test_the_division_into_batches_does_not_matter():
    first, second = encode(new_vae(), batches(1, size=500)), encode(new_vae(), batches(1, size=ROWS))
    torch.testing.assert_close(first.mean, second.mean)
    torch.testing.assert_close(first.log_variance, second.log_variance)
    assert torch.equal(first.condition.index, second.condition.index)
    assert len(first) == ROWS


def test_a_prior_without_parameters_is_left_as_it_is():
    result = refit_prior(new_vae(GaussianPrior(1)), batches(1), batches(2), **SETTINGS)
    assert not result.kept
    assert result.rate_before == result.rate_after


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("batch_size", 0), ("learning_rate", 0.0)])
def test_settings_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        refit_prior(new_vae(), batches(1), batches(2), **SETTINGS | {name: value})


def test_batches_are_checked():
    other = [Batch(spins, Condition(2 * levels, index)) for spins, (levels, index) in batches(1)]
    with pytest.raises(ValueError, match="batches: expected at least one"):
        refit_prior(new_vae(), [], batches(2), **SETTINGS)
    with pytest.raises(ValueError, match="batches: expected the temperatures"):
        encode(new_vae(), [*batches(1), *other])
