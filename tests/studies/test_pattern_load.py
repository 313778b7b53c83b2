"""The map of recovery: every route is measured by the same rule, and none is told the answer."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from vae_mf.analysis.stored_patterns import coupling_error
from vae_mf.inverse_ising.mean_field import NaiveMeanField
from vae_mf.models.decoders import CNNDecoder, LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.vae import VAE
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.statistics.sign_vectors import Search
from vae_mf.studies.pattern_load import (
    ROUTES,
    Unmixing,
    coupling_table,
    exact_space,
    load_curves,
    recovery_table,
    sample_spaces,
)
from vae_mf.systems.hopfield import Hopfield

SETTINGS = Unmixing(restarts=2, threshold=0.95, seed=1, search=Search(4096))


@pytest.fixture(scope="module")
def network() -> Hopfield:
    return Hopfield.random(64, 4, seed=2)


@pytest.fixture(scope="module")
def spins(network) -> np.ndarray:
    drawn = sample_chains(HopfieldGibbs(network), np.array([0.9, 1.2]), 100, Schedule(20, 200, 10), 3)
    return drawn.reshape(-1, 64)


def test_an_exact_space_holds_its_patterns():
    directions, truth = exact_space(50, 5, seed=3)
    projector = directions @ np.linalg.pinv(directions)
    np.testing.assert_allclose(truth @ projector, truth, atol=1e-9)
    other = exact_space(50, 5, seed=4)[1]
    assert not np.array_equal(other, truth)


def test_every_route_recovers_few_patterns(network, spins):
    """At P / N = 1/16, from 4,000 samples around T = 1."""
    spaces = sample_spaces(spins, 4, seed=5)
    assert {name: space.shape for name, space in spaces.items()} == dict.fromkeys(
        ("pca", "naive_mean_field", "pseudo_likelihood"), (64, 4)
    )
    table = recovery_table(spaces, network.patterns, SETTINGS)
    assert list(zip(table.space, table.unmixing, strict=True)) == [(s, u) for s in spaces for u in ROUTES[s]]
    assert table.solved.all()
    assert (table.min_overlap >= 0.95).all()
    assert (table.found == 4).all()


def test_what_is_not_there_is_not_recovered(network):
    """A random space: FastICA returns as many vectors as asked for, the search returns none."""
    noise = np.random.default_rng(1).normal(size=(64, 4))
    table = recovery_table({"exact": noise}, network.patterns, SETTINGS).set_index("unmixing")
    assert table.recovered.tolist() == [0, 0]
    assert table.found.to_dict() == {"fastica": 4, "search": 0}
    assert table.mean_overlap["search"] == 0


def test_half_of_the_patterns_is_half_recovered():
    directions, truth = exact_space(100, 3, seed=3)
    others = exact_space(100, 3, seed=9)[1]
    table = recovery_table({"exact": directions}, np.concatenate((truth, others)), SETTINGS)
    np.testing.assert_allclose(table.recovered, 0.5)
    assert not table.solved.any()


def test_couplings_are_those_of_a_decoder_that_holds_the_patterns(network):
    """The Hebbian ones exactly; those of a Gaussian prior not; classical estimators within their errors."""
    temperature, truth = 2.0, network.couplings / 2.0
    rows = sample_chains(HopfieldGibbs(network), np.array([temperature]), 400, Schedule(20, 200, 10), 3).reshape(-1, 64)
    vae = VAE(LinearEncoder(64, 4), LinearDecoder(64, 4), GaussianPrior(4)).requires_grad_(False)
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(2.0 * network.patterns.T))
    vae.decoder.log_odds.bias.zero_()
    table = coupling_table(vae, network, {temperature: rows}, 2000, SETTINGS).set_index("route").relative_error
    assert table["patterns"] == pytest.approx(0, abs=1e-12)
    assert table["latent_potential"] == pytest.approx(
        coupling_error(gaussian_couplings(network.patterns), truth), rel=0.05
    )
    errors = NaiveMeanField().fit(rows).couplings_error_
    predicted = np.sqrt((errors[~np.eye(64, dtype=bool)] ** 2).sum()) / np.linalg.norm(truth)
    assert table["naive_mean_field"] == pytest.approx(predicted, rel=0.1)
    assert 0.4 < table["pseudo_likelihood"] < table["naive_mean_field"] < 0.8


def gaussian_couplings(patterns: np.ndarray) -> np.ndarray:
    """Couplings of z ~ Normal(0, 1) and the fields xi_i.z, by Stein: A = 1 + sum_i <sech^2(xi_i.z)> xi_i xi_i^T."""
    z = np.linspace(-10, 10, 2001)
    curvature = (norm.pdf(z) / np.cosh(np.sqrt(len(patterns)) * z) ** 2).sum() * (z[1] - z[0])
    weights = patterns.T.astype(float)
    couplings = weights @ np.linalg.solve(np.eye(len(patterns)) + curvature * weights.T @ weights, weights.T)
    return couplings - np.diag(np.diag(couplings))


def test_a_cnn_has_no_latent_potential(network, spins):
    vae = VAE(LinearEncoder(64, 4), CNNDecoder(64, 4, channels=2), GaussianPrior(4)).eval().requires_grad_(False)
    table = coupling_table(vae, network, {1.2: spins[2000:]}, 100, SETTINGS)
    assert table.route.tolist() == ["patterns", "naive_mean_field", "pseudo_likelihood"]


def test_curves_are_means_over_instances():
    rows = [("exact", "search", 10, 2, share, share == 1, 0.9, 0.8, 1.0) for share in (1.0, 0.5, 0.0)]
    names = ["space", "unmixing", "sites", "patterns", "recovered", "solved", "mean_overlap", "min_overlap", "seconds"]
    curve = load_curves(pd.DataFrame(rows, columns=names)).iloc[0]
    assert (curve.recovered, curve.instances) == (0.5, 3)
    assert curve.solved == pytest.approx(1 / 3)
    assert curve.error == pytest.approx(0.5 / np.sqrt(3))


def test_curves_run_from_few_patterns_to_many():
    directions, truth = exact_space(60, 4, seed=3)
    parts = [recovery_table({"exact": directions[:, :count]}, truth[:count], SETTINGS) for count in (4, 1)]
    assert load_curves(pd.concat(parts)).patterns.tolist() == [1, 1, 4, 4]


@pytest.mark.parametrize("wrong", [{"restarts": 0}, {"threshold": 1.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        Unmixing(**{"restarts": 1, "threshold": 0.9, "seed": 1} | wrong)


def test_unknown_unmixing_is_refused():
    with pytest.raises(ValueError, match="method: expected one of"):
        SETTINGS.patterns("guess", np.eye(4))
