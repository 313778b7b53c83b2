"""Total correlations: the critic against sums over all states and the identity, and what it cannot know."""

import itertools
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.exact_draws import exact_draws
from helpers.exact_models import exact_vae
from scipy.special import xlogy

from vae_mf.analysis.elbo_surgery import surgery_table
from vae_mf.analysis.joint_samples import decoded_samples, marginal_parameters, marginal_samples, plant
from vae_mf.analysis.total_correlation import (
    CriticSamples,
    CriticSettings,
    agreement,
    conditional_total_correlation,
    decide,
    divergence_bounds,
    exact_total_correlation,
    model_total_correlation,
    pair_floors,
    sensitivity_table,
    total_correlation,
)
from vae_mf.models.critic import DenseCritic, LatticeCritic
from vae_mf.models.decoders import LinearDecoder
from vae_mf.models.encoders import LinearEncoder
from vae_mf.models.priors.gaussian import GaussianPrior
from vae_mf.models.site_families import FAMILIES
from vae_mf.models.vae import VAE
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.wolff import Wolff
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe
from vae_mf.training.critic_module import fit_critic

SYSTEM = Ising2D(4)
TEMPERATURES = (2.0, 3.5)
EQUILIBRIUM = dict.fromkeys(TEMPERATURES, "equilibrium")


def settings(epochs: int = 6, **changes) -> CriticSettings:
    fit = partial(
        fit_critic,
        alpha=0.1,
        epochs=epochs,
        batch_size=256,
        sites_per_step=16,
        learning_rate=1e-2,
        weight_decay=1e-2,
        trainer={"accelerator": "cpu"},
    )
    defaults = {
        "dense": partial(DenseCritic, hidden=16),
        "lattice": partial(LatticeCritic, hidden=32),
        "fit": fit,
        "training_samples": 10_000,
        "validation": 0.1,
        "generated": 400,
        "generated_test": 100,
        "planted": (0.2, 1.0),
        "planted_orders": (2, 3, 5),
        "absolute_tolerance": 0.1,
        "relative_tolerance": 0.1,
        "seed": 1,
    }
    return CriticSettings(**{**defaults, **changes})


def untrained(sites: int, latents: int = 1, scale: float = 0.5) -> VAE:
    """A model of the wrong weights: every identity holds for it all the same."""
    torch.manual_seed(5)
    vae = VAE(LinearEncoder(sites, latents), LinearDecoder(sites, latents), GaussianPrior(latents)).eval()
    vae.decoder.log_odds.weight.data.mul_(scale)
    return vae


@pytest.fixture(scope="module")
def ising():
    """Critic and identity of a model of 16 Ising spins."""
    vae, train, held_out = (
        untrained(16),
        exact_draws(SYSTEM, TEMPERATURES, 3000, 1),
        exact_draws(SYSTEM, TEMPERATURES, 500, 2),
    )
    surgery = surgery_table(vae, SYSTEM, train, held_out, 50, EQUILIBRIUM, 4000, 3)
    return conditional_total_correlation(vae, SYSTEM, train, held_out, 50, surgery, settings(epochs=12))


def test_the_critic_agrees_with_the_identity(ising):
    """Both are averages over the same configurations: their difference is far smaller than their errors."""
    for row in ising.table.itertuples():
        assert row.test > 1
        assert abs(row.test - row.identity) < 0.1 * row.identity + row.bracket
        assert row.decided
        assert row.agrees
        assert row.source == "identity"
        assert row.correlation == row.identity
        assert row.correlation_per_site == pytest.approx(row.identity / 16)


def test_log_ratios_are_those_of_the_table(ising):
    means = ising.log_ratios.reshape(2, -1).mean(1)
    np.testing.assert_allclose(means, ising.table.test, rtol=1e-5)


def test_an_exactly_factorised_model_reads_zero():
    """X are draws from the model itself, with z of the prior known to the decoder only: C(x|z) = 0 by construction."""
    patterns, temperatures = np.ones((1, 16), np.int8), (0.8, 1.5)
    vae, system = exact_vae(patterns, list(temperatures)), CurieWeiss(16)
    train, held_out = exact_draws(system, temperatures, 2000, 1), exact_draws(system, temperatures, 500, 2)
    surgery = surgery_table(vae, system, train, held_out, 50, dict.fromkeys(temperatures, "random_start"), 2000, 3)
    table = conditional_total_correlation(vae, system, train, held_out, 50, surgery, settings(epochs=3)).table
    assert (table.test.abs() < 0.02).all()
    assert (table.source == "critic").all()
    assert table.agrees.isna().all()
    assert table.decided.all()
    assert (table.divergence.abs() < 0.02).all()


