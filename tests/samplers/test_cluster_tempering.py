"""Cluster moves of pairs of replicas: they keep what they must, turns are equally likely, tempering stays exact."""

import numpy as np
import pytest
from helpers.chains import sample, started, z_scores
from scipy.stats import chisquare

from vae_mf.packing import unpack_spins
from vae_mf.samplers.base import Schedule, sample_block
from vae_mf.samplers.cluster_tempering import ClusterTempering
from vae_mf.samplers.curie_weiss import CurieWeissDirect
from vae_mf.samplers.hopfield import HopfieldGibbs
from vae_mf.samplers.multispin_glass import MultispinGlass
from vae_mf.samplers.spin_glass import IsingMetropolis
from vae_mf.samplers.tempering import ParallelTempering
from vae_mf.systems.curie_weiss import CurieWeiss
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.hopfield import Hopfield
from vae_mf.systems.spin_glass import EdwardsAnderson, Ising

LADDER = np.array([0.6, 0.8, 1.2, 2.0])
GAUSSIAN = EdwardsAnderson.random(4, 2, "gaussian", 2)
SAMPLERS = {
    "words": MultispinGlass(EdwardsAnderson.random(4, 2, "pm", 2)),
    "words, open": MultispinGlass(EdwardsAnderson.random(3, 2, "pm", 2, boundary="free")),
    "floats": IsingMetropolis(GAUSSIAN),
    "floats, dense": IsingMetropolis(Ising(GAUSSIAN.couplings.toarray())),
    "floats, fields": IsingMetropolis(Ising(GAUSSIAN.couplings, np.linspace(-0.5, 0.5, 16))),
}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
FIRST, SECOND = np.arange(0, 64, 2), np.arange(1, 64, 2)


@every_sampler
def test_a_move_keeps_overlaps_and_the_energy_of_a_pair(sampler):
    state = started(sampler, np.full(64, 1.5))
    sampler.sweep(state, 20)
    before = unpack_spins(sampler.configurations(state), sampler.sites)
    sampler.turn_clusters(state, FIRST, SECOND)
    after = unpack_spins(sampler.configurations(state), sampler.sites)
    np.testing.assert_array_equal(before[::2] * before[1::2], after[::2] * after[1::2])
    energies = sampler.system.energy(before), sampler.system.energy(after)
    np.testing.assert_allclose(*(pair[::2] + pair[1::2] for pair in energies), atol=1e-9)
    assert (np.abs(energies[0] - energies[1]) > 1e-6).any()
    np.testing.assert_allclose(sampler.energies(state), energies[1], atol=1e-5)


@every_sampler
def test_all_turns_of_the_clusters_are_equally_likely(sampler):
    """From one pair of configurations, the 2^c that c clusters make come equally often, and no others do."""
    state = started(sampler, np.full(64, 3.0), seed=4)
    sampler.sweep(state, 20)
    products = np.prod(unpack_spins(sampler.configurations(state), sampler.sites).reshape(32, 2, -1), axis=1)
    clusters = np.array([cluster_count(sampler.system, q, sampler.system.fields.any()) for q in products])
    chosen = int(np.argmin(np.where(clusters >= 2, clusters, 99)))
    seen = []
    for _ in range(1500):
        sampler.turn_clusters(state, FIRST[[chosen]], SECOND[[chosen]])
        seen.append((unpack_spins(sampler.configurations(state), sampler.sites)[FIRST[chosen]] > 0).tobytes())
    counts = np.unique(seen, return_counts=True)[1]
    assert len(counts) == 2 ** clusters[chosen]
    assert chisquare(counts).pvalue > 1e-4


def cluster_count(system, product, only_opposite):
    left, right = system.couplings.nonzero()
    label = np.arange(system.sites)
    for _ in range(system.sites):
        for i, j in zip(left, right, strict=True):
            if product[i] == product[j]:
                label[i] = label[j] = min(label[i], label[j])
    return len(np.unique(label[product < 0] if only_opposite else label))


@every_sampler
def test_paired_ladders_equal_enumeration(sampler):
    system, tempering = sampler.system, ClusterTempering(sampler, cluster_every=1)
    draws = sample_block(tempering, LADDER, range(96), Schedule(60, 100, 3), 1)
    spins = unpack_spins(draws.configurations, system.sites)
    exact = [enumerate_system(system, t) for t in LADDER]
    energies = np.array([e.thermodynamics.energy for e in exact])
    assert np.abs(z_scores(system.energy(spins), energies)).max() < 4.5
    correlations = np.array([(e.spins.T * e.probabilities) @ e.spins for e in exact])
    # <q^2> = sum_ij <s_i s_j>^2 / N^2, and without fields <q> = 0.
    squares = (correlations**2).mean((1, 2))
    overlaps = draws.records["overlap"]
    assert np.abs(z_scores(overlaps**2, squares)).max() < 4.5
    means = np.array([(e.probabilities @ e.spins) ** 2 for e in exact]).mean(1)
    assert np.abs(z_scores(overlaps, means)).max() < 4.5


def test_the_first_of_a_pair_is_what_is_drawn():
    tempering = ClusterTempering(SAMPLERS["words"])
    state = started(tempering, LADDER)
    tempering.sweep(state, 7)
    spins = unpack_spins(tempering.configurations(state), 16)
    assert spins.shape == (4, 16)
    np.testing.assert_allclose(tempering.energies(state), SAMPLERS["words"].system.energy(spins))
    assert tempering.overlaps(state).shape == (4,)
    assert tempering.group == 32


def test_draws_depend_on_no_number_of_threads():
    tempering = ClusterTempering(SAMPLERS["floats"])
    first, second = (sample(tempering, LADDER, 40, Schedule(2, 10, 5), threads=n) for n in (1, 2))
    np.testing.assert_array_equal(first, second)


def test_samplers_without_cluster_moves_are_refused():
    with pytest.raises(ValueError, match="sampler: expected one with cluster moves, such as multispin_glass"):
        ClusterTempering(HopfieldGibbs(Hopfield.random(8, 1, seed=1)))
    with pytest.raises(ValueError, match=r"sampler: expected one with a method energies\(state\)"):
        ClusterTempering(CurieWeissDirect(CurieWeiss(4)))
    with pytest.raises(ValueError, match="cluster_every: expected an integer >= 1, got 0"):
        ClusterTempering(SAMPLERS["words"], cluster_every=0)


@pytest.mark.slow
def test_clusters_reach_equilibrium_in_less_than_a_twentieth_of_the_sweeps():
    """Mean energy above theory at T = 0.3 of open squares of side 32, from random starts."""
    excess = {every: [] for every in (5, 10**9)}
    for seed in range(32):
        glass = EdwardsAnderson.random(32, 2, "pm", seed, boundary="free")
        exact = glass.thermodynamics(0.3).energy
        for every, sweeps in ((5, 800), (10**9, 16_000)):
            tempering = ClusterTempering(MultispinGlass(glass), cluster_every=every)
            state = started(tempering, np.geomspace(0.3, 2.0, 32), seed=seed)
            tempering.sweep(state, sweeps)
            excess[every].append(ParallelTempering.energies(tempering, state)[::32].mean() - exact)
    clusters, alone = (np.array(values) for values in excess.values())
    assert clusters.mean() < alone.mean(), (clusters.mean(), alone.mean())
    assert clusters.mean() < 1.5
