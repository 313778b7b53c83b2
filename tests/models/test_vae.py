"""The bounds of the VAE against quadrature over one latent, and against Hopfield networks that it can hold exactly."""

import math

import numpy as np
import pytest
import torch
from helpers.exact_models import all_states, exact_vae
from helpers.model_parts import ToyDecoder, ToyEncoder, ToyPrior

from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.directors.decoders import SharedBinghamDecoder
from vae_mf.models.encoders import MLPEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.tensors import Condition, constant_condition
from vae_mf.models.vae import VAE
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SITES, STATES = 6, 64
GRID = torch.linspace(-9, 9, 2001, dtype=torch.float64)[:, None]


@pytest.fixture(scope="module")
def vae() -> VAE:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(SITES, 1, hidden=8), LinearDecoder(SITES, 1), GaussianPrior(1)).double()
    with torch.no_grad():
        vae.decoder.log_odds.weight *= 2
        vae.encoder.network[-1].bias += torch.tensor([0.3, -0.5])
    return vae.requires_grad_(False)


def one_temperature(count: int) -> Condition:
    return constant_condition(1.3, count, like=GRID)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def log_joint(vae: VAE) -> torch.Tensor:
    """Ln p(s, z) of all configurations (rows) at all points of the grid (columns)."""
    log_odds = vae.decoder(GRID).log_odds
    log_likelihood = torch.nn.functional.logsigmoid(all_states(SITES)[:, None] * log_odds).sum(-1)
    return log_likelihood + vae.prior(one_temperature(len(GRID))).log_prob(GRID)


def exact_log_likelihood(vae: VAE) -> torch.Tensor:
    return torch.logsumexp(log_joint(vae), 1) + math.log(GRID[1, 0] - GRID[0, 0])


def exact_elbo(vae: VAE) -> torch.Tensor:
    posterior = vae.encode(all_states(SITES), one_temperature(STATES))
    log_q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp()).log_prob(GRID.T)
    return torch.trapezoid(log_q.exp() * (log_joint(vae) - log_q), GRID[:, 0])


def repeated(draws: int) -> tuple[torch.Tensor, Condition]:
    return all_states(SITES).repeat_interleave(draws, 0), one_temperature(STATES * draws)


def test_probabilities_of_all_configurations_sum_to_one(vae):
    torch.testing.assert_close(exact_log_likelihood(vae).exp().sum().item(), 1.0, rtol=1e-10, atol=0)


def test_elbo_is_unbiased(vae):
    draws = 2000
    elbo = vae.elbo(*repeated(draws), seeded(1)).elbo.view(STATES, draws)
    error = elbo.std(1) / math.sqrt(draws)
    assert ((elbo.mean(1) - exact_elbo(vae)).abs() < 5 * error).all()


def test_rate_averages_to_the_divergence_from_the_prior(vae):
    draws = 2000
    posterior = vae.encode(all_states(SITES), one_temperature(STATES))
    expected = 0.5 * (posterior.mean**2 + posterior.log_variance.exp() - 1 - posterior.log_variance).sum(-1)
    rate = vae.elbo(*repeated(draws), seeded(2)).rate.view(STATES, draws)
    assert ((rate.mean(1) - expected).abs() < 5 * rate.std(1) / math.sqrt(draws)).all()


def test_importance_weights_tend_to_the_log_likelihood(vae):
    estimate = vae.log_likelihood(all_states(SITES), one_temperature(STATES), 500, seeded(3))
    torch.testing.assert_close(estimate, exact_log_likelihood(vae), rtol=0, atol=0.4)
    assert (estimate - exact_log_likelihood(vae)).mean().abs() < 0.03


def test_the_importance_weights_are_unbiased(vae):
    draws = 2000
    weights = vae.log_likelihood(*repeated(draws), 3, seeded(4)).exp().view(STATES, draws)
    error = weights.std(1) / math.sqrt(draws)
    assert ((weights.mean(1) - exact_log_likelihood(vae).exp()).abs() < 5 * error).all()


def test_bounds_are_ordered(vae):
    """ELBO < IWAE(2) < IWAE(8) < ln p(s), each by more than its error, averaged over draws and configurations."""
    draws = 300
    bounds = [exact_elbo(vae).mean()]
    for k in (2, 8):
        values = vae.log_likelihood(*repeated(draws), k, seeded(5))
        assert values.mean() - bounds[-1] > 5 * values.std() / math.sqrt(len(values))
        bounds.append(values.mean())
    assert exact_log_likelihood(vae).mean() - bounds[-1] > 5 * values.std() / math.sqrt(len(values))


def test_one_importance_draw_is_the_elbo(vae):
    spins, condition = repeated(1)
    elbo = vae.elbo(spins, condition, seeded(6)).elbo
    torch.testing.assert_close(vae.log_likelihood(spins, condition, 1, seeded(6)), elbo)