def tilted_curie_weiss(coupling: float) -> tuple[np.ndarray, np.ndarray, float]:
    """States of ten spins with further couplings of pairs, their law, and its divergence from Curie-Weiss."""
    states = enumerate_system(CurieWeiss(10), 1.0)
    spins = states.spins.astype(float)
    law = states.probabilities * np.exp(coupling * (spins[:, ::2] * spins[:, 1::2]).sum(1))
    law /= law.sum()
    return states.spins.astype(np.int8), law, float(law @ np.log(law / states.probabilities))


def critic_of_curie_weiss(coupling: float, narrowing: float, chains: int = 3000) -> tuple[pd.Series, float]:
    """The reading of a model that is Curie-Weiss exactly, its encoder too narrow, and the exact divergence."""
    states, law, divergence = tilted_curie_weiss(coupling)
    generator = np.random.default_rng(1)
    train, held_out = ({1.0: states[generator.choice(len(law), rows, p=law)]} for rows in (6000, 3000))
    vae = exact_vae(np.ones((1, 10), np.int8), [1.0])
    vae.encoder.thermal[-1].bias.data[1:] -= narrowing
    surgery = surgery_table(vae, None, train, held_out, chains, {1.0: "recorded"}, 2000, 3)
    result = conditional_total_correlation(vae, None, train, held_out, chains, surgery, settings(epochs=8))
    return result.table.iloc[0], divergence


def test_a_bad_encoder_of_an_exact_model_is_no_divergence():
    """The rows correlate given a z that is too sure of itself; those of the model do so as well."""
    row, divergence = critic_of_curie_weiss(coupling=0.0, narrowing=2.0)
    assert divergence == pytest.approx(0, abs=1e-12)
    assert row.test > 20 * row.test_error
    assert row.divergence < 2 * row.divergence_error


def test_correlations_beyond_the_model_are_bounded_from_below():
    row, divergence = critic_of_curie_weiss(coupling=0.3, narrowing=0.0)
    assert 0.5 * divergence < row.divergence < divergence + 2 * row.divergence_error
    assert row.divergence_error < 0.1 * divergence


@pytest.mark.parametrize(("own", "subtracted"), [(-3.0, 0.0), (0.5, 0.5)])
def test_only_correlations_in_rows_of_the_model_are_subtracted(ising, monkeypatch, own, subtracted):
    """Where its rows of large ratio are too rare to be drawn, ln <r> is negative and would raise the bound."""
    monkeypatch.setattr(ising.critic, "log_ratio", lambda samples: torch.full((len(samples.latents),), own))
    values = [bound.value for bound in divergence_bounds(untrained(16), ising, seed=1)]
    np.testing.assert_allclose(values, ising.table.test - subtracted, rtol=1e-5)


def test_the_error_of_a_single_chain_is_unknown():
    row, _ = critic_of_curie_weiss(coupling=0.3, narrowing=0.0, chains=1)
    assert np.isnan(row.divergence_error)
    assert not row.decided
    assert np.isnan(row.samples_needed)


def test_total_correlation_of_data_against_the_sum_over_all_states():
    table = total_correlation(
        SYSTEM, exact_draws(SYSTEM, TEMPERATURES, 3000, 1), exact_draws(SYSTEM, TEMPERATURES, 1000, 2), 1000, settings()
    ).table
    for row in table.itertuples():
        assert row.exact == pytest.approx(16 * np.log(2) - enumerate_system(SYSTEM, row.temperature)[3].entropy)
        assert abs(row.test - row.exact) < 0.05 * row.exact + 3 * row.test_error


def test_total_correlation_of_draws_from_a_factorised_model_is_zero():
    vae = untrained(9, scale=0.0)
    table = model_total_correlation(vae, None, [1.0], settings(epochs=2, generated=2000, generated_test=500)).table
    assert abs(table.test.item()) < 0.02
    assert table.source.item() == "model"
    assert np.isnan(table.exact.item())


