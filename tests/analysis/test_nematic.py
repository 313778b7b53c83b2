"""The tensor is found in a latent that holds it, not in one that does not, and never better than noise allows."""

import numpy as np
import pytest
import torch

from vae_mf.analysis.nematic import (
    NematicSettings,
    expected_tensors,
    features,
    nematic_table,
    sampled_tensors,
)
from vae_mf.analysis.trained_model import TrainedModel
from vae_mf.models.directors.decoders import SharedBinghamDecoder
from vae_mf.models.directors.symmetric_tensors import director_components
from vae_mf.models.posterior import DiagonalGaussian
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.maier_saupe import MaierSaupeDirect
from vae_mf.systems.maier_saupe import MaierSaupe

SITES, ROWS = 32, 1500
TEMPERATURES = (0.15, 0.220194)


class TensorEncoder(torch.nn.Module):
    """z = tanh(gain * mean of q / T) in a rotated basis, or noise that knows nothing."""

    kind, sites, latents = "directors", SITES, 5

    def __init__(self, gain: float, blind: bool = False):
        super().__init__()
        self.weight = torch.nn.Parameter(
            torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
        )
        self.gain, self.blind = gain, blind

    def forward(self, directors, condition):
        tensors = director_components(directors).mean(1) / condition.temperature[:, None] @ self.weight
        mean = torch.tanh(self.gain * tensors)
        mean = torch.randn(mean.shape, generator=torch.Generator().manual_seed(2)) if self.blind else mean
        return DiagonalGaussian(mean, torch.zeros_like(mean))


def linear_model(gain: float, blind: bool = False) -> TrainedModel:
    vae = VAE(TensorEncoder(gain, blind), SharedBinghamDecoder(SITES, 5), GaussianPrior(5))
    return TrainedModel(vae.requires_grad_(False))


@pytest.fixture(scope="module")
def system() -> MaierSaupe:
    return MaierSaupe(SITES)


@pytest.fixture(scope="module")
def directors(system) -> dict[float, np.ndarray]:
    found = sample_chains(MaierSaupeDirect(system), np.array(TEMPERATURES), ROWS, Schedule(1, 0, 1), 3)
    return dict(zip(TEMPERATURES, found[:, :, 0], strict=True))


def scores(table, regressor, target, temperature="pooled"):
    chosen = table[(table.regressor == regressor) & (table.target == target) & (table.temperature == temperature)]
    assert chosen.component.tolist() == [1, 2, 3, 4, 5]
    return chosen


def test_a_latent_that_holds_the_tensor_gives_it_back(system, directors):
    """Strongly curved, it is found by the network and less well by the linear map."""
    table = nematic_table(linear_model(0.5), system, directors, NematicSettings(1))
    assert scores(table, "mlp", "expected").r2.min() > 0.98
    assert scores(table, "linear", "expected").r2.max() < scores(table, "mlp", "expected").r2.min()
    np.testing.assert_array_equal(table[table.target == "expected"].ceiling, 1)


def test_a_linear_latent_is_found_exactly_by_the_linear_map(system, directors):
    table = nematic_table(linear_model(1e-3), system, directors, NematicSettings(1, epochs=5))
    for temperature in ("pooled", *TEMPERATURES):
        assert scores(table, "linear", "expected", temperature).r2.min() > 0.9999


def test_noise_of_the_tensor_is_a_ceiling(system, directors):
    """R^2 of E[A|x] against A is 1 - v / (v + Var E[A|x]), v the variance of the noise; no regression exceeds it."""
    table = nematic_table(linear_model(1e-3), system, directors, NematicSettings(1, epochs=5))
    for temperature in TEMPERATURES:
        chosen, noise = scores(table, "linear", "sampled", temperature), system.field_variance(temperature)
        signal = expected_tensors(directors[temperature]).var(0)
        np.testing.assert_allclose(chosen.ceiling, signal / (signal + noise), atol=0.05)
        np.testing.assert_allclose(chosen.r2, chosen.ceiling, atol=0.02)
        assert chosen.ceiling.max() < 0.98


def test_a_blind_latent_gives_nothing(system, directors):
    table = nematic_table(linear_model(1.0, blind=True), system, directors, NematicSettings(1, epochs=5))
    assert table.r2.max() < 0.05


@pytest.mark.parametrize("regressor", ["linear", "mlp"])
def test_the_regressions_have_not_seen_the_rows_that_they_are_scored_on(system, directors, regressor):
    """A blind latent and 20 rows for 12 coefficients: fitted noise is worse than the mean of other rows."""
    few = {temperature: rows[:15] for temperature, rows in directors.items()}
    settings = NematicSettings(1, (64,), 2000)
    found = scores(nematic_table(linear_model(1.0, blind=True), system, few, settings), regressor, "expected").r2
    assert (found < 0).all()


def test_the_sampled_tensors_have_the_law_of_the_field(system, directors):
    means = expected_tensors(directors[0.15])
    noise = sampled_tensors(means, system, 0.15, seed=5) - means
    variance = system.field_variance(0.15)
    assert variance == pytest.approx(2 * 0.15 / (3 * SITES))
    # 7,500 independent numbers: five standard errors.
    assert abs(noise.mean()) < 5 * np.sqrt(variance / noise.size)
    assert abs(noise.var() / variance - 1) < 5 * np.sqrt(2 / noise.size)


def test_the_expected_tensor_is_the_mean_over_sites(directors):
    """Its length is that of the mean of n n^T - I/3."""
    n = directors[0.15][:10].astype(np.float64)
    tensors = np.einsum("rsi,rsj->rij", n, n) / SITES - np.eye(3) / 3
    np.testing.assert_allclose((expected_tensors(n) ** 2).sum(1), (tensors**2).sum((1, 2)))


def test_the_table_follows_its_seed(system, directors):
    few = {0.15: directors[0.15][:300]}
    first, second = (nematic_table(linear_model(0.5), system, few, NematicSettings(4, (8,), 5)) for _ in range(2))
    np.testing.assert_array_equal(first.r2, second.r2)


def test_features_hold_the_latent_at_the_scale_of_the_tensor():
    z = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(features(z, 0.5), np.c_[z, 0.5 * z, [0.5, 0.5]])


@pytest.mark.parametrize("wrong", [{"hidden": (0,)}, {"epochs": 0}, {"held_out": 1.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        NematicSettings(1, **wrong)


def test_nothing_to_read_is_refused(system):
    with pytest.raises(ValueError, match="at least one temperature"):
        nematic_table(linear_model(1.0), system, {}, NematicSettings(1))
