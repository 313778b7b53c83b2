"""Direct draws of the nematic in torch: Bingham laws against quadrature, eigenvalues and energies against theory."""

import numpy as np
import pytest
import torch
from helpers.chains import started
from helpers.nematic import SIGMAS, bingham_moments, check_against_theory, moments
from scipy.stats import kstest

from vae_mf.device_samplers import DeviceMaierSaupeDirect, maier_saupe
from vae_mf.rng import keys
from vae_mf.samplers.base import Schedule, sample_chains
from vae_mf.samplers.kernels.tensor_table import tensor_table
from vae_mf.systems.maier_saupe import MaierSaupe, mean_field_transition

T_NI = mean_field_transition().temperature
PLAIN = maier_saupe.Proposals()
TEMPERATURES = (0.15, T_NI, 0.3)


def streams(count, seed=7):
    return torch.from_numpy(keys(seed, count=count).view(np.int64))


@pytest.mark.parametrize("exponents", [(0, 0, 0), (-3, -1, 0), (0, -20, -5), (-60, 0, -0.3), (0, 0, -2000), (2, 1, 3)])
def test_bingham_moments_equal_quadrature(exponents):
    draws = maier_saupe.draw_bingham(streams(100), torch.tensor([exponents] * 100).double(), 400, PLAIN)
    draws = draws.reshape(-1, 3).numpy()
    x, y = draws[:, 0] ** 2, draws[:, 1] ** 2
    for values, exact in zip((x, y, x * x, y * y, x * y), bingham_moments(exponents), strict=True):
        assert abs(values.mean() - exact) < SIGMAS * values.std() / np.sqrt(values.size) + 1e-9
    np.testing.assert_allclose((draws**2).sum(1), 1, atol=1e-12)
    assert np.abs(draws.mean(0) / draws.std(0)).max() < SIGMAS / np.sqrt(len(draws))


@pytest.mark.parametrize("acceptance", [0.1, 0.57, 1.0])
def test_every_item_takes_its_first_accepted_candidate(acceptance, monkeypatch):
    # Room for few, so that passes after the first compute for a part of the items.
    monkeypatch.setattr(maier_saupe, "LEAST_ROOM", 8)
    random = np.random.default_rng(0)
    values = torch.from_numpy(random.normal(size=(maier_saupe.CANDIDATES, 3000, 2)))
    accepted = torch.from_numpy(random.random((maier_saupe.CANDIDATES, 3000)) < acceptance)
    if acceptance < 0.5:  # within the room of every pass
        accepted[3, 200:] = True
        accepted[11, 20:] = True
    found = maier_saupe.first_accepted(
        lambda items, candidate: (values[candidate, items], accepted[candidate, items]), torch.zeros(3000, 2).double()
    )
    last = maier_saupe.CANDIDATES - 1
    first = [next((c for c in range(last) if accepted[c, item]), last) for item in range(3000)]
    assert torch.equal(found, values[first, range(3000)])


def test_rotations_are_from_the_haar_measure():
    axes = maier_saupe.rotations(streams(20_000)).numpy()
    np.testing.assert_allclose(axes @ np.swapaxes(axes, 1, 2), np.broadcast_to(np.eye(3), axes.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-12)
    for entry in axes.reshape(-1, 9).T:  # every entry of a Haar rotation is uniform on [-1, 1]
        assert kstest(entry, "uniform", (-1, 2)).pvalue > 1e-4


@pytest.mark.parametrize(("sites", "temperature"), [(1, 0.03), (1, 50.0), (64, 0.15), (1024, T_NI), (1024, 0.3)])
def test_drawn_eigenvalues_follow_the_exact_law(sites, temperature):
    system, count = MaierSaupe(sites), 20_000
    table = maier_saupe.Table(*(torch.from_numpy(np.ascontiguousarray(p)) for p in tensor_table(system, temperature)))
    eigenvalues = maier_saupe.draw_eigenvalues(streams(count), table, PLAIN).numpy()
    assert (np.diff(eigenvalues, axis=1) <= 0).all()
    law, radius = system.tensor_law(temperature), np.sqrt((eigenvalues**2).sum(1))
    shape = np.sqrt(6) * (eigenvalues**3).sum(1) / radius**3
    observables = [(radius**2, law.radius**2), (radius**4, law.radius**4), (shape, law.shape), (shape**2, law.shape**2)]
    observables.append((shape * radius**3, law.shape * law.radius**3))
    for drawn, values in observables:
        exact = law.probabilities @ values
        spread = np.sqrt(law.probabilities @ (values - exact) ** 2)
        assert abs(drawn.mean() - exact) < SIGMAS * spread / np.sqrt(count)


@pytest.mark.parametrize("sites", [16, pytest.param(256, marks=pytest.mark.slow)])
def test_draws_agree_with_the_exact_theory(sites):
    system = MaierSaupe(sites, 1.4)
    temperatures = np.array([1.4 * t for t in TEMPERATURES])
    drawn = sample_chains(DeviceMaierSaupeDirect(system, "cpu"), temperatures, 64, Schedule(50, 0, 1), 1)
    check_against_theory(system, temperatures.tolist(), moments(drawn))


def test_sweeps_and_parts_draw_what_one_call_draws(monkeypatch):
    sampler, levels = DeviceMaierSaupeDirect(MaierSaupe(30), "cpu"), [0.15, 0.3, 0.15]
    whole = sampler.draw(started(sampler, levels), 2)
    monkeypatch.setattr(maier_saupe, "AT_ONCE", 90)
    state, swept = started(sampler, levels), []
    first = sampler.configurations(state)
    for _ in range(2):
        sampler.sweep(state, 3)
        swept.append(sampler.configurations(state))
    np.testing.assert_array_equal(np.stack(swept, 1), whole)
    assert (first != whole[:, 0]).any(axis=(1, 2)).all()
    sampler.sweep(state, 0)
    np.testing.assert_array_equal(sampler.configurations(state), whole[:, 1])
    np.testing.assert_allclose(np.linalg.norm(whole, axis=-1), 1, atol=1e-6)
