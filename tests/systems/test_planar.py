"""Planar glasses of any size: determinants and matchings against enumeration, the ferromagnet, and each other."""

import sys

import numpy as np
import pytest
from scipy import sparse

from vae_mf.packing import all_configurations
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.systems.base import Thermodynamics
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.planar import planar_log_partition, planar_thermodynamics, square_ground_state, square_places
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising


def open_square(side, disorder, seed):
    return EdwardsAnderson.random(side, 2, disorder, seed, boundary="free")


@pytest.mark.parametrize("disorder", ["pm", "gaussian"])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_determinants_equal_enumeration(disorder, temperature):
    for seed in range(4):
        glass = open_square(4, disorder, seed)
        found = planar_thermodynamics(glass.couplings, square_places(4), temperature)
        np.testing.assert_allclose(found, enumerate_system(glass, temperature).thermodynamics, atol=1e-5, rtol=1e-6)


def test_triangles_trees_and_lone_sites_are_planar_too():
    places = np.array([[0, 0], [1, 0], [0.3, 1], [1.5, 1.2], [3, 3]], float)
    couplings = np.zeros((5, 5))
    for (i, j), value in zip([(0, 1), (1, 2), (0, 2), (1, 3), (2, 3)], [0.7, -1.1, 0.4, 1.3, -0.2], strict=True):
        couplings[i, j] = couplings[j, i] = value
    for kept in (couplings, np.triu(couplings, 2) + np.triu(couplings, 2).T, np.zeros((5, 5))):
        exact = enumerate_system(Ising(kept), 0.9).thermodynamics.log_partition
        assert planar_log_partition(sparse.csr_array(kept), places, 0.9) == pytest.approx(exact, abs=1e-11)


def test_a_large_open_ferromagnet_approaches_onsager():
    """Free energy per site of bulk and border: the second difference in L leaves Onsager's."""
    logs = [
        planar_log_partition(abs(open_square(side, "pm", 1).couplings), square_places(side), 3.0)
        for side in (10, 20, 30)
    ]
    angles = (np.arange(4000) + 0.5) * np.pi / 4000
    k = 2 * np.sinh(2 / 3) / np.cosh(2 / 3) ** 2
    inner = np.log((1 + np.sqrt(1 - k**2 * np.sin(angles) ** 2)) / 2).mean() / 2
    bulk = np.log(2 * np.cosh(2 / 3)) + inner
    assert (logs[0] - 2 * logs[1] + logs[2]) / 200 == pytest.approx(bulk, abs=1e-6)


def test_open_squares_know_their_thermodynamics_at_any_size():
    glass = open_square(12, "gaussian", 1)
    assert isinstance(glass.thermodynamics(0.5), Thermodynamics)
    with pytest.raises(ValueError, match="expected 1 to 20 sites"):
        EdwardsAnderson.random(12, 2, "gaussian", 1).thermodynamics(0.5)
    with pytest.raises(ValueError, match="expected 1 to 20 sites"):
        EdwardsAnderson.random(4, 3, "gaussian", 1, boundary="free").thermodynamics(0.5)


def test_what_rounding_spoils_is_refused():
    with pytest.raises(ValueError, match="temperature: expected a higher one, for ln Z is lost in rounding"):
        open_square(16, "pm", 1).thermodynamics(0.1)
    with pytest.raises(ValueError, match="temperature: expected a finite number > 0"):
        open_square(16, "pm", 1).thermodynamics(0.0)


def test_samples_of_a_large_open_square_have_its_energy():
    glass = open_square(24, "pm", 3)
    temperatures = np.array([1.0, 2.0])
    spins = sample_chains(MultispinGlass(glass), temperatures, 64, Schedule(30, 400, 10), 1)
    means = glass.energy(spins).mean(2)
    exact = [glass.thermodynamics(t).energy for t in temperatures]
    assert (np.abs((means.mean(1) - exact) / (means.std(1, ddof=1) / 8)) < 4).all()


