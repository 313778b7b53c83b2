"""Contract of every sampler with every system: it serves it, and then draws from its law, or refuses it in one line."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare

from vae_mf import device_samplers, samplers, systems
from vae_mf.samplers.base import Sampler, Schedule, SystemSampler, sample_chains
from vae_mf.systems.base import System
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.spin_glass import Ising

FERROMAGNET = np.ones((4, 4)) - np.eye(4)
SYSTEMS = {
    "curie_weiss": systems.CurieWeiss(4),
    "hopfield": systems.Hopfield(np.array([[1, 1, -1, 1], [1, -1, 1, 1]], np.int8)),
    "ising2d": systems.Ising2D(2),
    "maier_saupe": systems.MaierSaupe(4),
    "ising": Ising(FERROMAGNET, np.linspace(-0.3, 0.4, 4)),
    "sherrington_kirkpatrick": systems.SherringtonKirkpatrick.random(4, seed=3),
    "k_sat": systems.KSat.from_clauses([[1, 2, -3], [-1, 2], [-2, 3, -4], [3], [-1, -3]], sites=4),
    "edwards_anderson": systems.EdwardsAnderson.random(2, 2, "gaussian", seed=3),
    "edwards_anderson_pm": systems.EdwardsAnderson.random(2, 2, "pm", seed=3),
}
VALUES_REFUSED = {("MultispinGlass", name) for name in ("ising", "sherrington_kirkpatrick", "edwards_anderson")}
"""Systems of a sort that a sampler serves, with couplings or fields that it does not."""
SAMPLERS = {
    name: getattr(room, name)
    for room in (samplers, device_samplers)
    for name in room.__all__
    if isinstance(getattr(room, name), type)
    and issubclass(getattr(room, name), SystemSampler)
    and getattr(room, name) not in (SystemSampler, device_samplers.DeviceSampler)
}
PAIRS = [pytest.param(s, c, id=f"{c}-{s}") for c, s in product(SAMPLERS, SYSTEMS)]
TEMPERATURES = np.array([1.3, 2.4])


@pytest.mark.parametrize(("system", "sampler"), PAIRS)
def test_a_sampler_serves_a_system_or_refuses_it_in_one_line(system, sampler):
    subject = SYSTEMS[system]
    if (sampler, system) in VALUES_REFUSED:
        with pytest.raises(ValueError, match=r"^(couplings|fields): expected .*, got .*; take sampler=\w+$"):
            SAMPLERS[sampler](subject)
        return
    if isinstance(subject, SAMPLERS[sampler].serves):
        served = SAMPLERS[sampler](subject)
        assert isinstance(served, Sampler)
        assert served.kind == subject.kind
        assert served.sites == subject.sites
        return
    with pytest.raises(ValueError, match=r"^system: expected \w+ for the sampler \w+, got") as caught:
        SAMPLERS[sampler](subject)
    message = str(caught.value)
    assert SAMPLERS[sampler].serves.__name__ in message
    assert f"got {type(subject).__name__}; sampler=auto" in message
    assert "\n" not in message


@pytest.mark.parametrize(("system", "sampler"), PAIRS)
def test_a_sampler_draws_from_the_law_of_every_system_of_spins_that_it_serves(system, sampler):
    subject = SYSTEMS[system]
    refused = (sampler, system) in VALUES_REFUSED or not isinstance(subject, SAMPLERS[sampler].serves)
    if subject.kind != "spins" or refused:
        pytest.skip("refused, or no sum over all configurations")
    spins = sample_chains(SAMPLERS[sampler](subject), TEMPERATURES, 400, Schedule(10, 100, 20), 5)
    for temperature, drawn in zip(TEMPERATURES, spins, strict=True):
        states = (drawn.reshape(-1, 4) > 0) @ 2 ** np.arange(4)
        expected = enumerate_system(subject, temperature).probabilities * len(states)
        assert chisquare(np.bincount(states, minlength=16), expected).pvalue > 1e-4


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_every_system_is_sampled_in_one_call(system):
    assert isinstance(system, System)
    drawn = samplers.sample(system, TEMPERATURES, 130, seed=1)
    assert drawn.shape == (2, 130, 4, *([] if system.kind == "spins" else [3]))
    assert drawn.dtype == (np.int8 if system.kind == "spins" else np.float32)
    np.testing.assert_array_equal(drawn, samplers.sample(system, TEMPERATURES, 130, seed=1, threads=1))
    assert (drawn != samplers.sample(system, TEMPERATURES, 130, seed=2)).any()


def test_rows_of_one_call_are_worth_as_many_independent_ones():
    system = systems.Hopfield.random(100, 1, seed=1)
    orders = np.abs(system.order_parameter(samplers.sample(system, 1.0, 4000, seed=1)[0]))
    errors = [
        part.mean(1).std(ddof=1) / np.sqrt(len(part)) for part in (orders.reshape(-1, 40), orders.reshape(40, -1))
    ]
    exact = system.order_parameter_law(1.0)
    assert abs(orders.mean() - np.abs(exact.values) @ exact.probabilities) < 4 * orders.std() / np.sqrt(2000)
    assert max(errors) < 2 * orders.std() / np.sqrt(4000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 1.0], 10, 1), "temperatures: expected at least one and no duplicates"),
        (([0.0], 10, 1), "temperatures: expected a finite number > 0"),
        (([1.0], 0, 1), "count: expected an integer >= 1, got 0"),
        (([1.0], 10, -1), "seed: expected an integer >= 0, got -1"),
    ],
)
def test_bad_requests_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        samplers.sample(SYSTEMS["curie_weiss"], *arguments)


def test_a_system_without_a_sampler_is_named():
    class Nameless:
        name = order_name = "nameless"
        kind, symmetries, sites = "spins", (), 2
        energy = order_parameter = basin = staticmethod(lambda spins: spins[..., 0])

    with pytest.raises(ValueError, match=r"expected one with a default_sampler, such as .*Nameless"):
        samplers.sample(Nameless(), 1.0, 10, seed=1)


@pytest.mark.parametrize("one", [0.8, np.float32(0.8), np.array(0.8)], ids=["float", "NumPy's", "no axes"])
def test_one_temperature_is_a_list_of_one(one, without_type_checks):
    drawn = samplers.sample(SYSTEMS["curie_weiss"], one, 5, seed=1)
    np.testing.assert_array_equal(drawn, samplers.sample(SYSTEMS["curie_weiss"], [float(one)], 5, seed=1))


@pytest.mark.parametrize(
    "several",
    [(0.8, 1.2), range(1, 3), pd.Series([0.8, 1.2]), {1, 2}, (t for t in (0.8, 1.2)), torch.tensor([0.8, 1.2])],
)
def test_temperatures_come_in_any_list(several, without_type_checks):
    assert samplers.sample(SYSTEMS["curie_weiss"], several, 5, seed=1).shape == (2, 5, 4)


OTHER = systems.Hopfield(np.ones((1, 4), np.int8))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperatures": [0.8, 0.8]}, "temperatures: expected at least one and no duplicates, got [0.8, 0.8]"),
        ({"temperatures": np.array([0.8, -1.0])}, "temperatures: expected a finite number > 0, got -1.0"),
        ({"temperatures": [[0.8], [1.2, 3]]}, "temperatures: expected a finite number > 0, got [0.8]"),
        ({"temperatures": "0.8"}, "temperatures: expected a list of numbers > 0, got '0.8'"),
        ({"temperatures": True}, "temperatures: expected a finite number > 0, got True"),
        ({"seed": np.float64(2)}, "seed: expected an integer >= 0, got 2.0"),
        ({"threads": 0}, "threads: expected an integer >= 1, got 0"),
        ({"threads": "a"}, "threads: expected an integer >= 1, got 'a'"),
        ({"sampler": "wolff"}, "sampler: expected an object such as vae_mf.samplers.Wolff(system), got 'wolff'"),
        ({"sampler": samplers.CurieWeissDirect}, "sampler: expected an object such as vae_mf.samplers.Wolff(system)"),
        (
            {"sampler": SYSTEMS["ising2d"]},
            "sampler: expected an object such as vae_mf.samplers.Wolff(system), got Ising2D",
        ),
        (
            {"sampler": samplers.HopfieldGibbs(OTHER)},
            "expected one of the system CurieWeiss(sites=4, coupling=1.0)",
        ),
        ({"sampler": samplers.ParallelTempering(samplers.HopfieldGibbs(OTHER))}, "got one of Hopfield(patterns="),
        (
            {"system": systems.CurieWeiss},
            "system: expected one with a default_sampler, such as vae_mf.systems.CurieWeiss(64)",
        ),
        ({"system": "curie_weiss"}, "vae_mf.systems.CurieWeiss(64), got 'curie_weiss'; choose a sampler"),
    ],
)
def test_what_is_no_system_sampler_or_number_is_refused(changed, message, without_type_checks):
    usual = {"system": SYSTEMS["curie_weiss"], "temperatures": [0.8, 1.2], "count": 5, "seed": 1}
    with pytest.raises(ValueError, match=re.escape(message)):
        samplers.sample(**usual | changed)
