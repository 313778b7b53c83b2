"""The scaling study puts the capacities of runs side by side and finds how posteriors narrow."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.studies.scaling import scaling_table, scaling_tables
from vae_mf.tables import VERDICT, write_tables


def test_scaling_puts_runs_side_by_side():
    def run(sites: int, latents: int, rate: float, information: float) -> pd.DataFrame:
        known = {
            "identity": 0.1 * sites,
            "identity_error": 0.1,
            "bracket": 0.0,
            "posterior_variance": 3 / sites,
            "cut": "half",
            "satisfied": rate > information,
        }
        errors = {"rate_error": 0.1, "information_error": 0.0}
        numbers = {"sites": sites, "latents": latents, "temperature": 2.0, "rate": rate, "information": information}
        return pd.DataFrame([numbers | errors | known])

    table = scaling_table([run(1024, 1, 2.0, 8.0), run(64, 1, 1.5, 2.0), run(256, 1, 1.8, 4.0), run(64, 2, 3.0, 2.0)])
    assert table.sites.tolist() == [64, 256, 1024, 64]
    assert table.shortfall.tolist() == [0.5, 2.2, 6.0, -1.0]
    np.testing.assert_allclose(table.identity_per_site, 0.1)
    np.testing.assert_allclose(table.variance_exponent, [-1, -1, -1, np.nan])


def test_every_system_needs_runs(tmp_path):
    errors = {"rate_error": 0.1, "information_error": 0.0, "identity_error": 0.1, "bracket": 0.0}
    row = {"sites": 64, "latents": 1, "temperature": 2.0, "rate": 1.0, "information": 2.0, "identity": 3.0}
    row |= errors | {"posterior_variance": 0.1, "cut": "half", "satisfied": False}
    write_tables(tmp_path / "ising2d_L8_d1" / VERDICT, {"capacity": pd.DataFrame([row])})
    assert scaling_tables(str(tmp_path), ["ising2d"])["scaling_ising2d"].shortfall.tolist() == [1.0]
    with pytest.raises(FileNotFoundError, match="curie_weiss_"):
        scaling_tables(str(tmp_path), ["ising2d", "curie_weiss"])
