"""The capacity criterion: an exact model satisfies it, a starved one does not, and sizes scale as they should."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.exact_draws import exact_draws
from helpers.exact_models import exact_vae

from vae_mf.analysis.capacity import capacity_table, cut_columns, plausible, sphere_packing
from vae_mf.analysis.elbo_surgery import surgery_table
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.statistics.averages import Average
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerated_information
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.ising2d_information import torus_information

TEMPERATURES = [0.6, 1.0, 1.4]


def gaussian_vae(sites: int, latents: int, mean_scale: float, log_variance: float) -> VAE:
    """A posterior of given width, whatever the configuration."""
    vae = VAE(LinearEncoder(sites, latents), LinearDecoder(sites, latents), GaussianPrior(latents)).eval()
    with torch.no_grad():
        vae.encoder.projection.weight.mul_(mean_scale)
        vae.encoder.projection.bias.zero_()
        vae.encoder.thermal[-1].bias[latents:] = log_variance
    return vae


def judged(
    vae: VAE, system, rows: int = 1500, ensemble: str = "equilibrium", temperatures=TEMPERATURES
) -> pd.DataFrame:
    train, held_out = exact_draws(system, temperatures, rows, 1), exact_draws(system, temperatures, rows, 2)
    ensembles = dict.fromkeys(temperatures, ensemble)
    surgery = surgery_table(vae, system, train, held_out, rows, ensembles, 2 * rows, 3)
    return capacity_table(vae, system, held_out, rows, ensembles, surgery, 4)


@pytest.fixture(scope="module")
def curie_weiss():
    return judged(exact_vae(np.ones((1, 12), np.int8), TEMPERATURES), CurieWeiss(12))


def test_the_exact_model_of_curie_weiss_carries_what_every_cut_demands(curie_weiss):
    for row in curie_weiss.itertuples():
        assert row.information == row.half == CurieWeiss(12).half_information(row.temperature)
        assert row.cut == "half"
        assert row.satisfied
        assert row.field == CurieWeiss(12).field_information(row.temperature).value
        assert row.information < row.field
        assert abs(row.rate - row.field) < 4.5 * row.rate_error


def test_a_rate_of_unknown_error_is_not_said_to_satisfy():
    system, temperatures = CurieWeiss(8), [1.0]
    held_out = exact_draws(system, temperatures, 200, 2)
    surgery = surgery_table(gaussian_vae(8, 1, 1.0, -2.0), system, held_out, held_out, 1, {1.0: "equilibrium"}, 200, 3)
    table = capacity_table(gaussian_vae(8, 1, 1.0, -2.0), system, held_out, 1, {1.0: "equilibrium"}, surgery, 4)
    assert table.rate_error.isna().all()
    assert table.information.notna().all()
    assert table.satisfied.isna().all()


def test_a_starved_model_violates_the_criterion():
    table = judged(gaussian_vae(12, 1, 0.0, 0.0), CurieWeiss(12), 300)
    assert table.rate.abs().max() < 1e-5
    assert not table.satisfied.any()


def test_the_sublattices_are_the_worse_cut_of_a_hot_ising_model():
    table = judged(gaussian_vae(16, 1, 0.1, 0.0), Ising2D(4), 500, temperatures=[4.0])
    assert table.cut.item() == "sublattice"
    assert table.information.item() == table.sublattice.item() > table.half.item()
    assert np.isnan(table.field.item())


def test_a_large_torus_follows_the_area_law():
    system, ensembles = Ising2D(16), {2.5: "equilibrium"}
    held_out = {2.5: np.random.default_rng(1).choice([-1, 1], (50, 256)).astype(np.int8)}
    vae = gaussian_vae(256, 1, 0.1, 0.0)
    surgery = surgery_table(vae, system, held_out, held_out, 5, ensembles, 100, 3)
    table = capacity_table(vae, system, held_out, 5, ensembles, surgery, 4)
    small, large = (torus_information(side, 1 / 2.5) for side in (8, 10))
    assert table.area_law_half.item() == pytest.approx(large + 3 * (large - small))
    assert np.isnan(table.half.item())


@pytest.mark.parametrize("reason", ["no system", "valleys"])
def test_nothing_is_claimed_where_nothing_is_known(reason):
    system = None if reason == "no system" else CurieWeiss(12)
    vae, held_out = gaussian_vae(12, 2, 0.1, 0.0), exact_draws(CurieWeiss(12), TEMPERATURES, 40, 2)
    ensembles = dict.fromkeys(TEMPERATURES, "random_start")
    surgery = surgery_table(vae, system, held_out, held_out, 4, ensembles, 80, 3)
    table = capacity_table(vae, system, held_out, 4, ensembles, surgery, 4)
    assert table[["information", "half", "field", "satisfied"]].isna().all(axis=None)
    assert table.cut.isna().all()


def test_the_cut_of_a_critic_counts_where_theory_is_silent():
    held_out, ensembles = exact_draws(CurieWeiss(12), TEMPERATURES, 40, 2), dict.fromkeys(TEMPERATURES, "equilibrium")
    vae = gaussian_vae(12, 2, 0.0, 0.0)
    surgery = surgery_table(vae, None, held_out, held_out, 4, ensembles, 80, 3)
    sampled = pd.DataFrame({"temperature": TEMPERATURES, "sampled_half": 0.5, "sampled_half_error": [0.1, 0.1, 0.4]})
    table = capacity_table(vae, None, held_out, 4, ensembles, surgery, 4, sampled)
    assert (table.cut == "sampled_half").all()
    assert table.satisfied.tolist() == [False, False, True]


def test_a_hopfield_model_of_many_patterns_has_a_bound_from_its_overlaps():
    system = Hopfield.random(12, 4, 1)
    vae, held_out = gaussian_vae(12, 2, 0.1, 0.0), {1.0: exact_draws(CurieWeiss(12), TEMPERATURES, 40, 2)[1.0]}
    surgery = surgery_table(vae, system, held_out, held_out, 4, {1.0: "equilibrium"}, 80, 3)
    table = capacity_table(vae, system, held_out, 4, {1.0: "equilibrium"}, surgery, 4)
    assert table.field_source.item() == "sampled"
    assert table.field.item() > 0
    # Few enough spins to enumerate.
    assert table.half.item() == enumerated_information(system, 1.0)


def test_the_largest_cut_counts():
    columns = cut_columns({"half": Average(0.4, 0.0), "sublattice": Average(0.9, 0.2)})
    assert (columns["information"], columns["information_error"], columns["cut"]) == (0.9, 0.2, "sublattice")
    assert np.isnan(columns["sampled_half"])


def test_the_critic_does_not_overrule_theory():
    columns = cut_columns({"half": Average(0.8, 0.0), "sampled_half": Average(1.0, 0.1)})
    assert (columns["information"], columns["cut"], columns["sampled_half"]) == (0.8, "half", 1.0)


@pytest.mark.parametrize("latents", [1, 3])
def test_sphere_packing_of_a_gaussian_encoder(latents):
    """Variance e^-4 against a prior of variance 1: two nats per latent."""
    vae = gaussian_vae(12, latents, 0.1, -4.0)
    found = sphere_packing(vae, exact_draws(CurieWeiss(12), TEMPERATURES, 50, 1)[1.0], 1.0, 2)
    assert found["posterior_variance"] == pytest.approx(np.exp(-4), rel=0.05)
    assert found["sphere_packing"] == pytest.approx(2 * latents, abs=0.03 * latents)


class CorrelatedPrior(torch.nn.Module):
    """Two latents of variance 1 and the given correlation, at every temperature."""

    latents, factorised = 2, False

    def __init__(self, correlation: float):
        super().__init__()
        self.covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]])

    def forward(self, condition):
        self.rows = len(condition.index)
        return self

    def sample(self, generator=None):
        return torch.randn(self.rows, 2, generator=generator) @ torch.linalg.cholesky(self.covariance).T

    def log_prob(self, z):
        return torch.distributions.MultivariateNormal(torch.zeros(2), self.covariance).log_prob(z)


def test_spheres_are_packed_into_the_ellipsoid_of_a_correlated_prior():
    """Two latents of correlation r: the inverse of their covariance has the diagonal 1 / (1 - r^2)."""
    vae, correlation = gaussian_vae(12, 2, 0.1, -4.0), 0.9
    vae.prior = CorrelatedPrior(correlation)
    found = sphere_packing(vae, exact_draws(CurieWeiss(12), TEMPERATURES, 50, 1)[1.0], 1.0, 2)
    expected = np.exp(-4) / (1 - correlation**2)
    assert found["posterior_variance"] == pytest.approx(expected, rel=0.06)
    assert found["sphere_packing"] == pytest.approx(-np.log(expected), abs=0.06)


def test_an_unknown_cut_has_no_name():
    columns = cut_columns({"sampled_half": Average(float("nan"), float("nan"))})
    assert columns["cut"] is None
    assert np.isnan(columns["information"])


@pytest.mark.parametrize(("value", "known"), [(-9.5, False), (-0.1, True), (0.6, True)])
def test_information_far_below_zero_is_not_known(value, known):
    assert np.isfinite(plausible(Average(value, 0.1)).value) == known
