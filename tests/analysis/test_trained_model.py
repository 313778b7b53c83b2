"""A trained model in NumPy terms says what the torch module says."""

import re
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.datasets.recording import make_recording
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


def stored(*temperatures: float) -> SimpleNamespace:
    """A store of the same spins at every temperature."""
    return SimpleNamespace(
        temperatures=np.array(temperatures), kind="spins", attrs={"chains": 10}, spins=lambda level: SPINS,
        directors=lambda level: SPINS,
    )  # fmt: skip


def test_a_model_knows_its_size(model, nematic):
    assert (model.kind, model.sites, model.latents, model.temperatures) == ("spins", SITES, 2, ())
    assert (nematic.kind, nematic.sites, nematic.latents, nematic.temperatures) == ("directors", 4, 2, (0.2,))


def calls(model: TrainedModel) -> list[Callable]:
    """Every method that takes configurations and a temperature."""
    return [model.encode, model.log_likelihood, model.score]


FORMS = {
    "list": np.ndarray.tolist,
    "int64": lambda rows: rows.astype(np.int64),
    "float32": lambda rows: rows.astype(np.float32),
    "objects": lambda rows: rows.astype(object),
    "table": pd.DataFrame,
    "tensor": torch.as_tensor,
    "tensor with gradients": lambda rows: torch.as_tensor(rows).double().requires_grad_(),
    "mixed table": lambda rows: pd.DataFrame(rows).astype({0: object, 1: float}),
    "fortran": np.asfortranarray,
    "without gaps": lambda rows: np.ma.masked_array(rows, mask=False),
    "binary": lambda rows: (rows > 0).astype(np.uint8),
    "boolean": lambda rows: rows > 0,
    "boolean list": lambda rows: (rows > 0).tolist(),
    "recording": lambda rows: make_recording(rows),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rows_in_any_form_mean_the_same(model, form):
    for call in (model.log_likelihood, lambda *rows: model.encode(*rows).mean):
        np.testing.assert_array_equal(call(form(SPINS), 0.7), call(SPINS, 0.7))
    pd.testing.assert_frame_equal(model.score(form(SPINS), 0.7), model.score(SPINS, 0.7))


@pytest.mark.parametrize(
    ("configurations", "message"),
    [
        (np.full((3, SITES), 7), "expected entries 0 and 1 or -1 and +1, got values such as [7], first in row 1"),
        (
            np.full((3, SITES), np.nan),
            "expected entries 0 and 1 or -1 and +1, got nothing or NaN in row 1",
        ),
        (np.full((3, SITES), 255, np.uint8), "expected entries 0 and 1 or -1 and +1, got values such as [255]"),
        (SPINS * (np.arange(SITES) > 0), "expected entries 0 and 1 or -1 and +1, got values such as [-1, 0, 1]"),
        (SPINS[:, :3], f"expected spins of shape (rows, {SITES}), got an array of shape (50, 3)"),
        (SPINS[0], f"expected spins of shape (rows, {SITES}), got an array of shape ({SITES},); of a single row make"),
        (SPINS[:0], f"expected spins of shape (rows, {SITES}), got an array of shape (0, {SITES})"),
        (1, f"expected spins of shape (rows, {SITES}), got an array of shape ()"),
        ([], f"expected spins of shape (rows, {SITES}), got an array of shape (0,)"),
        (directors(sites=SITES), f"expected spins of shape (rows, {SITES}), got an array of shape (6, {SITES}, 3)"),
        ([[1, -1], [1]], "expected rows of one length, got [[1, -1], [1]]"),
        ("spikes.npy", "expected an array, got 'spikes.npy': read the file first, with numpy.load"),
        (None, "expected an array of numbers, got NoneType"),
        (SPINS.astype(str), "expected an array of numbers, got ndarray of text"),
        (SPINS.astype(complex), "expected an array of numbers, got ndarray of complex128"),
        (np.ma.masked_array(SPINS, SPINS > 0), "expected an array without gaps, got masked entries"),
    ],
)
def test_other_arrays_than_spins_of_the_width_are_refused(model, configurations, message):
    for call in calls(model):
        with pytest.raises(ValueError, match="configurations: " + re.escape(message)):
            call(configurations, 0.7)


def test_directors_must_be_unit_vectors(nematic):
    np.testing.assert_array_equal(nematic.encode(directors()).mean, nematic.encode(directors(), 0.2).mean)
    exact = directors().astype(np.float32)
    frozen = exact.copy()
    frozen.flags.writeable = False
    for form in (exact.tolist(), frozen):
        np.testing.assert_array_equal(nematic.encode(form).mean, nematic.encode(exact).mean)
    with pytest.raises(ValueError, match=r"unit vectors, got lengths that differ from 1 by up to 1; divide each"):
        nematic.encode(2 * directors())
    with pytest.raises(ValueError, match=r"expected directors of shape \(rows, 4, 3\), got an array of shape \(50, "):
        nematic.log_likelihood(SPINS)


@pytest.mark.parametrize("z", [np.zeros((3, 5)), np.zeros(2), np.full((3, 2), np.nan), [[0.1]], 0.1, np.zeros((0, 2))])
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
    for temperatures, known in ((), "unknown"), ((0.5, 2.0), "0.5, 2"):
        several = TrainedModel(model.vae, temperatures)
        for call in (*calls(several), lambda _, several=several: several.sample(count=3)):
            with pytest.raises(ValueError, match=f"expected one, as the model was trained at T = {known}, got none"):
                call(SPINS)


@pytest.mark.parametrize("outside", [50.0, 5, 0.69])
def test_a_temperature_outside_the_training_is_refused(model, outside, without_type_checks):
    trained = TrainedModel(model.vae, (0.7, 2.0))
    message = f"temperature: expected one in the range of the training, T = 0.7, 2, got {outside:g}"
    for call in calls(trained):
        with pytest.raises(ValueError, match=message):
            call(SPINS, outside)
    with pytest.raises(ValueError, match=message):
        trained.sample(outside)
    with pytest.raises(ValueError, match=r"range of the training, T = 0\.7, 2, got 0\.5"):
        trained.score(stored(0.7, 0.5))


@pytest.mark.parametrize("temperatures", [1.0, [1.0], (0.0,), (0.7, np.nan), ("a",)])
def test_temperatures_of_the_training_are_a_tuple_of_numbers(model, temperatures, without_type_checks):
    with pytest.raises(ValueError, match="temperatures: expected"):
        TrainedModel(model.vae, temperatures)


def test_temperatures_within_the_training_may_be_any_scalar(model, without_type_checks):
    trained = TrainedModel(model.vae, (0.7, 1.2))
    expected = trained.log_likelihood(SPINS, 0.7)
    for scalar in (np.float64(0.7), np.array(0.7), torch.tensor(0.7, dtype=torch.float64)):
        np.testing.assert_array_equal(trained.log_likelihood(SPINS, scalar), expected)
    assert float(np.float32(1.2)) > 1.2
    assert trained.sample(np.float32(1.2), 3).shape == (3, SITES)


def test_a_model_shows_its_size(nematic):
    assert repr(nematic) == "TrainedModel(kind='directors', sites=4, latents=2, temperatures=(0.2,))"


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"seed": -1}, "seed: expected an integer >= 0, got -1"),
        ({"seed": 1.5}, "seed: expected an integer >= 0, got 1.5"),
        ({"draws": 0}, "draws: expected an integer >= 1, got 0"),
        ({"draws": 2.5}, "draws: expected an integer >= 1, got 2.5"),
        ({"count": 2.5}, "count: expected an integer >= 1, got 2.5"),
    ],
)
def test_numbers_are_checked(model, numbers, message, without_type_checks):
    methods = {"seed": (model.log_likelihood, model.score), "draws": (model.log_likelihood, model.score), "count": ()}
    (name,) = numbers
    for call in methods[name]:
        with pytest.raises(ValueError, match=message):
            call(SPINS, 0.7, **numbers)
    if name != "draws":
        with pytest.raises(ValueError, match=message):
            model.sample(0.7, **numbers)


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
    for form in (z.tolist(), pd.DataFrame(z), torch.as_tensor(z)):
        np.testing.assert_array_equal(model.decode(form), model.decode(z))


