"""Independent spins against torch's Bernoulli law and against all 2^N configurations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.exact_models import all_states
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from vae_mf.models.likelihoods import IndependentSpins
from vae_mf.models.spin_loops import log_likelihood


def log_odds_and_spins(batch: int = 7, sites: int = 5, scale: float = 2.0, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(1)
    log_odds = scale * torch.randn(batch, sites, generator=generator, dtype=dtype)
    spins = torch.where(torch.rand(batch, sites, generator=generator) < 0.5, -1.0, 1.0).to(dtype)
    return log_odds, spins


@given(st.floats(-30, 30), st.sampled_from([-1.0, 1.0]))
def test_log_prob_is_that_of_a_bernoulli_law(log_odds, spin):
    logits, spins = torch.full((1, 1), log_odds, dtype=torch.float64), torch.full((1, 1), spin, dtype=torch.float64)
    expected = torch.distributions.Bernoulli(logits=logits).log_prob((spins + 1) / 2).sum(-1)
    torch.testing.assert_close(IndependentSpins(logits).log_prob(spins), expected, rtol=1e-10, atol=1e-12)


def test_log_prob_sums_over_sites():
    log_odds, spins = log_odds_and_spins()
    expected = torch.distributions.Bernoulli(logits=log_odds).log_prob((spins + 1) / 2).sum(-1)
    torch.testing.assert_close(IndependentSpins(log_odds).log_prob(spins), expected)


def test_probabilities_of_all_configurations_sum_to_one():
    log_odds, _ = log_odds_and_spins(4, 6)
    spins = all_states(6)
    for row in log_odds:
        total = IndependentSpins(row.expand(64, 6)).log_prob(spins).exp().sum()
        torch.testing.assert_close(total.item(), 1.0, rtol=1e-12, atol=0)


def test_mean_is_the_sum_over_all_configurations():
    log_odds, _ = log_odds_and_spins(1, 6)
    spins = all_states(6)
    weights = IndependentSpins(log_odds.expand(64, 6)).log_prob(spins).exp()
    torch.testing.assert_close(IndependentSpins(log_odds).mean[0], weights @ spins)


def test_frequencies_of_samples_are_the_probabilities():
    draws = 40_000
    log_odds, _ = log_odds_and_spins(1, 4)
    spins = IndependentSpins(log_odds.expand(draws, 4)).sample(torch.Generator().manual_seed(2))
    numbers = ((spins > 0) * 2 ** torch.arange(4)).sum(-1)
    counts = np.bincount(numbers.numpy(), minlength=16)
    expected = draws * IndependentSpins(log_odds.expand(16, 4)).log_prob(all_states(4)).exp().numpy()
    assert expected.min() > 5
    assert ((counts - expected) ** 2 / expected).sum() < 15 + 5 * np.sqrt(30)


def test_samples_are_spins_that_follow_the_generator():
    log_odds, _ = log_odds_and_spins(200, dtype=torch.float32)
    first, again, other = (IndependentSpins(log_odds).sample(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert set(first.unique().tolist()) == {-1.0, 1.0}
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("log_odds", [-300.0, 300.0])
def test_extreme_log_odds_stay_finite(log_odds):
    likelihood = IndependentSpins(torch.full((2, 1), log_odds))
    spins = torch.tensor([[-1.0], [1.0]])
    torch.testing.assert_close(likelihood.log_prob(spins).sort().values, torch.tensor([-300.0, 0.0]))
    assert (likelihood.sample() == np.sign(log_odds)).all()


def test_half_precision_log_odds_are_reduced_in_single_precision():
    log_odds, spins = log_odds_and_spins(3, 4096, dtype=torch.float32)
    half = log_odds.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        likelihood = IndependentSpins(half)
        log_prob, sample = likelihood.log_prob(spins), likelihood.sample()
    assert log_prob.dtype == sample.dtype == torch.float32
    torch.testing.assert_close(
        log_prob.double(), IndependentSpins(half.double()).log_prob(spins.double()), rtol=1e-5, atol=0
    )


AWKWARD = (np.nan, np.inf, 0.0, 1e-45, 1e-30, 1.0, 20.0, 87.0, 88.0, 104.0, 3e38)


def test_loops_agree_with_torch_on_awkward_log_odds_and_their_gradients():
    values = torch.tensor([sign * value for value in AWKWARD for sign in (-1, 1)])
    for copies in (1, 250):  # alone, and in vectors and several blocks
        spins = torch.tensor([[1.0], [-1.0]]).expand(-1, copies * len(values)).contiguous()
        by_loops, by_torch = (values.repeat(2, copies).requires_grad_() for _ in range(2))
        found = log_likelihood(by_loops.flatten()[:, None], spins.flatten()[:, None])
        expected = F.logsigmoid(spins * by_torch).flatten()
        torch.testing.assert_close(found, expected, rtol=3e-7, atol=2e-7, equal_nan=True)
        gradients = (torch.autograd.grad(sums.sum(), x)[0] for sums, x in ((found, by_loops), (expected, by_torch)))
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-7, equal_nan=True)


def test_loops_agree_with_double_precision_in_value_gradient_and_second_derivative():
    log_odds, spins = log_odds_and_spins(90, 61, 4.0, torch.float32)
    weights = torch.linspace(-1, 2, 90)
    results = []
    for x, s, w in ((log_odds, spins, weights), (log_odds.double(), spins.double(), weights.double())):
        x = x.clone().requires_grad_()
        sums = IndependentSpins(x).log_prob(s)
        (gradient,) = torch.autograd.grad((w * sums).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), x)
        results.append((sums.detach(), gradient.detach(), second))
    for found, expected in zip(*results, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected.float(), rtol=1e-6, atol=1e-5)


def test_where_loops_do_not_go_torch_does(monkeypatch):
    log_odds, spins = log_odds_and_spins(dtype=torch.float32)
    expected = IndependentSpins(log_odds).log_prob(spins)
    monkeypatch.setattr("vae_mf.models.spin_loops.log_likelihood", None)
    by_rows = torch.func.vmap(lambda x, s: IndependentSpins(x[None]).log_prob(s[None])[0])(log_odds, spins)
    of_derived = IndependentSpins(log_odds).log_prob(spins.requires_grad_())
    torch.testing.assert_close(by_rows, expected)
    torch.testing.assert_close(of_derived.detach(), expected)
    spins = spins.detach()
    torch.testing.assert_close(IndependentSpins(log_odds[:1]).log_prob(spins)[0], expected[0])
    graph = make_fx(lambda x: IndependentSpins(x).log_prob(spins))(torch.zeros_like(log_odds))
    torch.testing.assert_close(graph(log_odds), expected)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(log_odds, torch.ones_like(log_odds))
        slope = forward_ad.unpack_dual(IndependentSpins(dual).log_prob(spins)).tangent
    torch.testing.assert_close(slope, (spins * torch.sigmoid(-spins * log_odds)).sum(-1))