@pytest.mark.parametrize(
    ("system", "temperature"),
    [(CurieWeiss(40), 1.1), (Ising2D(3), 2.0), (Hopfield.random(12, 2, 1), 0.9)],
    ids=["curie_weiss", "ising2d", "hopfield"],
)
def test_exact_total_correlations(system, temperature):
    entropy = system.thermodynamics(temperature).entropy
    assert exact_total_correlation(system, temperature) == pytest.approx(system.sites * np.log(2) - entropy)


def test_total_correlation_of_hot_directors_vanishes_and_an_unknown_one_is_nan():
    assert 0 < exact_total_correlation(MaierSaupe(20), 50.0) < 1e-3
    assert np.isnan(exact_total_correlation(None, 1.0))
    assert np.isnan(exact_total_correlation(Hopfield.random(12, 4, 1), 1.0))


@pytest.mark.parametrize(
    ("kind", "order"), [("spins", 2), ("spins", 3), ("spins", 5), ("directors", 2), ("directors", 3)]
)
def test_a_planted_correlation_has_the_size_it_says(kind, order):
    """E_reference[r] = 1, and ln r averages to about the size that was asked for."""
    torch.manual_seed(1)
    family, rows = FAMILIES[kind], 5000
    parameters = 0.7 * torch.randn(1, 6, family.components, dtype=torch.float64)
    drawn = family.sample(parameters.expand(rows, -1, -1))
    like = marginal_samples({1.0: np.ones((rows, 6), np.int8)}, torch.zeros(1, 6, 1, dtype=torch.float64))
    samples = like._replace(
        statistics=drawn, parameters=parameters.expand(rows, -1, -1), residuals=drawn - family.mean(parameters)
    )
    planted = plant(samples, family, order, 0.1, torch.Generator().manual_seed(2))
    assert planted.log_ratio.mean().item() == pytest.approx(0.1, rel=0.25)
    inverse = (-planted.log_ratio).exp()
    assert abs(inverse.mean() - 1) < 4.5 * inverse.std() / rows**0.5
    centred = planted.samples.statistics - family.mean(parameters)
    torch.testing.assert_close(planted.samples.residuals, centred)
    # The last site of a group leans on the others, which keep their law.
    free = planted.samples.residuals[:, torch.arange(6) % order != order - 1]
    assert (free.mean(0).abs() < 4.5 * free.std(0) / rows**0.5).all()


def test_a_product_of_five_shows_in_no_fewer_sites():
    parameters = torch.zeros(1, 5, 1)
    spins = np.random.default_rng(1).choice(np.int8([-1, 1]), (20_000, 5))
    planted = plant(
        marginal_samples({1.0: spins}, parameters), FAMILIES["spins"], 5, 0.2, torch.Generator().manual_seed(1)
    ).samples.statistics[..., 0]
    products = [planted[:, list(sites)].prod(1) for sites in itertools.combinations(range(5), 4)]
    assert max(abs(product.mean().item()) for product in products) < 4.5 / 20_000**0.5
    # ln r = J prod_i s_i - ln cosh J with J²/2 = 0.2.
    assert planted.prod(1).mean().item() == pytest.approx(np.tanh(0.4**0.5), abs=4.5 / 20_000**0.5)


@pytest.mark.parametrize("order", [2, 3])
def test_nothing_is_planted_in_sites_that_are_frozen(order):
    samples = marginal_samples({1.0: np.ones((100, 6), np.int8)}, torch.full((1, 6, 1), 30.0))
    planted = plant(samples, FAMILIES["spins"], order, 0.2, torch.Generator().manual_seed(1))
    assert not planted.log_ratio.any()
    assert (planted.samples.statistics == 1).all()


@pytest.mark.parametrize("order", [1, 6])
def test_a_product_of_sites_that_are_not_there_is_refused(order):
    samples = marginal_samples({1.0: np.ones((4, 5), np.int8)}, torch.zeros(1, 5, 1))
    with pytest.raises(ValueError, match=f"order: expected a number of sites from 2 to 5, got {order}"):
        plant(samples, FAMILIES["spins"], order, 0.2, torch.Generator())


def independent_samples(sites: int = 20, chains: int = 1000) -> CriticSamples:
    """Fair spins beside a reference that is their law, at two temperatures."""
    generator = np.random.default_rng(1)
    parts = [{t: generator.choice(np.int8([-1, 1]), (rows, sites)) for t in TEMPERATURES} for rows in (4000, 400, 1000)]
    joint = [marginal_samples(part, torch.zeros(2, sites, 1)) for part in parts]
    return CriticSamples(*joint, list(TEMPERATURES), chains, "spins", False)


