"""The tables of a sampling report: diagnostics as they were made, observables of all rows against exact theory."""

import numpy as np
import pandas as pd
import pytest

from vae_mf.plotting.runs import draw_sampling
from vae_mf.samplers.base import sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.plan import Sampling, scalars
from vae_mf.statistics.chain_tables import sampling_tables
from vae_mf.systems.curie_weiss import CurieWeiss

SYSTEM = CurieWeiss(30)
SAMPLING = Sampling((0.7, 1.0, 1.4), 4000, chains=4000)
REPORT = {"autocorrelation_time": 0.5, "effective_size": 3900.0, "split_rhat": 1.0, "agreement": None}
REPORTS = [REPORT | {"ensemble": tag, "swap_acceptance": 0.4} for tag in ("basin:1", "equilibrium", "equilibrium")]


@pytest.fixture(scope="module")
def tables():
    drawn = sample_block(CurieWeissDirect(SYSTEM), SAMPLING.levels, range(4000), SAMPLING.schedule, 1)
    found = scalars(SYSTEM, drawn.configurations)
    energies, orders = (
        {t: found[name][level].ravel() for level, t in enumerate(SAMPLING.temperatures)}
        for name in ("energy", "order_parameter")
    )
    return sampling_tables(SYSTEM, energies, orders, SAMPLING.chain_count, REPORTS)


def test_every_observable_agrees_with_exact_theory(tables):
    table = tables["observables"].set_index(["observable", "temperature", "source"])
    wide = table.value.unstack(), table.error.unstack()
    assert set(wide[0].index.get_level_values(0)) == {
        "energy", "heat_capacity", "order_parameter", "susceptibility", "binder",
    }  # fmt: skip
    pulls = ((wide[0].samples - wide[0].exact) / wide[1].samples).dropna()
    assert len(pulls) == 15
    assert pulls.abs().max() < 4.5


def test_chains_are_told_as_they_were_diagnosed(tables):
    chains = tables["chains"]
    assert list(chains.temperature) == list(SAMPLING.temperatures)
    assert set(chains.samples) == {4000}
    pd.testing.assert_frame_equal(chains[list(REPORTS[0])], pd.DataFrame(REPORTS))


def test_the_figure_circles_what_is_not_equilibrium(tables):
    axes = draw_sampling(tables).axes
    assert len(axes) == 8
    for ax in axes[4:]:
        circles = [line for line in ax.lines if line.get_markersize() == 9]
        assert [list(line.get_xdata()) for line in circles] == [[0.7]]
    assert axes[7].get_ylabel() == "swaps"
    assert [ax.get_xlabel() for ax in axes] == ["temperature T"] * 8


def test_without_moves_or_opposite_starts_there_is_no_such_panel(tables):
    chains = tables["chains"].drop(columns="swap_acceptance")
    assert len(draw_sampling(tables | {"chains": chains.assign(agreement=np.nan)}).axes) == 7
