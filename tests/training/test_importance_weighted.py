"""The importance-weighted bound against quadrature, training with it, and the encoder that is refitted after it."""

import copy
import math

import numpy as np
import pytest
import torch

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.tensors import Batch, constant_condition
from vae_mf.models.vae import VAE
from vae_mf.training.encoder_refit import refit_encoder
from vae_mf.training.vae_module import VAEModule

SITES, ROWS = 6, 400
SETTINGS = {"steps": 200, "learning_rate": 2e-2, "seed": 3}


def silent_words() -> torch.Tensor:
    """Words that are nearly always silent: a latent variable has a skewed posterior."""
    generator = torch.Generator().manual_seed(1)
    strength = torch.randn(ROWS, 1, generator=generator)
    return torch.where(torch.rand(ROWS, SITES, generator=generator) < torch.sigmoid(2 * strength - 3), 1.0, -1.0)


def new_vae() -> VAE:
    torch.manual_seed(2)
    vae = VAE(LinearEncoder(SITES, 1), LinearDecoder(SITES, 1), GaussianPrior(1)).double()
    with torch.no_grad():
        vae.decoder.log_odds.weight.fill_(2.0)
        vae.decoder.log_odds.bias.fill_(-3.0)
    return vae


def batch(words: torch.Tensor) -> Batch:
    return Batch(words.double(), constant_condition(1.0, len(words), torch.zeros(1, dtype=torch.float64)))


def batches(size: int = 100) -> list[Batch]:
    return [batch(part) for part in silent_words().split(size)]


@torch.no_grad()
def exact(vae: VAE, words: torch.Tensor) -> torch.Tensor:
    """The likelihood ln p(s) by Gauss-Hermite quadrature over z ~ Normal(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    grid = torch.from_numpy(nodes)[:, None]
    logits = vae.decoder(grid).log_odds
    joint = torch.nn.functional.logsigmoid(words.double()[:, None, :] * logits).sum(-1)
    return torch.logsumexp(joint + torch.from_numpy(np.log(weights / math.sqrt(2 * math.pi))), -1)


def bound(vae: VAE, draws: int, seed: int = 5) -> torch.Tensor:
    given = batch(silent_words())
    noise = vae.noise(given.condition, torch.Generator().manual_seed(seed), draws)
    with torch.no_grad():
        return vae.importance_bound_at(noise, *given).bound


def test_one_draw_gives_the_evidence_bound():
    vae, given = new_vae(), batch(silent_words())
    noise = vae.noise(given.condition, torch.Generator().manual_seed(5), 1)
    several, one = vae.importance_bound_at(noise, *given), vae.elbo_at(noise[0], *given)
    for found, expected in zip(several, (one.log_likelihood, one.rate, one.elbo), strict=True):
        torch.testing.assert_close(found, expected)


def test_many_draws_give_the_likelihood_and_fewer_a_lower_bound():
    vae = new_vae()
    truth = exact(vae, silent_words())
    one, eight, many = (bound(vae, draws) for draws in (1, 8, 4096))
    torch.testing.assert_close(many, truth, atol=0.2, rtol=0)
    assert abs((many - truth).mean()) < 5 * (many - truth).std() / math.sqrt(ROWS) + 2e-3
    error = (eight - one).std() / math.sqrt(ROWS)
    assert one.mean() < eight.mean() - 3 * error
    assert eight.mean() < truth.mean()


def test_the_terms_are_means_over_the_draws():
    vae, given = new_vae(), batch(silent_words())
    noise = vae.noise(given.condition, torch.Generator().manual_seed(5), 3)
    several = vae.importance_bound_at(noise, *given)
    single = [vae.elbo_at(part, *given) for part in noise]
    weights = torch.stack([terms.elbo for terms in single])
    torch.testing.assert_close(several.log_likelihood, sum(terms.log_likelihood for terms in single) / 3)
    torch.testing.assert_close(several.rate, sum(terms.rate for terms in single) / 3)
    torch.testing.assert_close(several.bound, torch.logsumexp(weights, 0) - math.log(3))


@pytest.mark.parametrize("draws", [0, -1])
def test_draws_must_be_a_positive_integer(draws):
    with pytest.raises(ValueError, match="draws: expected"):
        VAEModule(new_vae(), 1e-3, 0.0, 0.9, seed=1, draws=draws)


def test_the_refitted_encoder_comes_close_to_the_posterior():
    vae = new_vae()
    before, state = copy.deepcopy(vae.state_dict()), torch.random.get_rng_state()
    result = refit_encoder(vae, batches(), batches(), **SETTINGS)
    assert result.kept
    assert result.bound_after > result.bound_before + 0.05
    assert result.bound_after < exact(vae, silent_words()).mean()
    after = vae.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoder.") for name in changed)
    assert all(parameter.grad is None for parameter in vae.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_running_averages_of_the_decoder_stay_as_they_are():
    vae = new_vae()
    vae.decoder = torch.nn.Sequential(torch.nn.BatchNorm1d(1).double(), vae.decoder)
    before = copy.deepcopy(vae.decoder.state_dict())
    refit_encoder(vae, batches(), batches(), **SETTINGS | {"steps": 5})
    assert all(torch.equal(value, before[name]) for name, value in vae.decoder.state_dict().items())
    assert vae.training


def test_a_worse_encoder_is_not_kept():
    vae = new_vae()
    before = copy.deepcopy(vae.state_dict())
    result = refit_encoder(vae, batches(), batches(), **SETTINGS | {"learning_rate": 1e3, "steps": 5})
    assert not result.kept
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())


def test_the_seed_decides_the_refit():
    results = [
        refit_encoder(new_vae(), batches(), batches(), **SETTINGS | {"seed": seed, "steps": 5}) for seed in (3, 3, 4)
    ]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"steps": 0}, "steps: expected"), ({"learning_rate": 0.0}, "learning_rate: expected")],
    ids=["steps", "learning_rate"],
)
def test_a_refit_refuses_what_it_cannot_use(wrong, message):
    with pytest.raises(ValueError, match=message):
        refit_encoder(new_vae(), batches(), batches(), **SETTINGS | wrong)
    with pytest.raises(ValueError, match="validation: expected at least one batch"):
        refit_encoder(new_vae(), batches(), [], **SETTINGS)
    with pytest.raises(ValueError, match="train: expected at least one batch"):
        refit_encoder(new_vae(), [], batches(), **SETTINGS)
