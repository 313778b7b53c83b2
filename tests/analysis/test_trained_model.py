"""A trained model in NumPy terms says what the torch module says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE

SITES = 12
SPINS = np.random.default_rng(1).choice([-1, 1], (50, SITES)).astype(np.int8)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    torch.manual_seed(1)
    return TrainedModel(VAE(LinearEncoder(SITES, 2), LinearDecoder(SITES, 2), SplinePrior(2, layers=1, bins=4)).eval())


def test_encodings_are_those_of_the_module(model):
    mean, deviation = model.encode(SPINS, 0.7)
    x = torch.from_numpy(SPINS).float()
    posterior = model.vae.encode(x, constant_condition(0.7, 50, x))
    np.testing.assert_allclose(mean, posterior.mean.detach(), rtol=1e-6)
    np.testing.assert_allclose(deviation**2, posterior.log_variance.exp().detach(), rtol=1e-5)


def test_decoding_gives_expected_spins(model):
    z = np.random.default_rng(2).normal(size=(5, 2))
    log_odds = model.vae.decoder(torch.from_numpy(z).float()).log_odds.detach().numpy()
    np.testing.assert_allclose(model.decode(z), np.tanh(log_odds / 2), rtol=1e-5)


def test_samples_are_spins_and_follow_the_seed(model):
    first, again, other = (model.sample(0.7, 30, seed) for seed in (1, 1, 2))
    assert first.shape == (30, SITES)
    assert set(np.unique(first)) <= {-1, 1}
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_likelihood_rises_with_the_draws_and_the_score_averages_it(model):
    few, many = (model.log_likelihood(SPINS, 0.7, draws).mean() for draws in (1, 200))
    assert many > few
    store = SimpleNamespace(
        temperatures=np.array([0.7, 1.3]), kind="spins", attrs={"chains": 10}, spins=lambda t: SPINS,
        directors=lambda t: SPINS,
    )  # fmt: skip
    table = model.score(store, draws=200)
    assert list(table.temperature) == [0.7, 1.3]
    assert table.log_likelihood[0] == pytest.approx(many, abs=0.05)
    assert (table.log_likelihood > table.elbo - 0.05).all()
    assert (table.log_likelihood_error > 0).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperatures_are_checked(model, temperature):
    for call in (lambda: model.sample(temperature, 3), lambda: model.encode(SPINS, temperature)):
        with pytest.raises(ValueError, match="temperature: expected a finite number > 0"):
            call()
