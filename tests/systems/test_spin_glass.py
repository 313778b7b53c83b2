"""Ising models with given couplings: energies term by term, disorder with the stated moments, refusals by name."""

import numpy as np
import pytest
from scipy import sparse

from vae_mf.packing import all_configurations
from vae_mf.systems.base import System
from vae_mf.systems.couplings import checked_couplings
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising, SherringtonKirkpatrick, checked_fields

SYSTEMS = {
    "generic": Ising(SherringtonKirkpatrick.random(9, 1).couplings, np.linspace(-1, 1, 9)),
    "sk": SherringtonKirkpatrick.random(10, 1, mean=0.5, scale=2.0),
    "ea_2d_pm": EdwardsAnderson.random(3, 2, "pm", 1),
    "ea_2d_gaussian": EdwardsAnderson.random(4, 2, "gaussian", 1),
    "ea_3d": EdwardsAnderson.random(2, 3, "pm", 1),
}
every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


def dense(system):
    return system.couplings if isinstance(system.couplings, np.ndarray) else system.couplings.toarray()


@every_system
def test_systems_keep_the_protocol(system):
    assert isinstance(system, System)


@every_system
def test_energy_is_the_sum_over_pairs_and_sites(system):
    spins, couplings = all_configurations(system.sites)[:: 2 ** (system.sites - 6)], dense(system)
    direct = [
        -sum(couplings[i, j] * s[i] * s[j] for i in range(len(s)) for j in range(i)) - s @ system.fields
        for s in spins.astype(float)
    ]
    np.testing.assert_allclose(system.energy(spins), direct, atol=1e-12)
    np.testing.assert_allclose(system.energy(spins.reshape(2, -1, system.sites)).ravel(), direct, atol=1e-12)
    assert float(system.energy(spins[5])) == pytest.approx(direct[5])


@every_system
def test_sparse_and_dense_couplings_are_one_system(system):
    other = Ising(
        sparse.coo_matrix(dense(system)) if system.name != "edwards_anderson" else dense(system), system.fields
    )
    spins = all_configurations(system.sites)[:100]
    np.testing.assert_allclose(other.energy(spins), system.energy(spins), atol=1e-12)


def test_known_models_are_special_cases():
    spins = all_configurations(8)
    uniform = Ising((np.ones((8, 8)) - np.eye(8)) / 8)
    np.testing.assert_allclose(uniform.energy(spins), CurieWeiss(8).energy(spins) + 0.5, atol=1e-12)
    memory = Hopfield.random(8, 2, seed=1)
    np.testing.assert_allclose(Ising(memory.couplings).energy(spins), memory.energy(spins) + 1, atol=1e-12)


@every_system
def test_exact_answers_are_those_of_enumeration(system):
    exact = enumerate_system(system, 0.8)
    np.testing.assert_allclose(system.thermodynamics(0.8), exact.thermodynamics)
    law = system.order_parameter_law(0.8)
    m = system.order_parameter(exact.spins)
    assert law.probabilities.sum() == pytest.approx(1)
    for power in (1, 2, 4):
        assert law.probabilities @ law.values**power == pytest.approx(exact.mean(m**power), abs=1e-12)


def test_order_parameter_and_basin():
    spins = np.array([[1, 1, 1, 1], [1, -1, -1, -1], [1, 1, -1, -1]], np.int8)
    system = Ising(np.zeros((4, 4)))
    assert system.order_parameter(spins).tolist() == [1.0, -0.5, 0.0]
    assert system.basin(spins).tolist() == [1, -1, 1]


def test_large_systems_have_no_exact_answer():
    for call in ("thermodynamics", "order_parameter_law"):
        with pytest.raises(ValueError, match="expected 1 to 20 sites, got 21"):
            getattr(SherringtonKirkpatrick.random(21, 1), call)(1.0)


def test_sherrington_kirkpatrick_disorder_has_its_moments():
    couplings = SherringtonKirkpatrick.random(600, 3, mean=4.0, scale=2.0).couplings
    pairs = couplings[np.triu_indices(600, 1)]
    assert abs(pairs.mean() - 4 / 600) < 4.5 * 2 / np.sqrt(600 * pairs.size)
    assert pairs.var() * 600 == pytest.approx(4, rel=4.5 * np.sqrt(2 / pairs.size))
    np.testing.assert_array_equal(couplings, couplings.T)


@pytest.mark.parametrize(("dimension", "side"), [(2, 5), (3, 4)])
@pytest.mark.parametrize("disorder", ["pm", "gaussian"])
def test_edwards_anderson_bonds_join_nearest_neighbours_of_a_torus(dimension, side, disorder):
    system = EdwardsAnderson.random(side, dimension, disorder, 1)
    rows, columns = system.couplings.nonzero()
    assert (np.bincount(rows) == 2 * dimension).all()
    places = np.array(np.unravel_index(np.stack([rows, columns]), (side,) * dimension))
    steps = np.sort((places[:, 0] - places[:, 1]) % side, axis=0)
    assert set(map(tuple, steps.T)) == {(0,) * (dimension - 1) + (1,), (0,) * (dimension - 1) + (side - 1,)}
    if disorder == "pm":
        assert set(np.unique(system.couplings.data)) == {-1.0, 1.0}


