"""Tied couplings on graphs: exact recovery, scikit-learn, and samples of the exact law and of lattices."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from vae_mf.inverse_ising.lattice import GraphPseudoLikelihood, LatticeIsing
from vae_mf.inverse_ising.solvers.gibbs import GibbsChains
from vae_mf.inverse_ising.solvers.interaction_graph import lattice_bonds
from vae_mf.packing import all_configurations

SIGMAS = 4.5


def exact(couplings, fields):
    """All configurations and their probabilities."""
    spins = all_configurations(len(fields))
    weights = np.exp(0.5 * np.einsum("ri,ij,rj->r", spins, couplings, spins, optimize=True) + spins @ fields)
    return spins, weights / weights.sum()


def symmetric(sites, bonds, values):
    matrix = np.zeros((sites, sites))
    matrix[tuple(bonds.T)] = values
    return matrix + matrix.T


@pytest.fixture(scope="module")
def ring():
    """Bonds, couplings, fields and exact frequencies of a ring of eight with a chord."""
    random = np.random.default_rng(1)
    bonds = np.array([(i, (i + 1) % 8) for i in range(8)] + [(1, 5)])
    couplings = symmetric(8, bonds, random.normal(0, 0.6, 9))
    fields = random.normal(0, 0.3, 8)
    return bonds, couplings, fields, *exact(couplings, fields)


def test_exact_frequencies_give_every_bond_and_field_back(ring):
    bonds, couplings, fields, spins, weights = ring
    found = GraphPseudoLikelihood(bonds, l2=0.0, tolerance=1e-8).fit(spins, sample_weight=1e4 * weights)
    np.testing.assert_allclose(found.couplings_, couplings, atol=1e-5)
    np.testing.assert_allclose(found.fields_, fields, atol=1e-5)
    np.testing.assert_allclose(found.group_couplings_, couplings[tuple(bonds.T)], atol=1e-5)


def test_groups_of_bonds_and_sites_share_parameters():
    bonds = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    groups = np.array([0, 1, 0, 1])
    sites = np.array([0, 0, 1, 1])
    couplings = symmetric(4, bonds, np.array([0.4, -0.7])[groups])
    fields = np.array([0.2, -0.1])[sites]
    spins, weights = exact(couplings, fields)
    model = GraphPseudoLikelihood(bonds, groups, sites, l2=0.0, tolerance=1e-8)
    found = clone(model).fit(spins, sample_weight=weights)
    np.testing.assert_allclose(found.group_couplings_, [0.4, -0.7], atol=1e-6)
    np.testing.assert_allclose(found.group_fields_, [0.2, -0.1], atol=1e-6)
    np.testing.assert_allclose(found.couplings_, couplings, atol=1e-6)


def test_a_shared_coupling_is_a_regression_on_the_sum_of_neighbours():
    random = np.random.default_rng(2)
    images = random.choice(np.array([-1, 1]), (3, 7, 5))
    images[:, 1:, 1:] = np.where(random.random((3, 6, 4)) < 0.5, images[:, :-1, :-1], images[:, 1:, 1:])
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1)])
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    theirs = LogisticRegression(C=4 / 8.0, tol=1e-10).fit(around.reshape(-1, 1), images.ravel())
    found = LatticeIsing(l2=8.0, tolerance=1e-9).fit(images)
    assert found.group_couplings_[0] == pytest.approx(theirs.coef_[0, 0] / 2, abs=1e-6)
    assert found.group_fields_[0] == pytest.approx(theirs.intercept_[0] / 2, abs=1e-6)
    assert not hasattr(found, "couplings_error_")


@pytest.mark.parametrize("couplings", ["shared", "axes"])
def test_lattices_are_recovered_within_honest_errors(couplings):
    rows, columns, images = 6, 7, 1500
    truth = np.array([0.3]) if couplings == "shared" else np.array([0.3, 0.15])
    bonds, axes = lattice_bonds(rows, columns, periodic=True)
    matrix = symmetric(rows * columns, bonds, truth[axes * (len(truth) - 1)])
    random = np.random.default_rng(3)
    chains = GibbsChains(random.choice(np.array([-1, 1], np.int8), (images, rows * columns)), random)
    chains.sweep(matrix, np.full(rows * columns, 0.05), 60)
    shaped = chains.spins.reshape(images, rows, columns)
    found = LatticeIsing(couplings=couplings, periodic=True).fit(shaped)
    z = np.r_[
        (found.group_couplings_ - truth) / found.group_couplings_error_,
        (found.group_fields_ - 0.05) / found.group_fields_error_,
    ]
    assert np.abs(z).max() < 4
    halves = [LatticeIsing(couplings=couplings, periodic=True).fit(part) for part in np.split(shaped, 25)]
    scatter = np.std([half.group_couplings_ for half in halves], axis=0, ddof=1)
    np.testing.assert_allclose(scatter, found.group_couplings_error_ * 5, rtol=SIGMAS / np.sqrt(2 * 24))
    np.testing.assert_allclose(found.couplings_error_[tuple(bonds[0])], found.group_couplings_error_[0])


def test_errors_per_bond_match_the_scatter_of_repeated_samples(ring):
    bonds, couplings, _, spins, weights = ring
    random = np.random.default_rng(4)
    fits = [
        GraphPseudoLikelihood(bonds, l2=0.0).fit(spins[random.choice(len(spins), 1000, p=weights)]) for _ in range(40)
    ]
    z = np.array([(fit.couplings_ - couplings)[tuple(bonds.T)] / fit.couplings_error_[tuple(bonds.T)] for fit in fits])
    assert (z**2).mean() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / 40 / 3))


def test_one_image_is_enough_for_one_coupling():
    random = np.random.default_rng(5)
    image = random.choice([-1, 1], (60, 60))
    even = np.indices((60, 60)).sum(axis=0) % 2 == 0
    for colour in [even, ~even] * 60:
        padded = np.pad(image, 1)
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        drawn = np.where(2 * random.random(image.shape) < 1 + np.tanh(0.3 * around), 1, -1)
        image = np.where(colour, drawn, image)
    found = LatticeIsing(fields="none").fit(image)
    assert found.group_couplings_[0] == pytest.approx(0.3, abs=0.05)
    assert found.group_fields_.shape == (0,)
    assert not found.fields_.any()


def test_a_uniform_image_has_a_finite_coupling_and_no_finite_field():
    image = np.ones((6, 6), int)
    assert np.isfinite(LatticeIsing(fields="none").fit(image).group_couplings_).all()
    with pytest.raises(ValueError, match='both values at sites of field 0, got one; set fields="none"'):
        LatticeIsing().fit(image)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_couplings_that_images_do_not_bound_have_infinite_errors_whatever_the_tolerance(tolerance):
    """Halves of one colour each: their errors were those of the J of 5 to 10 at which the search had stopped."""
    images = np.ones((12, 4, 4))
    images[:, :, :2] = -1
    with pytest.warns(ConvergenceWarning, match=r"do not bound 2 couplings, \[0, 1\], and 0 fields, \[\], without"):
        fit = LatticeIsing("axes", l2=0.0, tolerance=tolerance).fit(images)
    assert np.isinf(fit.group_couplings_error_).all()
    assert np.isfinite(fit.group_fields_error_).all()
    np.testing.assert_allclose(fit.group_couplings_, LatticeIsing("axes").fit(images).group_couplings_, atol=1e-2)


def test_data_that_bound_every_parameter_need_no_penalty():
    bonds = np.column_stack(np.triu_indices(6, 1))
    spins = np.where(np.random.default_rng(3).random((2000, 6)) < 0.1, 1, -1)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*do not bound")
        for tolerance in (1e-3, 1e-8):
            fit = GraphPseudoLikelihood(bonds, l2=0.0, tolerance=tolerance).fit(spins)
            assert np.isfinite(fit.couplings_error_).all()


def test_errors_are_infinite_where_data_leave_couplings_open():
    """With a_0 + a_1 = a_2 + a_3, b likewise, J may grow by v v', v = (1, 1, -1, -1): which pseudo-inverses hide."""
    random = np.random.default_rng(0)
    halves = []
    for _ in range(2):
        pair = random.choice([-1, 1], (400, 2))
        halves += [pair, np.where(random.random((400, 1)) < 0.5, pair, pair[:, ::-1])]
    bonds = np.argwhere(np.ones((4, 4))) + np.array([0, 4])
    with pytest.warns(ConvergenceWarning, match="do not bound 16 couplings.*and more, and 0 fields"):
        fit = GraphPseudoLikelihood(bonds, l2=0.0).fit(np.hstack(halves))
    assert np.isinf(fit.group_couplings_error_).all()
    assert np.isfinite(fit.group_fields_error_).all()


