"""Kaufman's solution against all 2^N states, frozen numbers, its own derivatives and the infinite lattice."""

import numpy as np
import pytest
from helpers.onsager import onsager_energy
from hypothesis import given
from hypothesis import strategies as st

from vae_mf.systems.base import System, order_statistics
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.ising2d import Ising2D, critical_temperature, spontaneous_magnetisation
from vae_mf.systems.kaufman import kaufman

CRITICAL = critical_temperature()
at_temperature = pytest.mark.parametrize("temperature", [0.5, 1.8, CRITICAL, 3.0, 40.0])


def energy_by_loops(lattice, coupling):
    side = len(lattice)
    return -coupling * sum(
        int(lattice[y, x]) * (int(lattice[y, (x + 1) % side]) + int(lattice[(y + 1) % side, x]))
        for y in range(side)
        for x in range(side)
    )


def test_it_keeps_the_protocol():
    assert isinstance(Ising2D(5), System)
    assert (Ising2D(5).sites, Ising2D(5).name) == (25, "ising2d")


@pytest.mark.parametrize("side", [2, 3, 4, 7, 20])
def test_energy_is_that_of_the_torus(side):
    system = Ising2D(side, coupling=0.7)
    spins = np.random.default_rng(side).choice([-1, 1], (3, 2, side * side)).astype(np.int8)
    expected = [[energy_by_loops(one.reshape(side, side), 0.7) for one in row] for row in spins]
    np.testing.assert_allclose(system.energy(spins), expected, atol=1e-9)
    ones = np.ones((1, side * side), np.int8)
    np.testing.assert_allclose(system.energy(ones), -2 * 0.7 * side**2)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 5))
def test_energy_and_order_parameter_know_no_origin(side, seed, down, right):
    system = Ising2D(side)
    spins = np.random.default_rng(seed).choice([-1, 1], (4, side, side)).astype(np.int8)
    moved = np.roll(spins, (down, right), (1, 2)).reshape(4, -1)
    spins = spins.reshape(4, -1)
    np.testing.assert_array_equal(system.energy(spins), system.energy(moved))
    np.testing.assert_array_equal(system.energy(spins), system.energy(-spins))
    np.testing.assert_array_equal(system.order_parameter(spins), -system.order_parameter(-moved))


def test_basin_is_the_sign_of_the_magnetisation():
    up = np.ones(9, np.int8)
    np.testing.assert_array_equal(Ising2D(3).basin(np.stack([up, -up])), [1, -1])
    assert Ising2D(2).basin(np.array([1, 1, -1, -1], np.int8)) == 1
    large = np.ones((1, 200**2), np.int8)
    assert Ising2D(200).order_parameter(-large)[0] == -1


@at_temperature
@pytest.mark.parametrize("side", [2, 3, 4])
def test_thermodynamics_equals_enumeration(side, temperature):
    system = Ising2D(side, coupling=1.3)
    exact = enumerate_system(system, 1.3 * temperature).thermodynamics
    np.testing.assert_allclose(system.thermodynamics(1.3 * temperature), exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("side", "coupling", "expected"),
    [
        (4, 0.2, 11.771470358541583),
        (4, 0.44, 15.504726538718163),
        (4, 0.6, 20.056532884346808),
        (3, 0.44, 9.010260941057474),
    ],
)
def test_frozen_partition_functions(side, coupling, expected):
    assert kaufman(side, coupling)[0] == pytest.approx(expected, abs=1e-13)  # theory.md, section 1


@at_temperature
@pytest.mark.parametrize("side", [5, 32])
def test_energy_and_heat_capacity_are_derivatives(side, temperature):
    coupling, step = 1 / temperature, 1e-4 / temperature
    below, here, above = (kaufman(side, coupling + shift) for shift in (-step, 0, step))
    assert here[1] == pytest.approx((above[0] - below[0]) / (2 * step), rel=1e-5)
    assert here[2] == pytest.approx((above[1] - below[1]) / (2 * step), rel=1e-5, abs=1e-6)
    got = Ising2D(side, coupling=2.0).thermodynamics(2 * temperature)
    np.testing.assert_allclose(got[1:4], (here[0], -2 * here[1], here[2] * coupling**2), rtol=1e-10)
    assert got.entropy == pytest.approx(got.energy / got.temperature + got.log_partition)


