"""The plan of a sampling run: grids, pilot runs, and what they decide."""

import numpy as np
import pytest

from vae_mf.samplers.base import sample_block
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.diagnostics import effective_size
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.plan import Sampling, pilot_time, plan, scalars, temperature_grid
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.hopfield import Hopfield

MEMORY = Hopfield.random(400, 1, seed=1)
GIBBS = HopfieldGibbs(MEMORY)


def test_grids_are_even_in_temperature_or_in_its_logarithm():
    np.testing.assert_allclose(np.diff(temperature_grid(0.5, 2.5, 5)), 0.5)
    np.testing.assert_allclose(np.diff(np.log(temperature_grid(0.5, 2.5, 7, "log"))), np.log(5) / 6, rtol=1e-9)
    np.testing.assert_allclose(temperature_grid(1e-20, 1e20, 3, "log"), [1e-20, 1.0, 1e20])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 3), "start: expected a finite number > 0"),
        ((1.0, 2.0, 1), "count: expected an integer >= 2"),
        ((1.0, 2.0, 10**12), "temperatures: expected at most 10000, got 1000000000000: ask for fewer"),
        ((1.0, 2.0, 3, "cubic"), "spacing: expected one of linear, log"),
    ],
)
def test_bad_grids_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        temperature_grid(*arguments)


def test_a_decided_plan_is_left_alone():
    sampling = Sampling([1.0], 100, burn_in=7, thinning=3)
    assert plan(MEMORY, GIBBS, sampling, 1) is sampling


def test_exact_draws_need_neither_burn_in_nor_thinning():
    system = CurieWeiss(20)
    decided = plan(system, CurieWeissDirect(system), Sampling([1.0], 10, None, None, effective=1000), 1)
    assert (decided.thinning, decided.samples, decided.automatic) == (1, 1500, False)


def test_the_slowest_temperature_decides():
    # Critical slowing down: at T_c the order parameter of 400 spins needs several sweeps, at T = 3 one.
    times = [pilot_time(MEMORY, GIBBS, Sampling(levels, 100), 1) for levels in ([3.0], [1.0], [1.0, 3.0])]
    assert times[0] < 1.5 < 3 < times[1]
    assert times[2] == pytest.approx(times[1], rel=0.35)


def test_the_effective_size_asked_for_is_reached():
    sampling = plan(MEMORY, GIBBS, Sampling([1.0, 2.0], 100, None, None, chains=20, effective=800), 3)
    found = scalars(MEMORY, sample_block(GIBBS, sampling.levels, range(20), sampling.schedule, 4).configurations)
    for level in range(2):
        assert effective_size(np.abs(found["order_parameter"][level])) > 0.8 * 800
    assert sampling.burn_in >= 5 * sampling.thinning


def test_chains_that_never_mix_are_refused():
    frozen = Hopfield.random(300, 2, seed=2)
    with pytest.raises(ValueError, match=r"got slower ones at T = 0.4; give sampling.thinning"):
        plan(frozen, HopfieldGibbs(frozen, jump_every=0), Sampling([0.4, 2.0], 100, None, None), 1)
