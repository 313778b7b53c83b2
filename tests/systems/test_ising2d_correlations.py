"""Toeplitz determinants against enumeration, the energy of Kaufman and Onsager, and Yang's magnetisation."""

import numpy as np
import pytest
from helpers.onsager import onsager_energy

from vae_mf.packing import all_configurations
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.ising2d import (
    Ising2D,
    critical_temperature,
    spontaneous_magnetisation,
)
from vae_mf.systems.ising2d_correlations import infinite_correlations, torus_correlations

T_C = critical_temperature()


@pytest.mark.parametrize("side", [2, 3, 4])
@pytest.mark.parametrize("temperature", [0.8, 2.0, T_C, 3.5, 50.0])
def test_small_tori_agree_with_enumeration(side, temperature):
    probabilities = enumerate_system(Ising2D(side), temperature).probabilities
    lattice = all_configurations(side**2).reshape(-1, side, side).astype(float)
    expected = [probabilities @ (lattice[:, 0, 0] * lattice[:, 0, r]) for r in range(side // 2 + 1)]
    np.testing.assert_allclose(torus_correlations(side, 1 / temperature), expected, rtol=1e-10)


@pytest.mark.parametrize("side", [5, 16, 33, 64])
@pytest.mark.parametrize("temperature", [1.0, 2.2, T_C, 2.3, 4.0])
def test_neighbours_carry_the_energy(side, temperature):
    energy = Ising2D(side).thermodynamics(temperature).energy
    assert torus_correlations(side, 1 / temperature)[1] == pytest.approx(-energy / (2 * side**2), rel=1e-9)


def test_correlations_are_smooth_through_the_critical_temperature():
    around = [torus_correlations(16, 1 / (T_C * (1 + step))) for step in (-1e-9, 0.0, 1e-9)]
    np.testing.assert_allclose(around[1], (around[0] + around[2]) / 2, rtol=1e-9)


def test_correlations_are_positive_and_fall_along_the_row():
    for temperature in (1.5, T_C, 5.0):
        found = torus_correlations(32, 1 / temperature)
        assert found[0] == 1
        assert (found > 0).all()
        assert (np.diff(found) < 0).all()


@pytest.mark.parametrize(("temperature", "tolerance"), [(1.5, 1e-12), (T_C, 1e-4), (3.0, 1e-12)])
def test_infinite_lattice_carries_onsagers_energy(temperature, tolerance):
    found = infinite_correlations(1 / temperature, 1)
    assert found[1] == pytest.approx(-onsager_energy(temperature) / 2, abs=tolerance)


def test_far_correlations_are_the_square_of_the_magnetisation():
    far = infinite_correlations(1 / 2.0, 40)[-1]
    assert far == pytest.approx(spontaneous_magnetisation(2.0) ** 2, rel=1e-6)


def test_large_tori_tend_to_the_infinite_lattice():
    np.testing.assert_allclose(torus_correlations(64, 1 / 3.0)[:16], infinite_correlations(1 / 3.0, 15), rtol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="side"):
        torus_correlations(1, 0.4)
    with pytest.raises(ValueError, match="coupling"):
        infinite_correlations(0.0, 3)
    with pytest.raises(ValueError, match="distances"):
        infinite_correlations(0.4, 0)