@pytest.fixture(scope="module")
def sensitivity():
    """Planted correlations of two, three and five of twenty fair spins."""
    return sensitivity_table(independent_samples(), settings())


def test_pairs_are_seen_with_the_error_of_the_difference(sensitivity):
    pairs = sensitivity[sensitivity.order == 2]
    assert len(pairs) == 2
    # J s s' - ln cosh J of ten pairs with J² = 0.04.
    np.testing.assert_allclose(pairs.planted, 10 * (0.2 * np.tanh(0.2) - np.log(np.cosh(0.2))), rtol=0.15)
    # Alone the mean of ln r over 4,000 rows is known to 0.01.
    assert (pairs.error < 0.004).all()
    assert (pairs.seen > 0.7 * pairs.planted).all()
    np.testing.assert_allclose(pairs.floor, (pairs.planted - pairs.seen).clip(lower=0) + 2 * pairs.error)
    pd.testing.assert_series_equal(pair_floors(sensitivity), pairs.set_index("temperature").floor)


def test_a_product_of_five_is_not_seen_however_large(sensitivity):
    five = sensitivity[sensitivity.order == 5]
    assert five.temperature.tolist() == [*TEMPERATURES] * 2
    assert (five.planted.iloc[2:] > 0.7).all()
    assert (five.seen.abs() < 0.02).all()
    assert five.floor.isna().all()


def test_a_blind_critic_has_no_floor():
    blind = settings(fit=lambda critic, *samples, seed: critic.eval(), planted_orders=(2,))
    table = sensitivity_table(independent_samples(), blind)
    assert (table.seen.abs() < 1e-6).all()
    assert len(table) == 4
    assert table.floor.isna().all()
    assert pair_floors(table).isna().all()


def test_a_single_chain_gives_no_floor_and_missing_sites_no_line():
    table = sensitivity_table(independent_samples(sites=4, chains=1), settings(planted=(0.2,)))
    assert sorted(set(table.order)) == [2, 3]
    assert table.floor.isna().all()


@pytest.mark.parametrize(
    ("identity", "bracket", "critic", "agrees"),
    [
        (0.0, 0.0, 0.1, True),
        (0.5, 0.0, 0.59, True),
        (0.5, 0.0, 0.61, False),
        (0.5, 0.0, 0.39, False),
        (3.0, 0.0, 3.29, True),
        (3.0, 0.0, 3.31, False),
        (3.0, 0.0, 2.69, False),
        # A tenth of the identity is less than .28, a tenth of the critic would be more.
        (2.7, 0.0, 2.98, False),
        (0.5, 0.2, 0.79, True),
        (0.5, 0.2, 0.81, False),
    ],
)
def test_a_critic_agrees_within_the_tolerance_and_the_bracket(identity, bracket, critic, agrees):
    """Of .1 nats or a tenth of the identity, whichever is larger."""
    table = pd.DataFrame({"test": [critic, critic], "identity": [identity, np.nan], "bracket": bracket})
    found = agreement(table, settings())
    assert found[0] == agrees
    assert np.isnan(found[1])


def test_train_and_test_that_disagree_leave_it_open():
    table = pd.DataFrame({"train": [1.0, 1.0, 1.0], "test": [0.9, 0.6, 0.6], "train_error": 0.01, "test_error": 0.01})
    table.loc[2, "test_error"] = 0.3
    found = decide(table, np.array([100, 100, 100]), settings())
    assert found.decided.tolist() == [True, False, True]
    assert found.samples_needed.isna().tolist() == [True, False, True]
    assert found.samples_needed[1] == 400


@pytest.mark.parametrize("error", ["train_error", "test_error"])
def test_an_unknown_error_decides_nothing(error):
    table = pd.DataFrame({"train": [1.0, 9.0], "test": 1.0, "train_error": 0.01, "test_error": 0.01})
    found = decide(table.assign(**{error: np.nan}), np.array([100, 100]), settings())
    assert not found.decided.any()
    assert found.samples_needed.isna().all()


