"""Multispin Metropolis in torch: bit by bit a Metropolis of single spins, and against enumeration and Kaufman."""

import numpy as np
import pytest
import torch
from helpers.chains import sample, started, z_scores

from vae_mf.device_samplers import DeviceMultispin, multispin
from vae_mf.device_samplers.words import random_index, random_word
from vae_mf.packing import unpack_spins
from vae_mf.rng import keys
from vae_mf.samplers import ParallelTempering
from vae_mf.samplers.base import Group, Schedule
from vae_mf.systems.enumeration import enumerate_system
from vae_mf.systems.ising2d import Ising2D

SIGMAS = 4.5
TEMPERATURES = (1.5, 2.3, 4.0)
BONDS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def bits(words):
    """Bits (..., 64) of words."""
    return (words.numpy()[..., None].view(np.uint64) >> np.arange(64, dtype=np.uint64)) & np.uint64(1)


def metropolis_sweep(spins, temperatures, key, number):
    """Replicas (64, L, L) after a sweep from spin to spin, its uniforms assembled from the words of a stack."""
    side = spins.shape[1]
    half, sites = side // 2, side * side // 2
    each = 1 + half + 48 * sites
    for colour in (0, 1):
        base = number * (2 * each + 1) + colour * each
        lazy = int(random_index(random_word(key, torch.tensor(base)), side))
        coins = bits(random_word(key, base + 1 + torch.arange(half)))
        digits = bits(random_word(key, base + 1 + half + torch.arange(48 * sites).view(48, side, half)))
        uniforms = np.tensordot(0.5 ** np.arange(1, 49), digits.astype(float), 1)
        before = spins.copy()
        for y in range(side):
            for k in range(half):
                x = 2 * k + (y + colour) % 2
                around = sum(
                    before[:, (y + dy) % side, (x + dx) % side] for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
                )
                cost = 2 * spins[:, y, x] * around
                flips = (cost <= 0) | (uniforms[y, k] < np.exp(-cost / temperatures))
                flips &= (y != lazy) | (coins[k] == 1)
                spins[:, y, x] *= np.where(flips, -1, 1)
    coin = bits(random_word(key, torch.tensor(number * (2 * each + 1) + 2 * each)))
    return spins * (1 - 2 * coin.astype(int))[:, None, None]


@pytest.mark.parametrize("side", [2, 4, 6])
def test_sweeps_are_those_of_single_spins_bit_by_bit(side):
    temperatures = np.linspace(0.5, 5, 128)
    sampler = DeviceMultispin(Ising2D(side), "cpu")
    state = started(sampler, temperatures)
    spins = unpack_spins(sampler.configurations(state), side**2).reshape(2, 64, side, side).astype(int)
    sampler.sweep(state, 2)
    for number in (1, 2):
        stacks = zip(spins, temperatures.reshape(2, 64), state.keys[:, 0, 0], strict=True)
        spins = np.stack([metropolis_sweep(stack, levels, key, number) for stack, levels, key in stacks])
    np.testing.assert_array_equal(unpack_spins(sampler.configurations(state), side**2), spins.reshape(128, -1))


def check_against_enumeration(system, spins):
    for values in (system.energy, lambda s: system.order_parameter(s) ** 2, system.order_parameter):
        exact = [(e := enumerate_system(system, t)).mean(values(e.spins)) for t in TEMPERATURES]
        assert np.abs(z_scores(values(spins), exact)).max() < SIGMAS


def test_averages_equal_enumeration():
    system = Ising2D(4, coupling=1.0)
    check_against_enumeration(system, sample(DeviceMultispin(system, "cpu"), TEMPERATURES, 2000, Schedule(3, 30, 3)))


def test_tempered_averages_equal_enumeration():
    system = Ising2D(4, coupling=1.0)
    tempered = ParallelTempering(DeviceMultispin(system, "cpu"))
    check_against_enumeration(system, sample(tempered, TEMPERATURES, 2000, Schedule(3, 20, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("side", [16, 32])
def test_energy_equals_kaufman(side):
    system, temperatures = Ising2D(side, coupling=1.3), [1.3 * t for t in (1.8, 3.0)]
    sampler = DeviceMultispin(system, "cpu")
    spins = sample(sampler, temperatures, 256, Schedule(30, 200, 8), start="pattern")
    assert (
        np.abs(z_scores(system.energy(spins), [system.thermodynamics(t).energy for t in temperatures])).max() < SIGMAS
    )


@pytest.mark.parametrize(("side", "chains"), [(2, 1), (4, 64), (16, 70), (18, 130)])
def test_energies_are_those_of_the_system(side, chains):
    system = Ising2D(side, coupling=0.7)
    sampler = DeviceMultispin(system, "cpu")
    state = started(sampler, np.linspace(1, 3, chains))
    sampler.sweep(state, 1)
    spins = unpack_spins(sampler.configurations(state), side**2)
    assert spins.shape == (chains, side**2)
    np.testing.assert_allclose(sampler.energies(state), system.energy(spins))


def test_counts_of_more_sites_than_a_byte_holds_are_right():
    words = torch.from_numpy(np.random.default_rng(0).integers(-(2**63), 2**63, (2, 2, 64, 32)))
    sampler = DeviceMultispin(Ising2D(64), "cpu")
    state = multispin.MultispinState(np.ones(128), torch.zeros(2, 1, 1, dtype=torch.int64), words)
    spins = unpack_spins(sampler.configurations(state), 64**2)
    np.testing.assert_allclose(sampler.energies(state), sampler.system.energy(spins))


def test_pattern_starts_are_all_up_and_random_ones_fair():
    sampler = DeviceMultispin(Ising2D(8), "cpu")
    assert (unpack_spins(sampler.configurations(started(sampler, np.ones(3), "pattern")), 64) == 1).all()
    fair = unpack_spins(sampler.configurations(started(sampler, np.ones(2000))), 64).astype(float)
    assert np.abs(fair.mean(0)).max() < SIGMAS / np.sqrt(2000)
    assert np.abs(fair.mean(1)).max() < SIGMAS / np.sqrt(64)


def test_a_chain_depends_on_its_stack_alone():
    sampler, temperatures = DeviceMultispin(Ising2D(4), "cpu"), np.linspace(1, 4, 150)
    streams, numbers = keys(1, count=150), np.arange(150)
    whole = sampler.initial(Group(temperatures, streams, numbers), "random")
    sampler.sweep(whole, 3)
    parts = []
    for chosen in (numbers[:64], numbers[64:128], numbers[128:]):
        state = sampler.initial(Group(temperatures[chosen], streams[chosen], chosen), "random")
        sampler.sweep(state, 1)
        sampler.sweep(state, 2)
        parts.append(sampler.configurations(state))
    np.testing.assert_array_equal(np.concatenate(parts), sampler.configurations(whole))
    assert sampler.group % 64 == 0


def test_odd_sides_are_refused():
    with pytest.raises(ValueError, match="side: expected an even number for the multispin sampler, got 5"):
        DeviceMultispin(Ising2D(5), "cpu")
