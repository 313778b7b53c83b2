"""ELBO surgery: the parts of the rate of an exact model, and of mixtures that can be written down."""

import numpy as np
import pandas as pd
import pytest
from helpers.exact_draws import exact_draws
from helpers.exact_models import exact_vae
from scipy.stats import multivariate_normal, norm

from vae_mf.analysis import elbo_surgery
from vae_mf.analysis.elbo_surgery import (
    LatentDraws,
    aggregated_log_density,
    grouped_log_density,
    surgery_table,
    surgery_terms,
)
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


def test_rows_in_groups_have_the_density_of_their_group():
    generator = np.random.default_rng(2)
    mean, deviation = generator.normal(size=(11, 2)), generator.uniform(0.3, 1, (11, 2))
    z = mean + deviation * generator.normal(size=mean.shape)
    found = grouped_log_density(z, mean, deviation, groups=3)
    for group in range(3):
        part = slice(group, None, 3)
        alone = aggregated_log_density(z[part], mean[part], deviation[part])
        np.testing.assert_array_equal(found.with_own[part], alone.with_own)
        np.testing.assert_array_equal(found.without_own[part], alone.without_own)


def test_many_held_out_rows_are_under_no_more_than_twice_the_encodings_that_are_asked_for(monkeypatch):
    """Once all were under all of them: ten minutes for a hundred thousand rows."""
    sizes = []

    def noted(z, mean, deviation):
        sizes.append(len(mean))
        return aggregated_log_density(z, mean, deviation)

    monkeypatch.setattr(elbo_surgery, "aggregated_log_density", noted)
    vae = exact_vae(FERROMAGNET, TEMPERATURES)
    rows = exact_draws(SYSTEM, TEMPERATURES, 1500, 1)
    tables = [surgery_table(vae, SYSTEM, rows, rows, 1500, EQUILIBRIUM, count, 1) for count in (1500, 150)]
    assert sizes == [1500] * 2 + [150] * 20
    whole, parts = (table.set_index("temperature") for table in tables)
    differences = (whole.excess_kl - parts.excess_kl).abs()
    assert (differences < 2 * parts.excess_kl_error + parts.bracket).all()


def test_the_middle_of_the_bracket_is_nearer_the_truth_than_its_ends():
    """Few x ~ Normal(0, 3) and z ~ Normal(x, 1) per latent: q(z) is Normal(0, 4), and I(x; z) = ln 2 per latent."""
    vae, generator = exact_vae(FERROMAGNET, TEMPERATURES), np.random.default_rng(1)
    mean = np.sqrt(3) * generator.normal(size=(300, 15, 2))
    z = mean + generator.normal(size=mean.shape)
    log_posterior, log_density = (norm.logpdf(z, *law).sum(2) for law in ((mean, 1), (0, 2)))
    # The prior is q(z) itself, so that nothing is in excess; no term depends on ln p(x|z).
    draws = map(LatentDraws, mean, np.ones_like(mean), z, log_posterior, log_posterior, log_density)
    tables = [pd.DataFrame(surgery_terms(vae, each, FERROMAGNET[:0], 0.6, 1)) for each in draws]
    useful, excess, bracket = (
        np.array([table[name] for table in tables]) for name in ("useful_rate", "excess_kl", "bracket")
    )
    assert abs((log_posterior - log_density).mean() - 2 * np.log(2)) < 4.5 / np.sqrt(log_density.size)
    np.testing.assert_allclose(useful + excess, log_posterior - log_density)
    ends = aggregated_log_density(z[0], mean[0], np.ones_like(mean[0]))
    np.testing.assert_allclose(excess[0] + bracket[0], ends.with_own - log_density[0])
    np.testing.assert_allclose(excess[0] - bracket[0], ends.without_own - log_density[0])
    assert abs(excess.mean()) + 3 * excess.mean(1).std() / np.sqrt(len(excess)) < bracket.mean() / 3


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
        assert abs(row.excess_kl) < 4.5 * row.excess_kl_error < 0.005
        assert abs(row.identity) < 4.5 * row.identity_error < 0.005
        assert row.useful_rate + row.excess_kl == pytest.approx(row.rate)
        assert row.bracket < 0.001


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
        assert abs(row.identity - expected) < 4.5 * row.identity_error < 0.3


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