@pytest.mark.parametrize("disorder", ["pm", "gaussian"])
def test_matchings_find_the_ground_states_of_enumeration(disorder):
    pytest.importorskip("pymatching", reason="comes with the extra matching")
    for side, seeds in ((2, 8), (3, 12), (4, 4)):
        for seed in range(seeds):
            glass = open_square(side, disorder, seed)
            found = square_ground_state(glass.couplings, side)
            lowest = glass.energy(all_configurations(side**2)).min()
            assert found.energy == pytest.approx(lowest, abs=1e-9)
            assert glass.energy(found.spins) == pytest.approx(lowest, abs=1e-9)


def test_missing_bonds_cost_nothing():
    pytest.importorskip("pymatching", reason="comes with the extra matching")
    for seed in range(6):
        couplings = open_square(4, "pm", seed).couplings.toarray()
        couplings *= np.triu(np.random.default_rng(seed).random((16, 16)) < 0.6, 1).astype(float)
        diluted = Ising(sparse.csr_array(couplings + couplings.T))
        found = square_ground_state(diluted.couplings, 4)
        assert found.energy == diluted.energy(all_configurations(16)).min() == diluted.energy(found.spins)


def test_determinants_approach_the_matching_at_low_temperature():
    pytest.importorskip("pymatching", reason="comes with the extra matching")
    glass = open_square(20, "gaussian", 4)
    ground = square_ground_state(glass.couplings, 20).energy
    assert ground < glass.thermodynamics(0.25).energy < ground + 4
    assert -0.25 * glass.thermodynamics(0.25).log_partition < ground


@pytest.mark.parametrize(
    ("couplings", "side", "message"),
    [
        (
            EdwardsAnderson.random(4, 2, "pm", 1).couplings,
            4,
            "couplings: expected bonds between neighbours of a square",
        ),
        (open_square(4, "pm", 1).couplings, 3, r"couplings: expected shape \(9, 9\) for a square of side 3"),
    ],
)
def test_what_is_no_open_square_is_refused(couplings, side, message):
    with pytest.raises(ValueError, match=message):
        square_ground_state(couplings, side)


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymatching", None)
    with pytest.raises(ValueError, match="expected the package pymatching, got none: pip install"):
        square_ground_state(EdwardsAnderson.random(4, 2, "pm", 1, boundary="free").couplings, 4)


@pytest.mark.parametrize("change", ["triangle", "nan", "asymmetric"])
def test_couplings_that_are_not_symmetric_are_refused(change):
    couplings = EdwardsAnderson.random(3, 2, "gaussian", 1, boundary="free").couplings.toarray()
    if change == "triangle":
        couplings = np.triu(couplings)
    else:
        couplings[0, 1] = np.nan if change == "nan" else couplings[0, 1] + 1e-3
    matrix = sparse.csr_array(couplings)
    for call in (lambda: planar_log_partition(matrix, square_places(3), 1.0), lambda: square_ground_state(matrix, 3)):
        with pytest.raises(ValueError, match="couplings: expected"):
            call()


def test_as_many_places_as_sites_are_asked_for():
    couplings = EdwardsAnderson.random(3, 2, "gaussian", 1, boundary="free").couplings
    with pytest.raises(ValueError, match=r"places: expected finite numbers of shape \(9, 2\), got shape \(16, 2\)"):
        planar_log_partition(couplings, square_places(4), 1.0)


def test_bonds_that_cross_are_refused():
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    full = sparse.csr_array(np.ones((4, 4)) - np.eye(4))
    with pytest.raises(ValueError, match=r"places: expected bonds that do not cross, got \(\d, \d\) and \(\d, \d\)"):
        planar_log_partition(full, square, 1.0)
    inside = np.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [1.0, 1.0]])
    assert planar_log_partition(full, inside, 1.0) == pytest.approx(Ising(full).thermodynamics(1.0).log_partition)
