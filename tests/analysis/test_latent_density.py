"""Densities of a single latent: normalised, and all the same for the exact model of Curie-Weiss."""

import numpy as np
import pytest
from helpers.exact_models import exact_vae
from scipy.stats import norm

from vae_mf.analysis.latent_density import POINTS, ROWS, field_density, latent_density_table
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SITES, TEMPERATURES = 10, [0.6, 1.4]
SYSTEM = CurieWeiss(SITES)


def held_out(system=SYSTEM) -> dict[float, np.ndarray]:
    """All states by their number of spins up, in proportion to their probability; all that the exact encoder sees."""
    states = np.where(np.arange(SITES) < np.arange(SITES + 1)[:, None], 1, -1).astype(np.int8)
    laws = {t: system.order_parameter_law(t).probabilities for t in TEMPERATURES}
    return {t: states.repeat(np.rint(0.99 * ROWS * law).astype(int), axis=0) for t, law in laws.items()}


def test_prior_posterior_and_theory_coincide_for_the_exact_model():
    vae = exact_vae(np.ones((1, SITES), np.int8), TEMPERATURES)
    table = latent_density_table(vae, SYSTEM, held_out())
    for _, rows in table.groupby("temperature"):
        step = rows.z.diff().mean()
        assert len(rows) == POINTS
        for name, tolerance in (("prior", 1e-3), ("exact", 1e-9), ("aggregated", 1e-2)):
            assert rows[name].sum() * step == pytest.approx(1, abs=tolerance)
        assert (rows.prior - rows.exact).abs().sum() * step < 5e-3
        assert (rows.aggregated - rows.exact).abs().sum() * step < 0.01
        assert rows.mean_field.is_monotonic_increasing or rows.mean_field.is_monotonic_decreasing


@pytest.mark.parametrize("coupling", [0.6, 2.0])
def test_the_exact_law_is_that_of_the_field_as_the_decoder_scales_it(coupling):
    """Given x the field h = w z + b is Normal(J m / T, J / (N T)), the mean over x a sum over all states."""
    system, weight, shift = CurieWeiss(SITES, coupling), 1.7, 0.4
    vae = exact_vae(np.ones((1, SITES), np.int8), TEMPERATURES).requires_grad_(False)
    vae.decoder.log_odds.weight.fill_(2 * weight)
    vae.decoder.log_odds.bias.fill_(2 * shift)
    z = np.linspace(-8, 8, 2001)
    for temperature in TEMPERATURES:
        states = enumerate_system(system, temperature)
        centre, deviation = coupling / temperature * states.spins.mean(1), np.sqrt(coupling / (SITES * temperature))
        expected = weight * norm.pdf(weight * z[:, None] + shift, centre, deviation) @ states.probabilities
        np.testing.assert_allclose(field_density(vae, system, z, temperature), expected, atol=1e-9)


def test_other_systems_have_no_exact_law_and_more_latents_no_table():
    vae = exact_vae(np.ones((1, SITES), np.int8), TEMPERATURES)
    assert latent_density_table(vae, None, held_out()).exact.isna().all()
    patterns = Hopfield.random(SITES, 2, seed=1).patterns
    with pytest.raises(ValueError, match="expected one latent, got 2"):
        latent_density_table(exact_vae(patterns, TEMPERATURES), None, held_out())
