"""Tables behind the figures of the inverse-Ising sources: the two generators, and trends that must hold."""

import os

import numpy as np
import pytest
from scipy.stats import spearmanr

from vae_mf.inverse_ising import ProbabilityFlow, PseudoLikelihood
from vae_mf.studies.coupling_tables import accuracy, correlation_table, field_table, pair_table
from vae_mf.studies.erasure_machine import (
    accuracy_tables,
    digit_tables,
    equilibrium_samples,
    gaussian_model,
    learning_tables,
    mean_squared_error,
    resampled,
    time_tables,
)
from vae_mf.studies.kinetic_errors import error_tables
from vae_mf.studies.low_temperature import ferromagnet_tables, glass_samples, glass_tables
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.spin_glass import Ising, SherringtonKirkpatrick

MNIST = os.environ.get("VAE_MF_MNIST")
SIGMAS = 4.5


def test_equilibrium_samples_have_the_exact_moments():
    couplings, fields = gaussian_model(8, 1.5, np.random.default_rng(1))
    exact = enumerate_system(Ising(couplings, fields), 1.0)
    spins = equilibrium_samples(couplings, fields, 4000, 1)
    assert spins.shape == (4000, 8)
    means = exact.mean(exact.spins.astype(float))
    # Draws ten sweeps apart and exchanged with hot ones are close to independent; a factor of two is left for the rest.
    z = (spins.mean(axis=0) - means) / np.sqrt(2 * (1 - means**2) / 4000)
    assert np.abs(z).max() < SIGMAS
    energy = exact.mean(exact.energies)
    spread = np.sqrt(exact.mean((exact.energies - energy) ** 2))
    found = Ising(couplings, fields).energy(spins).mean()
    assert abs(found - energy) < SIGMAS * spread * np.sqrt(2 / 4000)


def test_resampled_configurations_are_few_at_strong_coupling():
    couplings, fields = gaussian_model(40, 1.5, np.random.default_rng(2))
    fair, biased = (draw(couplings, fields, 1000, 3) for draw in (equilibrium_samples, resampled))
    assert biased.shape == fair.shape
    assert len(np.unique(biased, axis=0)) < 0.2 * len(np.unique(fair, axis=0))
    weak = tuple(0.02 * part for part in (couplings, fields))
    np.testing.assert_allclose(resampled(*weak, 4000, 3).mean(axis=0), np.tanh(weak[1]), atol=SIGMAS / np.sqrt(4000))


def test_mean_squared_errors_count_couplings_once():
    couplings = np.zeros((3, 3))
    fields = np.zeros(3)
    assert mean_squared_error(couplings, fields, couplings + 2, fields + 1) == pytest.approx((3 * 4 + 3 * 1) / 6)


def test_learning_tables_follow_every_step_and_circle_the_largest_energy():
    tables = learning_tables(10, 0.7, [200, 400], [0.5, 0.7, 0.9], 20, 1)
    assert len(tables["learning"]) == 2 * 2 * 21 * 3
    final = tables["epsilons"]
    assert set(final.iteration) == {20}
    for _, rows in final.groupby(["generator", "samples"]):
        assert rows.energy[rows.chosen].tolist() == [rows.energy.max()]
    assert (tables["learning"].query("iteration == 0").energy == 0).all()


def test_accuracy_improves_with_samples_and_beats_hebb():
    table = accuracy_tables(10, [0.5], [100, 2000], 1, 1)["accuracy"].query("generator == 'equilibrium'")
    errors = table.pivot(index="samples", columns="method", values="error")
    assert (errors.loc[2000] < errors.loc[100]).all()
    assert errors.loc[2000, "erasure machine"] < 0.7 * errors.loc[2000, "Hebb"]


def test_times_are_positive():
    table = time_tables([6, 8], 200, 1, 1)["times"]
    assert len(table) == 4
    assert (table.seconds > 0).all()


