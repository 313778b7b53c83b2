"""The erasure machine against its defining equations, on exact frequencies and on samples."""

from itertools import islice

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from vae_mf.inverse_ising.erasure import (
    ErasureMachine,
    checked_epsilons,
    erasure_steps,
    log_weights,
    reweighted_moments,
)
from vae_mf.packing import all_configurations

SITES = 7


@pytest.fixture(scope="module")
def model():
    """Couplings, fields and exact frequencies of all configurations."""
    random = np.random.default_rng(1)
    couplings = np.triu(random.normal(0, 0.15, (SITES, SITES)), 1)
    couplings = couplings + couplings.T
    fields = random.normal(0, 0.15, SITES)
    spins = all_configurations(SITES)
    weights = np.exp(0.5 * np.einsum("ri,ij,rj->r", spins, couplings, spins) + spins @ fields)
    return couplings, fields, spins, weights / weights.sum()


def test_log_weights_are_minus_the_energies(model):
    couplings, fields, spins, _ = model
    stack = np.stack([couplings, -2 * couplings])
    shifts = np.stack([fields, 0 * fields])
    pairs = 0.5 * np.einsum("ri,ij,rj->r", spins, couplings, spins)
    expected = np.stack([pairs + spins @ fields, -2 * pairs], axis=1)
    np.testing.assert_allclose(log_weights(spins, stack, shifts), expected, atol=1e-5)


def test_reweighted_moments_are_weighted_averages(model):
    spins, shares = model[2], model[3]
    tilts = np.random.default_rng(2).normal(size=(len(spins), 3))
    found = reweighted_moments(spins, shares, tilts)
    for k in range(3):
        weights = shares * np.exp(tilts[:, k])
        weights /= weights.sum()
        pairs = np.einsum("r,ri,rj->ij", weights, spins, spins) - np.eye(SITES)
        np.testing.assert_allclose(found.pairs[k], pairs, atol=1e-5)
        np.testing.assert_allclose(found.singles[k], weights @ spins, atol=1e-5)
        assert found.effective_samples[k] == pytest.approx(1 / (weights**2).sum())


def test_every_step_is_the_update_of_the_source(model):
    spins, shares = model[2], model[3]
    epsilons = np.array([0.4, 0.9])
    _, _, before, after = islice(erasure_steps(spins, shares, epsilons, 0.1), 4)
    for k, epsilon in enumerate(epsilons):
        scores = 0.5 * np.einsum("ri,ij,rj->r", spins, before.couplings[k], spins) + spins @ before.fields[k]
        weights = shares * np.exp((epsilon - 1) * scores)
        weights /= weights.sum()
        pairs = np.einsum("r,ri,rj->ij", weights, spins, spins) - np.eye(SITES)
        bonds = before.couplings[k] + 0.1 * (pairs - epsilon * before.couplings[k])
        np.testing.assert_allclose(after.couplings[k], bonds, atol=1e-6)
        np.testing.assert_allclose(
            after.fields[k], before.fields[k] + 0.1 * (weights @ spins - epsilon * before.fields[k]), atol=1e-6
        )
        assert before.energies[k] == pytest.approx(-shares @ scores, abs=1e-6)


def test_exact_frequencies_give_the_model_back_at_small_epsilon(model):
    couplings, fields, spins, shares = model
    found = ErasureMachine(epsilons=(0.01,), n_steps=500).fit(spins, sample_weight=shares)
    np.testing.assert_allclose(found.couplings_, couplings, atol=0.01)
    np.testing.assert_allclose(found.fields_, fields, atol=0.01)


def test_epsilon_one_is_hebbs_rule(model):
    spins, shares = model[2], model[3]
    found = ErasureMachine(epsilons=(1.0,), n_steps=200).fit(spins, sample_weight=shares)
    np.testing.assert_allclose(found.couplings_, np.einsum("r,ri,rj->ij", shares, spins, spins) - np.eye(7), atol=1e-5)
    np.testing.assert_allclose(found.fields_, shares @ spins, atol=1e-5)


def test_the_epsilon_of_largest_mean_energy_is_close_to_the_best():
    random = np.random.default_rng(3)
    sites = 14
    samples = 500
    epsilons = np.arange(0.3, 1, 0.05)
    couplings = np.triu(random.normal(0, 0.7 / np.sqrt(sites), (sites, sites)), 1)
    couplings += couplings.T
    every = all_configurations(sites)
    weights = np.exp(0.5 * np.einsum("ri,ij,rj->r", every, couplings, every, optimize=True))
    spins = every[random.choice(len(every), samples, p=weights / weights.sum())]
    found = ErasureMachine(epsilons=epsilons.tolist()).fit(spins)
    assert found.epsilon_ == epsilons[found.mean_energies_.argmax()]
    errors = [
        ((ErasureMachine(epsilons=(epsilon,)).fit(spins).couplings_ - couplings) ** 2).mean() for epsilon in epsilons
    ]
    assert abs(found.epsilon_ - epsilons[np.argmin(errors)]) < 0.11
    assert errors[int(found.mean_energies_.argmax())] < 1.2 * min(errors)


def test_the_scan_is_the_same_as_one_epsilon_after_the_other(model):
    spins, shares = model[2], model[3]
    together = ErasureMachine(epsilons=(0.5, 0.7, 0.9)).fit(spins, sample_weight=shares)
    apart = [ErasureMachine(epsilons=(epsilon,)).fit(spins, sample_weight=shares) for epsilon in (0.5, 0.7, 0.9)]
    np.testing.assert_allclose(together.mean_energies_, [one.mean_energies_[0] for one in apart], rtol=1e-6)
    chosen = apart[int(together.mean_energies_.argmax())]
    np.testing.assert_allclose(together.couplings_, chosen.couplings_, atol=1e-6)
    assert together.effective_samples_ == pytest.approx(chosen.effective_samples_, rel=1e-6)


def test_contract_and_refusals(model):
    spins, shares = model[2], model[3]
    found = clone(ErasureMachine()).fit(spins, sample_weight=1e6 * shares)
    assert found.converged_
    assert found.n_iter_ == 100
    np.testing.assert_array_equal(found.couplings_, found.couplings_.T)
    assert not np.diag(found.couplings_).any()
    with pytest.warns(ConvergenceWarning, match="has not converged after 2 iterations"):
        ErasureMachine(n_steps=2, tolerance=1e-3).fit(spins, sample_weight=shares)
    for epsilons in ((), (0.5, 1.5), (0.0,)):
        with pytest.raises(ValueError, match="epsilons: expected"):
            checked_epsilons(epsilons)


def test_rare_events_are_no_case_for_it():
    spins = np.where(np.random.default_rng(1).random((3000, 12)) < 0.05, 1, -1)
    with pytest.warns(ConvergenceWarning, match="no better than independent spins"):
        assert not ErasureMachine().fit(spins).converged_
