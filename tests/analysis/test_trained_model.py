"""A trained model in NumPy terms says what the torch module says."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.directors.decoders import SharedBinghamDecoder
from vae_mf.models.directors.encoders import DirectorLinearEncoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.priors.spline import SplinePrior
from vae_mf.models.tensors import constant_condition
from vae_mf.models.vae import VAE

SITES = 12
SPINS = np.random.default_rng(1).choice([-1, 1], (50, SITES)).astype(np.int8)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    torch.manual_seed(1)
    return TrainedModel(VAE(LinearEncoder(SITES, 2), LinearDecoder(SITES, 2), SplinePrior(2, layers=1, bins=4)).eval())


@pytest.fixture(scope="module")
def nematic() -> TrainedModel:
    return TrainedModel(VAE(DirectorLinearEncoder(4, 2), SharedBinghamDecoder(4, 2), GaussianPrior(2)).eval(), (0.2,))


def directors(rows: int = 6, sites: int = 4) -> np.ndarray:
    raw = np.random.default_rng(3).normal(size=(rows, sites, 3))
    return raw / np.linalg.norm(raw, axis=-1, keepdims=True)


def test_a_model_knows_its_size(model, nematic):
    assert (model.kind, model.sites, model.latents, model.temperatures) == ("spins", SITES, 2, ())
    assert (nematic.kind, nematic.sites, nematic.latents, nematic.temperatures) == ("directors", 4, 2, (0.2,))


@pytest.mark.parametrize(
    ("configurations", "message"),
    [
        ((SPINS > 0).astype(np.int8), "expected spins -1 and +1, got values such as [0, 1]; of 0 and 1 make np.where"),
        (SPINS > 0, "expected spins -1 and +1, got values such as [False, True]; of 0 and 1 make np.where"),
        (np.full((3, SITES), 7), "expected spins -1 and +1, got values such as [7]"),
        (np.full((3, SITES), np.nan), "expected spins -1 and +1, got values such as [nan]"),
        (np.full((3, SITES), 255, np.uint8), "expected spins -1 and +1, got values such as [255]"),
        (SPINS[:, :3], f"expected spins of shape (rows, {SITES}), got an array of shape (50, 3)"),
        (SPINS[0], f"expected spins of shape (rows, {SITES}), got an array of shape ({SITES},)"),
        (SPINS[:0], f"expected spins of shape (rows, {SITES}), got an array of shape (0, {SITES})"),
        (directors(sites=SITES), f"expected spins of shape (rows, {SITES}), got an array of shape (6, {SITES}, 3)"),
    ],
)
def test_other_arrays_than_spins_of_the_width_are_refused(model, configurations, message):
    for call in (model.encode, model.log_likelihood):
        with pytest.raises(ValueError, match="configurations: " + re.escape(message)):
            call(configurations, 0.7)


def test_directors_must_be_unit_vectors(nematic):
    np.testing.assert_array_equal(nematic.encode(directors()).mean, nematic.encode(directors(), 0.2).mean)
    with pytest.raises(ValueError, match=r"unit vectors, got lengths that differ from 1 by up to 1; divide each"):
        nematic.encode(2 * directors())
    with pytest.raises(ValueError, match=r"expected directors of shape \(rows, 4, 3\), got an array of shape \(50, "):
        nematic.log_likelihood(SPINS)


def test_spins_of_any_type_mean_the_same(model):
    expected = model.log_likelihood(SPINS, 0.7)
    for kind in (np.int64, np.float64, np.float32):
        np.testing.assert_array_equal(model.log_likelihood(SPINS.astype(kind), 0.7), expected)


@pytest.mark.parametrize("z", [np.zeros((3, 5)), np.zeros(2), np.full((3, 2), np.nan)])
def test_latents_are_checked(model, z):
    with pytest.raises(ValueError, match=r"z: expected finite numbers of shape \(rows, 2\)"):
        model.decode(z)


def test_the_temperature_is_known_where_there_is_one(model):
    recording = TrainedModel(model.vae, (1.0,))
    for of_recording, given in (
        (recording.encode(SPINS).mean, model.encode(SPINS, 1.0).mean),
        (recording.sample(count=5), model.sample(1.0, 5)),
        (recording.log_likelihood(SPINS), model.log_likelihood(SPINS, 1.0)),
    ):
        np.testing.assert_array_equal(of_recording, given)
    with pytest.raises(ValueError, match="temperature: expected one, as the model was trained at unknown temperatures"):
        model.encode(SPINS)
    with pytest.raises(ValueError, match=r"expected one, as the model was trained at T from 0.5 to 2, got none"):
        TrainedModel(model.vae, (0.5, 2.0)).sample(count=3)


def test_a_temperature_outside_the_training_is_remarked(model):
    trained = TrainedModel(model.vae, (0.7, 2.0))
    with pytest.warns(UserWarning, match="temperature: 50 is outside the training of the model, which was at T"):
        trained.encode(SPINS, 50.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.encode(SPINS, 0.7)
        trained.sample(2.0, 3)


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
