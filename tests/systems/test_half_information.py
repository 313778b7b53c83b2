"""Information between two halves: three exact routes against one another, and the line beyond them."""

import numpy as np
import pytest
from scipy.special import xlogy

from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.half_information import (
    area_law_information,
    enumerated_information,
    half_information,
    sublattice_information,
    torus_information,
)
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe

CRITICAL = 2.269185


def information(joint: np.ndarray) -> float:
    rows, columns = joint.sum(1), joint.sum(0)
    return float(xlogy(joint, joint).sum() - xlogy(rows, rows).sum() - xlogy(columns, columns).sum())


@pytest.mark.parametrize("temperature", [0.5, 1.2, CRITICAL, 5.0])
@pytest.mark.parametrize("side", [2, 3, 4])
def test_the_transfer_matrix_equals_the_sum_over_all_states(side, temperature):
    probabilities = enumerate_system(Ising2D(side), temperature).probabilities
    expected = information(probabilities.reshape(-1, 2 ** (side // 2 * side)))
    assert half_information(Ising2D(side), temperature) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.0])
def test_curie_weiss_by_enumeration_equals_its_double_sum(temperature):
    system = CurieWeiss(8)
    assert enumerated_information(system, temperature) == pytest.approx(half_information(system, temperature))


def test_a_coupling_is_a_temperature():
    assert half_information(Ising2D(4, coupling=2.0), 3.0) == pytest.approx(half_information(Ising2D(4), 1.5))


def test_two_cold_halves_share_one_sign_and_hot_ones_nothing():
    assert torus_information(6, 1.5) == pytest.approx(np.log(2), abs=1e-6)
    # 2 L bonds of information K² / 2 each.
    assert torus_information(6, 1e-2) == pytest.approx(12 * 1e-4 / 2, rel=1e-3)


@pytest.mark.parametrize("temperature", [1.5, CRITICAL, 4.0])
def test_the_sublattices_by_average_equal_the_sum_over_all_states(temperature):
    system = Ising2D(4)
    states = enumerate_system(system, temperature)
    colour = np.add(*np.indices((4, 4))).ravel() % 2
    joint = np.zeros((256, 256))
    halves = [(states.spins[:, colour == c] > 0) @ (1 << np.arange(8)) for c in (0, 1)]
    joint[tuple(halves)] = states.probabilities
    found = states.mean(sublattice_information(system, states.spins, temperature))
    assert found == pytest.approx(information(joint), abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [2.1, 2.5])
def test_the_area_law_predicts_a_larger_torus(temperature):
    exact = torus_information(12, 1 / temperature)
    assert area_law_information(12, 1 / temperature) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(
    ("system", "found"),
    [(Ising2D(13), "side of at most 12, got 13"), (Hopfield.random(21, 2, 1), "got hopfield with 21 sites")],
    ids=["torus", "hopfield"],
)
def test_too_many_states_are_refused(system, found):
    with pytest.raises(ValueError, match=found):
        half_information(system, 1.0)


def test_directors_and_odd_tori_are_refused():
    with pytest.raises(ValueError, match="got maier_saupe"):
        half_information(MaierSaupe(8), 1.0)
    with pytest.raises(ValueError, match="expected an even side, got 3"):
        sublattice_information(Ising2D(3), np.ones((1, 9), np.int8), 1.0)