def test_samples_are_spins_and_follow_the_seed(model):
    first, again, other = (model.sample(0.7, 30, seed) for seed in (1, 1, 2))
    assert first.shape == (30, SITES)
    assert set(np.unique(first)) <= {-1, 1}
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_likelihood_rises_with_the_draws_and_the_score_averages_it(model):
    few, many = (model.log_likelihood(SPINS, 0.7, draws).mean() for draws in (1, 200))
    assert many > few
    table = model.score(stored(0.7, 1.3), draws=200)
    assert list(table.temperature) == [0.7, 1.3]
    assert table.log_likelihood[0] == pytest.approx(many, abs=0.05)
    assert (table.log_likelihood > table.elbo - 0.05).all()
    assert (table.log_likelihood_error > 0).all()
    with pytest.raises(ValueError, match=r"temperature: expected none, as the store has its own, got 0\.7"):
        model.score(stored(0.7), 0.7)


def test_the_score_of_rows_is_that_of_a_store_of_single_draws(model):
    values = model.log_likelihood(SPINS, 0.7, draws=2000)
    (row,) = model.score(SPINS, 0.7, draws=2000).itertuples()
    assert row.temperature == 0.7
    assert row.log_likelihood == pytest.approx(values.mean(), abs=0.02)
    assert row.log_likelihood_error == pytest.approx(values.std(ddof=1) / len(SPINS) ** 0.5, rel=0.02)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), True, "0.7", [0.7, 1.2], np.array([0.7])])
def test_temperatures_are_checked(model, temperature, without_type_checks):
    for call in (*calls(model), lambda _, temperature: model.sample(temperature, 3)):
        with pytest.raises(ValueError, match="temperature: expected a finite number > 0"):
            call(SPINS, temperature)