def test_disorder_moments_of_edwards_anderson():
    for disorder in ("pm", "gaussian"):
        values = EdwardsAnderson.random(16, 3, disorder, 2).couplings.data
        assert abs(values.mean()) < 4.5 / np.sqrt(values.size / 2)
        assert values.var() == pytest.approx(1, abs=4.5 * np.sqrt(4 / values.size))


def test_seeds_fix_the_disorder():
    first, again, other = (SherringtonKirkpatrick.random(8, seed).couplings for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("couplings", "message"),
    [
        (np.zeros((2, 3)), r"expected shape \(N, N\), got \(2, 3\)"),
        (np.zeros(4), r"expected shape \(N, N\), got \(4,\)"),
        (np.zeros((0, 0)), r"expected shape \(N, N\), got \(0, 0\)"),
        (np.array([[0.0, 1.0], [0.5, 0.0]]), r"expected a symmetric matrix, got \|J_ij - J_ji\| up to 0.5"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "expected finite numbers, got 2 others"),
        (np.array([[0.0, np.inf], [np.inf, 0.0]]), "expected finite numbers, got 2 others"),
        (np.eye(2), "expected a zero diagonal, got entries such as 1"),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
def test_bad_couplings_are_named(couplings, message, form):
    with pytest.raises(ValueError, match=f"couplings: {message}"):
        checked_couplings(form(couplings))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (np.zeros(3), r"fields: expected shape \(2,\), got \(3,\)"),
        (np.array([0.0, np.nan]), "fields: expected finite numbers, got 1 others"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        checked_fields(fields, 2)


def test_masked_entries_are_refused():
    masked = np.ma.masked_equal(np.array([[0.0, 9.0], [9.0, 0.0]]), 9.0)
    with pytest.raises(ValueError, match="couplings: expected finite numbers, got 2 others"):
        checked_couplings(masked)
    with pytest.raises(ValueError, match="fields: expected finite numbers, got 1 others"):
        checked_fields(masked[0], 2)


def test_refusals_reach_the_constructor():
    with pytest.raises(ValueError, match="couplings: expected a zero diagonal"):
        Ising(np.eye(2))
    with pytest.raises(ValueError, match="fields: expected finite numbers"):
        Ising(np.zeros((2, 2)), np.array([0.0, np.inf]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SherringtonKirkpatrick.random(1, 1), "sites: expected an integer >= 2, got 1"),
        (lambda: SherringtonKirkpatrick.random(4, -1), "seed: expected an integer >= 0, got -1"),
        (lambda: SherringtonKirkpatrick.random(4, 1, scale=0.0), "scale: expected a finite number > 0"),
        (lambda: SherringtonKirkpatrick.random(4, 1, mean=float("nan")), "mean: expected a finite number, got nan"),
        (lambda: EdwardsAnderson.random(1, 2, "pm", 1), "side: expected an integer >= 2, got 1"),
        (lambda: EdwardsAnderson.random(4, 4, "pm", 1), "dimension: expected 2 or 3, got 4"),
        (lambda: EdwardsAnderson.random(4, 2, "uniform", 1), "disorder: expected one of pm, gaussian, got 'uniform'"),
    ],
)
def test_bad_disorder_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bias_and_free_boundaries_of_edwards_anderson():
    values = EdwardsAnderson.random(16, 3, "pm", 2, positive=0.8).couplings.data
    assert values.mean() == pytest.approx(0.6, abs=4.5 * np.sqrt(4 * 0.16 * 2 / values.size))
    for dimension, side in ((2, 5), (3, 3)):
        open_lattice = EdwardsAnderson.random(side, dimension, "pm", 1, boundary="free")
        torus = EdwardsAnderson.random(side, dimension, "pm", 1)
        assert open_lattice.couplings.nnz == 2 * dimension * (side - 1) * side ** (dimension - 1)
        kept = open_lattice.couplings.nonzero()
        np.testing.assert_array_equal(open_lattice.couplings[kept], torus.couplings[kept])
        steps = np.diff(np.array(np.unravel_index(np.stack(kept), (side,) * dimension)), axis=1)[:, 0]
        assert (np.abs(steps).sum(0) == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive": 1.0}, "positive: expected a number"),
        ({"positive": "a"}, "positive: expected a number"),
        ({"disorder": "gaussian", "positive": 0.8}, "positive: expected 0.5, for it says nothing of disorder=gaussian"),
        ({"boundary": "open"}, "boundary: expected one of periodic, free, got 'open'"),
    ],
)
def test_bad_options_of_edwards_anderson_are_named(options, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        EdwardsAnderson.random(**{"side": 4, "dimension": 2, "disorder": "pm", "seed": 1} | options)
