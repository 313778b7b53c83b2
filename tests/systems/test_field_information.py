"""What the Hubbard-Stratonovich field knows: against mixtures over all states, and above every cut."""

import numpy as np
import pytest

from vae_mf.systems.base import HasFieldInformation
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.field_information import sampled_field_bound
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.ising2d import Ising2D
from vae_mf.systems.maier_saupe import MaierSaupe


def field_information(system, temperature):
    found = system.field_information(temperature)
    assert found.source == "exact"
    return found.value


def mixture_information(means: np.ndarray, probabilities: np.ndarray, variance: float) -> float:
    """I(m; m + noise) on a fine grid, m discrete in one or two dimensions."""
    line = np.linspace(-1 - 10 * variance**0.5, 1 + 10 * variance**0.5, 400)
    grid = np.stack(np.meshgrid(*[line] * means.shape[1], indexing="ij"), -1).reshape(-1, means.shape[1])
    density = np.zeros(len(grid))
    distinct, index = np.unique(means, axis=0, return_inverse=True)
    for mean, weight in zip(distinct, np.bincount(index.ravel(), probabilities), strict=True):
        density += weight * np.exp(-((grid - mean) ** 2).sum(1) / (2 * variance))
    density /= (2 * np.pi * variance) ** (means.shape[1] / 2)
    cell = (line[1] - line[0]) ** means.shape[1]
    assert density.sum() * cell == pytest.approx(1, abs=1e-6)
    entropy = -cell * (density * np.log(np.maximum(density, 1e-300))).sum()
    return entropy - means.shape[1] / 2 * np.log(2 * np.pi * np.e * variance)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("patterns", [1, 2])
def test_the_field_knows_what_a_mixture_over_all_states_does(patterns, temperature):
    system = Hopfield.random(10, patterns, seed=3)
    states = enumerate_system(system, temperature)
    expected = mixture_information(system.overlaps(states.spins), states.probabilities, temperature / 10)
    assert field_information(system, temperature) == pytest.approx(expected, abs=1e-6)


def test_curie_weiss_is_the_network_of_one_pattern():
    network = Hopfield(np.ones((1, 30), np.int8), 2.0)
    assert field_information(CurieWeiss(30, 2.0), 1.7) == pytest.approx(field_information(network, 1.7))


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.0, 1.25, 2.0])
def test_no_cut_shares_more_than_the_field_knows(temperature):
    system = CurieWeiss(256)
    assert system.half_information(temperature) < field_information(system, temperature)


@pytest.mark.parametrize("temperature", [0.2, 0.4, 2.0])
def test_a_tensor_knows_less_than_a_gaussian_one_of_its_covariance(temperature):
    """And as much when hot, where the tensor is Gaussian: five components of variance <Tr (Q/N)²> / 5."""
    system = MaierSaupe(64)
    square = -4 * system.thermodynamics(temperature).energy / (3 * system.coupling * system.sites)
    gaussian = 2.5 * np.log1p(square / 5 / system.field_variance(temperature))
    found = field_information(system, temperature)
    assert 0 < found < gaussian
    if temperature == 2.0:
        assert found == pytest.approx(gaussian, rel=1e-3)


def test_it_grows_as_half_a_logarithm_per_component():
    """At T_c m ~ N^{-1/4}, and so the field has N^{1/4} distinguishable values."""
    small, large = (field_information(CurieWeiss(sites), 1.0) for sites in (1000, 16_000))
    assert (large - small) / np.log(16) == pytest.approx(0.25, abs=0.01)
    small, large = (field_information(MaierSaupe(sites), 0.15) for sites in (500, 2000))
    # Below T_NI the two directions of the axis are soft: one logarithm in all.
    assert (large - small) / np.log(4) == pytest.approx(1.0, abs=0.05)


def test_sampled_overlaps_bound_the_field_from_above():
    system = Hopfield.random(12, 2, seed=1)
    states = enumerate_system(system, 1.2)
    rows = np.random.default_rng(1).choice(len(states.spins), 20_000, p=states.probabilities)
    bound = sampled_field_bound(system.overlaps(states.spins[rows]), 1.2 / 12)
    assert field_information(system, 1.2) < bound < 1.2 * field_information(system, 1.2)
    larger = Hopfield.random(12, 4, seed=1)
    rows = larger.patterns
    assert larger.field_information(1.2, rows) == (sampled_field_bound(larger.overlaps(rows), 1.2 / 12), "sampled")


def test_systems_without_a_field_say_so():
    assert not isinstance(Ising2D(4), HasFieldInformation)
    with pytest.raises(ValueError, match="at most 3 patterns, got 4"):
        Hopfield.random(16, 4, 1).field_information(1.0)
