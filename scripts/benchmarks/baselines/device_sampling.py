"""Work of the samplers on a device, what an H100 should do of it, and draws that the processor must repeat."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from vae_mf.device_samplers import DeviceHopfieldGibbs, DeviceMaierSaupeDirect, DeviceMultispin
from vae_mf.rng import keys
from vae_mf.samplers.base import Group, Sampler
from vae_mf.systems import Hopfield, Ising2D, MaierSaupe

from .timing import SEED, Run

SWEEPS = 10


class Case(NamedTuple):
    """A sampler, its temperature, the chains that fill a GPU, and spins or directors per ns."""

    build: Callable[[torch.device], Sampler]
    temperature: float
    chains: int
    predicted: str
    """For an H100, as it is and compiled, from bytes and operations that were counted; none was timed."""
    numba: float
    """On one core of an AMD EPYC, Zen 4, by the samplers of the processor."""


CASES = {
    "multispin L=64": Case(lambda d: DeviceMultispin(Ising2D(64), d), 2.3, 32_768, "10, compiled 200 to 350", 9.7),
    "Hopfield N=256 P=3": Case(
        lambda d: DeviceHopfieldGibbs(Hopfield.random(256, 3, seed=1), 0, d), 0.6, 32_768, "7, compiled 100", 0.71
    ),
    "Hopfield N=1024 P=143": Case(
        lambda d: DeviceHopfieldGibbs(Hopfield.random(1024, 143, seed=1), 0, d),
        0.6,
        8_192,
        "6, compiled 50",
        0.45,
    ),
    "Maier-Saupe N=256": Case(
        lambda d: DeviceMaierSaupeDirect(MaierSaupe(256), d),
        0.222,
        8_192,
        "0.3, compiled 0.4",
        0.14,
    ),
}


def started(sampler: Sampler, temperature: float, chains: int) -> Any:
    """Return the state of new chains."""
    return sampler.initial(Group(np.full(chains, temperature), keys(SEED, count=chains), np.arange(chains)), "random")


def advancing(case: Case, device: torch.device, chains: int) -> Run:
    """Return the work of ten sweeps, or of as many direct draws with their copy to the processor."""
    sampler = case.build(device)
    state = started(sampler, case.temperature, chains)

    def run() -> int:
        if isinstance(sampler, DeviceMaierSaupeDirect):
            sampler.draw(state, SWEEPS)
        else:
            sampler.sweep(state, SWEEPS)
        return SWEEPS * chains * sampler.sites

    return run


def drawn(case: Case, device: torch.device) -> np.ndarray:
    """Return configurations of a hundred chains after ten sweeps."""
    sampler = case.build(device)
    state = started(sampler, case.temperature, 100)
    sampler.sweep(state, SWEEPS)
    return sampler.configurations(state)


def unlike(case: Case, device: torch.device) -> float:
    """Return the share of bytes of spins, or of numbers beyond rounding, that a device draws otherwise."""
    there = drawn(case, device)
    here = drawn(case, torch.device("cpu"))
    if there.dtype == np.uint8:
        return float((there != here).mean())
    return float((np.abs(there - here) > 1e-6).mean())
