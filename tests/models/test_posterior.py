"""The encoder's Gaussian against torch's."""

import math

import torch

from vae_mf.models.posterior import DiagonalGaussian


def parameters(batch: int = 50, latents: int = 3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, batch, latents, generator=generator, dtype=torch.float64).unbind()


def test_log_prob_is_that_of_a_normal_law():
    mean, log_variance = parameters()
    z = torch.randn(mean.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(DiagonalGaussian(mean, log_variance).log_prob(z), expected)


def test_samples_have_the_moments_of_their_row():
    draws = 20_000
    mean, log_variance = (row[:1] for row in parameters())
    posterior = DiagonalGaussian(mean.expand(draws, -1), log_variance.expand(draws, -1))
    noise = (posterior.sample(torch.Generator().manual_seed(3)) - mean) / (log_variance / 2).exp()
    assert (noise.mean(0).abs() < 5 / math.sqrt(draws)).all()
    assert ((noise.T @ noise / draws - torch.eye(3)).abs() < 5 * math.sqrt(2 / draws)).all()


def test_mean_log_prob_of_samples_is_minus_the_entropy():
    mean, log_variance = parameters(20_000)
    posterior = DiagonalGaussian(mean, log_variance)
    entropy = 0.5 * (log_variance + math.log(2 * math.pi * math.e)).sum(-1)
    excess = posterior.log_prob(posterior.sample(torch.Generator().manual_seed(4))) + entropy
    assert excess.mean().abs() < 5 * excess.std() / math.sqrt(len(excess))


def test_samples_are_reparameterised():
    """Z = mean + sigma noise, so dz/dmean = 1 and dz/dlog_variance = (z - mean) / 2."""
    mean, log_variance = (row.requires_grad_() for row in parameters())
    z = DiagonalGaussian(mean, log_variance).sample(torch.Generator().manual_seed(5))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_variance.grad, (z - mean).detach() / 2)


def test_samples_follow_the_generator():
    posterior = DiagonalGaussian(*parameters())
    first, again, other = (posterior.sample(torch.Generator().manual_seed(seed)) for seed in (6, 6, 7))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
