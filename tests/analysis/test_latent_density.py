"""Densities of a single latent: normalised, and all the same for the exact model of Curie-Weiss."""

import numpy as np
import pytest
from helpers.exact_models import exact_vae

from vae_mf.analysis.latent_density import POINTS, latent_density_table
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield

SITES, TEMPERATURES = 10, [0.6, 1.4]
SYSTEM = CurieWeiss(SITES)


def held_out(system=SYSTEM) -> dict[float, np.ndarray]:
    random = np.random.default_rng(1)
    found = {t: enumerate_system(system, t) for t in TEMPERATURES}
    states = ((np.arange(2**SITES)[:, None] >> np.arange(SITES)) & 1) * 2 - 1
    return {t: states[random.choice(2**SITES, 4000, p=e.probabilities)].astype(np.int8) for t, e in found.items()}


def test_prior_posterior_and_theory_coincide_for_the_exact_model():
    vae = exact_vae(np.ones((1, SITES), np.int8), TEMPERATURES)
    table = latent_density_table(vae, SYSTEM, held_out())
    for _, rows in table.groupby("temperature"):
        step = rows.z.diff().mean()
        assert len(rows) == POINTS
        for name, tolerance in (("prior", 1e-3), ("exact", 1e-9), ("aggregated", 1e-2)):
            assert rows[name].sum() * step == pytest.approx(1, abs=tolerance)
        assert (rows.prior - rows.exact).abs().sum() * step < 5e-3
        assert (rows.aggregated - rows.exact).abs().sum() * step < 0.15
        assert rows.mean_field.is_monotonic_increasing or rows.mean_field.is_monotonic_decreasing


def test_other_systems_have_no_exact_law_and_more_latents_no_table():
    vae = exact_vae(np.ones((1, SITES), np.int8), TEMPERATURES)
    assert latent_density_table(vae, None, held_out()).exact.isna().all()
    patterns = Hopfield.random(SITES, 2, seed=1).patterns
    with pytest.raises(ValueError, match="expected one latent, got 2"):
        latent_density_table(exact_vae(patterns, TEMPERATURES), None, held_out())
