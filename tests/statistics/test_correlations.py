"""Correlations along a lattice against their definition and exact theory."""

import numpy as np
import pytest

from vae_mf.packing import all_configurations
from vae_mf.statistics.correlations import compare_correlations, correlation_length, lattice_statistics
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.ising2d import Ising2D


@pytest.mark.parametrize("side", [3, 4, 5])
def test_correlations_and_structure_factors_meet_their_definition(side):
    spins = np.random.default_rng(1).choice([-1, 1], (7, side**2)).astype(np.int8)
    lattice = spins.reshape(-1, side, side).astype(float)
    found = lattice_statistics(spins, side)
    for r in range(side // 2 + 1):
        pairs = [(lattice * np.roll(lattice, r, axis)).mean((1, 2)) for axis in (1, 2)]
        np.testing.assert_allclose(found.correlations[:, r], (pairs[0] + pairs[1]) / 2, atol=1e-6)
    wave = np.exp(2j * np.pi * np.arange(side) / side)
    zero = lattice.sum((1, 2)) ** 2
    one = (np.abs(lattice.sum(1) @ wave) ** 2 + np.abs(lattice.sum(2) @ wave) ** 2) / 2
    np.testing.assert_allclose(found.structure, np.stack([zero, one], 1) / side**2, rtol=1e-5, atol=1e-6)


def test_an_exponential_structure_factor_gives_its_length_back():
    side, length = 32, 3.0
    lorentzian = 1 / (length**-2 + (2 * np.sin(np.pi / side)) ** 2)
    assert correlation_length(length**2, lorentzian, side).correlation_length == pytest.approx(length)
    assert correlation_length(0.9, 1.0, side).correlation_length == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [3, 6, 8, 10])
def test_a_length_is_unknown_where_all_spins_are_alike(side):
    spins = np.repeat([[1], [-1]], 30, axis=0).astype(np.int8) * np.ones(side**2, np.int8)
    turned = spins.copy()
    turned[7, 3] *= -1
    values, errors = [], []
    for rows in (spins, turned):
        table = compare_correlations(Ising2D(side), {"samples": {0.3: rows}}, {"samples": 60}).lengths
        values.append(float(table.value.iloc[0]))
        errors.append(float(table.error.iloc[0]))
    assert np.isnan(values[0])
    assert np.isfinite(values[1])
    # Without the chain of the turned spin nothing is known.
    assert np.isnan(errors).all()


def test_samples_agree_with_exact_theory_and_a_model_without_correlations_does_not():
    system, temperature = Ising2D(4), 2.5
    random = np.random.default_rng(2)
    probabilities = enumerate_system(system, temperature).probabilities
    rows = random.choice(len(probabilities), 20_000, p=probabilities)
    configurations = {
        "samples": {temperature: all_configurations(16)[rows]},
        "model": {temperature: random.choice([-1, 1], (20_000, 16)).astype(np.int8)},
    }
    tables = compare_correlations(system, configurations, {"samples": 20_000, "model": 20_000})
    table = tables.functions.set_index(["source", "distance"])
    for r in (1, 2):
        exact = table.loc[("exact", r)].value
        for source, within in (("samples", True), ("model", False)):
            value, error = table.loc[(source, r), ["value", "error"]]
            assert bool(abs(value - exact) < 4 * error) == within
    assert list(table.loc["infinite"].index) == [0, 1, 2]
    lengths = tables.lengths.set_index("source")
    assert lengths.loc["samples"].value > 1.5 > lengths.loc["model"].value
    assert (lengths.error > 0).all()