def test_samples_follow_the_exact_probabilities(vae):
    draws = 40_000
    spins = vae.sample(one_temperature(draws), seeded(7))
    counts = np.bincount(((spins > 0) * 2 ** torch.arange(SITES)).sum(-1).numpy(), minlength=STATES)
    expected = draws * exact_log_likelihood(vae).exp().numpy()
    assert expected.min() > 5
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)


def draw_everything(vae: VAE, seed: int) -> list[torch.Tensor]:
    spins, condition = repeated(2)
    return [
        vae.elbo(spins, condition, seeded(seed)).elbo,
        vae.log_likelihood(spins, condition, 3, seeded(seed)),
        vae.sample_latents(condition, seeded(seed)),
        vae.sample(condition, seeded(seed)),
    ]


def test_draws_follow_the_generator_and_leave_the_global_one_alone(vae):
    torch.manual_seed(8)
    state = torch.get_rng_state()
    first = draw_everything(vae, 9)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(10)
    assert all(torch.equal(a, b) for a, b in zip(first, draw_everything(vae, 9), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, draw_everything(vae, 11), strict=True))


@pytest.mark.parametrize("count", [1, 2])
def test_a_hopfield_network_is_held_exactly(count):
    """With the Hubbard-Stratonovich prior the ELBO of every single draw is ln p(s|T), at both temperatures at once."""
    temperatures = [0.7, 1.6]
    patterns = np.random.default_rng(2).choice([-1, 1], (count, 8)).astype(np.int8)
    vae, system = exact_vae(patterns, temperatures), Hopfield(patterns)
    spins = all_states(8)
    for level, temperature in enumerate(temperatures):
        condition = Condition(torch.tensor(temperatures, dtype=torch.float64), torch.full((256,), level))
        expected = torch.from_numpy(enumerate_system(system, temperature).probabilities).log()
        for bound in (
            vae.elbo(spins, condition, seeded(12)).elbo,
            vae.log_likelihood(spins, condition, 5, seeded(13)),
        ):
            torch.testing.assert_close(bound, expected, rtol=0, atol=1e-7)


def test_an_exact_network_generates_the_boltzmann_distribution():
    patterns = np.random.default_rng(2).choice([-1, 1], (2, 8)).astype(np.int8)
    draws = 40_000
    spins = exact_vae(patterns, [0.9]).sample(constant_condition(0.9, draws, like=GRID), seeded(14))
    enumeration = enumerate_system(Hopfield(patterns), 0.9)
    exact = (enumeration.spins.T * enumeration.probabilities) @ enumeration.spins
    spins = spins.numpy()
    assert np.abs(spins.T @ spins / draws - exact).max() < 5 / math.sqrt(draws)


def test_parts_of_a_third_party_make_a_model_that_learns():
    torch.manual_seed(0)
    vae = VAE(ToyEncoder(8, 2), ToyDecoder(8, 2), ToyPrior(2))
    assert (vae.kind, vae.sites, vae.latents, vae.free_parameters()) == ("spins", 8, 2, 2 * 8 + 2)
    spins, condition = all_states(8, torch.float32)[:1].expand(40, -1), constant_condition(1.3, 40, torch.zeros(1))
    optimiser = torch.optim.Adam(vae.parameters(), lr=0.05)
    bounds = []
    for step in range(60):
        bound = vae.elbo(spins, condition, seeded(step)).bound.mean()
        optimiser.zero_grad()
        (-bound).backward()
        optimiser.step()
        bounds.append(bound.item())
    assert bounds[0] < bounds[-1] - 2
    assert bounds[-1] < vae.log_likelihood(spins, condition, 50, seeded(0)).mean() + 0.5


class Bare(torch.nn.Module):
    """A part of which nothing is known."""


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (Bare(), ToyDecoder(8, 2), ToyPrior(2)),
            "encoder: expected a module with kind, sites, latents .*got Bare without",
        ),
        (
            (ToyEncoder(8, 2), Bare(), ToyPrior(2)),
            r"decoder: .* \(see vae_mf.models.Decoder\), got Bare without kind, si",
        ),
        (
            (ToyEncoder(8, 2), ToyDecoder(8, 2), Bare()),
            "prior: .* with latents, factorised .* without latents, factorised",
        ),
        ((ToyEncoder(8, 2), ToyDecoder(9, 2), ToyPrior(2)), "sites: .* got 8 in the encoder, 9 in the decoder"),
        (
            (ToyEncoder(8, 2), ToyDecoder(8, 3), ToyPrior(2)),
            "latents: .* 2 in the encoder, 3 in the decoder, 2 in the prior",
        ),
        (
            (ToyEncoder(8, 2), SharedBinghamDecoder(8, 2), ToyPrior(2)),
            "kind: .* got spins in the encoder, directors in",
        ),
    ],
)
def test_parts_that_are_incomplete_or_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        VAE(*parts)
