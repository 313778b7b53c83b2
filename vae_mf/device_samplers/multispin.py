"""Chessboard Metropolis for 64 replicas of a square ferromagnet to a word, in plain torch and to the bit on any device.

The algorithm is that of `vae_mf.samplers.multispin`, with words numbered by their place instead of one after the other,
for there the number of digits that are read depends on the spins. All 48 digits are read: to stop when all replicas
are decided would wait for the device. A replica that is undecided after them (2^-48) does not flip.

Words of a sweep, for each colour: one for the lazy row, its L / 2 fair coins, 48 digits of every site; then one for the
global flip.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64

from vae_mf.arrays import PackedSpins
from vae_mf.device_samplers.base import DeviceSampler, fused, placed
from vae_mf.device_samplers.words import random_index, random_word
from vae_mf.models.devices import AUTO
from vae_mf.samplers.base import Group
from vae_mf.samplers.multispin import DIGITS, REPLICAS, acceptance_digits, packed_replicas
from vae_mf.systems.base import System
from vae_mf.systems.ising2d import Ising2D

WORDS_PER_SITE = 12
"""Words for each site of 64 chains in a sweep: its neighbours, digits and random words."""
BYTES = 0x0101010101010101
"""The lowest bit of every byte of a word."""
COUNTED = 255
"""Sites whose bits a byte can count."""
Words = Int64[torch.Tensor, "stacks 2 side half"]
Colour = Int64[torch.Tensor, "stacks side half"]
Keys = Int64[torch.Tensor, "stacks 1 1"]
Digits = Int64[torch.Tensor, "2 digits stacks 1 1"]


@dataclass
class MultispinState:
    """Spins of the chains on the device, one to a bit in stacks of 64, and the random stream of every stack."""

    temperatures: Float[np.ndarray, " chains"]
    keys: Keys
    words: Words
    sweeps: int = 0


class DeviceMultispin(DeviceSampler):
    """Chessboard Metropolis sampler of an `Ising2D` system of even side on a device, 64 chains to a word.

    A sweep visits every spin once and then flips all of them with probability 1/2. Chains of a stack share random
    words, whose bits are independent of each other; a chain is reproduced by the same 64, not by itself.

    >>> from vae_mf.samplers import Schedule, sample_chains
    >>> from vae_mf.systems import Ising2D
    >>> sampler = DeviceMultispin(Ising2D(4), device="cpu")
    >>> sample_chains(sampler, np.array([2.0]), chains=3, schedule=Schedule(2, 10, 1), seed=1).shape
    (1, 3, 2, 16)

    Args:
        system: two-dimensional Ising system of even side.
        device: "auto" for CUDA where there is one and else the processor, "cpu", "cuda", or one of several, "cuda:1".

    Raises:
        ValueError: if the system is no `Ising2D` one, or its side odd, for a chessboard does not close on an odd torus,
            or there is no such device.
    """

    name = "multispin_metropolis_device"
    serves = Ising2D

    def __init__(self, system: System, device: str | torch.device = AUTO):
        super().__init__(system, device)
        if self.system.side % 2:
            raise ValueError(f"side: expected an even number for the multispin sampler, got {self.system.side}")
        self._sweep = fused(chessboard_sweep, self.device)

    @property
    def group(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Chains advanced together: whole stacks."""
        return REPLICAS * (super().group // 4)

    def bytes_of(self, chains: int) -> int:
        """Return about the bytes that so many chains take of the device."""
        return 8 * WORDS_PER_SITE * self.sites * -(-chains // REPLICAS)

    def begin(self, group: Group, start: str) -> MultispinState:
        """Start each chain at random, or (``start="pattern"``) with all spins up."""
        stacks = [group.keys[first : first + REPLICAS].tolist() for first in range(0, len(group.keys), REPLICAS)]
        hashes = np.array([np.random.SeedSequence(keys).generate_state(1, np.uint64) for keys in stacks])
        keys = placed(hashes, self.device)[:, :, None]
        side = self.system.side
        shape = (2, side, side // 2)
        if start == "random":
            words = random_word(keys[..., None], torch.arange(side**2, device=self.device).view(shape))
        else:
            words = torch.full((len(stacks), *shape), -1, device=self.device)
        return MultispinState(np.array(group.temperatures, np.float64), keys, words)

    def sweep(self, state: MultispinState, count: int) -> None:
        """Advance every chain by ``count`` sweeps."""
        digits = placed(stacked_digits(self.system.coupling / state.temperatures), self.device)
        for number in torch.arange(state.sweeps + 1, state.sweeps + count + 1, device=self.device):
            state.words = self._sweep(state.words, digits, state.keys, number)
        state.sweeps += count

    def configurations(self, state: MultispinState) -> PackedSpins:
        """Return the current spins, bit-packed, shape (chains, bytes)."""
        words = state.words.cpu().numpy().view(np.uint64)
        return np.concatenate([packed_replicas(stack) for stack in words])[: len(state.temperatures)]

    def energies(self, state: MultispinState) -> Float[np.ndarray, " chains"]:
        """Return the current energy of every chain."""
        broken = unsatisfied_bonds(state.words).cpu().numpy().reshape(-1)[: len(state.temperatures)]
        return self.system.coupling * (2.0 * broken - 2 * self.sites)


def stacked_digits(reduced: Float[np.ndarray, " chains"]) -> UInt64[np.ndarray, "2 digits stacks 1 1"]:
    """Return the binary digits of the acceptance of every replica, stack by stack, from J / T of the chains."""
    padded = np.pad(reduced, (0, -len(reduced) % REPLICAS), mode="edge").reshape(-1, REPLICAS)
    levels, stack = np.unique(padded, axis=0, return_inverse=True)
    return np.stack([acceptance_digits(level) for level in levels], -1)[:, :, stack.reshape(-1), None, None]


def chessboard_sweep(words: Words, digits: Digits, keys: Keys, number: Int64[torch.Tensor, ""]) -> Words:
    """Return all spins after sweep ``number``: both colours, then a flip of all with probability 1/2."""
    _, _, side, half = words.shape
    each = 1 + half + DIGITS * side * half
    base = number * (2 * each + 1)
    even = updated(words[:, 0], words[:, 1], digits, keys, base, colour=0)
    odd = updated(words[:, 1], even, digits, keys, base + each, colour=1)
    return torch.stack([even, odd], 1) ^ random_word(keys, base + 2 * each)[:, None]


def updated(
    own: Colour, others: Colour, digits: Digits, keys: Keys, base: Int64[torch.Tensor, ""], colour: int
) -> Colour:
    """Return the spins of one colour after their update, whose first word is number ``base``.

    In one random row every flip is put to a fair coin as well; `vae_mf.samplers.multispin` says why.
    """
    _, side, half = own.shape
    places = torch.arange(side * half, device=own.device).view(side, half)
    flips = accepted(*sorted_by_cost(own, others, colour), digits, keys, base + 1 + half + places)
    lazy = random_index(random_word(keys, base), side) == torch.arange(side, device=own.device)[:, None]
    coins = random_word(keys, base + 1 + torch.arange(half, device=own.device))
    return own ^ (flips & torch.where(lazy, coins, -1))


def neighbours(others: Colour, colour: int) -> tuple[Colour, Colour, Colour, Colour]:
    """Return the four neighbours of the sites of a colour: at its own place, beside, above and below."""
    odd = (torch.arange(others.shape[1], device=others.device)[:, None] + colour) % 2 == 1
    beside = torch.where(odd, others.roll(-1, 2), others.roll(1, 2))
    return others, beside, others.roll(1, 1), others.roll(-1, 1)


def sorted_by_cost(own: Colour, others: Colour, colour: int) -> tuple[Colour, Colour]:
    """Return the replicas whose flip costs nothing, and among the others those that it costs 4 J instead of 8 J."""
    same, beside, upper, lower = (own ^ neighbour for neighbour in neighbours(others, colour))
    across, along = same ^ beside, upper ^ lower
    return (same & beside) | (upper & lower) | (across & along), across | along


def accepted(
    free: Colour, single: Colour, digits: Digits, keys: Keys, places: Int64[torch.Tensor, "side half"]
) -> Colour:
    """Return the replicas that flip: those for which it is free, and u < p for the others.

    A replica is undecided while the digits of its u and p agree; the first that differ decide, u < p if that of p is 1.
    """
    flips, undecided = free, ~free
    for digit in range(DIGITS):
        own = (digits[0, digit] & single) | (digits[1, digit] & ~single)
        differs = undecided & (own ^ random_word(keys, places + digit * places.numel()))
        flips = flips | (differs & own)
        undecided = undecided ^ differs
    return flips


def unsatisfied_bonds(words: Words) -> Int64[torch.Tensor, "stacks 8 8"]:
    """Return the number of unsatisfied bonds of replica 8 a + b of every stack at (a, b)."""
    even = words[:, 0]
    broken = torch.stack([even ^ neighbour for neighbour in neighbours(words[:, 1], 0)], 1).flatten(1)
    counts = []
    for bit in range(8):
        bytes_ = ((broken >> bit) & BYTES).view(torch.uint8).view(len(words), -1, 8)
        counts.append(bytes_.sum(1, dtype=torch.int64))
    return torch.stack(counts, 2)