def test_errors_of_an_earlier_fit_do_not_stay():
    images = np.random.default_rng(0).choice([-1, 1], (30, 4, 4))
    fit = LatticeIsing().fit(images)
    fit.fit(images[:5])
    assert not hasattr(fit, "group_couplings_error_")
    with pytest.raises(ValueError, match="got none; give 10 or more configurations"):
        fit.couplings_interval()


def test_lattice_bonds_join_nearest_neighbours_once():
    bonds, axes = lattice_bonds(3, 4)
    assert len(bonds) == 2 * 4 + 3 * 3
    steps = np.abs(np.diff(bonds)).ravel()
    assert set(steps[axes == 0]) == {4}
    assert set(steps[axes == 1]) == {1}
    wrapped, _ = lattice_bonds(3, 4, periodic=True)
    assert (np.bincount(wrapped.ravel()) == 4).all()
    assert len(np.unique(np.sort(wrapped, axis=1), axis=0)) == len(wrapped) == 24
    narrow, _ = lattice_bonds(2, 4, periodic=True)
    assert len(np.unique(np.sort(narrow, axis=1), axis=0)) == len(narrow)


def test_the_encoding_only_renames_values():
    images = np.random.default_rng(6).integers(0, 2, (20, 5, 5))
    binary = LatticeIsing(encoding="01").fit(images)
    spin = LatticeIsing().fit(2 * images - 1)
    np.testing.assert_array_equal(binary.couplings_, spin.couplings_)
    assert binary.score(images.reshape(20, -1)) == spin.score((2 * images - 1).reshape(20, -1))
    assert spin.score(2 * images - 1) == spin.score((2 * images - 1).reshape(20, -1))
    with pytest.raises(ValueError, match=r"pixels as in fit, got shape \(20, 3, 3\)"):
        spin.score(np.ones((20, 3, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bonds": [[0, 1], [1, 0]]}, "each pair once"),
        ({"bonds": [[0, 8]]}, "different sites from 0 to 7"),
        ({"bonds": [[1, 1]]}, "different sites"),
        ({"bonds": [0, 1]}, r"integer array \(bonds, 2\)"),
        ({"couplings": "axes"}, "couplings: expected one of bonds, shared"),
        ({"couplings": np.arange(1, 10)}, "without gaps"),
        ({"fields": np.zeros(3, int)}, "or 8 integers"),
        ({"l2": -1.0}, "l2: expected a finite number >= 0"),
    ],
)
def test_refusals(ring, options, message):
    with pytest.raises(ValueError, match=message):
        GraphPseudoLikelihood(**{"bonds": ring[0], **options}).fit(ring[3])


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"images: expected \(rows, columns\)"):
        LatticeIsing().fit(np.ones((2, 2, 3, 3)))
    with pytest.raises(ValueError, match="constant spins"):
        LatticeIsing(fields="sites").fit(np.ones((3, 4, 4)))


@pytest.mark.parametrize("couplings", ["shared", "bonds"])
def test_a_weight_is_a_number_of_images(couplings):
    random = np.random.default_rng(9)
    images = random.choice([-1, 1], (60, 3, 4))
    weights = random.integers(0, 4, 60)
    weighted = LatticeIsing(couplings).fit(images, sample_weight=weights)
    repeated = LatticeIsing(couplings).fit(np.repeat(images, weights, axis=0))
    np.testing.assert_allclose(weighted.couplings_, repeated.couplings_, atol=1e-4)
    np.testing.assert_allclose(weighted.couplings_error_, repeated.couplings_error_, rtol=1e-3)
    assert not np.allclose(weighted.couplings_, LatticeIsing(couplings).fit(images).couplings_, atol=1e-3)