def test_kinetic_errors_agree_with_their_prediction_and_tap_is_left_out_where_it_fails():
    table = error_tables(12, [0.25, 1.0], [1000, 8000], 1, 1)["kinetic_errors"]
    likelihood = table[table.method == "maximum likelihood"]
    np.testing.assert_allclose(likelihood.error, likelihood.predicted, rtol=SIGMAS / np.sqrt(2 * 144))
    assert set(table[table.strength == 1.0].method) == {"maximum likelihood", "exact mean field", "naive mean field"}
    assert table[table.strength == 1.0].query("method == 'naive mean field'").slope.max() < 0.8


def test_two_states_mend_the_ferromagnet():
    table = ferromagnet_tables(20, [1.4], [20_000], 1, 1)["ferromagnet"].set_index("method").deviation
    assert table["two states"] < 0.7 * table["one state"]


def test_glass_samples_have_the_exact_energies():
    system = SherringtonKirkpatrick.random(8, 1)
    for beta, spins in zip((0.5, 1.7), glass_samples(system, (0.5, 1.7), 3000, 1), strict=True):
        exact = enumerate_system(system, 1 / beta).thermodynamics
        spread = np.sqrt(exact.heat_capacity) / beta
        assert abs(system.energy(spins).mean() - exact.energy) < SIGMAS * spread * np.sqrt(2 / 3000)


def test_glass_tables_compare_all_methods():
    table = glass_tables(12, [0.5], [1, 2], 2000, 2, 1)["glass"]
    assert table.groupby("method").size().to_dict() == {"TAP": 4, "naive": 4, "pseudo-likelihood": 2}
    assert table.groupby("disorder").rmse.first().nunique() == 2
    assert (table.one_minus_r < 0.1).all()
    assert (table.samples == 2000 * table.clusters).all()


def test_accuracy_of_a_multiple():
    true = np.random.default_rng(1).normal(size=20)
    found = accuracy(true, 2 * true)
    assert found["one_minus_r"] == pytest.approx(0)
    assert found["slope"] == pytest.approx(2)
    assert found["rmse"] == pytest.approx(np.sqrt((true**2).mean()))


def test_tables_of_inferred_couplings_have_errors_and_truth_where_known():
    spins = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (200, 4))
    plain = ProbabilityFlow().fit(spins)
    careful = PseudoLikelihood(standard_errors=True).fit(spins)
    pairs = pair_table(careful, np.arange(16.0).reshape(4, 4))
    assert pairs[["i", "j"]].to_numpy().tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert pairs.truth.tolist() == [1, 2, 3, 6, 7, 11]
    assert pairs.coupling[4] == careful.couplings_[1, 3]
    assert pairs.error[4] == careful.couplings_error_[1, 3]
    assert list(pair_table(plain)) == ["i", "j", "coupling"]
    assert list(field_table(careful, np.zeros(4))) == ["i", "field", "error", "truth"]
    assert list(field_table(plain)) == ["i", "field"]
    named = pair_table(plain, names=["anna", "bob", "carl", "dora"])
    assert named[["i", "j"]].to_numpy().tolist()[-2:] == [["bob", "dora"], ["carl", "dora"]]
    assert field_table(plain, names=["anna", "bob", "carl", "dora"]).i[1] == "bob"
    table = correlation_table({"a": pair_table(plain), "b": pairs})
    expected = spearmanr(pair_table(plain).coupling, pairs.coupling).statistic
    assert table.correlation.tolist() == pytest.approx([1, expected, expected, 1])
    assert correlation_table({"a": pairs}).correlation.tolist() == [1.0]
    infinite = pairs.assign(coupling=pairs.coupling.replace(pairs.coupling.max(), np.inf))
    assert np.isfinite(correlation_table({"a": pairs, "b": infinite}).correlation).all()


@pytest.mark.slow
@pytest.mark.skipif(MNIST is None, reason="VAE_MF_MNIST does not name the folder of MNIST")
def test_digits_are_completed():
    tables = digit_tables(str(MNIST), 8, 90, 10, 1)
    wrong = tables["completion"].set_index("method").wrong
    assert wrong["pseudo-likelihood"] < wrong["erasure machine"] < 0.7 * wrong["usual values"]
    torn = tables["pixels"].query("stage == 'torn'")
    assert (torn.value == 0).groupby(torn.image).sum().tolist() == [90] * 4
