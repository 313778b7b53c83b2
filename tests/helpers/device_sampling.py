"""Sweeps of the samplers on a CUDA device without values, and their compilation: see `helpers.device_cases`."""

from collections.abc import Callable, Iterator
from functools import partial
from inspect import unwrap
from unittest.mock import patch

import numpy as np
import torch

from helpers.device_record import DEVICE, recorded
from vae_mf.device_samplers import DeviceHopfieldGibbs, DeviceMaierSaupeDirect, DeviceMultispin
from vae_mf.device_samplers.hopfield import Chains, gibbs_sweep, jumping_sweep
from vae_mf.device_samplers.maier_saupe import (
    Envelope,
    Proposals,
    Table,
    draw_directors,
    propose_directors,
    propose_tensors,
)
from vae_mf.device_samplers.multispin import chessboard_sweep, stacked_digits
from vae_mf.device_samplers.words import random_word
from vae_mf.rng import keys
from vae_mf.samplers.base import Group
from vae_mf.samplers.kernels.tensor_table import tensor_table
from vae_mf.systems import Hopfield, Ising2D, MaierSaupe

CHAINS = 100
NEMATIC = MaierSaupe(200)
SAMPLERS = {
    "hopfield": lambda: DeviceHopfieldGibbs(Hopfield.random(64, 5, seed=0), 2, "cuda"),
    "multispin": lambda: DeviceMultispin(Ising2D(8), "cuda"),
    "maier_saupe": lambda: DeviceMaierSaupeDirect(NEMATIC, "cuda"),
}


def sweeps() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Yield names of samplers, two sweeps of one on the device, and what brings its chains to the processor."""
    group = Group(np.full(CHAINS, 0.25), keys(1, count=CHAINS), np.arange(CHAINS))
    for name, build in SAMPLERS.items():
        with recorded(), patch("torch.cuda.device_count", return_value=1):
            sampler = build()
            state = sampler.initial(group, "random")
        if name == "maier_saupe":
            with recorded():
                table = Table(*(part.to(DEVICE) for part in nematic_table()))
                streams, slope = torch.arange(CHAINS, device=DEVICE), torch.full((), 6.0, device=DEVICE).double()
            arguments = (streams, table, slope, NEMATIC.sites, Proposals())
            yield name, partial(draw_directors, *arguments), partial(sampler.draw, state, 2)
        else:
            yield name, partial(sampler.sweep, state, 2), partial(sampler.configurations, state)


def nematic_table() -> Table:
    """Return the table of a nematic of so many directors that later passes have room for a part of them."""
    return Table(*(torch.from_numpy(np.ascontiguousarray(part)) for part in tensor_table(NEMATIC, 0.25)))


def compiled() -> Iterator[tuple[str, Callable, tuple]]:
    """Yield functions that a device compiles, with arguments on the processor."""
    streams = torch.from_numpy(keys(1, count=CHAINS).view(np.int64))
    patterns = torch.from_numpy(Hopfield.random(64, 5, seed=0).patterns).float()
    ones = torch.ones(CHAINS, 1, dtype=torch.float64)
    chains = Chains(streams[:, None], ones, ones / 8, 2.0**-20 * ones)
    spins = patterns[torch.arange(CHAINS) % 5]
    digits = torch.from_numpy(stacked_digits(np.ones(128)).view(np.int64))
    words = random_word(streams[:2, None, None, None], torch.arange(64).view(2, 8, 4))
    third = torch.tensor(3)
    yield "hopfield", gibbs_sweep, (spins, patterns, chains, third)
    yield "hopfield, jumping", jumping_sweep, (spins, patterns, chains, third)
    yield "multispin", chessboard_sweep, (words, digits, streams[:2, None, None], third)
    items, envelope = torch.arange(500) % CHAINS, Envelope(ones.expand(-1, 3), ones, ones - 1)
    yield "maier_saupe, tensors", propose_tensors, (streams, nematic_table(), items, third)
    yield "maier_saupe, directors", propose_directors, (streams, envelope, 5, items, third)


def one_graph(function: Callable, arguments: tuple) -> bool:
    """Return whether a function is captured as one graph that computes what it computes itself.

    Raises:
        Exception: torch's own, where it takes more than one graph.
    """
    found = torch.compile(unwrap(function), fullgraph=True, backend="eager")(*arguments)
    expected = function(*arguments)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    return all(torch.equal(one, other) for one, other in pairs)