@pytest.mark.parametrize("temperature", [1.5, 2.0, 2.6, 5.0])
def test_a_large_torus_is_the_infinite_lattice(temperature):
    got = Ising2D(256, coupling=0.5).thermodynamics(0.5 * temperature)
    assert got.energy / 256**2 == pytest.approx(onsager_energy(0.5 * temperature, 0.5), rel=1e-9)
    step = 1e-4
    slope = (onsager_energy(temperature + step) - onsager_energy(temperature - step)) / (2 * step)
    assert got.heat_capacity / 256**2 == pytest.approx(slope, rel=1e-5)


def test_heat_capacity_at_the_transition_grows_with_the_logarithm_of_the_side():
    # Onsager (1944): C / N = (8 / pi) K_c^2 ln L + constant, with K_c = ln(1 + sqrt 2) / 2.
    small, large = (Ising2D(side).thermodynamics(CRITICAL).heat_capacity / side**2 for side in (256, 512))
    assert (large - small) / np.log(2) == pytest.approx(8 / np.pi / CRITICAL**2, rel=2e-3)


def test_the_infinite_lattice_at_its_landmarks():
    assert pytest.approx(2.269185314213022) == CRITICAL
    assert critical_temperature(0.3) == pytest.approx(0.3 * CRITICAL)
    assert onsager_energy(CRITICAL) == pytest.approx(-np.sqrt(2))
    assert onsager_energy(2.0) == pytest.approx(-1.74556, abs=5e-6)  # samplers.md, section 4
    assert onsager_energy(0.05, 0.5) == pytest.approx(-1.0)
    assert spontaneous_magnetisation(2.0) == pytest.approx(0.91132, abs=5e-6)
    assert spontaneous_magnetisation(1.0, 0.5) == spontaneous_magnetisation(2.0)
    assert spontaneous_magnetisation(1e-3) == 1
    assert spontaneous_magnetisation(CRITICAL + 1e-9) == spontaneous_magnetisation(1e5) == 0


@pytest.mark.parametrize("side", [2, 9, 100])
def test_extreme_temperatures(side):
    cold, hot = Ising2D(side).thermodynamics(0.01), Ising2D(side).thermodynamics(1e4)
    assert cold.energy == pytest.approx(-2 * side**2)
    assert cold.entropy == pytest.approx(np.log(2), abs=1e-7)
    assert cold.heat_capacity == pytest.approx(0, abs=1e-8 * side**2)
    assert hot.entropy == pytest.approx(side**2 * np.log(2), rel=1e-7)


@at_temperature
@pytest.mark.parametrize("side", [2, 3, 4])
def test_order_parameter_law_equals_enumeration(side, temperature):
    system = Ising2D(side, coupling=0.8)
    exact, law = enumerate_system(system, temperature), system.order_parameter_law(temperature)
    m = system.order_parameter(exact.spins)
    statistics = order_statistics(law, system.sites, temperature)
    assert statistics.order_parameter == pytest.approx(exact.mean(np.abs(m)))
    np.testing.assert_allclose(law.probabilities, law.probabilities[::-1], atol=1e-14)
    for value, probability in zip(law.values, law.probabilities, strict=True):
        assert probability == pytest.approx(exact.mean(np.isclose(m, value) * 1.0), abs=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ising2D(1), "side: expected an integer >= 2, got 1"),
        (lambda: Ising2D(4, coupling=-1.0), "coupling: expected a finite number > 0, got -1.0"),
        (lambda: Ising2D(4, coupling=float("nan")), "coupling: expected a finite number > 0, got nan"),
        (lambda: Ising2D(4).thermodynamics(0.0), "temperature: expected a finite number > 0, got 0.0"),
        (lambda: Ising2D(4).thermodynamics(0.002), "temperature: expected T / J from 0.003 to .*, got 0.002"),
        (lambda: Ising2D(4).thermodynamics(1e7), "temperature: expected T / J from 0.003 to .*, got 1e.07"),
        (lambda: Ising2D(4).order_parameter_law(-1.0), "temperature: expected a finite number > 0"),
        (lambda: Ising2D(5).order_parameter_law(1.0), "order_parameter_law: expected side <= 4, got 5"),
        (lambda: critical_temperature(0.0), "coupling: expected a finite number > 0, got 0.0"),
        (lambda: spontaneous_magnetisation(0.0), "temperature: expected a finite number > 0, got 0.0"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
