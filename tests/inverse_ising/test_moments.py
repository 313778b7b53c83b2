"""Moments are those of NumPy, whatever the storage, the weights and the blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vae_mf.inverse_ising import base
from vae_mf.inverse_ising import moments as module
from vae_mf.inverse_ising.moments import Moments, refuse_copies, regularised, spin_moments

SPINS = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), (1000, 13), p=[0.3, 0.7])


@pytest.fixture(params=[7, 2**16], ids=["many blocks", "one block"], autouse=True)
def block(request, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", request.param)


@pytest.mark.parametrize("weights", [None, np.full(1000, 2.5)])
def test_equal_weights_give_the_plain_moments(weights):
    found = spin_moments(SPINS, weights)
    assert_allclose(found.magnetisations, SPINS.mean(0), atol=1e-15)
    assert_allclose(found.covariances, np.cov(SPINS.T, bias=True), atol=1e-14)
    assert found.samples == (1000 if weights is None else 2500)


def test_integer_weights_are_repetitions():
    weights = np.random.default_rng(2).integers(0, 4, 1000)
    found = spin_moments(SPINS, weights.astype(float))
    repeated = spin_moments(np.repeat(SPINS, weights, axis=0))
    for one, other in zip(found, repeated, strict=True):
        assert_allclose(one, other, atol=1e-14)


def test_a_pseudocount_adds_unbiased_independent_samples():
    raw = spin_moments(SPINS)
    cube = base.checked_spins(np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T, "spin")
    first_four = spin_moments(SPINS[:, :4])
    joined = spin_moments(np.vstack([SPINS[:, :4], cube]), np.r_[np.ones(1000), np.full(16, 50 / 16)])
    for one, other in zip(regularised(first_four, pseudocount=50), joined, strict=True):
        assert_allclose(one, other, atol=1e-14)
    assert regularised(raw).covariances.tolist() == raw.covariances.tolist()


def test_shrinkage_reduces_correlations_only():
    raw = spin_moments(SPINS)
    shrunk = regularised(spin_moments(SPINS), shrinkage=0.25)
    off = ~np.eye(13, dtype=bool)
    assert_allclose(shrunk.covariances[off], 0.75 * raw.covariances[off])
    assert_allclose(np.diag(shrunk.covariances), np.diag(raw.covariances))
    assert_allclose(shrunk.magnetisations, raw.magnetisations)


@pytest.mark.parametrize("options", [{"pseudocount": -1}, {"shrinkage": 1.5}, {"shrinkage": float("nan")}])
def test_regularisation_refuses_what_is_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        regularised(spin_moments(SPINS), **options)


def test_copies_are_named():
    copied = np.column_stack([SPINS, -SPINS[:, 3]])
    with pytest.raises(ValueError, match=r"copies .*\[\[3, 13\]\]"):
        refuse_copies(spin_moments(copied))
    refuse_copies(spin_moments(SPINS))
    refuse_copies(Moments(np.zeros(2), np.array([[1, 0.99], [0.99, 1]]), 10))