def test_few_samples_are_not_decided():
    """A critic of many weights on 60 configurations; the gain is set on six."""
    vae, train, held_out = (
        untrained(16),
        exact_draws(SYSTEM, TEMPERATURES, 60, 1),
        exact_draws(SYSTEM, TEMPERATURES, 1000, 2),
    )
    surgery = surgery_table(vae, None, train, held_out, 50, EQUILIBRIUM, 1000, 3)
    judged = settings(epochs=60, lattice=partial(DenseCritic, hidden=64), relative_tolerance=0.02)
    table = conditional_total_correlation(vae, SYSTEM, train, held_out, 50, surgery, judged).table
    assert not table.decided[1]
    assert table.samples_needed[1] > 60
    # The difference of the cold samples is within the errors of so few.
    assert table.train[0] > table.test[0]


def test_marginals_are_those_of_the_data():
    spins = np.array([[1, 1, -1], [1, -1, -1], [1, 1, -1]], np.int8)
    parameters = marginal_parameters({1.0: spins}, torch.zeros((), dtype=torch.float64))
    np.testing.assert_allclose(parameters[0, :, 0].tanh().numpy(), [3 / 4, 1 / 4, -3 / 4])


def test_joint_samples_hold_what_the_decoder_says():
    vae, found = untrained(16), exact_draws(SYSTEM, TEMPERATURES, 20, 1)
    samples = decoded_samples(vae, found, 2)
    with torch.no_grad():
        decoded = vae.decoder(samples.latents)
    np.testing.assert_array_equal(samples.statistics[..., 0], np.concatenate(list(found.values())))
    torch.testing.assert_close(samples.parameters[..., 0], decoded.log_odds / 2)
    torch.testing.assert_close(samples.residuals[..., 0], samples.statistics[..., 0] - decoded.mean)
    assert samples.condition.index.tolist() == [0] * 20 + [1] * 20


@pytest.mark.parametrize(
    ("setting", "value"),
    [("training_samples", 0), ("validation", 1.0), ("generated", 0), ("absolute_tolerance", -1.0)],
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: expected"):
        settings(**{setting: value})


@pytest.mark.parametrize(("setting", "value"), [("planted", (0.2, 0.0)), ("planted_orders", (2, 1))])
def test_planted_correlations_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: expected"):
        settings(**{setting: value})


def test_a_single_training_configuration_is_refused():
    with pytest.raises(ValueError, match=r"expected at least 2 configurations at T = 2.0, got 1"):
        total_correlation(
            SYSTEM, exact_draws(SYSTEM, TEMPERATURES, 1, 1), exact_draws(SYSTEM, TEMPERATURES, 10, 2), 10, settings()
        )


@pytest.mark.slow
def test_the_critic_does_not_saturate():
    """256 Ising spins and a model that knows the magnetisation only: 3 to 45 nats, within 15 % of the identity."""
    system, temperatures = Ising2D(16), (1.8, 2.269185, 2.5, 4.0)
    schedule = Schedule(burn_in=200, draws=50, thinning=10)
    drawn = sample_chains(Wolff(system), np.array(temperatures), 60, schedule, 1)
    spins = dict(zip(temperatures, drawn.reshape(4, -1, 256), strict=True))
    train, held_out = ({t: rows[part] for t, rows in spins.items()} for part in (slice(2500), slice(2500, None)))
    vae = exact_vae(np.ones((1, 256), np.int8), list(temperatures))
    surgery = surgery_table(vae, system, train, held_out, 10, dict.fromkeys(temperatures, "equilibrium"), 3000, 3)
    judged = settings(epochs=15, lattice=partial(LatticeCritic, hidden=64))
    table = conditional_total_correlation(vae, system, train, held_out, 10, surgery, judged).table
    assert table.identity.min() > 2
    assert table.identity.max() > 30
    np.testing.assert_allclose(table.test, table.identity, rtol=0.15)
    assert table.decided.all()
    assert table.agrees.all()


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("sites", [1, 7, 12])
def test_total_correlation_equals_enumeration(sites, temperature):
    system = CurieWeiss(sites)
    exact = enumerate_system(system, temperature)
    up = (1 + exact.mean(exact.spins.astype(float))) / 2
    marginal = -(xlogy(up, up) + xlogy(1 - up, 1 - up)).sum()
    entropy = -xlogy(exact.probabilities, exact.probabilities).sum()
    assert exact_total_correlation(system, temperature) == pytest.approx(marginal - entropy, abs=1e-10)
