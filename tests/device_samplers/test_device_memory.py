"""Memory of samplers on a device: as much as they say, and refused where it is more than is free."""

import numpy as np
import pytest
import torch
from helpers.live_memory import LiveMemory

from vae_mf.commands.sample import place_of
from vae_mf.device_samplers import DeviceHopfieldGibbs, DeviceMaierSaupeDirect, DeviceMultispin, maier_saupe
from vae_mf.models import devices
from vae_mf.models.devices import free_memory
from vae_mf.rng import keys
from vae_mf.samplers import ParallelTempering, Sampling
from vae_mf.samplers.base import Group, Schedule, sample_chains
from vae_mf.systems import Hopfield, Ising2D, MaierSaupe


def peak(sampler, chains: int, temperature: float = 0.6) -> int:
    """Return the bytes that a sampler takes at its peak."""
    group = Group(np.full(chains, temperature), keys(1, count=chains), np.arange(chains))
    with LiveMemory() as memory:
        state = sampler.initial(group, "random")
        sampler.sweep(state, 4)
        sampler.configurations(state)
    return memory.peak


@pytest.mark.parametrize(("sites", "patterns"), [(256, 3), (512, 71), (64, 16)])
def test_hopfield_chains_take_what_they_say(sites, patterns):
    sampler = DeviceHopfieldGibbs(Hopfield.random(sites, patterns, seed=1), device="cpu")
    assert 0.5 < peak(sampler, 2000) / sampler.bytes_of(2000) < 1


@pytest.mark.parametrize("side", [8, 32])
def test_multispin_chains_take_what_they_say(side):
    sampler = DeviceMultispin(Ising2D(side), "cpu")
    assert 0.5 < peak(sampler, 2048, 2.3) / sampler.bytes_of(2048) < 1


def test_directors_take_what_they_say_however_many_there_are(monkeypatch):
    monkeypatch.setattr(maier_saupe, "AT_ONCE", 2**15)
    sampler = DeviceMaierSaupeDirect(MaierSaupe(128), "cpu")
    for chains in (256, 1024):
        on_the_processor = 2 * 12 * chains * sampler.sites
        taken = peak(sampler, chains, 0.2) - on_the_processor
        assert 0.4 < taken / sampler.bytes_of(chains) < 1


def test_groups_side_by_side_add_up():
    sampler = DeviceHopfieldGibbs(Hopfield.random(64, 2, seed=1), device="cpu")
    group = sampler.group
    assert sampler.bytes_at_once(10, 8) == sampler.bytes_of(10)
    assert sampler.bytes_at_once(3 * group, 8) == 3 * sampler.bytes_of(group)
    assert sampler.bytes_at_once(30 * group, 8) == 8 * sampler.bytes_of(group)


def test_more_than_is_free_is_refused_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr(devices, "available_memory", lambda: 1_000_000)
    system = Ising2D(16)
    sampler = ParallelTempering(DeviceMultispin(system, "cpu"))
    told = (
        r"multispin_metropolis_device: expected work that fits into the memory of cpu, of which 0\.001 GB are free, got"
    )
    with pytest.raises(ValueError, match=told):
        sample_chains(sampler, np.array([2.0, 3.0]), 2000, Schedule(1, 1, 1), seed=1, threads=1)


def test_what_torch_holds_in_reserve_is_free(monkeypatch):
    known = {"mem_get_info": (1000, 9000), "memory_reserved": 500, "memory_allocated": 200}
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert free_memory(torch.device("cuda:0")) == 1300


def test_the_command_says_what_it_takes():
    system = MaierSaupe(64)
    sampling = Sampling((0.2, 0.3), 40_000, chains=40_000, blocks=4)
    assert place_of(DeviceMaierSaupeDirect(system, "cpu"), sampling, 2) == "device: cpu, about 0.57 GB of its memory"
    few = DeviceHopfieldGibbs(Hopfield.random(16, 2, seed=1), device="cpu")
    small = Sampling((0.2, 0.3), 40, 1, 1, chains=20, blocks=4)
    assert place_of(few, small, 2) == "device: cpu, about 0.01 GB of its memory"
