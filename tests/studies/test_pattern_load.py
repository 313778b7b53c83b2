"""The map of recovery: every route is measured by the same rule, and none is told the answer."""

import numpy as np
import pandas as pd
import pytest
import torch

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


def test_couplings_are_those_of_a_decoder_that_holds_the_patterns(network, spins):
    """The Hebbian ones exactly; those of a Gaussian prior not; those of the classical estimators roughly."""
    vae = VAE(LinearEncoder(64, 4), LinearDecoder(64, 4), GaussianPrior(4)).requires_grad_(False)
    vae.decoder.log_odds.weight.copy_(torch.from_numpy(2.0 * network.patterns.T))
    table = coupling_table(vae, network, {1.2: spins[2000:]}, 100, SETTINGS).set_index("route").relative_error
    assert table["patterns"] == pytest.approx(0, abs=1e-12)
    assert table["latent_potential"] > 0.5
    assert table["naive_mean_field"] < 1.5
    assert table["pseudo_likelihood"] < 1


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
