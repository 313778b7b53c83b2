"""ELBO surgery: the parts of the rate of an exact model, and of mixtures that can be written down."""

import numpy as np
import pytest
from helpers.exact_draws import exact_draws
from helpers.exact_models import exact_vae
from scipy.stats import multivariate_normal

from vae_mf.analysis.elbo_surgery import aggregated_log_density, surgery_table
from vae_mf.analysis.total_correlation import exact_total_correlation
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

SITES, TEMPERATURES = 10, [0.6, 1.4]
SYSTEM, FERROMAGNET = CurieWeiss(SITES), np.ones((1, SITES), np.int8)
EQUILIBRIUM = dict.fromkeys(TEMPERATURES, "equilibrium")


def test_the_aggregated_density_is_a_mixture_with_and_without_its_own_component():
    generator = np.random.default_rng(1)
    mean, deviation = generator.normal(size=(7, 2)), generator.uniform(0.3, 1, (7, 2))
    z = mean[:4] + deviation[:4] * generator.normal(size=(4, 2))
    densities = np.array([multivariate_normal(m, np.diag(d**2)).pdf(z) for m, d in zip(mean, deviation, strict=True)])
    found = aggregated_log_density(z, mean, deviation)
    np.testing.assert_allclose(np.exp(found.with_own), densities.mean(0))
    own = densities[np.arange(4), np.arange(4)]
    np.testing.assert_allclose(np.exp(found.without_own), (densities.sum(0) - own) / 6)


@pytest.fixture(scope="module")
def exact_table():
    vae = exact_vae(FERROMAGNET, TEMPERATURES)
    return surgery_table(
        vae,
        SYSTEM,
        exact_draws(SYSTEM, TEMPERATURES, 1500, 1),
        exact_draws(SYSTEM, TEMPERATURES, 1500, 2),
        1500,
        EQUILIBRIUM,
        3000,
        3,
    )


def test_an_exact_model_has_the_rate_of_its_field_and_leaves_nothing(exact_table):
    """Its posterior is that of the Hubbard-Stratonovich field, so the rate is I(x; field); all else vanishes."""
    for row in exact_table.itertuples():
        assert abs(row.rate - SYSTEM.field_information(row.temperature).value) < 4.5 * row.rate_error
        assert abs(row.kl_bound) < 1e-5
        assert abs(row.excess_kl) < 4.5 * row.excess_kl_error + row.bracket
        assert abs(row.identity) < 4.5 * row.identity_error + row.bracket
        assert row.useful_rate + row.excess_kl == pytest.approx(row.rate)
        assert row.bracket < 0.02


def test_a_model_of_independent_sites_leaves_the_whole_total_correlation():
    """With a decoder that ignores z the conditional total correlation is TC(x), and the rate is all excess or none."""
    vae = exact_vae(FERROMAGNET, TEMPERATURES)
    vae.decoder.log_odds.weight.data.zero_()
    table = surgery_table(
        vae,
        SYSTEM,
        exact_draws(SYSTEM, TEMPERATURES, 1500, 1),
        exact_draws(SYSTEM, TEMPERATURES, 1500, 2),
        1500,
        EQUILIBRIUM,
        3000,
        3,
    )
    for row in table.itertuples():
        # q(x|z) still depends on z: by the chain rule C(x|z) = TC(x) + I_q(x; z).
        expected = exact_total_correlation(SYSTEM, row.temperature) + SYSTEM.field_information(row.temperature).value
        assert abs(row.identity - expected) < 4.5 * row.identity_error + row.bracket


@pytest.mark.parametrize("reason", ["no system", "valleys", "unknown partition function"])
def test_no_identity_where_the_truth_is_not_known(reason):
    patterns = np.random.default_rng(1).choice([-1, 1], (4, SITES)).astype(np.int8)
    system = {"no system": None, "unknown partition function": Hopfield(patterns)}.get(reason, SYSTEM)
    ensembles = dict.fromkeys(TEMPERATURES, "random_start") if reason == "valleys" else EQUILIBRIUM
    vae = exact_vae(FERROMAGNET, TEMPERATURES)
    table = surgery_table(
        vae,
        system,
        exact_draws(SYSTEM, TEMPERATURES, 50, 1),
        exact_draws(SYSTEM, TEMPERATURES, 50, 2),
        10,
        ensembles,
        80,
        3,
    )
    assert table[["identity", "kl_bound"]].isna().all(axis=None)
    assert table[["rate", "useful_rate", "excess_kl"]].notna().all(axis=None)


def test_one_component_is_refused():
    with pytest.raises(ValueError, match="components: expected an integer >= 2, got 1"):
        surgery_table(exact_vae(FERROMAGNET, [0.6]), SYSTEM, {}, {}, 1, {}, 1, 3)
