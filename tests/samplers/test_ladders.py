"""Ladders moved by the travel of replicas: the rule itself, and more round trips through a transition."""

from inspect import unwrap

import numpy as np
import pytest

from vae_mf.samplers.ladders import feedback_ladder, measure_traffic, moved_temperatures
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick

FERROMAGNET = Ising(abs(EdwardsAnderson.random(12, 2, "pm", 1).couplings))
GEOMETRIC = np.geomspace(1.2, 5.0, 12)


def test_a_ladder_on_which_f_falls_equally_stays():
    levels = np.array([0.5, 0.6, 0.9, 1.7, 2.0])
    np.testing.assert_allclose(moved_temperatures(levels, np.linspace(1, 0, 5)), levels)


def test_temperatures_move_to_where_f_falls():
    levels = np.linspace(1, 2, 11)
    fall = 1 / (1 + np.exp((levels - 1.5) / 0.03))
    moved = moved_temperatures(levels, fall)
    assert (np.diff(moved) > 0).all()
    assert (moved[0], moved[-1]) == (1.0, 2.0)
    inside = np.abs(moved - 1.5) < 0.15
    assert inside.sum() > (np.abs(levels - 1.5) < 0.15).sum()


def test_noise_and_gaps_in_f_leave_temperatures_in_order():
    levels = np.geomspace(1, 4, 9)
    noisy = np.array([1.0, 0.7, 0.8, 0.8, np.nan, 0.3, 0.35, 0.1, 0.0])
    moved = moved_temperatures(levels, noisy)
    assert (np.diff(moved) > 0).all()


def test_replicas_travel_more_through_a_transition():
    found = feedback_ladder(MultispinGlass(FERROMAGNET), GEOMETRIC, sweeps=3000, ladders=5, seed=1, rounds=2)
    assert max(found.tried) == found.traffic.round_trip_rate > 1.2 * found.tried[0]
    near = np.abs(found.temperatures - 2.27) < 0.4
    assert near.sum() > (np.abs(GEOMETRIC - 2.27) < 0.4).sum()


def test_the_marks_of_the_ends_are_certain():
    traffic = measure_traffic(ParallelTempering(MultispinGlass(FERROMAGNET)), GEOMETRIC, 600, 5, 1)
    assert (traffic.from_cold[0], traffic.from_cold[-1]) == (1.0, 0.0)
    assert traffic.acceptance.shape == (11,)
    assert traffic.round_trip_rate > 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"temperatures": np.array([1.0, 2.0])},
            "temperatures: expected three or more, of which the inner ones move, got 2",
        ),
        ({"sweeps": 2}, "sweeps: expected enough for round trips between the ends, got 2 with none"),
        ({"rounds": -1}, "rounds: expected an integer >= 0, got -1"),
    ],
)
def test_bad_requests_are_named(changed, message):
    usual = {"temperatures": GEOMETRIC, "sweeps": 10, "ladders": 2, "seed": 1}
    with pytest.raises(ValueError, match=message):
        feedback_ladder(MultispinGlass(FERROMAGNET), **usual | changed)


def test_a_seed_that_is_no_integer_is_refused():
    sampler = IsingMetropolis(SherringtonKirkpatrick.random(sites=12, seed=1))
    with pytest.raises(ValueError, match=r"seed: expected an integer >= 0, got 1\.5"):
        unwrap(feedback_ladder)(sampler, np.array([1.0, 2.0, 3.0]), 10, 1, 1.5)
